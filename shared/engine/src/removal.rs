//! A person removes a medium, with all that came from it (N53).
//!
//! One commit deletes the rows (the medium, its draft, whose content it was, whose upload), calls off the posts that
//! were not sent, takes the blobs' names away and leaves a [`Removal`] that lists the blobs. Whoever comes first
//! deletes those: the request itself, or the sweep, which finds the removal in the index of what is due. A post that
//! was sent keeps its history; it holds no picture. Copies of the draft go first, a commit each.

use std::collections::BTreeSet;

use nexus_core::directory::OutsideKind;
use nexus_core::effect::{self, Effect, State};
use nexus_core::sweep::DueKind;
use nexus_core::table::IndexEntry;
use nexus_core::{
    BlobKey, Blobs, Condition, Directory, Key, Op, Record, RecordKind, Scope, Table, records,
};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::blob_names;
use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, draft_key};
use crate::footage::buying;
use crate::media::{ContentHash, Media, MediaId, MediaState, content_key, media_key};
use crate::publishing::PostPlan;
use crate::reviewing::reviews_key;

/// An upload in parts that nobody joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnjoinedUpload {
    /// Where it would have stood.
    pub key: BlobKey,
    /// Its name at the blob store.
    pub id: String,
}

/// Blobs that a removal left to be deleted. The row goes once they are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The medium that was removed; for a copy of its draft an id that follows from the copy's.
    pub media: MediaId,
    /// When.
    pub since: Timestamp,
    /// What is to be deleted.
    pub blobs: Vec<BlobKey>,
    /// The parts of its upload, where it came in parts and was not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unjoined: Option<UnjoinedUpload>,
}

impl Record for Removal {
    const KIND: RecordKind = RecordKind::Removal;

    fn key(&self, scope: &Scope) -> Key {
        scope.key("removal", self.media.to_string())
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let key = self.key(scope);
        let id = format!("{}#{}", key.pk(), key.sk());
        Some(DueKind::Expiry.entry(scope, &id, self.since))
    }
}

/// Removes a medium and all that came from it, then deletes what blobs it can; the rest is the sweep's.
///
/// # Errors
/// There is no such medium; one of its posts is being sent right now; the store does not answer.
pub async fn remove(desk: &Desk<'_>, blobs: &dyn Blobs, id: MediaId) -> Result<(), Failure> {
    for _ in 0..TRIES {
        while remove_a_copy(desk, blobs, id).await? {}
        let (removal, ops) = plan(desk, id).await?;
        if desk.commit(ops).await? {
            if let Err(error) = finish(desk.table, blobs, desk.scope, &removal).await {
                tracing::warn!(media = %id, %error, "blobs of a removed medium stay for the sweep");
            }
            return Ok(());
        }
    }
    Err(Desk::crowded())
}

/// Deletes the blobs that a removal left, then its row: for the request itself and for the sweep. How many there
/// still were.
///
/// # Errors
/// A store does not answer; the row stands, and doing it again goes on.
pub async fn finish(
    table: &dyn Table,
    blobs: &dyn Blobs,
    scope: &Scope,
    removal: &Removal,
) -> Result<u64, Failure> {
    // First, so that nothing is joined any more when the upload's own blob is deleted.
    if let Some(UnjoinedUpload { key, id }) = &removal.unjoined {
        blobs.drop_parts(key, id).await?;
    }
    let mut deleted = 0;
    for blob in &removal.blobs {
        deleted += u64::from(blobs.delete(blob).await?);
    }
    table
        .commit(vec![Op::Delete { key: removal.key(scope), when: Condition::Always }], None)
        .await?;
    Ok(deleted)
}

async fn plan(desk: &Desk<'_>, id: MediaId) -> Result<(Removal, Vec<Op>), Failure> {
    let Desk { table, scope, .. } = *desk;
    let now = desk.now();
    let media = records::load::<Media>(table, &media_key(scope, id), now).await?;
    let media = media.ok_or_else(|| Failure::not_found("medium"))?;
    if !media.record.copies.is_empty() {
        // One was made this very moment; no other can be once the medium is gone, whose version this conditions on.
        return Err(Desk::crowded());
    }
    let mut blobs: BTreeSet<BlobKey> = media.record.blobs().map(|b| b.key.clone()).collect();
    let upload = media.record.upload.as_str();
    let mut ops = vec![
        media.delete(scope),
        Directory::of(scope.product()).release(OutsideKind::Upload, upload),
    ];
    if let Some(content) = media.record.content {
        let hash = records::load::<ContentHash>(table, &content_key(scope, content), now).await?;
        ops.extend(hash.filter(|h| h.record.media == id).map(|h| h.delete(scope)));
    }
    if let Some(draft) = media.record.draft {
        ops.extend(draft_goes(desk, draft, &mut blobs, now).await?);
    }
    ops.extend(blobs.iter().map(|blob| blob_names::forget(scope, blob)));
    // The upload has no name: no row ever names it.
    let Media { upload: key, begun, state, .. } = media.record;
    blobs.insert(key.clone());
    let begun = begun.filter(|_| state == MediaState::AwaitingUpload);
    let unjoined = begun.map(|begun| UnjoinedUpload { key, id: begun.id });
    let removal = Removal { media: id, since: now, blobs: blobs.into_iter().collect(), unjoined };
    ops.push(records::write(scope, &removal));
    Ok((removal, ops))
}

/// The operations that remove a draft; its blobs are added to those that are to be deleted.
async fn draft_goes(
    desk: &Desk<'_>,
    id: DraftId,
    blobs: &mut BTreeSet<BlobKey>,
    now: Timestamp,
) -> Result<Vec<Op>, Failure> {
    let Desk { table, scope, .. } = *desk;
    let Some(draft) = records::load::<Draft>(table, &draft_key(scope, id), now).await? else {
        return Ok(Vec::new());
    };
    let mut ops = buying::withdraw(desk, &draft.record, "its medium was removed").await?;
    for post in &draft.record.posts {
        ops.extend(call_off(desk, effect::key(scope, *post), now).await?);
    }
    blobs.extend(draft.record.blobs().map(|b| b.key.clone()));
    ops.push(Op::Delete { key: reviews_key(scope, id), when: Condition::Always });
    ops.push(draft.delete(scope));
    Ok(ops)
}

/// Removes a copy of a medium's draft with all that is its own; false where there is none (any more).
async fn remove_a_copy(desk: &Desk<'_>, blobs: &dyn Blobs, id: MediaId) -> Result<bool, Failure> {
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let media = records::load::<Media>(table, &media_key(scope, id), now).await?;
        let Some(mut media) = media else { return Ok(false) };
        let Some(copy) = media.record.copies.pop() else { return Ok(false) };
        let mut own = BTreeSet::new();
        let mut ops = draft_goes(desk, copy, &mut own, now).await?;
        ops.extend(own.iter().map(|blob| blob_names::forget(scope, blob)));
        ops.push(media.update(scope));
        let media = MediaId::derived(&["copy", &copy.to_string()]);
        let (blobs_left, unjoined) = (own.into_iter().collect(), None);
        let removal = Removal { media, since: now, blobs: blobs_left, unjoined };
        ops.push(records::write(scope, &removal));
        if desk.commit(ops).await? {
            if let Err(error) = finish(table, blobs, scope, &removal).await {
                tracing::warn!(draft = %copy, %error, "blobs of a removed copy stay for the sweep");
            }
            return Ok(true);
        }
    }
    Err(Desk::crowded())
}

/// The operations that call a post off; none where its life is over, and none where only a person can tell whether it
/// is there: its question stays, and is answered without its medium.
async fn call_off(desk: &Desk<'_>, post: Key, now: Timestamp) -> Result<Vec<Op>, Failure> {
    let Some(mut post) = records::load::<Effect<PostPlan>>(desk.table, &post, now).await? else {
        return Ok(Vec::new());
    };
    match post.record.state() {
        state if state.is_final() || state == State::AskAPerson => Ok(Vec::new()),
        State::Sending | State::Unknown => Err(Failure::conflict(
            "A post of it is being sent right now. Try again in a few minutes.",
        )),
        _ => {
            post.record.cancel(desk.by, "its medium was removed", now)?;
            Ok(effect::written(desk.scope, &post))
        }
    }
}
