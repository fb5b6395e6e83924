//! Short links: one for each post, known as soon as it is approved.

use std::collections::BTreeSet;

use nexus_core::directory::OutsideKind;
use nexus_core::{Directory, Product, RecordKind};
use nexus_engine::Draft;
use nexus_engine::publishing::{Network, ShortLink};
use nexus_handler::Env;
use nexus_testkit::{MemoryPlatform, build};
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

    let rows = api.platform.rows().await;
    let links = rows.iter().filter(|row| row.kind == RecordKind::Link);
    let links: Vec<ShortLink> = links.map(|row| serde_json::from_str(&row.body).unwrap()).collect();
    assert_eq!(links.len(), 2);
    let directory = Directory::of(Product::Engine);
    for link in links {
        assert_eq!(link.target, SHOP);
        assert!(posts.iter().any(|post| post["id"] == json!(link.post)));
        let (table, now) = (&api.platform.table, api.platform.now());
        let known = directory.resolve(table, OutsideKind::Link, &link.code, now).await.unwrap();
        assert_eq!(known.map(|(whose, code)| (whose, code)), Some((scope(), link.code)));
    }
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
