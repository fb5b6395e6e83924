//! English in, Spanish beside it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_core::{Blobs, Envelope, QueueAddress, RecordKind, Scope, Sender, Table};
use nexus_engine::account::Settings;
use nexus_engine::copy::{Copy, Copywriter};
use nexus_engine::draft::Words;
use nexus_engine::footage::FootageMaker;
use nexus_engine::hops::Step;
use nexus_engine::narration::Speech;
use nexus_engine::platform::{Access, Area};
use nexus_engine::providers::{Choice, CopyProvider, SpeechProvider};
use nexus_engine::publishing::{Network, Publisher};
use nexus_engine::tagging::Labeller;
use nexus_engine::translation::Translator;
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::{Ambient, Failure, Language};
use nexus_testkit::{MemoryPlatform, build, people};
use nexus_translate::Translate;

type Says = fn(&str) -> String;

/// A translator that a test makes up, and what it was asked.
struct Made {
    rough: bool,
    says: fn(&str) -> String,
    down: bool,
    asked: Mutex<Vec<(Vec<String>, Vec<String>)>>,
}

impl Made {
    fn good(says: fn(&str) -> String) -> Arc<Self> {
        Arc::new(Self { rough: false, says, down: false, asked: Mutex::default() })
    }

    fn rough(says: fn(&str) -> String) -> Arc<Self> {
        Arc::new(Self { rough: true, says, down: false, asked: Mutex::default() })
    }

    fn down() -> Arc<Self> {
        Arc::new(Self { rough: false, says: str::to_owned, down: true, asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<(Vec<String>, Vec<String>)> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Translator for Made {
    fn engine(&self) -> String {
        "made up".into()
    }

    fn is_rough(&self) -> bool {
        self.rough
    }

    async fn translate(&self, texts: &[&str], terms: &[String]) -> Result<Vec<String>, Failure> {
        let asked = texts.iter().map(|t| (*t).to_owned()).collect();
        self.asked.lock().unwrap().push((asked, terms.to_vec()));
        if self.down {
            return Err(Failure::unavailable("The translator does not answer."));
        }
        // One that is to say nothing of a text gives one text fewer.
        Ok(texts.iter().map(|t| (self.says)(t)).filter(|t| !t.is_empty()).collect())
    }
}

fn spanish(text: &str) -> String {
    format!("es: {text}")
}

/// The platform in memory with such a translator, or none.
struct With(MemoryPlatform, Option<Arc<Made>>);

impl EnginePlatform for With {
    fn ambient(&self) -> Ambient {
        self.0.ambient()
    }

    fn table(&self, access: Access) -> Arc<dyn Table> {
        EnginePlatform::table(&self.0, access)
    }

    fn blobs(&self, areas: &[(Area, Access)]) -> Arc<dyn Blobs> {
        EnginePlatform::blobs(&self.0, areas)
    }

    fn sender(&self, hop: Hop, address: QueueAddress) -> Sender {
        self.0.sender(hop, address)
    }

    fn gauge(&self, address: QueueAddress) -> nexus_core::Gauge {
        self.0.gauge(address)
    }

    fn labeller(&self) -> Arc<dyn Labeller> {
        EnginePlatform::labeller(&self.0)
    }

    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter> {
        self.0.copywriters()
    }

    fn translator(&self) -> Option<Arc<dyn Translator>> {
        self.1.as_ref().map(|t| Arc::clone(t) as _)
    }

    fn voices(&self) -> Choice<SpeechProvider, dyn Speech> {
        self.0.voices()
    }

    fn vault(&self, access: Access) -> Arc<dyn nexus_core::Vault> {
        EnginePlatform::vault(&self.0, access)
    }

    fn logins(&self) -> Vec<Arc<dyn nexus_engine::connections::Login>> {
        self.0.logins()
    }

    fn publishers(&self) -> Vec<Arc<dyn Publisher>> {
        self.0.publishers()
    }

    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>> {
        self.0.footage_makers()
    }

    fn locator(&self) -> Arc<dyn nexus_engine::clicks::Locator> {
        EnginePlatform::locator(&self.0)
    }

    fn sentiment(&self) -> Arc<dyn nexus_engine::sentiment::Sentiment> {
        EnginePlatform::sentiment(&self.0)
    }

    fn listeners(&self) -> Vec<Arc<dyn nexus_engine::comments::Listener>> {
        EnginePlatform::listeners(&self.0)
    }

    fn bus(&self) -> Arc<dyn nexus_core::Bus> {
        EnginePlatform::bus(&self.0)
    }

    fn mail(&self) -> Option<Arc<dyn nexus_core::mail::Mail>> {
        EnginePlatform::mail(&self.0)
    }
}

/// The function on a platform.
struct House {
    platform: MemoryPlatform,
    translator: Option<Arc<Made>>,
    function: Arc<dyn ErasedFunction>,
}

fn scope() -> Scope {
    people::scope(people::tenant(1))
}

impl House {
    fn new(translator: Option<Arc<Made>>) -> Self {
        let platform = MemoryPlatform::new();
        let with = With(platform.clone(), translator.clone());
        let wired: &dyn EnginePlatform = &with;
        let entry = Entry::event::<Batch<Translate>, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, translator, function }
    }

    /// Delivers a draft's message; whether it went well.
    async fn deliver(&self, draft: &Draft) -> bool {
        let body = Envelope::seal(&scope(), "trace", &Step { draft: draft.id }).unwrap();
        self.platform.deliver(&*self.function, &[body]).await.is_empty()
    }

    /// A draft that waits for Spanish, with a pair that the copywriter wrote or without.
    async fn waiting(&self, number: u32, english: &str, pair: Option<&str>) -> Draft {
        let medium = build::media_id(number);
        let mut draft = Draft::begin(medium, "bakery".into(), None, self.platform.now());
        draft.stage = Stage::Translating;
        let words = Words { copy: copy(english), engine: "template 1".into(), rough: false };
        draft.words.insert(Language::En, words);
        draft.paired = pair.map(copy);
        self.platform.put(&scope(), &draft).await;
        draft
    }

    /// The draft after its message came.
    async fn translated(&self, draft: &Draft) -> Draft {
        assert!(self.deliver(draft).await);
        let draft = self.platform.load(&scope(), draft).await.unwrap();
        assert_eq!((draft.stage, &draft.paired), (Stage::Narrating, &None));
        draft
    }

    fn asked(&self) -> usize {
        self.translator.as_ref().map_or(0, |t| t.asked().len())
    }

    fn passed_on(&self) -> usize {
        self.platform.waiting(Hop::Narrate).len()
    }
}

fn copy(text: &str) -> Copy {
    Copy {
        captions: [(Network::Feed, text.to_owned())].into(),
        description: text.to_owned(),
        hashtags: vec!["local".into(), "handmade".into()],
        video_prompt: "A loaf.".into(),
        script: vec![text.to_owned(), "Come and see it.".into()],
    }
}

/// The Spanish caption, who wrote it, and whether it is rough.
fn es(draft: &Draft) -> Option<(&str, &str, bool)> {
    let words = draft.words.get(&Language::Es)?;
    Some((words.copy.captions[&Network::Feed].as_str(), &words.engine, words.rough))
}

fn notes(draft: &Draft) -> Vec<&str> {
    draft.notes.iter().map(|n| n.code.as_str()).collect()
}

const ENGLISH: &str =
    "A Levain loaf for $6.50 at https://bakery.example/loaf, says @corner #bread.";

#[tokio::test]
async fn n31_a_good_translators_words_are_taken_and_the_rest_stays() {
    let house = House::new(Some(Made::good(spanish)));
    let draft = house.waiting(1, ENGLISH, Some("El par.")).await;
    let draft = house.translated(&draft).await;
    assert_eq!(es(&draft), Some((spanish(ENGLISH).as_str(), "made up", false)));
    let (english, spanish) = (&draft.words[&Language::En].copy, &draft.words[&Language::Es].copy);
    assert_eq!(english, &copy(ENGLISH), "the English is as it was");
    assert_eq!(spanish.hashtags, english.hashtags);
    assert_eq!(spanish.video_prompt, english.video_prompt);
    assert_eq!(spanish.script[1], "es: Come and see it.");
    assert!(draft.notes.is_empty());
    assert_eq!(house.platform.letters::<Step>(Hop::Narrate), [(scope(), Step { draft: draft.id })]);
}

#[tokio::test]
async fn n31_what_must_come_through_and_does_not_leaves_the_pair_and_a_note() {
    let losses: [(&str, Says); 8] = [
        ("bakery.example/loaf", |t| t.replace("/loaf", "/pan")),
        ("@corner", |t| t.replace("@corner", "@esquina")),
        ("#bread", |t| t.replace("#bread", "#pan")),
        ("6.50", |t| t.replace("6.50", "6,50")),
        ("Levain", |t| t.replace("Levain", "levadura")),
        ("Levain", |t| t.replace("Levain", "levain")),
        ("@corner", |t| t.replace("@corner", "@corner @corner")),
        ("7", |t| format!("{t} 7")),
    ];
    for (n, (lost, says)) in (0..).zip(losses) {
        let house = House::new(Some(Made::good(says)));
        let terms = vec!["Levain".to_owned()];
        let settings = Settings { brand_terms: terms.clone(), ..Settings::default() };
        house.platform.put(&scope(), &settings).await;
        let paired = house.waiting(n, ENGLISH, Some("El par.")).await;
        let paired = house.translated(&paired).await;
        assert_eq!(es(&paired), Some(("El par.", "template 1, paired", false)), "{lost}");
        assert_eq!(notes(&paired), ["translation_refused"]);
        let told = &paired.notes[0].text;
        assert!(told.contains(lost) && told.contains("own Spanish"), "{lost}: {told}");

        let alone = house.waiting(n + 100, ENGLISH, None).await;
        let alone = house.translated(&alone).await;
        assert_eq!(es(&alone), None, "{lost}");
        assert_eq!(notes(&alone), ["translation_refused"]);
        assert!(house.translator.as_ref().unwrap().asked().iter().all(|(_, t)| *t == terms));
    }
}

#[tokio::test]
async fn n31_the_products_name_is_protected_like_a_brand_term() {
    let translator = Made::good(|t| t.replace("Sunrise", "Amanecer"));
    let house = House::new(Some(translator));
    let product = build::product(build::product_id(1), "Sunrise Loaf", house.platform.now());
    house.platform.put(&scope(), &product).await;
    let mut draft = house.waiting(1, "The Sunrise Loaf is here.", Some("El par.")).await;
    draft.product = Some(product.id);
    house.platform.put(&scope(), &draft).await;
    let draft = house.translated(&draft).await;
    assert_eq!(es(&draft).unwrap().0, "El par.");
    assert!(draft.notes[0].text.contains("Sunrise Loaf"));
}

#[tokio::test]
async fn a_translation_that_breaks_a_networks_limit_or_has_another_number_of_texts_is_not_taken() {
    let too_long: fn(&str) -> String = |t| t.repeat(600);
    let one_fewer: fn(&str) -> String = |t| t.replace("Come and see it.", "");
    for says in [too_long, one_fewer] {
        let house = House::new(Some(Made::good(says)));
        let draft = house.waiting(1, "Bread.", Some("El par.")).await;
        let draft = house.translated(&draft).await;
        assert_eq!(es(&draft).unwrap().0, "El par.");
        assert_eq!(notes(&draft), ["translation_refused"]);
    }
}

#[tokio::test]
async fn a_rough_translator_is_asked_only_where_there_is_no_pair() {
    let house = House::new(Some(Made::rough(spanish)));
    let paired = house.waiting(1, ENGLISH, Some("El par.")).await;
    let paired = house.translated(&paired).await;
    assert_eq!(es(&paired), Some(("El par.", "template 1, paired", false)));
    assert!(paired.notes.is_empty());
    assert_eq!(house.asked(), 0);

    let alone = house.waiting(2, ENGLISH, None).await;
    let alone = house.translated(&alone).await;
    assert_eq!(es(&alone), Some((spanish(ENGLISH).as_str(), "made up", true)));
    assert_eq!(house.asked(), 1);
}

#[tokio::test]
async fn without_a_translator_the_pair_stands_or_a_note_tells_that_there_is_no_spanish() {
    let house = House::new(None);
    let paired = house.waiting(1, ENGLISH, Some("El par.")).await;
    let paired = house.translated(&paired).await;
    assert_eq!((es(&paired).unwrap().0, paired.notes.len()), ("El par.", 0));
    let alone = house.waiting(2, ENGLISH, None).await;
    let alone = house.translated(&alone).await;
    assert_eq!((es(&alone), notes(&alone)), (None, vec!["no_spanish"]));
    assert_eq!(house.passed_on(), 2);
}

#[tokio::test]
async fn a_tenant_that_wants_no_spanish_gets_none() {
    let house = House::new(Some(Made::good(spanish)));
    let settings = Settings { languages: vec![Language::En], ..Settings::default() };
    house.platform.put(&scope(), &settings).await;
    for (number, pair) in [(1, Some("El par.")), (2, None)] {
        let draft = house.waiting(number, ENGLISH, pair).await;
        let draft = house.translated(&draft).await;
        assert_eq!((es(&draft), draft.notes.len()), (None, 0));
    }
    assert_eq!((house.asked(), house.passed_on()), (0, 2));
}

#[tokio::test]
async fn n49_n50_an_answer_is_not_paid_twice_for_as_long_as_the_tenant_keeps_it() {
    let house = House::new(Some(Made::good(spanish)));
    let settings = Settings { cache_hours: 2, ..Settings::default() };
    house.platform.put(&scope(), &settings).await;
    let age = settings.cache_age();
    let mut said = Vec::new();
    for (number, wait, asked) in [
        (1, SignedDuration::ZERO, 1),
        (2, age - SignedDuration::from_millis(1), 1),
        (3, SignedDuration::from_millis(1), 2),
    ] {
        house.platform.advance(wait);
        let draft = house.waiting(number, ENGLISH, None).await;
        let draft = house.translated(&draft).await;
        said.push(draft.words[&Language::Es].clone());
        assert_eq!(house.asked(), asked, "draft {number}");
    }
    assert!(said.iter().all(|words| *words == said[0]));

    // Another text and other terms are other questions.
    let other = house.waiting(4, "Other bread.", None).await;
    house.translated(&other).await;
    assert_eq!(house.asked(), 3);
    let settings = Settings { brand_terms: vec!["Levain".into()], ..settings };
    house.platform.put(&scope(), &settings).await;
    let terms = house.waiting(5, ENGLISH, None).await;
    house.translated(&terms).await;
    assert_eq!(house.asked(), 4);
}

#[tokio::test]
async fn n48_what_was_paid_for_one_tenant_is_no_answer_for_another() {
    let house = House::new(Some(Made::good(spanish)));
    let draft = house.waiting(1, ENGLISH, None).await;
    house.translated(&draft).await;
    let rows = house.platform.rows().await;
    let kept: Vec<_> = rows.iter().filter(|r| r.kind == RecordKind::Cache).collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].key.pk().starts_with(&scope().owner().to_string()));

    let other = people::scope(people::tenant(2));
    house.platform.put(&other, &draft).await;
    let body = Envelope::seal(&other, "trace", &Step { draft: draft.id }).unwrap();
    house.platform.deliver(&*house.function, &[body]).await;
    assert_eq!(house.asked(), 2);
}

#[tokio::test]
async fn a_message_that_comes_twice_is_only_passed_on_again() {
    let house = House::new(Some(Made::good(spanish)));
    let draft = house.waiting(1, ENGLISH, None).await;
    let once = house.translated(&draft).await;
    let twice = house.translated(&draft).await;
    assert_eq!(once, twice);
    assert_eq!((house.asked(), house.passed_on()), (1, 2));

    let gone = Draft::begin(build::media_id(9), "bakery".into(), None, house.platform.now());
    assert!(house.deliver(&gone).await);
    assert_eq!(house.passed_on(), 2);
}

#[tokio::test]
async fn a_translator_that_does_not_answer_changes_nothing_and_the_message_comes_again() {
    let house = House::new(Some(Made::down()));
    let draft = house.waiting(1, ENGLISH, None).await;
    assert!(!house.deliver(&draft).await);
    assert_eq!(house.platform.load(&scope(), &draft).await.unwrap(), draft);
    assert_eq!((house.asked(), house.passed_on()), (1, 0));
}
