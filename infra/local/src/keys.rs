//! The vault on this machine: `keys/master.key` seals what `engine.db` keeps.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use nexus_core::{Product, Table, Vault};
use nexus_embedded::{MasterKeyError, OpenError, Store};
use nexus_kernel::Ambient;

/// Why the vault cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store cannot be opened.
    #[error("the data directory cannot be opened: {0}")]
    Store(#[from] OpenError),
    /// The master key cannot be used.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A directory cannot be made.
    #[error("the data directory cannot be used: {0}")]
    Directory(#[from] std::io::Error),
}

/// The vault of a data directory, for a command that needs nothing else.
///
/// # Errors
/// The directory, the store or the master key cannot be used.
pub fn vault(data: &Path, ambient: &Ambient) -> Result<Arc<dyn Vault>, KeysError> {
    let store = Store::open(data, Product::Engine, ambient.clone())?;
    over(data, store.table(), ambient)
}

/// The vault whose rows stand in this table.
pub(crate) fn over(
    data: &Path,
    table: Arc<dyn Table>,
    ambient: &Ambient,
) -> Result<Arc<dyn Vault>, KeysError> {
    let folder = data.join("keys");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let master = folder.join("master.key");
    Ok(Arc::new(nexus_embedded::vault(&master, table, ambient.clone())?))
}
