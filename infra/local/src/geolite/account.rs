//! By what MaxMind knows the operator: an account's number and a licence key, one secret of the house in the vault.

use nexus_core::vault::{Freshness, SecretName, VaultError};
use nexus_core::{Product, Vault};
use nexus_kernel::Secret;

/// The secret's name.
const NAME: &str = "maxmind";

/// An account at MaxMind with a licence key.
#[derive(Debug, Clone)]
pub struct Account(Secret<String>);

/// What was given is no account with a key. What was given is not told: most of it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write the account's number, a colon and the licence key, as in `123456:abcdef_…_mmk`")]
pub struct NoAccount;

impl Account {
    /// Reads `123456:key`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(raw: &str) -> Result<Self, NoAccount> {
        let raw = raw.trim();
        let (number, key) = raw.split_once(':').ok_or(NoAccount)?;
        let is_number =
            (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let of_a_key = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let is_key = (8..=100).contains(&key.len()) && key.bytes().all(of_a_key);
        if is_number && is_key { Ok(Self(Secret::new(raw.to_owned()))) } else { Err(NoAccount) }
    }

    /// As HTTP's basic authorization writes it before it is encoded.
    pub(super) fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

fn name() -> Result<SecretName, VaultError> {
    SecretName::of_house(Product::Engine, NAME).map_err(|e| VaultError::Refused(e.to_string()))
}

/// The account that the vault holds.
///
/// # Errors
/// The vault does not answer.
pub async fn account(vault: &dyn Vault) -> Result<Option<Account>, VaultError> {
    let held = vault.read(&name()?, Freshness::Fresh).await?;
    Ok(held.map(|held| Account(held.value)))
}

/// Takes an account into the vault, in the place of the one that it held.
///
/// # Errors
/// The vault does not answer.
pub async fn keep(vault: &dyn Vault, account: &Account) -> Result<(), VaultError> {
    let name = name()?;
    let stands = vault.read(&name, Freshness::Fresh).await?;
    vault.rotate(&name, stands.map(|held| held.generation), &account.0).await?;
    Ok(())
}

/// Removes the account from the vault; whether there was one.
///
/// # Errors
/// The vault does not answer.
pub async fn forget(vault: &dyn Vault) -> Result<bool, VaultError> {
    Ok(vault.forget(&name()?).await?.found)
}
