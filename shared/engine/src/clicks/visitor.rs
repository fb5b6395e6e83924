//! Tells the clicks of one visitor of a day from those of others, and nobody's of one day from anybody's of the next.
//!
//! A visitor is the first 8 bytes of an HMAC-SHA-256 over tenant, address and program, keyed with the day's salt
//! ([`Use::Visitors`]). When its UTC day is over the salt is destroyed, and with it every way from a visitor back to an
//! address, or to the same visitor of another day.
//!
//! **Never here:** an address beyond one call, a salt outside the vault and this process's memory.

use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::Date;
use nexus_core::Scope;
use nexus_core::vault::Vault;
use nexus_kernel::{Ambient, ClientIp, Failure, Timestamp};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::click::Visitor;
use crate::day_salts::{DaySalt, DaySalts, Use};
use crate::days::day_of;

/// The present day's salt, ready for use.
#[derive(Clone)]
pub struct Salt {
    day: Date,
    keyed: Hmac<Sha256>,
}

impl Salt {
    fn new(day: Date, salt: &DaySalt) -> Self {
        // HMAC fills a short key up to a block of its hash with zeros (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(salt.reveal().iter()).for_each(|(to, from)| *to = *from);
        Self { day, keyed: Hmac::new(&(*block).into()) }
    }

    /// Who it is, as far as this day goes; all whose address is not known count as one.
    pub fn visitor(&self, scope: &Scope, address: Option<ClientIp>, agent: &str) -> Visitor {
        let mut keyed = self.keyed.clone();
        keyed.update(scope.owner().to_string().as_bytes());
        keyed.update(&[0]);
        if let Some(address) = address {
            // One form for both versions, so that a mapped address is the one that it maps.
            let octets = match address.reveal().to_canonical() {
                std::net::IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
                std::net::IpAddr::V6(six) => six.octets(),
            };
            keyed.update(&octets);
        }
        keyed.update(&[0]);
        keyed.update(agent.as_bytes());
        let whole = keyed.finalize().into_bytes();
        let mut short = [0; 8];
        short.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        Visitor(short)
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[salt of {}]", self.day)
    }
}

/// The day's salt, kept in memory until its day ends.
pub struct Salts {
    salts: DaySalts,
    kept: Mutex<Option<Salt>>,
}

impl Salts {
    /// Salts from this vault.
    pub fn new(vault: Arc<dyn Vault>, ambient: Ambient) -> Self {
        Self { salts: DaySalts::new(Use::Visitors, vault, ambient), kept: Mutex::new(None) }
    }

    /// The salt of this moment's day: from memory, from the vault, or made now. Of several who make one at once all
    /// get the same.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn of(&self, now: Timestamp) -> Result<Salt, Failure> {
        let day = day_of(now);
        if let Some(kept) = self.kept(day) {
            return Ok(kept);
        }
        let salt = Salt::new(day, &self.salts.read_or_make(day).await?);
        self.keep(&salt);
        Ok(salt)
    }

    /// A salt of this process alone, for the rest of the day: for when the vault does not answer. It tells this
    /// process's visitors apart, counts one who meets two processes twice, and leads to nobody either.
    pub fn of_this_process(&self, now: Timestamp) -> Salt {
        let day = day_of(now);
        let drawn = self.salts.drawn();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref().filter(|salt| salt.day == day) {
            // Another answer had to draw one too, or got the vault's.
            Some(salt) => salt.clone(),
            None => kept.insert(Salt::new(day, &drawn)).clone(),
        }
    }

    /// The day's salt where it is in memory.
    pub fn kept(&self, day: Date) -> Option<Salt> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The moment that its day has ended it is gone from here too.
        if kept.as_ref().is_some_and(|salt| salt.day != day) {
            *kept = None;
        }
        kept.clone()
    }

    fn keep(&self, salt: &Salt) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(salt.clone());
    }
}
