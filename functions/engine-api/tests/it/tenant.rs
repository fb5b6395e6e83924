//! Account and settings.

use jiff::SignedDuration;
use nexus_core::RecordKind;
use nexus_engine::account::Settings;
use nexus_engine::cache;
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

fn account() -> Value {
    json!({
        "email": "owner@bakery.example", "business_name": "Corner Bakery", "niche": "bakery",
        "brand_voice": "warm, a little playful", "display_name": "Ada",
    })
}

#[tokio::test]
async fn an_account_is_written_and_read() {
    let api = Api::new();
    assert_eq!(api.get("/v1/account").by(&ada()).send().await.status, 404);
    let written = api.put("/v1/account", account()).by(&ada()).send().await;
    assert_eq!((written.status, written.json()), (200, account()));
    assert_eq!(api.get("/v1/account").by(&ada()).send().await.json(), account());
}

#[tokio::test]
async fn n2_an_account_holds_five_fields_and_a_sixth_is_refused() {
    let api = Api::new();
    for extra in ["phone", "password", "card_number"] {
        let mut body = account();
        body[extra] = "4111".into();
        api.put("/v1/account", body).by(&ada()).send().await.refused(422, &[extra]);
    }
    assert!(api.platform.rows().await.is_empty());

    api.put("/v1/account", account()).by(&ada()).send().await;
    let rows = api.platform.rows().await;
    let kept: Vec<&str> =
        rows.iter().filter(|r| r.kind == RecordKind::Account).map(|r| r.body.as_str()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(kept[0]).unwrap(), account());
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_field_by_field() {
    let api = Api::new();
    let mut body = account();
    body["email"] = "nobody".into();
    body["niche"] = "".into();
    body["display_name"] = "two\nlines".into();
    let answer = api.put("/v1/account", body).by(&ada()).send().await;
    answer.refused(422, &["niche", "display_name", "email"]);
    assert!(!String::from_utf8_lossy(&answer.body).contains("nobody"));

    let mut body = account();
    body.as_object_mut().unwrap().remove("niche");
    api.put("/v1/account", body).by(&ada()).send().await.refused(422, &["niche"]);
}

#[tokio::test]
async fn settings_have_defaults_and_take_what_is_said() {
    let api = Api::new();
    let defaults = json!({
        "languages": ["en", "es"], "networks": ["feed"], "brand_terms": [], "cache_hours": 24,
        "time_zone": "UTC", "providers": { "speech": [] }, "paid_comments": false,
    });
    assert_eq!(api.get("/v1/settings").by(&ada()).send().await.json(), defaults);

    let body = json!({ "networks": ["x", "feed", "x"], "time_zone": "Europe/Madrid" });
    let answer = api.put("/v1/settings", body).by(&ada()).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["networks"], json!(["feed", "x"]), "each once");
    assert_eq!(answer.json()["cache_hours"], 24, "what is left out has its default");
    assert_eq!(api.get("/v1/settings").by(&ada()).send().await.json(), answer.json());

    let body =
        json!({ "languages": ["es"], "networks": [], "cache_hours": 721, "time_zone": "Mars" });
    let answer = api.put("/v1/settings", body).by(&ada()).send().await;
    answer.refused(422, &["languages", "networks", "cache_hours", "time_zone"]);
    let body = json!({ "providers": { "copy": "gemini", "speech": ["elevenlabs", "house"], "footage": "runway" } });
    let answer = api.put("/v1/settings", body.clone()).by(&ada()).send().await;
    assert_eq!(answer.json()["providers"], body["providers"]);
    let body = json!({ "providers": { "speech": ["house", "house"] } });
    api.put("/v1/settings", body).by(&ada()).send().await.refused(422, &["providers.speech"]);
    let body = json!({ "networks": ["feed", "myspace"] });
    api.put("/v1/settings", body).by(&ada()).send().await.refused(422, &["networks[1]"]);
    api.put("/v1/settings", json!({ "lang": 1 })).by(&ada()).send().await.refused(422, &["lang"]);
}

#[tokio::test]
async fn n49_n50_results_are_kept_as_long_as_each_tenant_says() {
    let api = Api::new();
    let question = cache::question("fake", &"what");
    for (tenant, hours) in [(1, 1), (2, 72), (3, 24)] {
        let tenant = people::tenant(tenant);
        if hours != 24 {
            let body = json!({ "cache_hours": hours });
            let answer = api.put("/v1/settings", body).by(&people::operator(tenant)).send().await;
            assert_eq!(answer.status, 200);
        }
        let scope = people::scope(tenant);
        let settings = api.platform.load(&scope, &Settings::default()).await.unwrap_or_default();
        assert_eq!(settings.cache_age(), SignedDuration::from_hours(hours));
        let until = api.platform.now().saturating_add(settings.cache_age()).unwrap();
        api.platform.commit(vec![cache::keep(&scope, question, &"that", until)]).await;
        for (after, there) in [
            (settings.cache_age() - SignedDuration::from_secs(1), true),
            (settings.cache_age(), false),
        ] {
            let then = api.platform.now().saturating_add(after).unwrap();
            let found = cache::find::<String>(&api.platform.table, &scope, question, then).await;
            assert_eq!(found.unwrap().is_some(), there, "{hours} h, after {after:?}");
        }
    }
}

#[tokio::test]
async fn somebody_of_several_tenants_names_one() {
    use nexus_core::Role::{Approver, Operator};
    let api = Api::new();
    let (one, two, three) = (people::tenant(1), people::tenant(2), people::tenant(3));
    let both = people::claims("usr", &[(one, Operator), (two, Approver)]);
    api.put("/v1/account", account()).by(&ada()).send().await;
    assert_eq!(scope().owner().tenant(), one);

    api.get("/v1/account").by(&both).send().await.refused(422, &["Nexus-Tenant"]);
    let at = |tenant: &str| api.get("/v1/account").by(&both).header("nexus-tenant", tenant);
    assert_eq!(at(&one.to_string()).send().await.status, 200);
    assert_eq!(at(&two.to_string()).send().await.status, 404, "has no account yet");
    let foreign = at(&three.to_string()).send().await;
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.body, at("ten_nonsense").send().await.body);
}

#[tokio::test]
async fn n17_slots_are_up_to_fifty_weekly_times_each_once() {
    let api = Api::new();
    let slot = |day: &str, at: &str| json!({ "day": day, "at": at });
    let write = async |slots: Value| {
        let body = json!({ "time_zone": "Europe/Madrid", "slots": slots });
        api.put("/v1/settings", body).by(&ada()).send().await
    };
    let fifty: Vec<Value> = (0..50).map(|n| slot("friday", &format!("09:{n:02}"))).collect();
    let written = write(json!(fifty)).await;
    assert_eq!(written.status, 200, "{written:?}");
    assert_eq!(written.json()["slots"][1], slot("friday", "09:01:00"));
    assert_eq!(api.get("/v1/settings").by(&ada()).send().await.json(), written.json());

    let many: Vec<Value> = fifty.iter().cloned().chain([slot("monday", "09:00")]).collect();
    for (slots, field) in [
        (json!(many), "slots"),
        (json!([slot("monday", "09:00"), slot("monday", "09:00:00")]), "slots"),
        (json!([slot("monday", "09:00:30")]), "slots"),
        (json!([slot("someday", "09:00")]), "slots[0].day"),
        (json!([slot("monday", "09:00"), slot("Monday", "10:00")]), "slots[1].day"),
        (json!([slot("monday", "25:00")]), "slots[0].at"),
        (json!([slot("monday", "soon")]), "slots[0].at"),
        (json!([{ "day": "monday" }]), "slots[0].at"),
        (json!([{ "day": "monday", "at": "09:00", "zone": "UTC" }]), "slots[0].zone"),
        (json!("monday"), "slots"),
    ] {
        write(slots).await.refused(422, &[field]);
    }
    assert_eq!(api.get("/v1/settings").by(&ada()).send().await.json(), written.json());
    assert_eq!(write(json!([])).await.json().get("slots"), None);
}
