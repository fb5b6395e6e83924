//! What the tests of words and voices stand on: a house with a key, whose wire keeps what was sent and answers in turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nexus_contract::START;
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_core::vault::SecretName;
use nexus_core::{CallContext, Product, Vault};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Secret};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Outbound, Parts, Recording, Transport, TransportError, Vendor};
use nexus_testkit::people;
use serde_json::Value;

/// The house's key at every vendor.
pub(crate) const KEY: &str = "canary-key";

/// Answers in turn, and keeps what was asked.
#[derive(Default)]
pub(crate) struct Wire {
    answers: Mutex<VecDeque<Result<Answer, TransportError>>>,
    asked: Mutex<Vec<(String, Value)>>,
}

impl Wire {
    /// The next answer is that of this recording.
    pub(crate) fn answers(&self, recording: &Recording) -> &Self {
        self.then(Ok(recording.answer().unwrap()))
    }

    /// The next answer.
    pub(crate) fn then(&self, answer: Result<Answer, TransportError>) -> &Self {
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    /// The bodies that were sent since the last time, each with the key in its vendor's header and nowhere else.
    pub(crate) fn asked(&self, key_header: &str) -> Vec<Value> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let mut bodies = Vec::new();
        for (keyed, body) in asked {
            assert_eq!(keyed, key_header);
            assert!(!body.to_string().contains(KEY));
            bodies.push(body);
        }
        bodies
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest, _: Duration) -> Result<Answer, TransportError> {
        assert!(!request.url.contains(KEY));
        let keyed = request.headers.iter().filter(|(_, value)| value.as_bytes() == KEY.as_bytes());
        let keyed: Vec<&str> = keyed.map(|(name, _)| name.as_str()).collect();
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        self.asked.lock().unwrap().push((keyed.join(","), body));
        let next = self.answers.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Err(TransportError::Forbidden("no answer is left".into())))
    }
}

/// The way to a vendor in a house that has its key.
pub(crate) async fn way(vendor: &'static Vendor, wire: &Arc<Wire>) -> Outbound {
    let clock = Arc::new(ManualClock::at(START));
    let ambient = Ambient::seeded(Arc::<ManualClock>::clone(&clock), 7);
    let vault = MemoryVault::new(ambient.clone());
    let name = SecretName::of_house(Product::Engine, vendor.name).unwrap();
    vault.rotate(&name, None, &Secret::new(KEY.into())).await.unwrap();
    let parts = Parts {
        product: Product::Engine,
        table: Arc::new(MemoryTable::new(clock)),
        vault: Arc::new(vault),
        transport: Arc::<Wire>::clone(wire),
        ambient,
    };
    Outbound::new(vendor, None, parts).unwrap()
}

/// On behalf of a tenant, with five minutes.
pub(crate) fn on_behalf_of(tenant: u32) -> CallContext {
    let until = START + jiff::SignedDuration::from_secs(300);
    CallContext { scope: people::scope(people::tenant(tenant)), until }
}
