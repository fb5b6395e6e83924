//! What becomes of recorded clicks: how many `attribute` writes in a second of one processor, and what they take of the
//! disk.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nexus_attribute::Attribute;
use nexus_bench::spread::Spread;
use nexus_core::queues::QueueSettings;
use nexus_core::{Envelope, QueueAddress, Scope};
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{Click, ClickId, Clicks, Followed, Program};
use nexus_handler::{Entry, ErasedFunction, Invocation};
use nexus_kernel::Ambient;
use nexus_testkit::people;
use serde_json::json;
use tokio::time::Instant;

use crate::{Options, Outcome, ground, process, server};

/// Clicks in a message, and messages in a batch: a few thousand clicks, below Lambda's 6 MB.
const IN_A_MESSAGE: u32 = 500;
const IN_A_BATCH: usize = 8;

/// How many different clicks wait in the queue of `attribute`. What was received is gone for others.
pub(crate) async fn recorded(folder: &Path) -> Outcome<usize> {
    let store = server::store(folder)?;
    let queue = QueueAddress("AttributeQueue".into());
    let queues = store.queues(vec![QueueSettings::plain(queue.clone())]);
    let mut seen: HashSet<ClickId> = HashSet::new();
    loop {
        let taken = queues.receive(&queue, 10, Duration::from_secs(3600)).await?;
        if taken.is_empty() {
            return Ok(seen.len());
        }
        for message in taken {
            let (_, told) = Envelope::open::<Clicks<'static>>(&message.body)?;
            let clicks = told.read(|text| Arc::new(Program::of_kept(text.to_owned())))?;
            seen.extend(clicks.into_iter().map(|click| click.id));
        }
    }
}

pub(crate) async fn run(folder: &Path, options: &Options) -> Outcome<()> {
    let clicks = options.clicks;
    println!(
        "`attribute` on this machine's store: {clicks} clicks of 50 links, {} a batch",
        IN_A_MESSAGE as usize * IN_A_BATCH
    );
    let mut each = Vec::new();
    let mut bytes = Vec::new();
    for run in 0..options.runs {
        let place = folder.join(format!("counting-{run}"));
        fs::create_dir_all(&place)?;
        let (per_second, size) = one(&place, clicks).await?;
        each.push(per_second);
        bytes.push(size);
        if run + 1 == options.runs {
            parts(&place, clicks)?;
        }
        fs::remove_dir_all(&place)?;
    }
    let most = each.iter().copied().fold(0.0, f64::max);
    if let (Some(speed), Some(size)) = (Spread::of(&each), Spread::of(&bytes)) {
        println!(
            "  clicks a second of one processor   median {:>8.0}  least {:>8.0}  most {most:>8.0}   aimed at: 50,000",
            speed.median, speed.min
        );
        println!(
            "  bytes of the disk for each click   median {:>8.0}                                    aimed at: 400",
            size.median
        );
    }
    Ok(())
}

/// Writes so many clicks: how many in a second of processor time, and bytes for each.
async fn one(folder: &Path, clicks: u32) -> Outcome<(f64, f64)> {
    fs::copy(ground::test_database(), folder.join(server::DATABASE))?;
    let store = server::store(folder)?;
    let platform = server::platform(&store, folder)?;
    let wired: &dyn EnginePlatform = &platform;
    let Entry::Event(attribute) = Entry::event::<Attribute, _>(wired, &platform.env())? else {
        return Err("attribute takes events".into());
    };
    let scope = scope();
    let (ambient, before) = (Ambient::system(), settled_size(folder)?);
    let (mut seconds, mut number) = (0.0, 0);
    while number < clicks {
        let mut batch = Vec::new();
        while batch.len() < IN_A_BATCH && number < clicks {
            let end = clicks.min(number + IN_A_MESSAGE);
            let click = |n| ground::click(ClickId::draw(&*ambient.ids), n, platform.now());
            batch.push((number..end).map(click).collect());
            number = end;
        }
        let event = event(&scope, batch)?;
        let begun = process::own_seconds();
        call(&*attribute, event.as_bytes(), &ambient).await?;
        seconds += process::own_seconds() - begun;
    }
    drop(attribute);
    let size = settled_size(folder)?.saturating_sub(before);
    if f64::from(u32::try_from(size).unwrap_or(u32::MAX)) < f64::from(clicks) {
        return Err("attribute wrote less than a byte for each click: it does nothing, and nothing can be said".into());
    }
    Ok((f64::from(clicks) / seconds.max(1e-6), size as f64 / f64::from(clicks)))
}

pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

/// What SQS hands to `attribute`: so many messages of so many clicks.
pub(crate) fn event(
    scope: &Scope,
    messages: impl IntoIterator<Item = Vec<Click>>,
) -> Outcome<String> {
    let mut records = Vec::new();
    for (number, clicks) in messages.into_iter().enumerate() {
        let body = Envelope::seal(scope, "bench", &Clicks::of(clicks.iter().map(Followed::from)))?;
        records.push(json!({
            "messageId": format!("m-{number}"), "receiptHandle": "r", "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:attribute",
        }));
    }
    Ok(json!({ "Records": records }).to_string())
}

pub(crate) async fn call(
    attribute: &dyn ErasedFunction,
    event: &[u8],
    ambient: &Ambient,
) -> Outcome<()> {
    let at = Invocation {
        request_id: "attribute".into(),
        trace: "bench".into(),
        now: ambient.now(),
        deadline: Instant::now() + Duration::from_secs(60),
        measures: Arc::default(),
    };
    let reply = attribute.call(event, at).await?;
    if reply.get().contains("itemIdentifier") {
        return Err(format!("attribute gave messages back: {}", reply.get()).into());
    }
    Ok(())
}

/// Bytes of the store's pages in use, its log written back into it.
fn settled_size(folder: &Path) -> Outcome<u64> {
    let database = rusqlite::Connection::open(folder.join("engine.db"))?;
    database.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    let ask = |what: &str| -> Outcome<u64> {
        Ok(database
            .query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0))?
            .try_into()?)
    };
    Ok((ask("page_count")? - ask("freelist_count")?) * ask("page_size")?)
}

/// Which tables and indexes the bytes are in.
fn parts(folder: &Path, clicks: u32) -> Outcome<()> {
    let database = rusqlite::Connection::open(folder.join("engine.db"))?;
    let mut asked = database
        .prepare("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 6")?;
    let parts = asked.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    for part in parts {
        let (name, bytes) = part?;
        println!("    {name:<34} {:>8.1} bytes for each click", bytes as f64 / f64::from(clicks));
    }
    Ok(())
}
