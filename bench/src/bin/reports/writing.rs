//! How many clicks a second one core writes.

use std::sync::Arc;
use std::time::Duration;

use nexus_attribute::Attribute;
use nexus_core::{Envelope, Product, Table};
use nexus_embedded::Store;
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{Clicks, Followed};
use nexus_handler::{Entry, ErasedFunction, Invocation};
use nexus_kernel::Ambient;
use nexus_testkit::{MemoryPlatform, people};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::time::Instant;

use crate::{Outcome, clicks};

/// So many clicks are written.
const CLICKS: u64 = 100_000;
/// In events of so many clicks.
const EVENT: u64 = 3_000;

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32).as_secs_f64()
}

pub(crate) async fn report() -> Outcome<()> {
    println!("attribute, {CLICKS} clicks on 20 links of one day, events of {EVENT} clicks");
    println!("{:34} {:>14} {:>14} {:>12}", "", "clicks/cpu s", "clicks/s", "µs/click");
    for a_message in [1, 250] {
        let memory = MemoryPlatform::new();
        one(&format!("in memory, {a_message} a message"), &memory, a_message).await?;
        let dir = tempfile::tempdir()?;
        let table = Store::open(dir.path(), Product::Engine, Ambient::system())?.table();
        let sqlite = MemoryPlatform::new().with_table(|_| Arc::clone(&table) as Arc<dyn Table>);
        one(&format!("SQLite, {a_message} a message"), &sqlite, a_message).await?;
    }
    Ok(())
}

async fn one(name: &str, platform: &MemoryPlatform, a_message: usize) -> Outcome<()> {
    let wired: &dyn EnginePlatform = platform;
    let Entry::Event(function) = Entry::event::<Attribute, _>(wired, &platform.env())? else {
        return Err("attribute takes events".into());
    };
    let function: Arc<dyn ErasedFunction> = function;
    let scope = people::scope(people::tenant(1));
    let mut all: Vec<_> = (0..CLICKS).map(|n| clicks::click(n, platform.now(), 20)).collect();
    all.sort_by_key(|click| click.at);
    let mut events = Vec::new();
    for some in all.chunks(EVENT as usize) {
        let mut records = Vec::new();
        for (n, clicks) in some.chunks(a_message).enumerate() {
            let body =
                Envelope::seal(&scope, "trace", &Clicks::of(clicks.iter().map(Followed::from)))?;
            records.push(json!({"messageId": format!("{n}"), "body": body, "attributes": {}}));
        }
        events.push(json!({ "Records": records }).to_string());
    }
    let (before, begun) = (processor_seconds(), Instant::now());
    for event in &events {
        let at = Invocation {
            deadline: Instant::now() + Duration::from_secs(600),
            ..platform.invocation()
        };
        let reply = function.call(event.as_bytes(), at).await?;
        if reply.get() != r#"{"batchItemFailures":[]}"# {
            return Err(format!("messages failed: {reply}").into());
        }
    }
    let (cpu, wall) = (processor_seconds() - before, begun.elapsed().as_secs_f64());
    let clicks = CLICKS as f64;
    println!(
        "{name:34} {:>14.0} {:>14.0} {:>12.1}",
        clicks / cpu,
        clicks / wall,
        cpu * 1e6 / clicks
    );
    Ok(())
}
