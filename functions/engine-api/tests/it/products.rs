//! The catalogue.

use serde_json::{Value, json};

use crate::api::{Api, ada};

pub(crate) fn loaf() -> Value {
    json!({
        "name": "Sourdough", "description": "A loaf that took two days.",
        "description_es": "Un pan que tardó dos días.", "vertical": "bakery",
        "keywords": ["bread", "morning"], "price": { "minor": 650, "currency": "USD" },
        "url": "https://bakery.example/sourdough",
    })
}

#[tokio::test]
async fn a_product_is_added_read_changed_and_removed() {
    let api = Api::new();
    let added = api.post("/v1/products", loaf()).by(&ada()).send().await;
    assert_eq!(added.status, 201);
    let path = added.header("location").to_owned();
    assert_eq!(path, format!("/v1/products/{}", added.json()["id"].as_str().unwrap()));
    assert_eq!(added.json()["facts"], loaf());
    assert_eq!(added.json()["created"], api.platform.now().to_string());
    assert_eq!(api.get(&path).by(&ada()).send().await.json(), added.json());

    let least = json!({ "name": "Rye", "description": "Dark." });
    let changed = api.put(&path, least).by(&ada()).send().await;
    assert_eq!(changed.status, 200);
    let facts = json!({ "name": "Rye", "description": "Dark.", "vertical": "", "keywords": [] });
    assert_eq!(changed.json()["facts"], facts);
    assert_eq!(changed.json()["id"], added.json()["id"]);
    assert_eq!(
        api.get("/v1/products").by(&ada()).send().await.json()["items"],
        json!([changed.json()])
    );

    let removed = api.delete(&path).by(&ada()).send().await;
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    for again in [api.delete(&path), api.get(&path), api.put(&path, loaf())] {
        assert_eq!(again.by(&ada()).send().await.status, 404);
    }
    assert_eq!(api.get("/v1/products").by(&ada()).send().await.json(), json!({ "items": [] }));
}

#[tokio::test]
async fn what_is_wrong_with_a_product_is_told_field_by_field() {
    let api = Api::new();
    let with = |field: &str, value: Value| {
        let mut body = loaf();
        body[field] = value;
        body
    };
    let long = "x".repeat(2_001);
    let cases = [
        (with("name", "".into()), "name"),
        (with("description", long.clone().into()), "description"),
        (with("description_es", long.into()), "description_es"),
        (with("keywords", json!([""])), "keywords"),
        (with("price", json!({ "minor": -1, "currency": "USD" })), "price"),
        (with("price", json!({ "minor": 1.5, "currency": "USD" })), "price.minor"),
        (with("price", json!({ "minor": 1, "currency": "???" })), "price.currency"),
        (with("price", json!({ "minor": 1, "currency": "USD", "tax": 1 })), "price.tax"),
        (with("url", "javascript:alert(1)".into()), "url"),
        (with("card_number", "4111111111111111".into()), "card_number"),
    ];
    for (body, field) in cases {
        api.post("/v1/products", body).by(&ada()).send().await.refused(422, &[field]);
    }
    assert!(api.platform.rows().await.is_empty());
}
