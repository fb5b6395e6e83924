//! A token for use.
//!
//! # One refresher for each account
//! ```text
//! claim (on the row's version) ─ ask the network ─ rotate the vault ─ write the times, give the claim back
//! ```
//! Whoever does not get the claim uses the old token while it serves, and else comes again. New tokens are stored
//! before anybody uses them. Whatever dies on this way is found by the next holder once the claim's time is over:
//!
//! | it died | the next holder finds | and |
//! |---|---|---|
//! | before the network was asked | the tokens of before | asks |
//! | after it, before the vault | the tokens of before | asks once more; where the refresh token is used up, a person has to connect anew |
//! | after the vault | other tokens than the claim names | writes the row anew, and asks nobody |
//!
//! **Never here:** how a network is asked, who may disconnect an account.

use std::cmp;
use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::effect::ClaimId;
use nexus_core::table::CommitError;
use nexus_core::vault::{Freshness, Generation, Held, SecretName, VaultError};
use nexus_core::{CallContext, Scope, Stored, Table, Vault, records};
use nexus_kernel::{Ambient, Failure, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::Refreshing;
use super::{Access, Connection, ConnectionId, ConnectionState, Granted, Login, LoginError};
use super::{connection_key, ending, surely};
use crate::publishing::Network;

/// A token that serves less than this is refreshed before it is used.
const LEAST: SignedDuration = SignedDuration::from_secs(60);
/// Tokens are refreshed when a third of their life is left, and not sooner than this before its end.
const AHEAD: SignedDuration = SignedDuration::from_hours(4);
/// The longest that somebody may be at refreshing.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Seconds after which whoever met a refresher at work comes again.
const BUSY: u32 = 5;
/// Seconds after which a network is asked again that has no time and does not say when it will.
const LATER: u32 = 60;
/// Seconds after which a network is asked again that refuses this house, whatever account it asks for.
const REFUSED: u32 = 600;
/// The most seconds that a network is believed which asks to wait.
const LONGEST: u32 = 3_600;
/// How long after a token ran out its owner is told whose network refuses to refresh it.
const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The same where the network does not answer, or has no time: mostly that is over by itself.
const UNANSWERED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// For how long new tokens of which nobody wrote down the end are taken to serve. If they do not, the network says so.
const ASSUMED: SignedDuration = SignedDuration::from_mins(10);
/// How often others may be faster.
const TRIES: u32 = 8;

/// The accounts of tenants, and the right to act for them.
#[derive(Clone)]
pub struct Accounts {
    /// Where the connections stand.
    pub table: Arc<dyn Table>,
    /// Where the tokens are.
    pub vault: Arc<dyn Vault>,
    /// Who refreshes them.
    pub logins: Vec<Arc<dyn Login>>,
    /// Time, ids and chance.
    pub ambient: Ambient,
}

/// Why there is no token.
#[derive(Debug)]
pub enum NoAccess {
    /// The account is not connected any more: a person has to do something.
    Ended {
        /// Why, as its owner should read it.
        why: String,
    },
    /// Somebody is refreshing it, or the network cannot be asked now.
    Later {
        /// Seconds to wait.
        after_seconds: u32,
    },
    /// The store or the vault does not answer.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for NoAccess {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What an account's secret holds: these two and nothing else (N37).
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) access: Secret<String>,
    pub(super) refresh: Option<Secret<String>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[tokens]")
    }
}

#[derive(Serialize)]
struct Written<'t> {
    access: &'t str,
    refresh: Option<&'t str>,
}

#[derive(Deserialize)]
struct Stands {
    access: String,
    refresh: Option<String>,
}

impl Tokens {
    /// As the vault takes them.
    pub(super) fn sealed(&self) -> Result<Secret<String>, Failure> {
        let refresh = self.refresh.as_ref().map(|token| token.reveal().as_str());
        let written = Written { access: self.access.reveal(), refresh };
        Ok(Secret::new(serde_json::to_string(&written).map_err(Failure::bug)?))
    }

    /// As the vault gave them.
    pub(super) fn of(held: &Held) -> Result<Self, Failure> {
        // The reader's own error could quote what it read.
        let unreadable = |_| Failure::bug("an account's secret does not hold two tokens");
        let Stands { access, refresh } =
            serde_json::from_str(held.value.reveal()).map_err(unreadable)?;
        Ok(Self { access: Secret::new(access), refresh: refresh.map(Secret::new) })
    }
}

/// What somebody who asks for a token has in hand.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// Nothing.
    ForUse,
    /// Nothing either: tokens are refreshed before they have to be.
    InTime,
    /// A token that the network refused.
    Instead(&'a Secret<String>),
}

impl Accounts {
    /// A token for this account that serves at least a minute more; refreshed first where it has to be.
    ///
    /// # Errors
    /// There is none.
    pub async fn access(&self, at: &CallContext, id: ConnectionId) -> Result<Access, NoAccess> {
        self.token(at, id, Wanted::ForUse).await
    }

    /// The network refused this token: another one, if somebody has refreshed it meanwhile or it can be refreshed now.
    /// Where it cannot, the account counts as revoked by its owner.
    ///
    /// # Errors
    /// There is none.
    pub async fn refused(&self, at: &CallContext, refused: &Access) -> Result<Access, NoAccess> {
        self.token(at, refused.connection, Wanted::Instead(&refused.token)).await
    }

    /// Refreshes an account whose time for it has come; nothing where it has not.
    ///
    /// # Errors
    /// Its tokens are as they were.
    pub async fn refresh(&self, at: &CallContext, id: ConnectionId) -> Result<(), NoAccess> {
        self.token(at, id, Wanted::InTime).await.map(drop)
    }

    /// Who connects accounts of a network.
    pub fn login(&self, network: Network) -> Option<&Arc<dyn Login>> {
        self.logins.iter().find(|login| login.network() == network)
    }

    async fn token(
        &self,
        at: &CallContext,
        id: ConnectionId,
        wanted: Wanted<'_>,
    ) -> Result<Access, NoAccess> {
        for _ in 0..TRIES {
            let now = self.ambient.now();
            let stored = self.connected(&at.scope, id, now).await?;
            let connection = &stored.record;
            let name = connection.secret(&at.scope)?;
            if matches!(wanted, Wanted::ForUse)
                && serves(connection, later(now, LEAST))
                && let Some(held) = self.vault.read(&name, Freshness::Cached).await?
            {
                return Ok(access(connection, Tokens::of(&held)?.access));
            }
            let Some(held) = self.vault.read(&name, Freshness::Fresh).await? else {
                let why = "Its tokens are not there any more.";
                if self.reconnect_needed(&at.scope, stored, why).await? {
                    return Err(NoAccess::Ended { why: connect_anew(why) });
                }
                continue;
            };
            let tokens = Tokens::of(&held)?;
            match wanted {
                Wanted::Instead(refused) if refused.reveal() != tokens.access.reveal() => {
                    return Ok(access(connection, tokens.access));
                }
                Wanted::InTime if connection.refresh_at.is_none_or(|at| now < at) => {
                    return Ok(access(connection, tokens.access));
                }
                _ => {}
            }
            match connection.refreshing {
                Some(holder) if now < holder.until => {
                    let left = holder.until.duration_since(now);
                    // Longer than anybody works at it: the network was put off.
                    let wait = if left > LEASE { seconds(left) } else { BUSY };
                    return meanwhile(connection, tokens, wanted, now, wait);
                }
                Some(dead) if dead.follows != Some(held.generation) => {
                    self.repair(&at.scope, stored, now).await?;
                    continue;
                }
                _ => {}
            }
            let Some(refresh) = tokens.refresh.clone() else {
                if let Wanted::Instead(_) = wanted {
                    let why = format!("{} does not accept it any more.", connection.place());
                    return Err(ending::from_outside(self, &at.scope, stored, &why).await);
                }
                if !serves(connection, now) {
                    let why = "Its token ran out, and there is none to refresh it with.";
                    if self.reconnect_needed(&at.scope, stored, why).await? {
                        return Err(NoAccess::Ended { why: connect_anew(why) });
                    }
                    continue;
                }
                return Ok(access(connection, tokens.access));
            };
            let login = self.login(connection.network).map(Arc::clone);
            let Some(login) = login else {
                return meanwhile(connection, tokens, wanted, now, REFUSED);
            };
            if let Some(claimed) = self.claim(at, stored, held.generation, now).await? {
                return self.ask(&at.scope, &*login, claimed, tokens, &refresh, wanted).await;
            }
        }
        Err(NoAccess::Later { after_seconds: BUSY })
    }

    /// The connection, if posts can go through it.
    async fn connected(
        &self,
        scope: &Scope,
        id: ConnectionId,
        now: Timestamp,
    ) -> Result<Stored<Connection>, NoAccess> {
        let key = connection_key(scope, id);
        let stored = records::load::<Connection>(&*self.table, &key, now).await?;
        let Some(stored) = stored else {
            return Err(NoAccess::Ended { why: "The account was removed.".to_owned() });
        };
        match &stored.record.state {
            ConnectionState::Connected => Ok(stored),
            ConnectionState::ReconnectNeeded { why } | ConnectionState::Revoked { why, .. } => {
                Err(NoAccess::Ended { why: why.clone() })
            }
        }
    }

    /// The claim of a refresher; `None` where somebody was faster.
    async fn claim(
        &self,
        at: &CallContext,
        mut stored: Stored<Connection>,
        follows: Generation,
        now: Timestamp,
    ) -> Result<Option<Claimed>, NoAccess> {
        let until = cmp::min(at.until, later(now, LEASE));
        if until <= now {
            return Err(NoAccess::Later { after_seconds: BUSY });
        }
        let before = stored.record.refreshing;
        let unsure = before.is_some_and(|dead| dead.unsure);
        let holder = ClaimId::draw(&*self.ambient.ids);
        // Whoever finds this after its time cannot tell how far its holder came.
        let claim = Refreshing { holder, until, follows: Some(follows), unsure: true };
        stored.record.refreshing = Some(claim);
        match surely::commit(&*self.table, &self.ambient, vec![stored.update(&at.scope)]).await {
            Ok(()) => stored.version += 1,
            Err(CommitError::Conditions(_) | CommitError::Contended) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(Some(Claimed { stored, claim, follows, unsure }))
    }

    /// Asks the network, and writes down what came of it.
    async fn ask(
        &self,
        scope: &Scope,
        login: &dyn Login,
        claimed: Claimed,
        old: Tokens,
        refresh: &Secret<String>,
        wanted: Wanted<'_>,
    ) -> Result<Access, NoAccess> {
        let connection = &claimed.stored.record;
        let now = self.ambient.now();
        let ran_out = |ago| connection.access_until.is_some_and(|end| later(end, ago) <= now);
        let (refused_long, unanswered_long) = (ran_out(REFUSED_FOR), ran_out(UNANSWERED_FOR));
        let call = CallContext { scope: *scope, until: claimed.claim.until };
        match login.refresh(&call, connection.server.as_deref(), refresh).await {
            Ok(granted) => self.keep(scope, login, claimed, old, granted).await,
            Err(LoginError::Gone { why }) if claimed.unsure => {
                // The token may be used up by an attempt whose answer was lost: that tells nothing of its owner.
                self.unrefreshed(scope, claimed.stored, &why).await
            }
            Err(LoginError::Refused { why }) if refused_long => {
                self.unrefreshed(scope, claimed.stored, &why).await
            }
            Err(LoginError::Later { why, .. }) if unanswered_long => {
                self.unrefreshed(scope, claimed.stored, &why).await
            }
            Err(LoginError::Unknown { why }) if unanswered_long => {
                tracing::warn!(connection = %connection.id, why, "nobody knows whether an account was refreshed");
                let why = "Its network gives no answer.";
                self.unrefreshed(scope, claimed.stored, why).await
            }
            Err(LoginError::Gone { why }) => {
                Err(ending::from_outside(self, scope, claimed.stored, &why).await)
            }
            Err(LoginError::Later { after_seconds, why }) => {
                let wait = after_seconds.unwrap_or(LATER).clamp(1, LONGEST);
                self.put_off(scope, claimed, old, wanted, wait, &why).await
            }
            Err(LoginError::Refused { why }) => {
                self.put_off(scope, claimed, old, wanted, REFUSED, &why).await
            }
            Err(LoginError::Unknown { why }) => {
                // The claim stays: until its time is over nobody shows this refresh token again.
                tracing::warn!(connection = %connection.id, why, "nobody knows whether an account was refreshed");
                let now = self.ambient.now();
                let left = claimed.claim.until.duration_since(now);
                meanwhile(connection, old, wanted, now, seconds(left))
            }
        }
    }

    /// The tokens have run out, and nothing suggests any more that they will be refreshed: a person is told.
    async fn unrefreshed(
        &self,
        scope: &Scope,
        stored: Stored<Connection>,
        why: &str,
    ) -> Result<Access, NoAccess> {
        let why = format!("Its tokens could not be refreshed in time. {why}");
        if self.reconnect_needed(scope, stored, &why).await? {
            return Err(NoAccess::Ended { why: connect_anew(&why) });
        }
        Err(NoAccess::Later { after_seconds: BUSY })
    }

    /// Stores new tokens, and then writes down how long they serve.
    async fn keep(
        &self,
        scope: &Scope,
        login: &dyn Login,
        claimed: Claimed,
        old: Tokens,
        granted: Granted,
    ) -> Result<Access, NoAccess> {
        let Claimed { stored, claim, follows, .. } = claimed;
        let id = stored.record.id;
        let tokens = Tokens { access: granted.access, refresh: granted.refresh.or(old.refresh) };
        let name = stored.record.secret(scope)?;
        match rotate(&*self.vault, &name, Some(follows), &tokens).await {
            Ok(_) => {}
            Err(NotStored::Overtaken) => {
                // Somebody connected the account anew, or disconnected it: of these tokens nobody knows.
                let now = self.ambient.now();
                let ended = self.connected(scope, id, now).await;
                if let Err(NoAccess::Ended { why }) = ended {
                    let call = CallContext { scope: *scope, until: claim.until };
                    let server = stored.record.server.as_deref();
                    let revoked = login.revoke(&call, server, &tokens.access).await;
                    tracing::info!(connection = %id, told = revoked.is_ok(), "an account was refreshed while it was disconnected");
                    return Err(NoAccess::Ended { why });
                }
                return Err(NoAccess::Later { after_seconds: 1 });
            }
            Err(NotStored::Failed(failure)) => return Err(NoAccess::Failed(failure)),
        }
        let granted_at = self.ambient.now();
        let mut stored = stored;
        for _ in 0..TRIES {
            let connection = &mut stored.record;
            let times = Times::of(granted_at, granted.lives, tokens.refresh.is_some());
            times.write(connection);
            let access = access(connection, tokens.access.clone());
            match surely::commit(&*self.table, &self.ambient, vec![stored.update(scope)]).await {
                Ok(()) => return Ok(access),
                Err(CommitError::Conditions(_) | CommitError::Contended) => {}
                Err(error) => {
                    // The tokens are stored: who finds the claim after its time writes the row anew.
                    tracing::warn!(connection = %id, %error, "the times of new tokens were not written down");
                    return Ok(access);
                }
            }
            stored = self.connected(scope, id, self.ambient.now()).await?;
            if stored.record.refreshing.is_none_or(|now| now.holder != claim.holder) {
                return Ok(access);
            }
        }
        Ok(access(&stored.record, tokens.access))
    }

    /// The network was asked and certainly did nothing: nobody asks again before so many seconds are over.
    async fn put_off(
        &self,
        scope: &Scope,
        claimed: Claimed,
        old: Tokens,
        wanted: Wanted<'_>,
        seconds: u32,
        why: &str,
    ) -> Result<Access, NoAccess> {
        let Claimed { mut stored, claim, unsure, .. } = claimed;
        let now = self.ambient.now();
        tracing::warn!(connection = %stored.record.id, seconds, why, "an account is refreshed later");
        let until = later(now, SignedDuration::from_secs(i64::from(seconds)));
        stored.record.refreshing = Some(Refreshing { until, unsure, ..claim });
        if let Err(error) = self.table.commit(vec![stored.update(scope)], None).await {
            // Then the claim ends by itself, and counts as one of which nobody knows.
            tracing::debug!(connection = %stored.record.id, %error, "that a network was put off was not written down");
        }
        meanwhile(&stored.record, old, wanted, now, seconds)
    }

    /// A holder died after its new tokens were stored: the row is written anew, and nobody is asked.
    async fn repair(
        &self,
        scope: &Scope,
        mut stored: Stored<Connection>,
        now: Timestamp,
    ) -> Result<(), NoAccess> {
        let connection = &mut stored.record;
        connection.refreshing = None;
        connection.access_until = Some(later(now, ASSUMED));
        connection.refresh_at = Some(now);
        match surely::commit(&*self.table, &self.ambient, vec![stored.update(scope)]).await {
            Ok(()) | Err(CommitError::Conditions(_) | CommitError::Contended) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down that a person has to connect the account anew, and tells them; false where somebody changed it
    /// meanwhile.
    async fn reconnect_needed(
        &self,
        scope: &Scope,
        mut stored: Stored<Connection>,
        why: &str,
    ) -> Result<bool, NoAccess> {
        let connection = &mut stored.record;
        connection.state = ConnectionState::ReconnectNeeded { why: connect_anew(why) };
        connection.since = self.ambient.now();
        connection.refreshing = None;
        connection.refresh_at = None;
        connection.access_until = None;
        let mut ops =
            ending::told_of_reconnect(self, scope, connection, why).map_err(NoAccess::Failed)?;
        ops.push(stored.update(scope));
        match surely::commit(&*self.table, &self.ambient, ops).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conditions(_) | CommitError::Contended) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A connection whose refresher we are.
struct Claimed {
    stored: Stored<Connection>,
    claim: Refreshing,
    /// The generation of the tokens that are refreshed.
    follows: Generation,
    /// Somebody may have shown the same refresh token before us.
    unsure: bool,
}

/// When tokens end, and when they are due to be refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    access_until: Option<Timestamp>,
    refresh_at: Option<Timestamp>,
}

impl Times {
    /// Of tokens that were granted now. Those that cannot be refreshed are looked at when they end: then a person is
    /// told.
    pub(super) fn of(now: Timestamp, lives: Option<SignedDuration>, can_refresh: bool) -> Self {
        let Some(lives) = lives.map(|lives| cmp::max(lives, SignedDuration::ZERO)) else {
            return Self { access_until: None, refresh_at: None };
        };
        let until = now.saturating_add(lives).unwrap_or(Timestamp::MAX);
        let ahead = if can_refresh { cmp::min(lives / 3, AHEAD) } else { SignedDuration::ZERO };
        let refresh_at = until.saturating_sub(ahead).unwrap_or(now);
        Self { access_until: Some(until), refresh_at: Some(refresh_at) }
    }

    /// Writes them down, and that nobody is refreshing any more.
    pub(super) fn write(self, connection: &mut Connection) {
        connection.access_until = self.access_until;
        connection.refresh_at = self.refresh_at;
        connection.refreshing = None;
    }
}

/// Why tokens were not stored.
pub(super) enum NotStored {
    /// Others stand there, or they were forgotten.
    Overtaken,
    /// The vault does not answer, or does not take them.
    Failed(Failure),
}

/// How often a vault is asked that did not answer.
const VAULT_TRIES: u32 = 3;

/// Stores tokens behind those of a generation.
pub(super) async fn rotate(
    vault: &dyn Vault,
    name: &SecretName,
    follows: Option<Generation>,
    tokens: &Tokens,
) -> Result<Generation, NotStored> {
    let sealed = tokens.sealed().map_err(NotStored::Failed)?;
    let mut answer = vault.rotate(name, follows, &sealed).await;
    for _ in 1..VAULT_TRIES {
        // These tokens are there only once: what did not happen, or may not have, is asked for again.
        let again = matches!(
            answer,
            Err(VaultError::Unknown(_) | VaultError::Unavailable(_) | VaultError::Throttled(_))
        );
        if !again {
            break;
        }
        answer = vault.rotate(name, follows, &sealed).await;
    }
    answer.map_err(|error| match error {
        VaultError::Overtaken => NotStored::Overtaken,
        error => NotStored::Failed(error.into()),
    })
}

fn access(connection: &Connection, token: Secret<String>) -> Access {
    Access { connection: connection.id, server: connection.server.clone(), token }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Whole seconds, 1 to 3600.
fn seconds(wait: SignedDuration) -> u32 {
    u32::try_from(wait.as_secs()).unwrap_or_default().clamp(1, LONGEST)
}

fn serves(connection: &Connection, at: Timestamp) -> bool {
    connection.access_until.is_none_or(|until| at < until)
}

/// The old token while it serves; else whoever asks comes again.
fn meanwhile(
    connection: &Connection,
    old: Tokens,
    wanted: Wanted<'_>,
    now: Timestamp,
    after_seconds: u32,
) -> Result<Access, NoAccess> {
    match wanted {
        Wanted::ForUse if serves(connection, now) => Ok(access(connection, old.access)),
        _ => Err(NoAccess::Later { after_seconds }),
    }
}

/// What went wrong, and what helps.
pub(super) fn connect_anew(why: &str) -> String {
    format!("{why} Connect the account again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn hours(n: i64) -> SignedDuration {
        SignedDuration::from_hours(n)
    }

    #[test]
    fn tokens_are_refreshed_when_a_third_of_their_life_is_left_at_most_four_hours_ahead() {
        for (lives, ahead) in [
            (hours(2), SignedDuration::from_mins(40)),
            (hours(12), hours(4)),
            (hours(24), hours(4)),
            (SignedDuration::from_secs(-5), SignedDuration::ZERO),
        ] {
            let times = Times::of(NOW, Some(lives), true);
            let until = NOW + cmp::max(lives, SignedDuration::ZERO);
            assert_eq!(times, Times { access_until: Some(until), refresh_at: Some(until - ahead) });
        }
        let endless = Times { access_until: None, refresh_at: None };
        assert_eq!(Times::of(NOW, None, true), endless);
        let until = Some(NOW + hours(2));
        let once = Times { access_until: until, refresh_at: until };
        assert_eq!(Times::of(NOW, Some(hours(2)), false), once, "looked at when it ends");
    }

    #[test]
    fn n37_a_secret_holds_two_tokens_and_nothing_prints_them() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let tokens = Tokens { access: secret("canary-a"), refresh: Some(secret("canary-r")) };
        let value = tokens.sealed().unwrap();
        assert_eq!(value.reveal(), r#"{"access":"canary-a","refresh":"canary-r"}"#);
        let held = Held { value, generation: Generation::stored(1) };
        let read = Tokens::of(&held).unwrap();
        assert_eq!(read.refresh.as_ref().unwrap().reveal(), "canary-r");
        assert!(!format!("{read:?}{held:?}").contains("canary"));
        for broken in ["canary", r#""canary""#, r#"{"access":["canary"]}"#] {
            let held = Held { value: secret(broken), generation: Generation::stored(1) };
            let failure = Tokens::of(&held).unwrap_err();
            let told = format!("{failure:?}{failure}");
            assert!(!told.contains("canary"), "{told}");
        }
    }
}
