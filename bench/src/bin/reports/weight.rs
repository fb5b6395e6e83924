//! What a click weighs in the embedded store.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::table::{Condition, Item, Page};
use nexus_core::{Op, Product, RecordKind};
use nexus_embedded::Store;
use nexus_engine::EnginePlatform;
use nexus_engine::tallies::{ClickWriter, Letter};
use nexus_kernel::Ambient;
use nexus_testkit::{MemoryPlatform, people};

use crate::{Outcome, clicks};

const CLICKS: u64 = 100_000;

pub(crate) async fn report() -> Outcome<()> {
    println!("The weight of a click in SQLite, over {CLICKS} clicks on 20 links; bytes");
    for days in [1, 7, 36] {
        let platform = MemoryPlatform::new();
        let writer = ClickWriter::new(Arc::new(platform.table.clone()), platform.ambient());
        let scope = people::scope(people::tenant(1));
        for day in 0..days {
            let midnight =
                platform.now().checked_add(SignedDuration::from_hours(24 * day as i64))?;
            let share = CLICKS / days;
            let mut some: Vec<_> =
                (0..share).map(|n| clicks::click(day * share + n, midnight, 20)).collect();
            some.sort_by_key(|click| click.at);
            for clicks in some.chunks(3_000) {
                let unwritten = writer.write(&[Letter { scope, clicks }]).await;
                if !unwritten.is_empty() {
                    return Err(format!("{unwritten:?}").into());
                }
            }
        }
        let rows = platform.rows().await;
        let count = |kind| rows.iter().filter(|row| row.kind == kind).count();
        let clicks = count(RecordKind::Click) as u64;
        let (click, agent, tally) = (RecordKind::Click, RecordKind::UserAgent, RecordKind::Tally);
        let alone = weigh(&rows, &[click, agent]).await? / clicks;
        let with = weigh(&rows, &[click, agent, tally]).await? / clicks;
        println!(
            "  over {days:2} days: {alone:4} a click with its indexes and agents, {with:4} with its tallies ({:.1} a click)",
            count(tally) as f64 / clicks as f64
        );
    }
    Ok(())
}

/// What the file weighs with the rows of these kinds, put in the order of time.
async fn weigh(rows: &[Item], kinds: &[RecordKind]) -> Outcome<u64> {
    let dir = tempfile::tempdir()?;
    let mut chosen: Vec<Item> =
        rows.iter().filter(|row| kinds.contains(&row.kind)).cloned().collect();
    chosen.sort_by_key(time_of);
    let empty = {
        let empty = tempfile::tempdir()?;
        drop(Store::open(empty.path(), Product::Engine, Ambient::system())?);
        file(empty.path())?
    };
    {
        let store = Store::open(dir.path(), Product::Engine, Ambient::system())?;
        let table = store.table();
        for some in chosen.chunks(100) {
            let put = |item: &Item| Op::Put { item: item.clone(), when: Condition::Always };
            table.commit(some.iter().map(put).collect(), None).await?;
        }
        let mut seen = 0;
        let mut page = Page::first(1_000);
        loop {
            let slice = table.scan(&page).await?;
            seen += slice.items.len();
            let Some(next) = slice.next else { break };
            page = Page::after(1_000, Some(next));
        }
        if seen != chosen.len() {
            return Err(format!("{seen} of {} rows stand", chosen.len()).into());
        }
    }
    Ok(file(dir.path())? - empty)
}

/// The day and the time of day at which a row was first put, as texts that sort.
fn time_of(row: &Item) -> (String, String) {
    let parts: Vec<&str> = row.key.pk().split('#').collect();
    match (row.kind, parts.as_slice()) {
        (RecordKind::Click, [_, _, _, day, ..]) => {
            ((*day).to_owned(), format!("{:02}", hour_of_click(row.key.sk())))
        }
        (RecordKind::Tally, [_, _, _, month]) => {
            let time = row.key.sk().split('#').nth(1).unwrap_or_default();
            let (day, hour) = time.split_at_checked(2).unwrap_or(("", ""));
            (format!("{month}{day}"), hour.chars().take(2).collect())
        }
        _ => (String::new(), String::new()),
    }
}

/// The hour in a click's sort key: its first 27 bits beyond 5 are milliseconds of the day.
fn hour_of_click(sort: &str) -> u64 {
    let digits = sort.chars().take(7).filter_map(|c| c.to_digit(32));
    let millis = digits.fold(0u64, |sum, digit| sum * 32 + u64::from(digit)) >> 3;
    millis / 3_600_000
}

/// The database's bytes, its log included.
fn file(dir: &Path) -> Outcome<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("engine.db") {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}
