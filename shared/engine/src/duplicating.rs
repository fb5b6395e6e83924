//! A person makes another draft of the same.
//!
//! The copy has the words, voices, videos and footage of the other, and waits for approval; posts, purchases and
//! reviewers' words stay with the other. Its files are its own, copied under its own name, so that an edit of one
//! takes nothing from the other. Both are of one medium, which lists its copies: whoever removes the medium removes
//! everything that came from it (N53).

use nexus_core::{BlobKey, Blobs, Scope, records};
use nexus_kernel::{Failure, Timestamp};

use crate::blob_names;
use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, Stage, draft_key};
use crate::media::{Media, NamedBlob, media_key};
use crate::platform::Area;

/// The most copies of drafts of one medium.
pub const MOST_COPIES: usize = 50;

/// Makes a draft with the same words and films, which waits for approval. Each call makes another.
///
/// # Errors
/// There is no such draft, or a step of the line is at it; its medium has [`MOST_COPIES`] copies; a file of it is
/// gone; a store does not answer.
pub async fn duplicate(desk: &Desk<'_>, blobs: &dyn Blobs, id: DraftId) -> Result<Draft, Failure> {
    let Desk { table, scope, ambient, .. } = *desk;
    let copy = DraftId::draw(&*ambient.ids);
    for _ in 0..TRIES {
        let now = desk.now();
        // An answer that was lost: this very copy stands.
        if let Some(made) = records::load::<Draft>(table, &draft_key(scope, copy), now).await? {
            return Ok(made.record);
        }
        let draft = records::load::<Draft>(table, &draft_key(scope, id), now).await?;
        let draft = draft.ok_or_else(|| Failure::not_found("draft"))?;
        let key = media_key(scope, draft.record.media);
        let media = records::load::<Media>(table, &key, now).await?;
        let mut media = media.ok_or_else(|| Failure::not_found("medium"))?;
        if draft.record.stage < Stage::AwaitingApproval {
            return Err(Failure::conflict(format!(
                "The draft is still `{}`: wait until it is `{}`.",
                draft.record.stage.name(),
                Stage::AwaitingApproval.name()
            )));
        }
        if media.record.copies.len() >= MOST_COPIES {
            return Err(Failure::conflict(format!(
                "There are {MOST_COPIES} copies of it: more cannot be made of one picture."
            )));
        }
        let (made, copied) = copy_of(scope, &draft.record, copy, now);
        for (from, to) in &copied {
            let bytes = blobs.get(from).await?.ok_or_else(|| {
                Failure::conflict("A file of this draft is gone: edit it so that it is made anew.")
            })?;
            blobs.put(&to.key, bytes, &to.content_type).await?;
        }
        media.record.copies.push(copy);
        let mut ops = vec![
            // As it was when it was copied.
            draft.unchanged(scope),
            records::create(scope, &made),
            media.update(scope),
        ];
        ops.extend(copied.iter().map(|(_, to)| blob_names::name(scope, &to.key, &copy)));
        if desk.commit(ops).await? {
            return Ok(made);
        }
    }
    Err(Desk::crowded())
}

/// The copy, and which blob goes where for it. Edits count on from the other's, so that no file is ever made under a
/// name that the copied ones have.
fn copy_of(
    scope: &Scope,
    draft: &Draft,
    id: DraftId,
    now: Timestamp,
) -> (Draft, Vec<(BlobKey, NamedBlob)>) {
    let mut copy = Draft {
        id,
        created: now,
        stage: Stage::AwaitingApproval,
        purchases: Vec::new(),
        posts: Vec::new(),
        ..draft.clone()
    };
    copy.notes.retain(|note| note.code != "rejected");
    copy.note("copied", format!("This is a copy of {}.", draft.id));
    let mut copied = Vec::new();
    let tracks = copy.narrations.values_mut().map(|narration| &mut narration.track);
    let films = copy.films.values_mut().flat_map(|film| [&mut film.video, &mut film.poster]);
    let footage = copy.footage.iter_mut().map(|footage| &mut footage.video);
    for blob in tracks.chain(films).chain(footage) {
        let from = blob.key.clone();
        // `made/{owner}/{draft}/{rest}`: the rest stays.
        let rest = from.as_str().splitn(4, '/').nth(3).map(str::to_owned);
        let rest = rest.unwrap_or_else(|| blob.digest.to_hex());
        blob.key = scope.blob(Area::Made.name(), &format!("{id}/{rest}"));
        copied.push((from, blob.clone()));
    }
    (copy, copied)
}
