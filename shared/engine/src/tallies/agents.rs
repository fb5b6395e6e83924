//! How browsers present themselves, kept once for each tenant: thousands of clicks share a few hundred texts.

use std::collections::HashMap;

use data_encoding::BASE64URL_NOPAD;
use nexus_core::{Key, Record, RecordKind, Scope, Table, records};
use nexus_kernel::{Digest, Failure};
use serde::{Deserialize, Serialize};

use crate::clicks::Agent;

/// The first 8 bytes of an agent's SHA-256: a thousand million agents of one tenant collide with a chance of one in
/// thirty-seven, and two that do would be told as one.
pub(super) type AgentId = [u8; 8];

const PARTITION: &str = "agent";
/// So many agents a reader remembers before it begins anew, so that its memory is bounded.
const REMEMBERED: usize = 20_000;

/// An agent, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAgent {
    #[serde(rename = "t")]
    text: String,
    #[serde(rename = "f")]
    family: String,
    #[serde(rename = "d")]
    device: String,
    #[serde(rename = "s")]
    system: String,
}

impl From<&Agent> for KeptAgent {
    fn from(Agent { text, family, device, system }: &Agent) -> Self {
        Self {
            text: text.clone(),
            family: family.clone(),
            device: device.clone(),
            system: system.clone(),
        }
    }
}

impl From<KeptAgent> for Agent {
    fn from(KeptAgent { text, family, device, system }: KeptAgent) -> Self {
        Self { text, family, device, system }
    }
}

impl Record for KeptAgent {
    const KIND: RecordKind = RecordKind::UserAgent;

    fn key(&self, scope: &Scope) -> Key {
        key(scope, id_of_parts(&self.text, &self.family, &self.device, &self.system))
    }
}

pub(super) fn key(scope: &Scope, id: AgentId) -> Key {
    scope.key(PARTITION, BASE64URL_NOPAD.encode(&id))
}

/// The short digest under which an agent is kept.
pub(super) fn id_of(agent: &Agent) -> AgentId {
    id_of_parts(&agent.text, &agent.family, &agent.device, &agent.system)
}

fn id_of_parts(text: &str, family: &str, device: &str, system: &str) -> AgentId {
    let digest = Digest::of_parts([text, family, device, system].map(str::as_bytes));
    *digest.as_bytes().first_chunk().unwrap_or(&[0; 8])
}

/// The agents of one tenant, as they are asked for.
#[derive(Debug, Default)]
pub(super) struct Agents(HashMap<AgentId, Agent>);

impl Agents {
    /// Sees to it that these are remembered.
    ///
    /// # Errors
    /// The store does not answer, or an agent is not there.
    pub(super) async fn learn(
        &mut self,
        table: &dyn Table,
        scope: &Scope,
        ids: impl IntoIterator<Item = AgentId>,
    ) -> Result<(), Failure> {
        if self.0.len() > REMEMBERED {
            self.0.clear();
        }
        let mut unknown: Vec<AgentId> =
            ids.into_iter().filter(|id| !self.0.contains_key(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = unknown.iter().map(|id| key(scope, *id)).collect();
        for (id, row) in unknown.into_iter().zip(table.get_many(&keys).await?) {
            let row = row.ok_or_else(|| Failure::bug("a click's agent is not kept"))?;
            self.0.insert(id, records::read::<KeptAgent>(&row)?.record.into());
        }
        Ok(())
    }

    /// One that was learned.
    pub(super) fn get(&self, id: AgentId) -> Option<&Agent> {
        self.0.get(&id)
    }
}
