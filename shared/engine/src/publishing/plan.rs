//! What exactly is sent: the plan that an approval names by its digest.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use nexus_core::approval::{self, Approver};
use nexus_core::effect::{self, Effect, EffectId, Payload, State};
use nexus_core::{BlobKey, Op, Scope, Stored, Table, records};
use nexus_kernel::{Digest, Failure, Language, Timestamp};
use serde::{Deserialize, Serialize};

use super::link;
use super::{Ground, Network};
use crate::connections::{Connection, ConnectionId};
use crate::desk::Desk;
use crate::draft::{Draft, DraftId, Stage};
use crate::links::{self, LinkCode};

/// How long after its time a post may still be sent.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// What a post shows: a video, or a picture where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMedia {
    /// Where it stands.
    pub blob: BlobKey,
    /// SHA-256 of its content: other bytes are not what was approved.
    pub digest: Digest,
    /// MIME type.
    pub content_type: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Its length in milliseconds; 0 for a picture.
    #[serde(default)]
    pub duration_ms: u64,
    /// What is to be seen, in words, for who cannot see it.
    #[serde(default)]
    pub alt: Option<String>,
}

impl PlannedMedia {
    /// Whether it is a still picture.
    pub fn is_picture(&self) -> bool {
        self.content_type.starts_with("image/")
    }
}

/// The short link that stands in a post's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLink {
    /// What stands after the last slash.
    pub code: String,
    /// The whole address, as it stands in the text.
    pub address: String,
    /// Where it leads.
    pub target: String,
}

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Everyone.
    Everyone,
    /// Those who follow the account.
    Followers,
    /// Those who follow each other.
    Friends,
    /// The account alone.
    OnlyMe,
}

/// What an approver chose for one account; nothing is chosen beforehand, and what is not chosen is not allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Choices {
    /// Who may see it. TikTok wants this chosen.
    pub privacy: Option<Privacy>,
    /// Comments are allowed.
    pub comments: bool,
    /// Duets are allowed.
    pub duets: bool,
    /// Stitches are allowed.
    pub stitches: bool,
    /// It advertises the account's own business.
    pub own_brand: bool,
    /// Somebody else pays for it.
    pub paid_partnership: bool,
}

/// One post: a text and what it shows, to one account, at one time.
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
    /// To which account there, as the tenant calls it.
    pub account: String,
    /// Through which connection, where the network has accounts.
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// The text, to the letter.
    pub text: String,
    /// Its short link, where its text holds one.
    #[serde(default)]
    pub link: Option<PlannedLink>,
    /// What it shows, where there is anything.
    pub media: Option<PlannedMedia>,
    /// Whether an engine made the picture or the words: networks want to be told.
    #[serde(default)]
    pub made_by_ai: bool,
    /// What the approver chose.
    #[serde(default)]
    pub choices: Choices,
    /// When.
    pub send_at: Timestamp,
}

impl PostPlan {
    /// The account's place in an approval's choices: the connection's id, or the network's name.
    pub fn place(&self) -> String {
        self.connection.map_or_else(|| self.network.name().to_owned(), |id| id.to_string())
    }

    /// The digest of what a person is shown of it: everything but the time and what they choose.
    fn content_digest(&self) -> Digest {
        let media = self.media.as_ref();
        let (shown, alt) = media.map_or_else(Default::default, |m| {
            (m.digest.to_hex(), m.alt.clone().unwrap_or_default())
        });
        let (draft, revision) = (self.draft.to_string(), self.revision.to_string());
        Digest::of_parts(
            [
                draft.as_str(),
                &revision,
                self.language.code(),
                self.network.name(),
                &self.place(),
                &self.account,
                &self.text,
                &shown,
                &alt,
                if self.made_by_ai { "ai" } else { "" },
            ]
            .map(str::as_bytes),
        )
    }
}

impl Payload for PostPlan {
    const SORT: &'static str = "post";

    fn digest(&self) -> Digest {
        let at = self.send_at.to_string();
        let choices = serde_json::to_vec(&self.choices).unwrap_or_default();
        let content = self.content_digest();
        Digest::of_parts([content.as_bytes().as_slice(), at.as_bytes(), choices.as_slice()])
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
    /// The posts, their time and the approver's choices still open.
    pub posts: Vec<PostPlan>,
    /// Networks of the settings to which nothing goes, because no account there is connected.
    pub unconnected: Vec<Network>,
    /// What an approval has to name.
    pub digest: Digest,
}

/// Every post that a draft would become: one for each language that has words, for each account on each network of
/// the tenant.
pub fn propose(draft: &Draft, ground: &Ground) -> Proposal {
    let Ground { settings, connections, picture, .. } = ground;
    let mut posts = Vec::new();
    let usable = |network: Network| {
        connections.iter().filter(move |c| c.network == network && c.is_connected())
    };
    for (language, words) in &draft.words {
        if !settings.languages.contains(language) {
            continue;
        }
        let alt = words.copy.description.trim();
        let alt = (!alt.is_empty()).then(|| alt.to_owned());
        let film = draft.films.get(language).map(|film| PlannedMedia {
            blob: film.video.key.clone(),
            digest: film.video.digest,
            content_type: film.video.content_type.clone(),
            size: film.video.size,
            duration_ms: film.duration_ms,
            alt: alt.clone(),
        });
        let still = || {
            picture.as_ref().map(|picture| PlannedMedia {
                blob: picture.key.clone(),
                digest: picture.digest,
                content_type: picture.content_type.clone(),
                size: picture.size,
                duration_ms: 0,
                alt,
            })
        };
        let media = film.or_else(still);
        for network in &settings.networks {
            let post = |connection: Option<&Connection>| {
                let plan = PostPlan {
                    draft: draft.id,
                    revision: draft.revision,
                    language: *language,
                    network: *network,
                    account: connection.map_or(network.name(), |c| &c.label).to_owned(),
                    connection: connection.map(|c| c.id),
                    text: words.copy.post_text(*network),
                    link: None,
                    media: media.clone(),
                    made_by_ai: !draft.footage.is_empty(),
                    choices: Choices::default(),
                    send_at: Timestamp::UNIX_EPOCH,
                };
                linked(plan, ground)
            };
            if network.has_accounts() {
                let accounts = usable(*network).filter(|c| c.takes(*language));
                posts.extend(accounts.map(|connection| post(Some(connection))));
            } else {
                posts.push(post(None));
            }
        }
    }
    let unconnected = settings.networks.iter().copied();
    let unconnected =
        unconnected.filter(|network| network.has_accounts() && usable(*network).next().is_none());
    let digests: Vec<Digest> = posts.iter().map(PostPlan::content_digest).collect();
    let digest = Digest::of_parts(digests.iter().map(|d| d.as_bytes().as_slice()));
    Proposal { unconnected: unconnected.collect(), posts, digest }
}

impl PostPlan {
    /// The same post at a further time, with a short link of its own that follows from this one's and the time: a click
    /// tells which of them it came from, and networks refuse the same text a second time.
    pub(crate) fn once_more(&self, at: Timestamp) -> Self {
        let mut plan = Self { send_at: at, ..self.clone() };
        let begun =
            self.link.as_ref().and_then(|of| Some((of, of.address.strip_suffix(&of.code)?)));
        if let Some((of, base)) = begun {
            let code = LinkCode::derived(&[&of.code, &at.to_string()]).to_string();
            let address = format!("{base}{code}");
            plan.text = self.text.replace(&of.address, &address);
            plan.link = Some(PlannedLink { code, address, target: of.target.clone() });
        }
        plan
    }
}

/// The post with a short link of its own in place of the product's address.
fn linked(plan: PostPlan, ground: &Ground) -> PostPlan {
    let (Some(base), Some(target)) = (&ground.link_base, &ground.product_url) else { return plan };
    let (draft, revision) = (plan.draft.to_string(), plan.revision.to_string());
    // Where no link may lead, the address stays as the merchant wrote it.
    if links::parse_address(target).is_err() {
        return plan;
    }
    let parts = [&*draft, &revision, &plan.place(), plan.language.code(), target];
    let code = LinkCode::derived(&parts).to_string();
    let address = format!("{base}/{code}");
    match link::shortened(&plan.text, target, &address, plan.network) {
        Some(text) => {
            let link = Some(PlannedLink { code, address, target: target.clone() });
            PostPlan { text, link, ..plan }
        }
        None => plan,
    }
}

/// The id of the post that an approval makes first of a plan; its other occurrences and what comes in its place have
/// ids that follow from this one.
pub(crate) fn first_id(post: &PostPlan) -> EffectId {
    let (draft, revision) = (post.draft.to_string(), post.revision.to_string());
    EffectId::derived(&[
        "post",
        &draft,
        &revision,
        post.network.name(),
        &post.place(),
        post.language.code(),
    ])
}

/// What an approver decided.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The digest of the proposal that was seen.
    pub seen: Digest,
    /// When the posts are sent, the first time where they are sent at several; at once where nothing is said.
    pub at: Option<Timestamp>,
    /// The later times, where they are sent at several: each is approved on its own ([`crate::scheduling::repeat`]).
    pub further: Vec<Timestamp>,
    /// What was chosen for each account ([`PostPlan::place`]).
    pub choices: BTreeMap<String, Choices>,
}

impl Decision {
    /// What was seen is sent at once, with nothing chosen.
    pub fn at_once(seen: Digest) -> Self {
        Self { seen, at: None, further: Vec::new(), choices: BTreeMap::new() }
    }
}

/// Approves everything that a draft would become, at one time: the operations for one commit, and the posts.
/// Approving the same again finds the posts that stand and changes nothing.
///
/// # Errors
/// The draft is not what the approver saw, does not wait for approval, nothing would be sent, or the time has passed.
pub async fn approve_draft(
    desk: &Desk<'_>,
    mut draft: Stored<Draft>,
    ground: &Ground,
    approver: Approver<'_>,
    decision: &Decision,
) -> Result<(Vec<Effect<PostPlan>>, Vec<Op>), Failure> {
    let Decision { seen, at, further, choices } = decision;
    let (Desk { table, scope, .. }, now) = (*desk, desk.now());
    let proposal = propose(&draft.record, ground);
    if draft.record.stage == Stage::Approved {
        let posts = load_posts(table, scope, &draft.record, now).await?;
        let same = proposal.digest == *seen
            && posts.iter().all(|post| {
                let plan = post.record.payload();
                let chosen = choices.get(&plan.place()).cloned().unwrap_or_default();
                let meant = |at| plan.send_at == at || further.contains(&plan.send_at);
                at.is_none_or(meant) && plan.choices == chosen
            });
        // Later times are added to the first alone.
        let begun = further.is_empty()
            || proposal.posts.iter().map(first_id).all(|id| {
                let first = posts.iter().find(|post| post.record.id == id);
                first.is_some_and(|post| Some(post.record.payload().send_at) == *at)
            });
        if same && begun {
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
    if proposal.digest != *seen {
        return Err(Failure::conflict(
            "This is not what you saw: it was changed meanwhile. Look again, then approve.",
        ));
    }
    if proposal.posts.is_empty() {
        return Err(Failure::conflict(
            "Nothing would be sent: connect an account at one of the networks in your settings.",
        ));
    }
    if let Some(stray) = choices.keys().find(|at| proposal.posts.iter().all(|p| p.place() != **at))
    {
        return Err(Failure::field(
            format!("choices.{stray}"),
            "no post of this draft goes there: name connections of its proposal",
        ));
    }
    let mut effects = Vec::new();
    for post in proposal.posts {
        let choices = choices.get(&post.place()).cloned().unwrap_or_default();
        let post = PostPlan { send_at: at.unwrap_or(now), choices, ..post };
        let digest = post.digest();
        let mut effect = Effect::proposed(first_id(&post), post, approver.subject(), now);
        approval::approve(&mut effect, approver, digest, now)?;
        effects.push(effect);
    }
    draft.record.stage = Stage::Approved;
    draft.record.posts = effects.iter().map(|e| e.id).collect();
    let mut ops: Vec<Op> = effects.iter().map(|e| records::create(scope, e)).collect();
    for effect in &effects {
        if let Some(PlannedLink { code, target, .. }) = effect.payload().link.clone() {
            let link = links::made_for_post(&code, &target, effect.id, now);
            ops.extend(link.into_iter().flat_map(|link| link.ops(scope)));
        }
    }
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

/// Calls off every post of a draft that has not been claimed, for an edit or a rejection. What was sent stays as it was
/// sent: it belongs to the revision that was approved, which its plan names, and has its history in the list of posts.
/// The draft lists what stands of its present revision: its own list is emptied; the caller commits the operations
/// together with its change. They fit into one commit: a draft has at most [`crate::scheduling::MOST_POSTS`].
///
/// # Errors
/// One of them is being sent right now, or may have been: what comes of it is not known yet.
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
        let id = post.record.id;
        let open = match post.record.state() {
            State::Done | State::Refused | State::Rejected | State::Cancelled => continue,
            State::Proposed | State::Approved => {
                post.record.cancel(by, why, now)?;
                ops.extend(effect::written(scope, &post));
                continue;
            }
            State::Sending => "is being sent right now. Try again in a few minutes.",
            State::Accepted => {
                "is with its network, which has not said yet whether it is there. Try again later."
            }
            State::Unknown => "may have been sent, and is being looked up. Try again later.",
            State::AskAPerson => {
                "may have been sent, and only a person can tell: answer its question first."
            }
        };
        return Err(Failure::conflict(format!("Its post {id} {open}")));
    }
    draft.posts.clear();
    Ok(ops)
}
