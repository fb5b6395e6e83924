//! A person disconnects an account.

use nexus_core::approval::Redeemed;
use nexus_core::effect::{Effect, State};
use nexus_engine::connections::LoginError;
use nexus_engine::notices::NoticeCode;
use nexus_engine::publishing::PostPlan;
use serde_json::json;

use crate::api::{Api, post, scope, secs};

#[tokio::test]
async fn n55_n62_disconnecting_stops_posts_deletes_tokens_tells_the_network_and_gives_a_receipt() {
    let api = Api::new();
    let id = api.connect(1).await;
    api.tiktok.logged_in_as(Some("account-2"));
    let other = api.connect(1).await;
    let mut waiting = Vec::new();
    for number in 0..250 {
        waiting.push(post(&api.platform, &id, number, secs(i64::from(number) * 600)).await);
    }
    let elsewhere = post(&api.platform, &other, 900, secs(60)).await;
    let sending = post(&api.platform, &id, 901, secs(0)).await;
    let held = api.platform.redeem::<PostPlan>(&scope(1), sending.id, "publish", secs(60)).await;
    assert!(matches!(held.unwrap(), Redeemed::Send(_)));

    let answer = api.disconnect(&id).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let receipt = answer.json();
    assert_eq!(receipt["posts_cancelled"], 250);
    assert_eq!(receipt["too_late"], json!([sending.id]));
    assert_eq!(receipt["tokens_deleted"], true);
    assert_eq!(receipt["remains"], "nothing");
    assert_eq!(receipt["network_told"], true);
    assert_eq!(receipt["connection"]["state"], "revoked");
    assert_eq!(receipt["connection"]["why"], "It was disconnected here.");
    assert_eq!(api.kept(&id).await, None);
    assert!(api.kept(&other).await.is_some());
    assert_eq!(api.tiktok.revoked(), ["access-1", "refresh-1"]);
    assert!(!api.tiktok.takes("access-1"));
    for post in &waiting {
        let post = api.platform.load(&scope(1), post).await.unwrap();
        assert_eq!(post.state(), State::Cancelled);
        let last = post.history().last().unwrap();
        assert_eq!(
            (last.by.as_str(), last.reason.as_str()),
            ("usr-approver", "its account was disconnected")
        );
        assert!(post.history_is_whole());
    }
    let state =
        async |post: &Effect<PostPlan>| api.platform.load(&scope(1), post).await.unwrap().state();
    assert_eq!((state(&elsewhere).await, state(&sending).await), (State::Approved, State::Sending));
    assert!(api.notices().await.is_empty(), "the person has the receipt");

    // Twice is once, and the receipt says the same.
    let mut again = api.disconnect(&id).await.json();
    again["network_told"] = json!(true);
    assert_eq!(again, receipt);
    assert_eq!(api.tiktok.revoked().len(), 2);
}

#[tokio::test]
async fn n62_a_network_that_cannot_be_told_stops_nothing_and_the_owner_is_told() {
    let api = Api::new();
    let id = api.connect(1).await;
    api.tiktok.revoke_fails(LoginError::Unknown { why: "no answer".into() });
    let receipt = api.disconnect(&id).await.json();
    assert_eq!(
        (&receipt["network_told"], &receipt["tokens_deleted"]),
        (&json!(false), &json!(true))
    );
    assert_eq!((api.kept(&id).await, api.secrets()), (None, 0));
    let notices = api.notices().await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].code, NoticeCode::RemoveThereToo);
    assert!(notices[0].text.contains("in the settings of TikTok"), "{}", notices[0].text);
    api.disconnect(&id).await;
    assert_eq!(api.notices().await.len(), 1);
}

#[tokio::test]
async fn an_account_that_was_disconnected_while_its_owner_was_at_the_network_may_be_connected_again()
 {
    let api = Api::new();
    let id = api.connect(1).await;
    let state = api.begin(1).await;
    assert_eq!(api.disconnect(&id).await.status, 200);
    assert_eq!(api.come_back(&format!("code=c&state={state}")).await.status, 200);
    assert!(api.connection(&id).await.is_connected());
    assert!(api.kept(&id).await.unwrap().contains("access-2"));
}

#[tokio::test]
async fn posts_of_an_ending_that_nobody_carried_on_do_not_go_out_when_the_account_is_connected_again()
 {
    let api = Api::new();
    let id = api.connect(1).await;
    let waiting = post(&api.platform, &id, 1, secs(86_400)).await;
    let mut connection = api.connection(&id).await;
    let now = api.platform.now();
    connection.state = nexus_engine::connections::ConnectionState::Revoked {
        by: "usr".into(),
        why: "Enough.".into(),
    };
    connection.since = now;
    connection.refresh_at = Some(now);
    api.platform.put(&scope(1), &connection).await;
    assert_eq!(api.connect(1).await, id);
    let waiting = api.platform.load(&scope(1), &waiting).await.unwrap();
    assert_eq!(waiting.state(), State::Cancelled);
}
