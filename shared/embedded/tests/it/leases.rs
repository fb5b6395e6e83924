//! What a process holds is free as soon as the process is gone, and not before.

use std::time::Duration;

use nexus_contract::START;
use nexus_core::queues::{Depth, Message, QueueAddress, QueueSettings, Queues};
use nexus_kernel::ambient::ManualClock;

use crate::open;

const AN_HOUR: Duration = Duration::from_secs(3600);

fn queue() -> QueueAddress {
    QueueAddress("q".into())
}

fn dead() -> QueueAddress {
    QueueAddress("dead".into())
}

fn settings() -> Vec<QueueSettings> {
    vec![QueueSettings::plain(queue()).giving_up(2, dead())]
}

async fn send(queues: &dyn Queues, bodies: &[&str]) {
    let message =
        |body: &&str| Message { body: (*body).into(), group: "g".into(), delay: Duration::ZERO };
    queues.send(&queue(), bodies.iter().map(message).collect()).await.unwrap();
}

#[tokio::test]
async fn a_closed_stores_leases_are_free_and_a_living_ones_are_not() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let a = open(dir.path(), &clock);
    let b = open(dir.path(), &clock).queues(settings());
    let queues = a.queues(settings());
    send(&*b, &["1", "2"]).await;
    let held = queues.receive(&queue(), 1, AN_HOUR).await.unwrap();
    let given_back = queues.receive(&queue(), 1, AN_HOUR).await.unwrap();
    let later = Duration::from_secs(60);
    queues.retry(&queue(), &given_back[0].receipt, later).await.unwrap();
    assert!(b.receive(&queue(), 10, AN_HOUR).await.unwrap().is_empty(), "it lives");
    drop((a, queues));
    let freed = b.receive(&queue(), 10, AN_HOUR).await.unwrap();
    assert_eq!(freed.len(), 1, "what was given back to come later still comes later");
    assert_eq!((&freed[0].id, freed[0].receive_count), (&held[0].id, 2), "counted up");
    assert_ne!(freed[0].receipt, held[0].receipt);
}

#[tokio::test]
async fn opening_the_store_frees_what_the_dead_held() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let queues = open(dir.path(), &clock).queues(settings());
    send(&*queues, &["1", "2", "3"]).await;
    queues.receive(&queue(), 2, AN_HOUR).await.unwrap();
    drop(queues);
    let queues = open(dir.path(), &clock).queues(settings());
    let depth = queues.depth(&queue()).await.unwrap();
    assert_eq!(depth, Depth { visible: 3, oldest: Some(START), ..Depth::default() });
}

#[tokio::test]
async fn deaths_of_receivers_do_not_use_up_a_messages_receives_but_end_as_well() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let watcher = open(dir.path(), &clock).queues(settings());
    send(&*watcher, &["1"]).await;
    for count in 1..=19 {
        let queues = open(dir.path(), &clock).queues(settings());
        let taken = queues.receive(&queue(), 1, AN_HOUR).await.unwrap();
        assert_eq!(taken[0].receive_count, count, "of two allowed ones");
    }
    // The one that stays alive may fail as often as is allowed: once, and then it is given up.
    for count in 20..=21 {
        let taken = watcher.receive(&queue(), 1, AN_HOUR).await.unwrap();
        assert_eq!(taken[0].receive_count, count);
        watcher.retry(&queue(), &taken[0].receipt, Duration::ZERO).await.unwrap();
    }
    assert!(watcher.receive(&queue(), 1, AN_HOUR).await.unwrap().is_empty());
    // Dead letters that come back have all their receives again; twenty deaths are enough.
    assert_eq!(watcher.redrive(&dead(), &queue(), 10).await.unwrap(), 1);
    for _ in 0..20 {
        let queues = open(dir.path(), &clock).queues(settings());
        assert_eq!(queues.receive(&queue(), 1, AN_HOUR).await.unwrap().len(), 1);
    }
    assert!(watcher.receive(&queue(), 1, AN_HOUR).await.unwrap().is_empty());
    assert_eq!(watcher.depth(&dead()).await.unwrap().visible, 1);
}

#[tokio::test]
async fn whoever_polls_is_woken_when_a_message_becomes_visible() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let store = open(dir.path(), &clock);
    let queues = store.queues(settings());
    let mut arrivals = store.arrivals();
    assert!(!arrivals.has_changed().unwrap());
    // Sent between a look that found nothing and the wait for the next: seen all the same.
    send(&*queues, &["1"]).await;
    arrivals.changed().await.unwrap();
    let taken = queues.receive(&queue(), 1, AN_HOUR).await.unwrap();
    assert!(!arrivals.has_changed().unwrap(), "a receive makes nothing visible");
    queues.retry(&queue(), &taken[0].receipt, Duration::ZERO).await.unwrap();
    arrivals.changed().await.unwrap();
}

#[tokio::test]
async fn a_queue_may_delay_what_asks_for_no_delay() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let settings = QueueSettings { delay: Duration::from_secs(5), ..QueueSettings::plain(queue()) };
    let queues = open(dir.path(), &clock).queues(vec![settings]);
    send(&*queues, &["1"]).await;
    assert!(queues.receive(&queue(), 1, AN_HOUR).await.unwrap().is_empty());
    clock.move_to(START + Duration::from_secs(5));
    assert_eq!(queues.receive(&queue(), 1, AN_HOUR).await.unwrap().len(), 1);
}
