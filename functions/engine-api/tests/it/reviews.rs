//! Links for people without an account, as the draft's owner sees them.

use nexus_core::{Product, RecordKind};
use nexus_engine::reviewing::{self, Said, Verdict};
use nexus_kernel::{Pii, Secret};
use serde_json::json;

use crate::api::{Api, ada, at, scope};

#[tokio::test]
async fn a_link_is_made_told_once_read_by_its_notes_and_ended() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let path = format!("{}/reviews", at(&draft));
    let made = api.post(&path, json!({ "label": "Grace", "days": 3 })).by(&ada()).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let link = made.json();
    let code = link["path"].as_str().unwrap().strip_prefix("/r/").unwrap().to_owned();
    assert_eq!(code.len(), 23);
    let stored = api.platform.rows().await;
    assert!(!format!("{stored:?}").contains(&code), "only its digest is kept");

    let (table, now) = (&api.platform.table, api.platform.now());
    let opened = reviewing::open(table, Product::Engine, &Secret::new(code), now).await.unwrap();
    let said = Said {
        revision: 1,
        name: Pii::new("Grace".into()),
        verdict: Verdict::Change,
        text: Pii::new("More crust.".into()),
    };
    reviewing::note(table, &opened, said, now).await.unwrap();
    let listed = api.get(&path).by(&ada()).send().await.json();
    assert_eq!(listed["links"][0]["label"], "Grace");
    assert!(listed["links"][0].get("path").is_none(), "told once");
    let note = &listed["notes"][0];
    assert_eq!((&note["verdict"], &note["text"]), (&json!("change"), &json!("More crust.")));

    let end = json!({ "link": link["id"] });
    let ended = api.post(&format!("{path}/end"), end.clone()).by(&ada()).send().await;
    assert_eq!((ended.status, &ended.json()["until"]), (200, &json!(now.to_string())));
    let again = api.post(&format!("{path}/end"), end).by(&ada()).send().await;
    assert_eq!(again.json(), ended.json());
}

#[tokio::test]
async fn a_reviewers_words_are_in_no_proposal_and_in_no_post() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let path = format!("{}/reviews", at(&draft));
    let made = api.post(&path, json!({ "label": "canary-label" })).by(&ada()).send().await;
    let code = made.json()["path"].as_str().unwrap().strip_prefix("/r/").unwrap().to_owned();
    let (table, now) = (&api.platform.table, api.platform.now());
    let opened = reviewing::open(table, Product::Engine, &Secret::new(code), now).await.unwrap();
    let said = Said {
        revision: 1,
        name: Pii::new("canary-name".into()),
        verdict: Verdict::Fine,
        text: Pii::new("canary-text".into()),
    };
    reviewing::note(table, &opened, said, now).await.unwrap();
    let shown = api.get(&at(&draft)).by(&ada()).send().await.json().to_string();
    assert!(!shown.contains("canary"));
    api.approved(&draft).await;
    for row in api.platform.rows().await {
        let there = row.body.contains("canary");
        assert_eq!(there, row.kind == RecordKind::Reviews, "{:?}", row.kind);
    }
}

#[tokio::test]
async fn a_link_has_somebody_and_an_end() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let path = format!("{}/reviews", at(&draft));
    for (body, field) in [
        (json!({ "label": " " }), "label"),
        (json!({ "label": "a".repeat(81) }), "label"),
        (json!({ "label": "Grace", "days": 0 }), "days"),
        (json!({ "label": "Grace", "days": 31 }), "days"),
        (json!({ "label": "Grace", "role": "approver" }), "role"),
    ] {
        api.post(&path, body).by(&ada()).send().await.refused(422, &[field]);
    }
    for _ in 0..reviewing::MAX_LINKS {
        let made = api.post(&path, json!({ "label": "Grace" })).by(&ada()).send().await;
        assert_eq!(made.status, 201);
    }
    api.post(&path, json!({ "label": "Grace" })).by(&ada()).send().await.refused(409, &[]);
}
