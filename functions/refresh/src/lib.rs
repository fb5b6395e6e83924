//! Refreshes the tokens of accounts before they run out, carries endings to their end, and clears away what somebody
//! left who went to connect an account and did not come back.
//!
//! Runs every ten minutes, takes no input, and may run twice: what was done is not due any more. What the index lists is
//! read again before it is acted on.
//!
//! **Never here:** how a token is refreshed, when it is due, what an ending does: `nexus_engine::connections` has that.

use std::cmp;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use nexus_core::sweep::DueKind;
use nexus_core::table::Page;
use nexus_core::{CallContext, Item, Key, Product, RecordKind, Scope, Sweep, Table, records};
use nexus_engine::EnginePlatform;
use nexus_engine::connections::{
    Accounts, Connection, ConnectionState, NoAccess, connecting, ending,
};
use nexus_engine::platform::Access;
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::{Failure, Timestamp};
use serde::Serialize;

/// How many rows are read at once.
const PAGE: u32 = 200;
/// How many accounts are worked on at once.
const AT_ONCE: usize = 8;
/// The longest that one account may take: a network that hangs holds up nobody else.
const LONGEST: SignedDuration = SignedDuration::from_secs(20);
/// Nothing is begun when less time than this is left.
const MARGIN: Duration = Duration::from_secs(25);

/// What refreshing needs.
pub struct Deps {
    accounts: Accounts,
}

/// The function.
pub struct Refresh(Deps);

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Refreshed {
    /// Accounts whose tokens were refreshed.
    pub refreshed: u64,
    /// Accounts that turned out to be ended, and endings that were carried to their end.
    pub ended: u64,
    /// Attempts to connect of which nobody came back, cleared away.
    pub cleared: u64,
    /// Rows that could not be dealt with this time.
    pub failed: u64,
    /// Whether all was looked at that was due.
    pub complete: bool,
}

impl<P: EnginePlatform + ?Sized> Wire<P> for Refresh {
    type Deps = Deps;

    fn wire(platform: &P, _env: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps {
            accounts: Accounts {
                table: platform.table(Access::Write),
                vault: platform.vault(Access::Write),
                logins: platform.logins(),
                ambient: platform.ambient(),
            },
        })
    }
}

impl Function for Refresh {
    const NAME: &'static str = "refresh";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = Refreshed;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Refreshed, Failure> {
        let sweep = Sweep::begin(Product::Engine);
        let mut done = Refreshed { complete: true, ..Refreshed::default() };
        for shard in 0..DueKind::Refresh.shards() {
            self.shard(sweep, shard, &at, &mut done).await?;
        }
        Ok(done)
    }
}

/// What became of a row.
enum Fate {
    Refreshed,
    Ended,
    Cleared,
    NotDue,
    Failed,
    NoTime,
}

impl Refresh {
    async fn shard(
        &self,
        sweep: Sweep,
        shard: u32,
        at: &Invocation,
        done: &mut Refreshed,
    ) -> Result<(), Failure> {
        let table: &Arc<dyn Table> = &self.0.accounts.table;
        let query = DueKind::Refresh.query(shard, at.now);
        let mut page = Page::first(PAGE);
        loop {
            let slice = table.query(&query, &page).await?;
            let keys: Vec<Key> = slice.items.into_iter().map(|listed| listed.key).collect();
            // The index may be late: the rows themselves tell what is due.
            let rows = table.get_many(&keys).await?.into_iter().flatten();
            let mut fates =
                stream::iter(rows.map(|row| self.row(sweep, row, at))).buffer_unordered(AT_ONCE);
            while let Some(fate) = fates.next().await {
                match fate {
                    Fate::Refreshed => done.refreshed += 1,
                    Fate::Ended => done.ended += 1,
                    Fate::Cleared => done.cleared += 1,
                    Fate::NotDue => {}
                    Fate::Failed => done.failed += 1,
                    Fate::NoTime => done.complete = false,
                }
            }
            match slice.next {
                Some(next) if done.complete => page = Page::after(PAGE, Some(next)),
                _ => return Ok(()),
            }
        }
    }

    async fn row(&self, sweep: Sweep, row: Item, at: &Invocation) -> Fate {
        let Some(scope) = sweep.scope_of(&row.key) else { return Fate::Failed };
        if at.time_left() < MARGIN {
            return Fate::NoTime;
        }
        let dealt = match row.kind {
            RecordKind::Connection => self.connection(&scope, &row, at).await,
            RecordKind::Connecting => {
                let call = self.call(at, &scope);
                let cleared = connecting::clear_away(&self.0.accounts, &call, &row).await;
                cleared.map(|gone| if gone { Fate::Cleared } else { Fate::NotDue })
            }
            _ => return Fate::Failed,
        };
        dealt.unwrap_or_else(|failure| {
            tracing::warn!(key = row.key.sk(), %failure, "an account is looked at again later");
            Fate::Failed
        })
    }

    async fn connection(
        &self,
        scope: &Scope,
        row: &Item,
        at: &Invocation,
    ) -> Result<Fate, Failure> {
        let (accounts, call) = (&self.0.accounts, self.call(at, scope));
        let connection = records::read::<Connection>(row)?.record;
        if connection.refresh_at.is_none_or(|due| at.now < due) {
            return Ok(Fate::NotDue);
        }
        match connection.state {
            ConnectionState::Connected => match accounts.refresh(&call, connection.id).await {
                Ok(()) => Ok(Fate::Refreshed),
                Err(NoAccess::Ended { .. }) => Ok(Fate::Ended),
                // It stays due, and its network was noted to be left alone for a while.
                Err(NoAccess::Later { .. }) => Ok(Fate::Failed),
                Err(NoAccess::Failed(failure)) => Err(failure),
            },
            ConnectionState::Revoked { .. } => {
                ending::carry_on(accounts, &call, connection.id).await?;
                Ok(Fate::Ended)
            }
            ConnectionState::ReconnectNeeded { .. } => Ok(Fate::NotDue),
        }
    }
}

impl Refresh {
    /// For whom, and until when. By the clock of now: the rows before this one have taken their time.
    fn call(&self, at: &Invocation, scope: &Scope) -> CallContext {
        let now = self.0.accounts.ambient.now();
        let left = SignedDuration::try_from(at.time_left()).unwrap_or_default();
        let until = now.saturating_add(cmp::min(left, LONGEST)).unwrap_or(Timestamp::MAX);
        CallContext { scope: *scope, until }
    }
}
