//! The clock in; comments, messages and the next time out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::effect::EffectId;
use nexus_core::egress::Cost;
use nexus_core::{CallContext, RecordKind, Scope};
use nexus_engine::account::Settings;
use nexus_engine::comments::{Comment, Heard, Listener, Listening, Remark};
use nexus_engine::connections::{Access, Connection, ConnectionId, Quiet};
use nexus_engine::hops::ToJudge;
use nexus_engine::publishing::Network;
use nexus_engine::{DraftId, EnginePlatform, Hop};
use nexus_handler::{Entry, ErasedFunction};
use nexus_kernel::{Failure, FailureKind, Pii};
use nexus_listen::Listen;
use nexus_testkit::login::FakeLogin;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// A network that has these remarks under every post, or fails.
struct Talk {
    network: Network,
    reach: Option<SignedDuration>,
    said: Mutex<Vec<Remark>>,
    fails: Mutex<Option<(FailureKind, Option<Duration>)>>,
    asked: Mutex<Vec<(String, Option<String>, bool)>>,
}

impl Talk {
    fn of(network: Network) -> Arc<Self> {
        let reach = (network == Network::X).then(|| hours(7 * 24 - 1));
        let (said, fails, asked) = Default::default();
        Arc::new(Self { network, reach, said, fails, asked })
    }

    fn says(&self, platform: &MemoryPlatform, texts: &[&str]) {
        let mut said = self.said.lock().unwrap();
        for text in texts {
            let id = format!("10{}", said.len());
            said.push(Remark { id, at: platform.now(), text: Pii::new((*text).to_owned()) });
        }
    }

    fn fails(&self, how: Option<(FailureKind, Option<Duration>)>) {
        *self.fails.lock().unwrap() = how;
    }

    fn asked(&self) -> Vec<(String, Option<String>, bool)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Listener for Talk {
    fn network(&self) -> Network {
        self.network
    }

    fn reach(&self) -> Option<SignedDuration> {
        self.reach
    }

    async fn hear(
        &self,
        _: &CallContext,
        access: Option<&Access>,
        post: &str,
        since: Option<&str>,
    ) -> Result<Heard, Failure> {
        let asked = (post.to_owned(), since.map(str::to_owned), access.is_some());
        self.asked.lock().unwrap().push(asked);
        if let Some((kind, after)) = *self.fails.lock().unwrap() {
            let failure = Failure::new(kind, "Not now.");
            return Err(
                after.map_or_else(|| Failure::new(kind, "Not now."), |a| failure.retry_after(a))
            );
        }
        let remarks = self.said.lock().unwrap().clone();
        let mark = remarks.last().map(|remark| remark.id.clone());
        Ok(Heard { remarks, mark, cost: Cost::ZERO })
    }
}

/// The function on a platform, with a network.
struct House {
    platform: MemoryPlatform,
    network: Arc<Talk>,
    function: Arc<dyn ErasedFunction>,
}

impl House {
    fn with(platform: MemoryPlatform, network: &Arc<Talk>) -> Self {
        let platform = platform.with_listeners(vec![Arc::clone(network) as _]);
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<Listen, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, network: Arc::clone(network), function }
    }

    fn of(network: Network) -> Self {
        Self::with(MemoryPlatform::new(), &Talk::of(network))
    }

    /// A post that is there since now.
    async fn post(&self, connection: Option<ConnectionId>) -> Listening {
        let medium = build::media_id(1);
        let mut draft = build::ready_draft(&scope(), medium, self.platform.now());
        draft.product = Some(build::product_id(1));
        self.platform.put(&scope(), &draft).await;
        let now = self.platform.now();
        let listening = Listening {
            post: EffectId::derived(&["post"]),
            draft: draft.id,
            network: self.network.network,
            connection,
            receipt: "99".into(),
            since: now,
            until: now + hours(24 * 30),
            next: Some(now + hours(1)),
            mark: None,
            heard: None,
            hindered: None,
        };
        self.platform.put(&scope(), &listening).await;
        listening
    }

    async fn run(&self) -> Result<Value, Failure> {
        let reply = self.function.call(b"{}", self.platform.invocation()).await?;
        Ok(serde_json::from_str(reply.get()).unwrap())
    }

    async fn stands(&self, like: &Listening) -> Listening {
        self.platform.load(&scope(), like).await.unwrap()
    }

    async fn comments(&self) -> Vec<Comment> {
        let rows = self.platform.rows().await.into_iter();
        let rows = rows.filter(|row| row.kind == RecordKind::Comment);
        let mut all: Vec<Comment> =
            rows.map(|row| serde_json::from_str(&row.body).unwrap()).collect();
        all.sort_by(|a, b| a.text.reveal().cmp(b.text.reveal()));
        all
    }

    async fn texts(&self) -> Vec<String> {
        self.comments().await.iter().map(|comment| comment.text.reveal().clone()).collect()
    }
}

fn told(posts: u64, comments: u64) -> Value {
    json!({
        "posts": posts, "comments": comments, "put_off": 0, "over": 0, "failed": 0, "complete": true,
    })
}

#[tokio::test]
async fn n39_comments_are_kept_once_with_their_product_and_sent_to_be_judged() {
    let house = House::of(Network::Mastodon);
    let post = house.post(None).await;
    house.network.says(&house.platform, &["first", "second"]);
    assert_eq!(house.run().await.unwrap(), told(0, 0), "its time has not come");
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 2));
    assert_eq!(house.network.asked(), [("99".to_owned(), None, false)]);
    let comments = house.comments().await;
    assert_eq!(house.texts().await, ["first", "second"]);
    assert!(
        comments.iter().all(|c| c.product == Some(build::product_id(1)) && c.post == post.post)
    );
    let mut letters: Vec<ToJudge> =
        house.platform.letters(Hop::Sentiment).into_iter().map(|(_, letter)| letter).collect();
    letters.sort_by_key(|letter| format!("{letter:?}"));
    let mut expected: Vec<ToJudge> = comments.iter().map(|c| ToJudge::Comment(c.id)).collect();
    expected.sort_by_key(|letter| format!("{letter:?}"));
    assert_eq!(letters, expected);
    let outbox = house.platform.rows().await.into_iter().filter(|r| r.kind == RecordKind::Outbox);
    assert_eq!(outbox.count(), 0, "each was sent, and cleared");

    // Twice in a row, and an hour later with one more.
    assert_eq!(house.run().await.unwrap(), told(0, 0));
    house.network.says(&house.platform, &["third"]);
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 1));
    assert_eq!(house.network.asked(), [("99".to_owned(), Some("101".to_owned()), false)]);
    assert_eq!(house.texts().await, ["first", "second", "third"]);
    let now = house.platform.now();
    let stands = house.stands(&post).await;
    assert_eq!((stands.heard, stands.next), (Some(now), Some(now + hours(1))));
    assert_eq!(stands.mark.as_deref(), Some("102"));
}

#[tokio::test]
async fn more_comments_than_a_commit_holds_are_all_kept() {
    let house = House::of(Network::Mastodon);
    house.post(None).await;
    let texts: Vec<String> = (0..95).map(|n| format!("said {n}")).collect();
    house.network.says(&house.platform, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 95));
    assert_eq!(house.comments().await.len(), 95);
    assert_eq!(house.platform.waiting(Hop::Sentiment).len(), 95);
}

#[tokio::test]
async fn a_network_that_charges_is_not_asked_unless_the_settings_say_so() {
    let house = House::of(Network::X);
    let post = house.post(None).await;
    house.network.says(&house.platform, &["first"]);
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap()["put_off"], 1);
    assert_eq!(house.network.asked(), []);
    assert!(house.stands(&post).await.hindered.unwrap().contains("paid_comments"));
    let settings = Settings { paid_comments: true, ..Settings::default() };
    house.platform.put(&scope(), &settings).await;
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 1));
    assert_eq!(house.stands(&post).await.hindered, None);
}

#[tokio::test]
async fn reading_ends_with_what_the_network_shows() {
    let house = House::of(Network::X);
    let settings = Settings { paid_comments: true, ..Settings::default() };
    house.platform.put(&scope(), &settings).await;
    let post = house.post(None).await;
    let mut asked = 0;
    for _ in 0..(8 * 24 * 4) {
        house.platform.advance(SignedDuration::from_mins(15));
        house.run().await.unwrap();
        for _ in house.network.asked() {
            asked += 1;
            let age = house.platform.now().duration_since(post.since);
            assert!(age < hours(7 * 24 - 1), "X would refuse it: {age:#}");
        }
    }
    let stands = house.stands(&post).await;
    assert_eq!(stands.next, None);
    assert!((45..=49).contains(&asked), "24 on the first day, 4 on each of the next: {asked}");
}

#[tokio::test]
async fn who_asks_to_wait_is_left_alone_and_says_why() {
    let house = House::of(Network::Mastodon);
    let post = house.post(None).await;
    house.platform.advance(hours(1));
    let wait = Duration::from_secs(3 * 3600);
    house.network.fails(Some((FailureKind::Throttled, Some(wait))));
    assert_eq!(house.run().await.unwrap()["put_off"], 1);
    let stands = house.stands(&post).await;
    assert_eq!(stands.next, Some(house.platform.now() + hours(3)));
    assert_eq!((stands.hindered.as_deref(), stands.heard), (Some("Not now."), None));
    // A cap that is reached is no reason to give up either.
    house.platform.advance(hours(3));
    house.network.fails(Some((FailureKind::Denied, None)));
    assert_eq!(house.run().await.unwrap()["put_off"], 1);
    house.network.fails(None);
    house.network.says(&house.platform, &["first"]);
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 1));
}

async fn connected(house: &House) -> Connection {
    let now = house.platform.now();
    let connection = Connection {
        server: Some("https://social.example".into()),
        ..build::connection(ConnectionId::derived(&["account"]), Network::Mastodon, now)
    };
    let tokens = r#"{"access":"canary-access","refresh":null}"#;
    house.platform.connect(&scope(), &connection, tokens).await;
    connection
}

#[tokio::test]
async fn an_account_reads_by_its_own_token_and_one_that_is_over_is_said_to_be() {
    let network = Talk::of(Network::Mastodon);
    let mut platform = MemoryPlatform::new();
    platform.logins = vec![Arc::new(FakeLogin::of(Network::Mastodon))];
    let house = House::with(platform, &network);
    let connection = connected(&house).await;
    let post = house.post(Some(connection.id)).await;
    network.says(&house.platform, &["first"]);
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 1));
    assert_eq!(network.asked(), [("99".to_owned(), None, true)]);

    let until = house.platform.now() + hours(5);
    let quiet = Some(Quiet { until, why: "its network asked to wait".into() });
    house.platform.put(&scope(), &Connection { quiet, ..connection.clone() }).await;
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap()["put_off"], 1);
    assert_eq!(house.stands(&post).await.next, Some(until));
    assert_eq!(network.asked(), []);

    house.platform.put(&scope(), &connection).await;
    house.platform.advance(hours(5));
    network.fails(Some((FailureKind::Conflict, None)));
    assert_eq!(house.run().await.unwrap()["put_off"], 1);
    let hindered = house.stands(&post).await.hindered.unwrap();
    assert!(hindered.contains("Connect"), "{hindered}");
    assert!(!hindered.contains("canary"));
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_of_the_store_keeps_each_comment_once_and_skips_none() {
    for how in [Fault::Before, Fault::After] {
        for call in 0.. {
            let faults = Faults::crash(call, how);
            let platform = MemoryPlatform::new()
                .with_table(|table| Arc::new(Flaky::new(table, faults.clone())) as _);
            let house = House::with(platform, &Talk::of(Network::Mastodon));
            let post = house.post(None).await;
            let texts: Vec<String> = (0..45).map(|n| format!("said {n:02}")).collect();
            house
                .network
                .says(&house.platform, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            house.platform.advance(hours(1));
            let first = house.run().await;
            faults.revive();
            house.run().await.unwrap();
            assert_eq!(house.texts().await, texts, "{call} {how:?}");
            let stands = house.stands(&post).await;
            assert_eq!(stands.heard, Some(house.platform.now()), "{call} {how:?}");
            // Each is in the queue, or stands in the outbox for the relay.
            let rows = house.platform.rows().await;
            let left = rows.iter().filter(|row| row.kind == RecordKind::Outbox).count();
            let sent = house.platform.waiting(Hop::Sentiment).len();
            assert!(left + sent >= 45, "{call} {how:?}: {left} and {sent}");
            if first.is_ok_and(|told| told["failed"] == 0) && faults.calls() > 0 && left == 0 {
                assert!(call > 3, "the store was asked");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_draft_that_is_gone_leaves_comments_without_a_product() {
    let house = House::of(Network::Mastodon);
    let post = house.post(None).await;
    let gone = Listening { draft: DraftId::derived(&["gone"]), ..post };
    house.platform.put(&scope(), &gone).await;
    house.network.says(&house.platform, &["first"]);
    house.platform.advance(hours(1));
    assert_eq!(house.run().await.unwrap(), told(1, 1));
    assert_eq!(house.comments().await[0].product, None);
}
