//! What a person buys: exactly which footage, of whom, for how much at most; the job that the vendor was given for it,
//! and what came of it.
//!
//! The purchase is the effect, and happens once: it is `done` when the vendor took the job, from when on money is
//! spent and nothing is bought again. What follows is a [`FootageJob`]: looked at from time to time, with an end to
//! every wait.
//!
//! **Never here:** asking a vendor (the function `footage`), a person's deeds ([`super::buying`]).

use bytes::Bytes;
use jiff::SignedDuration;
use nexus_core::blobs::BlobError;
use nexus_core::effect::{EffectId, Payload};
use nexus_core::egress::{self, Correction, Cost};
use nexus_core::sweep::DueKind;
use nexus_core::table::{IndexEntry, StoreError};
use nexus_core::{Blobs, Key, Op, Record, RecordKind, Scope, Table};
use nexus_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{FootageBrief, Shape, StartPicture, Used};
use crate::draft::DraftId;
use crate::media::NamedBlob;

/// How long an offer stands: so long after it was asked for it can be approved and carried out.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// How long a vendor may take for a job before it is called off there.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(2);
/// How long, after that, a vendor that does not answer is asked still.
pub const LAST_TRIES: SignedDuration = SignedDuration::from_mins(15);
/// How long the message that looks at a job may be late before the relay sends another.
const MESSAGE_MAY_TAKE: SignedDuration = SignedDuration::from_mins(5);
/// The bounds of the pause between two looks, seconds.
const PAUSE: (u32, u32) = (5, 300);

/// Footage that a person may buy: what an approval names by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// The draft that it is for.
    pub draft: DraftId,
    /// The draft's edit that it was asked for: for another one nothing is bought.
    pub revision: u32,
    /// The vendor's name in settings: `runway`.
    pub provider: String,
    /// The engine's name and model as a person reads it: another one is not what was approved.
    pub engine: String,
    /// What should be seen, to the letter.
    pub prompt: String,
    /// The picture that it begins with; its digest is of the content, and other bytes are not sent.
    pub picture: Option<NamedBlob>,
    /// The length that the vendor makes, in seconds.
    pub seconds: u32,
    /// Its shape.
    pub shape: Shape,
    /// What it costs at most; for more nothing is bought.
    pub at_most: Cost,
    /// When it was asked for; it is due at once.
    pub asked: Timestamp,
}

impl Payload for Purchase {
    const SORT: &'static str = "footage";

    fn digest(&self) -> Digest {
        let picture = self.picture.as_ref().map_or_else(String::new, |p| p.digest.to_hex());
        let (draft, revision) = (self.draft.to_string(), self.revision.to_string());
        let (seconds, cost) = (self.seconds.to_string(), self.at_most.as_micros().to_string());
        let asked = self.asked.to_string();
        let shape = match self.shape {
            Shape::Vertical => "vertical",
            Shape::Horizontal => "horizontal",
        };
        Digest::of_parts(
            [
                Self::SORT,
                draft.as_str(),
                &revision,
                &self.provider,
                &self.engine,
                &self.prompt,
                &picture,
                &seconds,
                shape,
                &cost,
                &asked,
            ]
            .map(str::as_bytes),
        )
    }

    fn due_at(&self) -> Timestamp {
        self.asked
    }

    fn grace() -> SignedDuration {
        GRACE
    }
}

/// Why the vendor cannot be asked for a purchase.
#[derive(Debug, thiserror::Error)]
pub enum Unbriefed {
    /// The picture does not stand any more.
    #[error("its picture is gone")]
    Gone,
    /// Other bytes stand in the picture's place.
    #[error("its picture is not the one that was approved")]
    Changed,
    /// The store does not answer; later it may.
    #[error(transparent)]
    Store(#[from] BlobError),
}

impl Purchase {
    /// What the vendor is asked for: the picture is fetched and held against its digest.
    ///
    /// # Errors
    /// See [`Unbriefed`].
    pub async fn brief(&self, blobs: &dyn Blobs) -> Result<FootageBrief, Unbriefed> {
        let picture = match &self.picture {
            None => None,
            Some(named) => {
                let bytes = blobs.get(&named.key).await?.ok_or(Unbriefed::Gone)?;
                if Digest::of(&bytes) != named.digest {
                    return Err(Unbriefed::Changed);
                }
                Some(start_picture(bytes, &named.content_type))
            }
        };
        let (prompt, seconds, shape) = (self.prompt.clone(), self.seconds, self.shape);
        Ok(FootageBrief { prompt, picture, seconds, shape })
    }
}

/// Renditions are JPEG; only a picture that says otherwise is not.
fn start_picture(bytes: Bytes, content_type: &str) -> StartPicture {
    let content_type = if content_type == "image/png" { "image/png" } else { "image/jpeg" };
    StartPicture { bytes, content_type }
}

/// Footage that was bought, checked and cleaned: part of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footage {
    /// The purchase that it came of.
    pub purchase: EffectId,
    /// The moving picture.
    pub video: NamedBlob,
    /// Pixels across, as shown.
    pub width: u32,
    /// Pixels down, as shown.
    pub height: u32,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Who made it: `runway gen4_turbo`.
    pub engine: String,
    /// What was asked for.
    pub prompt: String,
    /// What it cost at most.
    pub at_most: Cost,
}

/// How far a job came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// Approved; the vendor has not been heard to have taken it.
    Ordered,
    /// Nobody can tell whether the vendor took it: a person is asked.
    Unsure,
    /// The vendor works on it.
    Waiting {
        /// Its id there.
        job: String,
        /// How long it may take.
        until: Timestamp,
    },
    /// The footage is part of the draft.
    Ready {
        /// SHA-256 of what stands there.
        video: Digest,
    },
    /// It was there when the draft had gone on without it.
    Late {
        /// What the draft was then.
        why: String,
    },
    /// It came to nothing.
    Failed {
        /// A stable word: those of [`super::Progress::Failed`], and `refused`, `void`, `login`, `unusable`,
        /// `unreachable`.
        code: String,
        /// Why, as a person should read it.
        why: String,
        /// Whether asking for the same again may help.
        again: bool,
    },
    /// The vendor took too long.
    Expired {
        /// What was seen last.
        why: String,
    },
    /// A person called it off.
    Cancelled {
        /// What became of it at the vendor.
        why: String,
    },
}

impl JobState {
    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Unsure => "unsure",
            Self::Waiting { .. } => "waiting",
            Self::Ready { .. } => "ready",
            Self::Late { .. } => "late",
            Self::Failed { .. } => "failed",
            Self::Expired { .. } => "expired",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// All words.
    pub const NAMES: [&'static str; 8] =
        ["ordered", "unsure", "waiting", "ready", "late", "failed", "expired", "cancelled"];

    /// Whether nothing more will happen to it.
    pub const fn is_over(&self) -> bool {
        !matches!(self, Self::Ordered | Self::Unsure | Self::Waiting { .. })
    }
}

/// What the ledger has of a job's submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// The operation, by its name there.
    pub operation: String,
    /// What it was settled by.
    pub cost: Cost,
    /// When.
    pub at: Timestamp,
}

/// The job that a vendor was given by an approved purchase. It is made with the approval, in one commit, and found by
/// the index of what is due until it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FootageJob {
    /// The purchase; there is one job for each.
    pub effect: EffectId,
    /// The draft that it is for.
    pub draft: DraftId,
    /// The vendor's name in settings.
    pub provider: String,
    /// How far it came.
    #[serde(flatten)]
    pub state: JobState,
    /// How often the vendor was asked how far it is.
    pub looks: u32,
    /// When it is to be looked at; `None` once it is over or waits for a person.
    pub look_at: Option<Timestamp>,
    /// Who called it off, where somebody did: the vendor is told at the next look.
    pub stop: Option<String>,
    /// What the ledger has of its submission; unknown where whoever submitted it died.
    #[serde(default)]
    pub entered: Option<Entered>,
    /// What it used, where the vendor told.
    #[serde(default)]
    pub used: Option<Used>,
}

impl Record for FootageJob {
    const KIND: RecordKind = RecordKind::FootageJob;

    fn key(&self, scope: &Scope) -> Key {
        job_key(scope, self.effect)
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let late = self.look_at?.saturating_add(MESSAGE_MAY_TAKE).unwrap_or(Timestamp::MAX);
        Some(DueKind::Unknown.entry(scope, &format!("footage#{}", self.effect), late))
    }
}

/// Where the job of a purchase stands.
pub fn job_key(scope: &Scope, effect: EffectId) -> Key {
    scope.key("footage", effect.to_string())
}

impl FootageJob {
    /// The job of a purchase that is approved now.
    pub fn ordered(effect: EffectId, purchase: &Purchase, now: Timestamp) -> Self {
        Self {
            effect,
            draft: purchase.draft,
            provider: purchase.provider.clone(),
            state: JobState::Ordered,
            looks: 0,
            look_at: Some(now),
            stop: None,
            entered: None,
            used: None,
        }
    }

    /// The vendor took it.
    pub fn taken(&mut self, job: String, now: Timestamp) {
        let until = now.saturating_add(PATIENCE).unwrap_or(Timestamp::MAX);
        self.state = JobState::Waiting { job, until };
    }

    /// Nothing more will happen to it, or nothing before a person did something.
    pub fn rests_as(&mut self, state: JobState) {
        self.state = state;
        self.look_at = None;
    }

    /// The operations that bring the ledger from what was expected of it to what it used, for the commit in which it
    /// ends: so it is done once. None where the vendor told no more.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn corrections(
        &self,
        table: &dyn Table,
        scope: &Scope,
    ) -> Result<Vec<Op>, StoreError> {
        let (Some(entered), Some(used)) = (&self.entered, &self.used) else {
            return Ok(Vec::new());
        };
        let Entered { operation, cost: settled, at } = entered;
        let Used { tokens_in, tokens_out, cost } = *used;
        let correction = Correction {
            vendor: &self.provider,
            operation,
            entered: *at,
            settled: *settled,
            cost,
            tokens_in,
            tokens_out,
        };
        egress::correction(table, scope, correction).await
    }

    /// Sets the moment of the next look, about so many seconds from now, and no later than its time ends; the whole
    /// seconds until then.
    pub fn look_in(&mut self, after_seconds: u32, now: Timestamp) -> u32 {
        let (least, most) = PAUSE;
        let pause = after_seconds.clamp(least, most);
        // Up to a fifth longer, so that jobs begun together are not asked for together; it follows from the job, so
        // that a step that runs twice waits as long.
        let drawn = Digest::of_parts([
            self.effect.to_string().as_bytes(),
            self.looks.to_string().as_bytes(),
        ]);
        let pause = pause + u32::from(drawn.as_bytes()[0]) * pause / (5 * 255);
        let pause = match &self.state {
            JobState::Waiting { until, .. } if now < *until => {
                let left = until.duration_since(now).as_secs().max(0).unsigned_abs() + 1;
                pause.min(u32::try_from(left).unwrap_or(u32::MAX))
            }
            _ => pause,
        };
        self.look_at = now.saturating_add(SignedDuration::from_secs(i64::from(pause))).ok();
        pause
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::BlobKey;
    use proptest::prelude::*;

    use super::*;

    fn purchase() -> Purchase {
        Purchase {
            draft: DraftId::derived(&["draft"]),
            revision: 3,
            provider: "runway".into(),
            engine: "runway gen4_turbo".into(),
            prompt: "The loaf turns.".into(),
            picture: Some(NamedBlob {
                key: BlobKey::stored("media/ten/1.jpg"),
                digest: Digest::of(b"picture"),
                size: 7,
                content_type: "image/jpeg".into(),
            }),
            seconds: 5,
            shape: Shape::Vertical,
            at_most: Cost::micros(250_000),
            asked: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn n15_whatever_is_changed_of_a_purchase_is_another_purchase() {
        let changes: [fn(&mut Purchase); 10] = [
            |p| p.draft = DraftId::derived(&["another"]),
            |p| p.revision += 1,
            |p| p.provider = "luma".into(),
            |p| p.engine = "runway gen5".into(),
            |p| p.prompt.push('.'),
            |p| p.picture = None,
            |p| p.seconds = 10,
            |p| p.shape = Shape::Horizontal,
            |p| p.at_most = Cost::micros(250_001),
            |p| p.asked = Timestamp::from_second(1).unwrap(),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut other = purchase();
            change(&mut other);
            assert_ne!(other.digest(), purchase().digest(), "change {at}");
        }
        let mut other = purchase();
        other.picture.as_mut().unwrap().digest = Digest::of(b"another picture");
        assert_ne!(other.digest(), purchase().digest());
    }

    #[test]
    fn the_words_of_states_are_those_that_are_stored() {
        let why = || "why".to_owned();
        let states = [
            JobState::Ordered,
            JobState::Unsure,
            JobState::Waiting { job: why(), until: Timestamp::UNIX_EPOCH },
            JobState::Ready { video: Digest::of(b"") },
            JobState::Late { why: why() },
            JobState::Failed { code: why(), why: why(), again: false },
            JobState::Expired { why: why() },
            JobState::Cancelled { why: why() },
        ];
        for (state, name) in states.iter().zip(JobState::NAMES) {
            assert_eq!(state.name(), name);
            assert_eq!(serde_json::to_value(state).unwrap()["state"], name);
        }
    }

    proptest! {
        #[test]
        fn n29_a_job_is_looked_at_soon_and_never_long_after_its_time(
            asked in 0_u32..10_000, looks in 0_u32..1_000, spent in 0_i64..7_300,
        ) {
            let began = Timestamp::UNIX_EPOCH;
            let mut job = FootageJob::ordered(EffectId::derived(&["e"]), &purchase(), began);
            job.taken("job-1".into(), began);
            job.looks = looks;
            let now = began + SignedDuration::from_secs(spent);
            let pause = job.look_in(asked, now);
            prop_assert!((1..=360).contains(&pause));
            let at = job.look_at.unwrap();
            prop_assert_eq!(at, now + SignedDuration::from_secs(i64::from(pause)));
            if now < began + PATIENCE {
                prop_assert!(at <= began + PATIENCE + SignedDuration::from_secs(1));
            }
        }
    }
}
