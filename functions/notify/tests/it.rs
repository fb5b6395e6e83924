//! Notices in, mails out: each once, whatever fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::effect::Outcome;
use nexus_core::{Envelope, Scope};
use nexus_engine::hops::Notify as Told;
use nexus_engine::mailing::{LONGEST_PAUSE, Mailing, TRIED_FOR};
use nexus_engine::notices::{Notice, NoticeCode, NoticeId, notice_key, tell};
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_notify::Notify;
use nexus_relay::Relay;
use nexus_testkit::mail::FakeMail;
use nexus_testkit::{MemoryPlatform, build, people};

fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

/// The function and the relay on a platform whose first tenant has an account.
struct House {
    platform: MemoryPlatform,
    notify: Arc<dyn ErasedFunction>,
    relay: Arc<dyn ErasedFunction>,
}

impl House {
    fn on(platform: MemoryPlatform) -> Self {
        let relay = platform.clone();
        Self::with_relay(platform, &relay)
    }

    fn with_relay(platform: MemoryPlatform, relay: &dyn EnginePlatform) -> Self {
        let wired: &dyn EnginePlatform = &platform;
        let env = platform.env();
        let notify = Entry::event::<Batch<Notify>, _>(wired, &env).unwrap();
        let relay = Entry::event::<Relay, _>(relay, &env).unwrap();
        let (Entry::Event(notify), Entry::Event(relay)) = (notify, relay) else {
            panic!("they take events")
        };
        Self { platform, notify, relay }
    }

    async fn new() -> Self {
        let house = Self::on(MemoryPlatform::new());
        house.platform.put(&scope(), &build::account()).await;
        house
    }

    fn mail(&self) -> &FakeMail {
        self.platform.mail.as_ref().unwrap()
    }

    /// Tells the first tenant something.
    async fn tell(&self) -> NoticeId {
        let (ambient, code) = (self.platform.ambient(), NoticeCode::ReconnectNeeded);
        let text = "Nothing can be posted to `ada` at X before the account is connected again.";
        let ops = tell(&scope(), &ambient, code, text, None).unwrap();
        let id = ops.iter().find_map(|op| op.key().sk().parse().ok()).unwrap();
        self.platform.commit(ops).await;
        id
    }

    /// Lets a minute pass, and the relay send what the outbox has.
    async fn a_minute_passes(&self) {
        self.platform.advance(secs(61));
        self.relay.call(b"{}", self.platform.invocation()).await.ok();
    }

    /// Delivers the message about a notice; whether it went well.
    async fn deliver(&self, scope: &Scope, id: NoticeId) -> bool {
        let body = Envelope::seal(scope, "trace", &Told { notice: id }).unwrap();
        self.platform.deliver(&*self.notify, &[body]).await.is_empty()
    }

    async fn mailing(&self, id: NoticeId) -> Mailing {
        let (key, now) = (notice_key(&scope(), id), self.platform.now());
        let table = &self.platform.table;
        nexus_core::records::load::<Notice>(table, &key, now).await.unwrap().unwrap().record.mail
    }
}

#[tokio::test]
async fn n41_the_owner_is_told_by_mail_once_however_often_the_message_comes() {
    let house = House::new().await;
    let id = house.tell().await;
    assert_eq!(house.mailing(id).await, Mailing::Waiting);
    house.a_minute_passes().await;
    let letters = house.platform.letters::<Told>(Hop::Notify);
    assert_eq!(letters, [(scope(), Told { notice: id })], "the relay sends it");
    for _ in 0..3 {
        assert!(house.deliver(&scope(), id).await);
    }
    let sent = house.mail().sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to().reveal(), build::account().email.reveal());
    assert!(sent[0].text().reveal().contains("Nothing can be posted to `ada` at X"));
    let (at, receipt) = (house.platform.now(), "mail-1".to_owned());
    assert_eq!(house.mailing(id).await, Mailing::Sent { at, receipt });
}

#[tokio::test]
async fn another_tenants_message_about_it_mails_nothing() {
    let house = House::new().await;
    let id = house.tell().await;
    assert!(house.deliver(&people::scope(people::tenant(2)), id).await);
    assert!(house.mail().sent().is_empty());
    assert_eq!(house.mailing(id).await, Mailing::Waiting);
}

#[tokio::test]
async fn where_nobody_can_be_written_to_the_notice_says_so_and_stays() {
    let why = |mailing: Mailing| match mailing {
        Mailing::NotSent { why } => why,
        other => panic!("{other:?}"),
    };
    let house = House::on(MemoryPlatform::new());
    let id = house.tell().await;
    assert!(house.deliver(&scope(), id).await);
    assert_eq!(why(house.mailing(id).await), "There is no account yet, and so no address.");
    assert!(house.mail().sent().is_empty());

    let mut nobody = MemoryPlatform::new();
    nobody.mail = None;
    let house = House::on(nobody);
    let id = house.tell().await;
    assert!(house.deliver(&scope(), id).await);
    assert_eq!(why(house.mailing(id).await), "Nobody carries mail for this deployment.");

    let house = House::new().await;
    let mut account = build::account();
    account.email = nexus_kernel::Pii::new("ada@café.example".to_owned());
    house.platform.put(&scope(), &account).await;
    let id = house.tell().await;
    assert!(house.deliver(&scope(), id).await);
    let why = why(house.mailing(id).await);
    assert!(why.contains("email") && !why.contains("café"), "{why}");
}

#[tokio::test]
async fn what_a_carrier_certainly_did_not_take_is_tried_again_for_a_day() {
    let throttled = || Outcome::Throttled { after_seconds: 30 };
    let login = || Outcome::Login { why: "no log-in".into() };
    for (no, end) in [(throttled(), "No carrier took it within a day."), (login(), "no log-in")] {
        let house = House::new().await;
        let id = house.tell().await;
        house.a_minute_passes().await;
        house.mail().answer(no.clone());
        assert!(house.deliver(&scope(), id).await);
        assert_eq!(house.mailing(id).await, Mailing::Waiting);
        house.a_minute_passes().await;
        let waiting = house.platform.letters::<Told>(Hop::Notify);
        assert_eq!(waiting.len(), 2, "a message of its own wakes it");
        house.platform.advance(SignedDuration::try_from(LONGEST_PAUSE).unwrap());
        assert!(house.deliver(&scope(), id).await);
        assert!(matches!(house.mailing(id).await, Mailing::Sent { .. }));
        assert_eq!(house.mail().sent().len(), 2);

        let late = house.tell().await;
        house.platform.advance(TRIED_FOR);
        house.mail().answer(no);
        assert!(house.deliver(&scope(), late).await);
        assert_eq!(house.mailing(late).await, Mailing::NotSent { why: end.into() });
    }
}

#[tokio::test]
async fn what_may_have_left_is_never_sent_again() {
    let house = House::new().await;
    let id = house.tell().await;
    house.mail().answer(Outcome::Unknown { why: "the line failed".into() });
    for _ in 0..3 {
        assert!(house.deliver(&scope(), id).await);
        house.platform.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(house.mail().sent().len(), 1);
    assert_eq!(house.mailing(id).await, Mailing::Unknown { why: "the line failed".into() });
}

#[tokio::test]
async fn a_refused_mail_stays_so() {
    let house = House::new().await;
    let id = house.tell().await;
    house.mail().answer(Outcome::Refused { why: "spam".into() });
    assert!(house.deliver(&scope(), id).await && house.deliver(&scope(), id).await);
    assert_eq!(house.mail().sent().len(), 1);
    assert_eq!(house.mailing(id).await, Mailing::NotSent { why: "spam".into() });
}

/// A house whose function's table fails so; the relay's does not.
fn flaky(faults: &Faults) -> House {
    let (calm, of_table) = (MemoryPlatform::new(), faults.clone());
    let platform = calm.clone().with_table(|table| Arc::new(Flaky::new(table, of_table)));
    House::with_relay(platform, &calm)
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_of_the_table_leaves_one_mail_or_an_unknown_one() {
    let whole = Faults::none();
    let house = flaky(&whole);
    house.platform.put(&scope(), &build::account()).await;
    let id = house.tell().await;
    assert!(house.deliver(&scope(), id).await);
    let calls = whole.calls();
    assert_eq!(calls, 5, "notice, account, settings, claim, outcome");
    for at in 0..calls {
        for how in [Fault::Before, Fault::After] {
            let faults = Faults::crash(at, how);
            let house = flaky(&faults);
            house.platform.put(&scope(), &build::account()).await;
            let id = house.tell().await;
            house.deliver(&scope(), id).await;
            faults.revive();
            // Its message is there until somebody says that it went well.
            for _ in 0..5 {
                house.platform.advance(secs(31));
                house.deliver(&scope(), id).await;
            }
            let (sent, mailing) = (house.mail().sent().len(), house.mailing(id).await);
            match mailing {
                Mailing::Sent { .. } => assert_eq!(sent, 1, "{how:?} call {at}"),
                // A claim whose answer was lost, and an outcome that was not written down.
                Mailing::Unknown { .. } => assert!(sent <= 1 && at >= 3, "{how:?} call {at}"),
                other => panic!("{how:?} call {at}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn whatever_the_table_does_a_notice_is_mailed_once_or_stands_as_unknown() {
    for seed in 0..200 {
        let faults = Faults::seeded(seed, 3);
        let house = flaky(&faults);
        house.platform.put(&scope(), &build::account()).await;
        let id = house.tell().await;
        for _ in 0..30 {
            house.a_minute_passes().await;
            let woken = house.platform.letters::<Told>(Hop::Notify);
            assert!(!woken.is_empty(), "seed {seed}: what was told is on its way");
            house.deliver(&scope(), id).await;
        }
        let (sent, mailing) = (house.mail().sent().len(), house.mailing(id).await);
        match mailing {
            Mailing::Sent { .. } => assert_eq!(sent, 1, "seed {seed}"),
            Mailing::Unknown { .. } => assert!(sent <= 1, "seed {seed}"),
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn two_at_once_send_one() {
    let house = House::new().await;
    let id = house.tell().await;
    let one = scope();
    let (first, second) = tokio::join!(house.deliver(&one, id), house.deliver(&one, id));
    assert!(first || second);
    house.platform.advance(secs(31));
    assert!(house.deliver(&one, id).await);
    assert_eq!(house.mail().sent().len(), 1);
    assert!(matches!(house.mailing(id).await, Mailing::Sent { .. }));
}
