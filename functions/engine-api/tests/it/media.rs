//! Uploads and removals.

use std::sync::Arc;

use bytes::Bytes;
use jiff::SignedDuration;
use nexus_contract::blobs::Browser;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::blobs::{Joined, UploadRules};
use nexus_core::directory::OutsideKind;
use nexus_core::effect::{self, Effect, State};
use nexus_core::{Blobs, Directory, Product, RecordKind, approval, records};
use nexus_engine::EnginePlatform;
use nexus_engine::media::{ContentHash, MediaClass, MediaState};
use nexus_engine::publishing::PostPlan;
use nexus_engine::removal::{self, Removal};
use nexus_engine::uploading::{self, Announced, Upload};
use nexus_engine::{Media, MediaId};
use nexus_handler::Env;
use nexus_testkit::{MemoryPlatform, build};
use serde_json::{Value, json};

use crate::api::{Api, ada, at, scope};
use crate::products::loaf;

fn photo() -> Value {
    json!({ "content_type": "image/jpeg", "size": 5 })
}

#[tokio::test]
async fn an_announced_medium_has_a_place_and_an_owner_before_its_bytes() {
    let api = Api::new();
    let answer = api.post("/v1/media", photo()).by(&ada()).send().await;
    assert_eq!(answer.status, 201);
    let (media, upload) = (&answer.json()["media"], &answer.json()["upload"]);
    let id = MediaId::parse(media["id"].as_str().unwrap()).unwrap();
    assert_eq!(answer.header("location"), format!("/v1/media/{id}"));
    assert_eq!((&media["state"], &media["class"]), (&json!("awaiting_upload"), &Value::Null));
    assert_eq!(upload["method"], "PUT");
    assert_eq!(upload["headers"], json!({ "content-type": "image/jpeg" }));
    let until = api.platform.now() + SignedDuration::from_mins(15);
    assert_eq!(upload["until"], until.to_string());

    // What ingest does first: the upload's key leads to its owner and its medium.
    let key = nexus_engine::media::upload_key(&scope(), id, MediaClass::Photo);
    let found = Directory::of(Product::Engine)
        .resolve(&api.platform.table, OutsideKind::Upload, key.as_str(), api.platform.now())
        .await
        .unwrap();
    assert_eq!(found, Some((scope(), id.to_string())));

    let headers = [("content-type".to_owned(), "image/jpeg".to_owned())];
    let url = upload["url"].as_str().unwrap();
    let put = |bytes: &'static [u8]| {
        Browser::put(&api.platform.blobs, url, &headers, Bytes::from_static(bytes))
    };
    assert!(!put(b"six...").await, "another size than was announced");
    assert!(put(b"five.").await);
    assert_eq!(api.platform.blob_keys().await, [key]);
}

#[tokio::test]
async fn a_place_whose_bytes_do_not_come_is_gone_after_24_hours() {
    let api = Api::new();
    let path = api.post("/v1/media", photo()).by(&ada()).send().await.header("location").to_owned();
    api.platform.advance(SignedDuration::from_hours(24) - SignedDuration::from_millis(1));
    assert_eq!(api.get(&path).by(&ada()).send().await.status, 200);
    api.platform.advance(SignedDuration::from_millis(1));
    assert_eq!(api.get(&path).by(&ada()).send().await.status, 404);
    assert_eq!(api.get("/v1/media").by(&ada()).send().await.json(), json!({ "items": [] }));
}

#[tokio::test]
async fn n3_photos_videos_and_sound_come_in_each_within_its_size() {
    let api = Api::new();
    let announce = async |content_type: &str, size: u64| {
        let body = json!({ "content_type": content_type, "size": size });
        api.post("/v1/media", body).by(&ada()).send().await
    };
    const MIB: u64 = 1024 * 1024;
    for (content_type, most) in [("image/webp", 50), ("video/quicktime", 500), ("audio/mpeg", 100)]
    {
        assert_eq!(announce(content_type, 1).await.status, 201);
        assert_eq!(announce(content_type, most * MIB).await.status, 201);
        announce(content_type, most * MIB + 1).await.refused(422, &["size"]);
        announce(content_type, 0).await.refused(422, &["size"]);
    }
    for content_type in ["text/html", "image/svg+xml", "IMAGE/JPEG", ""] {
        announce(content_type, 1).await.refused(422, &["content_type"]);
    }
    let body = json!({ "content_type": "image/png", "size": 1, "path": "../x" });
    api.post("/v1/media", body).by(&ada()).send().await.refused(422, &["path"]);
}

#[tokio::test]
async fn n3_two_verticals_of_one_tenant_stay_apart() {
    let api = Api::new();
    let product = api.post("/v1/products", loaf()).by(&ada()).send().await.json()["id"].clone();
    let announce = async |more: Value| {
        let mut body = photo();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.post("/v1/media", body).by(&ada()).send().await
    };
    let of_product = announce(json!({ "product": product })).await;
    assert_eq!(of_product.json()["media"]["vertical"], "bakery");
    assert_eq!(of_product.json()["media"]["product"], product);
    let other = announce(json!({ "vertical": "florist" })).await;
    assert_eq!(other.json()["media"]["vertical"], "florist");

    announce(json!({ "product": product, "vertical": "florist" }))
        .await
        .refused(422, &["vertical"]);
    announce(json!({ "vertical": "v".repeat(61) })).await.refused(422, &["vertical"]);
    let nowhere = build::product_id(9).to_string();
    announce(json!({ "product": nowhere })).await.refused(422, &["product"]);
    announce(json!({ "product": "loaf" })).await.refused(422, &["product"]);
}

#[tokio::test]
async fn a_medium_shows_its_files_for_an_hour() {
    let api = Api::new();
    let (medium, draft) = api.finished(&scope()).await;
    let path = format!("/v1/media/{}", medium.id);
    let answer = api.get(&path).by(&ada()).send().await.json();
    assert_eq!(answer["state"], "ready");
    assert_eq!(answer["class"], "photo");
    assert_eq!(answer["draft"], draft.id.to_string());
    assert_eq!(answer["facts"]["keywords"], json!(["bread"]));
    assert_eq!(answer["renditions"].as_array().unwrap().len(), 3);
    let rendition = &answer["renditions"][0];
    assert_eq!((&rendition["width"], &rendition["height"]), (&json!(1080), &json!(1920)));

    let url = rendition["file"]["url"].as_str().unwrap();
    let key = medium.renditions[0].blob.key.as_str();
    assert_eq!(Browser::get(&api.platform.blobs, url).await.unwrap(), key.as_bytes());
    api.platform.advance(SignedDuration::from_hours(1));
    assert_eq!(Browser::get(&api.platform.blobs, url).await, None);
}

#[tokio::test]
async fn what_became_of_a_medium_is_told_in_words() {
    let api = Api::new();
    let states = [
        (MediaState::Duplicate { of: build::media_id(7) }, "duplicate"),
        (
            MediaState::Rejected {
                code: "truncated".into(),
                reason: "Half of it is missing.".into(),
            },
            "rejected",
        ),
    ];
    for (number, (state, word)) in states.into_iter().enumerate() {
        let id = build::media_id(u32::try_from(number).unwrap());
        let medium = Media {
            state,
            ..Media::awaiting(
                &scope(),
                id,
                MediaClass::Photo,
                None,
                String::new(),
                api.platform.now(),
            )
        };
        api.platform.put(&scope(), &medium).await;
        let answer = api.get(&format!("/v1/media/{id}")).by(&ada()).send().await.json();
        assert_eq!(answer["state"], word);
        match word {
            "duplicate" => assert_eq!(answer["duplicate_of"], build::media_id(7).to_string()),
            _ => {
                assert_eq!(answer["rejected_code"], "truncated");
                assert_eq!(answer["rejected_reason"], "Half of it is missing.");
            }
        }
    }
}

/// The kinds of what stands, and how many blobs.
async fn left(platform: &MemoryPlatform) -> (Vec<RecordKind>, usize) {
    let mut kinds: Vec<RecordKind> = platform.rows().await.iter().map(|r| r.kind).collect();
    kinds.dedup();
    (kinds, platform.blob_keys().await.len())
}

#[tokio::test]
async fn n53_a_removed_medium_takes_all_that_came_from_it() {
    let api = Api::new();
    let (medium, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    assert_eq!(left(&api.platform).await.1, 11, "5 of the photo, 6 of the draft");

    let path = format!("/v1/media/{}", medium.id);
    let answer = api.delete(&path).by(&ada()).send().await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(
        left(&api.platform).await,
        (vec![RecordKind::Effect], 0),
        "only what happened to its posts"
    );
    for post in posts {
        let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
        let post = api.get(&path).by(&ada()).send().await.json();
        assert_eq!(post["state"], "cancelled");
        assert_eq!(post["history"][2]["reason"], "its medium was removed");
    }
    for gone in [api.delete(&path), api.get(&path), api.get(&at(&draft))] {
        assert_eq!(gone.by(&ada()).send().await.status, 404);
    }
}

#[tokio::test]
async fn n53_a_removal_leaves_the_content_of_another_medium_alone() {
    let api = Api::new();
    let (medium, _) = api.finished(&scope()).await;
    let copy = Media {
        state: MediaState::Duplicate { of: medium.id },
        content: medium.content,
        ..Media::awaiting(
            &scope(),
            build::media_id(2),
            MediaClass::Photo,
            None,
            String::new(),
            api.platform.now(),
        )
    };
    api.platform.put(&scope(), &copy).await;
    let before = left(&api.platform).await.1;
    assert_eq!(api.delete(&format!("/v1/media/{}", copy.id)).by(&ada()).send().await.status, 204);
    let hash = ContentHash { content: medium.content.unwrap(), media: medium.id };
    assert_eq!(api.platform.load(&scope(), &hash).await, Some(hash));
    assert_eq!(left(&api.platform).await.1, before);
}

#[tokio::test]
async fn a_medium_whose_post_is_being_sent_stays_until_it_was_sent() {
    let api = Api::new();
    let (medium, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let id = posts[0]["id"].as_str().unwrap().parse().unwrap();
    let (now, lease) = (api.platform.now(), SignedDuration::from_secs(30));
    let redeemed = api.platform.redeem::<PostPlan>(&scope(), id, "publish", lease).await;
    let approval::Redeemed::Send(approved) = redeemed.unwrap() else { panic!("it is due") };

    let path = format!("/v1/media/{}", medium.id);
    let answer = api.delete(&path).by(&ada()).send().await;
    assert_eq!(answer.status, 409);
    assert_eq!(left(&api.platform).await.1, 11);

    let done = effect::Outcome::Done { receipt: "r".into(), url: None };
    approval::settle(approved, done, "publish", now).await.unwrap();
    assert_eq!(api.delete(&path).by(&ada()).send().await.status, 204);
    let post =
        records::load::<Effect<PostPlan>>(&api.platform.table, &effect::key(&scope(), id), now)
            .await;
    assert_eq!(
        post.unwrap().unwrap().record.state(),
        State::Done,
        "what was sent keeps its history"
    );
    assert_eq!(left(&api.platform).await, (vec![RecordKind::Effect], 0));
}

#[tokio::test]
async fn n53_blobs_that_could_not_be_deleted_at_once_are_left_to_the_sweep() {
    let faults = Faults::script([Fault::None, Fault::None, Fault::Before]);
    let flaky = faults.clone();
    let api = Api::on(MemoryPlatform::new().with_blobs(|blobs| Arc::new(Flaky::new(blobs, flaky))));
    let (medium, _) = api.finished(&scope()).await;
    assert_eq!(api.delete(&format!("/v1/media/{}", medium.id)).by(&ada()).send().await.status, 204);
    assert_eq!(
        left(&api.platform).await,
        (vec![RecordKind::Removal], 10),
        "one was deleted, and the upload was gone"
    );

    let like =
        Removal { media: medium.id, since: api.platform.now(), blobs: Vec::new(), unjoined: None };
    let removal = api.platform.load(&scope(), &like).await.unwrap();
    let rows = api.platform.rows().await;
    assert!(rows[0].due.is_some(), "the sweep finds it at once");
    let whose = scope();
    for deleted in [10, 0] {
        let (table, blobs) = (&api.platform.table, &api.platform.blobs);
        assert_eq!(removal::finish(table, blobs, &whose, &removal).await.unwrap(), deleted);
        assert_eq!(left(&api.platform).await, (vec![], 0));
    }
}

#[tokio::test]
async fn a_place_that_was_never_used_can_be_removed() {
    let api = Api::new();
    let path = api.post("/v1/media", photo()).by(&ada()).send().await.header("location").to_owned();
    assert_eq!(left(&api.platform).await.0, [RecordKind::Claim, RecordKind::Media]);
    assert_eq!(api.delete(&path).by(&ada()).send().await.status, 204);
    assert_eq!(left(&api.platform).await, (vec![], 0));
}

/// A video of so many MiB and a byte.
fn film(mib: usize) -> Value {
    json!({ "content_type": "video/mp4", "size": mib * MIB + 1 })
}

const MIB: usize = 1024 * 1024;

/// An API where 16 MiB come at once, and more in parts.
fn small(platform: MemoryPlatform) -> Api {
    let usual = platform.env();
    let mut set: Vec<(String, String)> = usual
        .names()
        .filter_map(|name| Some((name.to_owned(), usual.get(name)?.to_owned())))
        .collect();
    set.push(("PUT_AT_ONCE_BYTES".into(), (16 * MIB).to_string()));
    Api::with(platform, &Env::from_pairs(set))
}

/// Announces a medium that comes in parts: its path and its parts.
async fn in_parts(api: &Api) -> (String, Vec<Value>) {
    let answer = api.post("/v1/media", film(16)).by(&ada()).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json().get("upload"), None);
    let parts = answer.json()["parts"].as_array().unwrap().clone();
    (answer.header("location").to_owned(), parts)
}

async fn put_part(api: &Api, part: &Value) -> bool {
    let size = usize::try_from(part["size"].as_u64().unwrap()).unwrap();
    let bytes = Bytes::from(vec![u8::try_from(part["number"].as_u64().unwrap()).unwrap(); size]);
    Browser::put(&api.platform.blobs, part["url"].as_str().unwrap(), &[], bytes).await
}

async fn join(api: &Api, path: &str) -> crate::api::Answer {
    api.call("POST", &format!("{path}/parts/join")).by(&ada()).send().await
}

/// The medium's record.
async fn record(api: &Api, path: &str) -> Media {
    let id = MediaId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let (table, key) = (&api.platform.table, nexus_engine::media::media_key(&scope(), id));
    records::load::<Media>(table, &key, api.platform.now()).await.unwrap().unwrap().record
}

/// What joining a medium's parts comes to at the store itself.
async fn joined(api: &Api, media: &Media) -> Joined {
    let begun = media.begun.clone().unwrap();
    let until = api.platform.now();
    let rules = UploadRules { content_type: begun.content_type, size: begun.size, until };
    Blobs::join_parts(&api.platform.blobs, &media.upload, &begun.id, &rules).await.unwrap()
}

#[tokio::test]
async fn above_100_mib_a_medium_comes_in_parts() {
    let api = Api::new();
    let exactly = json!({ "content_type": "video/mp4", "size": 100 * MIB });
    let at_once = api.post("/v1/media", exactly).by(&ada()).send().await.json();
    assert!(at_once["upload"].is_object() && at_once.get("parts").is_none());
    let answer = api.post("/v1/media", film(100)).by(&ada()).send().await.json();
    assert!(answer["media"].is_object() && answer.get("upload").is_none());
    let parts = answer["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 13);
    let sizes: u64 = parts.iter().map(|part| part["size"].as_u64().unwrap()).sum();
    assert_eq!(sizes, 100 * MIB as u64 + 1);
    let until = api.platform.now() + SignedDuration::from_hours(1);
    for (part, number) in parts.iter().zip(1..) {
        assert_eq!((&part["number"], &part["method"]), (&json!(number), &json!("PUT")));
        assert_eq!(part["until"], until.to_string());
    }
}

#[tokio::test]
async fn parts_are_one_medium_once_they_are_joined() {
    let api = small(MemoryPlatform::new());
    let (path, parts) = in_parts(&api).await;
    assert_eq!(parts.len(), 3);
    join(&api, &path).await.refused(409, &["parts.1", "parts.2", "parts.3"]);
    assert!(put_part(&api, &parts[1]).await);
    let early = join(&api, &path).await;
    early.refused(409, &["parts.1", "parts.3"]);
    let detail = "These parts have not come: 1, 3. Put what is missing, then join again.";
    assert_eq!(early.json()["detail"], detail);
    assert!(api.platform.blob_keys().await.is_empty(), "nothing is to be seen of it");

    assert!(put_part(&api, &parts[2]).await && put_part(&api, &parts[0]).await);
    for _ in 0..2 {
        let answer = join(&api, &path).await;
        assert_eq!(
            (answer.status, answer.json()["state"].clone()),
            (200, json!("awaiting_upload"))
        );
    }
    let media = record(&api, &path).await;
    let whole = Blobs::get(&api.platform.blobs, &media.upload).await.unwrap().unwrap();
    assert_eq!(whole.len(), 16 * MIB + 1);
    assert_eq!((whole[0], whole[8 * MIB], whole[16 * MIB]), (1, 2, 3), "in their order");
    assert!(!put_part(&api, &parts[0]).await, "it is over");

    // Once it was looked at, the bytes are gone from where they came, and joining again is still no error.
    let seen = Media { state: MediaState::Ready, ..media.clone() };
    api.platform.put(&scope(), &seen).await;
    Blobs::delete(&api.platform.blobs, &media.upload).await.unwrap();
    let answer = join(&api, &path).await;
    assert_eq!((answer.status, answer.json()["state"].clone()), (200, json!("ready")));
}

#[tokio::test]
async fn what_cannot_be_joined_says_why() {
    let api = small(MemoryPlatform::new());
    let at_once = api.post("/v1/media", photo()).by(&ada()).send().await;
    let answer = join(&api, at_once.header("location")).await;
    assert_eq!(answer.status, 409, "{answer:?}");

    let (path, parts) = in_parts(&api).await;
    api.platform.advance(SignedDuration::from_hours(1));
    assert!(!put_part(&api, &parts[0]).await, "an hour is over");
    let media = record(&api, &path).await;
    let begun = media.begun.unwrap();
    Blobs::drop_parts(&api.platform.blobs, &media.upload, &begun.id).await.unwrap();
    let gone = join(&api, &path).await;
    assert_eq!(gone.status, 404);
    assert_eq!(
        gone.json()["detail"],
        "The upload of this medium is gone. Announce the medium anew."
    );
    api.platform.advance(SignedDuration::from_hours(23));
    let missing = join(&api, &path).await;
    assert_eq!(
        (missing.status, missing.json()["detail"].clone()),
        (404, json!("There is no such medium."))
    );
}

#[tokio::test]
async fn n53_a_removed_medium_takes_the_parts_that_came() {
    let api = small(MemoryPlatform::new());
    let (path, parts) = in_parts(&api).await;
    assert!(put_part(&api, &parts[1]).await);
    let media = record(&api, &path).await;
    assert!(matches!(joined(&api, &media).await, Joined::Missing(_)), "it waits");
    assert_eq!(api.delete(&path).by(&ada()).send().await.status, 204);
    assert_eq!(left(&api.platform).await, (vec![], 0));
    assert_eq!(joined(&api, &media).await, Joined::Gone);
}

#[tokio::test]
async fn n53_parts_that_a_removal_could_not_drop_are_the_sweeps() {
    // Announcing signs; removing drops the parts, which fails, and the removal stands.
    let faults = Faults::script([Fault::None, Fault::Before]);
    let platform =
        MemoryPlatform::new().with_blobs(|blobs| Arc::new(Flaky::<dyn Blobs>::new(blobs, faults)));
    let api = small(platform);
    let (path, _) = in_parts(&api).await;
    let media = record(&api, &path).await;
    assert_eq!(api.delete(&path).by(&ada()).send().await.status, 204);
    assert_eq!(left(&api.platform).await, (vec![RecordKind::Removal], 0));
    let like =
        Removal { media: media.id, since: api.platform.now(), blobs: Vec::new(), unjoined: None };
    let removal = api.platform.load(&scope(), &like).await.unwrap();
    removal::finish(&api.platform.table, &api.platform.blobs, &scope(), &removal).await.unwrap();
    assert_eq!(joined(&api, &media).await, Joined::Gone);
    assert_eq!(left(&api.platform).await, (vec![], 0));
}

#[tokio::test]
async fn what_is_announced_again_is_begun_anew_and_leaves_nothing() {
    let api = Api::new();
    let who = ada();
    let caller = nexus_testkit::people::caller(&who);
    let desk = nexus_engine::Desk {
        table: &api.platform.table,
        scope: caller.scope(),
        by: "u",
        trace: "t",
        ambient: &api.platform.ambient(),
    };
    let announced =
        |size| Announced { content_type: "video/mp4".into(), size, product: None, vertical: None };
    let again = async |size: u64| {
        let (id, blobs) = (build::media_id(1), &api.platform.blobs);
        uploading::announce(&desk, blobs, id, &announced(size), 4).await.unwrap()
    };
    let (first, upload) = again(5).await;
    assert!(matches!(&upload, Upload::InParts(parted) if parted.parts.len() == 1));
    let (second, _) = again(6).await;
    assert_ne!(first.begun, second.begun);
    assert_eq!(joined(&api, &first).await, Joined::Gone, "of the first nobody was told");
    assert_eq!(joined(&api, &second).await, Joined::Missing(vec![1]));
    // At last it is small enough to be put at once.
    let (third, upload) = again(4).await;
    assert!(third.begun.is_none() && matches!(upload, Upload::AtOnce(_)));
    assert_eq!(joined(&api, &second).await, Joined::Gone);
    let path = format!("/v1/media/{}", third.id);
    assert_eq!(record(&api, &path).await.begun, None);
}
