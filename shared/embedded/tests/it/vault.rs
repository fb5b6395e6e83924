//! The vault under a master key in a file, and the bus within a process: every sentence, over the store.

use std::sync::Arc;

use async_trait::async_trait;
use nexus_contract::vault::CANARY;
use nexus_contract::{Pair, START, bus};
use nexus_core::Product;
use nexus_core::bus::Event;
use nexus_core::vault::{Freshness, SecretName, Vault};
use nexus_embedded::{FileVault, Heard, MasterKey, ProcessBus, Subscriber};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Secret};
use tokio::sync::Mutex;

use crate::open;

fn handle(dir: &std::path::Path, clock: &ManualClock, seed: u64) -> FileVault {
    let ambient = Ambient::seeded(Arc::new(clock.clone()), seed);
    let table = open(dir, clock).table();
    nexus_embedded::vault(&dir.join("master.key"), table, ambient).unwrap()
}

mod vault_ {
    use super::*;

    nexus_contract::vault_contract!(async || {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let (one, other) = (handle(dir.path(), &clock, 1), handle(dir.path(), &clock, 2));
        Pair::<dyn Vault>::new(Arc::new(one), Arc::new(other), clock).keeping(dir)
    });
}

/// Every byte that the store has written, the rows before a rotation and a forgetting included.
#[tokio::test]
async fn n40_a_token_is_in_no_file() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let name = SecretName::of_house(Product::Engine, "tiktok").unwrap();
    let vault = handle(dir.path(), &clock, 1);
    let mut follows = None;
    for n in 0..3 {
        let value = Secret::new(format!("{CANARY}{n}"));
        follows = Some(vault.rotate(&name, follows, &value).await.unwrap());
    }
    let read = vault.read(&name, Freshness::Fresh).await.unwrap().unwrap();
    assert_eq!(read.value.reveal(), &format!("{CANARY}2"));
    let look = || {
        let files = std::fs::read_dir(dir.path()).unwrap().filter_map(|f| f.ok()?.path().into());
        let files: Vec<_> = files.filter(|path: &std::path::PathBuf| path.is_file()).collect();
        assert!(files.len() >= 3, "{files:?}");
        for path in files {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
            assert!(!found, "{}", path.display());
        }
    };
    look();
    vault.forget(&name).await.unwrap();
    look();
}

/// Without the key that sealed them, no rows open; with it they do, after a restart as well.
#[tokio::test]
async fn n44_secrets_open_under_their_master_key_alone() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let name = SecretName::of_house(Product::Engine, "tiktok").unwrap();
    let secret = Secret::new(CANARY.to_owned());
    handle(dir.path(), &clock, 1).rotate(&name, None, &secret).await.unwrap();
    let held = handle(dir.path(), &clock, 2).read(&name, Freshness::Fresh).await.unwrap();
    assert_eq!(held.unwrap().value.reveal(), CANARY);
    let key = dir.path().join("master.key");
    std::fs::remove_file(&key).unwrap();
    MasterKey::open(&key).unwrap();
    let told = handle(dir.path(), &clock, 3).read(&name, Freshness::Fresh).await.unwrap_err();
    assert!(matches!(told, nexus_core::vault::VaultError::Corrupt(_)), "{told:?}");
    assert!(!format!("{told:?}").contains(CANARY));
}

/// Whoever subscribed before the sentences began.
struct Ear(Mutex<Subscriber>);

#[async_trait]
impl bus::Listener for Ear {
    async fn heard(&self, at_least: usize) -> Vec<Event> {
        let (mut ear, mut heard) = (self.0.lock().await, Vec::new());
        while heard.len() < at_least {
            match ear.next().await.unwrap() {
                Heard::Event(event) => heard.push(event),
                Heard::Missed(many) => panic!("missed {many}"),
            }
        }
        heard
    }
}

mod bus_ {
    use super::*;

    nexus_contract::bus_contract!(async || {
        let all = ProcessBus::new();
        let listener = Arc::new(Ear(Mutex::new(all.subscribe())));
        let (one, other) = (Arc::new(all.clone()), Arc::new(all));
        let pair = Pair::new(one as _, other as _, ManualClock::at(START));
        bus::Stand { pair, listener }
    });
}

mod slow {
    use nexus_core::bus::Bus as _;
    use nexus_core::{Caller, Claims};
    use nexus_kernel::id::TenantId;

    use super::*;

    #[tokio::test]
    async fn a_slow_subscriber_keeps_nobody_waiting_and_is_told_what_it_missed() {
        let bus = ProcessBus::new();
        let mut slow = bus.subscribe();
        let ambient = Ambient::seeded(Arc::new(ManualClock::at(START)), 1);
        let groups = vec![format!("{}/operator", TenantId::derived(&["a"]))];
        let claims = Claims { subject: "u".into(), groups };
        let caller = Caller::from_claims(&claims, Product::Engine, None).unwrap();
        let make = |n: u32| {
            let facts = serde_json::json!({ "n": n });
            Event::new(caller.scope(), "draft.approved", &facts, &*ambient.ids, START).unwrap()
        };
        bus.tell((0..1_500).map(make).collect()).await.unwrap();
        assert_eq!(slow.next().await, Some(Heard::Missed(1_500 - 1_024)));
        let Some(Heard::Event(next)) = slow.next().await else { panic!("an event") };
        assert_eq!(next.facts()["n"], 1_500 - 1_024);
        drop(bus);
        for _ in 1..1_024 {
            slow.next().await.unwrap();
        }
        assert_eq!(slow.next().await, None);
    }
}
