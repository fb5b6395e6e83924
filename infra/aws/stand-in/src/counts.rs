//! How often each operation was answered, and how often refused.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What became of one operation's calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    answered: u64,
    refused: u64,
}

/// The counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, Count>>);

impl Counts {
    /// Adds a call.
    pub(crate) fn add(&self, operation: &str, answered: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(operation.to_owned()).or_default();
        *(if answered { &mut count.answered } else { &mut count.refused }) += 1;
    }

    /// All of them by the operation's name.
    pub(crate) fn all(&self) -> BTreeMap<String, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
