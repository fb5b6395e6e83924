//! A person connects an account, or connects it anew (RFC 6749's authorization code with PKCE, RFC 7636).
//!
//! ```text
//! begin:  state and verifier are drawn ─ verifier to the vault ─ row and claim of the state ─ the person goes to the network
//! finish: the state is used up ─ code for tokens ─ scopes ─ tokens to the vault ─ row and claim of the account
//! ```
//!
//! # What ties an answer to who asked
//! The answer comes by a browser that shows no token of ours, and there are no cookies. The state alone is the proof:
//! 256 random bits that only the person's browser and the network ever see, good for one use within 15 minutes, bound
//! by its row to the tenant, the network, the server and the address to come back to. The directory, which knows its
//! digest alone, resolves it. The person who began stands in the row, for whoever looks into what became of it; that
//! the same person comes back cannot be seen.
//!
//! * Somebody lets a victim finish what they began themselves (RFC 9700, section 4.7): the account of the one who is at
//!   the network is connected to the tenant that began. What the victim grants, they grant on the network's own page;
//!   whoever gets there with somebody else's address is asked there whether this application may post for them. That
//!   page is where it is refused.
//! * Somebody shows their code with a victim's state: they would need the victim's state, and the verifier in our
//!   vault makes their code worthless, since it was given out for another challenge (RFC 9700, section 4.5).
//! * A server that is not the one which the state belongs to (RFC 9207): where the answer names its issuer, that has to
//!   be the server of the row.
//!
//! # What a crash leaves
//! The row, which names the verifier and the connection. [`clear_away`] finds it once its time is over: it deletes the
//! verifier, and tokens that were stored for a connection which was never written down.
//!
//! **Never here:** a network's addresses and shapes, HTTP, who may connect.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use nexus_core::directory::OutsideKind;
use nexus_core::effect::ClaimId;
use nexus_core::retention::CONNECTING_AGE;
use nexus_core::sweep::DueKind;
use nexus_core::table::{CommitError, IndexEntry};
use nexus_core::vault::{BadSecretName, Freshness, VaultError};
use nexus_core::{
    CallContext, Condition, Directory, Item, Key, Op, Product, Record, RecordKind, Scope,
    SecretName, Stored, records,
};
use nexus_kernel::{Chance, Digest, Failure, Language, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::{Refreshing, outside_digest, place};
use super::tokens::{NotStored, Times, Tokens, rotate};
use super::{
    Accounts, Ask, Connection, ConnectionId, ConnectionState, Granted, Login, LoginError,
    MAX_CONNECTIONS, all_connections, connection_key, ending, spelled, surely,
};
use crate::desk::{Desk, TRIES};
use crate::publishing::Network;

nexus_kernel::id!(
    /// Somebody who went to a network.
    ConnectingId,
    "cng_"
);

/// The most characters of a label.
pub const MAX_LABEL_CHARS: usize = 80;
/// Characters of a PKCE verifier (RFC 7636 allows 43 to 128).
const VERIFIER_CHARS: usize = 64;
/// How long after somebody is not expected back any more what they left is cleared away: whoever came back at the last
/// moment is done by then.
const CLEARED_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long a connection may take once the person is back.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// What a person wants to connect.
#[derive(Debug, Clone)]
pub struct Wish {
    /// At which network.
    pub network: Network,
    /// At which server, where the network has several.
    pub server: Option<String>,
    /// What the tenant calls the account.
    pub label: String,
    /// The languages whose posts go there; none named is all.
    pub languages: BTreeSet<Language>,
}

/// Where a person is sent.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The address to open.
    pub address: String,
    /// Until when they are expected back.
    pub until: Timestamp,
}

/// What came back with a person.
#[derive(Debug, Clone)]
pub struct CameBack {
    /// What was sent with them.
    pub state: Secret<String>,
    /// What they bring.
    pub brings: Brings,
    /// Who says that they sent them, where they say so (RFC 9207).
    pub issuer: Option<String>,
}

/// What a person brings back.
#[derive(Debug, Clone)]
pub enum Brings {
    /// A code to be exchanged.
    Code(Secret<String>),
    /// A word for why there is none: `access_denied`.
    Refusal(String),
}

/// An account that was connected.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The connection.
    pub connection: Connection,
    /// It was there before: its history goes on.
    pub again: bool,
}

/// Somebody went to a network to connect an account, and is expected back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Connecting {
    id: ConnectingId,
    /// The person's id at the identity provider.
    by: String,
    network: Network,
    server: Option<String>,
    label: String,
    languages: Vec<Language>,
    /// Which connection it becomes, or becomes again.
    connection: ConnectionId,
    again: bool,
    redirect: String,
    expires: Timestamp,
    /// They came back: the state is used up.
    used: bool,
}

impl Record for Connecting {
    const KIND: RecordKind = RecordKind::Connecting;

    fn key(&self, scope: &Scope) -> Key {
        connecting_key(scope, self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }

    /// Not where rows that expire are due: with this one a secret goes, and perhaps two.
    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        Some(DueKind::Refresh.entry(scope, &self.id.to_string(), self.cleared_at()))
    }
}

impl Connecting {
    fn cleared_at(&self) -> Timestamp {
        self.expires.saturating_add(CLEARED_AFTER).unwrap_or(Timestamp::MAX)
    }

    /// Under which name the verifier stands in the vault.
    fn verifier(&self, scope: &Scope) -> Result<SecretName, BadSecretName> {
        SecretName::of(scope, format!("connecting-{}", self.id))
    }

    /// Under which name the tokens will stand.
    fn tokens(&self, scope: &Scope) -> Result<SecretName, BadSecretName> {
        Connection::secret_of(scope, self.network, self.connection)
    }
}

fn connecting_key(scope: &Scope, id: ConnectingId) -> Key {
    scope.key("connecting", id.to_string())
}

/// A person begins to connect an account.
///
/// # Errors
/// The wish breaks a rule; the network is not set up here; the server is none, or not allowed; there are too many
/// connections; the store or the vault does not answer.
pub async fn begin(
    accounts: &Accounts,
    desk: &Desk<'_>,
    at: &CallContext,
    wish: Wish,
    redirect: &str,
) -> Result<Begun, Failure> {
    let Wish { network, server, label, languages } = wish;
    let server = checked_server(network, server)?;
    let label = checked_label(&label)?;
    let standing = all_connections(&*accounts.table, desk.scope, desk.now()).await?;
    if standing.len() >= MAX_CONNECTIONS as usize {
        return Err(Failure::conflict(format!(
            "There are {MAX_CONNECTIONS} connections already, the disconnected ones among them. Connect one of those \
             again."
        )));
    }
    let connecting = Connecting {
        id: ConnectingId::draw(&*accounts.ambient.ids),
        by: desk.by.to_owned(),
        network,
        server,
        label,
        languages: languages.into_iter().collect(),
        connection: ConnectionId::draw(&*accounts.ambient.ids),
        again: false,
        redirect: redirect.to_owned(),
        expires: desk.now().saturating_add(CONNECTING_AGE).unwrap_or(Timestamp::MAX),
        used: false,
    };
    send_away(accounts, at, connecting).await
}

/// A person begins to connect an account anew, whatever became of it; its history goes on.
///
/// # Errors
/// There is no such connection; and as [`begin`].
pub async fn begin_again(
    accounts: &Accounts,
    desk: &Desk<'_>,
    at: &CallContext,
    id: ConnectionId,
    redirect: &str,
) -> Result<Begun, Failure> {
    let key = connection_key(desk.scope, id);
    let stored = records::load::<Connection>(&*accounts.table, &key, desk.now()).await?;
    let connection = stored.ok_or_else(|| Failure::not_found("connection"))?.record;
    let connecting = Connecting {
        id: ConnectingId::draw(&*accounts.ambient.ids),
        by: desk.by.to_owned(),
        network: connection.network,
        server: connection.server,
        label: connection.label,
        languages: connection.languages,
        connection: id,
        again: true,
        redirect: redirect.to_owned(),
        expires: desk.now().saturating_add(CONNECTING_AGE).unwrap_or(Timestamp::MAX),
        used: false,
    };
    send_away(accounts, at, connecting).await
}

async fn send_away(
    accounts: &Accounts,
    at: &CallContext,
    connecting: Connecting,
) -> Result<Begun, Failure> {
    let login = login_of(accounts, connecting.network)?;
    if !login.is_set_up().await? {
        return Err(not_set_up(connecting.network));
    }
    let scope = &at.scope;
    let chance = &*accounts.ambient.chance;
    let ask = Ask {
        server: connecting.server.clone(),
        redirect: connecting.redirect.clone(),
        state: drawn_state(chance),
        verifier: drawn_verifier(chance),
    };
    // The network first: where the server is none, nothing was written.
    let address = login.authorize(at, &ask).await.map_err(told)?;
    // Then the row, which names the verifier: a verifier that no row names would stay for good.
    let claim = Directory::of(scope.product()).claim_until(
        scope,
        OutsideKind::OAuthState,
        ask.state.reveal(),
        &connecting.id.to_string(),
        connecting.expires,
    );
    let ops = vec![records::create(scope, &connecting), claim];
    surely::commit(&*accounts.table, &accounts.ambient, ops).await?;
    let name = connecting.verifier(scope)?;
    let mut stored = accounts.vault.rotate(&name, None, &ask.verifier).await;
    if matches!(stored, Err(VaultError::Unknown(_))) {
        stored = accounts.vault.rotate(&name, None, &ask.verifier).await;
    }
    stored?;
    Ok(Begun { address, until: connecting.expires })
}

/// A person came back from a network: by the state alone it is known who and what for.
///
/// # Errors
/// One sentence for the person, whatever it was about the state. Tokens that were given are made worthless or
/// deleted where the account is not connected.
pub async fn finish(
    accounts: &Accounts,
    product: Product,
    until: Timestamp,
    back: CameBack,
) -> Result<Connected, Failure> {
    let (scope, stored) = used_up(accounts, product, &back).await?;
    let at = CallContext { scope, until };
    let finished = exchange(accounts, &at, &stored.record, &back).await;
    // Whatever came of it, the verifier is of no use any more. What fails here is cleared away later.
    if let Err(failure) = put_away(accounts, &scope, &stored).await {
        tracing::warn!(connecting = %stored.record.id, %failure, "what connecting left is cleared away later");
    }
    finished
}

fn nobody_expected() -> Failure {
    Failure::invalid(
        "This page was opened with something that is not expected: it was used before, it is older than 15 minutes, or \
         it was never given out. Begin again where you connect accounts.",
    )
}

/// Uses the state up: of two who bring the same one, one gets further.
async fn used_up(
    accounts: &Accounts,
    product: Product,
    back: &CameBack,
) -> Result<(Scope, Stored<Connecting>), Failure> {
    let (directory, state) = (Directory::of(product), back.state.reveal());
    let (kind, now) = (OutsideKind::OAuthState, accounts.ambient.now());
    let resolved = directory.resolve(&*accounts.table, kind, state, now).await?;
    let (scope, id) = resolved.ok_or_else(nobody_expected)?;
    let id = ConnectingId::parse(&id).map_err(Failure::bug)?;
    let key = connecting_key(&scope, id);
    let stored = records::load::<Connecting>(&*accounts.table, &key, now).await?;
    let mut stored = stored.filter(|s| !s.record.used).ok_or_else(nobody_expected)?;
    stored.record.used = true;
    let ops = vec![stored.update(&scope), directory.release(kind, state)];
    match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
        Ok(()) => stored.version += 1,
        Err(CommitError::Conditions(_) | CommitError::Contended) => return Err(nobody_expected()),
        Err(error) => return Err(error.into()),
    }
    Ok((scope, stored))
}

/// Deletes the verifier, and then the row that names it.
async fn put_away(
    accounts: &Accounts,
    scope: &Scope,
    stored: &Stored<Connecting>,
) -> Result<(), Failure> {
    surely::forget(&*accounts.vault, &stored.record.verifier(scope)?).await?;
    let gone = Op::Delete { key: stored.record.key(scope), when: Condition::Always };
    Ok(surely::commit(&*accounts.table, &accounts.ambient, vec![gone]).await?)
}

/// The code for tokens, and the tokens for a connection.
async fn exchange(
    accounts: &Accounts,
    at: &CallContext,
    connecting: &Connecting,
    back: &CameBack,
) -> Result<Connected, Failure> {
    let where_at = place(connecting.network, connecting.server.as_deref());
    let code = match &back.brings {
        Brings::Code(code) => code,
        Brings::Refusal(word) if word == "access_denied" => {
            return Err(Failure::denied(format!(
                "You did not allow it at {where_at}, so nothing was connected. If that was by mistake, begin again."
            )));
        }
        Brings::Refusal(word) => {
            return Err(Failure::conflict(format!(
                "{where_at} did not connect the account and calls the reason `{}`. Nothing was connected; begin again.",
                shown(word)
            )));
        }
    };
    if let (Some(issuer), Some(server)) = (&back.issuer, &connecting.server)
        && spelled(issuer).as_ref() != Ok(server)
    {
        return Err(nobody_expected());
    }
    let login = login_of(accounts, connecting.network)?;
    let name = connecting.verifier(&at.scope)?;
    let verifier = accounts.vault.read(&name, Freshness::Fresh).await?;
    let ask = Ask {
        server: connecting.server.clone(),
        redirect: connecting.redirect.clone(),
        state: back.state.clone(),
        verifier: verifier.ok_or_else(nobody_expected)?.value,
    };
    let granted = login.exchange(at, &ask, code).await.map_err(told)?;
    let granted_at = accounts.ambient.now();
    let outside = granted
        .account
        .as_ref()
        .map(|account| outside_digest(connecting.network, connecting.server.as_deref(), account));
    if let Some(missing) = missing_scopes(login, &granted) {
        let claim = claimed(accounts, &at.scope, outside).await?;
        let of_another_use = claim.is_some() || (outside.is_none() && connecting.again);
        if !of_another_use {
            let server = connecting.server.as_deref();
            if let Err(error) = login.revoke(at, server, &granted.access).await {
                tracing::info!(%error, "a grant that is too small was not revoked");
            }
        }
        return Err(Failure::conflict(format!(
            "{where_at} did not give everything that posting needs; missing: {missing}. Nothing was connected. Begin \
             again and leave everything ticked that {where_at} asks about."
        )));
    }
    let given = Given { granted, granted_at, outside };
    write_down(accounts, at, connecting, given).await
}

/// What a network gave.
struct Given {
    granted: Granted,
    granted_at: Timestamp,
    outside: Option<Digest>,
}

/// Whose an account is, among all tenants.
async fn claimed(
    accounts: &Accounts,
    scope: &Scope,
    outside: Option<Digest>,
) -> Result<Option<(Scope, String)>, Failure> {
    let Some(outside) = outside else { return Ok(None) };
    let (kind, now) = (OutsideKind::Account, accounts.ambient.now());
    let directory = Directory::of(scope.product());
    Ok(directory.resolve(&*accounts.table, kind, &outside.to_hex(), now).await?)
}

/// Tokens to the vault, then the connection.
async fn write_down(
    accounts: &Accounts,
    at: &CallContext,
    connecting: &Connecting,
    given: Given,
) -> Result<Connected, Failure> {
    let scope = &at.scope;
    let claim = claimed(accounts, scope, given.outside).await?;
    if claim.as_ref().is_some_and(|(whose, _)| whose != scope) {
        return Err(of_another_tenant(connecting));
    }
    let (id, held) = held_for(accounts, scope, connecting, &given, claim).await?;
    let name = Connection::secret_of(scope, connecting.network, id)?;
    let can_refresh = given.granted.refresh.is_some();
    let tokens = Tokens { access: given.granted.access, refresh: given.granted.refresh };
    store(accounts, &name, &tokens).await?;
    let times = Times::of(given.granted_at, given.granted.lives, can_refresh);
    let written = commit(accounts, scope, connecting, held, times, given.outside).await;
    if let Err(Unwritten::Ended(failure) | Unwritten::NotOurs(failure)) = &written {
        tracing::info!(connection = %id, %failure, "tokens of an account that was not connected are deleted");
        // What fails here is cleared away later: the row of who went away still stands.
        if let Err(error) = surely::forget(&*accounts.vault, &name).await {
            tracing::warn!(connection = %id, %error, "tokens without a connection are deleted later");
        }
    }
    written.map_err(Unwritten::into_failure)
}

/// The row that tokens are about to be stored for.
enum HeldRow {
    /// There is none yet.
    New,
    /// Ours for a while: whoever was refreshing its tokens has lost the right to.
    Taken(Box<Stored<Connection>>, ClaimId),
}

/// Which connection it becomes. One that is there is taken first, so that nobody who refreshes or ends it meanwhile
/// writes over what is about to be stored.
async fn held_for(
    accounts: &Accounts,
    scope: &Scope,
    connecting: &Connecting,
    given: &Given,
    claim: Option<(Scope, String)>,
) -> Result<(ConnectionId, HeldRow), Failure> {
    let known = claim.and_then(|(_, target)| ConnectionId::parse(&target).ok());
    for _ in 0..TRIES {
        let now = accounts.ambient.now();
        let all = all_connections(&*accounts.table, scope, now).await?;
        let same = |c: &Connection| {
            Some(c.id) == known || (given.outside.is_some() && c.outside == given.outside)
        };
        let wanted = all.iter().find(|s| connecting.again && s.record.id == connecting.connection);
        let found = all.iter().find(|s| same(&s.record));
        let stored = match (wanted, found) {
            (Some(wanted), Some(found)) if wanted.record.id != found.record.id => {
                return Err(another_account(&wanted.record, Some(&found.record)));
            }
            (Some(wanted), None) if wanted.record.outside.is_some() => {
                return Err(match given.outside {
                    Some(_) => another_account(&wanted.record, None),
                    None => nobodys_account(&wanted.record),
                });
            }
            (None, None) if connecting.again => return Err(Failure::not_found("connection")),
            (None, None) => return Ok((connecting.connection, HeldRow::New)),
            (Some(stored), _) | (None, Some(stored)) => stored,
        };
        let mut stored = stored.clone();
        let is_ended = matches!(stored.record.state, ConnectionState::Revoked { .. });
        if is_ended && stored.record.refresh_at.is_some() {
            // Somebody disconnected it and died: what was to be posted there is called off before it can be posted
            // there again.
            ending::call_off(accounts, scope, &stored.record).await?;
        }
        let holder = ClaimId::draw(&*accounts.ambient.ids);
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        stored.record.refreshing = Some(Refreshing { holder, until, follows: None, unsure: false });
        let mut ops = vec![stored.update(scope)];
        if stored.record.id != connecting.connection {
            // Should we die, whoever clears away has to know for which connection tokens may stand.
            let leads =
                Connecting { connection: stored.record.id, used: true, ..connecting.clone() };
            ops.push(records::write(scope, &leads));
        }
        match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
            Ok(()) => stored.version += 1,
            Err(CommitError::Conditions(_) | CommitError::Contended) => continue,
            Err(error) => return Err(error.into()),
        }
        return Ok((stored.record.id, HeldRow::Taken(Box::new(stored), holder)));
    }
    Err(Desk::crowded())
}

/// Stores tokens in place of whatever stands there.
async fn store(accounts: &Accounts, name: &SecretName, tokens: &Tokens) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let held = accounts.vault.read(name, Freshness::Fresh).await?;
        match rotate(&*accounts.vault, name, held.map(|held| held.generation), tokens).await {
            Ok(_) => return Ok(()),
            Err(NotStored::Overtaken) => {}
            Err(NotStored::Failed(failure)) => return Err(failure),
        }
    }
    Err(Desk::crowded())
}

/// Why a connection was not written down.
enum Unwritten {
    /// It was disconnected meanwhile: the tokens go.
    Ended(Failure),
    /// Another tenant connected the account meanwhile: the tokens go.
    NotOurs(Failure),
    /// Nobody knows, or somebody else connected it: the tokens stay, and are cleared away if nobody needs them.
    Failed(Failure),
}

impl Unwritten {
    fn into_failure(self) -> Failure {
        match self {
            Self::Ended(failure) | Self::NotOurs(failure) | Self::Failed(failure) => failure,
        }
    }
}

/// Writes the connection down, and the claim of the account with it.
async fn commit(
    accounts: &Accounts,
    scope: &Scope,
    connecting: &Connecting,
    held: HeldRow,
    times: Times,
    outside: Option<Digest>,
) -> Result<Connected, Unwritten> {
    let failed = |failure: Failure| Unwritten::Failed(failure);
    let mut held = held;
    for _ in 0..TRIES {
        let now = accounts.ambient.now();
        let (connection, put, again) = match &held {
            HeldRow::New => {
                let mut connection = Connection {
                    id: connecting.connection,
                    network: connecting.network,
                    server: connecting.server.clone(),
                    label: connecting.label.clone(),
                    languages: connecting.languages.clone(),
                    state: ConnectionState::Connected,
                    created: now,
                    since: now,
                    outside,
                    access_until: None,
                    refresh_at: None,
                    refreshing: None,
                    quiet: None,
                };
                times.write(&mut connection);
                let put = records::create(scope, &connection);
                (connection, put, false)
            }
            HeldRow::Taken(stored, _) => {
                let mut stored = stored.clone();
                let connection = &mut stored.record;
                if connection.state != ConnectionState::Connected {
                    connection.state = ConnectionState::Connected;
                    connection.since = now;
                }
                connection.outside = outside.or(connection.outside);
                connection.quiet = None;
                times.write(connection);
                (stored.record.clone(), stored.update(scope), true)
            }
        };
        let mut ops = vec![put];
        if let Some(outside) = connection.outside {
            let claim = claimed(accounts, scope, Some(outside)).await.map_err(failed)?;
            let target = connection.id.to_string();
            match claim {
                Some((whose, _)) if whose != *scope => {
                    return Err(Unwritten::NotOurs(of_another_tenant(connecting)));
                }
                Some(_) => {}
                None => ops.push(Directory::of(scope.product()).claim(
                    scope,
                    OutsideKind::Account,
                    &outside.to_hex(),
                    &target,
                )),
            }
        }
        match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
            Ok(()) => return Ok(Connected { connection, again }),
            Err(CommitError::Conditions(_) | CommitError::Contended) => {}
            Err(error) => return Err(failed(error.into())),
        }
        held = match held {
            HeldRow::New => HeldRow::New,
            HeldRow::Taken(stored, holder) => {
                let key = connection_key(scope, stored.record.id);
                let now = accounts.ambient.now();
                let stands = records::load::<Connection>(&*accounts.table, &key, now).await;
                let stands = stands.map_err(|error| failed(error.into()))?;
                match stands {
                    Some(s) if s.record.refreshing.is_some_and(|r| r.holder == holder) => {
                        HeldRow::Taken(Box::new(s), holder)
                    }
                    Some(s) if s.record.is_connected() => return Err(failed(Desk::crowded())),
                    _ => {
                        return Err(Unwritten::Ended(Failure::conflict(
                            "The account was disconnected while it was being connected. Begin again if you want it.",
                        )));
                    }
                }
            }
        };
    }
    Err(failed(Desk::crowded()))
}

/// Clears away what somebody left who went to connect an account, once they are not expected any more: the verifier,
/// tokens without a connection, the row. False where its time has not come yet.
///
/// # Errors
/// The store or the vault does not answer: it is due again.
pub async fn clear_away(
    accounts: &Accounts,
    at: &CallContext,
    row: &Item,
) -> Result<bool, Failure> {
    let (scope, now) = (&at.scope, accounts.ambient.now());
    let stored = records::read::<Connecting>(row)?;
    let connecting = &stored.record;
    if now < connecting.cleared_at() {
        return Ok(false);
    }
    if connecting.used {
        let key = connection_key(scope, connecting.connection);
        let stands = records::load::<Connection>(&*accounts.table, &key, now).await?;
        let connection = stands.map(|stored| stored.record);
        if connection.as_ref().and_then(|c| c.refreshing).is_some_and(|r| now < r.until) {
            // Somebody is at it again: then at the next walk.
            return Ok(false);
        }
        let keeps = connection.is_some_and(|c| !matches!(c.state, ConnectionState::Revoked { .. }));
        if !keeps {
            orphaned(accounts, at, connecting).await?;
        }
    }
    put_away(accounts, scope, &stored).await?;
    Ok(true)
}

/// Tokens that were stored for a connection which was never written down: the network is asked to make them worthless,
/// and they are deleted.
async fn orphaned(
    accounts: &Accounts,
    at: &CallContext,
    connecting: &Connecting,
) -> Result<(), Failure> {
    let name = connecting.tokens(&at.scope)?;
    let Some(held) = accounts.vault.read(&name, Freshness::Fresh).await? else { return Ok(()) };
    if let (Ok(tokens), Some(login)) = (Tokens::of(&held), accounts.login(connecting.network)) {
        let revoked = login.revoke(at, connecting.server.as_deref(), &tokens.access).await;
        tracing::info!(connection = %connecting.connection, told = revoked.is_ok(), "tokens without a connection were found");
    }
    surely::forget(&*accounts.vault, &name).await?;
    Ok(())
}

fn login_of(accounts: &Accounts, network: Network) -> Result<&dyn Login, Failure> {
    accounts.login(network).map(|login| &**login).ok_or_else(|| not_set_up(network))
}

fn not_set_up(network: Network) -> Failure {
    let name = place(network, None);
    Failure::conflict(format!(
        "{name} is not set up here: whoever operates this gives it an application's name and secret first."
    ))
}

/// What went wrong at a network, for the person in front of it.
fn told(error: LoginError) -> Failure {
    match error {
        LoginError::Gone { why } => {
            Failure::conflict(format!("{why} Nothing was connected; begin again."))
        }
        other => other.into(),
    }
}

fn of_another_tenant(connecting: &Connecting) -> Failure {
    let place = place(connecting.network, connecting.server.as_deref());
    Failure::conflict(format!(
        "This account of {place} is connected by another customer here, and an account is connected once. It has to be \
         disconnected there first. If you meant another account, log out at {place} and begin again."
    ))
}

fn another_account(wanted: &Connection, found: Option<&Connection>) -> Failure {
    let place = wanted.place();
    let advice = match found {
        Some(found) => format!("It is connected as `{}` already.", found.label),
        None => "Connect it as an account of its own.".to_owned(),
    };
    Failure::conflict(format!(
        "You were logged in at {place} with another account than that of `{}`. {advice} To connect `{}` again, log out \
         at {place} and begin again.",
        wanted.label, wanted.label
    ))
}

/// Tokens of which nobody can tell that they are of the account that stands here.
fn nobodys_account(wanted: &Connection) -> Failure {
    let place = wanted.place();
    Failure::conflict(format!(
        "{place} did not say whose account this is, so it was not taken for `{}`. Nothing was changed; begin again.",
        wanted.label
    ))
}

/// Scopes that were asked for and not granted; `None` where nothing is missing or the network does not say.
fn missing_scopes(login: &dyn Login, granted: &Granted) -> Option<String> {
    let scopes = granted.scopes.as_ref()?;
    let missing: Vec<String> = login
        .scopes()
        .iter()
        .filter(|wanted| !scopes.contains(**wanted))
        .map(|wanted| format!("`{wanted}`"))
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// A word of the network's, as it may be shown: letters, digits and what stands between words, 40 at most.
fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let short: String = word.chars().filter(|c| plain(*c)).take(40).collect();
    if short.is_empty() { "unknown".to_owned() } else { short }
}

fn drawn_state(chance: &dyn Chance) -> Secret<String> {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// 384 bits in characters that RFC 3986 leaves unreserved.
fn drawn_verifier(chance: &dyn Chance) -> Secret<String> {
    const UNRESERVED: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; VERIFIER_CHARS];
    chance.fill(&mut bytes);
    let drawn = bytes.iter().map(|byte| {
        let at = usize::from(byte & 63);
        char::from(UNRESERVED.get(at).copied().unwrap_or(b'-'))
    });
    Secret::new(drawn.collect())
}

fn checked_label(raw: &str) -> Result<String, Failure> {
    let label = raw.trim();
    let chars = label.chars().count();
    if chars == 0 || chars > MAX_LABEL_CHARS || label.chars().any(char::is_control) {
        let problem = format!("write 1 to {MAX_LABEL_CHARS} characters on one line");
        return Err(Failure::field("label", problem));
    }
    Ok(label.to_owned())
}

/// A server's address as it is kept. Whether it may be asked at all, the way out decides.
fn checked_server(network: Network, raw: Option<String>) -> Result<Option<String>, Failure> {
    let wrong = |problem: &str| Err(Failure::field("server", problem));
    if !network.has_accounts() {
        return Err(Failure::field("network", "there are no accounts to connect: it needs none"));
    }
    let raw = match (network, raw) {
        (Network::Mastodon, Some(raw)) => raw,
        (Network::Mastodon, None) => {
            return wrong("name the server, for example `https://social.example`");
        }
        (_, None) => return Ok(None),
        (_, Some(_)) => return wrong("this network has one server: leave this out"),
    };
    spelled(&raw).map(Some).or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n36_states_have_256_bits_and_verifiers_64_unreserved_characters() {
        let clock = nexus_kernel::ambient::ManualClock::at(Timestamp::UNIX_EPOCH);
        let chance = nexus_kernel::Ambient::seeded(std::sync::Arc::new(clock), 1).chance;
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let (state, verifier) = (drawn_state(&*chance), drawn_verifier(&*chance));
            assert_eq!(state.reveal().len(), 64);
            assert!(state.reveal().bytes().all(|b| b.is_ascii_hexdigit()));
            assert_eq!(verifier.reveal().len(), 64);
            let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            assert!(verifier.reveal().bytes().all(unreserved));
            seen.extend([state.reveal().clone(), verifier.reveal().clone()]);
        }
        assert_eq!(seen.len(), 200, "each is another");
    }

    #[test]
    fn n16_a_server_is_kept_in_its_one_spelling() {
        let kept = |raw: &str| checked_server(Network::Mastodon, Some(raw.to_owned()));
        for (raw, server) in [
            ("https://Social.Example/", "https://social.example"),
            (" social.example ", "https://social.example"),
            ("https://social.example:443", "https://social.example"),
            ("http://social.example:80/", "http://social.example"),
            ("https://social.example.", "https://social.example"),
            ("Bücher.example", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
            ("https://[::1]:8001", "https://[::1]:8001"),
        ] {
            assert_eq!(kept(raw).unwrap().as_deref(), Some(server));
        }
        let long = format!("https://{}", "a".repeat(300));
        for wrong in
            ["", "ftp://a", "https://", "https://a/b", "https://u@a", "https://a?b", "a b", &long]
        {
            assert!(kept(wrong).is_err(), "{wrong}");
        }
        assert!(checked_server(Network::Mastodon, None).is_err());
        assert!(checked_server(Network::X, Some("https://x.example".into())).is_err());
        assert_eq!(checked_server(Network::TikTok, None).unwrap(), None);
        assert!(checked_server(Network::Feed, None).is_err());
    }

    #[test]
    fn a_networks_word_is_shown_without_what_could_be_markup() {
        assert_eq!(shown("temporarily_unavailable"), "temporarily_unavailable");
        assert_eq!(shown("<script>alert(1)</script>"), "scriptalert1script");
        assert_eq!(shown("\u{202e}💥"), "unknown");
        assert_eq!(shown(&"x".repeat(99)).len(), 40);
    }
}
