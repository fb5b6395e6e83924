//! Short links: one for each post, known as soon as it is approved.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::directory::OutsideKind;
use nexus_core::{Approver, Condition, Directory, Op, Product, QueueAddress, RecordKind, Sender};
use nexus_engine::connections::{Connection, ConnectionId};
use nexus_engine::links::Link;
use nexus_engine::publishing::{Decision, Ground, Network, propose};
use nexus_engine::{Desk, Draft, EnginePlatform, Hop, approving};
use nexus_handler::Env;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

use crate::api::{Api, ada, at, scope};

const SHOP: &str = "https://bakery.example.com/loaf";

/// An API that answers short links, and a draft whose captions hold its product's address.
async fn with_links(base: &str) -> (Api, Draft) {
    let platform = MemoryPlatform::new();
    let settings = nexus_engine::Hop::ALL.map(|hop| (hop.setting(), hop.name()));
    let env = Env::from_pairs(settings.into_iter().chain([("LINK_BASE", base)]));
    let api = Api::with(platform, &env);
    let (_, mut draft) = api.finished(&scope()).await;
    let mut product = build::product(build::product_id(1), "Loaf", api.platform.now());
    product.facts.url = Some(SHOP.to_owned());
    api.platform.put(&scope(), &product).await;
    draft.product = Some(product.id);
    for words in draft.words.values_mut() {
        words.copy.captions.insert(Network::Feed, format!("Fresh: {SHOP}"));
    }
    api.platform.put(&scope(), &draft).await;
    (api, draft)
}

async fn proposed(api: &Api, draft: &Draft) -> Vec<Value> {
    let shown = api.get(&at(draft)).by(&ada()).send().await.json();
    shown["proposal"]["posts"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_post_has_a_link_of_its_own_that_the_approver_saw() {
    let (api, draft) = with_links("https://go.example.com/c/").await;
    let shown = proposed(&api, &draft).await;
    let texts: BTreeSet<&str> = shown.iter().map(|post| post["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    for text in &texts {
        assert!(text.contains("https://go.example.com/c/") && !text.contains(SHOP), "{text}");
    }
    let posts = api.approved(&draft).await;
    let sent: BTreeSet<&str> = posts.iter().map(|post| post["text"].as_str().unwrap()).collect();
    assert_eq!(sent, texts, "what was seen is what is sent");
    for post in &posts {
        let (text, address) = (&post["text"], post["link"]["address"].as_str().unwrap());
        assert!(text.as_str().unwrap().contains(address), "{text}");
        assert_eq!(post["link"]["target"], SHOP);
        assert_eq!((&post["connection"], &post["picture"]), (&Value::Null, &Value::Null));
    }

    let rows = api.platform.rows().await;
    let links = rows.iter().filter(|row| row.kind == RecordKind::Link);
    let links: Vec<Link> = links.map(|row| serde_json::from_str(&row.body).unwrap()).collect();
    assert_eq!(links.len(), 2);
    let directory = Directory::of(Product::Engine);
    for link in links {
        assert_eq!(link.targets[0].address, SHOP);
        assert!(posts.iter().any(|post| post["id"] == json!(link.post)));
        let (table, now) = (&api.platform.table, api.platform.now());
        let known =
            directory.resolve(table, OutsideKind::Link, link.code.as_str(), now).await.unwrap();
        assert_eq!(known, Some((scope(), link.code.to_string())));
    }
}

/// The row of a post's link.
async fn link_of(api: &Api, post: &Value) -> Link {
    let rows = api.platform.rows().await;
    let links = rows.iter().filter(|row| row.kind == RecordKind::Link);
    let mut links = links.map(|row| serde_json::from_str::<Link>(&row.body).unwrap());
    let address = post["link"]["address"].as_str().unwrap();
    links.find(|link| address.ends_with(&format!("/{}", link.code))).unwrap()
}

#[tokio::test]
async fn n19_the_link_of_a_post_that_is_moved_is_the_links_of_what_comes_in_its_place() {
    let (api, draft) = with_links("https://go.example.com/c").await;
    let tomorrow = api.platform.now() + SignedDuration::from_hours(24);
    let body = json!({ "digest": api.digest(&draft).await, "at": tomorrow });
    let answer = api.post(&format!("{}/approve", at(&draft)), body).by(&ada()).send().await;
    let first = &answer.json()["posts"][0];
    assert_eq!(json!(link_of(&api, first).await.post), first["id"]);
    let path = format!("/v1/posts/{}/reschedule", first["id"].as_str().unwrap());
    let body = json!({ "digest": first["digest"], "at": "2027-03-05T09:00:00Z" });
    let moved = api.post(&path, body).by(&ada()).send().await.json();
    assert_eq!((&moved["text"], &moved["link"]), (&first["text"], &first["link"]));
    assert_ne!(moved["id"], first["id"]);
    assert_eq!(json!(link_of(&api, &moved).await.post), moved["id"]);
}

#[tokio::test]
async fn n19_every_occurrence_has_a_link_and_so_a_text_of_its_own() {
    let (api, draft) = with_links("https://go.example.com/c").await;
    let when = json!({ "recurrence": {
        "from": "2027-03-14", "at": "10:30", "rhythm": { "days": { "every": 1 } }, "ends": { "times": 3 },
    } });
    let plan = api.post(&format!("{}/times", at(&draft)), json!({ "when": when }));
    let times: Vec<Value> = plan.by(&ada()).send().await.json()["times"]
        .as_array()
        .unwrap()
        .iter()
        .map(|time| time["at"].clone())
        .collect();
    let body = json!({ "digest": api.digest(&draft).await, "when": when, "times": times });
    let approve = async || {
        let call = api.post(&format!("{}/approve", at(&draft)), body.clone());
        call.by(&ada()).send().await.json()
    };
    let answer = approve().await;
    let posts = answer["posts"].as_array().unwrap();
    assert_eq!(posts.len(), 6, "{answer}");
    let texts: BTreeSet<&str> = posts.iter().map(|post| post["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 6, "networks refuse the same text twice: {texts:?}");
    for post in posts {
        let (text, link) = (post["text"].as_str().unwrap(), link_of(&api, post).await);
        assert!(text.contains(post["link"]["address"].as_str().unwrap()), "{text}");
        assert_eq!(
            (json!(link.post), link.targets[0].address.as_str()),
            (post["id"].clone(), SHOP)
        );
    }
    let rows = api.platform.rows().await;
    assert_eq!(approve().await, answer, "twice is once");
    assert_eq!(api.platform.rows().await, rows);
}

/// Accounts at a server, so many that a draft becomes twice as many posts.
async fn accounts(api: &Api, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let now = api.platform.now();
        let connection = Connection {
            server: Some("https://social.example".into()),
            label: format!("Shop {number}"),
            ..build::connection(
                ConnectionId::derived(&["connection", &number.to_string()]),
                Network::Mastodon,
                now,
            )
        };
        api.platform.put(&scope(), &connection).await;
    }
}

#[tokio::test]
async fn as_many_posts_as_one_commit_carries_are_approved_at_once_and_no_more() {
    let (api, mut draft) = with_links("").await;
    let settings = json!({ "networks": ["mastodon"] });
    assert_eq!(api.put("/v1/settings", settings).by(&ada()).send().await.status, 200);
    for words in draft.words.values_mut() {
        words.copy.captions.insert(Network::Mastodon, format!("Fresh: {SHOP}"));
    }
    draft.films.clear();
    api.platform.put(&scope(), &draft).await;
    let ambient = api.platform.ambient();
    let (caller, whose) = (people::caller(&ada()), scope());
    let publish = Sender::new(
        Arc::new(api.platform.queues.clone()),
        QueueAddress(Hop::Publish.name().to_owned()),
    );
    let approve = async || {
        let (table, now) = (&api.platform.table, api.platform.now());
        let base = Some("https://go.example.com/c");
        let ground = Ground::of(table, &whose, &draft, base, now).await.unwrap();
        let decision = Decision::at_once(propose(&draft, &ground).digest);
        let by = caller.subject();
        let desk = Desk { table, scope: &whose, by, trace: "trace", ambient: &ambient };
        let approver = Approver::of(&caller).unwrap();
        approving::approve(&desk, draft.id, approver, &decision, base, &publish).await
    };
    accounts(&api, 0..17).await;
    let before = api.platform.rows().await;
    let refused = approve().await.unwrap_err();
    assert!(refused.public().contains("34 posts at once"), "{refused}");
    assert_eq!(api.platform.rows().await, before);

    let first = ConnectionId::derived(&["connection", "16"]);
    let key = nexus_engine::connections::connection_key(&whose, first);
    api.platform.commit(vec![Op::Delete { key, when: Condition::Always }]).await;
    assert_eq!(approve().await.unwrap().len(), 32);
    // A row and two of its link for each, the draft, and what is left for messages; the index of what is due has all.
    assert_eq!(api.platform.waiting(Hop::Publish).len(), 3);
    let rows = api.platform.rows().await;
    let due = rows.iter().filter(|row| row.kind == RecordKind::Effect && row.due.is_some());
    assert_eq!(due.count(), 32);

    let post = api.get("/v1/posts?limit=1").by(&ada()).send().await.json()["items"][0].clone();
    let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    let post = api.get(&path).by(&ada()).send().await.json();
    assert!(post["connection"].as_str().is_some_and(|id| id.starts_with("con_")), "{post}");
    assert_eq!(post["picture"].as_str().map(str::len), Some(64));
    assert_eq!(post["video"], Value::Null, "a draft without a film shows its picture");
}

#[tokio::test]
async fn where_nobody_answers_short_links_the_products_address_stays() {
    let (api, draft) = with_links("").await;
    assert!(
        proposed(&api, &draft).await.iter().all(|p| p["text"].as_str().unwrap().contains(SHOP))
    );
    api.approved(&draft).await;
    assert!(api.platform.rows().await.iter().all(|row| row.kind != RecordKind::Link));
}
