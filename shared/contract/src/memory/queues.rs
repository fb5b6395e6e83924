use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nexus_core::queues::{
    DeadLetters, Depth, Message, QueueAddress, QueueError, QueueSettings, Queues, Received,
    check_limits,
};
use nexus_kernel::{Clock, Timestamp};

use super::lock;

/// Queues in memory. Clones are handles to the same messages.
#[derive(Clone, Debug)]
pub struct MemoryQueues {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    queues: BTreeMap<QueueAddress, Queue>,
    drawn: u64,
}

#[derive(Debug)]
struct Queue {
    settings: QueueSettings,
    waiting: Vec<Waiting>,
    /// The groups that have messages, the one whose turn is longest ago first.
    turns: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Waiting {
    id: u64,
    body: String,
    group: String,
    sent: Timestamp,
    visible_at: Timestamp,
    received: u32,
    receipt: Option<String>,
}

impl Waiting {
    /// As if it had just been sent and never received.
    fn anew(self, now: Timestamp) -> Self {
        Self { received: 0, visible_at: now, receipt: None, ..self }
    }
}

impl Queue {
    fn accept(&mut self, message: Waiting) {
        if !self.turns.contains(&message.group) {
            self.turns.push_back(message.group.clone());
        }
        self.waiting.push(message);
    }

    fn take(&mut self, place: usize) -> Waiting {
        let message = self.waiting.remove(place);
        if !self.waiting.iter().any(|m| m.group == message.group) {
            self.turns.retain(|group| *group != message.group);
        }
        message
    }

    /// The place of the message whose turn it is.
    fn next(&self, now: Timestamp) -> Option<usize> {
        self.turns.iter().find_map(|group| {
            let visible = |m: &&Waiting| m.group == *group && m.visible_at <= now;
            let first = self.waiting.iter().filter(visible).min_by_key(|m| (m.visible_at, m.id))?;
            self.waiting.iter().position(|m| m.id == first.id)
        })
    }

    /// Puts a message into somebody's hands; its group goes to the end of the line.
    fn serve(&mut self, place: usize, drawn: u64, until: Timestamp) -> Received {
        let message = &mut self.waiting[place];
        let receipt = format!("{}-{drawn}", message.id);
        message.received += 1;
        message.visible_at = until;
        message.receipt = Some(receipt.clone());
        self.turns.retain(|group| *group != message.group);
        self.turns.push_back(message.group.clone());
        Received {
            id: message.id.to_string(),
            receipt,
            body: message.body.clone(),
            group: message.group.clone(),
            receive_count: message.received,
            sent: message.sent,
        }
    }

    fn held_under(&self, receipt: &str) -> Option<usize> {
        self.waiting.iter().position(|m| m.receipt.as_deref() == Some(receipt))
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

impl MemoryQueues {
    /// These queues, empty, and those that they give messages up to, on this clock.
    pub fn new(declared: Vec<QueueSettings>, clock: Arc<dyn Clock>) -> Self {
        let dead = declared.iter().filter_map(|s| s.dead_letters.as_ref()).map(|d| d.queue.clone());
        let implied: Vec<_> = dead.map(QueueSettings::plain).collect();
        let queues = implied
            .into_iter()
            .chain(declared)
            .map(|s| (s.address.clone(), s))
            .map(|(a, settings)| {
                (a, Queue { settings, waiting: Vec::new(), turns: VecDeque::new() })
            })
            .collect();
        Self { state: Arc::new(Mutex::new(State { queues, drawn: 0 })), clock }
    }

    /// What waits in a queue, in whatever state, oldest first: for a test that looks at what left the system.
    pub fn waiting(&self, queue: &QueueAddress) -> Vec<Message> {
        let state = lock(&self.state);
        let waiting = state.queues.get(queue).map(|q| q.waiting.as_slice()).unwrap_or_default();
        let mut sorted: Vec<_> = waiting.iter().collect();
        sorted.sort_by_key(|m| m.id);
        sorted
            .into_iter()
            .map(|m| Message {
                body: m.body.clone(),
                group: m.group.clone(),
                delay: Duration::ZERO,
            })
            .collect()
    }
}

impl State {
    fn queue(&mut self, address: &QueueAddress) -> Result<&mut Queue, QueueError> {
        self.queues.get_mut(address).ok_or_else(|| QueueError::NoSuchQueue(address.clone()))
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        check_limits(&messages)?;
        let now = self.clock.now();
        let mut state = lock(&self.state);
        for message in messages {
            let id = state.draw();
            let queue = state.queue(queue)?;
            let delay = if message.delay.is_zero() { queue.settings.delay } else { message.delay };
            queue.accept(Waiting {
                id,
                body: message.body,
                group: message.group,
                sent: now,
                visible_at: later(now, delay),
                received: 0,
                receipt: None,
            });
        }
        state.queue(queue).map(|_| ())
    }

    async fn receive(
        &self,
        queue: &QueueAddress,
        max: u32,
        visibility: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let dead_letters = state.queue(queue)?.settings.dead_letters.clone();
        let mut taken = Vec::new();
        while taken.len() < max as usize {
            let waiting = state.queue(queue)?;
            let Some(place) = waiting.next(now) else { break };
            let spent = |d: &&DeadLetters| waiting.waiting[place].received >= d.after;
            if let Some(dead) = dead_letters.as_ref().filter(spent) {
                let letter = waiting.take(place).anew(now);
                state.queue(&dead.queue)?.accept(letter);
                continue;
            }
            let drawn = state.draw();
            taken.push(state.queue(queue)?.serve(place, drawn, later(now, visibility)));
        }
        Ok(taken)
    }

    async fn delete(&self, queue: &QueueAddress, receipts: &[String]) -> Result<(), QueueError> {
        let mut state = lock(&self.state);
        let queue = state.queue(queue)?;
        for receipt in receipts {
            if let Some(place) = queue.held_under(receipt) {
                queue.take(place);
            }
        }
        Ok(())
    }

    async fn retry(
        &self,
        queue: &QueueAddress,
        receipt: &str,
        after: Duration,
    ) -> Result<(), QueueError> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let queue = state.queue(queue)?;
        if let Some(place) = queue.held_under(receipt)
            && let Some(message) = queue.waiting.get_mut(place)
            && message.visible_at > now
        {
            message.visible_at = later(now, after);
        }
        Ok(())
    }

    async fn depth(&self, queue: &QueueAddress) -> Result<Depth, QueueError> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let waiting = &state.queue(queue)?.waiting;
        let count =
            |those: &dyn Fn(&Waiting) -> bool| waiting.iter().filter(|m| those(m)).count() as u64;
        Ok(Depth {
            visible: count(&|m| m.visible_at <= now),
            in_flight: count(&|m| m.visible_at > now && m.receipt.is_some()),
            delayed: count(&|m| m.visible_at > now && m.receipt.is_none()),
            oldest: waiting.iter().map(|m| m.sent).min(),
        })
    }

    async fn redrive(
        &self,
        dead: &QueueAddress,
        queue: &QueueAddress,
        max: u32,
    ) -> Result<u64, QueueError> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        state.queue(queue)?;
        let mut moved = 0;
        while moved < u64::from(max) {
            let letters = state.queue(dead)?;
            let visible = letters.waiting.iter().enumerate().filter(|(_, m)| m.visible_at <= now);
            let Some((place, _)) = visible.min_by_key(|(_, m)| (m.sent, m.id)) else { break };
            let letter = letters.take(place).anew(now);
            state.queue(queue)?.accept(letter);
            moved += 1;
        }
        Ok(moved)
    }
}
