//! The posts on this machine: approved, woken by the relay, claimed and settled.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use nexus_core::approval::{self, Approver, Claiming, Redeemed};
use nexus_core::effect::{Effect, EffectId, Outcome as Said, Payload};
use nexus_core::queues::{QueueSettings, Received};
use nexus_core::{Envelope, Op, Product, QueueAddress, Queues, Scope, Table, records};
use nexus_embedded::Store;
use nexus_engine::hops::Publish;
use nexus_engine::publishing::{Ground, PostPlan, propose};
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Entry, ErasedFunction, Invocation};
use nexus_kernel::id::TenantId;
use nexus_kernel::{Ambient, Timestamp};
use nexus_relay::Relay;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{Load, Outcome};

/// How long before their moment posts are begun to be written.
const BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// How often the relay runs.
const MINUTE: Duration = Duration::from_secs(60);
/// How many messages a poller takes at a time, and works on at once.
const BATCH: u32 = 10;

/// What happened.
pub(crate) struct Run {
    /// How late the claims of the tenant with many posts came, seconds.
    pub(crate) many: Vec<f64>,
    /// And those of the other.
    pub(crate) few: Vec<f64>,
    /// Seconds in which the posts were written.
    pub(crate) written: f64,
    /// Seconds that the relay's first run took.
    pub(crate) relay: f64,
    /// How many it woke.
    pub(crate) woken: u64,
    /// How many messages came to the pollers.
    pub(crate) messages: u64,
}

/// How many processes ran or waited to run in the last minute.
pub(crate) fn busy() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().unwrap_or("unknown").to_owned()
}

/// What pollers share.
struct House {
    ambient: Ambient,
    store: Store,
    table: Arc<dyn Table>,
    queues: Arc<dyn Queues>,
    /// Whose claims came how late.
    late: Mutex<Vec<(Scope, f64)>>,
    messages: AtomicU64,
    posts: u64,
    settled: AtomicU64,
}

pub(crate) async fn run(load: Load, pollers: u32) -> Outcome<Run> {
    let dir = tempfile::tempdir()?;
    let ambient = Ambient::system();
    let store = Store::open(dir.path(), Product::Engine, ambient.clone())?;
    let declared = Hop::ALL.map(|hop| QueueSettings::plain(QueueAddress(hop.name().into())));
    let (table, queues) = (store.table(), store.queues(declared.into()));
    let platform = {
        let (table, queues) = (Arc::clone(&table), Arc::clone(&queues));
        MemoryPlatform::new().with_table(|_| table).with_queues(|_| queues)
    };
    let wired: &dyn EnginePlatform = &platform;
    let Entry::Event(relay) = Entry::event::<Relay, _>(wired, &platform.env())? else {
        return Err("the relay takes events".into());
    };

    let (begun, due) = (Instant::now(), ambient.now().checked_add(BEFORE)?);
    let (many, few) = (people::tenant(1), people::tenant(2));
    for (tenant, posts) in [(many, load.many), (few, load.few)] {
        write(&*table, tenant, posts, due, &ambient).await?;
    }
    let written = begun.elapsed().as_secs_f64();

    let house = Arc::new(House {
        ambient,
        store,
        table,
        queues,
        late: Mutex::default(),
        messages: AtomicU64::new(0),
        posts: u64::from(load.many) + u64::from(load.few),
        settled: AtomicU64::new(0),
    });
    let before = Instant::now();
    let woken = wake(&*relay, &house).await?;
    let relay_took = before.elapsed().as_secs_f64();
    if house.ambient.now() >= due {
        return Err(
            "this machine is too slow to have the posts written a minute ahead: choose fewer"
                .into(),
        );
    }
    let mut tasks = JoinSet::new();
    for _ in 0..pollers {
        tasks.spawn(poll(Arc::clone(&house)));
    }
    let relaying = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let mut next = before;
            loop {
                next += MINUTE;
                sleep_until(next).await;
                if let Err(error) = wake(&*relay, &house).await {
                    return error;
                }
            }
        })
    };
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    relaying.abort();
    let late = house.late.lock().await;
    let of = |tenant| -> Vec<f64> {
        late.iter().filter(|(s, _)| s.owner().tenant() == tenant).map(|(_, late)| *late).collect()
    };
    let messages = house.messages.load(Ordering::Relaxed);
    Ok(Run { many: of(many), few: of(few), written, relay: relay_took, woken, messages })
}

/// So many approved posts of a tenant.
async fn write(
    table: &dyn Table,
    tenant: TenantId,
    posts: u32,
    due: Timestamp,
    ambient: &Ambient,
) -> Outcome<()> {
    let person = people::caller(&people::approver(tenant));
    let (scope, approver, now) = (person.scope(), Approver::of(&person)?, ambient.now());
    let draft = build::ready_draft(scope, build::media_id(1), now);
    let plan = propose(&draft, &Ground::default()).posts.into_iter().next();
    let plan = PostPlan { send_at: due, ..plan.ok_or("a draft with words makes posts")? };
    let digest = plan.digest();
    let mut ops: Vec<Op> = Vec::new();
    for _ in 0..posts {
        let id = EffectId::draw(&*ambient.ids);
        let mut post = Effect::proposed(id, plan.clone(), person.subject(), now);
        approval::approve(&mut post, approver, digest, now)?;
        ops.push(records::create(scope, &post));
        if ops.len() == 100 {
            table.commit(std::mem::take(&mut ops), None).await?;
        }
    }
    if !ops.is_empty() {
        table.commit(ops, None).await?;
    }
    Ok(())
}

/// One run of the relay; how many it woke.
async fn wake(relay: &dyn ErasedFunction, house: &House) -> Outcome<u64> {
    let at = Invocation {
        request_id: "relay".into(),
        trace: "trace".into(),
        now: house.ambient.now(),
        deadline: Instant::now() + Duration::from_secs(50),
        measures: Arc::default(),
    };
    let reply = relay.call(b"{}", at).await?;
    let told: Value = serde_json::from_str(reply.get())?;
    Ok(told["effects"].as_u64().ok_or("the relay tells how many effects it woke")?)
}

/// Takes messages until all posts are settled.
async fn poll(house: Arc<House>) -> Outcome<()> {
    let mut arrivals = house.store.arrivals();
    let queue = QueueAddress(Hop::Publish.name().into());
    while house.settled.load(Ordering::Relaxed) < house.posts {
        let taken = house.queues.receive(&queue, BATCH, Duration::from_secs(30)).await?;
        if taken.is_empty() {
            // What was delayed has to be found by looking.
            drop(timeout(Duration::from_millis(50), arrivals.changed()).await);
            continue;
        }
        let receipts: Vec<String> = taken.iter().map(|message| message.receipt.clone()).collect();
        let mut posts = JoinSet::new();
        for message in taken {
            posts.spawn(publish(Arc::clone(&house), message));
        }
        while let Some(ended) = posts.join_next().await {
            ended??;
        }
        house.queues.delete(&queue, &receipts).await?;
    }
    Ok(())
}

/// Claims a post and settles it as done, if it is nobody else's.
async fn publish(house: Arc<House>, message: Received) -> Outcome<()> {
    house.messages.fetch_add(1, Ordering::Relaxed);
    let (envelope, Publish { effect }) = Envelope::open(&message.body)?;
    let (scope, now) = (envelope.scope(), house.ambient.now());
    let lease = now.checked_add(SignedDuration::from_secs(30))?;
    let claiming =
        Claiming { by: "publish", ids: &*house.ambient.ids, now, lease, gate: Vec::new() };
    match approval::redeem::<PostPlan>(&house.table, scope, effect, claiming).await? {
        Redeemed::Send(approved) => {
            let now = house.ambient.now();
            let late = now.duration_since(approved.payload().due_at()).as_secs_f64();
            let done = Said::Done { receipt: effect.to_string(), url: None };
            approval::settle(approved, done, "publish", now).await?;
            house.late.lock().await.push((*scope, late));
            house.settled.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        Redeemed::TooEarly(at) => {
            Err(format!("a message came before its post's moment, {at}").into())
        }
        // A message that came twice.
        _ => Ok(()),
    }
}
