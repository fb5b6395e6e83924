//! What a call found that somebody should watch. The entrance tells it on: on AWS as metrics with alarms over them.
//!
//! No measure names a tenant, and none counts what the platform counts already (calls, errors, durations).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Something worth an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Messages that a batch gave back.
    FailedMessages,
    /// The age of the oldest message of a batch, in seconds from its sending, its own delay included.
    MessageAge,
    /// Messages that lie in dead-letter queues, of all together.
    DeadLetters,
    /// Queues in which messages wait and nobody works on any.
    StalledQueues,
    /// Counters that did not agree with the rows they count, and were corrected.
    CorrectedTallies,
    /// Clicks that were answered and are recorded nowhere, since it was told last.
    LostClicks,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FailedMessages,
        Self::MessageAge,
        Self::DeadLetters,
        Self::StalledQueues,
        Self::CorrectedTallies,
        Self::LostClicks,
    ];

    /// Whether what several calls note can be added up; else only the latest says something.
    pub const fn adds_up(self) -> bool {
        match self {
            Self::FailedMessages | Self::CorrectedTallies | Self::LostClicks => true,
            Self::MessageAge | Self::DeadLetters | Self::StalledQueues => false,
        }
    }
}

/// The measures of one call.
#[derive(Debug, Default)]
pub struct Measures(Mutex<BTreeMap<Measure, u64>>);

impl Measures {
    /// Notes a measure; of several in one call the highest counts.
    pub fn note(&self, measure: Measure, value: u64) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = noted.entry(measure).or_default();
        *highest = value.max(*highest);
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What was noted; `None` where the call had nothing to tell of it.
    pub fn get(&self, measure: Measure) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&measure).copied()
    }
}
