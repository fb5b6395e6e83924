//! Reads the comments of published posts.
//!
//! Runs every fifteen minutes, takes no input, and may run twice: what was read is not due any more, and a comment is
//! known by its id. What the index lists is read again before it is acted on.
//!
//! New comments are committed with their messages to `sentiment`; how far they were read, with the last of them. A run
//! that dies between two commits leaves what it kept, and the next one finds it.
//!
//! **Never here:** judging, a network's API, what an account's tokens are.

use std::cmp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use nexus_core::outbox::Outgoing;
use nexus_core::sweep::DueKind;
use nexus_core::table::Page;
use nexus_core::{
    CallContext, Item, Key, Op, Product, RecordKind, Scope, Sender, Stored, Sweep, records,
};
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::catalogue::ProductId;
use nexus_engine::comments::{Comment, Heard, Listener, Listening};
use nexus_engine::connections::{Accounts, Connection, NoAccess, connection_key};
use nexus_engine::draft::draft_key;
use nexus_engine::hops::ToJudge;
use nexus_engine::platform::Access;
use nexus_engine::publishing::Network;
use nexus_engine::{Draft, EnginePlatform, Hop};
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::{Failure, FailureKind, Timestamp};
use serde::Serialize;

/// How many rows are read at once.
const PAGE: u32 = 200;
/// How many posts are listened to at once.
const AT_ONCE: usize = 8;
/// The longest that one post may take: a network that hangs holds up nobody else.
const LONGEST: SignedDuration = SignedDuration::from_secs(20);
/// Nothing is begun when less time than this is left.
const MARGIN: Duration = Duration::from_secs(25);
/// How many comments are kept in one commit: each is a row and a message.
const A_COMMIT: usize = 40;

/// What listening needs.
pub struct Deps {
    accounts: Accounts,
    listeners: Vec<Arc<dyn Listener>>,
    sentiment: Sender,
}

/// The function.
pub struct Listen(Deps);

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Listened {
    /// Posts whose comments were read.
    pub posts: u64,
    /// Comments that are new.
    pub comments: u64,
    /// Posts whose comments could not be read, or are not to be read, now.
    pub put_off: u64,
    /// Posts whose comments are read no longer.
    pub over: u64,
    /// Rows that could not be dealt with this time.
    pub failed: u64,
    /// Whether all was looked at that was due.
    pub complete: bool,
}

impl<P: EnginePlatform + ?Sized> Wire<P> for Listen {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let sentiment = settings.queue(Hop::Sentiment.setting());
        let sentiment = settings.finish(sentiment)?;
        Ok(Deps {
            accounts: Accounts {
                table: platform.table(Access::Write),
                vault: platform.vault(Access::Write),
                logins: platform.logins(),
                ambient: platform.ambient(),
            },
            listeners: platform.listeners(),
            sentiment: platform.sender(Hop::Sentiment, sentiment),
        })
    }
}

impl Function for Listen {
    const NAME: &'static str = "listen";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = Listened;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, _: Scheduled, at: Invocation) -> Result<Listened, Failure> {
        let sweep = Sweep::begin(Product::Engine);
        let mut done = Listened { complete: true, ..Listened::default() };
        for shard in 0..DueKind::Listen.shards() {
            self.shard(sweep, shard, &at, &mut done).await?;
        }
        Ok(done)
    }
}

/// What became of a row.
enum Fate {
    /// So many new comments were kept.
    Heard(u64),
    PutOff,
    Over,
    NotDue,
    Failed,
    NoTime,
}

/// Why a post's comments were not read.
enum Hindered {
    /// For a while, where that is said, and why.
    For(Option<SignedDuration>, String),
    /// The store does not answer: the row stays as it is, and due.
    Here(Failure),
}

impl<E: Into<Failure>> From<E> for Hindered {
    fn from(error: E) -> Self {
        Self::Here(error.into())
    }
}

impl Listen {
    async fn shard(
        &self,
        sweep: Sweep,
        shard: u32,
        at: &Invocation,
        done: &mut Listened,
    ) -> Result<(), Failure> {
        let table = &self.0.accounts.table;
        let query = DueKind::Listen.query(shard, at.now);
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
                    Fate::Heard(comments) => {
                        done.posts += 1;
                        done.comments += comments;
                    }
                    Fate::PutOff => done.put_off += 1,
                    Fate::Over => done.over += 1,
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
        if row.kind != RecordKind::Listening {
            return Fate::Failed;
        }
        if at.time_left() < MARGIN {
            return Fate::NoTime;
        }
        self.listen(&scope, &row, at).await.unwrap_or_else(|failure| {
            tracing::warn!(key = row.key.sk(), %failure, "comments are read later");
            Fate::Failed
        })
    }

    async fn listen(&self, scope: &Scope, row: &Item, at: &Invocation) -> Result<Fate, Failure> {
        let mut post = records::read::<Listening>(row)?;
        if !row.is_live(at.now) || !post.record.is_due(at.now) {
            return Ok(Fate::NotDue);
        }
        let network = post.record.network;
        let Some(listener) = self.0.listeners.iter().find(|l| l.network() == network) else {
            return self.put_off(scope, post, at.now, None, "nothing here can read it").await;
        };
        post.record.within(listener.reach());
        if post.record.until <= at.now {
            post.record.next = None;
            self.commit(vec![post.update(scope)]).await?;
            return Ok(Fate::Over);
        }
        match self.hear(&**listener, scope, &post.record, at).await {
            Ok(heard) => Ok(Fate::Heard(self.keep(scope, post, heard, at).await?)),
            Err(Hindered::For(wait, why)) => self.put_off(scope, post, at.now, wait, &why).await,
            Err(Hindered::Here(failure)) => Err(failure),
        }
    }

    /// Asks the network, if the tenant wants that and the account can.
    async fn hear(
        &self,
        listener: &dyn Listener,
        scope: &Scope,
        post: &Listening,
        at: &Invocation,
    ) -> Result<Heard, Hindered> {
        let accounts = &self.0.accounts;
        let now = accounts.ambient.now();
        if costs(post.network) {
            let key = settings_key(scope);
            let settings = records::load::<Settings>(&*accounts.table, &key, now).await?;
            if !settings.is_some_and(|settings| settings.record.paid_comments) {
                let why = "its network charges for each comment that is read, and the settings do not say `paid_comments`";
                return Err(Hindered::For(None, why.to_owned()));
            }
        }
        let call = self.call(at, scope);
        let mut access = None;
        if let Some(id) = post.connection {
            let key = connection_key(scope, id);
            let connection = records::load::<Connection>(&*accounts.table, &key, now).await?;
            let quiet = connection.and_then(|connection| connection.record.quiet);
            if let Some(quiet) = quiet.filter(|quiet| quiet.until > now) {
                return Err(Hindered::For(Some(quiet.until.duration_since(now)), quiet.why));
            }
            access = Some(accounts.access(&call, id).await.map_err(without)?);
        }
        let (name, mark) = (post.receipt.as_str(), post.mark.as_deref());
        let heard = match (listener.hear(&call, access.as_ref(), name, mark).await, &access) {
            // Its token was refused. Somebody may have refreshed it meanwhile.
            (Err(failure), Some(refused)) if failure.kind() == FailureKind::Conflict => {
                let again = accounts.refused(&call, refused).await.map_err(without)?;
                listener.hear(&call, Some(&again), name, mark).await
            }
            (heard, _) => heard,
        };
        heard.map_err(|failure| {
            let wait = failure.wait().and_then(|wait| SignedDuration::try_from(wait).ok());
            Hindered::For(wait, failure.public().to_owned())
        })
    }

    /// Keeps what is new; how many that are.
    async fn keep(
        &self,
        scope: &Scope,
        mut post: Stored<Listening>,
        heard: Heard,
        at: &Invocation,
    ) -> Result<u64, Failure> {
        let Accounts { table, ambient, .. } = &self.0.accounts;
        let product = match heard.remarks.is_empty() {
            true => None,
            false => self.product(scope, &post.record, at.now).await?,
        };
        let (id, network) = (post.record.post, post.record.network);
        let mut seen = BTreeSet::new();
        let comments = heard.remarks.into_iter();
        let comments: Vec<Comment> = comments
            .map(|remark| Comment::of(remark, id, product, network))
            .filter(|comment| seen.insert(comment.id))
            .collect();
        let keys: Vec<Key> = comments
            .iter()
            .map(|comment| nexus_engine::comments::comment_key(scope, comment.id))
            .collect();
        let stand = table.get_many(&keys).await?;
        let new: Vec<Comment> = comments
            .into_iter()
            .zip(stand)
            .filter_map(|(comment, stands)| stands.is_none().then_some(comment))
            .collect();

        post.record.mark = heard.mark;
        post.record.heard = Some(at.now);
        post.record.hindered = None;
        post.record.go_on(at.now, None);
        let update = post.update(scope);
        let count = new.len();
        let mut parts = new.chunks(A_COMMIT).peekable();
        if parts.peek().is_none() {
            self.commit(vec![update]).await?;
            return Ok(0);
        }
        let mut update = Some(update);
        while let Some(part) = parts.next() {
            let (mut ops, mut messages): (Vec<Op>, Vec<Outgoing>) = (Vec::new(), Vec::new());
            for comment in part {
                let message = ToJudge::Comment(comment.id);
                let hop = Hop::Sentiment.name();
                let message = Outgoing::new(scope, hop, &message, &at.trace, ambient)?;
                ops.extend([records::create(scope, comment), message.op(scope)]);
                messages.push(message);
            }
            // How far it was read is true once the last of it is kept.
            if parts.peek().is_none() {
                ops.extend(update.take());
            }
            self.commit(ops).await?;
            for message in messages {
                message.pass_on(scope, &**table, &self.0.sentiment).await;
            }
        }
        Ok(count as u64)
    }

    /// The product that a post is about.
    async fn product(
        &self,
        scope: &Scope,
        post: &Listening,
        now: Timestamp,
    ) -> Result<Option<ProductId>, Failure> {
        let key = draft_key(scope, post.draft);
        let draft = records::load::<Draft>(&*self.0.accounts.table, &key, now).await?;
        Ok(draft.and_then(|draft| draft.record.product))
    }

    async fn put_off(
        &self,
        scope: &Scope,
        mut post: Stored<Listening>,
        now: Timestamp,
        wait: Option<SignedDuration>,
        why: &str,
    ) -> Result<Fate, Failure> {
        let earliest = wait.and_then(|wait| now.saturating_add(wait).ok());
        post.record.hindered = Some(why.to_owned());
        post.record.go_on(now, earliest);
        self.commit(vec![post.update(scope)]).await?;
        Ok(Fate::PutOff)
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), Failure> {
        Ok(self.0.accounts.table.commit(ops, None).await?)
    }

    /// For whom, and until when. By the clock of now: the rows before this one have taken their time.
    fn call(&self, at: &Invocation, scope: &Scope) -> CallContext {
        let now = self.0.accounts.ambient.now();
        let left = SignedDuration::try_from(at.time_left()).unwrap_or_default();
        let until = now.saturating_add(cmp::min(left, LONGEST)).unwrap_or(Timestamp::MAX);
        CallContext { scope: *scope, until }
    }
}

/// Whether a network charges for each comment that is read.
const fn costs(network: Network) -> bool {
    matches!(network, Network::X)
}

fn without(none: NoAccess) -> Hindered {
    match none {
        NoAccess::Ended { why } => Hindered::For(None, why),
        NoAccess::Later { after_seconds } => {
            let wait = SignedDuration::from_secs(i64::from(after_seconds));
            Hindered::For(Some(wait), "its account's tokens are being refreshed".to_owned())
        }
        NoAccess::Failed(failure) => Hindered::Here(failure),
    }
}
