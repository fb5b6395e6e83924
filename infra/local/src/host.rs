//! The host: everything that the template names, wired in one process.
//!
//! Two ways to let it run: [`Host::serve`](crate::serve) on the system's clock, and by hand for tests
//! ([`Host::run_until_idle`], [`Host::advance`]) on a clock that the test moves.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::tz::TimeZone;
use nexus_core::queues::{DeadLetters, Depth, QueueSettings};
use nexus_core::table::Page;
use nexus_core::{Blobs, Endings, Product, QueueAddress, Queues, Table};

use nexus_embedded::{OpenError, ProcessBus, Store};
use nexus_engine::clicks::client::{BadNetworks, Proxies, ToldBy};
use nexus_engine::platform::Area;
use nexus_handler::{Env, SettingsError};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Failure, Timestamp};
use nexus_outbound::Parts;
use nexus_vendors_engine::suite;

use crate::engines::{Engines, VendorsError};
use crate::feed::{self, Feed};
use crate::gateway::{self, Route};
use crate::geolite::{self, Keeper};
use crate::home::{self, Link};
use crate::issuer::{Issuer, IssuerError};
use crate::keys;
use crate::mail;
use crate::metrics::Metrics;
use crate::platform::LocalPlatform;
use crate::poller::Poller;
use crate::running::Running;
use crate::schedule::Expression;
use crate::template::plan::{ScheduleService, Trigger};
use crate::template::{self, Plan, Problems};
use crate::uploads::{self, Uploads};
use crate::{bucket_notices, functions, invoke};

/// The setting with the networks of proxies that are believed when they tell whose request it is.
pub const TRUSTED_PROXIES: &str = "TRUSTED_PROXIES";
/// The setting with the one header in which they tell it.
pub const PROXY_HEADER: &str = "PROXY_HEADER";

/// What a host is made of.
pub struct Options {
    /// The directory that holds everything it keeps.
    pub data: PathBuf,
    /// The template's text.
    pub template: String,
    /// Time, ids and chance.
    pub ambient: Ambient,
    /// The engines of this machine.
    pub engines: Engines,
    /// Settings that stand above the template's, for all functions.
    pub settings: BTreeMap<String, String>,
    /// Where the host's own pages are reached, for signed addresses: `http://127.0.0.1:8080`.
    pub base: String,
}

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template holds what the host cannot wire.
    #[error("template.yaml: {0}")]
    Template(Problems),
    /// The template names a function that is not built in.
    #[error("the template runs `{0}`, and there is no such function (there are: {1})")]
    NoSuchFunction(String, String),
    /// A function's settings are wrong.
    #[error("{0}: {1}")]
    Settings(String, SettingsError),
    /// An API cannot be wired.
    #[error("{0}: {1}")]
    Api(String, String),
    /// The template names no user pool and client, so nobody could be let in.
    #[error("the template names no Cognito user pool with a client")]
    NoUserPool,
    /// The store cannot be opened.
    #[error("the data directory cannot be opened: {0}")]
    Store(#[from] OpenError),
    /// The issuer's key cannot be opened.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The vendors cannot be asked.
    #[error(transparent)]
    Vendors(#[from] VendorsError),
    /// The list of trusted proxies cannot be read.
    #[error("{TRUSTED_PROXIES}: {0}")]
    Proxies(#[from] BadNetworks),
    /// The word for the proxies' header is none.
    #[error("{PROXY_HEADER}: write `x-forwarded-for` or `forwarded`")]
    ProxyHeader,
    /// Mail is set up wrongly.
    #[error("settings: {0}")]
    Mail(Failure),
    /// A directory cannot be made or read.
    #[error("the data directory cannot be used: {0}")]
    Directory(#[from] io::Error),
    /// The store does not answer.
    #[error("the store does not answer: {0}")]
    Unavailable(Failure),
}

/// A schedule and its function.
pub(crate) struct Due {
    expression: Expression,
    zone: TimeZone,
    event: String,
    function: Arc<Running>,
    /// When it was last due; at first, when the host started. A rate counts from here.
    last: Mutex<Timestamp>,
}

impl Due {
    /// When it is due next, if ever again.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.expression.next_after(last, &self.zone)
    }

    /// Does what is due at this moment.
    pub(crate) async fn run(&self, at: Timestamp) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = at;
        // What failed was logged and counted; the next run tries again.
        self.function.call(self.event.as_bytes(), None).await.ok();
    }
}

/// Everything that the template names, wired.
pub struct Host {
    pub(crate) plan: Plan,
    pub(crate) ambient: Ambient,
    pub(crate) store: Store,
    pub(crate) table: Arc<dyn Table>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) functions: Arc<BTreeMap<String, Arc<Running>>>,
    pub(crate) pollers: Vec<Arc<Poller>>,
    pub(crate) schedules: Vec<Arc<Due>>,
    pub(crate) metrics: Metrics,
    /// The engines of this machine.
    pub engines: Engines,
    apis: BTreeMap<String, Router>,
    issuer: Arc<Issuer>,
    feed: Feed,
    mail_goes: String,
    uploads: Uploads,
    /// Renews the geographic database.
    pub geo: Keeper,
    /// What has to be done before the process ends.
    pub(crate) endings: Endings,
}

/// A queue for a person to read of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// The template's logical id.
    pub queue: String,
    /// How full it is.
    pub depth: Depth,
    /// Whether it holds dead letters.
    pub is_dead_letter: bool,
}

impl Host {
    /// Opens the data directory and wires what the template names.
    ///
    /// # Errors
    /// Why it cannot start; nothing runs then.
    pub async fn open(options: Options) -> Result<Self, StartError> {
        let Options { data, template, ambient, engines, settings, base } = options;
        let plan = template::read(&template, &BTreeMap::new()).map_err(StartError::Template)?;
        // Its owner's alone, before anything is put into it.
        DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
        let scratch = fresh_scratch(&data)?;
        let store = Store::open(&data, Product::Engine, ambient.clone())?;
        let (table, queues) = (store.table(), store.queues(queue_settings(&plan)));
        let (blobs, urls) = (store.blobs(), store.urls());
        urls.serve_at(&base);
        store.collect_strays().await.map_err(|e| StartError::Unavailable(e.into()))?;
        let feed = Feed::open(&data.join("feed"), ambient.clone())?;
        let issuer = Arc::new(issuer(&data, &plan)?);
        let metrics = Metrics::default();

        let buckets = Arc::new(plan.buckets.clone());
        let telling = bucket_notices::Telling {
            blobs: Arc::clone(&blobs),
            buckets: Arc::clone(&buckets),
            queues: Arc::clone(&queues),
            ambient: ambient.clone(),
        };
        let proxies = Arc::new(proxies(&settings)?);
        let vendors = suite::Settings::read(|name| settings.get(name).map(String::as_str))
            .map_err(VendorsError::from)?;
        let vault = keys::over(&data, Arc::clone(&table), &ambient).map_err(VendorsError::from)?;
        let parts = Parts {
            product: Product::Engine,
            ambient: ambient.clone(),
            table: Arc::clone(&table),
            vault: Arc::clone(&vault),
            transport: vendors.transport().map_err(VendorsError::from)?,
        };
        let geo = Keeper {
            folder: geolite::folder(&data),
            vault: Arc::clone(&vault),
            transport: Arc::clone(&parts.transport),
            base: settings
                .get(geolite::BASE_SETTING)
                .map_or(geolite::BASE, String::as_str)
                .to_owned(),
            ambient: ambient.clone(),
            tried: Mutex::default(),
        };
        let engines = engines.with_vendors(&vendors, &parts).await?;
        let mail = mail::Settings::read(|name| settings.get(name).map(String::as_str))
            .map_err(StartError::Mail)?;
        let mail_goes = mail.describe(&data);
        let endings = Endings::default();
        let platform = LocalPlatform {
            ambient: ambient.clone(),
            table: Arc::clone(&table),
            blobs: Arc::new(telling),
            queues: Arc::clone(&queues),
            engines: engines.clone(),
            vault,
            feed: feed.clone(),
            bus: Arc::new(ProcessBus::new()),
            mail: mail.carrier(&data, &parts.vault, &ambient),
            endings: endings.clone(),
        };
        let mut over = engines.settings(&scratch);
        // Here a process goes on between calls, so that clicks can be gathered; the template speaks of Lambda.
        over.insert("ACK".to_owned(), "window".to_owned());
        over.extend(settings);
        let functions = Arc::new(make_functions(&plan, &platform, &over, &ambient, &metrics)?);
        let apis = make_apis(&plan, &functions, &issuer, &ambient, &proxies)?;
        let uploads = Uploads {
            store: store.clone(),
            blobs: Arc::clone(&blobs),
            queues: Arc::clone(&queues),
            urls,
            buckets,
            ambient: ambient.clone(),
            scratch,
        };
        let (pollers, schedules) =
            (pollers(&plan, &functions), schedules(&plan, &functions, ambient.now()));
        let host = Self {
            plan,
            ambient,
            store,
            table,
            blobs,
            queues,
            functions,
            pollers,
            schedules,
            metrics,
            engines,
            apis,
            issuer,
            feed,
            mail_goes,
            uploads,
            geo,
            endings,
        };
        host.tell_of_waiting_uploads().await.map_err(StartError::Unavailable)?;
        Ok(host)
    }

    /// The APIs of the template by logical id.
    pub fn apis(&self) -> impl Iterator<Item = (&str, &Router)> {
        self.apis.iter().map(|(id, router)| (id.as_str(), router))
    }

    /// The first API of the template, to call in-process.
    pub fn api(&self) -> Router {
        self.apis.values().next().cloned().unwrap_or_default()
    }

    /// The token issuer.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The local feed.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// How mail goes, for a person to read.
    pub fn mail_goes(&self) -> &str {
        &self.mail_goes
    }

    /// The blobs.
    pub fn blobs(&self) -> &dyn Blobs {
        &*self.blobs
    }

    /// The table.
    pub fn table(&self) -> &dyn Table {
        &*self.table
    }

    /// The queues.
    pub fn queues(&self) -> &dyn Queues {
        &*self.queues
    }

    /// Time, ids and chance.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// The function of this logical id or name.
    pub fn function(&self, name: &str) -> Option<&Arc<Running>> {
        invoke::find(&self.functions, name)
    }

    /// Which queue a dead-letter queue belongs to, or the other way round.
    pub fn queue_and_dead_letters(&self, name: &str) -> Option<(QueueAddress, QueueAddress)> {
        self.plan.queues.iter().find_map(|q| {
            let dead = &q.redrive.as_ref()?.dead_letters;
            (q.id == name || dead == name)
                .then(|| (QueueAddress(q.id.clone()), QueueAddress(dead.clone())))
        })
    }

    /// Every queue, how full it is.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn queue_status(&self) -> Result<Vec<QueueStatus>, Failure> {
        let mut all = Vec::new();
        for queue in &self.plan.queues {
            let depth = self.queues.depth(&QueueAddress(queue.id.clone())).await?;
            all.push(QueueStatus {
                queue: queue.id.clone(),
                depth,
                is_dead_letter: queue.redrive.is_none(),
            });
        }
        Ok(all)
    }

    /// The schedules: the function's name, the expression, and when it is next due.
    pub fn schedule_status(&self) -> impl Iterator<Item = (&str, &str, Option<Timestamp>)> {
        self.schedules.iter().map(|s| (s.function.name.as_str(), s.expression.as_str(), s.next()))
    }

    /// The host's own pages: front page, feed, signed addresses, health, metrics, keys, the invoke call.
    pub fn house(self: &Arc<Self>, links: Vec<Link>) -> Router {
        let links = Arc::new(links);
        let own = Router::new()
            .route("/", get(move || async move { home::page(&links) }))
            .route("/health", get(health))
            .route("/metrics", get(metrics))
            .route("/.well-known/jwks.json", get(keys))
            .with_state(Arc::clone(self));
        own.merge(feed::routes(self.feed.clone(), Arc::clone(&self.table)))
            .merge(uploads::routes(self.uploads.clone()))
            .merge(invoke::routes(Arc::clone(&self.functions)))
    }

    /// Works on messages until no queue has one that could be received now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn run_until_idle(&self) -> Result<(), Failure> {
        self.work_off(|_| true).await
    }

    /// The same with the queues of one function alone.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn run_until_idle_at(&self, function: &str) -> Result<(), Failure> {
        self.work_off(|poller| poller.function.name == function).await
    }

    async fn work_off(&self, wanted: impl Fn(&Poller) -> bool) -> Result<(), Failure> {
        loop {
            let mut worked = 0;
            for poller in self.pollers.iter().filter(|p| wanted(p)) {
                worked += poller.once(&*self.queues).await?;
            }
            if worked == 0 {
                return Ok(());
            }
        }
    }

    /// Moves the manual clock by so long; whatever a schedule makes due on the way happens at its moment, and
    /// after each the queues are worked empty.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn advance(&self, clock: &ManualClock, by: Duration) -> Result<(), Failure> {
        let by = jiff::SignedDuration::try_from(by).unwrap_or_default();
        let end = self.ambient.now().saturating_add(by).unwrap_or(Timestamp::MAX);
        loop {
            let next = self.schedules.iter().filter_map(|s| s.next()).filter(|at| *at <= end).min();
            clock.move_to(next.unwrap_or(end));
            for due in self.schedules.iter().filter(|s| next.is_some() && s.next() == next) {
                due.run(self.ambient.now()).await;
            }
            self.run_until_idle().await?;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// An upload whose notice was lost when the host was killed is told of again; `ingest` finds what it did.
    async fn tell_of_waiting_uploads(&self) -> Result<(), Failure> {
        let prefix = format!("{}/", Area::In.name());
        let mut page = Page::first(500);
        loop {
            let slice = self.blobs.list(&prefix, &page).await?;
            for blob in &slice.blobs {
                bucket_notices::tell(
                    &self.plan.buckets,
                    &*self.queues,
                    bucket_notices::PUT,
                    &blob.key,
                    blob.size,
                    self.ambient.now(),
                )
                .await?;
            }
            match slice.next {
                Some(next) => page = Page::after(500, Some(next)),
                None => return Ok(()),
            }
        }
    }
}

async fn health(State(host): State<Arc<Host>>) -> impl IntoResponse {
    match host.queue_status().await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

async fn metrics(State(host): State<Arc<Host>>) -> impl IntoResponse {
    let now = host.ambient.now();
    for status in host.queue_status().await.unwrap_or_default() {
        host.metrics.depth(&status.queue, &status.depth, now);
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], host.metrics.text())
}

async fn keys(State(host): State<Arc<Host>>) -> impl IntoResponse {
    axum::Json(host.issuer.jwks().clone())
}

/// A folder of this process for work in progress; what killed processes left is deleted.
fn fresh_scratch(data: &Path) -> io::Result<PathBuf> {
    let root = data.join("scratch");
    fs::create_dir_all(&root)?;
    for entry in fs::read_dir(&root)? {
        let path = entry?.path();
        let owner = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u32>().ok());
        let alive = owner.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists());
        if !alive {
            fs::remove_dir_all(&path)?;
        }
    }
    let own = root.join(std::process::id().to_string());
    fs::create_dir_all(&own)?;
    fs::canonicalize(own)
}

fn queue_settings(plan: &Plan) -> Vec<QueueSettings> {
    let settings = plan.queues.iter().map(|q| QueueSettings {
        address: QueueAddress(q.id.clone()),
        delay: q.delay,
        dead_letters: q.redrive.as_ref().map(|r| DeadLetters {
            queue: QueueAddress(r.dead_letters.clone()),
            after: r.max_receives,
        }),
    });
    settings.collect()
}

fn issuer(data: &Path, plan: &Plan) -> Result<Issuer, StartError> {
    let (Some(pool), Some(client)) = (plan.user_pools.first(), plan.clients.first()) else {
        return Err(StartError::NoUserPool);
    };
    Ok(Issuer::open(&data.join("keys/issuer.pem"), &pool.issuer, &client.id)?)
}

fn make_functions(
    plan: &Plan,
    platform: &LocalPlatform,
    over: &BTreeMap<String, String>,
    ambient: &Ambient,
    metrics: &Metrics,
) -> Result<BTreeMap<String, Arc<Running>>, StartError> {
    let mut made = BTreeMap::new();
    for function in &plan.functions {
        let make = functions::named(&function.name).ok_or_else(|| {
            let known: Vec<&str> = functions::ALL.iter().map(|(name, _)| *name).collect();
            StartError::NoSuchFunction(function.name.clone(), known.join(", "))
        })?;
        let mut env = function.env.clone();
        env.extend(over.clone());
        let entry = make(platform, &Env::from_pairs(env))
            .map_err(|e| StartError::Settings(function.id.clone(), e))?;
        let (id, name) = (function.id.clone(), function.name.clone());
        let running = Running::new(
            id.clone(),
            name,
            function.timeout,
            entry,
            ambient.clone(),
            metrics.clone(),
        );
        made.insert(id, Arc::new(running));
    }
    Ok(made)
}

/// The proxies that are believed; none where nothing is set.
fn proxies(settings: &BTreeMap<String, String>) -> Result<Proxies, StartError> {
    let of = |name: &str| settings.get(name).map(String::as_str).unwrap_or_default();
    let told_by = match of(PROXY_HEADER).to_ascii_lowercase().as_str() {
        "" | "x-forwarded-for" => ToldBy::XForwardedFor,
        "forwarded" => ToldBy::Forwarded,
        _ => return Err(StartError::ProxyHeader),
    };
    Ok(Proxies::parse(of(TRUSTED_PROXIES), told_by)?)
}

fn make_apis(
    plan: &Plan,
    functions: &BTreeMap<String, Arc<Running>>,
    issuer: &Arc<Issuer>,
    ambient: &Ambient,
    proxies: &Arc<Proxies>,
) -> Result<BTreeMap<String, Router>, StartError> {
    let mut apis = BTreeMap::new();
    for api in &plan.apis {
        let mut routes = Vec::new();
        for (function, trigger) in triggers(plan, functions) {
            if let Trigger::Http { api: of, method, path, auth } = trigger
                && *of == api.id
            {
                routes.push(Route {
                    method: method.clone(),
                    path: path.clone(),
                    auth: auth.clone(),
                    function,
                });
            }
        }
        let router = gateway::router(api, routes, issuer, ambient, proxies)
            .map_err(|e| StartError::Api(api.id.clone(), e))?;
        apis.insert(api.id.clone(), router);
    }
    Ok(apis)
}

fn triggers<'p>(
    plan: &'p Plan,
    functions: &'p BTreeMap<String, Arc<Running>>,
) -> impl Iterator<Item = (Arc<Running>, &'p Trigger)> {
    plan.functions.iter().flat_map(|f| {
        let running = functions.get(&f.id);
        f.triggers.iter().filter_map(move |t| Some((Arc::clone(running?), t)))
    })
}

fn pollers(plan: &Plan, functions: &BTreeMap<String, Arc<Running>>) -> Vec<Arc<Poller>> {
    let mut pollers = Vec::new();
    for (function, trigger) in triggers(plan, functions) {
        let Trigger::Queue {
            queue,
            batch_size,
            batching_window,
            max_concurrency,
            enabled: true,
            ..
        } = trigger
        else {
            continue;
        };
        let visibility = plan
            .queues
            .iter()
            .find(|q| q.id == *queue)
            .map_or(Duration::from_secs(30), |q| q.visibility);
        pollers.push(Arc::new(Poller {
            queue: QueueAddress(queue.clone()),
            function,
            batch_size: *batch_size,
            window: *batching_window,
            visibility,
            // One machine: more at once than it has processors helps nobody.
            concurrency: max_concurrency.unwrap_or(2).clamp(1, 2),
        }));
    }
    pollers
}

fn schedules(
    plan: &Plan,
    functions: &BTreeMap<String, Arc<Running>>,
    now: Timestamp,
) -> Vec<Arc<Due>> {
    let mut schedules = Vec::new();
    for (function, trigger) in triggers(plan, functions) {
        let Trigger::Schedule { expression, zone, input, enabled: true, service } = trigger else {
            continue;
        };
        let event = input.clone().unwrap_or_else(|| match service {
            ScheduleService::Rule => serde_json::json!({
                "version": "0",
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": "000000000000",
                "region": "us-east-1",
                "detail": {},
            })
            .to_string(),
            ScheduleService::Scheduler => "{}".to_owned(),
        });
        schedules.push(Arc::new(Due {
            expression: expression.clone(),
            zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
            event,
            function,
            last: Mutex::new(now),
        }));
    }
    schedules
}
