//! A tenant with clicks.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_core::{Item, RecordKind, Scope, Table};
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{Agent, BotReason, Click, ClickId, Place, Referrer, Spot, Visitor};
use nexus_engine::tallies::{AsStored, ClickDay, ClickWriter, Judge, Letter, Unwritten};
use nexus_handler::{Function, Measure, Scheduled};
use nexus_kernel::{Failure, Timestamp};
use nexus_recount::{Deps, Done, RecountClicks};
use nexus_testkit::{MemoryPlatform, people};

/// Midnight of the first day on which there are clicks.
pub(crate) const MIDNIGHT: Timestamp = Timestamp::constant(1_803_859_200, 0);

pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

pub(crate) fn post(n: u32) -> EffectId {
    EffectId::derived(&["post", &n.to_string()])
}

pub(crate) fn later(millis: i64) -> Timestamp {
    MIDNIGHT.saturating_add(SignedDuration::from_millis(millis)).unwrap()
}

/// A click of a link, by one of a few visitors, from one of a few places.
pub(crate) fn click(n: u32, link: &str, at: Timestamp, side: u8) -> Click {
    let country = ["GB", "ES", "DE"].get(usize::from(side % 4));
    Click {
        id: ClickId::derived(&["click", &n.to_string()]),
        at,
        link: link.into(),
        // One link whose post changed, one of one post, one of none.
        post: match link {
            "one" => Some(post(1)),
            "two" => Some(post(u32::from(side % 2))),
            _ => None,
        },
        place: country.map_or(Place::Unlocated, |country| {
            Place::Spot(Spot {
                country: Some((*country).into()),
                region: Some("R".into()),
                city: Some("Town".into()),
                tenths: Some([515, -1]),
            })
        }),
        agent: Agent {
            text: format!("agent {}", side % 3),
            family: "Firefox".into(),
            device: ["iPhone", "Other", ""][usize::from(side % 3)].into(),
            system: "iOS".into(),
        },
        referrer: side
            .is_multiple_of(2)
            .then(|| Referrer { host: format!("host-{}", side % 5), path: "/".into() }),
        visitor: Visitor([side % 7; 8]),
        bot: (side >= 200).then_some(BotReason::Robot),
        head: false,
        no_accept: false,
    }
}

pub(crate) struct Ground {
    pub(crate) platform: MemoryPlatform,
    writer: ClickWriter,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let platform = MemoryPlatform::new();
        let writer = ClickWriter::new(Arc::new(platform.table.clone()), platform.ambient());
        Self { platform, writer }
    }

    /// Lets the clock show this moment, if it is not later.
    pub(crate) fn move_to(&self, at: Timestamp) {
        let by = at.duration_since(self.platform.now());
        if by.is_positive() {
            self.platform.advance(by);
        }
    }

    pub(crate) async fn write(&self, clicks: &[Click]) {
        let unwritten: Vec<Unwritten> =
            self.writer.write(&[Letter { scope: scope(), clicks }]).await;
        assert!(unwritten.is_empty(), "{unwritten:?}");
    }

    pub(crate) async fn run(&self) -> Done {
        let table: Arc<dyn Table> = Arc::new(self.platform.table.clone());
        let (done, alarm) = self.run_on(table, Arc::new(AsStored)).await;
        let done = done.unwrap();
        assert_eq!(alarm, Some(done.corrected), "what was corrected wakes somebody");
        done
    }

    pub(crate) async fn run_on(
        &self,
        table: Arc<dyn Table>,
        judge: Arc<dyn Judge>,
    ) -> (Result<Done, Failure>, Option<u64>) {
        let mut at = self.platform.invocation();
        at.deadline += std::time::Duration::from_secs(600);
        let function = RecountClicks::new(Deps { table, judge });
        let done = function.handle(Scheduled, at.clone()).await;
        (done, at.measures.get(Measure::CorrectedTallies))
    }

    pub(crate) async fn rows(&self, kind: RecordKind) -> Vec<Item> {
        self.platform.rows().await.into_iter().filter(|row| row.kind == kind).collect()
    }

    pub(crate) async fn days(&self) -> Vec<ClickDay> {
        let rows = self.rows(RecordKind::ClickDay).await;
        rows.iter().map(|row| nexus_core::records::read(row).unwrap().record).collect()
    }

    /// Every tally, its shards together, in order.
    pub(crate) async fn tallies(&self) -> Vec<(String, i64)> {
        let mut sums = std::collections::BTreeMap::new();
        for row in self.rows(RecordKind::Tally).await {
            let parts: Vec<&str> = row.key.sk().splitn(4, '#').collect();
            let [side, time, _, value] = parts.as_slice() else { panic!("{row:?}") };
            let name = format!("{} {side} {time} {value}", row.key.pk());
            *sums.entry(name).or_default() += row.counter;
        }
        sums.into_iter().filter(|(_, sum)| *sum != 0).collect()
    }
}
