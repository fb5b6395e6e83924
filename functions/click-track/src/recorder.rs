//! Hands clicks on to `attribute`, many in one message.
//!
//! Clicks wait in a bounded channel; one task gathers them and sends one message for each tenant among them. What was
//! sent is durable. With [`Ack::Window`] an answer does not wait: what it may lose, should the process die, is what came
//! within [`WINDOW`] and what is being sent. With [`Ack::Commit`] it waits until its own click is sent; nothing is
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
use nexus_core::queues::{Message, QueueError};
use nexus_core::{Envelope, Owner, Scope, Sender};
use nexus_engine::clicks::Click;
use nexus_engine::hops::Clicks;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// How long clicks are gathered that no answer waits for.
pub const WINDOW: Duration = Duration::from_millis(5);
/// How many clicks go together: at most about 1.5 KB each, so that a message stays below its 1 MiB.
pub const GROUP: usize = 500;
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

/// A click, and whose link it followed.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) scope: Scope,
    pub(crate) click: Click,
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
    /// Begun with the first click, in whose runtime its task lives.
    gathering: OnceLock<mpsc::Sender<Waiting>>,
}

impl Recorder {
    pub(crate) fn new(sender: Sender, ack: Ack) -> Self {
        Self { sender, ack, losses: Losses::default(), gathering: OnceLock::new() }
    }

    pub(crate) fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Records a click; back once it may be answered.
    pub(crate) async fn record(&self, recorded: Recorded) {
        let gathering = self.gathering.get_or_init(|| {
            let (into, from) = mpsc::channel(QUEUED);
            tokio::spawn(gather(from, self.sender.clone(), self.ack, self.losses.clone()));
            into
        });
        let (done, durable) = match self.ack {
            Ack::Commit => {
                let (done, durable) = oneshot::channel();
                (Some(done), Some(durable))
            }
            Ack::Window => (None, None),
        };
        if gathering.try_send(Waiting { recorded, done }).is_err() {
            self.losses.add(1, "too many wait");
            return;
        }
        // Whether it was sent or lost was counted where it happened; one that takes too long may yet be sent.
        if let Some(durable) = durable
            && timeout(ACK_WAIT, durable).await.is_err()
        {
            tracing::warn!("a click was answered before it was known to be durable");
        }
    }
}

/// Gathers and sends until nobody can record any more.
async fn gather(mut from: mpsc::Receiver<Waiting>, sender: Sender, ack: Ack, losses: Losses) {
    let mut group = Vec::with_capacity(GROUP);
    while from.recv_many(&mut group, GROUP).await > 0 {
        if ack == Ack::Window {
            let end = Instant::now() + WINDOW;
            while group.len() < GROUP {
                let room = GROUP - group.len();
                match timeout_at(end, from.recv_many(&mut group, room)).await {
                    Ok(more) if more > 0 => {}
                    _ => break,
                }
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

/// Sends a group, one message for each tenant in it.
async fn hand_on(group: Vec<Waiting>, sender: &Sender, losses: &Losses) {
    let (mut tenants, mut waiting) = (BTreeMap::<Owner, (Scope, Vec<Click>)>::new(), Vec::new());
    for Waiting { recorded: Recorded { scope, click }, done } in group {
        tenants.entry(scope.owner()).or_insert_with(|| (scope, Vec::new())).1.push(click);
        waiting.extend(done);
    }
    let (mut messages, mut clicks) = (Vec::new(), 0);
    for (scope, gathered) in tenants.into_values() {
        let count = gathered.len() as u64;
        match Envelope::seal(&scope, TRACE, &Clicks { clicks: gathered }) {
            Ok(body) => {
                clicks += count;
                let group = scope.owner().to_string();
                messages.push(Message { body, group, delay: Duration::ZERO });
            }
            Err(_) => losses.add(count, "a message cannot be written"),
        }
    }
    // An attempt whose answer was lost may have succeeded: a click that comes twice counts once, by its id.
    for attempt in 1..=TRIES {
        match sender.send(messages.clone()).await {
            Ok(()) => break,
            Err(QueueError::Unavailable(_)) if attempt < TRIES => {}
            Err(QueueError::Unavailable(_)) => losses.add(clicks, "the queue does not answer"),
            // The error may quote what was refused.
            Err(QueueError::NoSuchQueue(_) | QueueError::Refused(_)) => {
                losses.add(clicks, "the queue refuses them");
                break;
            }
        }
    }
    for done in waiting {
        // Whoever waited too long has gone.
        done.send(()).ok();
    }
}
