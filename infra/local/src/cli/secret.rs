//! `nexus secret`

use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use nexus_core::Product;
use nexus_core::vault::{Freshness, MAX_SECRET_BYTES, SecretName};
use nexus_kernel::{Ambient, Secret};
use nexus_vendors_engine::suite;

use super::{Complaint, Ended};
use crate::{keys, mail};

/// Keep the keys by which vendors know this house.
#[derive(Debug, Args)]
pub(super) struct SecretCommand {
    #[command(subcommand)]
    deed: Deed,
    /// The directory that holds everything the host keeps
    #[arg(long, value_name = "DIR", default_value = "data", global = true)]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Take a vendor's key into the vault: it is asked for, or read from standard input
    Set {
        /// The vendor
        #[arg(value_parser = vendor)]
        vendor: &'static str,
    },
    /// Show which vendors' keys the vault holds
    List,
    /// Remove a vendor's key for good
    Forget {
        /// The vendor
        #[arg(value_parser = vendor)]
        vendor: &'static str,
    },
}

/// Everybody whose key the vault may hold: the vendors, and the server that takes mail.
fn names() -> impl Iterator<Item = &'static str> {
    suite::VENDORS.into_iter().map(|vendor| vendor.name).chain([mail::PASSWORD])
}

fn vendor(raw: &str) -> Result<&'static str, String> {
    let known = || names().collect::<Vec<_>>().join(", ");
    let found = names().find(|name| *name == raw);
    found.ok_or_else(|| format!("no vendor of this name (there are: {})", known()))
}

impl SecretCommand {
    pub(super) async fn run(self) -> Ended {
        let vault = keys::vault(&self.data, &Ambient::system())?;
        let name = |vendor| SecretName::of_house(Product::Engine, vendor);
        match self.deed {
            Deed::Set { vendor } => {
                let value = asked_for(vendor)?;
                let name = name(vendor)?;
                let stands = vault.read(&name, Freshness::Fresh).await?;
                vault.rotate(&name, stands.map(|held| held.generation), &value).await?;
                anstream::println!("The key for {vendor} is in the vault.");
                anstream::println!("A host that runs uses it once it is started anew.");
            }
            Deed::List => {
                for vendor in names() {
                    let held = vault.read(&name(vendor)?, Freshness::Fresh).await?;
                    let stands = if held.is_some() { "set" } else { "-" };
                    anstream::println!("{vendor:<12} {stands}");
                }
            }
            Deed::Forget { vendor } => {
                let found = vault.forget(&name(vendor)?).await?.found;
                let told = if found { "is gone" } else { "was not there" };
                anstream::println!("The key for {vendor} {told}.");
            }
        }
        Ok(())
    }
}

/// The key, without showing it where a person types it. It is never an argument: those stand in lists of processes.
fn asked_for(vendor: &str) -> Result<Secret<String>, Complaint> {
    let raw = if io::stdin().is_terminal() {
        Secret::new(rpassword::prompt_password(format!("The key for {vendor}: "))?)
    } else {
        let mut raw = String::new();
        let most = u64::try_from(MAX_SECRET_BYTES + 2).unwrap_or(u64::MAX);
        io::stdin().lock().take(most).read_to_string(&mut raw)?;
        Secret::new(raw)
    };
    let value = raw.reveal().trim();
    if value.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Complaint::new("a key is one word: nothing was changed"));
    }
    Ok(Secret::new(value.to_owned()))
}
