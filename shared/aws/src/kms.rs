//! Secrets in rows, each sealed under a data key that a key of KMS wraps: for many small ones.
//!
//! KMS makes a data key and unwraps it; values never go there. The encryption context of a data key is its product
//! and owner, so that KMS itself refuses to unwrap it for another owner, and its log tells whose secrets were opened.
//! Which row a value belongs to is sealed with it (see [`nexus_vault`]).
//!
//! What a role needs: `kms:GenerateDataKey` and `kms:Decrypt` on the key, which may be bound to a product by the
//! condition `kms:EncryptionContext:product`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use nexus_core::Table;
use nexus_core::vault::VaultError;
use nexus_kernel::{Ambient, Secret};
use nexus_vault::{DataKey, DataKeys, Envelope, KEY_BYTES, KeyUse, RowVault, Said};

/// A vault whose values stand sealed in their rows.
pub type KmsVault = RowVault<Envelope<KmsKeys>>;

/// Data keys, wrapped by a key of KMS.
pub struct KmsKeys {
    client: Client,
    key: String,
}

/// The vault whose rows stand in the product's table, under the KMS key of this id or ARN.
pub fn vault(
    config: &SdkConfig,
    key: impl Into<String>,
    table: Arc<dyn Table>,
    ambient: Ambient,
) -> KmsVault {
    let keys = KmsKeys { client: Client::new(config), key: key.into() };
    RowVault::new(table, Envelope::new(keys, ambient.clone()), ambient)
}

fn context(used: &KeyUse) -> HashMap<String, String> {
    [("product", used.product), ("owner", &used.owner)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A data key as KMS gave it, if it is one.
fn plain(call: &'static str, blob: Option<Blob>) -> Result<Secret<Vec<u8>>, VaultError> {
    let key = Secret::new(blob.map(Blob::into_inner).unwrap_or_default());
    if key.reveal().len() == KEY_BYTES {
        return Ok(key);
    }
    let code = "an answer without a key of 256 bits".to_owned();
    Err(VaultError::Unavailable(Box::new(Said { call, code })))
}

#[async_trait]
impl DataKeys for KmsKeys {
    async fn draw(&self, used: &KeyUse) -> Result<DataKey, VaultError> {
        let call = "GenerateDataKey";
        let request = self.client.generate_data_key().key_id(&self.key);
        let request =
            request.key_spec(DataKeySpec::Aes256).set_encryption_context(Some(context(used)));
        let made = request.send().await.map_err(|e| failed(call, &e))?;
        let wrapped = made.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        Ok(DataKey { plain: plain(call, made.plaintext)?, wrapped })
    }

    async fn unwrap(&self, used: &KeyUse, wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        let call = "Decrypt";
        // With the key named, KMS refuses what another key has wrapped.
        let request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(wrapped));
        let request = request.set_encryption_context(Some(context(used)));
        let opened = request.send().await.map_err(|e| failed(call, &e))?;
        plain(call, opened.plaintext)
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
        "ThrottlingException" | "LimitExceededException" => VaultError::Throttled(said),
        "DisabledException"
        | "KMSInvalidStateException"
        | "NotFoundException"
        | "AccessDeniedException"
        | "InvalidKeyUsageException" => VaultError::Locked(said),
        "InvalidCiphertextException" | "IncorrectKeyException" => VaultError::Corrupt(said),
        _ => VaultError::Unavailable(said),
    }
}

#[cfg(test)]
mod tests {
    use nexus_contract::START;
    use nexus_contract::memory::MemoryTable;
    use nexus_contract::vault::CANARY;
    use nexus_core::table::{Page, Table as _};
    use nexus_core::vault::{Freshness, SecretName, Vault as _};
    use nexus_core::{Product, vault::Generation};
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::replay::{answering, sent};

    /// A data key of 32 zeros.
    const MADE: (u16, &str) = (
        200,
        r#"{"CiphertextBlob":"d3JhcHBlZA==","KeyId":"k","Plaintext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#,
    );
    const OPENED: (u16, &str) =
        (200, r#"{"KeyId":"k","Plaintext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#);

    struct Stage {
        vault: KmsVault,
        table: MemoryTable,
        clock: ManualClock,
        client: aws_smithy_http_client::test_util::StaticReplayClient,
    }

    fn stage(answers: &[(u16, &str)]) -> Stage {
        let (config, client) = answering(1, answers);
        let clock = ManualClock::at(START);
        let table = MemoryTable::new(Arc::new(clock.clone()));
        let ambient = Ambient::seeded(Arc::new(clock.clone()), 1);
        let vault = vault(&config, "key-1", Arc::new(table.clone()), ambient);
        Stage { vault, table, clock, client }
    }

    fn name(word: &str) -> SecretName {
        SecretName::of_house(Product::Sentry, word).unwrap()
    }

    async fn write(vault: &KmsVault, word: &str) -> Result<Generation, VaultError> {
        vault.rotate(&name(word), None, &Secret::new(CANARY.into())).await
    }

    #[tokio::test]
    async fn n44_a_value_is_sealed_under_a_data_key_of_its_owner() {
        let stage = stage(&[MADE, OPENED]);
        write(&stage.vault, "camera-1").await.unwrap();
        let read = stage.vault.read(&name("camera-1"), Freshness::Fresh).await.unwrap().unwrap();
        assert_eq!(read.value.reveal(), CANARY);
        let bodies: Vec<serde_json::Value> =
            sent(&stage.client).iter().map(|(_, _, b)| serde_json::from_str(b).unwrap()).collect();
        let context = serde_json::json!({ "product": "sentry", "owner": "house" });
        let made = serde_json::json!({
            "KeyId": "key-1", "KeySpec": "AES_256", "EncryptionContext": context,
        });
        let opened = serde_json::json!({
            "KeyId": "key-1", "CiphertextBlob": "d3JhcHBlZA==", "EncryptionContext": context,
        });
        assert_eq!(bodies, [made, opened], "and no value went there");
        let rows = stage.table.scan(&Page::first(10)).await.unwrap().items;
        assert!(!format!("{rows:?}").contains(CANARY), "{rows:?}");
    }

    #[tokio::test]
    async fn a_data_key_serves_five_minutes_and_a_hundred_rows() {
        let stage = stage(&[MADE; 4]);
        for n in 0..250 {
            write(&stage.vault, &format!("camera-{n}")).await.unwrap();
        }
        assert_eq!(sent(&stage.client).len(), 3, "a hundred rows each");
        stage.clock.move_to(START + jiff::SignedDuration::from_mins(5));
        write(&stage.vault, "camera").await.unwrap();
        assert_eq!(sent(&stage.client).len(), 4);
    }

    #[tokio::test]
    async fn what_kms_says_is_told_apart() {
        let said = async |code: &str| {
            let answer = format!(r#"{{"__type":"{code}","message":"no {CANARY}"}}"#);
            let stage = stage(&[(400, &answer)]);
            let error = write(&stage.vault, "camera-1").await.unwrap_err();
            assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
            assert!(stage.table.scan(&Page::first(1)).await.unwrap().items.is_empty());
            error
        };
        assert!(matches!(said("DisabledException").await, VaultError::Locked(_)));
        assert!(matches!(said("KMSInvalidStateException").await, VaultError::Locked(_)));
        assert!(matches!(said("AccessDeniedException").await, VaultError::Locked(_)));
        assert!(matches!(said("ThrottlingException").await, VaultError::Throttled(_)));
        assert!(matches!(said("InvalidCiphertextException").await, VaultError::Corrupt(_)));
        assert!(matches!(said("KMSInternalException").await, VaultError::Unavailable(_)));
        let short = (200, r#"{"CiphertextBlob":"d3JhcHBlZA==","KeyId":"k","Plaintext":"AAAA"}"#);
        let stage = stage(&[short]);
        assert!(matches!(write(&stage.vault, "a").await, Err(VaultError::Unavailable(_))));
    }
}
