//! The port to secrets: an account's tokens, a vendor's key, a daily salt.
//!
//! A secret is a text of 1 to [`MAX_SECRET_BYTES`] under a [`SecretName`]. What has to change together is one
//! secret: an account's access and refresh token are one value. Each rotation is a [`Generation`] of its own, and a
//! rotation names the generation it follows. So of two who refresh the same account one is told that the other was
//! first, and writes over nothing.
//!
//! **Never here:** what a secret says, when it is refreshed, whose password it is (nobody's: N5).
//!
//! # The contract
//! Each sentence is a test of `nexus_contract::vault`, run against every adapter:
//! 1. What was rotated in is read back whole, through this handle and any other.
//! 2. Of several rotations that follow the same generation exactly one succeeds; the others are told that they were
//!    overtaken, and have changed nothing.
//! 3. A rotation that is repeated, because its answer was lost, succeeds with its first outcome and changes nothing.
//! 4. Generations never come again: who still holds one of before a forgetting is overtaken, whatever was written
//!    since.
//! 5. A fresh read is never old. A cached one is less than [`MAX_CACHED`] old, and never older than what the same
//!    handle rotated or forgot.
//! 6. What was forgotten is absent for good. Forgetting what is not there is no error.
//! 7. A name is one owner's: the same word of another owner, of the house or of another product is another secret.
//! 8. An empty value, or more than [`MAX_SECRET_BYTES`], is refused before anything is written.
//! 9. Nothing that is read, told or refused prints a value.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_kernel::{Chance, Failure, FailureKind, Secret, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scope::{Product, Scope};
use crate::sweep::DueKind;
use crate::table::{IndexEntry, Key};

/// The most bytes of a secret: what a standard parameter of AWS Systems Manager takes.
pub const MAX_SECRET_BYTES: usize = 4096;
/// How old a cached read may become.
pub const MAX_CACHED: SignedDuration = SignedDuration::from_mins(5);
/// The most characters in a secret's word.
pub const MAX_NAME_CHARS: usize = 100;
/// How long a row remains that says of a name only that it was forgotten: longer than anybody may still be about to
/// write under it.
pub const GRAVE_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Under which name a secret stands: whose it is, and a word. The word is made of our own ids and fixed words, never
/// of anything that tells who a person is: it stands in paths and in AWS's own logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretName {
    whose: Whose,
    word: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Tenant(Scope),
    House(Product),
}

/// A word under which no secret can stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret's word has 1 to {MAX_NAME_CHARS} lower-case letters, digits, `-` and `_`; this has something else"
)]
pub struct BadSecretName;

impl From<BadSecretName> for Failure {
    fn from(error: BadSecretName) -> Self {
        Self::bug(error)
    }
}

impl SecretName {
    /// A secret of the scope's owner, such as `tiktok-acct_…`.
    ///
    /// # Errors
    /// The word is none: 1 to [`MAX_NAME_CHARS`] of `a-z`, `0-9`, `-` and `_`.
    pub fn of(scope: &Scope, word: impl Into<String>) -> Result<Self, BadSecretName> {
        Self::new(Whose::Tenant(*scope), word.into())
    }

    /// A secret of the product itself, whoever its tenants are: a vendor's key, a salt.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_house(product: Product, word: impl Into<String>) -> Result<Self, BadSecretName> {
        Self::new(Whose::House(product), word.into())
    }

    fn new(whose: Whose, word: String) -> Result<Self, BadSecretName> {
        let fits = (1..=MAX_NAME_CHARS).contains(&word.len())
            && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if fits { Ok(Self { whose, word }) } else { Err(BadSecretName) }
    }

    /// The product.
    pub fn product(&self) -> Product {
        match self.whose {
            Whose::Tenant(scope) => scope.product(),
            Whose::House(product) => product,
        }
    }

    /// The owner as it stands in keys: a tenant's id, or `house`.
    pub fn owner(&self) -> String {
        match self.whose {
            Whose::Tenant(scope) => scope.owner().to_string(),
            Whose::House(_) => HOUSE.to_owned(),
        }
    }

    /// Whether it is the product's own, and no tenant's.
    pub fn is_of_house(&self) -> bool {
        matches!(self.whose, Whose::House(_))
    }

    /// The word.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// `{product}/{owner}/{word}`.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.product().name(), self.owner(), self.word)
    }

    /// Where its row stands, for adapters that keep one.
    pub fn key(&self) -> Key {
        key(&self.owner(), &self.word)
    }

    /// The place of a row that expires in the index of what is due.
    pub fn expiry(&self, at: Timestamp) -> Option<IndexEntry> {
        let key = self.key();
        let id = format!("{}#{}", key.pk(), key.sk());
        Some(DueKind::Expiry.entry_of(&self.owner(), &id, at))
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

const HOUSE: &str = "house";

fn key(owner: &str, word: &str) -> Key {
    Key::stored(format!("{owner}#secret"), word)
}

/// The key of the row that belongs to a [`path`](SecretName::path), for an adapter that walks its own store and asks
/// whether somebody still names what it found. It gives no right to the secret.
pub fn key_at(path: &str) -> Option<Key> {
    let mut parts = path.split('/');
    let (_product, owner, word) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && !owner.is_empty() && !word.is_empty()).then(|| key(owner, word))
}

/// Which writing of a secret this is: drawn anew for each, in no order, and never met again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u64);

impl Generation {
    /// A new one: one of 2^62, so that no two ever meet, and each fits a row's version.
    pub fn draw(chance: &dyn Chance) -> Self {
        let mut bytes = [0; 8];
        chance.fill(&mut bytes);
        Self((u64::from_be_bytes(bytes) >> 2).max(1))
    }

    /// As an adapter read it back.
    pub fn stored(number: u64) -> Self {
        Self(number)
    }

    /// As a row's version.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Generation {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(d)?;
        u64::from_str_radix(&digits, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A secret as it was read, with the generation that a rotation follows.
#[derive(Debug, Clone)]
pub struct Held {
    /// The value.
    pub value: Secret<String>,
    /// Which writing of it.
    pub generation: Generation,
}

/// How old what is read may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As it stands now: before a rotation, and after a vendor refused a token.
    Fresh,
    /// Less than [`MAX_CACHED`] old: for use.
    Cached,
}

/// What a forgetting came to. The secret is gone from the vault in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Whether there was anything.
    pub found: bool,
    /// What is left of it outside the vault.
    pub remains: Remains,
}

/// What may be left of a forgotten secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// The table's backups hold its sealed row until they end. To open it needs the vault's key as well.
    SealedInBackups,
}

/// Why the vault did not do it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Somebody rotated or forgot it since that generation; nothing was changed. Reading it again tells what stands.
    #[error("somebody else has rotated or forgotten this secret meanwhile")]
    Overtaken,
    /// A limit is broken; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The vault was asked too often; nothing was changed.
    #[error("the vault was asked too often")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// The vault does not answer; nothing was changed.
    #[error("the vault does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The answer was lost: it may have been done. Repeating the same call is safe.
    #[error("the vault's answer was lost")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
    /// The vault's key is switched off, gone, or not ours to use: somebody has to repair that.
    #[error("the vault is locked: its key is disabled, deleted or not allowed to be used")]
    Locked(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored is not what was stored there: changed, moved from elsewhere, or its value taken away.
    #[error("a stored secret cannot be opened")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let told = |kind, public: &str| Self::new(kind, public);
        match error {
            VaultError::Overtaken => {
                told(FailureKind::Conflict, "This was changed meanwhile. Please try again.")
            }
            VaultError::Throttled(_) => told(FailureKind::Throttled, "The vault is busy now."),
            VaultError::Unavailable(_) => {
                told(FailureKind::Unavailable, "The vault does not answer now.")
            }
            VaultError::Unknown(_) => told(
                FailureKind::Unavailable,
                "The vault's answer was lost; repeating the request is safe.",
            ),
            VaultError::Refused(_) | VaultError::Locked(_) | VaultError::Corrupt(_) => {
                return Self::bug(error);
            }
        }
        .caused_by(error)
    }
}

/// The vault. See the module's text for the contract.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secret of this name, if there is one.
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError>;

    /// Writes the value that follows a generation; `None` is for a name under which nothing stands.
    async fn rotate(
        &self,
        name: &SecretName,
        follows: Option<Generation>,
        value: &Secret<String>,
    ) -> Result<Generation, VaultError>;

    /// Removes the secret, every earlier writing of it and whatever unfinished rotations left. Only `Ok` says that
    /// all of it is gone; after an error, forget it again.
    async fn forget(&self, name: &SecretName) -> Result<Forgotten, VaultError>;

    /// Removes what unfinished rotations have left under a product's names that nobody touched since, once nobody can
    /// still be about to finish them. For a sweep; how many were removed.
    async fn remove_strays(&self, of: Product) -> Result<u64, VaultError>;
}

/// Checks the limits of a value; every adapter calls it first.
///
/// # Errors
/// `VaultError::Refused`, naming the limit and never the value.
pub fn check_value(value: &Secret<String>) -> Result<(), VaultError> {
    let bytes = value.reveal().len();
    if (1..=MAX_SECRET_BYTES).contains(&bytes) {
        return Ok(());
    }
    Err(VaultError::Refused(format!(
        "a secret has 1 to {MAX_SECRET_BYTES} bytes, this one {bytes}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let tenant = nexus_kernel::id::TenantId::derived(&["a"]);
        Scope::new(Product::Engine, tenant.into())
    }

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        let name = SecretName::of(&scope(), "tiktok-acct_1").unwrap();
        assert_eq!(name.path(), format!("engine/{}/tiktok-acct_1", scope().owner()));
        assert_eq!(key_at(&name.path()), Some(name.key()));
        let house = SecretName::of_house(Product::Flux, "openai").unwrap();
        assert_eq!(house.path(), "flux/house/openai");
        assert_eq!(key_at("flux/house/openai/x"), None);
        for wrong in ["", "a/b", "A", "ä", "a b", "ada@example.org", &"x".repeat(101)] {
            assert_eq!(SecretName::of(&scope(), wrong), Err(BadSecretName), "{wrong}");
        }
    }

    #[test]
    fn a_generation_reads_back_and_fits_a_version() {
        let clock = nexus_kernel::ambient::ManualClock::at(Timestamp::UNIX_EPOCH);
        let chance = nexus_kernel::Ambient::seeded(std::sync::Arc::new(clock), 1).chance;
        for _ in 0..100 {
            let drawn = Generation::draw(&*chance);
            assert!(i64::try_from(drawn.number()).is_ok());
            let text = serde_json::to_string(&drawn).unwrap();
            assert_eq!(text.len(), 18);
            assert_eq!(serde_json::from_str::<Generation>(&text).unwrap(), drawn);
        }
    }

    #[test]
    fn n40_a_refusal_does_not_tell_the_value() {
        let long = Secret::new("canary".repeat(1_000));
        let told = format!("{:?}", check_value(&long).unwrap_err());
        assert!(told.contains("6000") && !told.contains("canary"), "{told}");
        let held = Held { value: long, generation: Generation::stored(1) };
        assert!(!format!("{held:?}").contains("canary"));
    }
}
