//! The sealed head of a message from our own queue: whose it is and which request it goes back to.
//!
//! Only our own functions may send to our queues, so an envelope is one of the four origins of a scope. It is
//! opened in one place, the batch reader of `nexus_handler` (kept by `tests/architecture.rs`).

use nexus_kernel::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::scope::{Owner, Product, Scope};

/// The head of a message. The body is ids and small facts, never content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    scope: Scope,
    trace: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed<M> {
    product: Product,
    owner: Owner,
    trace: String,
    message: M,
}

/// Why a message is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("this is not a message of our own queue")]
pub struct NotOurs(#[source] serde_json::Error);

impl From<NotOurs> for Failure {
    fn from(error: NotOurs) -> Self {
        Self::invalid(error.to_string()).caused_by(error)
    }
}

impl Envelope {
    /// Writes a message for one of our queues.
    ///
    /// # Errors
    /// The message cannot be written as JSON: ours to repair.
    pub fn seal<M: Serialize>(scope: &Scope, trace: &str, message: &M) -> Result<String, Failure> {
        let sealed = Sealed {
            product: scope.product(),
            owner: scope.owner(),
            trace: trace.to_owned(),
            message,
        };
        serde_json::to_string(&sealed).map_err(Failure::bug)
    }

    /// Opens a message that a queue of our own delivered.
    ///
    /// # Errors
    /// It is not one of ours.
    pub fn open<M: DeserializeOwned>(raw: &str) -> Result<(Self, M), NotOurs> {
        let sealed: Sealed<M> = serde_json::from_str(raw).map_err(NotOurs)?;
        let scope = Scope::new(sealed.product, sealed.owner);
        Ok((Self { scope, trace: sealed.trace }, sealed.message))
    }

    /// Whose it is.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The request that it goes back to.
    pub fn trace(&self) -> &str {
        &self.trace
    }
}
