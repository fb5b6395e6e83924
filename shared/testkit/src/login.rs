//! A network's OAuth that pretends: strict where a network is, and failing where a test says so.
//!
//! Its tokens are `access-1` and `refresh-1`, then `access-2` and `refresh-2`; a code and a refresh token can be used
//! once, a verifier has to be the one whose challenge went out.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_core::CallContext;
use nexus_engine::connections::{Ask, Granted, Login, LoginError};
use nexus_engine::publishing::Network;
use nexus_kernel::{Failure, Secret};

use crate::fakes::{Calls, lock};

/// The scopes that are asked for.
pub const SCOPES: &[&str] = &["video.publish", "user.info.basic"];

/// What a network was asked. Plain texts, for a test to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Where to send a person.
    Authorize {
        /// At which server.
        server: Option<String>,
        /// Where they come back to.
        redirect: String,
        /// What comes back with them.
        state: String,
    },
    /// To exchange a code.
    Exchange {
        /// At which server.
        server: Option<String>,
        /// Which code.
        code: String,
        /// The verifier that came with it.
        verifier: String,
    },
    /// To refresh.
    Refresh {
        /// Which token.
        token: String,
    },
    /// To make a token worthless.
    Revoke {
        /// Which.
        token: String,
    },
}

/// A call that goes wrong.
#[derive(Debug, Clone)]
struct Wrong {
    error: LoginError,
    /// It was done all the same.
    happened: bool,
}

/// A network's OAuth in memory.
pub struct FakeLogin {
    network: Network,
    /// What it was asked, in order.
    pub asked: Calls<Asked>,
    state: Mutex<State>,
}

struct State {
    set_up: bool,
    /// The verifier and the address to come back to, by the state.
    begun: HashMap<String, (String, String)>,
    used: BTreeSet<String>,
    given: u32,
    /// The refresh tokens that serve.
    alive: BTreeSet<String>,
    /// The access tokens that serve.
    serving: BTreeSet<String>,
    lives: Option<SignedDuration>,
    refreshes: bool,
    scopes: Option<BTreeSet<String>>,
    account: Option<String>,
    exchanges: VecDeque<Wrong>,
    refreshings: VecDeque<Wrong>,
    revocations: VecDeque<Wrong>,
}

impl fmt::Debug for FakeLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeLogin").field("network", &self.network).finish_non_exhaustive()
    }
}

impl FakeLogin {
    /// A network whose access tokens serve two hours, and whose one account is `account-1`.
    pub fn of(network: Network) -> Self {
        let state = State {
            set_up: true,
            begun: HashMap::new(),
            used: BTreeSet::new(),
            given: 0,
            alive: BTreeSet::new(),
            serving: BTreeSet::new(),
            lives: Some(SignedDuration::from_hours(2)),
            refreshes: true,
            scopes: Some(SCOPES.iter().map(|scope| (*scope).to_owned()).collect()),
            account: Some("account-1".to_owned()),
            exchanges: VecDeque::new(),
            refreshings: VecDeque::new(),
            revocations: VecDeque::new(),
        };
        Self { network, asked: Calls::default(), state: Mutex::new(state) }
    }

    /// Whether this house has an application there.
    pub fn is_set_up(&self, set_up: bool) {
        lock(&self.state).set_up = set_up;
    }

    /// Which account whoever comes is logged in with; `None` where the network does not say.
    pub fn logged_in_as(&self, account: Option<&str>) {
        lock(&self.state).account = account.map(str::to_owned);
    }

    /// For how long tokens serve from now on; `None` is without end.
    pub fn tokens_live(&self, lives: Option<SignedDuration>) {
        lock(&self.state).lives = lives;
    }

    /// Whether refresh tokens are given from now on.
    pub fn gives_refresh_tokens(&self, refreshes: bool) {
        lock(&self.state).refreshes = refreshes;
    }

    /// Which scopes whoever comes grants; `None` where the network does not say.
    pub fn grants(&self, scopes: Option<&[&str]>) {
        lock(&self.state).scopes =
            scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
    }

    /// The account's owner takes the connection back in the network's settings.
    pub fn owner_revokes(&self) {
        let mut state = lock(&self.state);
        state.alive.clear();
        state.serving.clear();
    }

    /// The next exchange that has no failure yet goes so; `happened` where tokens were given all the same.
    pub fn exchange_fails(&self, error: LoginError, happened: bool) {
        lock(&self.state).exchanges.push_back(Wrong { error, happened });
    }

    /// The next refresh goes so.
    pub fn refresh_fails(&self, error: LoginError, happened: bool) {
        lock(&self.state).refreshings.push_back(Wrong { error, happened });
    }

    /// The next revocation goes so.
    pub fn revoke_fails(&self, error: LoginError) {
        lock(&self.state).revocations.push_back(Wrong { error, happened: false });
    }

    /// Whether the network takes an access token, but for its age.
    pub fn takes(&self, access: &str) -> bool {
        lock(&self.state).serving.contains(access)
    }

    /// How many refresh tokens serve: what nobody holds would be lost.
    pub fn alive(&self) -> usize {
        lock(&self.state).alive.len()
    }

    /// The tokens that were shown to be refreshed, in order.
    pub fn refreshed(&self) -> Vec<String> {
        let asked = self.asked.all().into_iter();
        asked
            .filter_map(|a| if let Asked::Refresh { token } = a { Some(token) } else { None })
            .collect()
    }

    /// The tokens that were to be made worthless, in order.
    pub fn revoked(&self) -> Vec<String> {
        let asked = self.asked.all().into_iter();
        asked
            .filter_map(|a| if let Asked::Revoke { token } = a { Some(token) } else { None })
            .collect()
    }
}

impl State {
    fn give(&mut self) -> Granted {
        self.given += 1;
        let (access, refresh) =
            (format!("access-{}", self.given), format!("refresh-{}", self.given));
        self.serving.insert(access.clone());
        if self.refreshes {
            self.alive.insert(refresh.clone());
        }
        Granted {
            access: Secret::new(access),
            refresh: self.refreshes.then(|| Secret::new(refresh)),
            lives: self.lives,
            scopes: self.scopes.clone(),
            account: self.account.clone().map(Secret::new),
        }
    }
}

fn gone(why: &str) -> LoginError {
    LoginError::Gone { why: why.to_owned() }
}

fn refused(why: &str) -> LoginError {
    LoginError::Refused { why: why.to_owned() }
}

/// Lets others go on, as a call over a network would.
async fn travel() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl Login for FakeLogin {
    fn network(&self) -> Network {
        self.network
    }

    async fn is_set_up(&self) -> Result<bool, Failure> {
        Ok(lock(&self.state).set_up)
    }

    fn scopes(&self) -> &'static [&'static str] {
        SCOPES
    }

    async fn authorize(&self, _: &CallContext, ask: &Ask) -> Result<String, LoginError> {
        let (server, redirect) = (ask.server.clone(), ask.redirect.clone());
        let state = ask.state.reveal().clone();
        let kept = (ask.verifier.reveal().clone(), redirect.clone());
        lock(&self.state).begun.insert(state.clone(), kept);
        let address = format!(
            "https://{}.example/authorize?scope={}&state={state}",
            self.network,
            SCOPES.join("+")
        );
        self.asked.note(Asked::Authorize { server, redirect, state });
        Ok(address)
    }

    async fn exchange(
        &self,
        _: &CallContext,
        ask: &Ask,
        code: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        let (code, verifier) = (code.reveal().clone(), ask.verifier.reveal().clone());
        self.asked.note(Asked::Exchange {
            server: ask.server.clone(),
            code: code.clone(),
            verifier: verifier.clone(),
        });
        travel().await;
        let mut state = lock(&self.state);
        let wrong = state.exchanges.pop_front();
        if let Some(Wrong { error, happened: false }) = wrong {
            return Err(error);
        }
        match state.begun.get(ask.state.reveal()) {
            Some((challenged, redirect))
                if *challenged == verifier && *redirect == ask.redirect => {}
            Some(_) => return Err(refused("The verifier or the address is another.")),
            None => return Err(refused("Nobody was sent here.")),
        }
        if !state.used.insert(code) {
            return Err(gone("The code was used."));
        }
        let granted = state.give();
        match wrong {
            Some(Wrong { error, .. }) => Err(error),
            None => Ok(granted),
        }
    }

    async fn refresh(
        &self,
        _: &CallContext,
        _: Option<&str>,
        refresh: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        let token = refresh.reveal().clone();
        self.asked.note(Asked::Refresh { token: token.clone() });
        travel().await;
        let mut state = lock(&self.state);
        let wrong = state.refreshings.pop_front();
        if let Some(Wrong { error, happened: false }) = wrong {
            return Err(error);
        }
        if !state.alive.remove(&token) {
            return Err(gone("The connection was ended."));
        }
        let granted = state.give();
        match wrong {
            Some(Wrong { error, .. }) => Err(error),
            None => Ok(granted),
        }
    }

    async fn revoke(
        &self,
        _: &CallContext,
        _: Option<&str>,
        token: &Secret<String>,
    ) -> Result<(), LoginError> {
        let token = token.reveal().clone();
        self.asked.note(Asked::Revoke { token: token.clone() });
        travel().await;
        let mut state = lock(&self.state);
        if let Some(Wrong { error, .. }) = state.revocations.pop_front() {
            return Err(error);
        }
        state.serving.remove(&token);
        state.alive.remove(&token);
        Ok(())
    }
}
