//! Whoever connects or disconnects dies at any call.

use std::sync::Arc;

use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::effect::State;
use nexus_core::{CallContext, Product, RecordKind};
use nexus_engine::connections::connecting::{self, Brings, CameBack};
use nexus_engine::connections::{Accounts, ConnectionId, ConnectionState, ending};
use nexus_engine::{Desk, EnginePlatform};
use nexus_handler::{Entry, Invocation};
use nexus_kernel::Secret;
use nexus_refresh::Refresh;

use crate::api::{Api, post, scope, secs};

fn flaky(api: &Api, faults: &Faults) -> Accounts {
    let platform = &api.platform;
    Accounts {
        table: Arc::new(Flaky::new(Arc::new(platform.table.clone()) as _, faults.clone())),
        vault: Arc::new(Flaky::new(Arc::new(platform.vault.clone()) as _, faults.clone())),
        logins: platform.logins.clone(),
        ambient: platform.ambient(),
    }
}

/// The function that carries on what others left, for as long as there is anything.
async fn walk(api: &Api) {
    let wired: &dyn EnginePlatform = &api.platform;
    let entry = Entry::event::<Refresh, _>(wired, &api.platform.env()).unwrap();
    let Entry::Event(function) = entry else { panic!("it takes events") };
    for _ in 0..4 {
        api.platform.advance(secs(600));
        let at: Invocation = api.platform.invocation();
        function.call(b"{}", at).await.unwrap();
    }
}

/// What a state leads to, once nobody is at anything any more: no verifier, no row of who went away, and tokens for
/// connected accounts alone.
async fn nothing_is_left(api: &Api, what: &str) {
    let connections = api.connections().await;
    let connected = connections.iter().filter(|c| c["state"] == "connected").count();
    assert_eq!(api.secrets(), connected, "{what}: {connections:?}");
    assert!(!api.kinds().await.contains(&RecordKind::Connecting), "{what}");
    for connection in &connections {
        let kept = api.kept(connection["id"].as_str().unwrap()).await;
        assert_eq!(kept.is_some(), connection["state"] == "connected", "{what}");
    }
}

/// Somebody comes back to whom everything may happen.
async fn comes_back(api: &Api, accounts: &Accounts, state: &str, code: &str) -> bool {
    let back = CameBack {
        state: Secret::new(state.to_owned()),
        brings: Brings::Code(Secret::new(code.to_owned())),
        issuer: None,
    };
    let until = api.platform.now() + secs(30);
    connecting::finish(accounts, Product::Engine, until, back).await.is_ok()
}

#[tokio::test]
async fn n55_who_dies_anywhere_while_connecting_leaves_no_tokens_without_a_connection() {
    // For the first time, and again after it was disconnected.
    for again in [false, true] {
        for at in 0..60 {
            let mut over = 0;
            for how in [Fault::Before, Fault::After] {
                let api = Api::new();
                if again {
                    let id = api.connect(1).await;
                    assert_eq!(api.disconnect(&id).await.status, 200);
                }
                let what = format!("again {again}, call {at} {how:?}");
                let state = api.begin(1).await;
                let faults = Faults::crash(at, how);
                let done = comes_back(&api, &flaky(&api, &faults), &state, "c").await;
                over += usize::from(faults.calls() <= at);
                walk(&api).await;
                nothing_is_left(&api, &what).await;
                if done {
                    let connections = api.connections().await;
                    assert_eq!(connections[0]["state"], "connected", "{what}");
                }
                // Whatever it was, the person can begin again and gets there.
                api.connect(1).await;
                assert_eq!(api.connections().await.len(), 1, "{what}");
                nothing_is_left(&api, &what).await;
            }
            if over == 2 {
                assert!(at > 8, "there are more calls than {at}");
                break;
            }
            assert!(at < 59, "connecting has fewer calls than this");
        }
    }
}

#[tokio::test]
async fn n62_who_dies_anywhere_while_disconnecting_is_carried_on_or_had_not_begun() {
    for at in 0..80 {
        let mut over = 0;
        for how in [Fault::Before, Fault::After] {
            let api = Api::new();
            let id = api.connect(1).await;
            let posts = [
                post(&api.platform, &id, 1, secs(86_400)).await,
                post(&api.platform, &id, 2, secs(172_800)).await,
            ];
            let what = format!("call {at} {how:?}");
            let faults = Faults::crash(at, how);
            let (scope, ambient) = (scope(1), api.platform.ambient());
            let accounts = flaky(&api, &faults);
            let table = &*accounts.table;
            let desk = Desk { table, scope: &scope, by: "usr", trace: "trace", ambient: &ambient };
            let call = CallContext { scope, until: api.platform.now() + secs(30) };
            let con = ConnectionId::parse(&id).unwrap();
            drop(ending::disconnect(&accounts, &desk, &call, con).await);
            over += usize::from(faults.calls() <= at);
            walk(&api).await;
            nothing_is_left(&api, &what).await;
            let connection = api.connection(&id).await;
            let ended = matches!(connection.state, ConnectionState::Revoked { .. });
            for post in &posts {
                let state = api.platform.load(&scope, post).await.unwrap().state();
                let wanted = if ended { State::Cancelled } else { State::Approved };
                assert_eq!(state, wanted, "{what}");
            }
            if ended {
                assert_eq!(connection.refresh_at, None, "{what}");
                assert!(!api.tiktok.takes("access-1"), "{what}: the network was told");
                assert!(api.notices().await.is_empty(), "{what}");
                // The account is free: another tenant may connect it.
                api.connect(2).await;
            }
        }
        if over == 2 {
            assert!(at > 8, "there are more calls than {at}");
            return;
        }
    }
    panic!("disconnecting has fewer calls than this");
}

#[tokio::test]
async fn n41_who_dies_anywhere_while_an_owners_revocation_is_noticed_leaves_an_account_that_is_over()
 {
    for at in 0..80 {
        let mut over = 0;
        for how in [Fault::Before, Fault::After] {
            let api = Api::new();
            let id = api.connect(1).await;
            let waiting = post(&api.platform, &id, 1, secs(86_400)).await;
            api.tiktok.owner_revokes();
            api.platform.advance(secs(7_200));
            let what = format!("call {at} {how:?}");
            let faults = Faults::crash(at, how);
            let call = CallContext { scope: scope(1), until: api.platform.now() + secs(30) };
            let con = ConnectionId::parse(&id).unwrap();
            drop(flaky(&api, &faults).access(&call, con).await);
            over += usize::from(faults.calls() <= at);
            walk(&api).await;
            let notices = api.notices().await;
            assert_eq!(notices.len(), 1, "{what}: told once: {notices:?}");
            match api.connection(&id).await.state {
                ConnectionState::Revoked { .. } => {
                    nothing_is_left(&api, &what).await;
                    let waiting = api.platform.load(&scope(1), &waiting).await.unwrap();
                    assert_eq!(waiting.state(), State::Cancelled, "{what}");
                }
                // Who was asked died before it was written down what the network said: the second answer tells
                // nothing of the owner.
                ConnectionState::ReconnectNeeded { .. } => {}
                ConnectionState::Connected => panic!("{what}: nobody noticed"),
            }
        }
        if over == 2 {
            assert!(at > 8, "there are more calls than {at}");
            return;
        }
    }
    panic!("noticing has fewer calls than this");
}
