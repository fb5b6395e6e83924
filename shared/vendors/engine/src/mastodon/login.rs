//! Connecting, refreshing and disconnecting accounts.

use std::collections::BTreeSet;

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::connections::{Ask, Granted, Login, LoginError};
use nexus_engine::publishing::Network;
use nexus_kernel::{Failure, Secret};
use nexus_outbound::{Answer, CallError, Outbound, Reading};
use url::Url;

use super::Mastodon;
use super::apps::App;
use super::request::{self, Client};
use super::response;
use super::server::UNREACHABLE;
use crate::oauth::{self, login_error};

/// What posting needs: who the account is, whether a post is there, to upload, to post.
const SCOPES: [&str; 4] = ["read:accounts", "read:statuses", "write:media", "write:statuses"];
/// Gives of the account only who it is, which is less than `read:accounts` and all that is asked.
const PROFILE: &str = "profile";
/// What servers of before the fine scopes know.
const OLD: &str = "read write";
/// How an account's server is called in a sentence.
const SERVER: &str = "The server";

/// What a server is asked for, by what it says that it gives; and what it is asked for if it refuses that.
pub(super) fn scopes(supported: Option<&BTreeSet<String>>) -> (String, Option<&'static str>) {
    let gives = |scope: &str| supported.is_some_and(|all| all.contains(scope));
    let mut fine = SCOPES;
    if let Some(first) = fine.first_mut().filter(|_| gives(PROFILE)) {
        *first = PROFILE;
    }
    let gives_fine = fine.iter().all(|scope| gives(scope));
    if supported.is_some() && !gives_fine && OLD.split(' ').all(gives) {
        return (OLD.to_owned(), None);
    }
    (fine.join(" "), Some(OLD).filter(|_| !gives_fine))
}

/// What was granted, with those of our scopes that are a part of it: `write` is all of `write:…`.
pub(super) fn covered(granted: BTreeSet<String>) -> BTreeSet<String> {
    let has = |scope: &str| granted.contains(scope);
    let covers = |scope: &&str| {
        let whole = scope.split(':').next().unwrap_or_default();
        has(whole) || (scope.ends_with(":accounts") && has(PROFILE))
    };
    let ours: Vec<String> = SCOPES.into_iter().filter(covers).map(str::to_owned).collect();
    let mut all = granted;
    all.extend(ours);
    all
}

/// What the end of the first questions to a server means to who named it.
fn at_first(error: CallError) -> LoginError {
    match error {
        CallError::Bug(cause) => {
            tracing::info!(cause = %cause, "a server that was named for an account cannot be asked");
            LoginError::Refused { why: UNREACHABLE.to_owned() }
        }
        CallError::Throttled { after: None, .. } | CallError::Unknown { .. } => LoginError::Later {
            after_seconds: None,
            why: "server: nothing answers at this address now. Look whether it is right, or try again later."
                .to_owned(),
        },
        CallError::Refused { code, why } if code == "server" => LoginError::Refused {
            why: if why.starts_with("server: ") { why } else { format!("server: {why}") },
        },
        CallError::Refused { .. } | CallError::Login { .. } => LoginError::Refused {
            why: "server: it does not let applications like this one in. Ask whoever runs it."
                .to_owned(),
        },
        other => login_error(other),
    }
}

impl Mastodon {
    /// An application with which a person may be sent to the server; registered there where there is none.
    async fn app(
        &self,
        at: &CallContext,
        server: &str,
        way: &Outbound,
        redirect: &str,
    ) -> Result<App, LoginError> {
        let now = self.parts.ambient.now();
        let apps = self.apps(at, server).await?;
        if let Some(app) = apps.all.iter().find(|app| app.serves(redirect, now)) {
            return Ok(app.clone());
        }
        let asked = way.call(at, request::metadata(), Cost::ZERO, response::supported).await;
        let supported = match asked {
            Ok(supported) => supported,
            // A server that fails at this may well know the rest.
            Err(CallError::Unknown { .. } | CallError::Refused { .. }) => None,
            Err(error) => return Err(at_first(error)),
        };
        let (wanted, otherwise) = scopes(supported.as_ref());
        let register = |scopes: String| {
            let read = move |answer: &Answer| response::registered(answer, now);
            way.call(at, request::register(redirect, &scopes), Cost::ZERO, read)
        };
        let (client, scopes) = match (register(wanted.clone()).await, otherwise) {
            (Err(CallError::Refused { code, .. }), Some(old)) if code == "invalid" => {
                (register(old.to_owned()).await, old.to_owned())
            }
            (registered, _) => (registered, wanted),
        };
        let client = client.map_err(at_first)?;
        self.keep(at, server, apps, App::new(&client, redirect, &scopes, now)).await
    }

    /// Of which account a token is.
    pub(super) async fn account(
        &self,
        at: &CallContext,
        way: &Outbound,
        token: &Secret<String>,
    ) -> Result<String, CallError> {
        let now = self.parts.ambient.now();
        let read = |answer: &Answer| response::account(answer, now);
        let asked = way.call(at, request::verify(token), Cost::ZERO, read).await;
        asked.map_err(|error| match error {
            // The guard's no, since a question without a field of its own cannot be built wrongly.
            CallError::Bug(cause) => {
                tracing::info!(cause = %cause, "the server of an account cannot be asked any more");
                let why = "The server cannot be asked from here any more: its address leads elsewhere, or to where \
                           nobody may go from here."
                    .to_owned();
                CallError::Refused { code: "server".to_owned(), why }
            }
            other => other,
        })
    }

    async fn revoked(
        &self,
        at: &CallContext,
        way: &Outbound,
        client: &Client,
        token: &Secret<String>,
    ) -> Result<(), CallError> {
        let now = self.parts.ambient.now();
        let read = |answer: &Answer| response::revoked(answer, now);
        way.call(at, request::revoke(client, token), Cost::ZERO, read).await
    }
}

/// Reads tokens. A server that does not know the application says so in one word, or by a bare 401.
pub(super) fn granted(answer: &Answer) -> Result<Reading<Granted>, CallError> {
    if matches!(answer.status.as_u16(), 300..=399 | 404 | 405 | 410) {
        let why = "server: what answers at this address does not speak Mastodon's API.".to_owned();
        return Err(CallError::Refused { code: "server".to_owned(), why });
    }
    let mut reading = oauth::granted(answer, SERVER).map_err(|error| match error {
        CallError::Refused { code, why } if code == "oauth" && answer.status.as_u16() == 401 => {
            CallError::Refused { code: "client".to_owned(), why }
        }
        other => other,
    })?;
    reading.value.scopes = reading.value.scopes.map(covered);
    Ok(reading)
}

#[async_trait]
impl Login for Mastodon {
    fn network(&self) -> Network {
        Network::Mastodon
    }

    /// Always: at each server the application is registered when it is needed.
    async fn is_set_up(&self) -> Result<bool, Failure> {
        Ok(true)
    }

    fn scopes(&self) -> &'static [&'static str] {
        &SCOPES
    }

    async fn authorize(&self, at: &CallContext, ask: &Ask) -> Result<String, LoginError> {
        let (server, way) = self.way(ask.server.as_deref()).map_err(login_error)?;
        let app = self.app(at, &server, &way, &ask.redirect).await?;
        let client = app.client();
        let mut url = Url::parse(&format!("{server}/oauth/authorize"))
            .map_err(|_| LoginError::Refused { why: UNREACHABLE.to_owned() })?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client.id.reveal())
            .append_pair("redirect_uri", &ask.redirect)
            .append_pair("scope", &app.scopes)
            .append_pair("state", ask.state.reveal())
            .append_pair("code_challenge", &oauth::challenge(&ask.verifier))
            .append_pair("code_challenge_method", "S256");
        // A space as both readers of forms and readers of addresses understand it; a plus that was meant is `%2B`.
        Ok(url.as_str().replace('+', "%20"))
    }

    async fn exchange(
        &self,
        at: &CallContext,
        ask: &Ask,
        code: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        let (server, way) = self.way(ask.server.as_deref()).map_err(login_error)?;
        let apps = self.apps(at, &server).await?;
        let app = apps.all.iter().find(|app| app.is_for(&ask.redirect));
        let Some(client) = app.map(App::client) else {
            let why = "This server was not asked to connect an account. Begin again.".to_owned();
            return Err(LoginError::Refused { why });
        };
        let request = request::token(&client, &ask.redirect, code, &ask.verifier);
        let granted = match way.call(at, request, Cost::ZERO, granted).await {
            Err(CallError::Refused { code, .. }) if code == "client" => {
                self.spend(at, &server, client.id.reveal()).await;
                let why = "The server has forgotten that it knows us. Connect the account once more: it is then \
                           told anew."
                    .to_owned();
                return Err(LoginError::Refused { why });
            }
            granted => granted.map_err(login_error)?,
        };
        match self.account(at, &way, &granted.access).await {
            // An id is of one server; the connection's digest has the server beside it.
            Ok(id) => Ok(Granted { account: Some(Secret::new(id)), ..granted }),
            Err(error) => {
                // A token that nobody keeps shall serve nobody. If that fails too, its owner sees it at the server.
                if let Err(error) = self.revoked(at, &way, &client, &granted.access).await {
                    tracing::warn!(cause = %error, "a token that is not kept was not revoked");
                }
                Err(match login_error(error) {
                    LoginError::Gone { .. } => LoginError::Refused {
                        why: "The server gave a token that is of no account. Connect it again."
                            .to_owned(),
                    },
                    other => other,
                })
            }
        }
    }

    /// Most servers' tokens do not end, and then there is nothing to refresh. Those whose tokens do (Akkoma, Pleroma)
    /// know them by the application that got them, which is one of those that are kept.
    async fn refresh(
        &self,
        at: &CallContext,
        server: Option<&str>,
        refresh: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        let (server, way) = self.way(server).map_err(login_error)?;
        for app in self.apps(at, &server).await?.all {
            let request = request::refresh(&app.client(), refresh);
            match way.call(at, request, Cost::ZERO, granted).await {
                Ok(granted) => return Ok(granted),
                // Not this one's: nothing was used up.
                Err(CallError::Refused { .. } | CallError::Login { .. }) => {}
                Err(error) => return Err(login_error(error)),
            }
        }
        let why =
            "The server does not accept this connection any more. Connect it again.".to_owned();
        Err(LoginError::Gone { why })
    }

    async fn revoke(
        &self,
        at: &CallContext,
        server: Option<&str>,
        token: &Secret<String>,
    ) -> Result<(), LoginError> {
        let (server, way) = self.way(server).map_err(login_error)?;
        for app in self.apps(at, &server).await?.all {
            let client = app.client();
            match self.revoked(at, &way, &client, token).await {
                Ok(()) => {
                    // Some servers forget the application with it.
                    self.spend(at, &server, client.id.reveal()).await;
                    break;
                }
                // Not this one's, or worthless already: the next question tells.
                Err(CallError::Refused { .. } | CallError::Login { .. }) => {}
                Err(error) => return Err(login_error(error)),
            }
        }
        // A server may say that it is done of a token that it got from somebody else.
        match self.account(at, &way, token).await {
            Err(CallError::Login { .. }) => Ok(()),
            Ok(_) => Err(LoginError::Refused {
                why: "The server did not take the connection back. Remove it there, in the account's settings."
                    .to_owned(),
            }),
            Err(error) => Err(login_error(error)),
        }
    }
}
