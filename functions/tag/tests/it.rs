//! A photo in, what it shows out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use bytes::Bytes;
use nexus_core::{Blobs, Envelope, Scope};
use nexus_engine::account::Settings;
use nexus_engine::hops::Step;
use nexus_engine::{Draft, EnginePlatform, Hop, Media, Stage};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_tag::Tag;
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
        let entry = Entry::event::<Batch<Tag>, _>(wired, &platform.env()).unwrap();
        let Entry::Event(function) = entry else { panic!("it takes events") };
        Self { platform, function }
    }

    /// Delivers a draft's message; whether it went well.
    async fn deliver(&self, draft: &Draft) -> bool {
        let body = Envelope::seal(&scope(), "trace", &Step { draft: draft.id }).unwrap();
        self.platform.deliver(&*self.function, &[body]).await.is_empty()
    }

    /// A medium and the draft that was begun from it.
    async fn begun(&self, medium: &Media) -> Draft {
        let preview = &medium.preview.as_ref().unwrap().key;
        let bytes = Bytes::copy_from_slice(preview.as_str().as_bytes());
        self.platform.blobs.put(preview, bytes, "image/jpeg").await.unwrap();
        self.platform.put(&scope(), medium).await;
        let draft =
            Draft::begin(medium.id, medium.vertical.clone(), medium.product, self.platform.now());
        self.platform.put(&scope(), &draft).await;
        draft
    }

    fn medium(&self, number: u32) -> Media {
        build::ready_medium(&scope(), build::media_id(number), self.platform.now())
    }

    /// The draft after its message came.
    async fn tagged(&self, draft: &Draft) -> Draft {
        assert!(self.deliver(draft).await);
        let draft = self.platform.load(&scope(), draft).await.unwrap();
        assert_eq!(draft.stage, Stage::Composing);
        draft
    }

    fn asked(&self) -> usize {
        self.platform.labeller.calls.all().len()
    }

    fn passed_on(&self) -> usize {
        self.platform.waiting(Hop::Compose).len()
    }
}

#[tokio::test]
async fn n30_what_a_photo_shows_is_kept_with_its_confidence_and_passed_on() {
    let house = House::new();
    let medium = house.medium(1);
    let draft = house.begun(&medium).await;
    let draft = house.tagged(&draft).await;
    let labels = draft.labels.unwrap();
    assert_eq!(labels.engine, "fake labeller");
    let told: Vec<(&str, f64)> =
        labels.labels.iter().map(|l| (l.name.as_str(), l.confidence)).collect();
    assert_eq!(told, [("red", 0.9), ("bread", 0.9)]);
    let shown = house.platform.labeller.calls.all();
    assert_eq!(shown, [medium.preview.unwrap().digest], "the preview and nothing else");
    assert_eq!(house.platform.letters::<Step>(Hop::Compose), [(scope(), Step { draft: draft.id })]);
}

#[tokio::test]
async fn n30_n1_products_match_within_the_tenant_and_its_line_of_business() {
    let house = House::new();
    let now = house.platform.now();
    let loaf = build::product(build::product_id(1), "Bread", now);
    let mut elsewhere = build::product(build::product_id(2), "Bread", now);
    elsewhere.facts.vertical = "bookshop".into();
    for product in [&loaf, &elsewhere] {
        house.platform.put(&scope(), product).await;
    }
    let foreign = build::product(build::product_id(3), "Bread", now);
    house.platform.put(&people::scope(people::tenant(2)), &foreign).await;

    let draft = house.begun(&house.medium(1)).await;
    let draft = house.tagged(&draft).await;
    let matched: Vec<_> = draft.matches.iter().map(|m| m.product).collect();
    assert_eq!((matched, draft.product), (vec![loaf.id], Some(loaf.id)));

    let said = Media { product: Some(build::product_id(9)), ..house.medium(2) };
    let draft = house.begun(&said).await;
    assert_eq!(house.tagged(&draft).await.product, said.product, "the uploader knows better");
}

#[tokio::test]
async fn n49_n50_the_same_picture_is_not_looked_at_twice_for_as_long_as_the_tenant_keeps_it() {
    let house = House::new();
    let settings = Settings { cache_hours: 2, ..Settings::default() };
    house.platform.put(&scope(), &settings).await;
    let first = house.medium(1);
    for (number, asked) in [(1, 1), (2, 1), (3, 2)] {
        if number == 3 {
            house.platform.advance(settings.cache_age());
        }
        let again = Media { preview: first.preview.clone(), ..house.medium(number) };
        let draft = house.begun(&again).await;
        house.tagged(&draft).await;
        assert_eq!(house.asked(), asked, "medium {number}");
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_is_only_passed_on_again() {
    let house = House::new();
    let draft = house.begun(&house.medium(1)).await;
    let once = house.tagged(&draft).await;
    assert_eq!(house.tagged(&draft).await, once);
    assert_eq!((house.asked(), house.passed_on()), (1, 2));
}

#[tokio::test]
async fn a_medium_that_is_gone_ends_its_draft_and_a_picture_that_is_not_there_yet_is_waited_for() {
    let house = House::new();
    let gone = Draft::begin(build::media_id(1), "bakery".into(), None, house.platform.now());
    house.platform.put(&scope(), &gone).await;
    assert!(house.deliver(&gone).await);
    let medium = house.medium(2);
    let draft = house.begun(&medium).await;
    house.platform.blobs.delete(&medium.preview.unwrap().key).await.unwrap();
    assert!(!house.deliver(&draft).await);
    assert_eq!(house.platform.load(&scope(), &draft).await.unwrap(), draft);
    assert_eq!((house.asked(), house.passed_on()), (0, 0));
}
