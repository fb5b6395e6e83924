//! Generated footage: a few seconds of moving picture that a vendor makes from a prompt and a picture, for money.
//!
//! To buy footage is an effect: a person approves exactly that request and its price, it is submitted once, an
//! unknown submission is looked up before anything is bought again, and what comes back is checked like an upload.
//!
//! **Never here:** a vendor's shape, sleeping until footage is ready.
//!
//! # What every [`FootageMaker`] keeps
//! Each sentence is a test of every vendor's adapter:
//! 1. A quote is made without asking anybody, and never promises less than the brief's seconds: the next longer length
//!    that the vendor makes, or no. Its cost is what the submission reserves under the tenant's cap.
//! 2. A submission is sent at most once. What the quote would refuse is [`Outcome::Refused`] and not sent. A lost or
//!    unreadable answer is [`Outcome::Unknown`], never [`Outcome::Throttled`].
//! 3. A job that the vendor does not know (any more) is [`Progress::Failed`] with the code `expired`, not an error.
//! 4. Fetching asks the vendor for the address anew and keeps none. An address that has expired meanwhile is asked for
//!    once more. What is gone for good is a failure of the kind `NotFound`; of a job that is not ready, `Conflict`;
//!    with every other failure, fetching later may help.
//! 5. To cancel never deletes what is finished as far as the vendor said, and is no error when the job is over.
//! 6. No address, key or raw word of a vendor stands in anything that is told or printed.
//! 7. What a job used is told with its end, where the vendor tells it, each time it is asked for: whoever asks settles it
//!    once.

pub mod buying;
pub mod purchase;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::CallContext;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_kernel::{Failure, Timestamp};

/// The most bytes of footage that are taken from a vendor: 64 MiB.
///
/// Ten seconds of 720p are 5 to 25 MB. It is held in memory once, by a function that has 512 MiB or more, and is
/// nobody's upload: what is larger is not what was ordered.
pub const MAX_FOOTAGE: u64 = 64 * 1024 * 1024;

/// What footage is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FootageBrief {
    /// What should be seen and how the camera moves; the vendor's limit is checked by [`FootageMaker::quote`].
    pub prompt: String,
    /// The picture that it begins with.
    pub picture: Option<StartPicture>,
    /// How long it should be, in seconds; the vendor may make the next length that it has ([`Quote::seconds`]).
    pub seconds: u32,
    /// Its shape.
    pub shape: Shape,
}

/// The picture that footage begins with: a cleaned rendition, nothing else of the medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPicture {
    /// Its bytes.
    pub bytes: Bytes,
    /// `image/jpeg` or `image/png`.
    pub content_type: &'static str,
}

/// The shape of footage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// 9:16.
    Vertical,
    /// 16:9.
    Horizontal,
}

/// What a vendor would make of a brief, and for how much at most. Made without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The length that it makes, in seconds.
    pub seconds: u32,
    /// What it costs at most, by the price list.
    pub cost: Cost,
}

/// What a submission came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Whether the vendor took the job. `Done`'s receipt is the job's id there.
    pub outcome: Outcome,
    /// What the ledger has of it, where the vendor took it.
    pub charge: Option<Charge>,
}

/// What the ledger has of a submission: what it is taken to cost until the job is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The operation, by its name in the ledger.
    pub operation: &'static str,
    /// What it was settled by.
    pub cost: Cost,
}

/// What a look at a job found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// How far it is.
    pub progress: Progress,
    /// What it used, once it is over and where the vendor tells.
    pub used: Option<Used>,
}

/// What a job that is over used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Used {
    /// Tokens that went in.
    pub tokens_in: u64,
    /// Tokens that came out.
    pub tokens_out: u64,
    /// What it cost.
    pub cost: Cost,
}

/// How far a submitted job came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It waits or is worked on; asking again makes sense after so many seconds.
    Waiting {
        /// Seconds.
        after_seconds: u32,
    },
    /// It is there, to be fetched before the vendor's address expires.
    Ready,
    /// It came to nothing, and will not.
    Failed {
        /// A stable word: `moderated` (the vendor's content check said no), `input` (it cannot use the picture or
        /// the prompt), `budget` (the house's account there is used up), `cancelled`, `expired` (it does not know the
        /// job any more), `failed` (everything else).
        code: String,
        /// Why, as a person should read it.
        why: String,
        /// Whether asking for the same again may help; once, since no vendor says how often it does. It costs anew, so
        /// it is a new purchase that a person approves.
        again: bool,
    },
}

/// Makes footage.
#[async_trait]
pub trait FootageMaker: Send + Sync {
    /// The vendor's name in settings: `runway`.
    fn name(&self) -> &'static str;

    /// The engine's name and model as a person reads it: `runway gen4_turbo`.
    fn engine(&self) -> String;

    /// What it would make of this, and for how much.
    ///
    /// # Errors
    /// It cannot: the field and the remedy.
    fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure>;

    /// Asks for it, once.
    async fn submit(&self, at: &CallContext, brief: &FootageBrief) -> Submitted;

    /// How far the job is. [`Progress::Waiting`] names the vendor's least interval; the caller adds its jitter.
    ///
    /// # Errors
    /// The vendor does not answer, or not so that it can be read.
    async fn status(&self, at: &CallContext, job: &str) -> Result<Looked, Failure>;

    /// The bytes of a job that is [`Progress::Ready`]; not checked.
    ///
    /// # Errors
    /// They cannot be had now, or not any more.
    async fn fetch(&self, at: &CallContext, job: &str) -> Result<Bytes, Failure>;

    /// Whether the vendor can be told to stop. Where it cannot, [`cancel`](Self::cancel) sends nothing: the job runs to
    /// its end and is paid.
    fn can_cancel(&self) -> bool {
        true
    }

    /// Gives the job up; one that is over already is no error. What was spent until then is spent.
    ///
    /// # Errors
    /// The vendor does not answer.
    async fn cancel(&self, at: &CallContext, job: &str) -> Result<(), Failure>;

    /// Looks for a job whose submission got no answer: one of this brief, submitted since. A vendor that has no list
    /// answers [`Found::StillUnknown`], so that in the end a person is asked.
    async fn look_up(&self, at: &CallContext, brief: &FootageBrief, since: Timestamp) -> Found;
}
