//! X behind the port of publishing.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Uri;
use http::uri::Scheme;
use jiff::SignedDuration;
use nexus_core::approval::Unsure;
use nexus_core::effect::{EffectId, Found, Outcome};
use nexus_core::egress::Cost;
use nexus_core::{Approved, CallContext, SecretName};
use nexus_engine::connections::Access;
use nexus_engine::publishing::{Medium, Network, PlannedMedia, PostPlan, Preflight, Publisher};
use nexus_kernel::{Failure, Secret, Timestamp};
use nexus_outbound::{CallError, Outbound, Parts};

use super::classify::{DUPLICATE, MISSING};
use super::limits::{self, Sort};
use super::prices;
use super::request::{self, CHUNK, Labels, PAGE, VENDOR};
use super::response::{self, Processing};
use super::same::Shown;
use super::uploads::Uploads;

/// The setting with the name of the house's application at X.
pub const CLIENT_ID_SETTING: &str = "X_CLIENT_ID";
/// The setting with the address at which a person grants what is asked for.
pub const AUTHORIZE_BASE_SETTING: &str = "X_AUTHORIZE_BASE";
/// That address, where no setting says otherwise.
pub const DEFAULT_AUTHORIZE_BASE: &str = "https://x.com";

/// What is kept of an attempt that X turned down as a repetition: a look that finds nothing then asks a person.
const REPETITION: &str = "repetition";
/// How much earlier than its time a post may stand in X's list: its clock is not ours, and it counts whole seconds.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How long after a claim X's list is believed to be whole. X promises no time; its own accounts see a post within
/// seconds, and an attempt's calls end within two minutes of its claim. Should the list be older still, the post that
/// is sent again has the same text, which X is known to turn down: that is a second net, and no promise of X's.
const SETTLED: SignedDuration = SignedDuration::from_mins(5);
/// How many pages are looked at: more posts than those in an hour are no account of a person.
const PAGES: u32 = 5;
/// How often an upload is looked at in one attempt, at most.
const LOOKS: u32 = 20;
/// The time that is left for the words and the post itself after waiting for an upload.
const THEN: Duration = Duration::from_secs(30);
/// After how many seconds is tried again what failed before the post was asked for.
const AGAIN: u32 = 60;

/// How the house stands at X.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The application's name ([`CLIENT_ID_SETTING`]); empty where there is none.
    pub client_id: String,
    /// Where a person grants what is asked for ([`AUTHORIZE_BASE_SETTING`]).
    pub authorize_base: Option<String>,
}

/// X: who connects accounts there, and who carries posts there.
pub struct X {
    pub(super) api: Outbound,
    pub(super) parts: Parts,
    pub(super) secret: SecretName,
    pub(super) client_id: String,
    pub(super) authorize_base: String,
    uploads: Uploads,
}

impl X {
    /// X as the operator set it up; `base` is the setting `X_BASE`, where there is one.
    ///
    /// # Errors
    /// One of the addresses is none: the setting, and what it may say.
    pub fn new(parts: Parts, base: Option<String>, settings: Settings) -> Result<Self, Failure> {
        let api = Outbound::new(&VENDOR, base, parts.clone())
            .map_err(|error| Failure::field(VENDOR.base_setting, error.to_string()))?;
        let authorize_base = settings.authorize_base.as_deref().unwrap_or(DEFAULT_AUTHORIZE_BASE);
        Ok(Self {
            api,
            secret: SecretName::of_house(parts.product, VENDOR.name)?,
            client_id: settings.client_id.trim().to_owned(),
            authorize_base: address(authorize_base)?,
            parts,
            uploads: Uploads::default(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.ambient.now()
    }

    /// What the post shows, as X has it: uploaded and worked over, with its words.
    async fn media(
        &self,
        at: &CallContext,
        token: &Secret<String>,
        effect: EffectId,
        planned: &PlannedMedia,
        bytes: &Bytes,
    ) -> Result<String, Outcome> {
        let known = self.uploads.of(effect, self.now());
        let media = match known {
            Some(media) => match self.wait_for(at, token, &media, Duration::ZERO).await {
                Ok(()) => media,
                // X has forgotten it.
                Err(Stuck::Missing) => self.uploaded(at, token, effect, planned, bytes).await?,
                Err(stuck) => return Err(self.stuck(effect, stuck)),
            },
            None => self.uploaded(at, token, effect, planned, bytes).await?,
        };
        if let Some(alt) = planned.alt.as_deref().filter(|alt| !alt.trim().is_empty()) {
            let (now, request) = (self.now(), request::describe(token, &media, alt));
            let read = |answer: &_| response::described(answer, now);
            self.api.call(at, request, prices::DESCRIPTION, read).await.map_err(not_sent)?;
        }
        Ok(media)
    }

    async fn uploaded(
        &self,
        at: &CallContext,
        token: &Secret<String>,
        effect: EffectId,
        planned: &PlannedMedia,
        bytes: &Bytes,
    ) -> Result<String, Outcome> {
        self.uploads.forget(effect);
        let category = Sort::of(&planned.content_type).map_or("tweet_image", |sort| sort.category);
        let (now, free) = (self.now(), Cost::ZERO);
        let request = request::initialize(token, &planned.content_type, category, bytes.len());
        let read = |answer: &_| response::initialized(answer, now);
        let media = self.api.call(at, request, free, read).await.map_err(not_sent)?;
        for (number, start) in (0..bytes.len()).step_by(CHUNK).enumerate() {
            let chunk = bytes.slice(start..bytes.len().min(start.saturating_add(CHUNK)));
            let request = request::append(token, &media, number, chunk);
            let read = |answer: &_| response::appended(answer, now);
            self.api.call(at, request, free, read).await.map_err(not_sent)?;
        }
        let read = |answer: &_| response::processing(answer, now);
        let ended = self.api.call(at, request::finalize(token, &media), free, read).await;
        match ended.map_err(not_sent)? {
            Processing::Ready => self.uploads.remember(effect, &media, now),
            Processing::Failed { why } => return Err(Outcome::Refused { why }),
            Processing::Working { after } => {
                self.uploads.remember(effect, &media, now);
                let waited = self.wait_for(at, token, &media, after).await;
                waited.map_err(|stuck| self.stuck(effect, stuck))?;
            }
        }
        Ok(media)
    }

    /// Looks at an upload until it can be posted, as long as the call's time lasts.
    async fn wait_for(
        &self,
        at: &CallContext,
        token: &Secret<String>,
        media: &str,
        first: Duration,
    ) -> Result<(), Stuck> {
        let mut pause = first;
        for _ in 0..LOOKS {
            if !self.api.wait(at, pause, THEN).await {
                return Err(Stuck::Working(pause));
            }
            let now = self.now();
            let read = |answer: &_| response::processing(answer, now);
            match self.api.call(at, request::status(token, media), Cost::ZERO, read).await {
                Ok(Processing::Ready) => return Ok(()),
                Ok(Processing::Working { after }) => pause = after,
                Ok(Processing::Failed { why }) => return Err(Stuck::Failed(why)),
                Err(CallError::Refused { code, .. }) if code == MISSING => {
                    return Err(Stuck::Missing);
                }
                Err(error) => return Err(Stuck::Unasked(error)),
            }
        }
        Err(Stuck::Working(pause))
    }

    /// What an upload that cannot be posted means for its post: nothing was sent.
    fn stuck(&self, effect: EffectId, stuck: Stuck) -> Outcome {
        match stuck {
            Stuck::Working(after) => {
                let seconds = u32::try_from(after.as_secs()).unwrap_or(AGAIN);
                Outcome::Throttled { after_seconds: seconds.max(1) }
            }
            Stuck::Missing => {
                self.uploads.forget(effect);
                Outcome::Throttled { after_seconds: AGAIN }
            }
            Stuck::Failed(why) => {
                self.uploads.forget(effect);
                Outcome::Refused { why }
            }
            Stuck::Unasked(error) => not_sent(error),
        }
    }

    /// The account's own posts since a moment, and whether these are all of them.
    async fn own_posts(
        &self,
        at: &CallContext,
        token: &Secret<String>,
        since: Timestamp,
    ) -> Result<(Vec<Shown>, bool), CallError> {
        let account = self.account(at, token).await?;
        let (mut posts, mut is_whole, mut page) = (Vec::new(), true, None::<String>);
        for _ in 0..PAGES {
            let request = request::posts(token, &account, since, page.as_deref());
            let now = self.now();
            let read = |answer: &_| response::posts(answer, now);
            let estimate = prices::reads(PAGE as usize);
            let read = self.api.call(at, request, estimate, read).await?;
            posts.extend(read.posts);
            is_whole &= read.is_whole;
            page = read.next;
            if page.is_none() {
                break;
            }
        }
        Ok((posts, is_whole && page.is_none()))
    }
}

/// Why an upload cannot be posted.
enum Stuck {
    /// X still works on it; look again after that.
    Working(Duration),
    /// X does not know it any more.
    Missing,
    /// X cannot use it.
    Failed(String),
    /// X could not be asked.
    Unasked(CallError),
}

/// What the end of a call before the post means for the post: it was not asked for, whatever became of the call.
fn not_sent(error: CallError) -> Outcome {
    match error {
        CallError::Unknown { why } => {
            tracing::debug!(why, "an upload to X begins anew later");
            Outcome::Throttled { after_seconds: AGAIN }
        }
        other => other.into_outcome(),
    }
}

/// The setting's address, without a slash at its end.
fn address(text: &str) -> Result<String, Failure> {
    let is_one = text.parse::<Uri>().is_ok_and(|uri| {
        let web = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
        let host = uri.authority().is_some_and(|host| !host.as_str().contains('@'));
        web && host && uri.query().is_none()
    });
    if !is_one || text.contains('#') {
        let told = "write an address such as `https://x.com`, without `?`, `#` and a user";
        return Err(Failure::field(AUTHORIZE_BASE_SETTING, told));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Where a person sees a post.
fn seen_at(id: &str) -> String {
    format!("https://x.com/i/web/status/{id}")
}

fn labels(plan: &PostPlan) -> Labels {
    Labels { made_with_ai: plan.made_by_ai, paid_partnership: plan.choices.paid_partnership }
}

#[async_trait]
impl Publisher for X {
    fn network(&self) -> Network {
        Network::X
    }

    async fn preflight(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        plan: &PostPlan,
    ) -> Result<Preflight, Failure> {
        let alt = plan.media.as_ref().and_then(|media| media.alt.as_deref());
        let is_described = alt.is_some_and(|alt| !alt.trim().is_empty());
        Ok(Preflight {
            problems: limits::problems(plan),
            notes: vec![prices::note(&plan.text, is_described)],
            cost: prices::post(&plan.text, is_described),
            offers: None,
        })
    }

    async fn publish(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Outcome {
        let Some(Access { token, .. }) = access else {
            return Outcome::Login { why: "Connect an account at X first.".to_owned() };
        };
        let (effect, plan) = (approved.id(), approved.payload());
        let problems = limits::problems(plan);
        if !problems.is_empty() {
            let why: Vec<String> = problems.into_iter().map(|p| p.problem).collect();
            return Outcome::Refused { why: why.join("; ") };
        }
        let media = match &plan.media {
            Some(planned) => match self.media(at, token, effect, planned, &medium.bytes).await {
                Ok(media) => Some(media),
                Err(outcome) => return outcome,
            },
            None => None,
        };
        let (now, cost) = (self.now(), prices::of_text(&plan.text));
        let request = request::create(token, &plan.text, media.as_deref(), labels(plan));
        let read = |answer: &_| response::created(answer, now, cost);
        match self.api.call(at, request, cost, read).await {
            Ok(id) => {
                self.uploads.forget(effect);
                Outcome::Done { url: Some(seen_at(&id)), receipt: id }
            }
            // An earlier attempt may have brought it there. The first one has none before it: then it is another post.
            Err(CallError::Refused { code, .. }) if code == DUPLICATE && approved.attempt() > 1 => {
                if let Err(error) = approved.keep(REPETITION, self.now()).await {
                    tracing::debug!(%error, "that X took a post for a repetition was not written down");
                }
                Outcome::Unknown { why: "X says that the account has posted this text".into() }
            }
            Err(refused @ CallError::Refused { .. }) => {
                self.uploads.forget(effect);
                refused.into_outcome()
            }
            Err(error) => error.into_outcome(),
        }
    }

    async fn look_up(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found {
        let unknown = |why: &str| Found::StillUnknown { why: why.to_owned() };
        let Some(Access { token, .. }) = access else {
            return unknown("the account is not connected");
        };
        let plan = unsure.payload();
        // No attempt was before its time; one before the last may be the one that came through.
        let due = plan.send_at;
        let since = due.saturating_sub(SKEW).unwrap_or(due);
        let (posts, is_whole) = match self.own_posts(at, token, since).await {
            Ok(found) => found,
            Err(error) => return error.into_found(),
        };
        let ours = posts.into_iter().filter(|post| {
            post.created.is_none_or(|created| created >= since)
                && post.is(&plan.text, plan.media.is_some())
        });
        // Of equal posts the earliest that is not before its time.
        let ours = ours.min_by_key(|post| (post.created < Some(due), post.created));
        if let Some(post) = ours {
            return Found::Done { url: Some(seen_at(&post.id)), receipt: post.id };
        }
        if unsure.handle() == Some(REPETITION) {
            return unknown("X says that the account has posted this text, and does not show it");
        }
        if !is_whole {
            return unknown("the account has more posts than are looked at");
        }
        let claimed = unsure.claimed_at().unwrap_or(due);
        if self.now().duration_since(claimed) < SETTLED {
            return unknown("X does not show it yet");
        }
        Found::NotDone
    }
}
