//! What several measurements share: the facts of the template, the spread of many runs, and the file in which
//! measuring runs write down what they found.
//!
//! **Never here:** a measurement itself (each is a binary), a price.

#[cfg(feature = "template")]
pub mod measured;
pub mod pictures;
pub mod spread;
#[cfg(feature = "template")]
pub mod template;

use std::path::PathBuf;

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
