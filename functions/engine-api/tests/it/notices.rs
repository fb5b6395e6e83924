//! What a tenant has to be told.

use jiff::SignedDuration;
use nexus_engine::EnginePlatform;
use nexus_engine::notices::{NoticeCode, tell};
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

async fn list(api: &Api, query: &str) -> Value {
    let answer = api.get(&format!("/v1/notices{query}")).by(&ada()).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn notices_stand_newest_first_page_by_page_for_their_tenant_alone() {
    let api = Api::new();
    assert_eq!(list(&api, "").await, json!({ "items": [] }));
    let codes =
        [NoticeCode::ReconnectNeeded, NoticeCode::RevokedOutside, NoticeCode::RemoveThereToo];
    for (number, code) in codes.into_iter().enumerate() {
        api.platform.advance(SignedDuration::from_millis(1));
        let text = format!("Notice {number}.");
        let ops = tell(&scope(), &api.platform.ambient(), code, text, Some("con_1".into()));
        api.platform.commit(ops.unwrap()).await;
    }
    let first = list(&api, "?limit=2").await;
    let told = &first["items"][0];
    assert_eq!((&told["code"], &told["text"]), (&json!("remove_there_too"), &json!("Notice 2.")));
    assert_eq!((&told["at"], &told["about"]), (&json!(api.platform.now()), &json!("con_1")));
    assert_eq!(told["mail"], json!({ "state": "waiting", "at": null, "why": null }));
    assert_eq!(first["items"][1]["code"], "revoked_outside");
    let after = first["next"].as_str().unwrap();
    let rest = list(&api, &format!("?limit=2&after={after}")).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), rest.get("next")), (1, None));
    assert_eq!(rest["items"][0]["code"], "reconnect_needed");

    let stranger = people::operator(people::tenant(2));
    let theirs = api.get("/v1/notices").by(&stranger).send().await.json();
    assert_eq!(theirs, json!({ "items": [] }));
    api.get("/v1/notices?limit=0").by(&ada()).send().await.refused(422, &["limit"]);

    api.platform.advance(SignedDuration::from_hours(24 * 90));
    assert_eq!(list(&api, "").await, json!({ "items": [] }), "kept for 90 days");
}
