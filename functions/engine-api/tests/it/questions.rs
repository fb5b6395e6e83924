//! What nobody knows, and a person's word on it.

use jiff::SignedDuration;
use nexus_core::approval::{self, Redeemed};
use nexus_core::effect::{self, EffectId, Found, Outcome};
use nexus_engine::Hop;
use nexus_engine::publishing::PostPlan;
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// A post that was sent, and whose answer was lost.
async fn lost(api: &Api) -> EffectId {
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let id: EffectId = posts[0]["id"].as_str().unwrap().parse().unwrap();
    let claim = api.platform.redeem::<PostPlan>(&scope(), id, "publish", LEASE).await.unwrap();
    let Redeemed::Send(claim) = claim else { panic!("it is due") };
    let unknown = Outcome::Unknown { why: "the answer was lost".into() };
    approval::settle(claim, unknown, "publish", api.platform.now()).await.unwrap();
    id
}

/// Looks a post up until a person is asked.
async fn looked_up_in_vain(api: &Api, id: EffectId) {
    for _ in 0..8 {
        api.platform.advance(SignedDuration::from_hours(2));
        let claim = api.platform.redeem::<PostPlan>(&scope(), id, "publish", LEASE).await.unwrap();
        let Redeemed::LookUp(unsure) = claim else { panic!("it is looked up") };
        let found = Found::StillUnknown { why: "the network does not say".into() };
        approval::settle_looked_up(unsure, found, "publish", api.platform.now()).await.unwrap();
    }
}

async fn receipt(api: &Api, id: EffectId) -> String {
    let post = effect::load::<PostPlan>(&api.platform.table, &scope(), id).await.unwrap();
    match post.unwrap().record.outcome() {
        Some(Outcome::Done { receipt, .. }) => receipt.clone(),
        other => panic!("{other:?}"),
    }
}

async fn open(api: &Api) -> Vec<Value> {
    let answer = api.get("/v1/questions").by(&ada()).send().await;
    answer.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn everything_unknown_stands_on_one_page_until_somebody_knows() {
    let api = Api::new();
    assert_eq!(open(&api).await, Vec::<Value>::new());
    let id = lost(&api).await;
    let [question] = open(&api).await.try_into().unwrap();
    assert_eq!((&question["id"], &question["sort"]), (&json!(id), &json!("post")));
    assert_eq!(
        (&question["state"], &question["seen"]),
        (&json!("unknown"), &json!("the answer was lost"))
    );

    let path = format!("/v1/questions/{id}/answer");
    let there =
        json!({ "happened": true, "url": "https://social.example/@ada/103254962155278888" });
    api.post(&path, there.clone()).by(&ada()).send().await.refused(409, &[]);

    looked_up_in_vain(&api, id).await;
    let [question] = open(&api).await.try_into().unwrap();
    assert_eq!(question["state"], "ask_a_person");
    let operator = people::operator(people::tenant(1));
    api.post(&path, there.clone()).by(&operator).send().await.refused(403, &[]);
    let evil = json!({ "happened": true, "url": "javascript:alert(1)" });
    api.post(&path, evil).by(&ada()).send().await.refused(422, &["url"]);

    let answer = api.post(&path, there.clone()).by(&ada()).send().await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("done")));
    assert_eq!(open(&api).await, Vec::<Value>::new());
    let post = api.get(&format!("/v1/posts/{id}")).by(&ada()).send().await.json();
    assert_eq!(post["url"], "https://social.example/@ada/103254962155278888");
    assert_eq!(receipt(&api, id).await, "103254962155278888");
    assert_eq!(post["history_is_whole"], true);
    let again = api.post(&path, there).by(&ada()).send().await;
    assert_eq!(again.json(), answer.json(), "twice is once");
}

#[tokio::test]
async fn a_mark_of_ours_is_not_taken_for_what_a_network_calls_a_post() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let id: EffectId = posts[0]["id"].as_str().unwrap().parse().unwrap();
    let claim = api.platform.redeem::<PostPlan>(&scope(), id, "publish", LEASE).await.unwrap();
    let Redeemed::Send(mut claim) = claim else { panic!("it is due") };
    claim.keep("2027-03-01T09:00:00Z", api.platform.now()).await.unwrap();
    let unknown = Outcome::Unknown { why: "the answer was lost".into() };
    approval::settle(claim, unknown, "publish", api.platform.now()).await.unwrap();
    looked_up_in_vain(&api, id).await;
    let path = format!("/v1/questions/{id}/answer");
    let answer = api.post(&path, json!({ "happened": true })).by(&ada()).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(receipt(&api, id).await, "seen by a person");
}

#[tokio::test]
async fn n15_what_may_be_there_is_neither_called_off_nor_moved_nor_sent_anew() {
    let api = Api::new();
    let id = lost(&api).await;
    looked_up_in_vain(&api, id).await;
    let path = format!("/v1/posts/{id}");
    let post = api.get(&path).by(&ada()).send().await.json();
    let (asked, sent) = (open(&api).await, api.platform.waiting(Hop::Publish).len());
    let later = json!({ "digest": post["digest"], "at": api.platform.now() + LEASE });
    for (deed, body) in
        [("cancel", json!({})), ("reschedule", later.clone()), ("retry", later.clone())]
    {
        let answer = api.post(&format!("{path}/{deed}"), body).by(&ada()).send().await;
        answer.refused(409, &[]);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("may have been sent"), "{deed}: {detail}");
        assert!(detail.contains("first whether it is there"), "{deed}: {detail}");
        assert_eq!(api.get(&path).by(&ada()).send().await.json(), post, "{deed}");
        assert_eq!(open(&api).await, asked, "{deed}");
    }
    assert_eq!(api.platform.waiting(Hop::Publish).len(), sent, "nothing is sent");

    let answered = json!({ "happened": false });
    let answer = format!("/v1/questions/{id}/answer");
    assert_eq!(api.post(&answer, answered).by(&ada()).send().await.status, 200);
    let anew = api.post(&format!("{path}/retry"), later).by(&ada()).send().await;
    assert_eq!(anew.status, 200, "{anew:?}");
}

#[tokio::test]
async fn n53_a_medium_goes_and_the_question_about_its_post_stays() {
    let api = Api::new();
    let id = lost(&api).await;
    looked_up_in_vain(&api, id).await;
    let asked = open(&api).await;
    let media = api.get("/v1/media").by(&ada()).send().await.json();
    let media = format!("/v1/media/{}", media["items"][0]["id"].as_str().unwrap());
    assert_eq!(api.call("DELETE", &media).by(&ada()).send().await.status, 204);
    assert_eq!(open(&api).await, asked);
    let path = format!("/v1/posts/{id}");
    let post = api.get(&path).by(&ada()).send().await.json();
    assert_eq!(post["state"], "ask_a_person");
    let answer = format!("/v1/questions/{id}/answer");
    let said = api.post(&answer, json!({ "happened": false })).by(&ada()).send().await;
    assert_eq!(said.json()["state"], "cancelled");
    let again = json!({ "digest": post["digest"] });
    api.post(&format!("{path}/retry"), again).by(&ada()).send().await.refused(409, &[]);
}

#[tokio::test]
async fn n15_what_did_not_happen_is_not_sent_again_under_the_old_approval() {
    let api = Api::new();
    let id = lost(&api).await;
    looked_up_in_vain(&api, id).await;
    let path = format!("/v1/questions/{id}/answer");
    let answer = api.post(&path, json!({ "happened": false })).by(&ada()).send().await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("cancelled")));
    assert_eq!(open(&api).await, Vec::<Value>::new());
    let claim = api.platform.redeem::<PostPlan>(&scope(), id, "publish", LEASE).await.unwrap();
    assert!(matches!(claim, Redeemed::Nothing(_)));
    let other = api.post(&path, json!({ "happened": true })).by(&ada()).send().await;
    other.refused(409, &[]);
}
