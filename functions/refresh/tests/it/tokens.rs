//! A token for use, and what becomes of one that is refused or runs out.

use nexus_core::CallContext;
use nexus_core::effect::State;
use nexus_core::vault::Vault as _;
use nexus_engine::connections::{Access, ConnectionState, LoginError, NoAccess};
use nexus_engine::notices::NoticeCode;
use nexus_testkit::people;

use crate::ground::{Ground, pair, scope, secs};

fn gone() -> LoginError {
    LoginError::Gone { why: "The connection was ended.".into() }
}

#[track_caller]
fn token(access: Result<Access, NoAccess>) -> String {
    access.unwrap().token.reveal().clone()
}

#[track_caller]
fn wait(access: Result<Access, NoAccess>) -> u32 {
    match access {
        Err(NoAccess::Later { after_seconds }) => after_seconds,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ended(access: Result<Access, NoAccess>) -> String {
    match access {
        Err(NoAccess::Ended { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_used_while_it_serves_a_minute_more_and_then_refreshed_once() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let accounts = ground.accounts();
    ground.platform.advance(secs(7_200 - 61));
    assert_eq!(token(accounts.access(&ground.call(), id).await), "access-1");
    assert!(ground.login.refreshed().is_empty());

    ground.platform.advance(secs(1));
    for _ in 0..3 {
        assert_eq!(token(accounts.access(&ground.call(), id).await), "access-2");
    }
    assert_eq!(ground.login.refreshed(), ["refresh-1"]);
    assert_eq!(ground.kept(id).await, pair(2));
    let connection = ground.connection(id).await;
    let now = ground.platform.now();
    assert_eq!(connection.access_until, Some(now + secs(7_200)));
    assert_eq!(connection.refresh_at, Some(now + secs(4_800)));
    assert_eq!(connection.refreshing, None);
}

#[tokio::test]
async fn a_refresh_token_that_the_network_does_not_give_anew_stays() {
    let ground = Ground::new();
    let id = ground.connect().await;
    ground.login.gives_refresh_tokens(false);
    ground.platform.advance(secs(7_200));
    assert_eq!(token(ground.accounts().access(&ground.call(), id).await), "access-2");
    let kept = r#"{"access":"access-2","refresh":"refresh-1"}"#;
    assert_eq!(ground.kept(id).await.as_deref(), Some(kept));
}

#[tokio::test]
async fn n16_no_token_is_given_for_another_tenants_account_or_a_revoked_one() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let accounts = ground.accounts();
    let stranger = CallContext { scope: people::scope(people::tenant(2)), ..ground.call() };
    assert_eq!(ended(accounts.access(&stranger, id).await), "The account was removed.");

    let mut connection = ground.connection(id).await;
    let revoked = ConnectionState::Revoked { by: "usr".into(), why: "Enough.".into() };
    for state in [ConnectionState::ReconnectNeeded { why: "Enough.".into() }, revoked] {
        connection.state = state;
        ground.platform.put(&scope(), &connection).await;
        assert_eq!(ended(accounts.access(&ground.call(), id).await), "Enough.");
        let refused = Access {
            connection: id,
            server: None,
            token: nexus_kernel::Secret::new("access-1".into()),
        };
        assert_eq!(ended(accounts.refused(&ground.call(), &refused).await), "Enough.");
    }
    assert!(ground.login.refreshed().is_empty());
}

#[tokio::test]
async fn n41_when_the_network_says_gone_jobs_stop_tokens_go_and_the_owner_is_told() {
    let ground = Ground::new();
    let (id, other) = (ground.connect().await, {
        ground.login.logged_in_as(Some("account-2"));
        ground.connect().await
    });
    let now = ground.platform.now();
    let waiting =
        [ground.post(id, 1, now + secs(86_400)).await, ground.post(id, 2, now + secs(7_200)).await];
    let elsewhere = ground.post(other, 3, now + secs(86_400)).await;
    ground.login.owner_revokes();
    ground.platform.advance(secs(7_200));
    let accounts = ground.accounts();
    let why = ended(accounts.access(&ground.call(), id).await);
    assert!(why.contains("Connect the account again"), "{why}");

    let connection = ground.connection(id).await;
    let ConnectionState::Revoked { by, .. } = &connection.state else { panic!("{connection:?}") };
    assert_eq!(by, "refresh");
    assert_eq!(
        (connection.refresh_at, connection.refreshing),
        (None, None),
        "nothing is left to do"
    );
    assert_eq!(ground.kept(id).await, None);
    for post in &waiting {
        let post = ground.platform.load(&scope(), post).await.unwrap();
        assert_eq!(post.state(), State::Cancelled);
        assert_eq!(post.history().last().unwrap().reason, "its account was disconnected");
        assert!(post.history_is_whole());
    }
    let elsewhere = ground.platform.load(&scope(), &elsewhere).await.unwrap();
    assert_eq!(elsewhere.state(), State::Approved, "another account's");
    let notices = ground.notices().await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].code, NoticeCode::RevokedOutside);
    assert_eq!(notices[0].about, Some(id.to_string()));
    assert!(notices[0].text.contains("The shop") && notices[0].text.contains("TikTok"));
    assert!(ground.login.revoked().is_empty(), "it was the network that said so");

    ended(accounts.access(&ground.call(), id).await);
    assert_eq!((ground.login.refreshed().len(), ground.notices().await.len()), (1, 1));
}

#[tokio::test]
async fn n41_a_token_that_the_network_refuses_is_replaced_or_the_account_is_over() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let accounts = ground.accounts();
    let first = accounts.access(&ground.call(), id).await.unwrap();
    let second = accounts.refused(&ground.call(), &first).await.unwrap();
    assert_eq!(second.token.reveal(), "access-2");
    // Another holder of the first one is given what stands.
    assert_eq!(token(accounts.refused(&ground.call(), &first).await), "access-2");
    assert_eq!(ground.login.refreshed(), ["refresh-1"]);

    ground.login.owner_revokes();
    ended(accounts.refused(&ground.call(), &second).await);
    assert!(!ground.is_connected(id).await);
    assert_eq!((ground.kept(id).await, ground.notices().await.len()), (None, 1));
}

#[tokio::test]
async fn n41_a_refused_token_without_a_refresh_token_ends_the_account() {
    let ground = Ground::new();
    ground.login.gives_refresh_tokens(false);
    ground.login.tokens_live(None);
    let id = ground.connect().await;
    let accounts = ground.accounts();
    ground.platform.advance(secs(90 * 86_400));
    let access = accounts.access(&ground.call(), id).await.unwrap();
    ended(accounts.refused(&ground.call(), &access).await);
    let state = ground.connection(id).await.state;
    assert!(matches!(state, ConnectionState::Revoked { .. }), "{state:?}");
    assert_eq!((ground.kept(id).await, ground.notices().await.len()), (None, 1));
}

#[tokio::test]
async fn a_token_that_runs_out_and_cannot_be_refreshed_asks_for_a_person() {
    let ground = Ground::new();
    ground.login.gives_refresh_tokens(false);
    let id = ground.connect().await;
    let accounts = ground.accounts();
    ground.platform.advance(secs(7_199));
    assert_eq!(token(accounts.access(&ground.call(), id).await), "access-1", "to its last second");
    ground.platform.advance(secs(1));
    ended(accounts.access(&ground.call(), id).await);
    let state = ground.connection(id).await.state;
    assert!(matches!(state, ConnectionState::ReconnectNeeded { .. }), "{state:?}");
    assert_eq!(ground.notices().await[0].code, NoticeCode::ReconnectNeeded);
}

#[tokio::test]
async fn tokens_that_are_not_there_any_more_ask_for_a_person() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let name = ground.connection(id).await.secret(&scope()).unwrap();
    ground.platform.vault.forget(&name).await.unwrap();
    ended(ground.accounts().access(&ground.call(), id).await);
    let state = ground.connection(id).await.state;
    assert!(matches!(state, ConnectionState::ReconnectNeeded { .. }), "{state:?}");
    assert_eq!(ground.notices().await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_keeps_others_away_until_its_time_is_over_and_the_token_is_shown_once_more() {
    for happened in [false, true] {
        let ground = Ground::new();
        let id = ground.connect().await;
        let accounts = ground.accounts();
        let lost = || LoginError::Unknown { why: "no answer".into() };
        ground.login.refresh_fails(lost(), happened);
        ground.platform.advance(secs(7_200 - 30));
        let call = ground.call();
        assert_eq!(token(accounts.access(&call, id).await), "access-1", "it still serves");
        ground.platform.advance(secs(29));
        assert_eq!(token(accounts.access(&call, id).await), "access-1");
        assert_eq!(ground.login.refreshed().len(), 1, "nobody asks while the claim holds");

        ground.platform.advance(secs(1));
        let again = accounts.access(&ground.call(), id).await;
        assert_eq!(ground.login.refreshed(), ["refresh-1", "refresh-1"]);
        if happened {
            assert!(ended(again).contains("could not be refreshed in time"));
            let state = ground.connection(id).await.state;
            assert!(matches!(state, ConnectionState::ReconnectNeeded { .. }), "{state:?}");
            assert_eq!(ground.notices().await[0].code, NoticeCode::ReconnectNeeded);
        } else {
            assert_eq!(token(again), "access-2");
            assert_eq!((ground.kept(id).await, ground.notices().await.len()), (pair(2), 0));
        }
    }
}

#[tokio::test]
async fn a_network_without_time_is_left_alone_for_as_long_as_it_says() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let accounts = ground.accounts();
    let later = LoginError::Later { after_seconds: Some(120), why: "too often".into() };
    ground.login.refresh_fails(later, false);
    ground.platform.advance(secs(7_200 - 10));
    assert_eq!(token(accounts.access(&ground.call(), id).await), "access-1", "it still serves");
    ground.platform.advance(secs(10));
    assert_eq!(wait(accounts.access(&ground.call(), id).await), 110);
    ground.platform.advance(secs(109));
    assert_eq!(wait(accounts.access(&ground.call(), id).await), 5);
    assert_eq!(ground.login.refreshed().len(), 1);
    ground.platform.advance(secs(1));
    assert_eq!(token(accounts.access(&ground.call(), id).await), "access-2");
    assert_eq!(ground.login.refreshed().len(), 2);
}

#[tokio::test]
async fn n41_tokens_that_are_not_refreshed_end_in_one_notice_and_not_in_silence() {
    let why = || "This application is not known.".to_owned();
    for (error, hours, says) in [
        (LoginError::Refused { why: why() }, 1, "This application is not known."),
        (LoginError::Later { after_seconds: Some(3_600), why: why() }, 24, "This application"),
        (LoginError::Unknown { why: "canary".into() }, 24, "Its network gives no answer."),
    ] {
        let ground = Ground::new();
        let id = ground.connect().await;
        let accounts = ground.accounts();
        ground.platform.advance(secs(7_200));
        for hour in 0..48 {
            ground.login.refresh_fails(error.clone(), false);
            accounts.refresh(&ground.call(), id).await.unwrap_err();
            assert_eq!(ground.is_connected(id).await, hour < hours, "{error:?}, {hour} hours");
            ground.platform.advance(secs(3_600));
        }
        let [notice] = &ground.notices().await[..] else { panic!("one: {error:?}") };
        assert_eq!(notice.code, NoticeCode::ReconnectNeeded);
        assert!(notice.text.contains(says) && !notice.text.contains("canary"), "{}", notice.text);
        assert!(ground.kept(id).await.is_some(), "a person may connect it again");
    }
}

#[tokio::test]
async fn n41_gone_after_a_put_off_is_the_owners_doing_since_nothing_had_happened() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let accounts = ground.accounts();
    let refused = LoginError::Refused { why: "This application is not known.".into() };
    ground.login.refresh_fails(refused, false);
    ground.platform.advance(secs(7_200));
    assert_eq!(wait(accounts.access(&ground.call(), id).await), 600);
    assert!(ground.is_connected(id).await, "that is no fault of the account");
    ground.platform.advance(secs(600));
    ground.login.refresh_fails(gone(), false);
    ended(accounts.access(&ground.call(), id).await);
    let state = ground.connection(id).await.state;
    assert!(matches!(state, ConnectionState::Revoked { .. }), "{state:?}");
}

#[tokio::test]
async fn n40_tokens_stand_in_no_row_no_notice_and_no_failure() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let accounts = ground.accounts();
    ground.platform.advance(secs(7_200));
    let access = accounts.access(&ground.call(), id).await.unwrap();
    ground.login.owner_revokes();
    let none = accounts.refused(&ground.call(), &access).await.unwrap_err();
    let mut told =
        format!("{access:?} {none:?} {accounts_vault:?}", accounts_vault = ground.platform.vault);
    for row in ground.platform.rows().await {
        told.push_str(&format!("{row:?}"));
    }
    for canary in ["access-1", "access-2", "refresh-1", "refresh-2", "account-1", "code-"] {
        assert!(!told.contains(canary), "{canary}");
    }
}
