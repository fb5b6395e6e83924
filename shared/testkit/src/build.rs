//! Records as the line leaves them, for tests that begin in the middle. Change what matters to the test.

use bytes::Bytes;
use iso_currency::Currency;
use nexus_core::egress::Cost;
use nexus_core::{BlobKey, Blobs, Scope, records};
use nexus_engine::account::Account;
use nexus_engine::blob_names;
use nexus_engine::catalogue::{CatalogueProduct, ProductFacts, ProductId};
use nexus_engine::connections::{Connection, ConnectionId, ConnectionState};
use nexus_engine::draft::Words;
use nexus_engine::film::Film;
use nexus_engine::footage::Shape;
use nexus_engine::footage::purchase::Purchase;
use nexus_engine::media::{
    ContentHash, MediaClass, MediaFacts, MediaState, NamedBlob, RenditionBlob,
};
use nexus_engine::narration::{Cue, Narration};
use nexus_engine::publishing::Network;
use nexus_engine::tagging::{Label, LabelKind, Labels};
use nexus_engine::{Draft, Media, MediaId, Stage};
use nexus_kernel::{Digest, Language, Money, Pii, Timestamp};

use crate::MemoryPlatform;
use crate::fakes::copy;

/// The medium of that number.
pub fn media_id(number: u32) -> MediaId {
    MediaId::derived(&["medium", &number.to_string()])
}

/// The product of that number.
pub fn product_id(number: u32) -> ProductId {
    ProductId::derived(&["product", &number.to_string()])
}

/// A bakery.
pub fn account() -> Account {
    Account {
        email: Pii::new("owner@bakery.example".into()),
        business_name: "Corner Bakery".into(),
        niche: "bakery".into(),
        brand_voice: "warm, a little playful".into(),
        display_name: "Ada".into(),
    }
}

/// An account at a network, connected now and without its tokens ([`MemoryPlatform::connect`]).
pub fn connection(id: ConnectionId, network: Network, now: Timestamp) -> Connection {
    Connection {
        id,
        network,
        server: None,
        label: "The shop".into(),
        languages: Vec::new(),
        state: ConnectionState::Connected,
        created: now,
        since: now,
        outside: None,
        access_until: None,
        refresh_at: None,
        refreshing: None,
        quiet: None,
    }
}

/// A product with every field.
pub fn product_facts(name: &str) -> ProductFacts {
    ProductFacts {
        name: name.into(),
        description: format!("{name}, baked every morning."),
        description_es: Some(format!("{name}, horneado cada mañana.")),
        vertical: "bakery".into(),
        keywords: vec!["bread".into(), "morning".into()],
        price: Some(Money { minor: 650, currency: Currency::USD }),
        url: Some("https://bakery.example/loaf".into()),
    }
}

/// A product of the catalogue.
pub fn product(id: ProductId, name: &str, created: Timestamp) -> CatalogueProduct {
    CatalogueProduct { id, facts: product_facts(name), created }
}

/// A blob whose content is its own key.
pub fn blob(key: BlobKey, content_type: &str) -> NamedBlob {
    let content = key.as_str().as_bytes();
    NamedBlob {
        digest: Digest::of(content),
        size: content.len() as u64,
        content_type: content_type.into(),
        key,
    }
}

/// A photo that was checked, cleaned and rendered.
pub fn ready_medium(scope: &Scope, id: MediaId, created: Timestamp) -> Media {
    let named = |rest: &str| blob(scope.blob("media", &format!("{id}/{rest}")), "image/jpeg");
    let frames = [(1080, 1920), (1080, 1080), (1200, 675)];
    Media {
        state: MediaState::Ready,
        class: Some(MediaClass::Photo),
        content: Some(Digest::of(id.to_string().as_bytes())),
        facts: MediaFacts {
            content_type: "image/jpeg".into(),
            width: 4000,
            height: 3000,
            duration_ms: 0,
            keywords: vec!["bread".into()],
            description: Some("A loaf on a table.".into()),
        },
        clean: Some(named("clean.jpg")),
        preview: Some(named("preview.jpg")),
        renditions: frames
            .map(|(width, height)| RenditionBlob {
                width,
                height,
                fitted: false,
                blob: named(&format!("{width}x{height}.jpg")),
            })
            .into(),
        ..Media::awaiting(scope, id, MediaClass::Photo, None, "bakery".into(), created)
    }
}

/// A draft that waits for approval, with words, voices and videos in both languages.
pub fn ready_draft(scope: &Scope, medium: MediaId, created: Timestamp) -> Draft {
    let mut draft = Draft::begin(medium, "bakery".into(), None, created);
    draft.stage = Stage::AwaitingApproval;
    let red = Label {
        name: "red".into(),
        kind: LabelKind::Colour,
        confidence: 0.9,
        source: "fake".into(),
    };
    draft.labels = Some(Labels { labels: vec![red], engine: "fake labeller".into() });
    let said = [
        (Language::En, "Sourdough at Corner Bakery.", "Come and see it."),
        (Language::Es, "Sourdough en Corner Bakery.", "Ven a verlo."),
    ];
    for (language, about, invitation) in said {
        let copy = copy(&[Network::Feed], about, invitation);
        let named = |what: &str, content_type: &str| {
            let rest = format!("{}/{}-{language}.{what}", draft.id, draft.revision);
            blob(scope.blob("made", &rest), content_type)
        };
        let cue = |n: u64| Cue {
            text: copy.script[n as usize].clone(),
            start_ms: n * 2_000,
            end_ms: n * 2_000 + 1_500,
        };
        draft.narrations.insert(
            language,
            Narration {
                track: named("m4a", "audio/mp4"),
                duration_ms: 4_000,
                loudness_lufs: -16.0,
                cues: vec![cue(0), cue(1)],
                engine: "fake voice".into(),
            },
        );
        draft.films.insert(
            language,
            Film {
                video: named("mp4", "video/mp4"),
                poster: named("jpg", "image/jpeg"),
                width: 1080,
                height: 1920,
                duration_ms: 4_000,
                engine: "fake assembly".into(),
            },
        );
        let words = Words { copy, engine: "fake copywriter".into(), rough: false };
        draft.words.insert(language, words);
    }
    draft
}

/// A photo and its draft, waiting for approval, as the line leaves them: rows, names of blobs, and the blobs.
///
/// # Panics
/// The memory refuses them.
pub async fn finished(platform: &MemoryPlatform, scope: &Scope, id: MediaId) -> (Media, Draft) {
    let mut medium = ready_medium(scope, id, platform.now());
    let draft = ready_draft(scope, id, platform.now());
    medium.draft = Some(draft.id);
    let hash = ContentHash { content: Digest::of(id.to_string().as_bytes()), media: id };
    let mut ops = vec![
        records::write(scope, &medium),
        records::write(scope, &draft),
        records::write(scope, &hash),
    ];
    let of_medium = medium.blobs().map(|b| (b, id.to_string()));
    let of_draft = draft.blobs().map(|b| (b, draft.id.to_string()));
    for (blob, by) in of_medium.chain(of_draft) {
        ops.push(blob_names::name(scope, &blob.key, &by));
        let content = Bytes::copy_from_slice(blob.key.as_str().as_bytes());
        platform.blobs.put(&blob.key, content, &blob.content_type).await.expect("room in memory");
    }
    platform.commit(ops).await;
    (medium, draft)
}

/// Five seconds of vertical footage for a draft, as the platform's maker would quote it at first.
///
/// # Panics
/// The draft has no words.
pub fn purchase(medium: &Media, draft: &Draft, asked: Timestamp) -> Purchase {
    let words = draft.words.values().next().expect("words");
    Purchase {
        draft: draft.id,
        revision: draft.revision,
        provider: "runway".into(),
        engine: "runway model-1".into(),
        prompt: words.copy.video_prompt.clone(),
        picture: medium.renditions.first().map(|r| r.blob.clone()),
        seconds: 5,
        shape: Shape::Vertical,
        at_most: Cost::micros(250_000),
        asked,
    }
}
