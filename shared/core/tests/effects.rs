//! The life of an effect by property: whatever people, holders and the outside do in whatever order.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::START;
use nexus_contract::memory::MemoryTable;
use nexus_core::approval::{self, Answer, Approved, Claiming, Redeemed, Unsure};
use nexus_core::effect::{
    self, ACCEPTED_FOR, Effect, EffectId, Found, LOOK_UPS, Outcome, Payload, Question, State,
};
use nexus_core::sweep::DueKind;
use nexus_core::table::{Condition, Page};
use nexus_core::{Approver, Caller, Claims, Op, Product, Record, Scope, Table, records};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Digest, FailureKind, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    text: String,
    at: Timestamp,
}

impl Payload for Note {
    const SORT: &'static str = "note";

    fn digest(&self) -> Digest {
        Digest::of_parts([self.text.as_bytes(), self.at.to_string().as_bytes()])
    }

    fn due_at(&self) -> Timestamp {
        self.at
    }

    fn grace() -> SignedDuration {
        SignedDuration::from_hours(1)
    }
}

/// A table, a clock, a person, and one effect.
struct Scene {
    clock: ManualClock,
    ambient: Ambient,
    table: Arc<dyn Table>,
    person: Caller,
    id: EffectId,
}

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

impl Scene {
    async fn new() -> Self {
        let clock = ManualClock::at(START);
        let shared = Arc::new(clock.clone());
        let groups = vec![format!("ten_{:032x}/approver", 1)];
        let claims = Claims { subject: "ada".into(), groups };
        let scene = Self {
            ambient: Ambient::seeded(Arc::<ManualClock>::clone(&shared), 1),
            table: Arc::new(MemoryTable::new(shared)),
            person: Caller::from_claims(&claims, Product::Engine, None).unwrap(),
            id: EffectId::derived(&["one"]),
            clock,
        };
        let note = Note { text: "hello".into(), at: START };
        let proposed = Effect::proposed(scene.id, note, "ada", START);
        let create = records::create(scene.scope(), &proposed);
        scene.table.commit(vec![create], None).await.unwrap();
        scene
    }

    async fn approved() -> Self {
        let scene = Self::new().await;
        let mut stored = scene.stored().await;
        let seen = stored.record.payload().digest();
        let approver = Approver::of(&scene.person).unwrap();
        approval::approve(&mut stored.record, approver, seen, scene.now()).unwrap();
        scene.write(&stored).await;
        scene
    }

    fn scope(&self) -> &Scope {
        self.person.scope()
    }

    fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.move_to(self.now().saturating_add(by).unwrap());
    }

    async fn stored(&self) -> nexus_core::Stored<Effect<Note>> {
        effect::load(&*self.table, self.scope(), self.id).await.unwrap().unwrap()
    }

    async fn write(&self, stored: &nexus_core::Stored<Effect<Note>>) -> bool {
        self.table.commit(effect::written(self.scope(), stored), None).await.is_ok()
    }

    async fn redeem(&self, lease: i64, gate: Vec<Op>) -> Redeemed<Note> {
        let now = self.now();
        let lease = now.saturating_add(secs(lease)).unwrap();
        let claiming = Claiming { by: "publish", ids: &*self.ambient.ids, now, lease, gate };
        approval::redeem(&self.table, self.scope(), self.id, claiming).await.unwrap()
    }

    async fn claimed(&self) -> Approved<Note> {
        match self.redeem(30, Vec::new()).await {
            Redeemed::Send(approved) => approved,
            other => panic!("it is due: {other:?}"),
        }
    }

    async fn unsure(&self) -> Unsure<Note> {
        match self.redeem(30, Vec::new()).await {
            Redeemed::LookUp(unsure) => unsure,
            other => panic!("it has to be looked up: {other:?}"),
        }
    }

    async fn state(&self) -> State {
        self.stored().await.record.state()
    }

    async fn questions(&self) -> Vec<Question> {
        let asked = effect::questions(self.scope());
        let found = records::list(&*self.table, &asked, &Page::first(9), self.now()).await;
        found.unwrap().records.into_iter().map(|stored| stored.record).collect()
    }
}

/// What may happen next.
#[derive(Debug, Clone)]
enum Deed {
    Approve,
    Reject,
    Cancel,
    Edit,
    Claim(usize),
    Keep(usize),
    Settle(usize, Outcome),
    Look(usize, Found),
    Postpone(i64),
    Answer(bool),
    Wait(i64),
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done { receipt: "r".into(), url: None }),
        Just(Outcome::Accepted { look_after_seconds: 5 }),
        Just(Outcome::Refused { why: "no".into() }),
        Just(Outcome::Throttled { after_seconds: 20 }),
        Just(Outcome::Login { why: "who?".into() }),
        Just(Outcome::Unknown { why: "lost".into() }),
    ]
}

fn findings() -> impl Strategy<Value = Found> {
    prop_oneof![
        Just(Found::Done { receipt: "r".into(), url: None }),
        Just(Found::Accepted { look_after_seconds: 5 }),
        Just(Found::Refused { why: "no".into() }),
        Just(Found::NotDone),
        Just(Found::Later { after_seconds: 90 }),
        Just(Found::StillUnknown { why: "cannot say".into() }),
    ]
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Approve),
        1 => Just(Deed::Reject),
        1 => Just(Deed::Cancel),
        1 => Just(Deed::Edit),
        6 => (0..3_usize).prop_map(Deed::Claim),
        2 => (0..3_usize).prop_map(Deed::Keep),
        5 => (0..3_usize, outcomes()).prop_map(|(who, outcome)| Deed::Settle(who, outcome)),
        4 => (0..3_usize, findings()).prop_map(|(who, found)| Deed::Look(who, found)),
        1 => (1..90_i64).prop_map(Deed::Postpone),
        1 => any::<bool>().prop_map(Deed::Answer),
        5 => (1..1_500_i64).prop_map(Deed::Wait),
    ]
}

/// What one of three holders has in hand.
#[derive(Default)]
enum Hand {
    #[default]
    Nothing,
    Post(Approved<Note>),
    Question(Unsure<Note>),
}

/// What is known of the world outside: every effect that may be there, and the last word on it.
#[derive(Default)]
struct Outside {
    /// Attempts that ended so that it is there or may be.
    standing: u32,
}

async fn live(deeds: Vec<Deed>) {
    let scene = Scene::new().await;
    let mut hands: [Hand; 3] = Default::default();
    let mut outside = Outside::default();
    let mut approved: Option<Digest> = None;
    for deed in deeds {
        let before = scene.stored().await.record;
        let was = before.state();
        match deed {
            Deed::Approve => {
                let mut stored = scene.stored().await;
                let (seen, now) = (stored.record.payload().digest(), scene.now());
                let approver = Approver::of(&scene.person).unwrap();
                if approval::approve(&mut stored.record, approver, seen, now).is_ok() {
                    approved = Some(seen);
                    assert!(scene.write(&stored).await);
                }
            }
            Deed::Reject => {
                let mut stored = scene.stored().await;
                if stored.record.reject("ada", "no", scene.now()).is_ok() {
                    assert!(scene.write(&stored).await);
                }
            }
            Deed::Cancel => {
                let mut stored = scene.stored().await;
                if stored.record.cancel("ada", "no", scene.now()).is_ok() {
                    assert!(matches!(was, State::Proposed | State::Approved), "{was:?}");
                    assert!(scene.write(&stored).await);
                }
            }
            Deed::Edit => {
                // Somebody changes the row behind everybody's back.
                let key = before.key(scene.scope());
                let mut item = scene.table.get(&key).await.unwrap().unwrap();
                item.body = item.body.replace("hello", "hullo");
                let when = Condition::Version(item.version);
                item.version += 1;
                scene.table.commit(vec![Op::Put { item, when }], None).await.unwrap();
            }
            Deed::Claim(who) => match scene.redeem(30, Vec::new()).await {
                Redeemed::Send(claim) => {
                    assert_eq!(was, State::Approved, "only what waits is claimed");
                    assert_eq!(approved, Some(claim.payload().digest()), "exactly this");
                    assert!(before.approval().unwrap().until > scene.now(), "and in time");
                    assert_eq!(outside.standing, 0, "nothing that may be there is sent again");
                    hands[who] = Hand::Post(claim);
                }
                Redeemed::LookUp(unsure) => hands[who] = Hand::Question(unsure),
                Redeemed::TooEarly(_) | Redeemed::Running(_) | Redeemed::Nothing(_) => {}
                Redeemed::Held(_) => panic!("there is no gate"),
            },
            Deed::Keep(who) => {
                if let Hand::Post(claim) = &mut hands[who]
                    && claim.keep("its name", scene.now()).await.is_err()
                {
                    // Nothing more is sent by a holder that cannot keep a name.
                    hands[who] = Hand::Nothing;
                }
            }
            Deed::Settle(who, outcome) => {
                if let Hand::Post(claim) = std::mem::take(&mut hands[who]) {
                    let stays = !matches!(
                        outcome,
                        Outcome::Refused { .. } | Outcome::Throttled { .. } | Outcome::Login { .. }
                    );
                    // A holder that was overtaken has sent it all the same: it may be there.
                    let said = approval::settle(claim, outcome, "publish", scene.now()).await;
                    outside.standing += u32::from(stays && said.is_ok());
                }
            }
            Deed::Look(who, found) => {
                if let Hand::Question(unsure) = std::mem::take(&mut hands[who]) {
                    let gone = matches!(found, Found::NotDone | Found::Refused { .. });
                    let said =
                        approval::settle_looked_up(unsure, found, "publish", scene.now()).await;
                    if said.is_ok() && gone {
                        outside.standing = 0;
                    }
                }
            }
            Deed::Postpone(seconds) => {
                let standing = approval::open::<Note>(&scene.table, scene.scope(), scene.id).await;
                let until = scene.now().saturating_add(secs(seconds)).unwrap();
                let put_off =
                    standing.unwrap().unwrap().postpone(until, "busy", "gate", scene.now()).await;
                assert_eq!(put_off.is_ok(), was == State::Approved);
            }
            Deed::Answer(happened) => {
                let mut stored = scene.stored().await;
                let answer = match happened {
                    true => Answer::Happened { url: None, receipt: None },
                    false => Answer::DidNotHappen,
                };
                let approver = Approver::of(&scene.person).unwrap();
                let said = approval::answer(&mut stored.record, approver, answer, scene.now());
                assert_eq!(said.is_ok(), was == State::AskAPerson);
                if said.is_ok() {
                    assert!(scene.write(&stored).await);
                }
            }
            Deed::Wait(seconds) => scene.advance(secs(seconds)),
        }
        holds(&scene, &before).await;
    }
}

/// What is true after every deed.
async fn holds(scene: &Scene, before: &Effect<Note>) {
    let effect = scene.stored().await.record;
    assert!(effect.history_is_whole());
    let (had, has) = (before.history(), effect.history());
    assert_eq!(had, &has[..had.len()], "what happened stays as it was");
    let mut state = before.state();
    for moved in &has[had.len()..] {
        let ways = effect::Deed::ALL.into_iter().filter_map(|deed| state.after(deed));
        assert!(ways.into_iter().any(|to| to == moved.to), "{state:?} to {:?}", moved.to);
        state = moved.to;
    }
    assert_eq!(state, effect.state(), "no move goes unwritten");

    let open: Vec<_> = scene.questions().await.into_iter().map(|q| (q.effect, q.state)).collect();
    let unsure = [(effect.id, effect.state())];
    assert_eq!(open, if effect.state().is_unsure() { &unsure[..] } else { &[] });

    let due = effect.due(scene.scope()).map(|entry| entry.partition);
    let stands = |kind: DueKind| {
        due.as_ref().is_some_and(|at| {
            (0..kind.shards()).any(|shard| *at == kind.query(shard, Timestamp::MAX).partition)
        })
    };
    let waits = effect.state() == State::Approved;
    let is_watched = matches!(effect.state(), State::Sending | State::Unknown | State::Accepted);
    assert_eq!((stands(DueKind::Effect), stands(DueKind::Unknown)), (waits, is_watched));
}

proptest! {
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::with_cases(600) })]

    #[test]
    fn n15_whatever_happens_only_what_was_approved_is_sent_and_nothing_that_may_be_there_again(
        deeds in proptest::collection::vec(deeds(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(live(deeds));
    }
}

#[tokio::test]
async fn n15_a_holder_that_lost_its_lease_writes_nothing() {
    let scene = Scene::approved().await;
    let mut late = scene.claimed().await;
    scene.advance(secs(30));
    let kept = late.keep("its name", scene.now()).await.unwrap_err();
    assert_eq!(kept.kind(), FailureKind::Conflict);
    let unsure = scene.unsure().await;
    assert_eq!(unsure.handle(), None);
    let done = Outcome::Done { receipt: "late".into(), url: None };
    let said = approval::settle(late, done, "publish", scene.now()).await.unwrap_err();
    assert_eq!(said.kind(), FailureKind::Conflict);
    assert_eq!(scene.state().await, State::Unknown);
}

#[tokio::test]
async fn a_name_that_was_kept_is_there_for_whoever_looks_it_up() {
    let scene = Scene::approved().await;
    let mut claim = scene.claimed().await;
    claim.keep("v_pub_1", scene.now()).await.unwrap();
    claim.keep("v_pub_2", scene.now()).await.unwrap();
    drop(claim);
    scene.advance(secs(30));
    let unsure = scene.unsure().await;
    assert_eq!((unsure.handle(), unsure.claimed_at()), (Some("v_pub_2"), Some(START)));
    approval::settle_looked_up(unsure, Found::NotDone, "publish", scene.now()).await.unwrap();
    let claim = scene.claimed().await;
    assert_eq!(claim.attempt(), 2);
}

/// Its holder was late, and nobody else has come yet.
#[tokio::test]
async fn n15_a_name_that_comes_when_the_claim_is_over_is_written_with_the_outcome() {
    let scene = Scene::approved().await;
    let mut late = scene.claimed().await;
    scene.advance(secs(30));
    late.keep("v_pub_1", scene.now()).await.unwrap_err();
    let unknown = Outcome::Unknown { why: "its name was not kept".into() };
    approval::settle(late, unknown, "publish", scene.now()).await.unwrap();
    scene.advance(secs(15));
    assert_eq!(scene.unsure().await.handle(), Some("v_pub_1"));
}

#[tokio::test]
async fn a_look_for_which_there_is_no_time_does_not_count_and_ends_after_a_day() {
    let scene = Scene::approved().await;
    let lost = Outcome::Unknown { why: "lost".into() };
    approval::settle(scene.claimed().await, lost, "publish", scene.now()).await.unwrap();
    scene.advance(secs(15));
    let moves = scene.stored().await.record.history().len();
    for _ in 0..3 * LOOK_UPS {
        let busy = Found::Later { after_seconds: 86_400 };
        let unsure = scene.unsure().await;
        approval::settle_looked_up(unsure, busy, "publish", scene.now()).await.unwrap();
        if scene.state().await != State::Unknown {
            break;
        }
        assert_eq!(scene.stored().await.record.history().len(), moves, "it is no move");
        let Redeemed::TooEarly(at) = scene.redeem(30, Vec::new()).await else {
            panic!("it was asked to wait")
        };
        assert_eq!(at, scene.now() + secs(3_600), "as long as is believed");
        scene.advance(secs(3_600));
    }
    assert_eq!(scene.state().await, State::Unknown, "not by the number of looks");
    scene.advance(secs(3_600));
    let busy = Found::Later { after_seconds: 60 };
    approval::settle_looked_up(scene.unsure().await, busy, "publish", scene.now()).await.unwrap();
    assert_eq!(scene.state().await, State::AskAPerson);
}

#[tokio::test]
async fn a_gate_that_closes_leaves_the_effect_as_it_was_and_says_where() {
    let scene = Scene::approved().await;
    let absent =
        |name: &str| Op::Check { key: scene.scope().key("test", name), when: Condition::Present };
    let open = Op::Check { key: scene.scope().key("test", "b"), when: Condition::Absent };
    let Redeemed::Held(which) = scene.redeem(30, vec![open, absent("a")]).await else {
        panic!("it is closed")
    };
    assert_eq!((which, scene.state().await), (vec![1], State::Approved));
    assert_eq!(scene.claimed().await.attempt(), 1);
}

#[tokio::test]
async fn what_was_accepted_is_looked_at_for_a_day_and_then_a_person_is_asked() {
    let scene = Scene::approved().await;
    let taken = Outcome::Accepted { look_after_seconds: 5 };
    approval::settle(scene.claimed().await, taken, "publish", scene.now()).await.unwrap();
    let moves = scene.stored().await.record.history().len();
    let mut looks = 0;
    while scene.state().await == State::Accepted {
        scene.advance(secs(3_600));
        let found = match looks % 2 {
            0 => Found::Accepted { look_after_seconds: 30 },
            _ => Found::StillUnknown { why: "no answer".into() },
        };
        let unsure = scene.unsure().await;
        assert!(unsure.is_accepted());
        approval::settle_looked_up(unsure, found, "publish", scene.now()).await.unwrap();
        looks += 1;
    }
    assert_eq!(looks, ACCEPTED_FOR.as_hours());
    assert_eq!(scene.state().await, State::AskAPerson);
    let history = scene.stored().await.record.history().len();
    assert_eq!(history, moves + 1, "a look that finds nothing new is no move");
}

#[tokio::test]
async fn what_nobody_knows_is_looked_up_at_growing_intervals_and_then_asked_of_a_person() {
    let scene = Scene::approved().await;
    let lost = Outcome::Unknown { why: "lost".into() };
    approval::settle(scene.claimed().await, lost, "publish", scene.now()).await.unwrap();
    let mut looks = 0;
    while scene.state().await == State::Unknown {
        match scene.redeem(30, Vec::new()).await {
            Redeemed::TooEarly(at) => scene.advance(at.duration_since(scene.now())),
            Redeemed::LookUp(unsure) => {
                let found = Found::StillUnknown { why: "no answer".into() };
                approval::settle_looked_up(unsure, found, "publish", scene.now()).await.unwrap();
                looks += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((looks, scene.state().await), (LOOK_UPS, State::AskAPerson));
    let spanned = scene.now().duration_since(START);
    assert!((secs(3_000)..secs(7_200)).contains(&spanned), "{spanned:?}");

    let [question] = scene.questions().await.try_into().unwrap();
    assert_eq!((question.state, question.since), (State::AskAPerson, START));
    let mut stored = scene.stored().await;
    let there = Answer::Happened { url: Some("https://x.example/1".into()), receipt: None };
    let approver = Approver::of(&scene.person).unwrap();
    approval::answer(&mut stored.record, approver, there, scene.now()).unwrap();
    assert!(scene.write(&stored).await);
    assert_eq!((scene.state().await, scene.questions().await), (State::Done, Vec::new()));
}
