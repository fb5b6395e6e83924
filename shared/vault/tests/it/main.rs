//! The row protocol over a safe that stands apart, as parameters of SSM do, and over the envelope: every sentence of
//! the contract, a crash at every call, whatever order, and the canary.
#![expect(clippy::unwrap_used, reason = "a test")]

mod stage;

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::vault::CANARY;
use nexus_contract::{Fault, Faults, Pair, START};
use nexus_core::table::{Condition, Item, Op, Page, Table};
use nexus_core::vault::{Freshness, Generation, SecretName, Vault, VaultError};
use nexus_core::{Product, RecordKind};
use nexus_kernel::{Chance, Secret};
use stage::{Apart, Stage, TestKeys};

fn name(word: &str) -> SecretName {
    SecretName::of_house(Product::Engine, word).unwrap()
}

fn secret(value: &str) -> Secret<String> {
    Secret::new(value.to_owned())
}

mod apart {
    use super::*;

    nexus_contract::vault_contract!(async || {
        let stage = Stage::new();
        let (one, other) = (stage.apart(Faults::none(), 1), stage.apart(Faults::none(), 2));
        Pair::<dyn Vault>::new(Arc::new(one), Arc::new(other), stage.clock)
    });
}

mod envelope {
    use super::*;

    nexus_contract::vault_contract!(async || {
        let stage = Stage::new();
        let (one, other) = (stage.envelope(1), stage.envelope(2));
        Pair::<dyn Vault>::new(Arc::new(one), Arc::new(other), stage.clock)
    });
}

/// What a process does with a secret, one after the other; it ends where something fails.
const STEPS: [Option<&str>; 6] = [Some("v1"), Some("v2"), None, Some("v3"), Some("v4"), None];

async fn step(
    vault: &dyn Vault,
    step: Option<&str>,
    follows: Option<Generation>,
) -> Result<Option<Generation>, VaultError> {
    match step {
        Some(value) => vault.rotate(&name("x"), follows, &secret(value)).await.map(Some),
        None => vault.forget(&name("x")).await.map(|_| None),
    }
}

async fn stands(vault: &dyn Vault) -> Option<String> {
    let held = vault.read(&name("x"), Freshness::Fresh).await.unwrap();
    held.map(|h| h.value.reveal().clone())
}

/// How far it got: how many steps, the generation after them, and what the next one was told.
async fn live(vault: &dyn Vault) -> (usize, Option<Generation>, Option<VaultError>) {
    let mut follows = None;
    for (n, wanted) in STEPS.into_iter().enumerate() {
        match step(vault, wanted, follows).await {
            Ok(next) => follows = next,
            Err(error) => return (n, follows, Some(error)),
        }
    }
    (STEPS.len(), follows, None)
}

#[tokio::test]
async fn a_crash_at_any_call_loses_nothing_and_leaves_nothing() {
    let counted = Faults::none();
    live(&Stage::new().apart(counted.clone(), 1)).await;
    let calls = counted.calls();
    assert!(calls > 30, "{calls}");
    for (at, how) in (0..calls).flat_map(|at| [(at, Fault::Before), (at, Fault::After)]) {
        let stage = Stage::new();
        let (done, follows, told) = live(&stage.apart(Faults::crash(at, how), 1)).await;
        let before = done.checked_sub(1).and_then(|n| STEPS[n]);
        // The process is started again, with nothing in memory.
        let again = stage.apart(Faults::none(), 2);
        let now = stands(&again).await;
        let Some(told) = told else {
            assert_eq!(now.as_deref(), before, "call {at} {how:?}");
            continue;
        };
        let next = STEPS[done];
        let may_be_done = next.is_none() || matches!(told, VaultError::Unknown(_));
        let is_one = now.as_deref() == before || (may_be_done && now.as_deref() == next);
        assert!(is_one, "call {at} {how:?}: {now:?} after {told:?}");
        // What a crash has left of unfinished rotations goes by itself, and what stands stays.
        let strays = stage.copy().await;
        strays.clock.move_to(START + SignedDuration::from_hours(1));
        strays.apart(Faults::none(), 3).remove_strays(Product::Engine).await.unwrap();
        assert_eq!(strays.kept(), usize::from(now.is_some()), "call {at} {how:?}");
        assert_eq!(stands(&strays.apart(Faults::none(), 4)).await, now);
        // Repeated, the step succeeds, and nothing is left but what stands.
        let follows = step(&again, next, follows).await.unwrap();
        assert_eq!(stands(&again).await.as_deref(), next, "call {at} {how:?}");
        assert_eq!(stage.kept(), usize::from(next.is_some()), "call {at} {how:?}");
        step(&again, Some("last"), follows).await.unwrap();
        assert_eq!((stands(&again).await.as_deref(), stage.kept()), (Some("last"), 1));
        assert!(again.forget(&name("x")).await.unwrap().found);
        assert_eq!((stands(&again).await, stage.kept()), (None, 0), "call {at} {how:?}");
    }
}

/// One that refreshes or forgets, as chance has it, always on what it read before.
async fn meddle(vault: Arc<Apart>, chance: Arc<dyn Chance>, task: usize) {
    for n in 0..6 {
        let mut drawn = [0];
        chance.fill(&mut drawn);
        let read = match vault.read(&name("x"), Freshness::Fresh).await {
            Ok(read) => read,
            Err(VaultError::Unavailable(_)) => continue,
            Err(other) => panic!("{other:?}"),
        };
        let outcome = if drawn[0] < 64 {
            vault.forget(&name("x")).await.map(|_| ())
        } else {
            let follows = read.map(|h| h.generation);
            let value = secret(&format!("{task}-{n}"));
            vault.rotate(&name("x"), follows, &value).await.map(|_| ())
        };
        if let Err(error @ (VaultError::Corrupt(_) | VaultError::Refused(_))) = outcome {
            panic!("{error:?}");
        }
    }
}

/// Tasks that wait at every call, with answers lost on the way: nothing that a row names is ever removed.
#[tokio::test]
async fn in_whatever_order_nothing_that_stands_is_removed() {
    for seed in 0..300 {
        let stage = Stage::new().waiting(seed);
        let tasks = (0..4).map(|task| {
            let faults = Faults::seeded(seed * 4 + task, 12);
            let vault = Arc::new(stage.apart(faults, 1 + seed * 4 + task));
            meddle(vault, stage.chance(seed * 4 + task), usize::try_from(task).unwrap())
        });
        futures::future::join_all(tasks).await;
        let last = stage.apart(Faults::none(), 0);
        let stands = last.read(&name("x"), Freshness::Fresh).await.unwrap();
        stage.clock.move_to(START + SignedDuration::from_hours(1));
        last.remove_strays(Product::Engine).await.unwrap();
        assert_eq!(stage.kept(), usize::from(stands.is_some()), "seed {seed}");
        last.forget(&name("x")).await.unwrap();
        assert_eq!(stage.kept(), 0, "seed {seed}");
        assert!(last.read(&name("x"), Freshness::Fresh).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn strays_of_the_living_are_left_alone() {
    let stage = Stage::new();
    // Somebody has put a value and is about to commit it.
    let crashed = stage.apart(Faults::crash(2, Fault::Before), 1);
    assert!(crashed.rotate(&name("x"), None, &secret("v1")).await.is_err());
    let vault = stage.apart(Faults::none(), 2);
    let kept = stage.kept();
    assert_eq!(kept, 1);
    stage.clock.move_to(START + SignedDuration::from_secs(3_599));
    assert_eq!(vault.remove_strays(Product::Engine).await.unwrap(), 0);
    stage.clock.move_to(START + SignedDuration::from_hours(1));
    assert_eq!(vault.remove_strays(Product::Engine).await.unwrap(), 1);
    assert_eq!(stage.kept(), 0);
}

async fn rows(table: &dyn Table) -> Vec<Item> {
    table.scan(&Page::first(100)).await.unwrap().items
}

#[tokio::test]
async fn n40_a_token_is_in_no_row() {
    let stage = Stage::new();
    let vaults: [Box<dyn Vault>; 2] =
        [Box::new(stage.apart(Faults::none(), 1)), Box::new(stage.envelope(2))];
    for (n, vault) in vaults.iter().enumerate() {
        let name = name(&format!("x{n}"));
        let mut follows = None;
        for round in 0..3 {
            let value = secret(&format!("{CANARY}{round}"));
            follows = Some(vault.rotate(&name, follows, &value).await.unwrap());
            let rows = rows(&*stage.table).await;
            let row = rows.iter().find(|i| i.key == name.key()).unwrap();
            assert_eq!(row.kind, RecordKind::Secret);
            assert!(!format!("{rows:?}").contains("canary"), "{rows:?}");
        }
        vault.forget(&name).await.unwrap();
    }
    // What is left of a forgotten name says nothing, and goes.
    for row in rows(&*stage.table).await {
        assert_eq!(row.body, r#"{"grave":{}}"#);
        assert_eq!(row.expires, Some(START + SignedDuration::from_hours(24)));
    }
}

async fn put(table: &dyn Table, item: Item) {
    table.commit(vec![Op::Put { item, when: Condition::Always }], None).await.unwrap();
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_own_row_alone() {
    let stage = Stage::new();
    let vault = stage.envelope(1);
    let names = [name("a"), name("b"), SecretName::of_house(Product::Sentry, "c").unwrap()];
    for name in &names {
        vault.rotate(name, None, &secret("value")).await.unwrap();
    }
    let find = async |name: &SecretName| stage.table.get(&name.key()).await.unwrap().unwrap();
    let is_refused = async |name: &SecretName| {
        let read = stage.envelope(9).read(name, Freshness::Fresh).await;
        matches!(read, Err(VaultError::Corrupt(_)))
    };
    let [a, b, c] = [find(&names[0]).await, find(&names[1]).await, find(&names[2]).await];
    // Another name's, with its version or without; another product's; its own, as another generation.
    let moved = [
        Item { body: b.body.clone(), version: b.version, ..a.clone() },
        Item { body: b.body.clone(), ..a.clone() },
        Item { body: c.body.clone(), version: c.version, ..a.clone() },
        Item { version: a.version + 1, ..a.clone() },
    ];
    for (n, item) in moved.into_iter().enumerate() {
        put(&*stage.table, item).await;
        assert!(is_refused(&names[0]).await, "moved {n}");
    }
    // Any character of the sealed value and of the wrapped key.
    let at = |field: &str| a.body.find(field).unwrap() + field.len();
    for start in [at(r#""sealed":""#), at(r#""key":""#)] {
        for place in start..start + 20 {
            let mut body = a.body.clone().into_bytes();
            body[place] = if body[place] == b'A' { b'B' } else { b'A' };
            put(&*stage.table, Item { body: String::from_utf8(body).unwrap(), ..a.clone() }).await;
            assert!(is_refused(&names[0]).await, "changed at {place}");
        }
    }
    put(&*stage.table, a).await;
    assert!(!is_refused(&names[0]).await, "as it was, it opens");
    // Under another master key nothing does.
    let stranger = stage.envelope_under(TestKeys::new(), 9);
    let read = stranger.read(&names[0], Freshness::Fresh).await;
    assert!(matches!(read, Err(VaultError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn a_row_of_another_kind_is_no_secret() {
    let stage = Stage::new();
    let vault = stage.envelope(1);
    vault.rotate(&name("x"), None, &secret("value")).await.unwrap();
    let row = stage.table.get(&name("x").key()).await.unwrap().unwrap();
    let broken = [
        Item { kind: RecordKind::Draft, ..row.clone() },
        Item { body: format!("{{\"here\":\"{CANARY}\"}}"), ..row },
    ];
    for item in broken {
        put(&*stage.table, item).await;
        let told = stage.envelope(2).read(&name("x"), Freshness::Fresh).await.unwrap_err();
        assert!(matches!(told, VaultError::Corrupt(_)));
        assert!(!format!("{told:?}").contains(CANARY), "{told:?}");
    }
}

#[tokio::test]
async fn n40_a_rotation_whose_answer_was_lost_keeps_its_token() {
    // A refresh token that is good for one use: what the network gave must not be lost with an answer.
    let stage = Stage::new();
    let first = stage.apart(Faults::none(), 1);
    let old = first.rotate(&name("x"), None, &secret("old")).await.unwrap();
    // Calls of the rotation: put 0, commit 1; and the look that asks what became of it fails as well.
    let faults = Faults::script([Fault::None, Fault::After, Fault::Before]);
    let vault = stage.apart(faults, 2);
    let told = vault.rotate(&name("x"), Some(old), &secret("new")).await;
    assert!(matches!(told, Err(VaultError::Unknown(_))), "{told:?}");
    vault.rotate(&name("x"), Some(old), &secret("new")).await.unwrap();
    assert_eq!(stands(&first).await.as_deref(), Some("new"));
    assert_eq!(stage.kept(), 1);
}
