//! The page itself.

use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;
use nexus_core::directory::OutsideKind;
use nexus_core::{Directory, Product, records};
use nexus_engine::catalogue::{CatalogueProduct, product_key};
use nexus_testkit::{MemoryPlatform, build};
use serde_json::json;

use crate::house::{House, scope};

#[tokio::test]
async fn somebody_sees_the_product_in_their_language() {
    let house = House::new().await;
    let english = house.get("").await;
    assert_eq!((english.status, english.header("content-language")), (200, "en"));
    for shown in [
        "<html lang=\"en\">",
        "Sourdough</h1>",
        "Sourdough, baked every morning.",
        "$6.50",
        "Corner Bakery",
        "https://bakery.example/loaf",
        "bakery.example</span>",
        "for one year",
        "<label for=\"message\">",
        "autocomplete=\"email\"",
        "sets no cookie",
    ] {
        assert!(english.text.contains(shown), "{shown}: {}", english.text);
    }
    assert!(english.header("content-security-policy").starts_with("default-src 'none';"));

    let request = Request::get(house.at()).header("accept-language", "es-MX, en;q=0.5");
    let spanish = house.send(request.body(Body::empty()).unwrap()).await;
    for shown in ["<html lang=\"es\">", "horneado cada mañana", "6,50 US$", "Enviar", "un año"] {
        assert!(spanish.text.contains(shown), "{shown}: {}", spanish.text);
    }
    // Whoever chose a language keeps it, and the link that they came by.
    let chosen = house.get("?lang=es&from=BCD").await;
    assert!(chosen.text.contains("name=\"lang\" value=\"es\""));
    assert!(chosen.text.contains("?lang=en&amp;from=BCD"), "{}", chosen.text);
}

#[tokio::test]
async fn a_merchants_words_are_text_and_nothing_else() {
    let platform = MemoryPlatform::new();
    let house = House::on(platform).await;
    let mut product =
        build::product(build::product_id(1), "<b>Loaf</b> & \"co\"", house.platform.now());
    product.facts.description = "<img src=x onerror=alert(1)>".into();
    product.facts.url = Some("https://bakery.example/\"><b>x".into());
    product.facts.description_es = None;
    house.platform.put(&scope(), &product).await;
    let page = house.get("?lang=es&from=%22%3E%3Cb%3Ex").await;
    for never in ["<b>", "<img", "onerror=alert(1)>"] {
        assert!(!page.text.contains(never), "{never}: {}", page.text);
    }
    assert!(page.text.contains("lang=\"en\">&#60;img"), "{}", page.text);
}

#[tokio::test]
async fn an_address_that_leads_nowhere_says_so_whatever_it_is() {
    let house = House::new().await;
    let (table, now) = (&house.platform.table, house.platform.now());
    let key = product_key(&scope(), build::product_id(1));
    let stands = records::load::<CatalogueProduct>(table, &key, now).await.unwrap().unwrap();
    // A review link's code is no page's.
    let directory = Directory::of(Product::Engine);
    let review = directory.claim(&scope(), OutsideKind::Review, "BCDFGHJKMNPQ", "x");
    house.platform.commit(vec![stands.delete(&scope()), review]).await;
    let mut told = Vec::new();
    for path in [&house.at(), "/p/BCDFGHJKMNPQ", "/p/none", "/p/%00%ff", "/p/..%2f..", "/q", "/"] {
        let answer = house.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.header("x-robots-tag")), (404, "noindex"), "{path}");
        told.push(answer.text);
    }
    told.dedup();
    assert_eq!(told.len(), 1);
    let answer = house.send(Request::delete(house.at()).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn a_program_is_told_the_product_and_asks_by_json() {
    let house = House::new().await;
    let request = Request::get(house.at()).header("accept", "application/json");
    let told = house.send(request.body(Body::empty()).unwrap()).await.json();
    assert_eq!((&told["name"], &told["price"]["minor"]), (&json!("Sourdough"), &json!(650)));
    house.platform.advance(SignedDuration::from_secs(4));
    let send = async |body: String| {
        let request = Request::post(house.at()).header("content-type", "application/json");
        house.send(request.body(Body::from(body)).unwrap()).await
    };
    let mut body = json!({
        "name": "Grace", "email": "grace@example.org", "message": "Is it vegan?", "consent": true, "opened": told["opened"],
    });
    for _ in 0..2 {
        let answer = send(body.to_string()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (201, json!({ "received": true })),
            "{answer:?}"
        );
    }
    assert_eq!(house.inquiries().await.len(), 1);

    body["email"] = "grace".into();
    body["name"] = "Gr\u{0}ace".into();
    let answer = send(body.to_string()).await;
    let errors = &answer.json()["errors"];
    assert_eq!(
        (answer.status, &errors[0]["field"], &errors[1]["field"]),
        (422, &json!("name"), &json!("email"))
    );
    body["ip"] = "203.0.113.9".into();
    for wrong in
        [body.to_string(), "{".into(), "[]".into(), "\"canary@example.org\"".into(), String::new()]
    {
        let answer = send(wrong).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(!answer.text.contains("canary") && !answer.text.contains("203.0"), "{answer:?}");
    }
    assert_eq!(house.inquiries().await.len(), 1);
}

/// The host's gateway matches an address before it hands the request on.
#[tokio::test]
async fn an_entrance_that_matched_the_address_before_changes_nothing() {
    let mut house = House::new().await;
    let inner = house.router.clone();
    house.router = axum::Router::new().route("/p/{code}", axum::routing::any_service(inner));
    assert_eq!(house.get("").await.status, 200);
    assert_eq!(house.ask("Is it vegan?").await.status, 200);
    // A product of another tenant under the same id has another page.
    let other = nexus_testkit::people::scope(nexus_testkit::people::tenant(2));
    let theirs = crate::house::settle(&house.platform, &other).await;
    assert_ne!(theirs, house.code);
}
