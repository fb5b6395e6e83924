use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nexus_core::bus::{Bus, BusError, Event};

use super::lock;

/// A bus in memory that remembers what was told. Clones are handles to the same bus.
#[derive(Clone, Debug, Default)]
pub struct MemoryBus(Arc<Mutex<Vec<Event>>>);

impl MemoryBus {
    /// What was told since this was asked last, in order.
    pub fn heard(&self) -> Vec<Event> {
        std::mem::take(&mut *lock(&self.0))
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn tell(&self, events: Vec<Event>) -> Result<(), BusError> {
        lock(&self.0).extend(events);
        Ok(())
    }
}
