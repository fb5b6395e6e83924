//! The film that `animate` makes of what was bought.

use std::path::Path;
use std::sync::Arc;

use nexus_animate::Animate;
use nexus_core::{Blobs, Envelope};
use nexus_engine::hops::Step;
use nexus_engine::{Draft, EnginePlatform, Hop, Stage};
use nexus_handler::{Batch, Entry, Env, ErasedFunction};

use crate::house::{House, ffmpeg, scope, secs};

fn animate(house: &House) -> Arc<dyn ErasedFunction> {
    let fonts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/layers/ffmpeg/fonts");
    let env = Env::from_pairs([
        ("FONTS", fonts.to_string_lossy().into_owned()),
        ("FFMPEG", ffmpeg().to_string_lossy().into_owned()),
        ("VIDEO_PRESET", "tiny".to_owned()),
    ]);
    let wired: &dyn EnginePlatform = &house.platform;
    let Entry::Event(function) = Entry::event::<Batch<Animate>, _>(wired, &env).unwrap() else {
        panic!("it takes events")
    };
    function
}

#[tokio::test]
async fn n29_the_film_shows_what_was_bought_for_as_long_as_it_is_read() {
    let house = House::new();
    let (before, _) = house.taken().await;
    // Without a voice the captions are timed by reading.
    let silent = Draft { narrations: Default::default(), ..house.draft(&before).await };
    house.platform.put(&scope(), &silent).await;
    house.live(secs(60)).await;
    let draft = house.draft(&before).await;
    assert_eq!(draft.stage, Stage::Animating);

    let animate = animate(&house);
    let waiting = house.platform.letters::<Step>(Hop::Animate);
    let body = Envelope::seal(&waiting[0].0, "trace", &waiting[0].1).unwrap();
    assert!(house.platform.deliver(&*animate, &[body]).await.is_empty());

    let filmed = house.draft(&before).await;
    assert_eq!((filmed.stage, filmed.revision), (Stage::AwaitingApproval, before.revision + 1));
    assert_eq!(filmed.films.len(), 2, "English and Spanish");
    for film in filmed.films.values() {
        assert!(film.engine.ends_with("assembly, footage by runway model-1"), "{}", film.engine);
        assert_eq!((film.width, film.height), (180, 320));
        let longest = draft.footage[0].duration_ms;
        assert!(film.duration_ms > 2 * longest, "shown again and again: {}", film.duration_ms);
        assert!(house.platform.blobs.head(&film.video.key).await.unwrap().is_some());
    }
}
