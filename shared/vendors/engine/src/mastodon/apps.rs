//! Under which names servers know this house.
//!
//! An application is registered for each tenant and server, and kept in the tenant's vault, the newest first. Nobody
//! tells which of them a server still knows: Mastodon has dropped those that were not used for a day, snac drops the
//! one with which a token was revoked. So people are sent to a server with one that is younger than a day and with
//! which nothing was revoked, and a new one is registered where there is none. The older ones remain for a while: a
//! token is revoked in the name of the one that got it.

use jiff::SignedDuration;
use nexus_core::CallContext;
use nexus_core::vault::{Freshness, Generation, MAX_SECRET_BYTES, SecretName, VaultError};
use nexus_engine::connections::LoginError;
use nexus_kernel::{Digest, Failure, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use super::Mastodon;
use super::request::Client;

/// For how long people are sent to a server with one application.
const SERVES: SignedDuration = SignedDuration::from_hours(24);
/// The most applications that are kept of one server.
const MOST: usize = 8;
/// How often the vault is asked again after somebody else was first, or an answer was lost.
const TRIES: u32 = 3;

/// An application at a server.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct App {
    id: String,
    secret: String,
    redirect: String,
    /// What it was registered for, a space between them.
    pub(super) scopes: String,
    registered: Timestamp,
    /// Whether the server may have forgotten it.
    #[serde(default)]
    spent: bool,
}

impl App {
    pub(super) fn new(client: &Client, redirect: &str, scopes: &str, now: Timestamp) -> Self {
        Self {
            id: client.id.reveal().clone(),
            secret: client.secret.reveal().clone(),
            redirect: redirect.to_owned(),
            scopes: scopes.to_owned(),
            registered: now,
            spent: false,
        }
    }

    /// Its name and secret.
    pub(super) fn client(&self) -> Client {
        Client { id: Secret::new(self.id.clone()), secret: Secret::new(self.secret.clone()) }
    }

    /// Whether people may be sent to the server with it.
    pub(super) fn serves(&self, redirect: &str, now: Timestamp) -> bool {
        let age = now.duration_since(self.registered);
        !self.spent && self.redirect == redirect && age < SERVES
    }

    /// Whether a person who comes back by this redirect may have been sent with it.
    pub(super) fn is_for(&self, redirect: &str) -> bool {
        self.redirect == redirect
    }
}

/// All of one server, the newest first.
pub(super) struct Apps {
    pub(super) all: Vec<App>,
    follows: Option<Generation>,
}

fn name(at: &CallContext, server: &str) -> Result<SecretName, LoginError> {
    let digest: String = Digest::of(server.as_bytes()).to_hex().chars().take(16).collect();
    SecretName::of(&at.scope, format!("mastodon-app-{digest}"))
        .map_err(|_| LoginError::Refused { why: "server: its name cannot be kept".to_owned() })
}

fn later(error: VaultError) -> LoginError {
    let failure = Failure::from(error);
    tracing::warn!(error = %failure, "the vault did not give or take a server's name for this house");
    LoginError::Later { after_seconds: None, why: "The vault does not answer now.".to_owned() }
}

impl Mastodon {
    /// The applications at a server.
    pub(super) async fn apps(&self, at: &CallContext, server: &str) -> Result<Apps, LoginError> {
        let held = self.tokens.read(&name(at, server)?, Freshness::Fresh).await.map_err(later)?;
        let Some(held) = held else { return Ok(Apps { all: Vec::new(), follows: None }) };
        // What cannot be read is written anew: it leads to no account.
        let all = serde_json::from_str(held.value.reveal()).unwrap_or_default();
        Ok(Apps { all, follows: Some(held.generation) })
    }

    /// Keeps a new application; where somebody else kept one meanwhile, that one is taken.
    pub(super) async fn keep(
        &self,
        at: &CallContext,
        server: &str,
        mut apps: Apps,
        new: App,
    ) -> Result<App, LoginError> {
        let (redirect, registered) = (new.redirect.clone(), new.registered);
        for _ in 0..TRIES {
            apps.all.insert(0, new.clone());
            match self.write(at, server, &mut apps).await {
                Ok(()) => return Ok(new),
                Err(VaultError::Overtaken) => {}
                Err(error) => return Err(later(error)),
            }
            apps = self.apps(at, server).await?;
            if let Some(theirs) = apps.all.iter().find(|app| app.serves(&redirect, registered)) {
                return Ok(theirs.clone());
            }
        }
        Err(later(VaultError::Overtaken))
    }

    /// Nobody is sent to the server with this application any more.
    pub(super) async fn spend(&self, at: &CallContext, server: &str, id: &str) {
        for _ in 0..TRIES {
            let Ok(mut apps) = self.apps(at, server).await else { break };
            let Some(app) = apps.all.iter_mut().find(|app| app.id == id && !app.spent) else {
                return;
            };
            app.spent = true;
            match self.write(at, server, &mut apps).await {
                Ok(()) => return,
                Err(VaultError::Overtaken) => {}
                Err(_) => break,
            }
        }
        // Then its day passes.
        tracing::warn!("that a server may have forgotten this house was not written down");
    }

    async fn write(
        &self,
        at: &CallContext,
        server: &str,
        apps: &mut Apps,
    ) -> Result<(), VaultError> {
        let name = name(at, server).map_err(|error| VaultError::Refused(error.to_string()))?;
        apps.all.truncate(MOST);
        let value = loop {
            let value = serde_json::to_string(&apps.all).unwrap_or_default();
            if value.len() <= MAX_SECRET_BYTES || apps.all.len() <= 1 {
                break Secret::new(value);
            }
            apps.all.pop();
        };
        let mut written = self.tokens.rotate(&name, apps.follows, &value).await;
        for _ in 1..TRIES {
            if !matches!(written, Err(VaultError::Unknown(_))) {
                break;
            }
            written = self.tokens.rotate(&name, apps.follows, &value).await;
        }
        written.map(|generation| apps.follows = Some(generation))
    }
}
