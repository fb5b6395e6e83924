//! Programs that were read, remembered by their texts: reading one takes far longer than writing a click.

use std::sync::Arc;

use moka::sync::Cache;
use nexus_engine::clicks::Program;

/// How many are remembered.
const MOST: u64 = 20_000;

/// The programs that this process has met.
pub(crate) struct Programs(Cache<String, Arc<Program>>);

impl Programs {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// The program that presents itself so.
    pub(crate) fn of(&self, text: &str) -> Arc<Program> {
        self.0.get_with_by_ref(text, || Arc::new(Program::of_kept(text.to_owned())))
    }
}
