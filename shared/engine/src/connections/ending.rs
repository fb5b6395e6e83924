//! An account is disconnected: by a person here, or by its owner at the network.
//!
//! ```text
//! mark ─ call its posts off ─ tell the network ─ delete the tokens ─ give the account free
//! ```
//! It is marked first: from then on no post is claimed for it, since the claim's own commit asks whether the row is
//! what it was. What follows may be done twice, and is carried to its end by the `refresh` function where whoever began
//! it died. The network is told only where a person disconnects here; if it cannot be told, the person is.
//!
//! The row stays, with its history: who connects the account again goes on with it.
//!
//! **Never here:** who may disconnect, a post that is being sent already: that one is told as too late.

use nexus_core::directory::OutsideKind;
use nexus_core::effect::{self, Effect, EffectId, Payload as _, State};
use nexus_core::sweep::moment;
use nexus_core::table::{CommitError, Index, Page, Query};
use nexus_core::vault::{Freshness, Remains};
use nexus_core::{CallContext, Directory, Op, Scope, Stored, records};
use nexus_kernel::{Failure, Timestamp};

use super::tokens::{Tokens, connect_anew};
use super::{
    Accounts, Connection, ConnectionId, ConnectionState, LoginError, NoAccess, connection_key,
    surely,
};
use crate::desk::{Desk, TRIES};
use crate::notices::{self, NoticeCode};
use crate::publishing::{GRACE, PostPlan};

/// Who stands in a connection that its owner ended at the network: the deed that noticed.
const NOTICED_BY: &str = "refresh";
/// Why a post was called off, in its history.
const CALLED_OFF: &str = "its account was disconnected";
/// How many posts are read at once.
const PAGE: u32 = 200;

/// What came of a disconnection: the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnected {
    /// The connection as it stands now.
    pub connection: Connection,
    /// How many posts were called off.
    pub posts_cancelled: u32,
    /// Posts that were being sent already, or may have been: they cannot be called off any more.
    pub too_late: Vec<EffectId>,
    /// Whether the network confirmed that the tokens are worthless; `None` where it was not asked, because there were
    /// none any more or because it said so itself.
    pub network_told: Option<bool>,
    /// What is left of the deleted tokens.
    pub remains: Remains,
}

/// A person disconnects an account. Doing it twice is doing it once.
///
/// # Errors
/// There is no such connection; the store or the vault does not answer: then it is carried on later.
pub async fn disconnect(
    accounts: &Accounts,
    desk: &Desk<'_>,
    at: &CallContext,
    id: ConnectionId,
) -> Result<Disconnected, Failure> {
    for _ in 0..TRIES {
        let now = accounts.ambient.now();
        let stored = load(accounts, desk.scope, id, now).await?;
        let mut stored = stored.ok_or_else(|| Failure::not_found("connection"))?;
        if matches!(stored.record.state, ConnectionState::Revoked { .. }) {
            return carry_out(accounts, at, stored).await;
        }
        let why = "It was disconnected here.".to_owned();
        mark(&mut stored.record, desk.by, why, now);
        let ops = vec![stored.update(desk.scope)];
        match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
            Ok(()) => stored.version += 1,
            Err(CommitError::Conditions(_) | CommitError::Contended) => continue,
            Err(error) => return Err(error.into()),
        }
        return carry_out(accounts, at, stored).await;
    }
    Err(Desk::crowded())
}

/// Carries an ending on that somebody began and did not bring to its end.
///
/// # Errors
/// The store or the vault does not answer; or it was connected again.
pub async fn carry_on(
    accounts: &Accounts,
    at: &CallContext,
    id: ConnectionId,
) -> Result<(), Failure> {
    match load(accounts, &at.scope, id, accounts.ambient.now()).await? {
        Some(stored) if matches!(stored.record.state, ConnectionState::Revoked { .. }) => {
            carry_out(accounts, at, stored).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// The network says that its owner ended it, or accepts nothing of ours any more (N41).
pub(super) async fn from_outside(
    accounts: &Accounts,
    scope: &Scope,
    mut stored: Stored<Connection>,
    why: &str,
) -> NoAccess {
    let now = accounts.ambient.now();
    let connection = &mut stored.record;
    let told = format!(
        "{} does not let this application post to `{}` any more. {why} Its tokens are deleted and the posts that \
         waited for it are called off. To go on, connect the account again.",
        connection.place(),
        connection.label,
    );
    let about = Some(connection.id.to_string());
    let why = connect_anew(why);
    mark(connection, NOTICED_BY, why.clone(), now);
    let code = NoticeCode::RevokedOutside;
    let mut ops = match notices::tell(scope, &accounts.ambient, code, told, about) {
        Ok(told) => told,
        Err(failure) => return NoAccess::Failed(failure),
    };
    ops.push(stored.update(scope));
    match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
        Ok(()) => stored.version += 1,
        Err(CommitError::Conditions(_) | CommitError::Contended) => {
            return NoAccess::Later { after_seconds: 1 };
        }
        Err(error) => return NoAccess::Failed(error.into()),
    }
    let id = stored.record.id;
    let at = CallContext { scope: *scope, until: now };
    if let Err(failure) = carry_out(accounts, &at, stored).await {
        tracing::warn!(connection = %id, %failure, "an ending is carried on later");
    }
    NoAccess::Ended { why }
}

/// The operations that tell the owner to connect an account anew.
pub(super) fn told_of_reconnect(
    accounts: &Accounts,
    scope: &Scope,
    connection: &Connection,
    why: &str,
) -> Result<Vec<Op>, Failure> {
    let (place, label) = (connection.place(), &connection.label);
    let text = format!(
        "Nothing can be posted to `{label}` at {place} before the account is connected again. {why}"
    );
    let (code, about) = (NoticeCode::ReconnectNeeded, Some(connection.id.to_string()));
    notices::tell(scope, &accounts.ambient, code, text, about)
}

fn mark(connection: &mut Connection, by: &str, why: String, now: Timestamp) {
    connection.state = ConnectionState::Revoked { by: by.to_owned(), why };
    connection.since = now;
    connection.refreshing = None;
    connection.access_until = None;
    // Until all of it is done, so that somebody carries it on.
    connection.refresh_at = Some(now);
}

async fn load(
    accounts: &Accounts,
    scope: &Scope,
    id: ConnectionId,
    now: Timestamp,
) -> Result<Option<Stored<Connection>>, Failure> {
    Ok(records::load(&*accounts.table, &connection_key(scope, id), now).await?)
}

/// What follows the mark.
async fn carry_out(
    accounts: &Accounts,
    at: &CallContext,
    marked: Stored<Connection>,
) -> Result<Disconnected, Failure> {
    let (scope, connection) = (&at.scope, &marked.record);
    let (posts_cancelled, too_late) = call_off(accounts, scope, connection).await?;
    let was_over = connection.refresh_at.is_none();
    let network_told = match was_over {
        true => None,
        false => tell_network(accounts, at, connection).await?,
    };
    let mut stored = still_marked(accounts, scope, connection).await?;
    let name = connection.secret(scope)?;
    let remains = surely::forget(&*accounts.vault, &name).await?.remains;
    for _ in 0..TRIES {
        let done = |stored: Stored<Connection>| Disconnected {
            connection: stored.record,
            posts_cancelled,
            too_late: too_late.clone(),
            network_told,
            remains,
        };
        if stored.record.refresh_at.is_none() {
            return Ok(done(stored));
        }
        stored.record.refresh_at = None;
        let mut ops = vec![stored.update(scope)];
        ops.extend(given_free(accounts, scope, &stored.record).await?);
        if network_told == Some(false) {
            ops.extend(remove_there_too(accounts, scope, &stored.record)?);
        }
        match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
            Ok(()) => return Ok(done(stored)),
            Err(CommitError::Conditions(_) | CommitError::Contended) => {}
            Err(error) => return Err(error.into()),
        }
        stored = still_marked(accounts, scope, &marked.record).await?;
    }
    Err(Desk::crowded())
}

/// The row, if nobody connected the account again since it was marked.
async fn still_marked(
    accounts: &Accounts,
    scope: &Scope,
    marked: &Connection,
) -> Result<Stored<Connection>, Failure> {
    let stored = load(accounts, scope, marked.id, accounts.ambient.now()).await?;
    let same = |stored: &Stored<Connection>| {
        stored.record.state == marked.state
            && stored.record.since == marked.since
            && stored.record.refreshing.is_none()
    };
    stored.filter(same).ok_or_else(|| {
        Failure::conflict(
            "The account was connected again meanwhile. Look again before you decide.",
        )
    })
}

/// Calls off what waits to be posted there. Counts what this ending called off earlier, too.
///
/// The list may be late: a post that it does not show yet is refused when it is to be claimed.
pub(super) async fn call_off(
    accounts: &Accounts,
    scope: &Scope,
    connection: &Connection,
) -> Result<(u32, Vec<EffectId>), Failure> {
    // What was to be sent longer ago has no approval that still holds.
    let from = connection.since.saturating_sub(GRACE).unwrap_or(Timestamp::MIN);
    let partition = scope.partition(&format!("effects#{}", PostPlan::SORT));
    let query = Query::of(Index::List, partition).between(moment(from), "~");
    let (mut cancelled, mut too_late, mut page) = (0, Vec::new(), Page::first(PAGE));
    loop {
        let listed = accounts.table.query(&query, &page).await?;
        for row in &listed.items {
            let post = records::read::<Effect<PostPlan>>(row)?.record;
            if post.payload().connection != Some(connection.id) {
                continue;
            }
            match call_off_one(accounts, scope, connection, post.id).await? {
                CalledOff::Yes => cancelled += 1,
                CalledOff::TooLate => too_late.push(post.id),
                CalledOff::NotOurs => {}
            }
        }
        match listed.next {
            Some(next) => page = Page::after(PAGE, Some(next)),
            None => return Ok((cancelled, too_late)),
        }
    }
}

enum CalledOff {
    Yes,
    TooLate,
    NotOurs,
}

async fn call_off_one(
    accounts: &Accounts,
    scope: &Scope,
    connection: &Connection,
    id: EffectId,
) -> Result<CalledOff, Failure> {
    let by = match &connection.state {
        ConnectionState::Revoked { by, .. } => by,
        _ => NOTICED_BY,
    };
    for _ in 0..TRIES {
        let post = effect::load::<PostPlan>(&*accounts.table, scope, id).await?;
        let Some(mut post) = post else { return Ok(CalledOff::NotOurs) };
        match post.record.state() {
            State::Proposed | State::Approved => {}
            State::Sending | State::Accepted | State::Unknown => return Ok(CalledOff::TooLate),
            State::Cancelled => {
                let last = post.record.history().last();
                let ours = last.is_some_and(|moved| {
                    moved.reason == CALLED_OFF && moved.at >= connection.since
                });
                return Ok(if ours { CalledOff::Yes } else { CalledOff::NotOurs });
            }
            State::Done | State::Refused | State::AskAPerson | State::Rejected => {
                return Ok(CalledOff::NotOurs);
            }
        }
        post.record.cancel(by, CALLED_OFF, accounts.ambient.now())?;
        let ops = effect::written(scope, &post);
        match surely::commit(&*accounts.table, &accounts.ambient, ops).await {
            Ok(()) => return Ok(CalledOff::Yes),
            Err(CommitError::Conditions(_) | CommitError::Contended) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Desk::crowded())
}

/// Lets the network make the tokens worthless, where a person disconnects; whether it says so.
async fn tell_network(
    accounts: &Accounts,
    at: &CallContext,
    connection: &Connection,
) -> Result<Option<bool>, Failure> {
    if matches!(&connection.state, ConnectionState::Revoked { by, .. } if by == NOTICED_BY) {
        return Ok(None);
    }
    let name = connection.secret(&at.scope)?;
    let held = accounts.vault.read(&name, Freshness::Fresh).await?;
    let Some(held) = held else { return Ok(None) };
    let (Ok(tokens), Some(login)) = (Tokens::of(&held), accounts.login(connection.network)) else {
        return Ok(Some(false));
    };
    let server = connection.server.as_deref();
    let mut told = login.revoke(at, server, &tokens.access).await;
    if let (true, Some(refresh)) = (told.is_ok(), &tokens.refresh) {
        // Not every network knows refresh tokens here: where it refuses one, the grant went with the other.
        let also = login.revoke(at, server, refresh).await;
        if matches!(also, Err(LoginError::Later { .. } | LoginError::Unknown { .. })) {
            told = also;
        }
    }
    if let Err(error) = &told {
        tracing::warn!(connection = %connection.id, %error, "a network was not told of a disconnection");
    }
    Ok(Some(told.is_ok()))
}

/// The operation that lets another tenant connect the account, where the directory has it as ours.
async fn given_free(
    accounts: &Accounts,
    scope: &Scope,
    connection: &Connection,
) -> Result<Option<Op>, Failure> {
    let Some(outside) = connection.outside_id() else { return Ok(None) };
    let (directory, now) = (Directory::of(scope.product()), accounts.ambient.now());
    let kind = OutsideKind::Account;
    let claimed = directory.resolve(&*accounts.table, kind, &outside, now).await?;
    let ours = claimed
        .is_some_and(|(whose, target)| whose == *scope && target == connection.id.to_string());
    Ok(ours.then(|| directory.release(kind, &outside)))
}

fn remove_there_too(
    accounts: &Accounts,
    scope: &Scope,
    connection: &Connection,
) -> Result<Vec<Op>, Failure> {
    let (place, label) = (connection.place(), &connection.label);
    let text = format!(
        "`{label}` is disconnected here and its tokens are deleted, but {place} could not be told. Remove this \
         application in the settings of {place}, too."
    );
    let (code, about) = (NoticeCode::RemoveThereToo, Some(connection.id.to_string()));
    notices::tell(scope, &accounts.ambient, code, text, about)
}
