//! The function: what is due, and no more.

use std::sync::Arc;

use nexus_core::{RecordKind, records};
use nexus_engine::connections::connecting::{self, Wish};
use nexus_engine::connections::{ConnectionState, LoginError};
use nexus_engine::publishing::Network;
use nexus_engine::{Desk, EnginePlatform};
use nexus_handler::{Entry, ErasedFunction};
use nexus_refresh::Refresh;
use serde_json::{Value, json};

use crate::ground::{Ground, pair, scope, secs};

fn function(ground: &Ground) -> Arc<dyn ErasedFunction> {
    let wired: &dyn EnginePlatform = &ground.platform;
    let entry = Entry::event::<Refresh, _>(wired, &ground.platform.env()).unwrap();
    let Entry::Event(function) = entry else { panic!("it takes events") };
    function
}

async fn run(ground: &Ground) -> Value {
    let event = include_bytes!("../../../../events/refresh.schedule.json");
    let reply = function(ground).call(event, ground.platform.invocation()).await.unwrap();
    serde_json::from_str(reply.get()).unwrap()
}

fn report(refreshed: u64, ended: u64, cleared: u64, failed: u64) -> Value {
    json!({
        "refreshed": refreshed, "ended": ended, "cleared": cleared, "failed": failed, "complete": true,
    })
}

#[tokio::test]
async fn tokens_are_refreshed_well_before_they_end() {
    let ground = Ground::new();
    let id = ground.connect().await;
    ground.platform.advance(secs(4_799));
    assert_eq!(run(&ground).await, report(0, 0, 0, 0));
    ground.platform.advance(secs(1));
    assert_eq!(run(&ground).await, report(1, 0, 0, 0));
    assert_eq!(run(&ground).await, report(0, 0, 0, 0), "a second run finds nothing");
    assert_eq!((ground.kept(id).await, ground.login.refreshed().len()), (pair(2), 1));
}

#[tokio::test]
async fn an_account_that_cannot_be_refreshed_now_holds_up_no_other() {
    let ground = Ground::new();
    let mut ids = Vec::new();
    for number in 0..10 {
        ground.login.logged_in_as(Some(&format!("account-{number}")));
        ids.push(ground.connect().await);
    }
    ground
        .login
        .refresh_fails(LoginError::Later { after_seconds: None, why: "busy".into() }, false);
    ground.platform.advance(secs(4_800));
    assert_eq!(run(&ground).await, report(9, 0, 0, 1));
    ground.platform.advance(secs(600));
    assert_eq!(run(&ground).await, report(1, 0, 0, 0));
    for id in ids {
        assert!(ground.is_connected(id).await);
    }
}

#[tokio::test]
async fn n41_an_account_that_its_owner_ended_is_found_by_the_schedule() {
    let ground = Ground::new();
    let id = ground.connect().await;
    ground.login.owner_revokes();
    ground.platform.advance(secs(4_800));
    assert_eq!(run(&ground).await, report(0, 1, 0, 0));
    assert!(!ground.is_connected(id).await);
    assert_eq!((ground.kept(id).await, ground.notices().await.len()), (None, 1));
    assert_eq!(run(&ground).await, report(0, 0, 0, 0));
}

#[tokio::test]
async fn n55_an_ending_that_died_after_its_mark_is_carried_to_its_end() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let now = ground.platform.now();
    let post = ground.post(id, 1, now + secs(86_400)).await;
    let mut connection = ground.connection(id).await;
    connection.state = ConnectionState::Revoked { by: "usr".into(), why: "Enough.".into() };
    connection.since = now;
    connection.refresh_at = Some(now);
    ground.platform.put(&scope(), &connection).await;

    assert_eq!(run(&ground).await, report(0, 1, 0, 0));
    assert_eq!(ground.kept(id).await, None);
    let post = ground.platform.load(&scope(), &post).await.unwrap();
    assert_eq!(post.state(), nexus_core::effect::State::Cancelled);
    assert_eq!(ground.login.revoked(), ["access-1", "refresh-1"], "a person disconnected it");
    assert_eq!(run(&ground).await, report(0, 0, 0, 0));
}

#[tokio::test]
async fn who_went_to_a_network_and_did_not_come_back_leaves_nothing() {
    let ground = Ground::new();
    let (accounts, scope, ambient) = (ground.accounts(), scope(), ground.platform.ambient());
    let table = &ground.platform.table;
    let desk = Desk { table, scope: &scope, by: "usr", trace: "trace", ambient: &ambient };
    let wish = Wish {
        network: Network::TikTok,
        server: None,
        label: "The shop".into(),
        languages: [].into(),
    };
    let redirect = "https://api.example/v1/connections/callback";
    connecting::begin(&accounts, &desk, &ground.call(), wish, redirect).await.unwrap();
    assert_eq!(format!("{:?}", ground.platform.vault), "MemoryVault(1 secrets)");

    ground.platform.advance(secs(20 * 60 - 1));
    assert_eq!(
        run(&ground).await,
        report(0, 0, 0, 0),
        "whoever comes at the last moment is let finish"
    );
    ground.platform.advance(secs(1));
    assert_eq!(run(&ground).await, report(0, 0, 1, 0));
    assert_eq!(format!("{:?}", ground.platform.vault), "MemoryVault(0 secrets)");
    let rows = ground.platform.rows().await;
    // The state's claim expired with it, and stands where the sweep finds it.
    let left: Vec<RecordKind> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(left, [RecordKind::Claim]);
    let due = rows[0].due.as_ref().unwrap();
    assert!(due.partition.starts_with("due#expiry#"), "{due:?}");
    assert!(!rows[0].is_live(ground.platform.now()));
    assert_eq!(run(&ground).await, report(0, 0, 0, 0));
}

#[tokio::test]
async fn a_row_that_nobody_knows_is_counted_and_passed_over() {
    let ground = Ground::new();
    let id = ground.connect().await;
    let mut broken = ground.platform.rows().await;
    broken.retain(|row| row.kind == RecordKind::Connection);
    let mut broken = broken.remove(0);
    broken.body = "{}".into();
    let whole = ground.connection(id).await;
    let when = nexus_core::Condition::Always;
    ground.platform.commit(vec![nexus_core::Op::Put { item: broken, when }]).await;
    ground.login.logged_in_as(Some("account-2"));
    ground.platform.advance(secs(4_800));
    assert_eq!(run(&ground).await, report(0, 0, 0, 1));
    ground.platform.commit(vec![records::write(&scope(), &whole)]).await;
    assert_eq!(run(&ground).await, report(1, 0, 0, 0));
}
