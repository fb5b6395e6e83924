//! The house's own keys at vendors, as an operator puts them: one SecureString a vendor, by hand.
//!
//! ```text
//! aws ssm put-parameter --type SecureString --key-id KEY --name {root}/{product}/house/{vendor} --value file:///dev/stdin
//! ```
//!
//! A function reads the key of the vendor that it calls and nothing else of the vault: `ssm:GetParameter` on that one
//! name. A new value is seen after five minutes, or as soon as the vendor refuses the old one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use nexus_core::Product;
use nexus_core::vault::{
    Forgotten, Freshness, Generation, Held, MAX_CACHED, SecretName, Vault, VaultError,
};
use nexus_kernel::{Clock, Secret, Timestamp};

use super::failed;

/// The house's keys below a root. It only reads.
pub struct HouseKeys {
    client: Client,
    root: String,
    clock: Arc<dyn Clock>,
    read: Mutex<HashMap<SecretName, (Timestamp, Option<Held>)>>,
}

impl HouseKeys {
    /// The keys below `root`, for example `/nexus/prod`.
    pub fn new(config: &SdkConfig, root: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let root = root.into().trim_end_matches('/').to_owned();
        Self { client: Client::new(config), root, clock, read: Mutex::default() }
    }
}

fn only_read() -> VaultError {
    VaultError::Refused("the house's keys are put by the operator, as parameters of SSM".to_owned())
}

#[async_trait]
impl Vault for HouseKeys {
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError> {
        if !name.is_of_house() {
            return Err(only_read());
        }
        let now = self.clock.now();
        let young = |(at, _): &&(Timestamp, _)| now.duration_since(*at) < MAX_CACHED;
        if how == Freshness::Cached
            && let Some((_, held)) = self.kept().get(name).filter(young)
        {
            return Ok(held.clone());
        }
        let parameter = format!("{}/{}", self.root, name.path());
        let request = self.client.get_parameter().name(parameter).with_decryption(true);
        let held = match request.send().await {
            Ok(found) => found.parameter.and_then(|parameter| {
                // SSM counts a parameter's versions up from 1.
                let generation = Generation::stored(parameter.version.unsigned_abs());
                Some(Held { value: Secret::new(parameter.value?), generation })
            }),
            Err(error) if error.code() == Some("ParameterNotFound") => None,
            Err(error) => return Err(failed("GetParameter", &error)),
        };
        self.kept().insert(name.clone(), (now, held.clone()));
        Ok(held)
    }

    /// Refused: an operator does that.
    async fn rotate(
        &self,
        _: &SecretName,
        _: Option<Generation>,
        _: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        Err(only_read())
    }

    /// Refused: an operator does that.
    async fn forget(&self, _: &SecretName) -> Result<Forgotten, VaultError> {
        Err(only_read())
    }

    /// What the operator put is nobody's unfinished rotation.
    async fn remove_strays(&self, _: Product) -> Result<u64, VaultError> {
        Ok(0)
    }
}

impl HouseKeys {
    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<SecretName, (Timestamp, Option<Held>)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::replay::{answering, sent};

    const KEY: &str = r#"{"Parameter":{"Name":"n","Value":"canary","Version":3}}"#;
    const NONE: (u16, &str) = (400, r#"{"__type":"ParameterNotFound","message":"no"}"#);

    #[tokio::test]
    async fn n44_a_key_is_read_by_its_name_and_again_after_five_minutes() {
        let (config, client) = answering(1, &[(200, KEY), (200, KEY), NONE]);
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let keys = HouseKeys::new(&config, "/nexus/test/", Arc::new(clock.clone()));
        let name = SecretName::of_house(Product::Engine, "gemini").unwrap();
        for _ in 0..3 {
            let held = keys.read(&name, Freshness::Cached).await.unwrap().unwrap();
            assert_eq!((held.value.reveal().as_str(), held.generation.number()), ("canary", 3));
        }
        let asked: serde_json::Value = serde_json::from_str(&sent(&client)[0].2).unwrap();
        let expected = serde_json::json!({ "Name": "/nexus/test/engine/house/gemini", "WithDecryption": true });
        assert_eq!((sent(&client).len(), asked), (1, expected));
        keys.read(&name, Freshness::Fresh).await.unwrap().unwrap();
        clock.move_to(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(5));
        assert!(keys.read(&name, Freshness::Cached).await.unwrap().is_none());
        assert_eq!(sent(&client).len(), 3);
    }

    #[tokio::test]
    async fn it_reads_the_houses_keys_and_changes_nothing() {
        let (config, client) = answering(1, &[]);
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let keys = HouseKeys::new(&config, "/nexus/test", clock);
        let name = SecretName::of_house(Product::Engine, "gemini").unwrap();
        assert!(keys.rotate(&name, None, &Secret::new("x".into())).await.is_err());
        assert!(keys.forget(&name).await.is_err());
        assert!(sent(&client).is_empty());
    }
}
