//! Two tenants with identical ids everywhere.

use nexus_core::effect::{Effect, EffectId};
use nexus_core::{Claims, Item, Scope};
use nexus_engine::inquiries::{Inquiry, InquiryId, RestrictionId};
use nexus_engine::links::{Link, LinkCode};
use nexus_engine::publishing::{Ground, propose};
use nexus_engine::{Draft, Media};
use nexus_testkit::{build, people};
use serde_json::{Value, json};

use crate::api::{Api, at};
use crate::description::operations;
use crate::products::loaf;
use crate::short_links::plain;

/// A code that two tenants could have only if there were no directory.
const LINK: &str = "lnk_ours";

/// Fills a tenant with one of everything, under ids that are the same for every tenant.
async fn settle(api: &Api, number: u32) -> (Claims, Scope, Media, Draft, String) {
    let who = people::approver(people::tenant(number));
    let scope = people::scope(people::tenant(number));
    let product =
        build::product(build::product_id(1), &format!("Loaf {number}"), api.platform.now());
    api.platform.put(&scope, &product).await;
    let (medium, draft) = build::finished(&api.platform, &scope, build::media_id(1)).await;
    let purchase = build::purchase(&medium, &draft, api.platform.now());
    let offer = Effect::proposed(purchase_id(), purchase, "usr", api.platform.now());
    api.platform.put(&scope, &offer).await;
    let code = LinkCode::parse(LINK).unwrap();
    let link = Link::to(code, format!("https://{number}.example/"), api.platform.now());
    api.platform.put(&scope, &link).await;
    let digest = propose(&draft, &Ground::default()).digest;
    let call = api.post(&format!("{}/approve", at(&draft)), json!({ "digest": digest }));
    let posts = call.by(&who).send().await.json()["posts"].clone();
    let mut account = json!({
        "email": "a@b.example", "business_name": "", "niche": "n", "brand_voice": "v", "display_name": "d",
    });
    account["business_name"] = format!("Business {number}").into();
    assert_eq!(api.put("/v1/account", account).by(&who).send().await.status, 200);
    let asked = crate::inquiries::ask(api, &scope, "grace@example.org", "Is it vegan?").await;
    let asked = Inquiry { id: inquiry_id(), ..asked };
    api.platform.put(&scope, &asked).await;
    let grace = json!({ "email": "grace@example.org" });
    assert_eq!(api.post("/v1/restrictions", grace).by(&who).send().await.status, 201);
    (who, scope, medium, draft, posts[0]["id"].as_str().unwrap().to_owned())
}

fn inquiry_id() -> InquiryId {
    InquiryId::derived(&["inquiry"])
}

fn purchase_id() -> EffectId {
    EffectId::derived(&["purchase"])
}

async fn rows_of(api: &Api, scope: &Scope) -> Vec<Item> {
    let head = scope.partition("");
    api.platform.rows().await.into_iter().filter(|r| r.key.pk().starts_with(&head)).collect()
}

fn id_in(path: &str, medium: &Media, draft: &Draft, post: &str) -> String {
    let id = match path.split('/').nth(2) {
        Some("products") => build::product_id(1).to_string(),
        Some("media") => medium.id.to_string(),
        Some("drafts") => draft.id.to_string(),
        Some("posts" | "questions") => post.to_owned(),
        Some("inquiries") => inquiry_id().to_string(),
        // Its id follows from the tenant too: this one is the first tenant's.
        Some("restrictions") => {
            let parts = ["restriction", &people::tenant(1).to_string(), "grace@example.org"];
            RestrictionId::derived(&parts).to_string()
        }
        Some("footage") => purchase_id().to_string(),
        Some("links") => LINK.to_owned(),
        other => panic!("a thing of a new sort: {other:?}"),
    };
    path.replace("{id}", &id)
}

fn missing(path: &str) -> String {
    let prefix = path.split('/').nth(3).unwrap();
    let (sort, _) = prefix.split_once('_').unwrap();
    path.replace(prefix, &format!("{sort}_{}", "f".repeat(32)))
}

/// A body that the route takes.
fn body(method: &str, path: &str) -> Value {
    match (method, path.rsplit('/').next().unwrap()) {
        ("PUT", _) if path.contains("/links/") => plain()["link"].clone(),
        ("PUT", _) => loaf(),
        ("PATCH", _) => json!({ "words": { "en": { "description": "Mine now." } } }),
        ("POST", "assign") => json!({ "assignee": "Eve" }),
        ("POST", "state") => json!({ "state": "closed" }),
        ("POST", "notes") => json!({ "text": "Mine." }),
        ("POST", "reviews") => json!({ "label": "Grace" }),
        (_, "end") => json!({ "link": format!("rev_{}", "f".repeat(32)) }),
        (_, "answer") => json!({ "happened": true }),
        (_, "reschedule") => {
            json!({ "digest": "0".repeat(64), "at": "2027-03-02T09:00:00Z" })
        }
        (_, "approve" | "retry") => json!({ "digest": "0".repeat(64) }),
        _ => json!({}),
    }
}

#[tokio::test]
async fn n48_what_is_another_tenants_is_answered_like_what_is_missing() {
    let api = Api::new();
    let (_, scope, medium, draft, post) = settle(&api, 1).await;
    let stranger = people::approver(people::tenant(2));
    let before = (rows_of(&api, &scope).await, api.platform.blob_keys().await);

    let mut tried = 0;
    for (method, path) in operations(&api).await {
        if !path.contains("{id}") {
            continue;
        }
        let foreign = id_in(&path, &medium, &draft, &post);
        let body = body(&method, &path);
        let mut answers = Vec::new();
        let malformed = path.replace("{id}", "%00..%2f%ff");
        for path in [foreign.as_str(), &missing(&foreign), &malformed] {
            let call = api.call(&method, path).json(body.clone());
            answers.push(call.by(&stranger).send().await);
        }
        for answer in &answers {
            assert_eq!(answer.status, 404, "{method} {path}");
            assert_eq!((&answer.body, &answer.headers), (&answers[0].body, &answers[0].headers));
        }
        tried += 1;
    }
    assert_eq!(tried, 39);
    assert_eq!((rows_of(&api, &scope).await, api.platform.blob_keys().await), before);

    // Nor does naming the tenant open anything.
    let own = scope.owner().to_string();
    let named = api.get(&at(&draft)).by(&stranger).header("nexus-tenant", &own).send().await;
    let nobody = api.get(&at(&draft)).by(&stranger).header("nexus-tenant", "ten_x").send().await;
    assert_eq!((named.status, named.body), (404, nobody.body));
}

#[tokio::test]
async fn n1_two_tenants_with_identical_ids_see_their_own_alone() {
    let api = Api::new();
    let (ada, one, medium, draft, post) = settle(&api, 1).await;
    let (bob, other, medium_2, draft_2, post_2) = settle(&api, 2).await;
    assert_eq!((medium.id, draft.id, &post), (medium_2.id, draft_2.id, &post_2));

    for (who, number) in [(&ada, 1), (&bob, 2)] {
        let get = async |path: &str| api.get(path).by(who).send().await.json();
        assert_eq!(get("/v1/account").await["business_name"], format!("Business {number}"));
        for list in ["products", "media", "drafts", "posts"] {
            let page = get(&format!("/v1/{list}")).await;
            assert_eq!(
                page["items"].as_array().unwrap().len(),
                if list == "posts" { 2 } else { 1 }
            );
        }
        let product = get(&format!("/v1/products/{}", build::product_id(1))).await;
        assert_eq!(product["facts"]["name"], format!("Loaf {number}"));
    }

    // Everything that one does to these ids leaves the other's as they are.
    let before = rows_of(&api, &other).await;
    let mut changed = rows_of(&api, &one).await;
    for (method, path) in operations(&api).await {
        if method == "GET" || !path.contains("{id}") || method == "DELETE" {
            continue;
        }
        let path = id_in(&path, &medium, &draft, &post);
        api.call(&method, &path).json(body(&method, &path)).by(&ada).key("k").send().await;
    }
    for path in ["products", "media"] {
        let path = id_in(&format!("/v1/{path}/{{id}}"), &medium, &draft, &post);
        assert_eq!(api.delete(&path).by(&ada).send().await.status, 204);
    }
    assert_eq!(rows_of(&api, &other).await, before);
    let now = rows_of(&api, &one).await;
    changed.retain(|row| !now.contains(row));
    assert!(changed.len() > 10, "much of the first tenant's changed: {}", changed.len());
    let blobs = api.platform.blob_keys().await;
    assert!(blobs.len() == 11 && blobs.iter().all(|blob| other.holds(blob)));
}
