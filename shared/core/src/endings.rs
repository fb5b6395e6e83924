//! What a function still does after it answered, so that a process that ends in order can wait for it.
//!
//! **Never here:** how long somebody waits.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

type Ending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What has to be done before the process ends. Clones are the same.
#[derive(Clone, Default)]
pub struct Endings(Arc<Mutex<Vec<Ending>>>);

impl Endings {
    /// Something to do then; whoever asks for it takes no new work any more.
    pub fn add(&self, ending: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(ending));
    }

    /// Does all of it, once nobody is answered any more.
    pub async fn run(&self) {
        let endings = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for ending in endings {
            ending.await;
        }
    }
}

impl fmt::Debug for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endings")
    }
}
