//! The ports in memory: the reference for other adapters, and what a function's tests stand on.
//!
//! They keep every limit and every page of the contract, and never answer stale. Written to be obvious, not fast:
//! a query looks at every row.

mod blobs;
mod bus;
mod queues;
mod table;
mod vault;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use blobs::MemoryBlobs;
pub use bus::MemoryBus;
pub use queues::MemoryQueues;
pub use table::MemoryTable;
pub(crate) use table::page_of;
pub use vault::MemoryVault;

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of a sorted list that begins after a position, cut to a page: the page and, if more follows, the
/// position of its last.
fn cut<P: Ord + Clone, T>(
    sorted: impl Iterator<Item = (P, T)>,
    after: impl Fn(&P) -> bool,
    limit: u32,
    weight: impl Fn(&T) -> usize,
) -> (Vec<T>, Option<P>) {
    let mut rest = sorted.filter(|(position, _)| after(position)).peekable();
    let (mut page, mut last, mut bytes) = (Vec::new(), None, 0);
    while page.len() < limit as usize && bytes < nexus_core::table::PAGE_BYTES {
        let Some((position, thing)) = rest.next() else { break };
        bytes += weight(&thing);
        page.push(thing);
        last = Some(position);
    }
    let next = rest.peek().and(last);
    (page, next)
}
