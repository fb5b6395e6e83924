//! Approve, edit, cancel, reschedule, publish and redeliver in every order, for two tenants at once: what reaches the
//! network is what a person approved, to the letter, in its time, once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::approval::Answer;
use nexus_core::effect::{Effect, EffectId, Found, LOOK_UPS, Outcome, Payload as _, State};
use nexus_core::{Approver, Caller, Envelope, QueueAddress, Scope, Sender};
use nexus_engine::desk::Desk;
use nexus_engine::editing::{self, Edit, WordsEdit};
use nexus_engine::hops::Publish as Due;
use nexus_engine::publishing::{Decision, Ground, Network, PostPlan, propose};
use nexus_engine::{Draft, EnginePlatform, answering, approving, cancelling, rescheduling};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::{Ambient, FailureKind, Language, Timestamp};
use nexus_publish::Publish;
use nexus_testkit::{MemoryPlatform, build, people};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// What happens next. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Deed {
    Approve { draft: usize, in_minutes: i64, seen_long_ago: bool },
    Edit { draft: usize, word: u8 },
    Cancel { post: usize },
    Reschedule { post: usize, in_minutes: i64, seen_otherwise: bool },
    Deliver { post: usize, times: usize, as_tenant: usize },
    Answer { outcome: usize },
    Find { looks: u32 },
    Lose { post: usize },
    Say { post: usize, happened: bool },
    Wait { minutes: i64 },
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0..4_usize, 0..90_i64, prop::bool::weighted(0.2)).prop_map(
            |(draft, in_minutes, seen_long_ago)| Deed::Approve { draft, in_minutes, seen_long_ago }
        ),
        2 => (0..4_usize, any::<u8>()).prop_map(|(draft, word)| Deed::Edit { draft, word }),
        2 => (0..8_usize).prop_map(|post| Deed::Cancel { post }),
        3 => (0..8_usize, 0..90_i64, prop::bool::weighted(0.2)).prop_map(
            |(post, in_minutes, seen_otherwise)| Deed::Reschedule { post, in_minutes, seen_otherwise }
        ),
        6 => (0..8_usize, 1..4_usize, 0..2_usize)
            .prop_map(|(post, times, as_tenant)| Deed::Deliver { post, times, as_tenant }),
        1 => (0..4_usize).prop_map(|outcome| Deed::Answer { outcome }),
        1 => (1..3_u32).prop_map(|looks| Deed::Find { looks }),
        1 => (0..8_usize).prop_map(|post| Deed::Lose { post }),
        1 => (0..8_usize, any::<bool>()).prop_map(|(post, happened)| Deed::Say { post, happened }),
        3 => (1..80_i64).prop_map(|minutes| Deed::Wait { minutes }),
    ]
}

/// What a person approved, and whether it still holds.
#[derive(Debug, Clone)]
struct Word {
    tenant: usize,
    draft: usize,
    plan: PostPlan,
    holds: bool,
}

fn desk<'d>(
    platform: &'d MemoryPlatform,
    person: &'d Caller,
    scope: &'d Scope,
    ambient: &'d Ambient,
) -> Desk<'d> {
    Desk { table: &platform.table, scope, by: person.subject(), trace: "trace", ambient }
}

struct House {
    platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
    people: [Caller; 2],
    /// Two drafts of each tenant.
    drafts: Vec<(usize, Draft)>,
    /// What was approved, in order.
    words: Vec<(EffectId, Word)>,
}

impl House {
    async fn new() -> Self {
        let platform = MemoryPlatform::new();
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<Batch<Publish>, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        let people = [1, 2].map(|n| people::caller(&people::approver(people::tenant(n))));
        let mut drafts = Vec::new();
        for (tenant, person) in people.iter().enumerate() {
            for number in 1..=2 {
                let medium = build::media_id(number);
                let (_, draft) = build::finished(&platform, person.scope(), medium).await;
                drafts.push((tenant, draft));
            }
        }
        Self { platform, function, people, drafts, words: Vec::new() }
    }

    fn scope(&self, tenant: usize) -> Scope {
        *self.people[tenant].scope()
    }

    fn sender(&self, queue: &str) -> Sender {
        let queues = Arc::new(self.platform.queues.clone());
        Sender::new(queues, QueueAddress(queue.to_owned()))
    }

    async fn do_it(&mut self, deed: &Deed) {
        let (platform, ambient) = (self.platform.clone(), self.platform.ambient());
        match deed {
            Deed::Approve { draft, in_minutes, seen_long_ago } => {
                let (tenant, like) = self.drafts[draft % self.drafts.len()].clone();
                let (person, scope) = (self.people[tenant].clone(), self.scope(tenant));
                let now: Draft = self.platform.load(&scope, &like).await.unwrap();
                let shown = if *seen_long_ago { &like } else { &now };
                let seen = propose(shown, &Ground::default()).digest;
                let at = ambient.now().saturating_add(SignedDuration::from_mins(*in_minutes));
                let decision = Decision { at: Some(at.unwrap()), ..Decision::at_once(seen) };
                let desk = desk(&platform, &person, &scope, &ambient);
                let approver = Approver::of(&person).unwrap();
                let publish = self.sender("publish");
                let said =
                    approving::approve(&desk, now.id, approver, &decision, None, &publish).await;
                for post in said.unwrap_or_default() {
                    assert_eq!(propose(&now, &Ground::default()).digest, seen, "it was seen");
                    let (id, plan) = (post.id, post.payload().clone());
                    let word = Word { tenant, draft: draft % self.drafts.len(), plan, holds: true };
                    // The same approval again answers what stands.
                    let known = |(known, w): &(EffectId, Word)| {
                        *known == id && w.tenant == tenant && w.holds
                    };
                    if !self.words.iter().any(known) {
                        self.words.push((id, word));
                    }
                }
            }
            Deed::Edit { draft, word } => {
                let at = draft % self.drafts.len();
                let (tenant, like) = self.drafts[at].clone();
                let (person, scope) = (self.people[tenant].clone(), self.scope(tenant));
                let desk = desk(&platform, &person, &scope, &ambient);
                let caption = BTreeMap::from([(Network::Feed, format!("Loaf {word}."))]);
                let english = WordsEdit { captions: caption, ..WordsEdit::default() };
                let edit = Edit { revision: None, words: [(Language::En, english)].into() };
                let before: Draft = self.platform.load(&scope, &like).await.unwrap();
                if let Ok(after) =
                    editing::edit(&desk, like.id, &edit, &self.sender("narrate")).await
                    && after.revision != before.revision
                {
                    let words = self.words.iter_mut().filter(|(_, w)| w.draft == at);
                    words.for_each(|(_, word)| word.holds = false);
                }
            }
            Deed::Cancel { post } => {
                let Some((id, word)) = self.chosen(*post) else { return };
                let (person, scope) = (self.people[word.tenant].clone(), self.scope(word.tenant));
                let desk = desk(&platform, &person, &scope, &ambient);
                let before = self.effect(&scope, id).await.unwrap();
                if cancelling::cancel(&desk, id).await.is_ok() {
                    assert!(!is_late(before.state()), "{:?}", before.state());
                    let words = self
                        .words
                        .iter_mut()
                        .filter(|(known, w)| *known == id && w.tenant == word.tenant);
                    words.for_each(|(_, word)| word.holds = false);
                }
            }
            Deed::Reschedule { post, in_minutes, seen_otherwise } => {
                self.reschedule(*post, *in_minutes, *seen_otherwise).await;
            }
            Deed::Deliver { post, times, as_tenant } => {
                let Some((id, word)) = self.chosen(*post) else { return };
                // A message of another tenant with this tenant's id in it.
                let as_whom = if *as_tenant == 0 { word.tenant } else { 1 - word.tenant };
                self.deliver(as_whom, id, *times).await;
            }
            Deed::Find { looks } => self.finds_nothing(*looks),
            Deed::Lose { post } => {
                // Its answer is lost, and its network cannot tell, until a person is asked.
                let Some((id, word)) = self.chosen(*post) else { return };
                let scope = self.scope(word.tenant);
                let (now, before) = (ambient.now(), self.effect(&scope, id).await.unwrap());
                let until = before.approval().map_or(now, |approval| approval.until);
                if before.state() != State::Approved || now < word.plan.send_at || until <= now {
                    return;
                }
                self.platform.publisher.forget();
                self.platform.publisher.answer(Outcome::Unknown { why: "lost".into() });
                self.finds_nothing(LOOK_UPS);
                self.deliver(word.tenant, id, 1).await;
                if self.effect(&scope, id).await.unwrap().state() != State::Unknown {
                    return;
                }
                for _ in 0..LOOK_UPS {
                    self.platform.advance(SignedDuration::from_hours(2));
                    self.deliver(word.tenant, id, 1).await;
                }
                let after = self.effect(&scope, id).await.unwrap();
                assert_eq!(after.state(), State::AskAPerson, "{after:?}");
            }
            Deed::Say { post, happened } => {
                let Some((id, word)) = self.chosen(*post) else { return };
                let (person, scope) = (self.people[word.tenant].clone(), self.scope(word.tenant));
                let desk = desk(&platform, &person, &scope, &ambient);
                let said = match happened {
                    true => Answer::Happened { url: None, receipt: None },
                    false => Answer::DidNotHappen,
                };
                let approver = Approver::of(&person).unwrap();
                let before = self.effect(&scope, id).await.unwrap();
                let answered = answering::answer(&desk, id, approver, &said).await;
                if before.state() == State::AskAPerson {
                    answered.unwrap();
                }
            }
            Deed::Answer { outcome } => self.platform.publisher.answer(match outcome {
                0 => Outcome::Throttled { after_seconds: 60 },
                1 => Outcome::Unknown { why: "lost".into() },
                2 => Outcome::Accepted { look_after_seconds: 10 },
                _ => Outcome::Refused { why: "no".into() },
            }),
            Deed::Wait { minutes } => {
                self.platform.advance(SignedDuration::from_mins(*minutes));
            }
        }
    }

    async fn deliver(&self, as_whom: usize, id: EffectId, times: usize) {
        let body = Envelope::seal(&self.scope(as_whom), "trace", &Due { effect: id }).unwrap();
        self.platform.deliver(&*self.function, &vec![body; times]).await;
    }

    fn finds_nothing(&self, looks: u32) {
        for _ in 0..looks {
            let found = Found::StillUnknown { why: "it does not say".into() };
            self.platform.publisher.find(found);
        }
    }

    /// A person moves a post: it stands at the new time, approved by who moved it, and is called off at the old one; or
    /// nothing has changed, and they are told why.
    async fn reschedule(&mut self, post: usize, in_minutes: i64, seen_otherwise: bool) {
        let Some((id, word)) = self.chosen(post) else { return };
        let (platform, ambient) = (self.platform.clone(), self.platform.ambient());
        let (person, scope) = (self.people[word.tenant].clone(), self.scope(word.tenant));
        let at = ambient.now().saturating_add(SignedDuration::from_mins(in_minutes)).unwrap();
        let seen = match seen_otherwise {
            true => PostPlan { text: "Something else.".into(), ..word.plan.clone() }.digest(),
            false => word.plan.digest(),
        };
        let before = self.effect(&scope, id).await.unwrap();
        let desk = desk(&platform, &person, &scope, &ambient);
        let (approver, publish) = (Approver::of(&person).unwrap(), self.sender("publish"));
        let said = rescheduling::reschedule(&desk, id, approver, seen, at, &publish).await;
        let after = self.effect(&scope, id).await.unwrap();
        match said {
            Ok(next) => {
                assert!(!seen_otherwise, "it was seen");
                assert!(!is_late(before.state()), "{:?}", before.state());
                let moved = PostPlan { send_at: at, ..word.plan.clone() };
                assert_eq!(next.payload(), &moved, "the same at another time");
                let approval = next.approval().expect("approved in the same call");
                assert_eq!(approval.digest, moved.digest());
                if next.id == id {
                    assert_eq!((word.plan.send_at, after.state()), (at, State::Approved));
                    return;
                }
                assert_eq!(after.state(), State::Cancelled, "it is sent at the old time no more");
                let known =
                    |(known, w): &&mut (EffectId, Word)| *known == id && w.tenant == word.tenant;
                self.words.iter_mut().filter(known).for_each(|(_, word)| word.holds = false);
                if !self.words.iter().any(|(known, w)| *known == next.id && w.tenant == word.tenant)
                {
                    self.words.push((next.id, Word { plan: moved, holds: true, ..word }));
                }
            }
            Err(refused) => {
                assert_eq!(refused.kind(), FailureKind::Conflict, "{refused}");
                assert_eq!(after, before, "nothing has changed");
                if is_late(before.state()) && !seen_otherwise {
                    assert!(
                        refused.public().contains("too late"),
                        "{:?}: {refused}",
                        before.state()
                    );
                }
            }
        }
    }

    async fn effect(&self, scope: &Scope, id: EffectId) -> Option<Effect<PostPlan>> {
        let stored = nexus_core::effect::load::<PostPlan>(&self.platform.table, scope, id).await;
        stored.unwrap().map(|stored| stored.record)
    }

    fn chosen(&self, number: usize) -> Option<(EffectId, Word)> {
        let there = self.words.len();
        (there > 0).then(|| self.words[number % there].clone())
    }

    /// What is true of everything that reached the network since there were so many.
    async fn holds(&self, seen: usize, now: Timestamp) {
        let published = self.platform.publisher.published.all();
        for post in &published[seen..] {
            let id: EffectId = post.key.parse().unwrap();
            let word =
                self.words.iter().rev().find(|(known, w)| *known == id && w.plan == post.plan);
            let (_, word) = word.expect("a person approved it, to the letter");
            assert!(word.holds, "nobody edited it or called it off since: {post:?}");
            assert!(post.plan.send_at <= now, "not before its time");
            let until = post.plan.send_at.saturating_add(PostPlan::grace()).unwrap();
            assert!(now < until, "not after its approval has ended");
            let media = post.plan.media.as_ref().unwrap();
            assert_eq!(post.video, media.digest, "with what was approved to be shown");
            let owner = self.scope(word.tenant).owner().to_string();
            assert!(media.blob.as_str().contains(&owner), "of its own tenant");
        }
    }
}

/// It is at its network, or may be.
fn is_late(state: State) -> bool {
    matches!(
        state,
        State::Sending | State::Accepted | State::Unknown | State::AskAPerson | State::Done
    )
}

async fn live(deeds: Vec<Deed>) {
    let mut house = House::new().await;
    for deed in &deeds {
        let (before, now) = (house.platform.publisher.published.all().len(), house.platform.now());
        house.do_it(deed).await;
        house.holds(before, now).await;
    }
    // Each time that it reached the network was a move of its own, and each time but the last did certainly not happen.
    let published = house.platform.publisher.published.all();
    let mut keys: BTreeMap<(String, String), usize> = BTreeMap::new();
    for post in published {
        let blob = post.plan.media.unwrap().blob;
        *keys.entry((post.key, blob.as_str().to_owned())).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    for (id, word) in &house.words {
        let scope = house.scope(word.tenant);
        let key = nexus_core::effect::key(&scope, *id);
        let now = house.platform.now();
        let stored =
            nexus_core::records::load::<Effect<PostPlan>>(&house.platform.table, &key, now);
        let Some(stored) = stored.await.unwrap() else { continue };
        let effect = stored.record;
        assert!(effect.history_is_whole());
        if !seen.insert((word.tenant, *id)) {
            continue;
        }
        let blob = effect.payload().media.as_ref().unwrap().blob.as_str().to_owned();
        let sent = keys.get(&(id.to_string(), blob)).copied().unwrap_or(0);
        let claims = effect.history().iter().filter(|moved| moved.to == State::Sending).count();
        assert_eq!(sent, claims, "{id}");
        let back = effect
            .history()
            .windows(2)
            .filter(|pair| pair[0].to == State::Sending && pair[1].to == State::Approved);
        assert!(sent <= back.count() + 1, "sent again only after a certain no: {effect:?}");
    }
}

proptest! {
    #![proptest_config(Config {
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..Config::with_cases(400)
    })]

    #[test]
    fn n15_n16_n17_nothing_unapproved_edited_cancelled_expired_or_foreign_is_ever_sent(
        deeds in prop::collection::vec(deeds(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(live(deeds));
    }
}
