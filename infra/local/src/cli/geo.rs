//! `nexus geo`

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use nexus_engine::clicks::Locator as _;
use nexus_geo::{Installed, Status};
use nexus_kernel::{Ambient, Secret};
use nexus_vendors_engine::suite;

use super::{Complaint, Ended, vendor_settings};
use crate::geolite::{self, Account, GeoError, Source};
use crate::keys;

/// Keep the database that tells where clicks come from: MaxMind's GeoLite2 City
#[derive(Debug, Args)]
pub(super) struct Geo {
    #[command(subcommand)]
    deed: Deed,
    /// The directory that holds everything the host keeps
    #[arg(long, value_name = "DIR", default_value = "data", global = true)]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Put a database in the place of the one that is there, from a file or from MaxMind
    ///
    /// A host that runs uses it within a minute. With an account in the vault, it fetches the next ones itself.
    Install(Install),
    /// Show which database is there, and whether it is used
    Status,
    /// Delete the database, and the account at MaxMind from the vault
    Remove,
}

#[derive(Debug, Args)]
struct Install {
    /// GeoLite2-City.mmdb, or the archive with it
    #[arg(required_unless_present = "license_key", conflicts_with = "license_key")]
    file: Option<PathBuf>,
    /// Fetch it from MaxMind, with the account and licence key that the vault holds
    ///
    /// Without them they are asked for, or read from standard input, as `ACCOUNT:KEY`; a download that worked takes them
    /// into the vault.
    #[arg(long)]
    license_key: bool,
    /// Ask for the account and licence key also where the vault has them
    #[arg(long, requires = "license_key")]
    anew: bool,
    /// Put it into this folder instead, to make the layer for AWS Lambda of it; the vault is left alone
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

impl Geo {
    pub(super) async fn run(self) -> Ended {
        let folder = geolite::folder(&self.data);
        let ambient = Ambient::system();
        match &self.deed {
            Deed::Install(install) => self.install(install, &ambient).await,
            Deed::Status => {
                let installed = Installed::at(&geolite::file(&folder), ambient.clock);
                match installed.status() {
                    Status::Absent => anstream::println!(
                        "No database: clicks are kept without a place. Bring one with `nexus geo install`."
                    ),
                    Status::Used(day) => {
                        anstream::println!("Built on {day}, and used.");
                        anstream::println!("{}", installed.attribution().unwrap_or_default());
                    }
                    Status::Stale(day) => anstream::println!(
                        "Built on {day}, more than 30 days ago: it is not used. Bring a new one with `nexus geo install`."
                    ),
                    Status::Unusable(why) => return Err(Complaint::new(why)),
                }
                Ok(())
            }
            Deed::Remove => {
                let there = if geolite::destroy(&folder)? { "is gone" } else { "was not there" };
                anstream::println!("The database {there}.");
                let vault = keys::vault(&self.data, &ambient)?;
                let held = geolite::forget(&*vault).await?;
                anstream::println!(
                    "The account {}.",
                    if held { "is gone" } else { "was not there" }
                );
                Ok(())
            }
        }
    }

    async fn install(&self, install: &Install, ambient: &Ambient) -> Ended {
        let now = ambient.now();
        let folder = install.into.clone().unwrap_or_else(|| geolite::folder(&self.data));
        let bytes = match &install.file {
            Some(file) => geolite::read(file)?,
            None => self.download(install, ambient).await?,
        };
        let day = geolite::install(&folder, &bytes, now).map_err(GeoError::from)?;
        let file = geolite::file(&folder);
        anstream::println!("{} was built on {day}.", file.display());
        let told = Installed::at(&file, std::sync::Arc::clone(&ambient.clock)).attribution();
        anstream::println!("{}", told.unwrap_or_default());
        Ok(())
    }

    async fn download(&self, install: &Install, ambient: &Ambient) -> Result<Vec<u8>, Complaint> {
        let settings: BTreeMap<String, String> = vendor_settings().collect();
        let vendors = suite::Settings::read(|name| settings.get(name).map(String::as_str))?;
        let transport = vendors.transport()?;
        let base = settings.get(geolite::BASE_SETTING).map_or(geolite::BASE, String::as_str);
        let source = Source { transport: &*transport, base };
        if install.into.is_some() {
            return Ok(source.latest(&asked_for()?, ambient.now()).await?);
        }
        let vault = keys::vault(&self.data, ambient)?;
        let held = if install.anew { None } else { geolite::account(&*vault).await? };
        if let Some(account) = held {
            return Ok(source.latest(&account, ambient.now()).await?);
        }
        let account = asked_for()?;
        let bytes = source.latest(&account, ambient.now()).await?;
        geolite::keep(&*vault, &account).await?;
        anstream::println!("The account is in the vault: a host that runs fetches the next ones.");
        Ok(bytes)
    }
}

/// The account and its key, without showing them where a person types. They are never arguments: those stand in lists of
/// processes.
fn asked_for() -> Result<Account, Complaint> {
    let raw = if io::stdin().is_terminal() {
        rpassword::prompt_password("MaxMind's account and licence key, as ACCOUNT:KEY: ")?
    } else {
        let mut raw = String::new();
        io::stdin().lock().take(1024).read_to_string(&mut raw)?;
        raw
    };
    Ok(Account::parse(Secret::new(raw).reveal())?)
}
