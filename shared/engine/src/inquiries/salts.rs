//! The day's salt: under it a source, and a question, is a word that nobody can follow into the next day or find by trying
//! all that somebody could have written, and the moment at which a form was opened cannot be made up.
//!
//! The salts of today and yesterday serve ([`Use::Inquiries`]); when one is destroyed, the only way goes from what a
//! backup of the table may still hold to an address.
//!
//! **Never here:** keeping an address, or anything that was made of one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use jiff::civil::Date;
use nexus_core::vault::Vault;
use nexus_kernel::{Ambient, ClientIp, Failure, Timestamp};
use sha2::Sha256;

use super::asked::Question;
use super::page::Page;
use super::traces::SAME;
use crate::day_salts::{DaySalt, DaySalts, Use};
use crate::days::day_of;

/// The shortest time that somebody takes to fill in a form.
pub const MIN_OPEN: SignedDuration = SignedDuration::from_secs(3);
/// The longest time for which a form can be sent.
pub const MAX_OPEN: SignedDuration = SignedDuration::from_hours(12);

/// How many bytes of a digest stand in a form.
const STAMP_BYTES: usize = 16;
/// How many bytes of a digest tell one source from another.
const MARK_BYTES: usize = 12;

/// A source, told by a keyed digest: the same all day, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMark(String);

impl SourceMark {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A question, told by a keyed digest of whose page it was asked on, who asked and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionMark {
    /// Under today's salt.
    pub(super) today: String,
    /// Under yesterday's, as long as the same question may have been asked before midnight.
    pub(super) yesterday: Option<String>,
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

/// Whoever has the salts.
pub struct Salts {
    salts: DaySalts,
    ambient: Ambient,
    /// Of a day of which nobody made one, that.
    known: Mutex<BTreeMap<Date, Option<DaySalt>>>,
}

impl Salts {
    /// The salts of this vault.
    pub fn new(vault: Arc<dyn Vault>, ambient: Ambient) -> Self {
        let salts = DaySalts::new(Use::Inquiries, vault, ambient.clone());
        Self { salts, ambient, known: Mutex::new(BTreeMap::new()) }
    }

    /// What a form of this page says that is opened now.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn stamp(&self, page: &str) -> Result<String, Failure> {
        let now = self.ambient.now();
        let salt = self.today(now).await?;
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
        let Some(salt) = self.of(day_of(since)).await? else { return Ok(Waited::TooLong) };
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
        let salt = self.today(self.ambient.now()).await?;
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

    /// What a question on this page is known by when it is asked again.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn question(
        &self,
        page: &Page,
        question: &Question,
    ) -> Result<QuestionMark, Failure> {
        let now = self.ambient.now();
        let today = same(&self.today(now).await?, page, question)?;
        let an_hour_ago = day_of(now.saturating_sub(SAME).unwrap_or(now));
        let yesterday = match an_hour_ago < day_of(now) {
            true => self.of(an_hour_ago).await?,
            false => None,
        };
        let yesterday = yesterday.map(|salt| same(&salt, page, question)).transpose()?;
        Ok(QuestionMark { today, yesterday })
    }

    /// The present day's salt. The first who asks makes it.
    async fn today(&self, now: Timestamp) -> Result<DaySalt, Failure> {
        let day = day_of(now);
        if let Some(Some(salt)) = self.known(now).get(&day) {
            return Ok(salt.clone());
        }
        let salt = self.salts.read_or_make(day).await?;
        self.known(now).insert(day, Some(salt.clone()));
        Ok(salt)
    }

    /// The salt under which a form was opened; `None` where the day is over, or nobody opened one.
    async fn of(&self, day: Date) -> Result<Option<DaySalt>, Failure> {
        let now = self.ambient.now();
        if day == day_of(now) {
            return self.today(now).await.map(Some);
        }
        if Use::Inquiries.is_over(day, now) {
            return Ok(None);
        }
        if let Some(known) = self.known(now).get(&day) {
            return Ok(known.clone());
        }
        let salt = self.salts.read(day).await?;
        // A clock that is ahead may have begun tomorrow: that there is none yet is not kept.
        if day < day_of(now) || salt.is_some() {
            self.known(now).insert(day, salt.clone());
        }
        Ok(salt)
    }

    /// What is known, without what is over.
    fn known(&self, now: Timestamp) -> std::sync::MutexGuard<'_, BTreeMap<Date, Option<DaySalt>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|day, _| !Use::Inquiries.is_over(*day, now));
        known
    }
}

fn keyed(salt: &DaySalt) -> Result<Hmac<Sha256>, Failure> {
    Hmac::<Sha256>::new_from_slice(salt.reveal()).map_err(Failure::bug)
}

fn same(salt: &DaySalt, page: &Page, question: &Question) -> Result<String, Failure> {
    let mut mac = keyed(salt)?;
    mac.update(b"same");
    let (owner, product) = (page.scope.owner().to_string(), page.product.id.to_string());
    let (email, message) = (question.email.normal(), question.message.reveal());
    for part in [&owner, &product, email.reveal(), message] {
        // Where one part ends and the next begins shows.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Ok(hex::encode(mac.finalize().into_bytes()))
}

fn opened(salt: &DaySalt, page: &str, millis: i64) -> Result<Hmac<Sha256>, Failure> {
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
