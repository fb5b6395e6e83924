//! Hands clicks on to `attribute`, many in one message.
//!
//! Clicks wait in a bounded channel; one task gathers them and sends one message for each tenant among them. What was
//! sent is durable. With [`Ack::Window`] an answer does not wait: what it may lose, should the process die, is what came
//! within [`WINDOW`] and what is being sent; a process that ends in order sends it before. With [`Ack::Commit`] it waits until its own click is sent; nothing is
//! gathered by waiting then: what comes while a message is being sent goes together with the next.
//!
//! Whatever happens here, the click is answered. What could not be handed on is counted ([`Losses`]) and told.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use nexus_core::queues::{MAX_BODY_BYTES, Message, QueueError};
use nexus_core::{Endings, Envelope, Owner, Scope, Sender};
use nexus_engine::clicks::{ClickId, Clicks, Followed, Place, Program, Referrer, Visitor};
use nexus_kernel::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::standing::Standing;

/// How long clicks are gathered that no answer waits for.
pub const WINDOW: Duration = Duration::from_millis(5);
/// How many clicks are gathered at once.
pub const GROUP: usize = 500;
/// The longest message: the queue's limit, less what it writes beside the body.
const MESSAGE_BYTES: usize = MAX_BODY_BYTES / 10 * 9;
/// How many clicks wait at most; what comes beyond that is answered and lost.
pub const QUEUED: usize = 20_000;
/// How long an answer waits for its click to be durable.
const ACK_WAIT: Duration = Duration::from_secs(3);
/// How often a message is tried.
const TRIES: usize = 2;
/// The request that clicks go back to: none, since many go together, and what led to one is nobody's to follow.
const TRACE: &str = "click";

/// When a click is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// Once it is durable. The entrance on Lambda stops the process between calls, so nothing may be left over there.
    Commit,
    /// At once.
    Window,
}

/// A click as it was seen. What it shares with others it does not copy.
pub(crate) struct Recorded {
    pub(crate) id: ClickId,
    pub(crate) at: Timestamp,
    /// The link that was followed, and whose it is.
    pub(crate) standing: Arc<Standing>,
    pub(crate) place: Place,
    pub(crate) program: Arc<Program>,
    pub(crate) page: Option<Arc<Referrer>>,
    pub(crate) visitor: Visitor,
    pub(crate) head: bool,
    pub(crate) no_accept: bool,
}

impl Recorded {
    fn scope(&self) -> &Scope {
        &self.standing.found.scope
    }

    fn told(&self) -> Followed<'_> {
        let link = &self.standing.found.link;
        Followed {
            id: self.id,
            at: self.at,
            link: link.code.as_str(),
            post: link.post,
            place: &self.place,
            program: self.program.text(),
            page: self.page.as_deref(),
            visitor: self.visitor,
            head: self.head,
            no_accept: self.no_accept,
        }
    }
}

/// How many clicks were answered and not handed on. Clones count together.
#[derive(Clone, Default)]
pub struct Losses(Arc<Lost>);

#[derive(Default)]
struct Lost {
    all: AtomicU64,
    untold: AtomicU64,
}

impl Losses {
    /// Since the process began.
    pub fn count(&self) -> u64 {
        self.0.all.load(Ordering::Relaxed)
    }

    /// Those that nobody was told of; whoever asks is told.
    pub(crate) fn untold(&self) -> u64 {
        self.0.untold.swap(0, Ordering::Relaxed)
    }

    fn add(&self, clicks: u64, why: &'static str) {
        self.0.untold.fetch_add(clicks, Ordering::Relaxed);
        let before = self.0.all.fetch_add(clicks, Ordering::Relaxed);
        // The first, then each time that there are twice as many: a flood does not become a flood of lines.
        let after = before.saturating_add(clicks);
        if before == 0 || after.ilog2() > before.ilog2() {
            tracing::error!(lost_clicks = after, "clicks were answered and not recorded: {why}");
        }
    }
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Losses({})", self.count())
    }
}

struct Waiting {
    recorded: Recorded,
    /// Told once the click is durable, or lost.
    done: Option<oneshot::Sender<()>>,
}

/// Hands clicks on.
pub(crate) struct Recorder {
    sender: Sender,
    ack: Ack,
    losses: Losses,
    endings: Endings,
    /// Told when as many wait as go together.
    full: Arc<Notify>,
    /// Begun with the first click, in whose runtime its task lives.
    gathering: OnceLock<mpsc::Sender<Waiting>>,
}

impl Recorder {
    pub(crate) fn new(sender: Sender, ack: Ack, endings: Endings) -> Self {
        let (losses, full) = (Losses::default(), Arc::default());
        Self { sender, ack, losses, endings, full, gathering: OnceLock::new() }
    }

    pub(crate) fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Records a click; back once it may be answered.
    pub(crate) async fn record(&self, recorded: Recorded) {
        let gathering = self.gathering.get_or_init(|| {
            let (into, from) = mpsc::channel(QUEUED);
            let (end, ended) = oneshot::channel::<()>();
            let (sender, losses) = (self.sender.clone(), self.losses.clone());
            let full = Arc::clone(&self.full);
            let gathering = tokio::spawn(gather(from, ended, sender, self.ack, losses, full));
            self.endings.add(async move {
                drop(end);
                gathering.await.ok();
            });
            into
        });
        let (done, durable) = match self.ack {
            Ack::Commit => {
                let (done, durable) = oneshot::channel();
                (Some(done), Some(durable))
            }
            Ack::Window => (None, None),
        };
        if let Err(error) = gathering.try_send(Waiting { recorded, done }) {
            let full = matches!(error, TrySendError::Full(_));
            self.losses.add(1, if full { "too many wait" } else { "the process ends" });
            return;
        }
        // With the one that the task holds.
        if gathering.max_capacity() - gathering.capacity() >= GROUP - 1 {
            self.full.notify_one();
        }
        // Whether it was sent or lost was counted where it happened; one that takes too long may yet be sent.
        if let Some(durable) = durable
            && timeout(ACK_WAIT, durable).await.is_err()
        {
            tracing::warn!("a click was answered before it was known to be durable");
        }
    }
}

/// Gathers and sends until nobody can record any more, or the process ends; then what waits is the last.
async fn gather(
    mut from: mpsc::Receiver<Waiting>,
    mut ended: oneshot::Receiver<()>,
    sender: Sender,
    ack: Ack,
    losses: Losses,
    full: Arc<Notify>,
) {
    let first = match ack {
        Ack::Commit => GROUP,
        Ack::Window => 1,
    };
    let mut group = Vec::with_capacity(GROUP);
    loop {
        tokio::select! {
            _ = &mut ended, if !from.is_closed() => {
                from.close();
                continue;
            }
            more = from.recv_many(&mut group, first) => if more == 0 {
                return;
            }
        }
        if ack == Ack::Window {
            let end = Instant::now() + WINDOW;
            // Those who come meanwhile wake nobody, but the one who fills the group.
            while from.len() < GROUP - 1 && timeout_at(end, full.notified()).await.is_ok() {}
            if !from.is_empty() {
                from.recv_many(&mut group, GROUP - 1).await;
            }
        }
        let group = std::mem::take(&mut group);
        let clicks = group.len() as u64;
        // A queue that panics costs its group, and not those that come later.
        if AssertUnwindSafe(hand_on(group, &sender, &losses)).catch_unwind().await.is_err() {
            losses.add(clicks, "the queue panicked");
        }
    }
}

/// Sends a group, to each tenant in it its own.
async fn hand_on(group: Vec<Waiting>, sender: &Sender, losses: &Losses) {
    let (mut tenants, mut waiting) = (BTreeMap::<Owner, Vec<Recorded>>::new(), Vec::new());
    for Waiting { recorded, done } in group {
        tenants.entry(recorded.scope().owner()).or_default().push(recorded);
        waiting.extend(done);
    }
    let mut sealed = Vec::new();
    for clicks in tenants.values() {
        seal(clicks, &mut sealed, losses);
    }
    let (clicks, messages): (Vec<u64>, Vec<Message>) = sealed.into_iter().unzip();
    match send(sender, messages.clone()).await {
        // One that is refused costs the others nothing: each goes alone then.
        Err(QueueError::Refused(_)) if messages.len() > 1 => {
            for (clicks, message) in clicks.into_iter().zip(messages) {
                lost(send(sender, vec![message]).await, clicks, losses);
            }
        }
        sent => lost(sent, clicks.iter().sum(), losses),
    }
    for done in waiting {
        // Whoever waited too long has gone.
        done.send(()).ok();
    }
}

/// The messages with a tenant's clicks, and how many each carries: one, or where it would be too long two with half of
/// them, and so on.
fn seal(clicks: &[Recorded], into: &mut Vec<(u64, Message)>, losses: &Losses) {
    let Some(scope) = clicks.first().map(Recorded::scope) else { return };
    match Envelope::seal(scope, TRACE, &Clicks::of(clicks.iter().map(Recorded::told))) {
        Ok(body) if body.len() > MESSAGE_BYTES && clicks.len() > 1 => {
            let (some, others) = clicks.split_at(clicks.len() / 2);
            seal(some, into, losses);
            seal(others, into, losses);
        }
        Ok(body) => {
            let group = scope.owner().to_string();
            into.push((clicks.len() as u64, Message { body, group, delay: Duration::ZERO }));
        }
        Err(_) => losses.add(clicks.len() as u64, "a message cannot be written"),
    }
}

/// Sends messages, again where the queue does not answer: a click that comes twice counts once, by its id.
async fn send(sender: &Sender, messages: Vec<Message>) -> Result<(), QueueError> {
    for _ in 1..TRIES {
        match sender.send(messages.clone()).await {
            Err(QueueError::Unavailable(_)) => {}
            sent => return sent,
        }
    }
    sender.send(messages).await
}

fn lost(sent: Result<(), QueueError>, clicks: u64, losses: &Losses) {
    match sent {
        Ok(()) => {}
        Err(QueueError::Unavailable(_)) => losses.add(clicks, "the queue does not answer"),
        // The error may quote what was refused.
        Err(QueueError::NoSuchQueue(_) | QueueError::Refused(_)) => {
            losses.add(clicks, "the queue refuses them");
        }
    }
}
