//! What a sweep found and removed, for whoever has to show it.

use jiff::SignedDuration;
use nexus_core::retention::RECEIPT_AGE;
use nexus_core::sweep::moment;
use nexus_core::{Item, RecordKind, Sweep};
use nexus_kernel::{Failure, Ids, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Fate;

/// How long point-in-time recovery and object versions may still hold what was removed.
const BACKUP_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 35);

nexus_kernel::id!(
    /// A receipt.
    ReceiptId,
    "rcp_"
);

/// What happened in one store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Whose time was over.
    pub found: u64,
    /// Removed now.
    pub removed: u64,
    /// Gone before.
    pub already_gone: u64,
    /// Not removed this time; the next run tries again.
    pub failed: u64,
    /// When the time of the oldest that is left was over.
    pub oldest_left: Option<Timestamp>,
}

impl Tally {
    pub(crate) fn count(&mut self, fate: Result<Fate, Failure>, over_since: Timestamp) {
        match fate {
            Ok(Fate::StillWanted) => return,
            Ok(Fate::Removed) => self.removed += 1,
            Ok(Fate::AlreadyGone) => self.already_gone += 1,
            Err(failure) => {
                nexus_handler::outcome::log("retention-sweep", &failure);
                self.failed(over_since);
            }
        }
        self.found += 1;
    }

    /// Counts things that were removed together, or not.
    pub(crate) fn count_many(
        &mut self,
        outcome: Result<(), Failure>,
        over_since: impl ExactSizeIterator<Item = Timestamp>,
    ) {
        let many = over_since.len() as u64;
        self.found += many;
        match outcome {
            Ok(()) => self.removed += many,
            Err(failure) => {
                nexus_handler::outcome::log("retention-sweep", &failure);
                over_since.for_each(|since| self.failed(since));
            }
        }
    }

    /// Counts what somebody else has found and removed.
    pub(crate) fn count_removed(&mut self, removed: Result<u64, Failure>, now: Timestamp) {
        match removed {
            Ok(removed) => {
                self.found += removed;
                self.removed += removed;
            }
            Err(failure) => self.count(Err(failure), now),
        }
    }

    fn failed(&mut self, over_since: Timestamp) {
        self.failed += 1;
        self.oldest_left = Some(self.oldest_left.map_or(over_since, |o| o.min(over_since)));
    }
}

/// What a run found and removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Whether it came to the end of everything; if not, the next run goes on.
    pub complete: bool,
    /// Rows.
    pub table: Tally,
    /// Blobs.
    pub blobs: Tally,
    /// Salts of days that are over.
    #[serde(default)]
    pub salts: Tally,
    /// Values in the vault's safe that an unfinished rotation left.
    #[serde(default)]
    pub strays: Tally,
    /// Until when backups (point-in-time recovery, object versions) may still hold what was removed. On one
    /// machine there are none but those that its owner makes.
    pub backups_hold_until: Timestamp,
}

impl Receipt {
    pub(crate) fn begin(now: Timestamp) -> Self {
        Self {
            started: now,
            finished: now,
            complete: true,
            table: Tally::default(),
            blobs: Tally::default(),
            salts: Tally::default(),
            strays: Tally::default(),
            backups_hold_until: now.saturating_add(BACKUP_WINDOW).unwrap_or(Timestamp::MAX),
        }
    }

    /// The receipt as a row of the house.
    pub(crate) fn row(&self, sweep: Sweep, ids: &dyn Ids) -> Item {
        let sort = format!("{}#{}", moment(self.started), ReceiptId::draw(ids));
        let expires = self.started.saturating_add(RECEIPT_AGE).unwrap_or(Timestamp::MAX);
        let body = serde_json::to_string(self).unwrap_or_default();
        sweep.house_row(RecordKind::Receipt, "receipts", &sort, expires, body)
    }
}
