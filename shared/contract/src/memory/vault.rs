use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nexus_core::Product;
use nexus_core::vault::{
    Forgotten, Freshness, Generation, Held, Remains, SecretName, Vault, VaultError, check_value,
};
use nexus_kernel::{Ambient, Secret};

use super::lock;

/// A vault in memory. Clones are handles to the same secrets. Its cached reads are always fresh.
#[derive(Clone)]
pub struct MemoryVault {
    secrets: Arc<Mutex<HashMap<SecretName, Stands>>>,
    ambient: Ambient,
}

struct Stands {
    held: Held,
    follows: Option<Generation>,
}

impl MemoryVault {
    /// An empty vault whose generations are drawn from this ambient.
    pub fn new(ambient: Ambient) -> Self {
        Self { secrets: Arc::default(), ambient }
    }
}

impl fmt::Debug for MemoryVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryVault({} secrets)", lock(&self.secrets).len())
    }
}

#[async_trait]
impl Vault for MemoryVault {
    async fn read(&self, name: &SecretName, _: Freshness) -> Result<Option<Held>, VaultError> {
        Ok(lock(&self.secrets).get(name).map(|stands| stands.held.clone()))
    }

    async fn rotate(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        check_value(value)?;
        let mut secrets = lock(&self.secrets);
        let stands = secrets.get(name);
        if stands.map(|s| s.held.generation) != follows {
            return match stands {
                Some(Stands { held, follows: before })
                    if *before == follows && held.value.reveal() == value.reveal() =>
                {
                    Ok(held.generation)
                }
                _ => Err(VaultError::Overtaken),
            };
        }
        let generation = Generation::draw(&*self.ambient.chance);
        let held = Held { value: value.clone(), generation };
        secrets.insert(name.clone(), Stands { held, follows });
        Ok(generation)
    }

    async fn forget(&self, name: &SecretName) -> Result<Forgotten, VaultError> {
        let found = lock(&self.secrets).remove(name).is_some();
        Ok(Forgotten { found, remains: Remains::Nothing })
    }

    /// There are none: a rotation is one step here.
    async fn remove_strays(&self, _: Product) -> Result<u64, VaultError> {
        Ok(0)
    }
}
