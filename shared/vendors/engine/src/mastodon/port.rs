//! Posts, behind the Engine's port.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_core::{Approved, CallContext};
use nexus_engine::connections::Access;
use nexus_engine::copy::links;
use nexus_engine::publishing::{Medium, Network, PostPlan, Preflight, Privacy, Publisher};
use nexus_kernel::{Digest, Failure, FieldProblem, Secret, Timestamp};
use nexus_outbound::{Answer, CallError, Outbound};

use super::Mastodon;
use super::plain::{Likeness, likeness};
use super::request::{self, Status};
use super::response::{self, Limits, Listed, Posted, Upload};

/// How often it is asked whether an upload has been worked on.
const LOOKS: u32 = 30;
/// After what time it is asked again.
const AGAIN: Duration = Duration::from_secs(3);
/// What time has to be left after that: for a look, and to write the status.
const STILL_TO_COME: Duration = Duration::from_secs(10 + 30);
/// After how many seconds a post is tried again whose upload takes longer.
const UPLOAD_AGAIN: u32 = 60;
/// After how many seconds a post is tried again before which something went wrong that shows nobody anything.
const TRY_AGAIN: u32 = 60;
/// After how many seconds to look whether a status that waits has come to be.
const WAITING: u32 = 120;
/// The most pages of statuses that are looked through.
const PAGES: u32 = 5;
/// How far a server's clock may be from ours.
const SKEW: SignedDuration = SignedDuration::from_mins(10);
/// After what time a status that is not there will not come. Servers write a status before they answer, so one whose
/// answer was lost is there at once, or its request is still under way: that has 30 seconds from the mark on
/// ([`request::STATUS`]), and servers and what stands before them give up on a request after a minute (Mastodon's own
/// limit is 15 seconds). The key that goes with it is a second guard where a server heeds it.
const SETTLED: SignedDuration = SignedDuration::from_secs(30 + 90);

/// What files a post may show: MIME type, and the end of the name under which it is sent.
const KINDS: [(&str, &str); 8] = [
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/quicktime", "mov"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/webp", "webp"),
    ("image/gif", "gif"),
    ("image/avif", "avif"),
];

/// What speaks against a post at a server that takes this.
pub(super) fn problems(plan: &PostPlan, limits: &Limits) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, problem: String| {
        problems.push(FieldProblem { field: field.to_owned(), problem });
    };
    let length = length(&plan.text, limits.link);
    if length > limits.characters {
        let most = limits.characters;
        refuse("text", format!("this server takes at most {most} characters; these are {length}"));
    }
    if !matches!(plan.choices.privacy, None | Some(Privacy::Everyone)) {
        let problem = "posts to Mastodon servers are seen by everyone: choose that, or nothing";
        refuse("choices.privacy", problem.to_owned());
    }
    let Some(media) = &plan.media else { return problems };
    let kind = media.content_type.as_str();
    let is_known = KINDS.iter().any(|(known, _)| *known == kind);
    if !is_known || limits.kinds.as_ref().is_some_and(|kinds| !kinds.contains(kind)) {
        refuse("media", format!("this server does not take files of the kind {kind}"));
    }
    let most = if media.is_picture() { limits.picture } else { limits.video };
    if let Some(most) = most.filter(|most| media.size > *most) {
        let size = media.size;
        refuse("media", format!("this server takes at most {most} bytes; this file has {size}"));
    }
    let alt = media.alt.as_deref().unwrap_or_default().chars().count() as u64;
    if alt > limits.description {
        let most = limits.description;
        let problem = format!(
            "this server takes descriptions of at most {most} characters; this one has {alt}"
        );
        refuse("description", problem);
    }
    problems
}

/// How many characters a server counts, where a link counts as `link` of them.
fn length(text: &str, link: Option<u64>) -> u64 {
    let whole = text.chars().count() as u64;
    let Some(counted) = link else { return whole };
    let links = links::find(text).into_iter().filter(|link| link.text.starts_with("http"));
    links.fold(whole, |length, link| {
        (length + counted).saturating_sub(link.text.chars().count() as u64)
    })
}

/// What the end of a call means for a post that nobody can see yet: nothing of it can be in doubt.
fn before(error: CallError) -> Outcome {
    match error {
        CallError::Unknown { why } => {
            tracing::debug!(why, "a server gave no answer before a post was written");
            Outcome::Throttled { after_seconds: TRY_AGAIN }
        }
        other => other.into_outcome(),
    }
}

/// Why nothing can be said about a post beforehand.
pub(super) fn unasked(error: CallError) -> Failure {
    match error {
        CallError::Login { why } => Failure::conflict(why),
        CallError::Unknown { why } => {
            Failure::unavailable("The server gives no answer that can be read.").caused_by(why)
        }
        other => other.into(),
    }
}

pub(super) fn not_connected() -> String {
    "No account is connected for this. Connect it again.".to_owned()
}

impl Mastodon {
    /// What a server takes.
    async fn limits(
        &self,
        at: &CallContext,
        way: &Outbound,
        token: &Secret<String>,
    ) -> Result<Limits, CallError> {
        let now = self.parts.ambient.now();
        let read = |answer: &Answer| response::limits(answer, now);
        for old in [false, true] {
            let asked = request::instance(token, old);
            if let Some(limits) = way.call(at, asked, Cost::ZERO, read).await? {
                return Ok(limits);
            }
        }
        Ok(Limits::default())
    }

    /// What the server calls the post's picture or video, once it can be shown.
    async fn shown(
        &self,
        at: &CallContext,
        way: &Outbound,
        token: &Secret<String>,
        approved: &Approved<PostPlan>,
        medium: Medium,
    ) -> Result<(String, String), Outcome> {
        let plan = approved.payload();
        let known = KINDS.iter().find(|(kind, _)| *kind == medium.content_type);
        let Some((kind, end)) = known else {
            let why = format!("Files of the kind {} cannot be sent there.", medium.content_type);
            return Err(Outcome::Refused { why });
        };
        // Some servers keep a file under the name under which it came (snac): one of its own for each post, and the
        // same for each attempt.
        let (owner, id) = (approved.scope().owner().to_string(), approved.id().to_string());
        let name = [owner.as_bytes(), id.as_bytes(), medium.bytes.as_ref()];
        let name: String = Digest::of_parts(name).to_hex().chars().take(32).collect();
        let file = format!("{name}.{end}");
        let upload = match self.uploads.get(&file) {
            Some(upload) => upload,
            None => {
                let now = self.parts.ambient.now();
                let alt = plan.media.as_ref().and_then(|media| media.alt.as_deref());
                let upload = request::upload(token, file.clone(), kind, medium.bytes, alt);
                let read = |answer: &Answer| response::uploaded(answer, now);
                let upload = way.call(at, upload, Cost::ZERO, read).await.map_err(before)?;
                self.uploads.insert(file.clone(), upload.clone());
                upload
            }
        };
        if !upload.is_ready {
            self.worked_on(at, way, token, &upload.id).await?;
            self.uploads.insert(file.clone(), Upload { is_ready: true, ..upload.clone() });
        }
        Ok((file, upload.id))
    }

    /// Waits until the server has worked on an upload, as long as there is time.
    async fn worked_on(
        &self,
        at: &CallContext,
        way: &Outbound,
        token: &Secret<String>,
        id: &str,
    ) -> Result<(), Outcome> {
        let now = self.parts.ambient.now();
        let read = |answer: &Answer| response::ready(answer, now);
        for _ in 0..LOOKS {
            let is_ready = way.call(at, request::medium(token, id), Cost::ZERO, read).await;
            if is_ready.map_err(before)? {
                return Ok(());
            }
            if !way.wait(at, AGAIN, STILL_TO_COME).await {
                break;
            }
        }
        Err(Outcome::Throttled { after_seconds: UPLOAD_AGAIN })
    }

    async fn published(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Result<Outcome, Outcome> {
        let access = access.ok_or_else(|| Outcome::Login { why: not_connected() })?;
        let (_, way) = self.way(access.server.as_deref()).map_err(before)?;
        if !matches!(approved.payload().choices.privacy, None | Some(Privacy::Everyone)) {
            let why = "Posts to Mastodon servers are seen by everyone, and this one should not be.";
            return Err(Outcome::Refused { why: why.to_owned() });
        }
        let shown = match &approved.payload().media {
            Some(_) => Some(self.shown(at, &way, &access.token, approved, medium).await?),
            None => None,
        };
        // The mark of when it was written, by which it is looked up: without it nothing was.
        let now = self.parts.ambient.now();
        if let Err(failure) = approved.keep(&now.to_string(), now).await {
            tracing::warn!(effect = %approved.id(), error = %failure, "a post was not sent: its claim is not ours");
            return Err(Outcome::Throttled { after_seconds: TRY_AGAIN });
        }
        let (plan, key) = (approved.payload(), approved.idempotency_key());
        let status = Status {
            text: &plan.text,
            medium: shown.as_ref().map(|(_, id)| id.as_str()),
            language: plan.language.code(),
            key: &key,
        };
        let read = |answer: &Answer| response::posted(answer, now);
        let posted = way.call(at, request::status(&access.token, &status), Cost::ZERO, read).await;
        let outcome = match posted {
            Ok(Posted::There { id, url }) => Outcome::Done { receipt: id, url },
            Ok(Posted::Waiting) => Outcome::Accepted { look_after_seconds: WAITING },
            Err(error) => error.into_outcome(),
        };
        if let (Some((file, _)), Outcome::Done { .. } | Outcome::Refused { .. }) =
            (&shown, &outcome)
        {
            self.uploads.invalidate(file);
        }
        Ok(outcome)
    }

    /// The account's status that says this text, written at or after that time.
    async fn search(
        &self,
        at: &CallContext,
        way: &Outbound,
        token: &Secret<String>,
        text: &str,
        since: Timestamp,
    ) -> Result<Search, CallError> {
        let now = self.parts.ambient.now();
        let account = self.account(at, way, token).await?;
        let read = |answer: &Answer| response::listed(answer, now);
        let is_ours = |status: &Listed| status.by.as_ref().is_none_or(|by| *by == account);
        let is_older = |status: &Listed| status.made.is_some_and(|made| made < since);
        let (mut before, mut is_blurred) = (None::<String>, false);
        let mut seen = BTreeSet::new();
        for _ in 0..PAGES {
            let page = request::statuses(token, &account, before.as_deref());
            let page = way.call(at, page, Cost::ZERO, read).await?;
            is_blurred |= page.hides_some;
            for status in page.statuses.iter().filter(|s| is_ours(s) && !is_older(s)) {
                match likeness(&status.content, status.source.as_deref(), text) {
                    Likeness::Same => {
                        let (id, url) = (status.id.clone(), status.url.clone());
                        return Ok(Search::Found { id, url });
                    }
                    Likeness::Alike => is_blurred = true,
                    Likeness::Other => {}
                }
            }
            // The list is over where it is older than the post, where nothing follows, or where the server begins anew.
            let is_past = !page.statuses.is_empty() && page.statuses.iter().all(is_older);
            let new =
                page.statuses.iter().filter(|status| seen.insert(status.place.clone())).count();
            if is_past || new == 0 {
                return Ok(if is_blurred { Search::Blurred } else { Search::NotThere });
            }
            before = page.statuses.last().map(|status| status.place.clone());
        }
        Ok(Search::Blurred)
    }
}

/// What a search came to.
enum Search {
    /// It is there.
    Found { id: String, url: Option<String> },
    /// It is not, and everything was seen that was written since.
    NotThere,
    /// There is something alike, something that cannot be read, or more than can be looked through.
    Blurred,
}

#[async_trait]
impl Publisher for Mastodon {
    fn network(&self) -> Network {
        Network::Mastodon
    }

    async fn preflight(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        plan: &PostPlan,
    ) -> Result<Preflight, Failure> {
        let access = access.ok_or_else(|| Failure::conflict(not_connected()))?;
        let (_, way) = self.way(access.server.as_deref()).map_err(unasked)?;
        // What a server takes it tells anybody; that the account is still connected only this does.
        self.account(at, &way, &access.token).await.map_err(unasked)?;
        let limits = self.limits(at, &way, &access.token).await.map_err(unasked)?;
        let mut notes = Vec::new();
        if plan.made_by_ai {
            let note = "Mastodon has no mark for what an AI made: where your server's rules want it told, the text \
                        has to tell it.";
            notes.push(note.to_owned());
        }
        Ok(Preflight { problems: problems(plan, &limits), notes, ..Preflight::default() })
    }

    async fn publish(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Outcome {
        let (Ok(outcome) | Err(outcome)) = self.published(at, access, approved, medium).await;
        outcome
    }

    async fn look_up(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found {
        // The mark is kept before the status is written: without it nothing was.
        let marked = unsure.handle();
        if marked.is_none() && !unsure.is_accepted() {
            return Found::NotDone;
        }
        let still = |why: String| Found::StillUnknown { why };
        let Some(access) = access else { return still(not_connected()) };
        let plan = unsure.payload();
        let found = match self.way(access.server.as_deref()) {
            // An attempt before this one may have been late: it was sent after its time all the same.
            Ok((_, way)) => {
                let since = plan.send_at.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
                self.search(at, &way, &access.token, &plan.text, since).await
            }
            Err(error) => Err(error),
        };
        let sent: Option<Timestamp> = marked.and_then(|mark| mark.parse().ok());
        let settled = sent.and_then(|sent| sent.saturating_add(SETTLED).ok());
        let is_settled = settled.is_some_and(|settled| self.parts.ambient.now() >= settled);
        match found {
            Ok(Search::Found { id, url }) => Found::Done { receipt: id, url },
            Ok(Search::NotThere | Search::Blurred) if unsure.is_accepted() => {
                Found::Accepted { look_after_seconds: WAITING }
            }
            Ok(Search::NotThere) if is_settled => Found::NotDone,
            Ok(Search::NotThere) => {
                still("it is not among the account's posts; it may still be on its way".to_owned())
            }
            Ok(Search::Blurred) => still(
                "the account's posts do not tell: one is much like it, or cannot be read, or there are too many"
                    .to_owned(),
            ),
            Err(error @ (CallError::Throttled { .. } | CallError::Held(_))) => error.into_found(),
            Err(error) => {
                let failure = unasked(error);
                still(format!("the server cannot be asked: {}", failure.public()))
            }
        }
    }
}
