//! Facts in, words out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_compose::Compose;
use nexus_core::{Envelope, Scope};
use nexus_engine::account::{Account, Settings};
use nexus_engine::hops::Step;
use nexus_engine::providers::{CopyProvider, Providers};
use nexus_engine::publishing::Network;
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::{Failure, Language};
use nexus_testkit::{MemoryPlatform, build, people};

/// The function on a platform.
struct House {
    platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
}

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

impl House {
    fn new() -> Self {
        let platform = MemoryPlatform::new();
        let wired: &dyn EnginePlatform = &platform;
        let entry = Entry::event::<Batch<Compose>, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    /// Delivers a draft's message; whether it went well.
    async fn deliver(&self, draft: &Draft) -> bool {
        let body = Envelope::seal(&scope(), "trace", &Step { draft: draft.id }).unwrap();
        self.platform.deliver(&*self.function, &[body]).await.is_empty()
    }

    /// A draft that waits for words, and its medium.
    async fn waiting(&self) -> Draft {
        let id = build::media_id(1);
        let medium = build::ready_medium(&scope(), id, self.platform.now());
        self.platform.put(&scope(), &medium).await;
        let mut draft = Draft::begin(id, "bakery".into(), None, self.platform.now());
        draft.stage = Stage::Composing;
        self.platform.put(&scope(), &draft).await;
        draft
    }

    /// The draft after its message came.
    async fn composed(&self, draft: &Draft) -> Draft {
        assert!(self.deliver(draft).await);
        let draft = self.platform.load(&scope(), draft).await.unwrap();
        assert_eq!(draft.stage, Stage::Translating);
        draft
    }

    fn asked(&self) -> usize {
        self.platform.copywriter.calls.all().len()
    }

    fn passed_on(&self) -> usize {
        self.platform.waiting(Hop::Translate).len()
    }
}

#[tokio::test]
async fn n13_n34_the_copywriter_is_told_how_this_tenant_speaks_and_nobody_elses_secrets() {
    let house = House::new();
    house.platform.put(&scope(), &build::account()).await;
    let other = Account { brand_voice: "dry as dust".into(), ..build::account() };
    house.platform.put(&people::scope(people::tenant(2)), &other).await;
    let product = build::product(build::product_id(1), "Levain", house.platform.now());
    house.platform.put(&scope(), &product).await;
    let settings = Settings {
        networks: vec![Network::Feed, Network::X],
        brand_terms: vec!["Levain".into()],
        ..Settings::default()
    };
    house.platform.put(&scope(), &settings).await;
    let draft = Draft { product: Some(product.id), ..house.waiting().await };
    house.platform.put(&scope(), &draft).await;
    let draft = house.composed(&draft).await;

    let briefs = house.platform.copywriter.calls.all();
    let [brief] = briefs.as_slice() else { panic!("one brief") };
    assert_eq!(brief.voice.brand_voice, build::account().brand_voice);
    assert_eq!(brief.product.as_ref(), Some(&product.facts));
    assert_eq!((&brief.networks, &brief.brand_terms), (&settings.networks, &settings.brand_terms));
    let told = serde_json::to_string(brief).unwrap();
    for secret in ["dry as dust", "owner@bakery.example", "Ada"] {
        assert!(!told.contains(secret), "{secret}");
    }

    let words = &draft.words[&Language::En];
    assert_eq!((words.engine.as_str(), words.rough), ("fake copywriter", false));
    let networks: Vec<Network> = words.copy.captions.keys().copied().collect();
    assert_eq!(networks, settings.networks);
    assert_eq!(draft.words.len(), 1, "the pair waits for `translate`");
    assert!(draft.paired.is_some_and(|p| p.description.contains("en Corner Bakery")));
    let next = house.platform.letters::<Step>(Hop::Translate);
    assert_eq!(next, [(scope(), Step { draft: draft.id })]);
}

#[tokio::test]
async fn without_an_account_the_words_name_no_business_and_a_note_says_so() {
    let house = House::new();
    let draft = house.waiting().await;
    let draft = house.composed(&draft).await;
    let notes: Vec<&str> = draft.notes.iter().map(|n| n.code.as_str()).collect();
    assert_eq!(notes, ["no_account"]);
    assert!(draft.words.contains_key(&Language::En));
}

#[tokio::test]
async fn n49_words_that_were_paid_for_are_not_paid_again_for_a_day() {
    let house = House::new();
    let draft = house.waiting().await;
    let first = house.composed(&draft).await;
    let milli = SignedDuration::from_millis(1);
    for (wait, asked) in [(SignedDuration::from_hours(24) - milli, 1), (milli, 2)] {
        house.platform.advance(wait);
        house.platform.put(&scope(), &draft).await;
        let again = house.composed(&draft).await;
        assert_eq!((house.asked(), &again.words), (asked, &first.words));
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_is_only_passed_on_again() {
    let house = House::new();
    let draft = house.waiting().await;
    let once = house.composed(&draft).await;
    assert_eq!(house.composed(&draft).await, once);
    assert_eq!((house.asked(), house.passed_on()), (1, 2));
}

#[tokio::test]
async fn a_medium_that_is_gone_ends_its_draft() {
    let house = House::new();
    let mut gone = Draft::begin(build::media_id(7), "bakery".into(), None, house.platform.now());
    gone.stage = Stage::Composing;
    house.platform.put(&scope(), &gone).await;
    assert!(house.deliver(&gone).await);
    assert_eq!((house.asked(), house.passed_on()), (0, 0));
}

fn choosing(copy: CopyProvider) -> Settings {
    let providers = Providers { copy: Some(copy), ..Providers::default() };
    Settings { providers, ..Settings::default() }
}

/// Who wrote the words of a draft, and which notes it carries.
async fn written(house: &House, draft: &Draft) -> (String, Vec<String>) {
    let draft = house.composed(draft).await;
    let notes = draft.notes.into_iter().filter(|n| n.code != "no_account").map(|n| n.text);
    (draft.words[&Language::En].engine.clone(), notes.collect())
}

#[tokio::test]
async fn the_tenant_chooses_who_writes_and_nobody_else_is_asked() {
    let house = House::new();
    let draft = house.waiting().await;
    house.platform.put(&scope(), &choosing(CopyProvider::Gemini)).await;
    assert_eq!(written(&house, &draft).await, ("gemini".into(), vec![]));
    assert_eq!((house.asked(), house.platform.gemini.calls.all().len()), (0, 1));
}

#[tokio::test]
async fn an_engine_that_declines_leaves_the_words_to_the_templates_and_says_why() {
    for failure in [Failure::invalid("Declined: safety."), Failure::denied("The cap is reached.")] {
        let house = House::new();
        let draft = house.waiting().await;
        house.platform.put(&scope(), &choosing(CopyProvider::Gemini)).await;
        let said =
            format!("{} These words are from templates: read them closely.", failure.public());
        house.platform.gemini.fail(failure);
        assert_eq!(written(&house, &draft).await, ("fake copywriter".into(), vec![said]));
    }
}

#[tokio::test]
async fn an_engine_that_is_busy_is_asked_again_and_nobody_in_its_place() {
    let house = House::new();
    let draft = house.waiting().await;
    house.platform.put(&scope(), &choosing(CopyProvider::Gemini)).await;
    house.platform.gemini.fail(Failure::unavailable("It does not answer now."));
    assert!(!house.deliver(&draft).await);
    assert_eq!((house.asked(), house.passed_on()), (0, 0));
    assert_eq!(written(&house, &draft).await, ("gemini".into(), vec![]));
}
