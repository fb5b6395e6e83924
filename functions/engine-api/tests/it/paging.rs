//! Lists of more than a page.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::StaleIndex;
use nexus_core::effect::{Effect, EffectId};
use nexus_engine::catalogue::ProductId;
use nexus_engine::media::MediaClass;
use nexus_engine::publishing::{PostPlan, propose};
use nexus_engine::{Draft, EnginePlatform, Media, MediaId, Stage};
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

const MANY: u32 = 250;

/// The ids of a whole list, page by page, and the sizes of the pages.
async fn walk(api: &Api, list: &str) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut sizes, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{list}{after}")).by(&ada()).send().await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let items = page["items"].as_array().unwrap();
        sizes.push(items.len());
        ids.extend(items.iter().map(|i| i["id"].as_str().unwrap().to_owned()));
        match page.get("next") {
            Some(next) => after = format!("&after={}", next.as_str().unwrap()),
            None => return (ids, sizes),
        }
    }
}

fn newest_first<I: ToString>(ids: impl DoubleEndedIterator<Item = I>) -> Vec<String> {
    ids.rev().map(|id| id.to_string()).collect()
}

async fn products(platform: &MemoryPlatform) -> Vec<ProductId> {
    let mut ids = Vec::new();
    for number in 0..MANY {
        platform.advance(SignedDuration::from_millis(1));
        let id = ProductId::draw(&*platform.ambient().ids);
        let product = build::product(id, &format!("Loaf {number}"), platform.now());
        platform.put(&scope(), &product).await;
        ids.push(id);
    }
    ids
}

async fn drafts(platform: &MemoryPlatform) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for number in 0..MANY {
        platform.advance(SignedDuration::from_millis(1));
        let mut draft = build::ready_draft(&scope(), build::media_id(number), platform.now());
        draft.stage = Stage::ALL[number as usize % Stage::ALL.len()];
        platform.put(&scope(), &draft).await;
        drafts.push(draft);
    }
    drafts
}

#[tokio::test]
async fn every_product_stands_on_one_page_newest_first() {
    let api = Api::new();
    let ids = products(&api.platform).await;
    for (limit, sizes) in [(100, vec![100, 100, 50]), (50, vec![50; 5]), (99, vec![99, 99, 52])] {
        let walked = walk(&api, &format!("/v1/products?limit={limit}")).await;
        assert_eq!(walked, (newest_first(ids.iter()), sizes));
    }
    let (ids, sizes) = walk(&api, "/v1/products?").await;
    assert_eq!((ids.len(), sizes[0], sizes.len()), (MANY as usize, 20, 13));
}

#[tokio::test]
async fn every_medium_stands_on_one_page_newest_first() {
    let api = Api::new();
    let mut ids = Vec::new();
    for number in 0..MANY {
        api.platform.advance(SignedDuration::from_millis(1));
        let id = MediaId::draw(&*api.platform.ambient().ids);
        let media = Media::awaiting(
            &scope(),
            id,
            MediaClass::Photo,
            None,
            String::new(),
            api.platform.now(),
        );
        // Every fifth was never filled, and is gone by the time of the walk.
        let media =
            if number % 5 == 0 { media } else { build::ready_medium(&scope(), id, media.created) };
        if number % 5 != 0 {
            ids.push(id);
        }
        api.platform.put(&scope(), &media).await;
    }
    api.platform.advance(SignedDuration::from_hours(25));
    let (walked, sizes) = walk(&api, "/v1/media?limit=100").await;
    assert_eq!((walked, sizes), (newest_first(ids.iter()), vec![100, 100]));
}

#[tokio::test]
async fn every_draft_stands_on_one_page_newest_first_whatever_its_stage() {
    let api = Api::new();
    let drafts = drafts(&api.platform).await;
    let walked = walk(&api, "/v1/drafts?limit=40").await;
    let all = newest_first(drafts.iter().map(|d| d.id));
    assert_eq!(walked, (all, vec![40, 40, 40, 40, 40, 40, 10]));
    for stage in Stage::ALL {
        let (walked, _) = walk(&api, &format!("/v1/drafts?limit=7&stage={}", stage.name())).await;
        assert_eq!(walked, newest_first(drafts.iter().filter(|d| d.stage == stage).map(|d| d.id)));
    }
}

#[tokio::test]
async fn a_draft_that_moves_on_between_two_pages_is_neither_lost_nor_doubled() {
    let api = Api::new();
    let mut drafts = drafts(&api.platform).await;
    let first = api.get("/v1/drafts?limit=100").by(&ada()).send().await.json();
    for draft in &mut drafts {
        draft.stage = Stage::Rejected;
        api.platform.put(&scope(), draft).await;
    }
    let after = first["next"].as_str().unwrap();
    let rest = format!("/v1/drafts?limit=100&after={after}");
    let second = api.get(&rest).by(&ada()).send().await.json();
    let both = [&first, &second].map(|p| p["items"].as_array().unwrap().clone()).concat();
    let ids: BTreeSet<&str> = both.iter().map(|d| d["id"].as_str().unwrap()).collect();
    assert_eq!((both.len(), ids.len()), (200, 200));
}

#[tokio::test]
async fn every_post_stands_on_one_page_the_latest_first() {
    let api = Api::new();
    let draft = build::ready_draft(&scope(), build::media_id(1), api.platform.now());
    let plan = propose(&draft, &nexus_engine::publishing::Ground::default()).posts.remove(0);
    let mut ids = Vec::new();
    for number in 0..MANY {
        let id = EffectId::derived(&["post", &number.to_string()]);
        let send_at = api.platform.now() + SignedDuration::from_mins(i64::from(number));
        let plan = PostPlan { send_at, ..plan.clone() };
        api.platform.put(&scope(), &Effect::proposed(id, plan, "usr", api.platform.now())).await;
        ids.push(id);
    }
    let walked = walk(&api, "/v1/posts?limit=100").await;
    assert_eq!(walked, (newest_first(ids.iter()), vec![100, 100, 50]));
}

#[tokio::test]
async fn a_late_index_never_shows_what_does_not_stand() {
    for seed in 0..20 {
        let platform =
            MemoryPlatform::new().with_table(|table| Arc::new(StaleIndex::new(table, seed)));
        let api = Api::on(platform);
        let mut made = Vec::new();
        for number in 0..6 {
            made.push(build::finished(&api.platform, &scope(), build::media_id(number)).await);
        }
        for (medium, draft) in made.iter().take(3) {
            let path = format!("/v1/drafts/{}/reject", draft.id);
            assert_eq!(api.call("POST", &path).by(&ada()).send().await.status, 200);
            if medium.id != made[0].0.id {
                continue;
            }
            let path = format!("/v1/media/{}", medium.id);
            assert_eq!(api.delete(&path).by(&ada()).send().await.status, 204);
        }
        for list in ["", "?stage=rejected", "?stage=awaiting_approval"] {
            let page = api.get(&format!("/v1/drafts{list}")).by(&ada()).send().await.json();
            let mut seen = BTreeSet::new();
            for row in page["items"].as_array().unwrap() {
                assert!(seen.insert(row["id"].to_string()), "each once");
                let path = format!("/v1/drafts/{}", row["id"].as_str().unwrap());
                let whole = api.get(&path).by(&ada()).send().await.json();
                assert_eq!(row["stage"], whole["stage"], "as it stands now");
            }
        }
    }
}

#[tokio::test]
async fn a_page_marker_fits_its_own_list_alone() {
    let api = Api::new();
    products(&api.platform).await;
    drafts(&api.platform).await;
    let next = |page: Value| page["next"].as_str().unwrap().to_owned();
    let marker = next(api.get("/v1/products?limit=1").by(&ada()).send().await.json());
    for list in ["media", "drafts", "posts", "notices"] {
        let path = format!("/v1/{list}?after={marker}");
        api.get(&path).by(&ada()).send().await.refused(422, &["after"]);
    }
    let of_stage = next(api.get("/v1/drafts?limit=1&stage=tagging").by(&ada()).send().await.json());
    let path = format!("/v1/drafts?after={of_stage}");
    api.get(&path).by(&ada()).send().await.refused(422, &["after"]);
    for nonsense in ["", "x", "00", "%ff", "5b5d"] {
        let path = format!("/v1/products?after={nonsense}");
        api.get(&path).by(&ada()).send().await.refused(422, &["after"]);
    }
    // Another tenant's marker is refused, and shows nothing.
    let stranger = people::operator(people::tenant(2));
    let path = format!("/v1/products?after={marker}");
    api.get(&path).by(&stranger).send().await.refused(422, &["after"]);
}

#[tokio::test]
async fn a_page_has_1_to_100_things() {
    let api = Api::new();
    for list in ["products", "media", "drafts", "posts", "notices"] {
        for limit in ["0", "101", "-1", "many", "4294967296"] {
            let path = format!("/v1/{list}?limit={limit}");
            api.get(&path).by(&ada()).send().await.refused(422, &["limit"]);
        }
        let path = format!("/v1/{list}?page=2");
        api.get(&path).by(&ada()).send().await.refused(422, &["page"]);
        let empty = api.get(&format!("/v1/{list}?limit=100")).by(&ada()).send().await;
        assert_eq!(empty.json(), json!({ "items": [] }));
    }
    api.get("/v1/drafts?stage=done").by(&ada()).send().await.refused(422, &["stage"]);
}
