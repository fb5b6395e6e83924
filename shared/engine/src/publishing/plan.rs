//! What exactly is sent: the plan that an approval names by its digest.

use jiff::SignedDuration;
use nexus_core::approval::{self, Approver};
use nexus_core::effect::{self, Effect, EffectId, Payload};
use nexus_core::{BlobKey, Op, Scope, Stored, Table, records};
use nexus_kernel::{Digest, Failure, Language, Timestamp};
use serde::{Deserialize, Serialize};

use super::Network;
use crate::account::Settings;
use crate::desk::Desk;
use crate::draft::{Draft, DraftId, Stage};

/// How long after its time a post may still be sent.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// The video of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMedia {
    /// Where it stands.
    pub blob: BlobKey,
    /// SHA-256 of its content: other bytes are not what was approved.
    pub digest: Digest,
    /// MIME type.
    pub content_type: String,
}

/// One post: a text and a video, to one account, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostPlan {
    /// The draft it comes from.
    pub draft: DraftId,
    /// The draft's edit that was approved.
    pub revision: u32,
    /// Its language.
    pub language: Language,
    /// Where it goes.
    pub network: Network,
    /// To which account there.
    pub account: String,
    /// The text, to the letter.
    pub text: String,
    /// The video, where there is one.
    pub media: Option<PlannedMedia>,
    /// When.
    pub send_at: Timestamp,
}

impl PostPlan {
    /// The digest of what a person sees of it: everything but the time.
    fn content_digest(&self) -> Digest {
        let media = self.media.as_ref().map_or_else(String::new, |m| m.digest.to_hex());
        let (draft, revision) = (self.draft.to_string(), self.revision.to_string());
        Digest::of_parts(
            [
                draft.as_str(),
                &revision,
                self.language.code(),
                self.network.name(),
                &self.account,
                &self.text,
                &media,
            ]
            .map(str::as_bytes),
        )
    }
}

impl Payload for PostPlan {
    const SORT: &'static str = "post";

    fn digest(&self) -> Digest {
        let at = self.send_at.to_string();
        Digest::of_parts([self.content_digest().as_bytes().as_slice(), at.as_bytes()])
    }

    fn due_at(&self) -> Timestamp {
        self.send_at
    }

    fn grace() -> SignedDuration {
        GRACE
    }
}

/// What an approver is shown: every post that a draft would become, and one digest over all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The posts, their time still open.
    pub posts: Vec<PostPlan>,
    /// What an approval has to name.
    pub digest: Digest,
}

/// Every post that a draft would become: one for each language that has words, on each network of the tenant.
pub fn propose(draft: &Draft, settings: &Settings) -> Proposal {
    let mut posts = Vec::new();
    for (language, words) in &draft.words {
        if !settings.languages.contains(language) {
            continue;
        }
        for network in &settings.networks {
            let film = draft.films.get(language);
            posts.push(PostPlan {
                draft: draft.id,
                revision: draft.revision,
                language: *language,
                network: *network,
                account: network.name().to_owned(),
                text: words.copy.post_text(*network),
                media: film.map(|f| PlannedMedia {
                    blob: f.video.key.clone(),
                    digest: f.video.digest,
                    content_type: f.video.content_type.clone(),
                }),
                send_at: Timestamp::UNIX_EPOCH,
            });
        }
    }
    let digests: Vec<Digest> = posts.iter().map(PostPlan::content_digest).collect();
    let digest = Digest::of_parts(digests.iter().map(|d| d.as_bytes().as_slice()));
    Proposal { posts, digest }
}

fn post_id(draft: &Draft, post: &PostPlan) -> EffectId {
    let (id, revision) = (draft.id.to_string(), draft.revision.to_string());
    EffectId::derived(&[
        "post",
        &id,
        &revision,
        post.network.name(),
        &post.account,
        post.language.code(),
    ])
}

/// Approves everything that a draft would become, at one time: the operations for one commit, and the posts.
/// Approving the same again finds the posts that stand and changes nothing.
///
/// # Errors
/// The draft is not what the approver saw, does not wait for approval, or the time has passed.
pub async fn approve_draft(
    desk: &Desk<'_>,
    mut draft: Stored<Draft>,
    settings: &Settings,
    approver: Approver<'_>,
    seen: Digest,
    at: Option<Timestamp>,
) -> Result<(Vec<Effect<PostPlan>>, Vec<Op>), Failure> {
    let (Desk { table, scope, .. }, now) = (*desk, desk.now());
    if draft.record.stage == Stage::Approved {
        let posts = load_posts(table, scope, &draft.record, now).await?;
        let same = propose(&draft.record, settings).digest == seen
            && at.is_none_or(|at| posts.iter().all(|p| p.record.payload().send_at == at));
        if same {
            return Ok((posts.into_iter().map(|p| p.record).collect(), Vec::new()));
        }
        return Err(Failure::conflict(
            "It was approved already, as something else. Edit it to begin anew.",
        ));
    }
    if draft.record.stage != Stage::AwaitingApproval {
        return Err(Failure::conflict(format!(
            "The draft is `{}`; it can be approved once it is `awaiting_approval`.",
            draft.record.stage.name()
        )));
    }
    let proposal = propose(&draft.record, settings);
    if proposal.digest != seen {
        return Err(Failure::conflict(
            "This is not what you saw: it was changed meanwhile. Look again, then approve.",
        ));
    }
    let mut effects = Vec::new();
    for post in proposal.posts {
        let post = PostPlan { send_at: at.unwrap_or(now), ..post };
        let digest = post.digest();
        let mut effect =
            Effect::proposed(post_id(&draft.record, &post), post, approver.subject(), now);
        approval::approve(&mut effect, approver, digest, now)?;
        effects.push(effect);
    }
    draft.record.stage = Stage::Approved;
    draft.record.posts = effects.iter().map(|e| e.id).collect();
    let mut ops: Vec<Op> = effects.iter().map(|e| records::create(scope, e)).collect();
    ops.push(draft.update(scope));
    Ok((effects, ops))
}

async fn load_posts(
    table: &dyn Table,
    scope: &Scope,
    draft: &Draft,
    now: Timestamp,
) -> Result<Vec<Stored<Effect<PostPlan>>>, Failure> {
    let mut posts = Vec::new();
    for id in &draft.posts {
        posts.extend(records::load(table, &effect::key(scope, *id), now).await?);
    }
    Ok(posts)
}

/// Calls off every approved post of a draft that has not been claimed: for an edit, a rejection or a removal.
/// The draft's own list of posts is emptied; the caller commits the operations together with its change.
///
/// # Errors
/// One of them is being sent, was sent, or may have been.
pub async fn withdraw(
    table: &dyn Table,
    scope: &Scope,
    draft: &mut Draft,
    by: &str,
    why: &str,
    now: Timestamp,
) -> Result<Vec<Op>, Failure> {
    let mut ops = Vec::new();
    for mut post in load_posts(table, scope, draft, now).await? {
        if !post.record.state().is_final() || post.record.state() == effect::State::Done {
            post.record.cancel(by, why, now)?;
            ops.push(post.update(scope));
        }
    }
    draft.posts.clear();
    Ok(ops)
}
