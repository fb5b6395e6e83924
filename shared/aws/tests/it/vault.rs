//! The vault's contract on SSM and on KMS, with its rows on DynamoDB.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use nexus_aws::{DynamoTable, SdkConfig, kms, ssm};
use nexus_contract::Pair;
use nexus_contract::vault::{CANARY, Stand};
use nexus_core::table::{Page, Table};
use nexus_core::vault::{Freshness, SecretName, Vault};
use nexus_core::{Product, vault::VaultError};
use nexus_kernel::{Ambient, Secret};

use crate::emulator::Emulator;
use crate::table::{NAME, create};

const ROOT: &str = "/nexus/test";

/// An emulator with the table and a key of KMS: the settings of two clients, and the key's id.
async fn stage() -> (Emulator, SdkConfig, SdkConfig, String) {
    let emulator = Emulator::anew().await;
    let (one, other) = (emulator.config().await, emulator.config().await);
    create(&Client::new(&one)).await;
    let made = aws_sdk_kms::Client::new(&one).create_key().send().await.unwrap();
    (emulator, one, other, made.key_metadata.unwrap().key_id)
}

fn table(config: &SdkConfig) -> Arc<dyn Table> {
    Arc::new(DynamoTable::new(config, NAME))
}

fn ambient(emulator: &Emulator, seed: u64) -> Ambient {
    Ambient::seeded(Arc::new(emulator.clock.clone()), seed)
}

fn over_ssm(emulator: &Emulator, config: &SdkConfig, key: &str, seed: u64) -> ssm::SsmVault {
    ssm::vault(config, ROOT, key, table(config), ambient(emulator, seed))
}

fn over_kms(emulator: &Emulator, config: &SdkConfig, key: &str, seed: u64) -> kms::KmsVault {
    kms::vault(config, key, table(config), ambient(emulator, seed))
}

macro_rules! on {
    ($module:ident, $make:ident) => {
        pub(crate) mod $module {
            use super::*;

            async fn open() -> Stand {
                let (emulator, one, other, key) = stage().await;
                let (one, other) =
                    ($make(&emulator, &one, &key, 1), $make(&emulator, &other, &key, 2));
                let clock = emulator.clock.clone();
                Pair::new(Arc::new(one) as _, Arc::new(other) as _, clock).keeping(emulator)
            }

            crate::sentences! {
                vault, open:
                s01_a_secret_is_read_back_whole
                s01_a_rotation_takes_the_place_of_the_one_before
                s02_who_is_overtaken_is_told_and_changes_nothing
                s02_of_many_rotations_at_once_one_succeeds
                s03_a_repeated_rotation_has_its_first_outcome
                s04_a_generation_of_before_a_forgetting_is_overtaken
                s05_a_cached_read_is_less_than_five_minutes_old
                s05_a_handle_never_reads_what_it_replaced
                s05_who_was_overtaken_reads_what_stands
                s06_n55_what_was_forgotten_is_gone
                s06_rotating_and_forgetting_at_once_leaves_one_of_both
                s07_a_name_is_one_owners
                s08_what_breaks_a_limit_is_refused
                s09_n40_nothing_prints_a_value
            }
        }
    };
}

on!(parameters, over_ssm);
on!(envelope, over_kms);

fn tokens() -> SecretName {
    SecretName::of_house(Product::Engine, "tiktok").unwrap()
}

fn secret() -> Secret<String> {
    Secret::new(CANARY.to_owned())
}

/// The names below the root.
async fn names(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_ssm::Client::new(config);
    let asked = client.get_parameters_by_path().path(ROOT).recursive(true);
    let mut pages = asked.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(
            page.unwrap().parameters.unwrap_or_default().into_iter().filter_map(|p| p.name),
        );
    }
    found
}

#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn n40_n55_one_parameter_stands_and_none_after_a_forgetting() {
    let (emulator, config, _, key) = stage().await;
    let vault = over_ssm(&emulator, &config, &key, 1);
    let mut follows = None;
    // More than a page of the list, and more than a deletion takes.
    for _ in 0..25 {
        follows = Some(vault.rotate(&tokens(), follows, &secret()).await.unwrap());
        assert_eq!(names(&config).await.len(), 1);
    }
    let client = aws_sdk_ssm::Client::new(&config);
    let name = &names(&config).await[0];
    let found = client.get_parameter().name(name).send().await.unwrap().parameter.unwrap();
    assert_eq!(found.r#type, Some(aws_sdk_ssm::types::ParameterType::SecureString));
    assert!(!found.value.unwrap().contains(CANARY), "encrypted unless asked otherwise");
    let rows = table(&config).scan(&Page::first(10)).await.unwrap().items;
    assert!(!format!("{rows:?}").contains(CANARY), "{rows:?}");
    assert!(vault.forget(&tokens()).await.unwrap().found);
    assert!(names(&config).await.is_empty());
}

#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn what_crashed_rotations_left_is_removed_all_pages_of_it() {
    let (emulator, config, _, key) = stage().await;
    // As a crash between putting and committing leaves them.
    let client = aws_sdk_ssm::Client::new(&config);
    for n in 1..=25_u64 {
        let name = format!("{ROOT}/{}/{:016x}-{n:016x}", tokens().path(), 0);
        let put = client.put_parameter().name(name).value(CANARY).key_id(&key);
        put.r#type(aws_sdk_ssm::types::ParameterType::SecureString).send().await.unwrap();
    }
    assert_eq!(names(&config).await.len(), 25);
    let vault = over_ssm(&emulator, &config, &key, 1);
    assert!(vault.forget(&tokens()).await.unwrap().found);
    assert_eq!(names(&config).await.len(), 0);
}

#[tokio::test]
#[ignore = "needs the emulator: infra/aws/check/contract.sh"]
async fn n44_a_disabled_key_locks_the_envelope_and_a_foreign_row_does_not_open() {
    let (emulator, config, _, key) = stage().await;
    over_kms(&emulator, &config, &key, 1).rotate(&tokens(), None, &secret()).await.unwrap();
    let client = aws_sdk_kms::Client::new(&config);
    client.disable_key().key_id(&key).send().await.unwrap();
    let told = over_kms(&emulator, &config, &key, 2).read(&tokens(), Freshness::Fresh).await;
    assert!(matches!(told, Err(VaultError::Locked(_))), "{told:?}");
    client.enable_key().key_id(&key).send().await.unwrap();
    let read = over_kms(&emulator, &config, &key, 3).read(&tokens(), Freshness::Fresh).await;
    assert_eq!(read.unwrap().unwrap().value.reveal(), CANARY);
    // Another product's row with the same bytes: KMS refuses the data key.
    let other = SecretName::of_house(Product::Sentry, "tiktok").unwrap();
    let read = over_kms(&emulator, &config, &key, 4).read(&other, Freshness::Fresh).await;
    assert!(matches!(read, Err(VaultError::Corrupt(_))), "{read:?}");
}
