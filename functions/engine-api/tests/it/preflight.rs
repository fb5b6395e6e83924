//! What networks say of a draft's posts before somebody approves them.

use nexus_core::egress::Cost;
use nexus_engine::publishing::{Offers, Preflight, Privacy};
use nexus_kernel::FieldProblem;
use serde_json::json;

use crate::api::{Api, ada, at, scope};

fn refusing(field: &str) -> Preflight {
    let problem = FieldProblem { field: field.into(), problem: "choose who may see it".into() };
    Preflight { problems: vec![problem], ..Preflight::default() }
}

#[tokio::test]
async fn a_person_reads_limits_prices_and_what_there_is_to_choose_before_approving() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let offers = Offers {
        nickname: "Ada's shop".into(),
        privacy: vec![Privacy::Everyone, Privacy::OnlyMe],
        comments: true,
        duets: false,
        stitches: false,
        longest_seconds: 60,
    };
    api.platform.publisher.say(Preflight {
        notes: vec!["A link costs more.".into()],
        cost: Cost::micros(200_000),
        offers: Some(offers),
        ..refusing("choices.privacy")
    });
    let path = format!("{}/preflight", at(&draft));
    let answer = api.get(&path).by(&ada()).send().await;
    assert_eq!(answer.status, 200);
    let said = answer.json();
    assert_eq!(said["digest"], json!(api.digest(&draft).await));
    let first = &said["posts"][0];
    assert_eq!((&first["network"], &first["place"]), (&json!("feed"), &json!("feed")));
    assert_eq!(first["problems"][0]["field"], "choices.privacy");
    assert_eq!(
        (&first["cost_micros"], &first["notes"][0]),
        (&json!(200_000), &json!("A link costs more."))
    );
    assert_eq!(first["offers"]["privacy"], json!(["everyone", "only_me"]));
    assert_eq!(said["posts"][1]["problems"], json!([]));
}

#[tokio::test]
async fn n15_what_a_network_would_not_take_is_not_approved_and_the_field_is_named() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let digest = api.digest(&draft).await;
    let before = api.platform.rows().await;
    api.platform.publisher.say(refusing("choices.privacy"));
    let path = format!("{}/approve", at(&draft));
    let answer = api.post(&path, json!({ "digest": digest })).by(&ada()).send().await;
    answer.refused(422, &["choices.feed.privacy"]);
    assert_eq!(api.platform.rows().await, before);

    let chosen = json!({ "digest": digest, "choices": { "feed": { "privacy": "everyone" } } });
    let answer = api.post(&path, chosen.clone()).by(&ada()).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = api.platform.publisher.preflighted.all();
    assert_eq!(asked.last().unwrap().choices.privacy, Some(Privacy::Everyone));
    let chosen_then = &answer.json()["posts"][0]["choices"];
    assert_eq!(
        (&chosen_then["privacy"], &chosen_then["comments"]),
        (&json!("everyone"), &json!(false))
    );

    // The same again is one approval, and asks nobody; another choice is another approval.
    let again = api.post(&path, chosen).by(&ada()).send().await;
    assert_eq!(again.json(), answer.json());
    assert_eq!(api.platform.publisher.preflighted.all().len(), asked.len());
    api.post(&path, json!({ "digest": digest })).by(&ada()).send().await.refused(409, &[]);
}

#[tokio::test]
async fn n15_what_a_network_would_not_take_is_neither_moved_nor_sent_anew() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let path =
        |n: usize, deed: &str| format!("/v1/posts/{}/{deed}", posts[n]["id"].as_str().unwrap());
    let cancelled = api.call("POST", &path(1, "cancel")).by(&ada()).send().await;
    assert_eq!(cancelled.status, 200);
    let later = |n: usize| json!({ "digest": posts[n]["digest"], "at": "2027-03-05T09:00:00Z" });
    for (n, deed) in [(0, "reschedule"), (1, "retry")] {
        let before = api.platform.rows().await;
        api.platform.publisher.say(refusing("choices.privacy"));
        let answer = api.post(&path(n, deed), later(n)).by(&ada()).send().await;
        answer.refused(422, &["choices.feed.privacy"]);
        assert_eq!(api.platform.rows().await, before, "{deed}");
        let answer = api.post(&path(n, deed), later(n)).by(&ada()).send().await;
        assert_eq!(answer.status, 200, "{deed}: {answer:?}");
        // The same again asks nobody.
        api.platform.publisher.say(refusing("choices.privacy"));
        let again = api.post(&path(n, deed), later(n)).by(&ada()).send().await;
        assert_eq!(again.json(), answer.json(), "{deed}");
        api.platform.publisher.forget();
    }
}

#[tokio::test]
async fn choices_for_an_account_that_the_draft_does_not_go_to_are_refused() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let digest = api.digest(&draft).await;
    let stray = json!({ "digest": digest, "choices": { "con_1": {} } });
    let path = format!("{}/approve", at(&draft));
    api.post(&path, stray).by(&ada()).send().await.refused(422, &["choices.con_1"]);
}

#[tokio::test]
async fn a_network_without_an_account_is_named_and_nothing_goes_there() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let settings = json!({ "networks": ["tiktok", "feed"] });
    assert_eq!(api.put("/v1/settings", settings).by(&ada()).send().await.status, 200);
    let draft_now = api.get(&at(&draft)).by(&ada()).send().await.json();
    let proposal = &draft_now["proposal"];
    assert_eq!(proposal["unconnected"], json!(["tiktok"]));
    let networks: Vec<_> =
        proposal["posts"].as_array().unwrap().iter().map(|p| &p["network"]).collect();
    assert_eq!(networks, ["feed", "feed"]);

    let alone = json!({ "networks": ["tiktok"] });
    assert_eq!(api.put("/v1/settings", alone).by(&ada()).send().await.status, 200);
    let digest = api.digest(&draft).await;
    let path = format!("{}/approve", at(&draft));
    api.post(&path, json!({ "digest": digest })).by(&ada()).send().await.refused(409, &[]);
}
