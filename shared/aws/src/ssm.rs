//! Secrets as SecureStrings of the SSM Parameter Store, under a key of KMS.
//!
//! A single version of a parameter cannot be deleted, and SSM keeps a hundred of them. So each rotation writes a
//! parameter of a new name, commits its row in the table, and deletes the name before; how that survives a crash
//! stands in [`nexus_vault`]. A name is
//!
//! ```text
//! {root}/{product}/{owner}/{word}/{the row's version that it follows}-{generation}
//! ```
//!
//! and holds nothing that tells who somebody is. The row holds the version and never a value. A value is read once in
//! five minutes: an account's throughput is 40 reads a second unless it pays for more.
//!
//! What a role needs: `ssm:GetParameter`, `ssm:GetParametersByPath`, `ssm:PutParameter` and `ssm:DeleteParameters` on
//! `{root}/{product}/` and the owners that it works for, and the key's `kms:Decrypt` and `kms:Encrypt`; who removes strays
//! also `ssm:GetParametersByPath` on `{root}/{product}`.

mod house_keys;

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use nexus_core::vault::{Remains, SecretName, VaultError};
use nexus_core::{Product, Table};
use nexus_kernel::{Ambient, Secret, Timestamp};
use nexus_vault::{Left, RowVault, Safe, Said, Slot};

pub use house_keys::HouseKeys;

/// The most names in one deletion, as SSM has it.
const BATCH: usize = 10;

/// A vault whose values are parameters.
pub type SsmVault = RowVault<Parameters>;

/// The parameters below a root.
pub struct Parameters {
    client: Client,
    root: String,
    key: String,
}

/// The vault below `root`, for example `/nexus/prod`, encrypted under the KMS key of this id, ARN or alias; its rows
/// stand in the product's table.
pub fn vault(
    config: &SdkConfig,
    root: impl Into<String>,
    key: impl Into<String>,
    table: Arc<dyn Table>,
    ambient: Ambient,
) -> SsmVault {
    let root = root.into().trim_end_matches('/').to_owned();
    RowVault::new(table, Parameters { client: Client::new(config), root, key: key.into() }, ambient)
}

impl Parameters {
    fn name(&self, path: &str, after: u64, generation: u64) -> String {
        format!("{}/{path}/{after:016x}-{generation:016x}", self.root)
    }

    fn name_of(&self, slot: Slot<'_>) -> String {
        self.name(&slot.name.path(), slot.after, slot.generation.number())
    }

    /// The parameters below a path, which secret's each is and what its name says. Values come encrypted and are
    /// passed over.
    async fn below(&self, path: &str, recursive: bool) -> Result<Vec<(String, Left)>, VaultError> {
        let request = self.client.get_parameters_by_path().path(path).recursive(recursive);
        let mut pages = request.with_decryption(false).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| failed("GetParametersByPath", &e))?;
            let parameters = page.parameters.unwrap_or_default();
            found.extend(parameters.into_iter().filter_map(|parameter| {
                let put = parameter.last_modified_date?.to_millis().ok()?;
                let name = parameter.name?;
                let (path, slot) =
                    name.strip_prefix(&self.root)?.trim_start_matches('/').rsplit_once('/')?;
                let (after, generation) = slot.split_once('-')?;
                let number = |digits| u64::from_str_radix(digits, 16).ok();
                let left = Left {
                    after: number(after)?,
                    generation: number(generation)?,
                    put: Timestamp::from_millisecond(put).ok()?,
                };
                Some((path.to_owned(), left))
            }));
        }
        Ok(found)
    }
}

#[async_trait]
impl Safe for Parameters {
    /// The parameter's name follows from the row.
    type Ticket = ();

    const REMAINS: Remains = Remains::Nothing;

    async fn put(&self, slot: Slot<'_>, value: &Secret<String>) -> Result<(), VaultError> {
        let request = self.client.put_parameter().name(self.name_of(slot)).key_id(&self.key);
        let request = request.r#type(ParameterType::SecureString).tier(ParameterTier::Standard);
        match request.value(value.reveal()).overwrite(false).send().await {
            Ok(_) => Ok(()),
            // The name is ours alone: an attempt before this one has put it, and its answer was lost.
            Err(error) if error.code() == Some("ParameterAlreadyExists") => Ok(()),
            Err(error) => Err(failed("PutParameter", &error)),
        }
    }

    async fn get(&self, slot: Slot<'_>, (): &()) -> Result<Option<Secret<String>>, VaultError> {
        let request = self.client.get_parameter().name(self.name_of(slot)).with_decryption(true);
        match request.send().await {
            Ok(found) => Ok(found.parameter.and_then(|p| p.value).map(Secret::new)),
            Err(error) => match error.code() {
                Some("ParameterNotFound" | "ParameterVersionNotFound") => Ok(None),
                _ => Err(failed("GetParameter", &error)),
            },
        }
    }

    async fn list(&self, name: &SecretName) -> Result<Vec<Left>, VaultError> {
        let path = format!("{}/{}", self.root, name.path());
        Ok(self.below(&path, false).await?.into_iter().map(|(_, left)| left).collect())
    }

    async fn remove(&self, path: &str, dead: &[Left]) -> Result<(), VaultError> {
        for some in dead.chunks(BATCH) {
            let names = some.iter().map(|l| self.name(path, l.after, l.generation)).collect();
            // Names that do not exist are listed in the answer as invalid, which is as well.
            let request = self.client.delete_parameters().set_names(Some(names));
            request.send().await.map_err(|e| failed("DeleteParameters", &e))?;
        }
        Ok(())
    }

    async fn list_all(&self, of: Product) -> Result<Vec<(String, Left)>, VaultError> {
        self.below(&format!("{}/{}", self.root, of.name()), true).await
    }
}

fn failed<E: ProvideErrorMetadata, R>(call: &'static str, error: &SdkError<E, R>) -> VaultError {
    let code = match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("an error without a code"),
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection",
        _ => "an answer that cannot be read",
    };
    let said = Box::new(Said { call, code: code.to_owned() });
    match code {
        "ThrottlingException" | "TooManyUpdates" | "RequestLimitExceeded" => {
            VaultError::Throttled(said)
        }
        "AccessDeniedException" | "InvalidKeyId" => VaultError::Locked(said),
        "ParameterLimitExceeded" => VaultError::Refused(
            "the account holds as many standard parameters as SSM allows (10,000)".into(),
        ),
        "ValidationException" => {
            VaultError::Refused(format!("{said}: the parameter's name, size or key"))
        }
        _ => VaultError::Unavailable(said),
    }
}

#[cfg(test)]
mod tests {
    use nexus_contract::START;
    use nexus_contract::memory::MemoryTable;
    use nexus_contract::vault::CANARY;
    use nexus_core::table::{Page, Table as _};
    use nexus_core::vault::{Freshness, Generation, Vault as _};
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::replay::{answering, sent};

    const PUT: (u16, &str) = (200, r#"{"Version":1,"Tier":"Standard"}"#);
    const NONE: (u16, &str) = (200, r#"{"Parameters":[]}"#);

    struct Stage {
        vault: SsmVault,
        table: MemoryTable,
        client: aws_smithy_http_client::test_util::StaticReplayClient,
        name: SecretName,
    }

    fn stage(answers: &[(u16, &str)]) -> Stage {
        let (config, client) = answering(1, answers);
        let clock = Arc::new(ManualClock::at(START));
        let table = MemoryTable::new(Arc::clone(&clock) as _);
        let ambient = Ambient::seeded(clock, 1);
        let vault = vault(&config, "/nexus/test/", "alias/nexus", Arc::new(table.clone()), ambient);
        Stage { vault, table, client, name: SecretName::of_house(Product::Engine, "x").unwrap() }
    }

    impl Stage {
        async fn write(&self) -> Result<Generation, VaultError> {
            self.vault.rotate(&self.name, None, &Secret::new(CANARY.into())).await
        }
    }

    #[tokio::test]
    async fn n40_n44_a_token_is_a_secure_string_under_the_key_and_in_no_row() {
        let stage = stage(&[PUT, NONE]);
        let generation = stage.write().await.unwrap();
        let sent = sent(&stage.client);
        let put: serde_json::Value = serde_json::from_str(&sent[0].2).unwrap();
        let expected = serde_json::json!({
            "Name": format!("/nexus/test/engine/house/x/0000000000000000-{generation}"),
            "Value": CANARY, "Type": "SecureString", "KeyId": "alias/nexus",
            "Overwrite": false, "Tier": "Standard",
        });
        assert_eq!(put, expected);
        let list: serde_json::Value = serde_json::from_str(&sent[1].2).unwrap();
        let path = "/nexus/test/engine/house/x";
        let expected =
            serde_json::json!({ "Path": path, "Recursive": false, "WithDecryption": false });
        assert_eq!(list, expected);
        let rows = stage.table.scan(&Page::first(10)).await.unwrap().items;
        assert_eq!(rows.len(), 1);
        assert!(!format!("{rows:?}").contains(CANARY), "{rows:?}");
    }

    #[tokio::test]
    async fn a_value_is_asked_for_once_in_five_minutes() {
        let value =
            format!(r#"{{"Parameter":{{"Name":"n","Type":"SecureString","Value":"{CANARY}"}}}}"#);
        let stage = stage(&[PUT, NONE, (200, &value)]);
        stage.write().await.unwrap();
        for _ in 0..20 {
            let read = stage.vault.read(&stage.name, Freshness::Cached).await.unwrap().unwrap();
            assert_eq!(read.value.reveal(), CANARY);
        }
        let all = futures::future::join_all(
            (0..20).map(|_| stage.vault.read(&stage.name, Freshness::Cached)),
        );
        assert!(all.await.iter().all(|r| matches!(r, Ok(Some(_)))));
        assert_eq!(sent(&stage.client).len(), 3, "the line is dead by now");
    }

    #[tokio::test]
    async fn what_ssm_says_is_told_apart() {
        let said = async |code: &str| {
            let answer = format!(r#"{{"__type":"{code}","message":"no {CANARY}"}}"#);
            let stage = stage(&[(400, &answer), NONE]);
            let error = stage.write().await.unwrap_err();
            assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
            assert!(stage.table.scan(&Page::first(1)).await.unwrap().items.is_empty());
            error
        };
        assert!(matches!(said("ThrottlingException").await, VaultError::Throttled(_)));
        assert!(matches!(said("TooManyUpdates").await, VaultError::Throttled(_)));
        assert!(matches!(said("InvalidKeyId").await, VaultError::Locked(_)), "a disabled key");
        assert!(matches!(said("AccessDeniedException").await, VaultError::Locked(_)));
        assert!(matches!(said("ParameterLimitExceeded").await, VaultError::Refused(_)));
        assert!(matches!(said("InternalServerError").await, VaultError::Unavailable(_)));
        let stage = stage(&[]);
        assert!(matches!(stage.write().await, Err(VaultError::Unavailable(_))), "a dead line");
    }

    #[tokio::test]
    async fn an_answer_that_came_late_is_no_other_value() {
        let there = (400, r#"{"__type":"ParameterAlreadyExists","message":"no"}"#);
        let stage = stage(&[there, NONE]);
        stage.write().await.unwrap();
    }

    #[tokio::test]
    async fn a_value_that_is_gone_is_corrupt_and_no_value_at_all() {
        let gone = (400, r#"{"__type":"ParameterNotFound","message":"no"}"#);
        let version = (400, r#"{"__type":"ParameterVersionNotFound","message":"no"}"#);
        let stage = stage(&[PUT, NONE, gone, version]);
        stage.write().await.unwrap();
        let read = stage.vault.read(&stage.name, Freshness::Fresh).await;
        assert!(matches!(read, Err(VaultError::Corrupt(_))), "{read:?}");
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_not_quoted() {
        let broken = format!(r#"{{"Parameter":{{"Value":"{CANARY}","Version":"x"#);
        let stage = stage(&[PUT, NONE, (200, &broken)]);
        stage.write().await.unwrap();
        let error = stage.vault.read(&stage.name, Freshness::Fresh).await.unwrap_err();
        assert!(matches!(error, VaultError::Unavailable(_)));
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }

    #[tokio::test]
    async fn n55_forgetting_is_done_only_once_every_name_is_deleted() {
        let left = r#"{"Parameters":[
            {"Name":"/nexus/test/engine/house/x/0000000000000000-0000000000000005","LastModifiedDate":1803891600.0},
            {"Name":"/nexus/test/engine/house/x/not-ours","LastModifiedDate":1803891600.0}]}"#;
        let throttled = (400, r#"{"__type":"ThrottlingException","message":"no"}"#);
        let deleted = (200, r#"{"DeletedParameters":[],"InvalidParameters":[]}"#);
        // A rotation crashed before its commit: no row, one name.
        let stage =
            stage(&[(200, left), (200, left), throttled, (200, left), (200, left), deleted]);
        let first = stage.vault.forget(&stage.name).await;
        assert!(matches!(first, Err(VaultError::Throttled(_))), "{first:?}");
        assert!(stage.vault.forget(&stage.name).await.unwrap().found);
        let last: serde_json::Value = serde_json::from_str(&sent(&stage.client)[5].2).unwrap();
        let name = "/nexus/test/engine/house/x/0000000000000000-0000000000000005";
        assert_eq!(last, serde_json::json!({ "Names": [name] }));
    }
}
