//! The day's salt: under it a source is a word that nobody can follow into the next day, and the moment at which a
//! form was opened cannot be made up.
//!
//! The salts of today and yesterday are one secret of the house in the vault, so that every process knows the same and
//! the rotation that begins a day destroys the salt of the day before yesterday: with it goes the only way from what a
//! backup of the table may still hold to an address. Yesterday's serves forms that were opened before midnight.
//!
//! **Never here:** keeping an address, or anything that was made of one.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_core::Product;
use nexus_core::vault::{Freshness, Generation, SecretName, Vault, VaultError};
use nexus_kernel::{Ambient, ClientIp, Failure, Secret, Timestamp};
use sha2::Sha256;

/// The shortest time that somebody takes to fill in a form.
pub const MIN_OPEN: SignedDuration = SignedDuration::from_secs(3);
/// The longest time for which a form can be sent.
pub const MAX_OPEN: SignedDuration = SignedDuration::from_hours(12);

/// The secret's word in the vault.
const WORD: &str = "inquiry-salts";
/// How many bytes of a digest stand in a form.
const STAMP_BYTES: usize = 16;
/// How many bytes of a digest tell one source from another.
const MARK_BYTES: usize = 12;
/// How often a new day is begun, where others begin it too.
const TRIES: u32 = 4;

/// A source, told by a keyed digest: the same all day, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMark(String);

impl SourceMark {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How long a form was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// As long as a person takes.
    Enough,
    /// Less than [`MIN_OPEN`].
    TooShort,
    /// More than [`MAX_OPEN`], or it is no form of this page.
    TooLong,
}

type Salt = Secret<[u8; 32]>;

/// The salts of two days, the newer first.
#[derive(Clone)]
struct Days(Vec<(Date, Salt)>);

/// Whoever has the salts.
pub struct Salts {
    vault: Arc<dyn Vault>,
    ambient: Ambient,
    known: Mutex<Option<Days>>,
}

impl Salts {
    /// The salts of this vault.
    pub fn new(vault: Arc<dyn Vault>, ambient: Ambient) -> Self {
        Self { vault, ambient, known: Mutex::new(None) }
    }

    /// What a form of this page says that is opened now.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn stamp(&self, page: &str) -> Result<String, Failure> {
        let now = self.ambient.now();
        let salt = self.of(day(now)).await?.ok_or_else(no_salt)?;
        let millis = now.as_millisecond();
        let mac = opened(&salt, page, millis)?.finalize().into_bytes();
        Ok(format!("{millis}.{}", hex::encode(mac.get(..STAMP_BYTES).unwrap_or_default())))
    }

    /// How long the form was open that says this.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn waited(&self, page: &str, stamp: &str) -> Result<Waited, Failure> {
        let read = stamp.split_once('.').and_then(|(millis, mac)| {
            let mut bytes = [0; STAMP_BYTES];
            hex::decode_to_slice(mac, &mut bytes).ok()?;
            let millis = millis.parse().ok()?;
            Some((millis, Timestamp::from_millisecond(millis).ok()?, bytes))
        });
        let Some((millis, since, mac)) = read else { return Ok(Waited::TooLong) };
        let open = self.ambient.now().duration_since(since);
        // No vault is asked about a moment that could not be right; clocks of two machines may differ a little.
        if !(-MIN_OPEN..=MAX_OPEN).contains(&open) {
            return Ok(Waited::TooLong);
        }
        let Some(salt) = self.of(day(since)).await? else { return Ok(Waited::TooLong) };
        if opened(&salt, page, millis)?.verify_truncated_left(&mac).is_err() {
            return Ok(Waited::TooLong);
        }
        Ok(if open < MIN_OPEN { Waited::TooShort } else { Waited::Enough })
    }

    /// The source that an address is; all that come without one are one source.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn source(&self, address: Option<ClientIp>) -> Result<SourceMark, Failure> {
        let salt = self.of(day(self.ambient.now())).await?.ok_or_else(no_salt)?;
        let mut mac = keyed(&salt)?;
        mac.update(b"source");
        match address.map(|address| address.reveal().to_canonical()) {
            None => mac.update(b"none"),
            Some(IpAddr::V4(four)) => mac.update(&four.octets()),
            Some(IpAddr::V6(six)) => mac.update(&network(six)),
        }
        let digest = mac.finalize().into_bytes();
        Ok(SourceMark(hex::encode(digest.get(..MARK_BYTES).unwrap_or_default())))
    }

    /// The salt of a day; `None` of one that is over. The first who asks on a day makes it.
    async fn of(&self, day: Date) -> Result<Option<Salt>, Failure> {
        if let Some(found) = self.known().as_ref().and_then(|days| days.find(day)) {
            return Ok(found);
        }
        let mut how = Freshness::Cached;
        for _ in 0..TRIES {
            let (days, follows) = read(&*self.vault, how).await?;
            if let Some(found) = days.find(day) {
                *self.known() = Some(days);
                return Ok(found);
            }
            let mut fresh = [0; 32];
            self.ambient.chance.fill(&mut fresh);
            let next = days.followed_by(day, Secret::new(fresh));
            match self.vault.rotate(&name()?, follows, &next.written()).await {
                Ok(_) => {
                    let made = next.find(day).flatten();
                    *self.known() = Some(next);
                    return Ok(made);
                }
                // Somebody else began the day: theirs is the salt.
                Err(VaultError::Overtaken) => how = Freshness::Fresh,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::unavailable("The vault is busy now."))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Days>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Destroys the salts where nobody began a day since the day before yesterday: for whoever comes by on a schedule.
/// Whether there were such salts.
///
/// # Errors
/// The vault does not answer.
pub async fn retire(vault: &dyn Vault, now: Timestamp) -> Result<bool, Failure> {
    let (days, _) = read(vault, Freshness::Fresh).await?;
    let Some((newest, _)) = days.0.first() else { return Ok(false) };
    if day(now).yesterday().is_ok_and(|yesterday| *newest < yesterday) {
        return Ok(vault.forget(&name()?).await?.found);
    }
    Ok(false)
}

async fn read(vault: &dyn Vault, how: Freshness) -> Result<(Days, Option<Generation>), Failure> {
    let held = vault.read(&name()?, how).await?;
    let days =
        held.as_ref().map(|held| Days::read(&held.value)).unwrap_or_else(|| Days(Vec::new()));
    Ok((days, held.map(|held| held.generation)))
}

fn name() -> Result<SecretName, Failure> {
    Ok(SecretName::of_house(Product::Engine, WORD)?)
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn no_salt() -> Failure {
    Failure::bug("another process lives in a later day than this one")
}

fn keyed(salt: &Salt) -> Result<Hmac<Sha256>, Failure> {
    Hmac::<Sha256>::new_from_slice(salt.reveal()).map_err(Failure::bug)
}

fn opened(salt: &Salt, page: &str, millis: i64) -> Result<Hmac<Sha256>, Failure> {
    let mut mac = keyed(salt)?;
    mac.update(b"opened");
    mac.update(page.as_bytes());
    mac.update(&millis.to_be_bytes());
    Ok(mac)
}

/// The network that one household or one server has: 64 bits of the address.
fn network(six: Ipv6Addr) -> [u8; 8] {
    let mut head = [0; 8];
    head.copy_from_slice(six.octets().first_chunk::<8>().unwrap_or(&[0; 8]));
    head
}

impl Days {
    /// A day's salt; `Some(None)` of a day before them, `None` of one that has not begun.
    fn find(&self, day: Date) -> Option<Option<Salt>> {
        let (newest, _) = self.0.first()?;
        if day > *newest {
            return None;
        }
        Some(self.0.iter().find(|(of, _)| *of == day).map(|(_, salt)| salt.clone()))
    }

    /// With a new day before them; what is older than a day before it is dropped.
    fn followed_by(&self, day: Date, salt: Salt) -> Self {
        let before = self.0.iter().filter(|(of, _)| day.yesterday().is_ok_and(|y| *of == y));
        Self(std::iter::once((day, salt)).chain(before.cloned()).collect())
    }

    /// A line a day.
    fn written(&self) -> Secret<String> {
        let line = |(day, salt): &(Date, Salt)| format!("{day} {}\n", hex::encode(salt.reveal()));
        Secret::new(self.0.iter().map(line).collect())
    }

    /// What cannot be read is left out: the day begins anew.
    fn read(written: &Secret<String>) -> Self {
        let line = |line: &str| {
            let (day, salt) = line.split_once(' ')?;
            let mut bytes = [0; 32];
            hex::decode_to_slice(salt, &mut bytes).ok()?;
            Some((day.parse().ok()?, Secret::new(bytes)))
        };
        Self(written.reveal().lines().filter_map(line).collect())
    }
}
