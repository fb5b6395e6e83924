//! The safe whose values stand in their own rows, each sealed under a data key: for many small secrets.
//!
//! A data key belongs to one owner of one product, seals at most [`MAX_ROWS_PER_KEY`] rows, and is in memory for less
//! than five minutes. Beside each row it stands wrapped, by what only [`DataKeys`] can unwrap. A sealed value opens
//! for the product, owner, name and generation that it was sealed for, and nowhere else.
//!
//! What this does not see: a whole row that is put back as it was once, with its version, as a restore does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nexus_core::Product;
use nexus_core::vault::{Remains, SecretName, VaultError};
use nexus_kernel::{Ambient, Digest, Secret};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::row_vault::{Left, Safe, Slot};
use crate::seal::{Tampered, open, seal};

/// How many rows one data key seals. Random nonces would allow 2^32 (NIST SP 800-38D, 8.3); so few bound what is
/// lost with a key.
pub const MAX_ROWS_PER_KEY: u32 = 100;

/// What a data key is for: it is unwrapped for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyUse {
    /// The product's name.
    pub product: &'static str,
    /// The owner as in keys: a tenant's id, or `house`.
    pub owner: String,
}

impl KeyUse {
    fn of(name: &SecretName) -> Self {
        Self { product: name.product().name(), owner: name.owner() }
    }
}

/// A new data key.
pub struct DataKey {
    /// Its bytes: [`KEY_BYTES`](crate::KEY_BYTES) of them.
    pub plain: Secret<Vec<u8>>,
    /// Wrapped, as it may be stored.
    pub wrapped: Vec<u8>,
}

/// Makes data keys and unwraps them: a key of KMS, or a master key.
#[async_trait]
pub trait DataKeys: Send + Sync + 'static {
    /// A new data key for this use.
    async fn draw(&self, used: &KeyUse) -> Result<DataKey, VaultError>;

    /// The bytes of a wrapped one, if it was drawn for this use.
    async fn unwrap(&self, used: &KeyUse, wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError>;
}

/// A data key that seals.
struct Sealing {
    key: DataKey,
    rows: AtomicU32,
}

/// The safe.
pub struct Envelope<K> {
    keys: K,
    ambient: Ambient,
    sealing: Cache<KeyUse, Sealing>,
    opening: Cache<(KeyUse, Vec<u8>), Secret<Vec<u8>>>,
}

/// What stands in the row: a wrapped data key, and the value sealed under it.
#[derive(Serialize, Deserialize)]
pub struct Sealed {
    key: String,
    sealed: String,
}

impl<K: DataKeys> Envelope<K> {
    /// Values sealed under data keys that these keys wrap.
    pub fn new(keys: K, ambient: Ambient) -> Self {
        Self { keys, ambient, sealing: Cache::new(), opening: Cache::new() }
    }

    async fn sealing_key(&self, used: &KeyUse) -> Result<Arc<Sealing>, VaultError> {
        let begun = self.sealing.begin(self.ambient.now());
        if let Some(sealing) = self.sealing.get(used, self.ambient.now())
            && sealing.rows.fetch_add(1, Ordering::Relaxed) < MAX_ROWS_PER_KEY
        {
            return Ok(sealing);
        }
        let key = self.keys.draw(used).await?;
        let sealing = Arc::new(Sealing { key, rows: AtomicU32::new(1) });
        self.sealing.put(used.clone(), Arc::clone(&sealing), begun);
        Ok(sealing)
    }

    async fn opening_key(
        &self,
        used: KeyUse,
        wrapped: Vec<u8>,
    ) -> Result<Arc<Secret<Vec<u8>>>, VaultError> {
        let begun = self.opening.begin(self.ambient.now());
        let which = (used, wrapped);
        if let Some(key) = self.opening.get(&which, self.ambient.now()) {
            return Ok(key);
        }
        let key = Arc::new(self.keys.unwrap(&which.0, &which.1).await?);
        self.opening.put(which, Arc::clone(&key), begun);
        Ok(key)
    }
}

/// What a value is sealed for.
fn place(slot: Slot<'_>) -> Digest {
    let generation = slot.generation.number().to_be_bytes();
    let (product, owner) = (slot.name.product().name(), slot.name.owner());
    Digest::of_parts([
        b"nexus vault row 1".as_slice(),
        product.as_bytes(),
        owner.as_bytes(),
        slot.name.word().as_bytes(),
        &generation,
    ])
}

fn corrupt(_: impl Sized) -> VaultError {
    // Without the cause: what cannot be read is nobody's to see.
    VaultError::Corrupt(Box::new(Tampered))
}

#[async_trait]
impl<K: DataKeys> Safe for Envelope<K> {
    type Ticket = Sealed;

    const REMAINS: Remains = Remains::SealedInBackups;

    async fn put(&self, slot: Slot<'_>, value: &Secret<String>) -> Result<Sealed, VaultError> {
        let sealing = self.sealing_key(&KeyUse::of(slot.name)).await?;
        let plain = value.reveal().as_bytes();
        let sealed = seal(&sealing.key.plain, &place(slot), plain)
            .map_err(|e| VaultError::Unavailable(Box::new(e)))?;
        Ok(Sealed {
            key: BASE64_STANDARD.encode(&sealing.key.wrapped),
            sealed: BASE64_STANDARD.encode(sealed),
        })
    }

    async fn get(
        &self,
        slot: Slot<'_>,
        ticket: &Sealed,
    ) -> Result<Option<Secret<String>>, VaultError> {
        let wrapped = BASE64_STANDARD.decode(&ticket.key).map_err(corrupt)?;
        let sealed = BASE64_STANDARD.decode(&ticket.sealed).map_err(corrupt)?;
        let key = self.opening_key(KeyUse::of(slot.name), wrapped).await?;
        let mut plain = open(&key, &place(slot), &sealed).map_err(corrupt)?;
        String::from_utf8(std::mem::take(&mut *plain)).map(|text| Some(Secret::new(text))).map_err(
            |e| {
                drop(Secret::new(e.into_bytes()));
                corrupt(())
            },
        )
    }

    async fn list(&self, _: &SecretName) -> Result<Vec<Left>, VaultError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &str, _: &[Left]) -> Result<(), VaultError> {
        Ok(())
    }

    async fn list_all(&self, _: Product) -> Result<Vec<(String, Left)>, VaultError> {
        Ok(Vec::new())
    }
}
