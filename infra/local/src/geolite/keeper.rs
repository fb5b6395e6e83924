//! Renews the database while a host runs, and destroys it when it grew too old.
//!
//! It is no function: on AWS the database is a layer, which no function can put in its own place
//! (`infra/layers/geolite`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use nexus_core::Vault;
use nexus_geo::{Installed, Status};
use nexus_kernel::{Ambient, Timestamp};
use nexus_outbound::Transport;

use super::{GeoError, Source, account, destroy, file, install};

/// How old the database gets before a new one is asked for: MaxMind publishes on Tuesdays and Fridays.
const RENEW_AFTER: SignedDuration = SignedDuration::from_hours(4 * 24);
/// How long after a download that failed, or brought nothing newer, the next is tried.
const TRY_EVERY: SignedDuration = SignedDuration::from_hours(12);

/// Keeps the database of a data directory.
pub struct Keeper {
    /// The folder in which it stands.
    pub folder: PathBuf,
    /// Where the account at MaxMind is kept, if there is one.
    pub vault: Arc<dyn Vault>,
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// Where MaxMind is.
    pub base: String,
    /// Time.
    pub ambient: Ambient,
    /// When a download was tried last.
    pub tried: Mutex<Option<Timestamp>>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: there is no database and no account, it is new enough, or a download was tried not long ago.
    Nothing,
    /// A new one was installed, of that day.
    Renewed(jiff::civil::Date),
    /// One that was too old was deleted.
    Destroyed,
}

impl Keeper {
    /// Does what is due.
    ///
    /// # Errors
    /// A download or an installation failed; what was there still is, unless it was too old.
    pub async fn keep(&self) -> Result<Kept, GeoError> {
        let now = self.ambient.now();
        let clock = Arc::clone(&self.ambient.clock);
        let status = Installed::at(&file(&self.folder), clock).status();
        let mut done = Kept::Nothing;
        if let Status::Stale(_) = status {
            destroy(&self.folder)?;
            tracing::warn!("the geographic database was older than 30 days and is deleted");
            done = Kept::Destroyed;
        }
        if is_new_enough(&status, now) || !self.may_try(now) {
            return Ok(done);
        }
        let account = match account(&*self.vault).await {
            Ok(Some(account)) => account,
            Ok(None) => return Ok(done),
            Err(error) => {
                tracing::warn!(%error, "the vault does not say by what MaxMind knows this house");
                return Ok(done);
            }
        };
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let source = Source { transport: &*self.transport, base: &self.base };
        let bytes = source.latest(&account, now).await?;
        let folder = self.folder.clone();
        // Some seconds of work: the whole of it is walked through.
        let installed = tokio::task::spawn_blocking(move || install(&folder, &bytes, now)).await;
        match installed {
            Ok(day) => Ok(Kept::Renewed(day?)),
            Err(error) => {
                tracing::error!(%error, "an installation ended halfway; nothing was changed");
                Ok(done)
            }
        }
    }

    fn may_try(&self, now: Timestamp) -> bool {
        let tried = *self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.is_none_or(|tried| now.duration_since(tried) >= TRY_EVERY)
    }
}

fn is_new_enough(status: &Status, now: Timestamp) -> bool {
    let Status::Used(day) = status else { return false };
    let Ok(built) = day.to_zoned(jiff::tz::TimeZone::UTC) else { return false };
    now.duration_since(built.timestamp()) < RENEW_AFTER
}
