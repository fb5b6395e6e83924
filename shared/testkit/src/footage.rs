//! A vendor of footage that pretends: it takes everything and has it ready at once, unless it was told otherwise.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::CallContext;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_engine::footage::{
    Charge, FootageBrief, FootageMaker, Looked, Progress, Quote, Submitted, Used,
};
use nexus_kernel::{Failure, Timestamp};

use crate::fakes::{Calls, lock};

/// What a submission is called in the ledger. Whether it is entered there is the test's matter.
pub const OPERATION: &str = "make";

/// Makes 5 or 10 seconds, for 5 cents each; its jobs are `job-1`, `job-2` and so on. Answers that a test queued come
/// first, one for each call.
pub struct FakeFootageMaker {
    name: &'static str,
    /// What was submitted, whatever it answered.
    pub submitted: Calls<FootageBrief>,
    /// Since when it was searched for jobs.
    pub looked_up: Calls<Timestamp>,
    /// Of which jobs it was asked how far they are.
    pub asked: Calls<String>,
    /// Which jobs were fetched.
    pub fetched: Calls<String>,
    /// Which jobs were given up.
    pub cancelled: Calls<String>,
    state: Mutex<State>,
}

struct State {
    model: String,
    micros_a_second: i64,
    can_cancel: bool,
    clip: Bytes,
    used: Option<Used>,
    jobs: Vec<FootageBrief>,
    outcomes: VecDeque<Outcome>,
    findings: VecDeque<Found>,
    progress: VecDeque<Result<Progress, Failure>>,
    fetches: VecDeque<Result<Bytes, Failure>>,
    cancels: VecDeque<Result<(), Failure>>,
}

impl fmt::Debug for FakeFootageMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeFootageMaker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FakeFootageMaker {
    /// The vendor of this name.
    pub fn named(name: &'static str) -> Self {
        let state = State {
            model: "model-1".into(),
            micros_a_second: 50_000,
            can_cancel: true,
            clip: Bytes::from_static(b"no moving picture"),
            used: None,
            jobs: Vec::new(),
            outcomes: VecDeque::new(),
            findings: VecDeque::new(),
            progress: VecDeque::new(),
            fetches: VecDeque::new(),
            cancels: VecDeque::new(),
        };
        Self {
            name,
            submitted: Calls::default(),
            looked_up: Calls::default(),
            asked: Calls::default(),
            fetched: Calls::default(),
            cancelled: Calls::default(),
            state: Mutex::new(state),
        }
    }

    /// What a finished job holds from now on.
    pub fn gives(&self, clip: impl Into<Bytes>) {
        lock(&self.state).clip = clip.into();
    }

    /// What a job used that is over, from now on; until then it does not tell.
    pub fn counts(&self, used: Used) {
        lock(&self.state).used = Some(used);
    }

    /// Its model from now on.
    pub fn changes_model(&self, model: &str) {
        lock(&self.state).model = model.to_owned();
    }

    /// Its price from now on, in millionths of a dollar a second.
    pub fn charges(&self, micros_a_second: i64) {
        lock(&self.state).micros_a_second = micros_a_second;
    }

    /// From now on it cannot be told to stop.
    pub fn cannot_cancel(&self) {
        lock(&self.state).can_cancel = false;
    }

    /// Answers so to the next submission that has no answer yet. `Done` and `Unknown` take the job, others do not.
    pub fn answer(&self, outcome: Outcome) {
        lock(&self.state).outcomes.push_back(outcome);
    }

    /// Finds this at the next search that has no finding yet.
    pub fn find(&self, found: Found) {
        lock(&self.state).findings.push_back(found);
    }

    /// Says so when next asked how far a job is.
    pub fn says(&self, progress: Result<Progress, Failure>) {
        lock(&self.state).progress.push_back(progress);
    }

    /// Gives this when a job is next fetched.
    pub fn hands_over(&self, footage: Result<Bytes, Failure>) {
        lock(&self.state).fetches.push_back(footage);
    }

    /// Answers so when a job is next given up.
    pub fn stops(&self, answer: Result<(), Failure>) {
        lock(&self.state).cancels.push_back(answer);
    }

    /// How many jobs it took: how often something was bought.
    pub fn sold(&self) -> usize {
        lock(&self.state).jobs.len()
    }
}

fn job(number: usize) -> String {
    format!("job-{number}")
}

#[async_trait]
impl FootageMaker for FakeFootageMaker {
    fn name(&self) -> &'static str {
        self.name
    }

    fn engine(&self) -> String {
        format!("{} {}", self.name, lock(&self.state).model)
    }

    fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure> {
        let seconds = match brief.seconds {
            0..=5 => 5,
            6..=10 => 10,
            _ => return Err(Failure::field("seconds", "choose at most 10")),
        };
        let micros = lock(&self.state).micros_a_second.saturating_mul(i64::from(seconds));
        Ok(Quote { seconds, cost: Cost::micros(micros) })
    }

    async fn submit(&self, _: &CallContext, brief: &FootageBrief) -> Submitted {
        self.submitted.note(brief.clone());
        let cost = self.quote(brief).map_or(Cost::ZERO, |quote| quote.cost);
        let mut state = lock(&self.state);
        let receipt = job(state.jobs.len() + 1);
        let done = Outcome::Done { receipt, url: None };
        let outcome = state.outcomes.pop_front().unwrap_or(done);
        if matches!(outcome, Outcome::Done { .. } | Outcome::Unknown { .. }) {
            state.jobs.push(brief.clone());
        }
        let is_done = matches!(outcome, Outcome::Done { .. });
        Submitted { outcome, charge: is_done.then_some(Charge { operation: OPERATION, cost }) }
    }

    async fn status(&self, _: &CallContext, job: &str) -> Result<Looked, Failure> {
        self.asked.note(job.to_owned());
        let mut state = lock(&self.state);
        let progress = state.progress.pop_front().unwrap_or(Ok(Progress::Ready))?;
        let is_over = !matches!(progress, Progress::Waiting { .. });
        Ok(Looked { progress, used: state.used.filter(|_| is_over) })
    }

    async fn fetch(&self, _: &CallContext, job: &str) -> Result<Bytes, Failure> {
        self.fetched.note(job.to_owned());
        let mut state = lock(&self.state);
        state.fetches.pop_front().unwrap_or_else(|| Ok(state.clip.clone()))
    }

    fn can_cancel(&self) -> bool {
        lock(&self.state).can_cancel
    }

    async fn cancel(&self, _: &CallContext, job: &str) -> Result<(), Failure> {
        self.cancelled.note(job.to_owned());
        lock(&self.state).cancels.pop_front().unwrap_or(Ok(()))
    }

    async fn look_up(&self, _: &CallContext, brief: &FootageBrief, since: Timestamp) -> Found {
        self.looked_up.note(since);
        let mut state = lock(&self.state);
        if let Some(found) = state.findings.pop_front() {
            return found;
        }
        match state.jobs.iter().rposition(|taken| taken == brief) {
            Some(at) => Found::Done { receipt: job(at + 1), url: None },
            None => Found::NotDone,
        }
    }
}
