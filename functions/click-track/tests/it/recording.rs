//! How clicks are handed on, and what becomes of an answer where they cannot be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use nexus_click_track::{GROUP, QUEUED, WINDOW};
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::queues::{
    Depth, MAX_BODY_BYTES, Message, QueueAddress, QueueError, Queues, Received,
};
use nexus_engine::Hop;
use nexus_engine::clicks::{Locator, Place, Spot};
use nexus_kernel::ClientIp;
use nexus_testkit::{MemoryPlatform, people};
use tokio::sync::Semaphore;

use crate::world::{World, scope};

#[tokio::test]
async fn with_commit_a_click_is_durable_before_its_answer() {
    let world = World::new();
    world.make(&world.link("spring")).await;
    for n in 1..=3 {
        assert_eq!(world.follow("/c/spring").await.status, 302);
        assert_eq!(world.clicks().len(), n);
    }
    assert_eq!(world.platform.waiting(Hop::Attribute).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn with_a_window_clicks_go_together_within_five_milliseconds() {
    let world = World::on(MemoryPlatform::new(), "window");
    world.make(&world.link("spring")).await;
    for _ in 0..20 {
        assert_eq!(world.follow("/c/spring").await.status, 302);
    }
    settle().await;
    assert!(world.clicks().is_empty(), "no answer waits for the count");
    tokio::time::advance(WINDOW).await;
    settle().await;
    assert_eq!((world.platform.waiting(Hop::Attribute).len(), world.clicks().len()), (1, 20));
    assert_eq!(world.losses.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_group_goes_before_its_window_ends() {
    let world = World::on(MemoryPlatform::new(), "window");
    world.make(&world.link("spring")).await;
    for _ in 0..=GROUP {
        world.follow("/c/spring").await;
    }
    settle().await;
    assert_eq!(world.clicks().len(), GROUP);
    tokio::time::advance(WINDOW).await;
    settle().await;
    assert_eq!(world.clicks().len(), GROUP + 1);
    for message in world.platform.waiting(Hop::Attribute) {
        assert!(message.body.len() < 1024 * 1024, "{}", message.body.len());
    }
}

/// Lets tasks run that can.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_queue_that_fails_is_tried_again_and_then_the_loss_is_counted() {
    for (script, handed_on, lost) in [
        (vec![Fault::Before], 1, 0),
        (vec![Fault::After], 2, 0),
        (vec![Fault::Before, Fault::Before], 0, 1),
        // It came, and nobody knows: it is told as lost, and counts once if it is not.
        (vec![Fault::Before, Fault::After], 1, 1),
    ] {
        let faults = Faults::script(script.clone());
        let platform = MemoryPlatform::new();
        let platform = platform.with_queues(|queues| Arc::new(Flaky::new(queues, faults)));
        let world = World::on(platform, "commit");
        world.make(&world.link("spring")).await;
        assert_eq!(world.follow("/c/spring").await.status, 302, "{script:?}");
        let clicks = world.clicks();
        assert_eq!((clicks.len(), world.losses.count()), (handed_on, lost), "{script:?}");
        assert!(clicks.windows(2).all(|two| two[0].1.id == two[1].1.id), "one id counts once");
        assert_eq!(world.follow("/c/spring").await.status, 302);
        assert_eq!(world.clicks().len(), handed_on + 1, "what comes later is not lost");
    }
}

/// A queue that panics, or never answers, until it is told to; or refuses what is somebody's.
struct Odd {
    inner: Arc<dyn Queues>,
    panics: AtomicBool,
    open: Semaphore,
    refuses: OnceLock<String>,
}

#[async_trait]
impl Queues for Odd {
    async fn send(&self, queue: &QueueAddress, messages: Vec<Message>) -> Result<(), QueueError> {
        if self.panics.swap(false, Ordering::Relaxed) {
            panic!("the queue is broken");
        }
        let _open = self.open.acquire().await.unwrap();
        if messages.iter().any(|message| self.refuses.get() == Some(&message.group)) {
            return Err(QueueError::Refused("it is too long".into()));
        }
        self.inner.send(queue, messages).await
    }

    async fn receive(
        &self,
        _: &QueueAddress,
        _: u32,
        _: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        Ok(Vec::new())
    }

    async fn delete(&self, _: &QueueAddress, _: &[String]) -> Result<(), QueueError> {
        Ok(())
    }

    async fn retry(&self, _: &QueueAddress, _: &str, _: Duration) -> Result<(), QueueError> {
        Ok(())
    }

    async fn depth(&self, _: &QueueAddress) -> Result<Depth, QueueError> {
        Ok(Depth::default())
    }

    async fn redrive(&self, _: &QueueAddress, _: &QueueAddress, _: u32) -> Result<u64, QueueError> {
        Ok(0)
    }
}

fn odd(panics: bool, permits: usize, ack: &str) -> (World, Arc<Odd>) {
    let mut made = None;
    let platform = MemoryPlatform::new().with_queues(|inner| {
        let (panics, open) = (AtomicBool::new(panics), Semaphore::new(permits));
        let odd = Arc::new(Odd { inner, panics, open, refuses: OnceLock::new() });
        made = Some(Arc::clone(&odd));
        odd
    });
    (World::on(platform, ack), made.unwrap())
}

#[tokio::test]
async fn a_queue_that_panics_costs_its_group_alone() {
    let (world, _) = odd(true, 1, "commit");
    world.make(&world.link("spring")).await;
    let answer = world.follow("/c/spring").await;
    assert_eq!((answer.status, answer.lost), (302, Some(1)), "an alarm hears of it");
    assert_eq!((world.clicks().len(), world.losses.count()), (0, 1));
    let answer = world.follow("/c/spring").await;
    assert_eq!((answer.status, answer.lost), (302, None), "told once");
    assert_eq!((world.clicks().len(), world.losses.count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_answers_holds_up_no_answer() {
    for ack in ["commit", "window"] {
        let (world, queue) = odd(false, 0, ack);
        world.make(&world.link("spring")).await;
        for _ in 0..3 {
            assert_eq!(world.follow("/c/spring").await.status, 302, "{ack}");
        }
        queue.open.add_permits(1);
        tokio::time::advance(WINDOW).await;
        settle().await;
        tokio::time::advance(WINDOW).await;
        settle().await;
        assert_eq!((world.clicks().len(), world.losses.count()), (3, 0), "{ack}: late is not lost");
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_room_is_left_for_is_answered_and_counted_as_lost() {
    let (world, queue) = odd(false, 0, "window");
    world.make(&world.link("spring")).await;
    // One group is being sent, so many wait, and some find no room.
    world.follow("/c/spring").await;
    tokio::time::advance(WINDOW).await;
    settle().await;
    let mut told = 0;
    for _ in 0..QUEUED + 7 {
        let answer = world.follow("/c/spring").await;
        assert_eq!(answer.status, 302);
        told += answer.lost.unwrap_or_default();
    }
    assert_eq!((world.losses.count(), told), (7, 7));
    queue.open.add_permits(1);
    tokio::time::advance(WINDOW).await;
    for _ in 0..20 {
        settle().await;
        tokio::time::advance(WINDOW).await;
    }
    assert_eq!(world.clicks().len(), QUEUED + 1);
}

/// A town whose name is longer than that of any.
struct Far;

impl Locator for Far {
    fn locate(&self, _: ClientIp) -> Place {
        Place::Spot(Spot { city: Some("x".repeat(600)), ..Spot::default() })
    }

    fn attribution(&self) -> Option<String> {
        None
    }
}

/// The longest clicks that clients can make, nearly all of each written as two characters, from a town with a longer
/// name than there is: without it they would fit into one message.
#[tokio::test(start_paused = true)]
async fn the_largest_clicks_go_in_as_many_messages_as_they_need() {
    let mut platform = MemoryPlatform::new();
    platform.locator = Arc::new(Far);
    let world = World::on(platform, "window");
    world.make(&world.link("spring")).await;
    let other = people::scope(people::tenant(2));
    world.platform.commit(world.link("summer").ops(&other).into()).await;
    let (quotes, host) = ("\"".repeat(345), ["x".repeat(60), "x".repeat(60)].join("."));
    for n in 1..GROUP {
        // None of them shares its program or its page with another.
        let agent = format!("Mozilla/5.0 (Linux; Android 14; {quotes} {n}) Mobile");
        let referrer = format!("https://{host}.{host}.example/{n}/{}", "%22".repeat(250));
        let headers = [("user-agent", agent.as_str()), ("referer", &referrer), ("accept", "*/*")];
        assert_eq!(world.ask("GET", "/c/spring", Some("192.0.2.44"), &headers).await.status, 302);
    }
    world.follow("/c/summer").await;
    settle().await;
    let messages = world.platform.waiting(Hop::Attribute);
    let sizes: Vec<usize> = messages.iter().map(|message| message.body.len()).collect();
    assert!(sizes.iter().sum::<usize>() > MAX_BODY_BYTES, "one would be too long: {sizes:?}");
    assert!(sizes.len() == 3 && sizes.iter().all(|size| *size < MAX_BODY_BYTES), "{sizes:?}");
    let clicks = world.clicks();
    assert_eq!(clicks.iter().filter(|(whose, _)| *whose == scope()).count(), GROUP - 1);
    assert_eq!((clicks.len(), world.losses.count()), (GROUP, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_of_one_tenant_costs_no_other_a_click() {
    let (world, queue) = odd(false, 1, "window");
    world.make(&world.link("spring")).await;
    let other = people::scope(people::tenant(2));
    world.platform.commit(world.link("summer").ops(&other).into()).await;
    queue.refuses.set(scope().owner().to_string()).unwrap();
    for path in ["/c/spring", "/c/summer", "/c/spring"] {
        assert_eq!(world.follow(path).await.status, 302);
    }
    settle().await;
    tokio::time::advance(WINDOW).await;
    settle().await;
    let whose: Vec<_> = world.clicks().into_iter().map(|(whose, _)| whose).collect();
    assert_eq!((whose, world.losses.count()), (vec![other], 2));
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_loses_no_click_that_was_answered() {
    let (world, queue) = odd(false, 0, "window");
    world.make(&world.link("spring")).await;
    // One is being sent, others wait.
    world.follow("/c/spring").await;
    tokio::time::advance(WINDOW).await;
    settle().await;
    for _ in 0..GROUP + 3 {
        world.follow("/c/spring").await;
    }
    let endings = world.platform.endings.clone();
    let ended = tokio::spawn(async move { endings.run().await });
    settle().await;
    assert!(!ended.is_finished(), "it waits for what is being sent");
    queue.open.add_permits(1);
    ended.await.unwrap();
    assert_eq!((world.clicks().len(), world.losses.count()), (GROUP + 4, 0));
    assert_eq!(world.follow("/c/spring").await.status, 302);
    assert_eq!(world.losses.count(), 1, "what comes later is told");
}
