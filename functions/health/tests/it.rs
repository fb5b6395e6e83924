//! What `health` sees in queues, and what it tells.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use nexus_core::queues::Message;
use nexus_core::{QueueAddress, Queues};
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Entry, Env, Function, Measure, Scheduled, Wire};
use nexus_health::{Health, Seen};
use nexus_testkit::MemoryPlatform;

struct House(MemoryPlatform);

impl House {
    fn new() -> Self {
        Self(MemoryPlatform::new())
    }

    fn health(&self) -> Health {
        let wired: &dyn EnginePlatform = &self.0;
        let names = |end: &str| Hop::ALL.map(|h| format!("{}{end}", h.name())).join(" ");
        let env = Env::from_pairs([("QUEUES", names("")), ("DEAD_LETTERS", names("-dead"))]);
        Health::new(Health::wire(wired, &env).unwrap())
    }

    async fn send(&self, queue: &str, delay: u64) {
        let message =
            Message { body: "{}".into(), group: "ten_a".into(), delay: Duration::from_secs(delay) };
        self.0.queues.send(&QueueAddress(queue.into()), vec![message]).await.unwrap();
    }
}

#[tokio::test]
async fn an_empty_house_is_well() {
    let (house, call) = (House::new(), MemoryPlatform::new().invocation());
    assert_eq!(house.health().handle(Scheduled, call.clone()).await.unwrap(), Seen::default());
    assert_eq!(call.measures.get(Measure::DeadLetters), Some(0), "silence would be no news");
    assert_eq!(call.measures.get(Measure::StalledQueues), Some(0));
}

#[tokio::test]
async fn dead_letters_and_queues_that_nobody_works_on_are_told() {
    let house = House::new();
    house.send("tag", 0).await;
    house.send("tag", 0).await;
    house.send("narrate", 0).await;
    house.send("publish", 600).await;
    house.send("animate-dead", 0).await;
    house.send("tag-dead", 0).await;
    let tag = QueueAddress("tag".into());
    let taken = house.0.queues.receive(&tag, 1, Duration::from_secs(60)).await.unwrap();
    assert_eq!(taken.len(), 1);

    let call = house.0.invocation();
    let seen = house.health().handle(Scheduled, call.clone()).await.unwrap();
    assert_eq!(
        seen,
        Seen { waiting: 3, in_flight: 1, stalled: 1, dead_letters: 2 },
        "tag is worked on, publish only waits for its time, narrate stands still"
    );
    assert_eq!(call.measures.get(Measure::DeadLetters), Some(2));
    assert_eq!(call.measures.get(Measure::StalledQueues), Some(1));
}

#[tokio::test]
async fn a_queue_that_does_not_answer_is_a_failure_not_a_zero() {
    let house = House::new();
    let wired: &dyn EnginePlatform = &house.0;
    let env = Env::from_pairs([("QUEUES", "tag nowhere"), ("DEAD_LETTERS", "tag-dead")]);
    let health = Health::new(Health::wire(wired, &env).unwrap());
    let call = house.0.invocation();
    assert!(health.handle(Scheduled, call.clone()).await.is_err());
    assert_eq!(call.measures.get(Measure::DeadLetters), None);
}

#[test]
fn it_does_not_start_without_queues_to_look_at() {
    let house = House::new();
    let wired: &dyn EnginePlatform = &house.0;
    let error = Entry::event::<Health, _>(wired, &Env::default()).unwrap_err();
    assert_eq!(error.to_string(), "settings: QUEUES is not set; DEAD_LETTERS is not set");
}
