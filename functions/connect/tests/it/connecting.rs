//! A person goes to a network and comes back.

use nexus_core::RecordKind;
use nexus_engine::connections::LoginError;
use nexus_testkit::login::{Asked, SCOPES};
use serde_json::json;

use crate::api::{Api, approver, secs, state_of};

fn exchanges(api: &Api) -> Vec<Asked> {
    let asked = api.tiktok.asked.all().into_iter();
    asked.filter(|a| matches!(a, Asked::Exchange { .. })).collect()
}

#[tokio::test]
async fn n36_a_person_connects_an_account_by_code_state_and_pkce() {
    let api = Api::new();
    let state = api.begin(1).await;
    assert_eq!(api.secrets(), 1, "the verifier");
    let rows = format!("{:?}", api.platform.rows().await);
    assert!(!rows.contains(&state), "the state stands nowhere but as a digest");

    let answer = api.come_back(&format!("code=c-1&scopes=x&state={state}")).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text.contains("<h1>Connected</h1>") && answer.text.contains("“The shop” at TikTok")
    );
    let [Asked::Exchange { code, verifier, server: None }] = &exchanges(&api)[..] else {
        panic!("{:?}", exchanges(&api));
    };
    assert_eq!(code, "c-1");
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    assert!(verifier.len() == 64 && verifier.bytes().all(unreserved), "{verifier}");
    assert!(!rows.contains(verifier.as_str()), "the verifier stood in no row");

    let connections = api.connections().await;
    assert_eq!(connections.len(), 1);
    let (connection, now) = (&connections[0], api.platform.now().to_string());
    let id = connection["id"].as_str().unwrap();
    assert_eq!(
        *connection,
        json!({
            "id": id, "network": "tiktok", "label": "The shop", "languages": [], "state": "connected",
            "since": now, "created": now,
        })
    );
    let tokens = r#"{"access":"access-1","refresh":"refresh-1"}"#;
    assert_eq!(api.kept(id).await.as_deref(), Some(tokens), "N37: two tokens and nothing else");
    assert_eq!(api.secrets(), 1, "the verifier is gone");
    assert_eq!(
        api.kinds().await.iter().filter(|k| **k != RecordKind::Claim).collect::<Vec<_>>(),
        [&RecordKind::Connection],
        "and what led here, too"
    );
}

#[tokio::test]
async fn n36_a_state_that_is_unknown_used_or_too_old_connects_nothing_and_tells_nothing() {
    let api = Api::new();
    let unknown = api.come_back(&format!("code=c&state={}", "0".repeat(64))).await;

    let state = api.begin(1).await;
    assert_eq!(api.come_back(&format!("code=c1&state={state}")).await.status, 200);
    let used = api.come_back(&format!("code=c2&state={state}")).await;

    let old = api.begin(1).await;
    api.platform.advance(secs(900));
    let late = api.come_back(&format!("code=c3&state={old}")).await;

    for answer in [&used, &late] {
        assert_eq!((answer.status, &answer.text), (400, &unknown.text));
    }
    assert_eq!(unknown.status, 400);
    assert_eq!(exchanges(&api).len(), 1);
    assert_eq!(api.connections().await.len(), 1);

    let last = api.begin(1).await;
    api.platform.advance(secs(899));
    assert_eq!(api.come_back(&format!("code=c4&state={last}")).await.status, 200, "to its end");
}

#[tokio::test]
async fn n36_two_who_bring_one_state_at_one_moment_connect_once() {
    let api = Api::new();
    let state = api.begin(1).await;
    let question = format!("code=c&state={state}");
    let (a, b) = tokio::join!(api.come_back(&question), api.come_back(&question));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!((statuses, exchanges(&api).len()), ([200, 400], 1));
}

#[tokio::test]
async fn n36_an_address_without_a_state_or_a_code_connects_nothing() {
    let api = Api::new();
    let state = api.begin(1).await;
    for question in ["", "code=c", &format!("state={state}"), "state=&code=", "%ff=%00&x"] {
        assert_eq!(api.come_back(question).await.status, 400, "{question}");
    }
    assert_eq!(exchanges(&api).len(), 0);
    assert_eq!(api.come_back(&format!("state={state}&code=c")).await.status, 200, "not used up");
}

#[tokio::test]
async fn n36_a_code_of_another_server_is_not_shown_to_this_one() {
    let api = Api::new();
    let body = json!({ "network": "mastodon", "server": "Social.Example/", "label": "Us" });
    for (issuer, status) in [("https://evil.example", 400), ("https://social.example/", 200)] {
        let answer = api.post("/v1/connections", body.clone()).await;
        let state = state_of(&api.mastodon, &answer);
        let answer = api.come_back(&format!("code=c-{status}&state={state}&iss={issuer}")).await;
        assert_eq!(answer.status, status, "{issuer}");
    }
    let asked = api.mastodon.asked.all().into_iter();
    let asked: Vec<Asked> = asked.filter(|a| matches!(a, Asked::Exchange { .. })).collect();
    let [Asked::Exchange { server, code, .. }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((server.as_deref(), code.as_str()), (Some("https://social.example"), "c-200"));
}

#[tokio::test]
async fn what_a_network_calls_an_error_is_shown_without_its_markup() {
    let api = Api::new();
    let state = api.begin(1).await;
    let evil = "%3Cscript%3Ealert(1)%3C/script%3E";
    let question = format!("state={state}&error={evil}&error_description={evil}");
    let answer = api.come_back(&question).await;
    assert_eq!(answer.status, 409);
    assert!(answer.text.contains("`scriptalert1script`"), "{}", answer.text);

    let state = api.begin(1).await;
    let answer = api.come_back(&format!("state={state}&error=access_denied")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("You did not allow it at TikTok"), "{}", answer.text);
    let again = api.come_back(&format!("state={state}&code=c")).await;
    assert_eq!(again.status, 400, "the state is used up");
    assert_eq!((api.secrets(), api.connections().await.len()), (0, 0));
}

#[tokio::test]
async fn a_label_is_shown_as_text() {
    let api = Api::new();
    let body = json!({ "network": "tiktok", "label": "<b>Us & them</b>" });
    let answer = api.post("/v1/connections", body).await;
    let state = state_of(&api.tiktok, &answer);
    let answer = api.come_back(&format!("code=c&state={state}")).await;
    assert!(
        !answer.text.contains("<b>") && answer.text.contains("Us &#38; them"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn n38_what_is_asked_for_is_what_the_login_needs_and_all_of_it_has_to_be_granted() {
    let api = Api::new();
    let networks = api.get("/v1/connections/networks").await.json();
    let tiktok = &networks["items"][0];
    let named: Vec<&str> =
        tiktok["scopes"].as_array().unwrap().iter().map(|s| s["scope"].as_str().unwrap()).collect();
    assert_eq!(named, SCOPES);
    assert_eq!(tiktok["scopes"][0]["allows"], "post videos and photos to the account");
    assert_eq!((&tiktok["set_up"], &tiktok["needs_server"]), (&json!(true), &json!(false)));
    assert_eq!(networks["items"][1]["needs_server"], true);

    api.tiktok.grants(Some(&["user.info.basic"]));
    let state = api.begin(1).await;
    let answer = api.come_back(&format!("code=c&state={state}")).await;
    assert_eq!(answer.status, 409);
    assert!(answer.text.contains("`video.publish`") && !answer.text.contains("`user.info.basic`"));
    assert_eq!(api.tiktok.revoked(), ["access-1"], "what was granted is given back");
    assert_eq!((api.secrets(), api.connections().await.len()), (0, 0));

    // A network that does not say is believed; more than was asked for does no harm.
    for (number, scopes) in [(1, None), (2, Some(&["video.publish", "user.info.basic", "x"][..]))] {
        api.tiktok.grants(scopes);
        api.tiktok.logged_in_as(Some(&format!("account-{number}")));
        api.connect(1).await;
    }
    assert_eq!(api.connections().await.len(), 2);
}

#[tokio::test]
async fn n38_a_grant_that_is_too_small_does_not_end_the_one_that_is_in_use() {
    let api = Api::new();
    let id = api.connect(1).await;
    api.tiktok.grants(Some(&[]));
    let state = api.begin(1).await;
    assert_eq!(api.come_back(&format!("code=c&state={state}")).await.status, 409);
    assert!(api.tiktok.revoked().is_empty(), "at many networks that would end both");
    assert!(api.connection(&id).await.is_connected());
}

#[tokio::test]
async fn n5_n37_an_exchange_that_fails_leaves_nothing() {
    let api = Api::new();
    let why = || "TikTok is having a day off.".to_owned();
    for (error, status) in [
        (LoginError::Refused { why: why() }, 400),
        (LoginError::Gone { why: why() }, 409),
        (LoginError::Later { after_seconds: None, why: why() }, 503),
        (LoginError::Unknown { why: why() }, 503),
    ] {
        let state = api.begin(1).await;
        api.tiktok.exchange_fails(error.clone(), false);
        let answer = api.come_back(&format!("code=c&state={state}")).await;
        assert_eq!(answer.status, status, "{error:?}");
        assert_eq!((api.secrets(), api.connections().await.len()), (0, 0), "{error:?}");
        let again = api.come_back(&format!("code=c&state={state}")).await;
        assert_eq!(again.status, 400, "{error:?}: the state is used up");
    }
    assert!(api.kinds().await.is_empty());
}

#[tokio::test]
async fn n16_an_account_is_connected_once_among_all_tenants() {
    let api = Api::new();
    let id = api.connect(1).await;
    let state = api.begin(2).await;
    let answer = api.come_back(&format!("code=c&state={state}")).await;
    assert_eq!(answer.status, 409);
    assert!(answer.text.contains("connected by another customer"), "{}", answer.text);
    assert_eq!(api.secrets(), 1, "the tokens of the second were not kept");
    assert!(api.tiktok.revoked().is_empty(), "at many networks that would end the first's, too");
    let list = api.ask("GET", "/v1/connections", Some(&approver(2)), None).await.json();
    assert_eq!(list["items"], json!([]));

    assert_eq!(api.disconnect(&id).await.status, 200);
    api.connect(2).await;
}

#[tokio::test]
async fn the_same_account_connected_twice_is_one_connection_with_its_history() {
    let api = Api::new();
    let id = api.connect(1).await;
    let created = api.connection(&id).await.created;
    api.platform.advance(secs(3_600));
    assert_eq!(api.connect(1).await, id);
    let connection = api.connection(&id).await;
    assert_eq!((connection.created, connection.since), (created, created));
    assert_eq!(connection.refreshing, None);
    assert_eq!(connection.access_until, Some(api.platform.now() + secs(7_200)));
    let tokens = r#"{"access":"access-2","refresh":"refresh-2"}"#;
    assert_eq!(api.kept(&id).await.as_deref(), Some(tokens));
    assert_eq!((api.connections().await.len(), api.secrets()), (1, 1));
}

#[tokio::test]
async fn connecting_again_keeps_the_id_and_the_history_whatever_became_of_the_account() {
    let api = Api::new();
    let id = api.connect(1).await;
    let created = api.connection(&id).await.created;
    assert_eq!(api.disconnect(&id).await.status, 200);
    api.platform.advance(secs(86_400));
    let again = format!("/v1/connections/{id}/reconnect");
    let answer = api.ask("POST", &again, Some(&approver(1)), None).await;
    let state = state_of(&api.tiktok, &answer);
    let page = api.come_back(&format!("code=c&state={state}")).await;
    assert!(page.text.contains("is connected again"), "{}", page.text);
    let connection = api.connection(&id).await;
    assert!(connection.is_connected());
    assert_eq!((connection.created, connection.since), (created, api.platform.now()));
    assert_eq!((api.connections().await.len(), api.secrets()), (1, 1));

    // Somebody else's account is not taken for it.
    api.tiktok.logged_in_as(Some("account-2"));
    let answer = api.ask("POST", &again, Some(&approver(1)), None).await;
    let state = state_of(&api.tiktok, &answer);
    let page = api.come_back(&format!("code=c2&state={state}")).await;
    assert_eq!(page.status, 409);
    assert!(page.text.contains("another account"), "{}", page.text);
    assert!(api.kept(&id).await.unwrap().contains("access-2"), "as it was");
}

#[tokio::test]
async fn n16_tokens_of_nobody_knows_whom_are_not_taken_for_an_accounts_own() {
    let api = Api::new();
    let id = api.connect(1).await;
    let (before, kept) = (api.connection(&id).await, api.kept(&id).await);
    api.tiktok.logged_in_as(None);
    let again = format!("/v1/connections/{id}/reconnect");
    let answer = api.ask("POST", &again, Some(&approver(1)), None).await;
    let state = state_of(&api.tiktok, &answer);
    let page = api.come_back(&format!("code=c&state={state}")).await;
    assert_eq!(page.status, 409);
    assert!(page.text.contains("did not say whose account this is"), "{}", page.text);
    assert_eq!((api.connection(&id).await, api.kept(&id).await), (before, kept), "as it was");
}

#[tokio::test]
async fn an_account_that_its_network_does_not_name_is_connected_again_by_its_id() {
    let api = Api::new();
    api.tiktok.logged_in_as(None);
    let id = api.connect(1).await;
    let answer =
        api.ask("POST", &format!("/v1/connections/{id}/reconnect"), Some(&approver(1)), None).await;
    let state = state_of(&api.tiktok, &answer);
    assert_eq!(api.come_back(&format!("code=c&state={state}")).await.status, 200);
    assert_eq!((api.connections().await.len(), api.secrets()), (1, 1));
}

#[tokio::test]
async fn a_wish_that_cannot_be_is_told_by_its_field_before_anybody_is_sent_away() {
    let api = Api::new();
    for (body, field) in [
        (json!({ "network": "tiktok", "label": " " }), "label"),
        (json!({ "network": "tiktok", "label": "a\nb" }), "label"),
        (json!({ "network": "tiktok", "label": "x".repeat(81) }), "label"),
        (json!({ "network": "tiktok", "server": "https://a.example", "label": "a" }), "server"),
        (json!({ "network": "mastodon", "label": "a" }), "server"),
        (json!({ "network": "mastodon", "server": "https://a.example/x", "label": "a" }), "server"),
        (json!({ "network": "feed", "label": "a" }), "network"),
        (json!({ "network": "tiktok", "label": "a", "languages": ["de"] }), "languages[0]"),
    ] {
        let answer = api.post("/v1/connections", body.clone()).await;
        assert_eq!(answer.status, 422, "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{body}: {answer:?}");
    }
    let answer = api.post("/v1/connections", json!({ "network": "x", "label": "a" })).await;
    assert_eq!(answer.status, 409);
    api.tiktok.is_set_up(false);
    let answer = api.post("/v1/connections", json!({ "network": "tiktok", "label": "a" })).await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("TikTok is not set up here"));
    assert!(api.tiktok.asked.all().is_empty() && api.kinds().await.is_empty());
}
