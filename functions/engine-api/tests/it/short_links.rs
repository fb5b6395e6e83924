//! Links, as their owner makes, changes and ends them.

use jiff::SignedDuration;
use nexus_core::RecordKind;
use nexus_engine::Hop;
use nexus_engine::links::{Link, LinkCode};
use nexus_handler::Env;
use nexus_testkit::{MemoryPlatform, people};
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

const BASE: &str = "https://go.example.com/c";

/// A link with nothing said but where it leads.
pub(crate) fn plain() -> Value {
    json!({ "link": { "targets": [{ "address": "https://bakery.example/sourdough" }] } })
}

fn with_base() -> Api {
    let settings = Hop::ALL.map(|hop| (hop.setting(), hop.name()));
    let env = Env::from_pairs(settings.into_iter().chain([("LINK_BASE", BASE)]));
    Api::with(MemoryPlatform::new(), &env)
}

async fn links(api: &Api) -> usize {
    api.platform.rows().await.iter().filter(|row| row.kind == RecordKind::Link).count()
}

#[tokio::test]
async fn a_link_is_made_read_changed_and_ended() {
    let api = with_base();
    let made = api.post("/v1/links", plain()).by(&ada()).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let told = made.json();
    let code = told["code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 12);
    assert_eq!(told["address"], format!("{BASE}/{code}"));
    assert_eq!(
        told["link"]["targets"],
        json!([{ "address": "https://bakery.example/sourdough", "weight": 1 }])
    );
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("/v1/links/{code}"));
    assert_eq!(api.get(&path).by(&ada()).send().await.json(), told);

    let whole = json!({
        "targets": [
            { "address": "https://bakery.example/a", "weight": 3 },
            { "address": "https://bakery.example/b", "weight": 1 },
        ],
        "rules": [{ "countries": ["ES"], "devices": ["phone"], "languages": ["es"], "address": "https://bakery.example/es" }],
        "utm": { "source": "tiktok", "replace": true },
        "expires": "2099-01-01T00:00:00Z",
        "fallback": "https://bakery.example/",
    });
    for _ in 0..2 {
        let changed = api.put(&path, whole.clone()).by(&ada()).send().await;
        assert_eq!((changed.status, &changed.json()["link"]), (200, &whole), "{changed:?}");
    }
    let parsed = LinkCode::parse(&code).unwrap();
    let (table, now) = (&api.platform.table, api.platform.now());
    let stored = nexus_engine::links::load(table, &scope(), &parsed, now).await.unwrap();
    assert_eq!(stored.version, 2, "to change it to what it is changes nothing");
    let listed = api.get("/v1/links").by(&ada()).send().await.json();
    assert_eq!(listed["items"][0]["link"], whole);

    api.platform.advance(SignedDuration::from_mins(1));
    let revoked = api.call("POST", &format!("{path}/revoke")).by(&ada()).send().await.json();
    assert_eq!(revoked["revoked"], api.platform.now().to_string());
    api.platform.advance(SignedDuration::from_mins(1));
    let again = api.call("POST", &format!("{path}/revoke")).by(&ada()).send().await.json();
    assert_eq!(again, revoked, "twice is once");
    let late = api.put(&path, plain()["link"].clone()).by(&ada()).send().await;
    assert_eq!(late.status, 409);
    // Its code is nobody's ever after.
    let body = json!({ "code": code, "link": plain()["link"] });
    assert_eq!(api.post("/v1/links", body).by(&ada()).send().await.status, 409);
}

#[tokio::test]
async fn a_code_of_ones_own_is_one_tenants() {
    let api = Api::new();
    let body = json!({ "code": "spring-sale", "link": plain()["link"] });
    for _ in 0..2 {
        let made = api.post("/v1/links", body.clone()).by(&ada()).send().await;
        assert_eq!((made.status, made.json()["code"].as_str()), (201, Some("spring-sale")));
        assert!(made.json().get("address").is_none(), "nothing answers it here");
    }
    assert_eq!(links(&api).await, 1, "the same made twice is one");
    let other = json!({ "code": "spring-sale", "link": { "targets": [{ "address": "https://other.example/" }] } });
    assert_eq!(api.post("/v1/links", other.clone()).by(&ada()).send().await.status, 409);
    let bob = people::approver(people::tenant(2));
    assert_eq!(api.post("/v1/links", other).by(&bob).send().await.status, 409, "another tenant's");
    assert_eq!(links(&api).await, 1);
    for path in ["/v1/links/spring-sale", "/v1/links/nobodys", "/v1/links/%2e%2e"] {
        assert_eq!(api.get(path).by(&bob).send().await.status, 404, "n48: {path}");
    }
    let foreign = api.put("/v1/links/spring-sale", plain()["link"].clone()).by(&bob).send().await;
    assert_eq!(foreign.status, 404);
    assert_eq!(
        api.post("/v1/links/spring-sale/revoke", json!({})).by(&bob).send().await.status,
        404
    );
}

#[tokio::test]
async fn under_one_key_one_link_is_made() {
    let api = Api::new();
    let first = api.post("/v1/links", plain()).by(&ada()).key("k1").send().await;
    let again = api.post("/v1/links", plain()).by(&ada()).key("k1").send().await;
    assert_eq!((first.json(), links(&api).await), (again.json(), 1));
    api.post("/v1/links", plain()).by(&ada()).send().await;
    assert_eq!(links(&api).await, 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_link_is_told_field_by_field() {
    let api = Api::new();
    let with = |field: &str, value: Value| {
        let mut body = plain();
        body["link"][field] = value;
        body
    };
    let to = |address: &str| json!([{ "address": address }]);
    let cases = [
        (with("targets", json!([])), "targets"),
        (with("targets", json!([{ "address": "https://a.example", "weight": 0 }])), "targets"),
        (with("targets", json!([{ "address": "https://a.example", "weight": 1_001 }])), "targets"),
        (with("targets", to("javascript:alert(1)")), "targets[0].address"),
        (with("targets", to("https://shop.example@evil.example/")), "targets[0].address"),
        (with("targets", to("https://shор.example/")), "targets[0].address"),
        (with("targets", to("https://a.example/\r\nX: y")), "targets[0].address"),
        (with("rules", json!([{ "address": "https://a.example" }])), "rules[0]"),
        (
            with("rules", json!([{ "countries": ["ES"], "address": "//a.example" }])),
            "rules[0].address",
        ),
        (with("fallback", "ftp://a.example".into()), "fallback"),
        (with("utm", json!({ "source": "" })), "utm.source"),
    ];
    for (body, field) in cases {
        let field = format!("link.{field}");
        api.post("/v1/links", body).by(&ada()).send().await.refused(422, &[&field]);
    }
    let put = with("fallback", "ftp://a.example".into())["link"].clone();
    api.put("/v1/links/nobodys", put).by(&ada()).send().await.refused(422, &["fallback"]);
    let mut odd = plain();
    odd["code"] = "a b".into();
    api.post("/v1/links", odd).by(&ada()).send().await.refused(422, &["code"]);
    let settings = json!({ "links": { "fallback": "nowhere", "utm": { "term": "" } } });
    let fields = ["links.fallback", "links.utm.term"];
    api.put("/v1/settings", settings).by(&ada()).send().await.refused(422, &fields);
    assert_eq!(links(&api).await, 0);
    let settings =
        json!({ "links": { "fallback": "https://a.example/", "utm": { "source": "nexus" } } });
    let written = api.put("/v1/settings", settings.clone()).by(&ada()).send().await;
    assert_eq!((written.status, &written.json()["links"]), (200, &settings["links"]));
}

#[tokio::test]
async fn what_an_approver_saw_is_changed_by_an_approver() {
    let api = Api::new();
    let code = LinkCode::parse("of-a-post").unwrap();
    let post = nexus_core::effect::EffectId::derived(&["post"]);
    let link =
        Link { post: Some(post), ..Link::to(code, "https://bakery.example/", api.platform.now()) };
    api.platform.commit(link.ops(&scope()).into()).await;
    let (operator, approver) = (people::operator(people::tenant(1)), ada());
    let put =
        async |who| api.put("/v1/links/of-a-post", plain()["link"].clone()).by(who).send().await;
    assert_eq!(put(&operator).await.status, 403);
    let changed = put(&approver).await;
    assert_eq!((changed.status, &changed.json()["post"]), (200, &json!(post)));
    let stands = api.platform.load(&scope(), &link).await;
    assert_eq!(stands.and_then(|link| link.post), Some(post));

    // What all links do that say nothing else is a part of where it leads, and so is its end.
    let settings = async |links: Value, who| {
        let body = json!({ "cache_hours": 24, "links": links });
        api.put("/v1/settings", body).by(who).send().await.status
    };
    let elsewhere = json!({ "fallback": "https://elsewhere.example/" });
    let replaced = json!({ "utm": { "source": "x", "replace": true } });
    assert_eq!(settings(elsewhere.clone(), &operator).await, 403);
    assert_eq!(settings(json!({}), &operator).await, 200, "the rest is an operator's too");
    assert_eq!(settings(elsewhere.clone(), &approver).await, 200);
    for (links, status) in [(elsewhere, 200), (replaced, 403), (json!({}), 403)] {
        assert_eq!(settings(links.clone(), &operator).await, status, "{links}");
    }
    let end = async |code: &str, who| {
        api.post(&format!("/v1/links/{code}/revoke"), json!({})).by(who).send().await.status
    };
    assert_eq!(end("of-a-post", &operator).await, 403);
    let stands = api.platform.load(&scope(), &link).await;
    assert_eq!(stands.and_then(|link| link.revoked), None);
    assert_eq!(end("of-a-post", &approver).await, 200);
    let mut other = plain();
    other["code"] = "of-no-post".into();
    api.post("/v1/links", other).by(&operator).send().await;
    assert_eq!(end("of-no-post", &operator).await, 200);
}

#[tokio::test]
async fn a_qr_code_leads_to_the_links_address() {
    let api = with_base();
    let body = json!({ "code": "Spring2027", "link": plain()["link"] });
    api.post("/v1/links", body).by(&ada()).send().await;
    let png = api.get("/v1/links/Spring2027/qr.png").by(&ada()).send().await;
    assert_eq!((png.status, png.header("content-type")), (200, "image/png"));
    let picture = image::load_from_memory(&png.body).unwrap().to_luma8();
    let mut read = rqrr::PreparedImage::prepare(picture);
    let found = read.detect_grids();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].decode().unwrap().1, format!("{BASE}/Spring2027"));

    let svg = api.get("/v1/links/Spring2027/qr.svg").by(&ada()).send().await;
    assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"));
    let drawn = String::from_utf8(svg.body.to_vec()).unwrap();
    assert!(drawn.contains("<svg") && !drawn.contains("<script"), "{drawn}");

    assert_eq!(api.get("/v1/links/nobodys/qr.png").by(&ada()).send().await.status, 404);
    let without = Api::new();
    let made = without.post("/v1/links", plain()).by(&ada()).send().await;
    let path = format!("{}/qr.svg", made.header("location"));
    assert_eq!(without.get(&path).by(&ada()).send().await.status, 409);
}

/// Wherever the store fails, a link stands with its claim or not at all, and asking again under the key makes it once.
#[tokio::test]
async fn a_link_whose_making_died_anywhere_is_made_once() {
    use std::sync::Arc;

    use nexus_contract::{Fault, Faults, Flaky};
    for how in [Fault::Before, Fault::After] {
        for at in 0..12 {
            let faults = Faults::crash(at, how);
            let count = faults.clone();
            let platform = MemoryPlatform::new();
            let api = Api::on(platform.with_table(|table| Arc::new(Flaky::new(table, count))));
            api.post("/v1/links", plain()).by(&ada()).key("k1").send().await;
            faults.revive();
            api.platform.advance(SignedDuration::from_mins(5));
            let again = api.post("/v1/links", plain()).by(&ada()).key("k1").send().await;
            assert_eq!(again.status, 201, "{at} {how:?} {again:?}");
            assert_eq!(links(&api).await, 1, "{at} {how:?}");
            let claims = api.platform.rows().await;
            assert_eq!(claims.iter().filter(|row| row.kind == RecordKind::Claim).count(), 1);
        }
    }
}
