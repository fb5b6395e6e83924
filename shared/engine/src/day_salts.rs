//! Salts that belong to one UTC day: 32 random bytes in the vault, made by whoever needs them first, and destroyed
//! once their day is over ([`Use::over`]; `retention-sweep` does it). With a salt goes every way from what was keyed
//! with it back to where it came from, in backups too.
//!
//! **Never here:** a salt outside the vault and a process's memory; what is keyed with one.

use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_core::Product;
use nexus_core::vault::{Freshness, SecretName, Vault, VaultError};
use nexus_kernel::{Ambient, Failure, Secret, Timestamp};
use zeroize::Zeroizing;

use crate::days::day_of;

/// How many days a sweep forgets by name, whatever the vault tells of itself.
const DAYS_BACK: i64 = 3;
/// How long a salt is.
pub const SALT_BYTES: usize = 32;

/// A day's salt.
pub type DaySalt = Secret<[u8; SALT_BYTES]>;

/// What salts are for. No use knows another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Telling the visitors of a day apart.
    Visitors,
    /// Telling the sources of inquiries apart, and when a form was opened. Yesterday's serves forms that were opened
    /// before midnight.
    Inquiries,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Visitors, Self::Inquiries];

    /// What the names of its salts begin with; the day follows.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Visitors => "visitor-salt-",
            Self::Inquiries => "inquiry-salt-",
        }
    }

    /// How many days a salt serves beyond its own.
    const fn lingers(self) -> i64 {
        match self {
            Self::Visitors => 0,
            Self::Inquiries => 1,
        }
    }

    /// Under which name a day's salt stands.
    ///
    /// # Errors
    /// Never for a day of this era: ours to repair.
    pub fn name(self, day: Date) -> Result<SecretName, Failure> {
        Ok(SecretName::of_house(Product::Engine, format!("{}{day}", self.prefix()))?)
    }

    /// The last day whose salt is over.
    fn last_over(self, now: Timestamp) -> Option<Date> {
        day_of(now).checked_sub((self.lingers() + 1).days()).ok()
    }

    /// Whether the salt of that day serves no more.
    pub fn is_over(self, day: Date, now: Timestamp) -> bool {
        self.last_over(now).is_some_and(|last| day <= last)
    }

    /// The day whose salt stands under this word of the vault, where it is one of these and serves no more.
    pub fn over(self, word: &str, now: Timestamp) -> Option<Date> {
        let day = word.strip_prefix(self.prefix())?.parse().ok()?;
        self.is_over(day, now).then_some(day)
    }

    /// The last days whose salts are over.
    pub fn lately_over(self, now: Timestamp) -> impl Iterator<Item = Date> {
        let last = self.last_over(now);
        (0..DAYS_BACK).filter_map(move |back| last?.checked_sub(back.days()).ok())
    }

    /// Since when the salt of that day serves no more.
    pub fn over_since(self, day: Date) -> Option<Timestamp> {
        let next = day.checked_add((self.lingers() + 1).days()).ok()?;
        Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }
}

/// The salts of one use.
pub struct DaySalts {
    of: Use,
    vault: Arc<dyn Vault>,
    ambient: Ambient,
}

impl DaySalts {
    /// The salts of this use in this vault.
    pub fn new(of: Use, vault: Arc<dyn Vault>, ambient: Ambient) -> Self {
        Self { of, vault, ambient }
    }

    /// A day's salt, if anybody made it.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn read(&self, day: Date) -> Result<Option<DaySalt>, Failure> {
        self.asked(day, Freshness::Cached).await
    }

    /// A day's salt, made now where nobody made it. Of several who make one at once all get the same.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn read_or_make(&self, day: Date) -> Result<DaySalt, Failure> {
        if let Some(salt) = self.read(day).await? {
            return Ok(salt);
        }
        let drawn = self.drawn();
        let written = Secret::new(hex::encode(drawn.reveal()));
        match self.vault.rotate(&self.of.name(day)?, None, &written).await {
            Ok(_) => Ok(drawn),
            // Somebody was first, or it may have been this one: the vault tells.
            Err(VaultError::Overtaken | VaultError::Unknown(_)) => {
                let salt = self.asked(day, Freshness::Fresh).await?;
                salt.ok_or_else(|| Failure::unavailable("The day's salt cannot be read now."))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A salt that stands nowhere.
    pub fn drawn(&self) -> DaySalt {
        let mut bytes = Zeroizing::new([0; SALT_BYTES]);
        self.ambient.chance.fill(&mut *bytes);
        Secret::new(*bytes)
    }

    async fn asked(&self, day: Date, how: Freshness) -> Result<Option<DaySalt>, Failure> {
        let Some(held) = self.vault.read(&self.of.name(day)?, how).await? else {
            return Ok(None);
        };
        let mut bytes = Zeroizing::new([0; SALT_BYTES]);
        // What cannot be read is not told: the error would quote it.
        hex::decode_to_slice(held.value.reveal(), &mut *bytes)
            .map_err(|_| Failure::bug("a day's salt in the vault cannot be read"))?;
        Ok(Some(Secret::new(*bytes)))
    }
}
