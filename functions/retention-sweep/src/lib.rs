//! Removes what we promised not to keep, and leaves a receipt.
//!
//! Runs every hour, takes no input, lists and acts apart, page by page, and may be run twice: the second run
//! finds nothing. What an index lists is read again before it is removed.
//!
//! A run may end before everything is done. So what comes in floods is swept last, and each hour's run begins with
//! another shard: whatever one of them holds, the others have their turn.
//!
//! **Never here:** deciding *how long* to keep a thing: that is `nexus_core::retention`.

mod day_salts;
mod receipt;

use std::sync::Arc;
use std::time::Duration;

use nexus_core::directory::OutsideKind;
use nexus_core::retention::{ABANDONED_AFTER, RecordKind, UNNAMED_BLOB_AGE};
use nexus_core::sweep::DueKind;
use nexus_core::table::{CommitError, MAX_OPS, Page};
use nexus_core::{
    BlobKey, Blobs, Condition, Directory, Item, Key, Op, Product, Scope, Sweep, Table, Vault,
    records,
};
use nexus_engine::EnginePlatform;
use nexus_engine::blob_names::{BlobName, blob_name_key};
use nexus_engine::day_salts::Use;
use nexus_engine::media::Media;
use nexus_engine::platform::{Access, Area};
use nexus_engine::removal::{self, Removal};
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Timestamp};

pub use receipt::{Receipt, Tally};

/// How many rows or blobs are read at once.
const PAGE: u32 = 200;
/// What remains of the time for the receipt.
const MARGIN: Duration = Duration::from_secs(5);

/// What sweeping needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    vault: Arc<dyn Vault>,
}

/// The function.
pub struct RetentionSweep(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for RetentionSweep {
    type Deps = Deps;

    fn wire(platform: &P, _env: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&Area::ALL.map(|area| (area, Access::Write))),
            vault: platform.vault(Access::Write),
        })
    }
}

impl Function for RetentionSweep {
    const NAME: &'static str = "retention-sweep";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = Receipt;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Receipt, Failure> {
        let sweep = Sweep::begin(Product::Engine);
        let mut receipt = Receipt::begin(at.now);
        let swept = self.everything(sweep, &at, &mut receipt).await;
        receipt.complete &= swept.is_ok();
        receipt.finished = self.0.ambient.now();
        let row = receipt.row(sweep, &*self.0.ambient.ids);
        self.0.table.commit(vec![Op::Put { item: row, when: Condition::Absent }], None).await?;
        // What was removed before a store failed has its receipt too.
        swept.map(|()| receipt)
    }
}

/// When the time of a listed row was over: its place in the index says so, of what removals left too, which has no
/// expiry.
fn over_since(listed: &Item) -> Option<Timestamp> {
    let (moment, _) = listed.due.as_ref()?.sort.split_once('#')?;
    Timestamp::from_millisecond(moment.parse().ok()?).ok()
}

/// Whether the time of a row is over and nothing but the row itself has to go.
fn goes_with_others(row: &Item, now: Timestamp) -> bool {
    !row.is_live(now) && row.kind != RecordKind::Media
}

fn deletion(row: &Item) -> Op {
    Op::Delete { key: row.key.clone(), when: Condition::Version(row.version) }
}

/// What became of one thing.
enum Fate {
    Removed,
    AlreadyGone,
    StillWanted,
}

impl RetentionSweep {
    async fn everything(
        &self,
        sweep: Sweep,
        at: &Invocation,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        // First: they are few, and what they promise ends with the day.
        for of in Use::ALL {
            self.day_salts(of, sweep, at, receipt).await?;
        }
        self.rows(DueKind::Expiry, sweep, at, receipt).await?;
        let strays = self.0.vault.remove_strays(Product::Engine).await;
        receipt.strays.count_removed(strays.map_err(Failure::from), at.now);
        for area in Area::ALL {
            self.unnamed_blobs(sweep, area, at, receipt).await?;
        }
        self.rows(DueKind::Fleeting, sweep, at, receipt).await
    }

    /// Rows whose time is over, and what removals left.
    async fn rows(
        &self,
        kind: DueKind,
        sweep: Sweep,
        at: &Invocation,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        let first = at.now.as_second().div_euclid(3_600).rem_euclid(i64::from(kind.shards()));
        let first = u32::try_from(first).unwrap_or(0);
        for shard in (first..kind.shards()).chain(0..first) {
            let query = kind.query(shard, at.now);
            let mut page = Page::first(PAGE);
            loop {
                let slice = self.0.table.query(&query, &page).await?;
                let keys: Vec<Key> = slice.items.iter().map(|listed| listed.key.clone()).collect();
                // The index may be late: only the rows themselves tell whether their time is over.
                let rows = self.0.table.get_many(&keys).await?;
                let since = slice.items.iter().map(|listed| over_since(listed).unwrap_or(at.now));
                let (together, alone): (Vec<_>, Vec<_>) = since.zip(rows).partition(|(_, row)| {
                    row.as_ref().is_some_and(|row| goes_with_others(row, at.now))
                });
                for (since, row) in alone {
                    if at.time_left() < MARGIN {
                        receipt.complete = false;
                        return Ok(());
                    }
                    receipt.table.count(self.row(sweep, row, at.now).await, since);
                }
                for some in together.chunks(MAX_OPS) {
                    if at.time_left() < MARGIN {
                        receipt.complete = false;
                        return Ok(());
                    }
                    self.many(sweep, some, at, receipt).await;
                }
                match slice.next {
                    Some(next) => page = Page::after(PAGE, Some(next)),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Deletes rows that are no more than rows in one commit. Where one was written anew since it was read, or a late index
    /// lists one twice, each goes by itself.
    async fn many(
        &self,
        sweep: Sweep,
        rows: &[(Timestamp, Option<Item>)],
        at: &Invocation,
        receipt: &mut Receipt,
    ) {
        let ops = rows.iter().filter_map(|(_, row)| row.as_ref().map(deletion)).collect();
        match self.0.table.commit(ops, None).await {
            Err(CommitError::Conditions(_) | CommitError::Contended | CommitError::Refused(_)) => {
                for (since, row) in rows {
                    receipt.table.count(self.row(sweep, row.clone(), at.now).await, *since);
                }
            }
            outcome => {
                let since = rows.iter().map(|(since, _)| *since);
                receipt.table.count_many(outcome.map_err(Failure::from), since);
            }
        }
    }

    async fn row(&self, sweep: Sweep, row: Option<Item>, now: Timestamp) -> Result<Fate, Failure> {
        let Some(item) = row else { return Ok(Fate::AlreadyGone) };
        let scope = sweep.scope_of(&item.key);
        if let (RecordKind::Removal, Some(scope)) = (item.kind, scope) {
            let removal = records::read::<Removal>(&item)?.record;
            removal::finish(&*self.0.table, &*self.0.blobs, &scope, &removal).await?;
            return Ok(Fate::Removed);
        }
        if item.is_live(now) {
            return Ok(Fate::StillWanted);
        }
        let mut ops = vec![deletion(&item)];
        let mut upload = None;
        if item.kind == RecordKind::Media {
            let media = records::read::<Media>(&item)?.record;
            ops.push(
                Directory::of(Product::Engine).release(OutsideKind::Upload, media.upload.as_str()),
            );
            upload = Some((media.upload, media.begun));
        }
        match self.0.table.commit(ops, None).await {
            Ok(()) => {
                // Only now: whoever takes the upload up meanwhile keeps its row and its bytes. What a crash leaves
                // here is a blob that no row names.
                if let Some((upload, begun)) = upload {
                    // Its parts first, so that nothing is joined behind the deletion.
                    if let Some(begun) = begun {
                        self.0.blobs.drop_parts(&upload, &begun.id).await?;
                    }
                    self.0.blobs.delete(&upload).await?;
                }
                Ok(Fate::Removed)
            }
            // It was written anew since it was read.
            Err(CommitError::Conditions(_)) => Ok(Fate::StillWanted),
            Err(error) => Err(error.into()),
        }
    }

    /// Blobs that no row names: left over from a step that never committed, or from a record that is gone.
    async fn unnamed_blobs(
        &self,
        sweep: Sweep,
        area: Area,
        at: &Invocation,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        let age = match area {
            Area::In => ABANDONED_AFTER,
            Area::Media | Area::Made => UNNAMED_BLOB_AGE,
        };
        let before = at.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let prefix = format!("{}/", area.name());
        let mut page = Page::first(PAGE);
        loop {
            let slice = self.0.blobs.list(&prefix, &page).await?;
            for blob in slice.blobs.iter().filter(|b| b.modified <= before) {
                if at.time_left() < MARGIN {
                    receipt.complete = false;
                    return Ok(());
                }
                let named = match sweep.scope_of_blob(&blob.key) {
                    Some(scope) if area != Area::In => {
                        self.is_named(&scope, &blob.key, at.now).await
                    }
                    _ => Ok(false),
                };
                let fate = match named {
                    Ok(true) => continue,
                    Ok(false) => match self.0.blobs.delete(&blob.key).await {
                        Ok(true) => Ok(Fate::Removed),
                        Ok(false) => Ok(Fate::AlreadyGone),
                        Err(error) => Err(error.into()),
                    },
                    Err(error) => Err(error),
                };
                receipt.blobs.count(fate, blob.modified.saturating_add(age).unwrap_or(at.now));
            }
            match slice.next {
                Some(next) => page = Page::after(PAGE, Some(next)),
                None => return Ok(()),
            }
        }
    }

    async fn is_named(
        &self,
        scope: &Scope,
        blob: &BlobKey,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        Ok(records::load::<BlobName>(&*self.0.table, &blob_name_key(scope, blob), now)
            .await?
            .is_some())
    }
}
