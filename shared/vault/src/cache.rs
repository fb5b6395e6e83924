//! What was read, for a few minutes. Not a cache of a library: those free what they dropped when it suits them, and
//! a secret has to be wiped when it is forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nexus_core::vault::MAX_CACHED;
use nexus_kernel::Timestamp;

/// The most entries: beyond it the oldest goes.
const MAX_ENTRIES: usize = 1_000;

/// Values by key, each for less than [`MAX_CACHED`].
pub(crate) struct Cache<K, V>(Mutex<State<K, V>>);

struct State<K, V> {
    /// How often something was dropped.
    drops: u64,
    entries: HashMap<K, (Timestamp, Arc<V>)>,
}

/// When a load began: what was dropped since is not put back by it.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    at: Timestamp,
    drops: u64,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { drops: 0, entries: HashMap::new() }))
    }

    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<Arc<V>> {
        let state = self.lock();
        let (loaded, value) = state.entries.get(key)?;
        is_young(*loaded, now).then(|| Arc::clone(value))
    }

    /// To be called before a value is loaded: its age counts from here.
    pub(crate) fn begin(&self, now: Timestamp) -> Begun {
        Begun { at: now, drops: self.lock().drops }
    }

    /// Keeps what was loaded, unless something was dropped in the meantime: it could be just that.
    pub(crate) fn put(&self, key: K, value: Arc<V>, begun: Begun) {
        let mut state = self.lock();
        if state.drops != begun.drops {
            return;
        }
        state.entries.retain(|_, (loaded, _)| is_young(*loaded, begun.at));
        if state.entries.len() >= MAX_ENTRIES {
            let oldest = state.entries.iter().min_by_key(|(_, (loaded, _))| *loaded);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                state.entries.remove(&oldest);
            }
        }
        state.entries.insert(key, (begun.at, value));
    }

    pub(crate) fn drop_entry(&self, key: &K) {
        let mut state = self.lock();
        state.drops = state.drops.wrapping_add(1);
        state.entries.remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_young(loaded: Timestamp, now: Timestamp) -> bool {
    now.duration_since(loaded) < MAX_CACHED
}

#[cfg(test)]
mod tests {
    use nexus_contract::START;

    use super::*;

    #[test]
    fn an_entry_is_gone_after_five_minutes_and_wiped_with_the_next() {
        let cache = Cache::new();
        let value = Arc::new("a");
        cache.put("k", Arc::clone(&value), cache.begin(START));
        let end = START + MAX_CACHED;
        assert!(cache.get(&"k", end - jiff::SignedDuration::from_millis(1)).is_some());
        assert!(cache.get(&"k", end).is_none());
        cache.put("other", Arc::new("b"), cache.begin(end));
        assert_eq!(Arc::strong_count(&value), 1, "nobody else holds it");
    }

    #[test]
    fn what_was_dropped_is_not_put_back_by_a_load_from_before() {
        let cache = Cache::new();
        let begun = cache.begin(START);
        cache.drop_entry(&"k");
        cache.put("k", Arc::new("old"), begun);
        assert!(cache.get(&"k", START).is_none());
    }

    #[test]
    fn it_is_bounded() {
        let cache = Cache::new();
        for n in 0..2 * MAX_ENTRIES {
            let now = START + jiff::SignedDuration::from_millis(n as i64);
            cache.put(n, Arc::new(n), cache.begin(now));
        }
        assert_eq!(cache.lock().entries.len(), MAX_ENTRIES);
        assert!(cache.lock().entries.contains_key(&(2 * MAX_ENTRIES - 1)));
    }
}
