//! What the host has to wire, as the template tells it: plain data, every reference checked.
//!
//! Ids are the template's logical ids. A function is known by two names: its `id` (unique) and its `name` (the
//! concern that it runs; several functions may run one concern with different settings).

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;

use crate::schedule::Expression;

/// Everything to wire, each kind in the order of the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// HTTP APIs; each gets a port.
    pub apis: Vec<Api>,
    /// Functions with what starts them.
    pub functions: Vec<FunctionPlan>,
    /// Queues, dead-letter queues among them.
    pub queues: Vec<QueuePlan>,
    /// Buckets and whom they tell.
    pub buckets: Vec<BucketPlan>,
    /// Tables.
    pub tables: Vec<TablePlan>,
    /// Who may issue tokens.
    pub user_pools: Vec<UserPoolPlan>,
    /// For whom tokens are issued.
    pub clients: Vec<ClientPlan>,
}

/// An HTTP API. Its routes stand with the functions, as [`Trigger::Http`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Logical id.
    pub id: String,
    /// Authorizers by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// The authorizer of routes that name none.
    pub default_authorizer: Option<String>,
    /// What browsers of other origins may do; `None`: nothing.
    pub cors: Option<Cors>,
}

/// Who decides whether a caller may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorizer {
    /// A signed token in the `Authorization` header.
    Jwt {
        /// `iss` must be this.
        issuer: String,
        /// `aud`, or where it is absent `client_id`, must be one of these.
        audience: Vec<String>,
    },
    /// A function is asked (payload 2.0, simple answers).
    Function {
        /// Logical id of the function.
        function: String,
        /// Headers that identify the caller: one missing is 401 without asking, all together are the cache's key.
        headers: Vec<String>,
        /// How long an answer holds; zero: every request asks.
        cache: Duration,
    },
}

/// Cross-origin rules, as the preflight answers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, or `*`.
    pub origins: Vec<String>,
    /// Methods, or `*`.
    pub methods: Vec<String>,
    /// Request headers, or `*`.
    pub headers: Vec<String>,
    /// Response headers that scripts may read.
    pub exposed: Vec<String>,
    /// How long a preflight holds.
    pub max_age: Option<Duration>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPlan {
    /// Logical id.
    pub id: String,
    /// The concern that it runs: `Metadata.BuildProperties.Binary`, which is the crate's binary and the
    /// `NAME` of its function.
    pub name: String,
    /// It is stopped after so long.
    pub timeout: Duration,
    /// Memory on AWS in MB; the host does not enforce it.
    pub memory_mb: u32,
    /// Its settings, globals merged in, references resolved.
    pub env: BTreeMap<String, String>,
    /// What starts it.
    pub triggers: Vec<Trigger>,
}

/// What starts a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A request.
    Http {
        /// Logical id of the API.
        api: String,
        /// The method; HEAD is a route of its own.
        method: Method,
        /// As AWS writes it: `/v1/drafts/{id}`, `/v1/{proxy+}`.
        path: String,
        /// Who may pass.
        auth: Auth,
    },
    /// Messages, in batches.
    Queue {
        /// Logical id of the queue.
        queue: String,
        /// At most so many messages at once.
        batch_size: u32,
        /// So long a batch may wait to fill.
        batching_window: Duration,
        /// At most so many batches at once; `None`: as many as there are.
        max_concurrency: Option<u32>,
        /// The reply names the messages that failed (always so: without it the template is refused).
        partial_failures: bool,
        /// Off: nothing is taken.
        enabled: bool,
    },
    /// The clock.
    Schedule {
        /// When.
        expression: Expression,
        /// On whose clock, an IANA name; rules know `UTC` only.
        zone: String,
        /// What is handed over instead of the service's own event (JSON).
        input: Option<String>,
        /// Off: never.
        enabled: bool,
        /// Which service's event it gets.
        service: ScheduleService,
    },
}

/// Who keeps a schedule on AWS, which decides the event's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleService {
    /// An EventBridge rule (`Type: Schedule`).
    Rule,
    /// EventBridge Scheduler (`Type: ScheduleV2`).
    Scheduler,
}

/// Who may pass on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    None,
    /// Who brings a token that the API's authorizer of this name accepts.
    Jwt(String),
    /// Whom the function behind the API's authorizer of this name lets in.
    Function(String),
}

/// A standard queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePlan {
    /// Logical id; `!Ref` gives it too.
    pub id: String,
    /// A received message is hidden so long.
    pub visibility: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// Every message waits so long before it is seen.
    pub delay: Duration,
    /// Where messages go that nobody can handle; a dead-letter queue has none itself.
    pub redrive: Option<Redrive>,
}

/// When a message counts as dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// Logical id of the dead-letter queue.
    pub dead_letters: String,
    /// Received more often than this, it goes there.
    pub max_receives: u32,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlan {
    /// Logical id; `!Ref` gives it too.
    pub id: String,
    /// Whom it tells of what.
    pub notifications: Vec<Notification>,
    /// Which browsers may put and read, by signed URL.
    pub cors: Vec<Cors>,
}

/// An object event that goes to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// `s3:ObjectCreated:*`, or one event.
    pub event: String,
    /// Keys begin so.
    pub prefix: String,
    /// Keys end so.
    pub suffix: String,
    /// Logical id of the queue that is told.
    pub queue: String,
}

impl Notification {
    /// Whether this is told: `event` as the record names it (`ObjectCreated:Put`), `key` as it is, not encoded.
    pub fn covers(&self, event: &str, key: &str) -> bool {
        let wanted = self.event.strip_prefix("s3:").unwrap_or(&self.event);
        let named =
            wanted.strip_suffix('*').map_or(event == wanted, |family| event.starts_with(family));
        named && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }
}

/// A table: string keys, an index holds whole items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// Logical id; `!Ref` gives it too.
    pub id: String,
    /// Its own keys.
    pub keys: Keys,
    /// Its indexes by name.
    pub indexes: BTreeMap<String, Keys>,
    /// The attribute after whose moment (seconds since 1970) AWS deletes the item.
    pub ttl: Option<String>,
}

/// The attributes by which items are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The partition's.
    pub partition: String,
    /// The order's within a partition.
    pub sort: Option<String>,
}

/// A user pool; the local token issuer stands in for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPoolPlan {
    /// Logical id; `!Ref` gives it too.
    pub id: String,
    /// `iss` of its tokens.
    pub issuer: String,
}

/// An application that a user pool issues tokens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPlan {
    /// Logical id, and `client_id` of its tokens.
    pub id: String,
    /// Logical id of the pool.
    pub user_pool: String,
}
