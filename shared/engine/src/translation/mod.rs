//! Spanish beside English: what must come through unchanged, and the port to whoever translates.

pub mod protected;

use async_trait::async_trait;
use nexus_kernel::Failure;

/// Translates English into Spanish.
#[async_trait]
pub trait Translator: Send + Sync {
    /// The engine's name and version, for example `apertium 3.8`.
    fn engine(&self) -> String;

    /// Whether what it gives should be marked as a draft that a person has to look at.
    fn is_rough(&self) -> bool;

    /// The texts in Spanish, one for one. `protected` are words that must come through unchanged.
    async fn translate(&self, texts: &[&str], protected: &[String])
    -> Result<Vec<String>, Failure>;
}
