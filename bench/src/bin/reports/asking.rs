//! How long reports of a year take.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use jiff::SignedDuration;
use nexus_core::sweep::{DueKind, Sweep};
use nexus_core::table::Page;
use nexus_core::{Product, Table, records};
use nexus_embedded::Store;
use nexus_engine::EnginePlatform;
use nexus_engine::tallies::{self, AsStored, ClickWriter, Letter, Recount};
use nexus_engine_api::EngineApi;
use nexus_handler::{HttpFunction, Wire};
use nexus_kernel::Ambient;
use nexus_testkit::{MemoryPlatform, people};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::{Outcome, clicks};

const DAYS: u64 = 365;
/// How often each report is asked.
const TIMES: usize = 20;

pub(crate) async fn report(count: u32, links: u32) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let table = Store::open(dir.path(), Product::Engine, Ambient::system())?.table();
    let platform = MemoryPlatform::new().with_table(|_| Arc::clone(&table));
    let first = platform.now().to_zoned(jiff::tz::TimeZone::UTC).start_of_day()?.timestamp();
    let begun = Instant::now();
    fill(&platform, &table, u64::from(count), u64::from(links)).await?;
    let filled = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let counted = count_all(&platform, &table).await?;
    println!(
        "{count} clicks on {links} links over {DAYS} days: filled in {filled:.0} s, {counted} days of links counted in {:.0} s",
        begun.elapsed().as_secs_f64()
    );

    let wired: &dyn EnginePlatform = &platform;
    let router = EngineApi::router(EngineApi::wire(wired, &platform.env())?);
    let who = people::operator(people::tenant(1));
    let from = first.to_zoned(jiff::tz::TimeZone::UTC).date();
    let to = from.checked_add(jiff::Span::new().days(DAYS as i64 - 1))?;
    let (year, link) = (format!("from={from}&to={to}"), clicks::link(0));
    let asked = [
        ("a year by month", format!("/v1/reports/clicks?{year}&by=month&zone=UTC")),
        ("a year by day, Madrid", format!("/v1/reports/clicks?{year}&by=day&zone=Europe/Madrid")),
        ("a year by hour, Kolkata", format!("/v1/reports/clicks?{year}&by=hour&zone=Asia/Kolkata")),
        (
            "a year of one link by day",
            format!("/v1/reports/clicks?{year}&by=day&zone=UTC&link={link}"),
        ),
        ("countries of a year", format!("/v1/reports/clicks/top?{year}&by=country&zone=UTC")),
        (
            "countries of a year, Kolkata",
            format!("/v1/reports/clicks/top?{year}&by=country&zone=Asia/Kolkata"),
        ),
        (
            "referrers of a year, Madrid",
            format!("/v1/reports/clicks/top?{year}&by=referrer&zone=Europe/Madrid"),
        ),
        ("devices of a year", format!("/v1/reports/clicks/top?{year}&by=device&zone=UTC")),
        ("links of a year", format!("/v1/reports/clicks/top?{year}&by=link&zone=UTC")),
        ("posts of a year", format!("/v1/reports/clicks/top?{year}&by=post&zone=UTC")),
        ("a year by day, as CSV", format!("/v1/reports/clicks?{year}&by=day&zone=UTC&format=csv")),
    ];
    println!("{:34} {:>10} {:>10} {:>10}", "ms", "least", "middle", "most");
    for (name, path) in asked {
        let mut took = Vec::new();
        for _ in 0..TIMES {
            let request = Request::get(&path).extension(who.clone()).body(Body::empty())?;
            let begun = Instant::now();
            let answer = router.clone().oneshot(request).await?;
            let status = answer.status();
            let body = to_bytes(answer.into_body(), usize::MAX).await?;
            took.push(begun.elapsed().as_secs_f64() * 1_000.0);
            if !status.is_success() {
                return Err(format!("{path}: {}", String::from_utf8_lossy(&body)).into());
            }
        }
        took.sort_by(f64::total_cmp);
        let at = |part: usize| took.get(part.min(TIMES - 1)).copied().unwrap_or_default();
        println!("{name:34} {:>10.0} {:>10.0} {:>10.0}", at(0), at(TIMES / 2), at(TIMES - 1));
    }
    Ok(())
}

/// A year of clicks, a day after the other.
async fn fill(
    platform: &MemoryPlatform,
    table: &Arc<dyn Table>,
    count: u64,
    links: u64,
) -> Outcome<()> {
    let writer = ClickWriter::new(Arc::clone(table), platform.ambient());
    let scope = people::scope(people::tenant(1));
    let first = platform.now().to_zoned(jiff::tz::TimeZone::UTC).start_of_day()?.timestamp();
    for day in 0..DAYS {
        let midnight = first.checked_add(SignedDuration::from_hours(24 * day as i64))?;
        let (from, to) = (day * count / DAYS, (day + 1) * count / DAYS);
        let some: Vec<_> = (from..to).map(|n| clicks::click(n, midnight, links)).collect();
        for clicks in some.chunks(3_000) {
            let unwritten = writer.write(&[Letter { scope, clicks }]).await;
            if !unwritten.is_empty() {
                return Err(format!("{unwritten:?}").into());
            }
        }
        platform.advance(SignedDuration::from_hours(24));
    }
    platform.advance(SignedDuration::from_hours(24));
    Ok(())
}

async fn count_all(platform: &MemoryPlatform, table: &Arc<dyn Table>) -> Outcome<u64> {
    let sweep = Sweep::begin(Product::Engine);
    let mut counted = 0;
    for shard in 0..DueKind::Recount.shards() {
        loop {
            let due = table
                .query(&DueKind::Recount.query(shard, platform.now()), &Page::first(200))
                .await?;
            if due.items.is_empty() {
                break;
            }
            for row in due.items {
                let scope = sweep.scope_of(&row.key).ok_or("a row of nobody's")?;
                let mut recount = records::read::<Recount>(&row)?;
                tallies::recount(&**table, &scope, &mut recount, &AsStored).await?;
                counted += 1;
            }
        }
    }
    Ok(counted)
}
