//! Where codes lead, remembered for a while: a link that is followed a thousand times a second is read twice a minute.

use std::sync::Arc;

use jiff::SignedDuration;
use moka::sync::Cache;
use nexus_core::{Product, Table};
use nexus_engine::links::{self, Found, LinkCode};
use nexus_kernel::{Ambient, Failure, Timestamp};

/// How long after a link was changed or revoked it may still lead where it led.
pub(crate) const REMEMBERED: SignedDuration = SignedDuration::from_secs(30);
/// How long it is remembered that nobody has a code: who makes a link tries it at once.
pub(crate) const MISSED: SignedDuration = SignedDuration::from_secs(5);
/// How many codes are remembered, those that nobody has among them.
const MOST: u64 = 100_000;

/// What was found, and until when that may be believed.
#[derive(Clone)]
struct Known {
    found: Option<Arc<Found>>,
    until: Timestamp,
}

pub(crate) struct Lookup {
    table: Arc<dyn Table>,
    ambient: Ambient,
    known: Cache<LinkCode, Known>,
}

impl Lookup {
    pub(crate) fn new(table: Arc<dyn Table>, ambient: Ambient) -> Self {
        Self { table, ambient, known: Cache::new(MOST) }
    }

    /// What stands behind a code.
    pub(crate) async fn find(&self, code: &LinkCode) -> Result<Option<Arc<Found>>, Failure> {
        let now = self.ambient.now();
        if let Some(known) = self.known.get(code).filter(|known| now < known.until) {
            return Ok(known.found);
        }
        let found = links::find(&*self.table, Product::Engine, code, now).await?.map(Arc::new);
        let age = if found.is_some() { REMEMBERED } else { MISSED };
        let until = now.saturating_add(age).unwrap_or(now);
        self.known.insert(code.clone(), Known { found: found.clone(), until });
        Ok(found)
    }
}
