//! The bus within one process: who subscribes hears what is told from then on. Nothing of it survives the process.

use async_trait::async_trait;
use nexus_core::bus::{Bus, BusError, Event};
use tokio::sync::broadcast;

/// How many events wait for a subscriber; one who is slower misses the oldest and is told how many.
const WAITING: usize = 1_024;

/// A bus. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct ProcessBus(broadcast::Sender<Event>);

/// Somebody who hears all events from the moment of subscribing.
#[derive(Debug)]
pub struct Subscriber(broadcast::Receiver<Event>);

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Event(Event),
    /// So many were told while this subscriber was busy, and are gone for it.
    Missed(u64),
}

impl Default for ProcessBus {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING))
    }
}

impl ProcessBus {
    /// A bus without subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Somebody who listens from now on.
    pub fn subscribe(&self) -> Subscriber {
        Subscriber(self.0.subscribe())
    }
}

impl Subscriber {
    /// The next event, once there is one; `None` when all handles to the bus are gone.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(event) => Some(Heard::Event(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Heard::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[async_trait]
impl Bus for ProcessBus {
    async fn tell(&self, events: Vec<Event>) -> Result<(), BusError> {
        for event in events {
            // An error says only that nobody listens.
            drop(self.0.send(event));
        }
        Ok(())
    }
}
