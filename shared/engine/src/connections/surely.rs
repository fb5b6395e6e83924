//! Calls of the stores whose answer was lost, made once more: what was done is not done twice.

use nexus_core::table::{CommitError, CommitToken};
use nexus_core::vault::{Forgotten, SecretName, VaultError};
use nexus_core::{Op, Table, Vault};
use nexus_kernel::Ambient;

/// How often a call is made whose answer was lost.
const TIMES: u32 = 3;

/// Commits, under a token of its own.
pub(crate) async fn commit(
    table: &dyn Table,
    ambient: &Ambient,
    ops: Vec<Op>,
) -> Result<(), CommitError> {
    let token = CommitToken(ambient.ids.draw().to_string());
    let mut answer = table.commit(ops.clone(), Some(&token)).await;
    for _ in 1..TIMES {
        if !matches!(answer, Err(CommitError::Unknown(_))) {
            break;
        }
        answer = table.commit(ops.clone(), Some(&token)).await;
    }
    answer
}

/// Forgets a secret.
pub(super) async fn forget(vault: &dyn Vault, name: &SecretName) -> Result<Forgotten, VaultError> {
    let mut found = false;
    let mut answer = vault.forget(name).await;
    for _ in 1..TIMES {
        if !matches!(answer, Err(VaultError::Unknown(_))) {
            break;
        }
        // It may have been there a moment ago.
        found = true;
        answer = vault.forget(name).await;
    }
    answer.map(|forgotten| Forgotten { found: forgotten.found || found, ..forgotten })
}
