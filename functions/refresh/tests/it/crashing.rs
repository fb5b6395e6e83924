//! Whoever refreshes dies at any call.

use std::sync::Arc;

use nexus_contract::{Fault, Faults, Flaky};
use nexus_engine::connections::{Accounts, ConnectionState};

use crate::ground::{Ground, secs};

fn flaky(ground: &Ground, faults: &Faults) -> Accounts {
    ground.accounts_on(
        |table| Arc::new(Flaky::new(table, faults.clone())),
        |vault| Arc::new(Flaky::new(vault, faults.clone())),
    )
}

/// However it went: the account works with a token that the network takes, or a person was told.
async fn settled(ground: &Ground, id: nexus_engine::connections::ConnectionId, what: &str) {
    let accounts = ground.accounts();
    for _ in 0..3 {
        ground.platform.advance(secs(61));
        if accounts.access(&ground.call(), id).await.is_ok() {
            break;
        }
    }
    let connection = ground.connection(id).await;
    match &connection.state {
        ConnectionState::Connected => {
            let access = accounts.access(&ground.call(), id).await.unwrap();
            assert!(ground.login.takes(access.token.reveal()), "{what}");
            let kept = ground.kept(id).await.unwrap();
            assert!(kept.contains(access.token.reveal()), "{what}: stored before it is used");
            assert!(ground.notices().await.is_empty(), "{what}");
        }
        ConnectionState::ReconnectNeeded { .. } => {
            assert_eq!(ground.notices().await.len(), 1, "{what}");
        }
        other @ ConnectionState::Revoked { .. } => {
            panic!("{what}: its owner did nothing: {other:?}")
        }
    }
}

#[tokio::test]
async fn a_refresher_that_dies_anywhere_leaves_an_account_that_works_or_a_person_who_was_told() {
    let mut lost = 0;
    for at in 0..40 {
        let mut over = 0;
        for how in [Fault::Before, Fault::After] {
            let ground = Ground::new();
            let id = ground.connect().await;
            ground.platform.advance(secs(7_200));
            let faults = Faults::crash(at, how);
            let died = flaky(&ground, &faults).access(&ground.call(), id).await;
            let what = format!("call {at} {how:?}");
            settled(&ground, id, &what).await;
            let calls = ground.login.refreshed();
            assert!(calls.len() <= 2, "{what}: {calls:?}");
            lost += usize::from(!ground.is_connected(id).await);
            over += usize::from(died.is_ok() && faults.calls() <= at);
        }
        if over == 2 {
            assert!(at > 4, "there are more calls than {at}");
            assert!(lost > 0, "tokens that the network gave and nobody could store end so");
            return;
        }
    }
    panic!("a refresh has fewer calls than this");
}

#[tokio::test]
async fn what_was_stored_by_somebody_who_died_is_found_and_the_network_is_not_asked_again() {
    let ground = Ground::new();
    let id = ground.connect().await;
    ground.platform.advance(secs(7_200));
    // Row, tokens, claim, tokens stored: the answer of the last is lost, and with it the process.
    let faults = Faults::crash(3, Fault::After);
    assert!(flaky(&ground, &faults).access(&ground.call(), id).await.is_err());
    assert_eq!(ground.kept(id).await, crate::ground::pair(2));
    ground.platform.advance(secs(60));
    let access = ground.accounts().access(&ground.call(), id).await.unwrap();
    assert_eq!(access.token.reveal(), "access-2");
    assert_eq!(ground.login.refreshed(), ["refresh-1"]);
    let connection = ground.connection(id).await;
    assert_eq!(connection.refresh_at, Some(ground.platform.now()), "its end is not known: soon");
}

#[tokio::test]
async fn stores_that_fail_now_and_then_lose_no_account_without_a_word() {
    for seed in 0..100 {
        let ground = Ground::new();
        let id = ground.connect().await;
        let faults = Faults::seeded(seed, 6);
        let accounts = flaky(&ground, &faults);
        for _ in 0..6 {
            ground.platform.advance(secs(3_700));
            drop(accounts.access(&ground.call(), id).await);
        }
        faults.revive();
        settled(&ground, id, &format!("seed {seed}")).await;
    }
}
