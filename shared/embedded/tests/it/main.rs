//! The embedded adapters pass every sentence of the ports' contracts, in one process and in two at once; they agree
//! with the adapters in memory on whatever is asked; and nothing that was acknowledged is lost when a process is
//! killed.

#![expect(clippy::unwrap_used, reason = "a test")]

mod child;
mod contents;
mod contract;
mod kills;
mod leases;
mod measure;
mod model;
mod remote;
mod vault;

use std::path::Path;
use std::sync::Arc;

use nexus_core::scope::Product;
use nexus_embedded::Store;
use nexus_kernel::Ambient;
use nexus_kernel::ambient::ManualClock;

/// Opens the Engine's store on a manual clock. Every process and every handle may have the same seed.
fn open(dir: &Path, clock: &ManualClock) -> Store {
    Store::open(dir, Product::Engine, Ambient::seeded(Arc::new(clock.clone()), 1)).unwrap()
}
