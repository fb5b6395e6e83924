//! The vault over a row and a safe, and how a crash between any two steps is survived.
//!
//! ```text
//! rotate   put the value into the safe, in a slot of its own → commit the row → remove what is dead
//! forget   commit a grave → remove what is dead
//! ```
//!
//! The row decides: what it does not name is no secret of ours. A slot tells which version of the row its writer
//! means to replace (`after`) and which to make (`generation`); no version ever comes again. So a slot is **dead**,
//! for good, once the row names another generation and stands at another version than the one that the slot follows:
//! its writer's commit can no longer succeed. Whatever is not dead is either the secret or in somebody's hands.
//!
//! * A crash before the commit leaves a slot that follows the row as it stands. The next rotation or forgetting
//!   makes it dead and removes it; where none comes, [`Vault::remove_strays`] does after an hour.
//! * A crash after the commit leaves the slots of before, dead already.
//! * A commit whose answer was lost leaves its slot alone, and is told as unknown.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_core::Product;
use nexus_core::table::Table;
use nexus_core::vault::{
    Forgotten, Freshness, Generation, Held, Remains, SecretName, Vault, VaultError, check_value,
};
use nexus_kernel::{Ambient, Secret, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::cache::Cache;
use crate::rows::{self, Row, Rows, Standing};

/// How often a read or a forgetting looks again where others are quicker.
const TRIES: usize = 8;
/// Names share so many locks, so that of many who read one secret for the first time one asks.
const LOCKS: usize = 16;
/// After which time nobody can still be about to commit what he has put: longer than any call may take.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Where one writing of a secret is kept.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// Of which secret.
    pub name: &'a SecretName,
    /// The row's version that it replaces; 0 is none.
    pub after: u64,
    /// The generation that it is.
    pub generation: Generation,
}

/// A value that was found in a safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The row's version that it was put to replace.
    pub after: u64,
    /// The generation that it is.
    pub generation: u64,
    /// When it was put.
    pub put: Timestamp,
}

/// Keeps values. It knows nothing of which one stands.
#[async_trait]
pub trait Safe: Send + Sync + 'static {
    /// What the row has to tell so that the value is found; never the value as it is used.
    type Ticket: Serialize + DeserializeOwned + Send + Sync;

    /// What may be left after a forgetting.
    const REMAINS: Remains;

    /// Puts a value. An error means that nothing was put, or that it may be removed.
    async fn put(&self, slot: Slot<'_>, value: &Secret<String>)
    -> Result<Self::Ticket, VaultError>;

    /// A value that was put; `None` where it was removed.
    async fn get(
        &self,
        slot: Slot<'_>,
        ticket: &Self::Ticket,
    ) -> Result<Option<Secret<String>>, VaultError>;

    /// Which values of a secret there are; none where they stand in the row itself.
    async fn list(&self, name: &SecretName) -> Result<Vec<Left>, VaultError>;

    /// Removes values; one that is gone is no error.
    async fn remove(&self, path: &str, dead: &[Left]) -> Result<(), VaultError>;

    /// The values of all secrets of a product, by their [`path`](SecretName::path).
    async fn list_all(&self, of: Product) -> Result<Vec<(String, Left)>, VaultError>;
}

/// A vault whose rows stand in a table and whose values are kept in a safe.
pub struct RowVault<S> {
    rows: Rows,
    safe: S,
    ambient: Ambient,
    cache: Cache<SecretName, Held>,
    loading: [Mutex<()>; LOCKS],
}

/// Drops an entry of the cache when it goes out of scope: also where a call is given up half-way.
struct Dropped<'a>(&'a Cache<SecretName, Held>, &'a SecretName);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.drop_entry(self.1);
    }
}

impl<S: Safe> RowVault<S> {
    /// The vault. Generations are drawn from the ambient's chance: two processes must not have the same seed.
    pub fn new(table: Arc<dyn Table>, safe: S, ambient: Ambient) -> Self {
        let loading = std::array::from_fn(|_| Mutex::new(()));
        Self { rows: Rows(table), safe, ambient, cache: Cache::new(), loading }
    }

    async fn load(&self, name: &SecretName) -> Result<Option<Held>, VaultError> {
        let mut missed = None;
        for _ in 0..TRIES {
            let Some(Standing { version, row: Row::Here { after, ticket, .. } }) =
                self.rows.look::<S::Ticket>(name).await?
            else {
                return Ok(None);
            };
            let generation = Generation::stored(version);
            let slot = Slot { name, after, generation };
            match self.safe.get(slot, &ticket).await? {
                Some(value) => return Ok(Some(Held { value, generation })),
                // Rotated between the two reads, unless the row still names it.
                None if missed == Some(version) => {
                    return Err(VaultError::Corrupt("the value is gone that the row names".into()));
                }
                None => missed = Some(version),
            }
        }
        Err(VaultError::Unavailable("the secret is rotated faster than it can be read".into()))
    }

    fn lock_of(&self, name: &SecretName) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let at = hasher.finish() % self.loading.len() as u64;
        &self.loading[usize::try_from(at).unwrap_or(0)]
    }

    /// The generation that stands, if it was made by this very rotation before.
    async fn repeated(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        let standing = self.rows.look::<S::Ticket>(name).await?;
        if let Some(Standing { version, row: Row::Here { after, first, ticket } }) = standing {
            let generation = Generation::stored(version);
            let followed = (!first).then(|| Generation::stored(after));
            if followed == follows {
                let stands = self.safe.get(Slot { name, after, generation }, &ticket).await?;
                if stands.is_some_and(|stands| stands.reveal() == value.reveal()) {
                    // What the first time could not remove any more.
                    drop(self.tidy(name, None).await);
                    return Ok(generation);
                }
            }
        }
        Err(VaultError::Overtaken)
    }

    /// Removes what is dead of a name; `known` is so for sure, whether the safe lists it already or not.
    async fn tidy(&self, name: &SecretName, known: Option<Left>) -> Result<(), VaultError> {
        let mut left = self.safe.list(name).await?;
        left.extend(known.filter(|k| left.iter().all(|l| l.generation != k.generation)));
        if left.is_empty() {
            return Ok(());
        }
        // In this order: what was put before the list follows the version that is read now, or an older one.
        let stands = self.rows.version(name).await?;
        left.retain(|l| l.generation != stands && l.after != stands);
        if left.is_empty() { Ok(()) } else { self.safe.remove(&name.path(), &left).await }
    }
}

#[async_trait]
impl<S: Safe> Vault for RowVault<S> {
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError> {
        let cached = || match how {
            Freshness::Fresh => None,
            Freshness::Cached => self.cache.get(name, self.ambient.now()),
        };
        if let Some(held) = cached() {
            return Ok(Some(Held::clone(&held)));
        }
        let _one_asks = self.lock_of(name).lock().await;
        if let Some(held) = cached() {
            return Ok(Some(Held::clone(&held)));
        }
        let begun = self.cache.begin(self.ambient.now());
        let found = self.load(name).await?;
        match &found {
            Some(held) => self.cache.put(name.clone(), Arc::new(held.clone()), begun),
            None => self.cache.drop_entry(name),
        }
        Ok(found)
    }

    async fn rotate(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        check_value(value)?;
        let _dropped = Dropped(&self.cache, name);
        let after = match follows {
            Some(generation) => generation.number(),
            None => match self.rows.look::<S::Ticket>(name).await? {
                None => 0,
                Some(Standing { version, row: Row::Grave {} }) => version,
                Some(_) => return self.repeated(name, follows, value).await,
            },
        };
        let generation = Generation::draw(&*self.ambient.chance);
        let own = Left { after, generation: generation.number(), put: self.ambient.now() };
        let put = self.safe.put(Slot { name, after, generation }, value).await;
        let committed = match put {
            Ok(ticket) => {
                let row = Row::Here { after, first: follows.is_none(), ticket };
                self.rows.write(name, after, generation, &row, self.ambient.now()).await
            }
            Err(error) => Err(error),
        };
        match committed {
            Ok(()) => {
                // It stands. What cannot be removed now is removed by the next one.
                drop(self.tidy(name, None).await);
                Ok(generation)
            }
            // The row may name it, now or in a moment.
            Err(error @ VaultError::Unknown(_)) => Err(error),
            Err(error) => {
                drop(self.safe.remove(&name.path(), &[own]).await);
                match error {
                    VaultError::Overtaken => self.repeated(name, follows, value).await,
                    error => Err(error),
                }
            }
        }
    }

    async fn forget(&self, name: &SecretName) -> Result<Forgotten, VaultError> {
        let _dropped = Dropped(&self.cache, name);
        let remains = S::REMAINS;
        for _ in 0..TRIES {
            let left = self.safe.list(name).await?;
            let standing = self.rows.look::<S::Ticket>(name).await?;
            let version = standing.as_ref().map_or(0, |s| s.version);
            let here = standing.and_then(|s| match s.row {
                Row::Here { after, .. } => {
                    Some(Left { after, generation: version, put: Timestamp::UNIX_EPOCH })
                }
                Row::Grave {} => None,
            });
            let found = here.is_some() || !left.is_empty();
            // Only a row of another version keeps out whoever has put what follows this one.
            if here.is_some() || left.iter().any(|l| l.after == version) {
                let to = Generation::draw(&*self.ambient.chance);
                let grave = Row::<S::Ticket>::Grave {};
                match self.rows.write(name, version, to, &grave, self.ambient.now()).await {
                    Ok(()) => {}
                    Err(VaultError::Overtaken) => continue,
                    Err(error) => return Err(error),
                }
            }
            self.tidy(name, here).await?;
            return Ok(Forgotten { found, remains });
        }
        Err(VaultError::Unavailable("the secret is rotated faster than it can be forgotten".into()))
    }

    /// What no row names and, after an hour, what none will. What was removed before an error stays so.
    async fn remove_strays(&self, of: Product) -> Result<u64, VaultError> {
        let (found, now) = (self.safe.list_all(of).await?, self.ambient.now());
        let mut removed = 0;
        for (path, left) in found {
            let Some(stands) = rows::stands(&*self.rows.0, &path).await? else { continue };
            let is_old = now.duration_since(left.put) >= ABANDONED_AFTER;
            if left.generation != stands && (left.after != stands || is_old) {
                self.safe.remove(&path, &[left]).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
