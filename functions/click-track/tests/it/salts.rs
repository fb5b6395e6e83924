//! The day's salt, and what follows from it.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::vault::{Freshness, Vault};
use nexus_engine::EnginePlatform;
use nexus_engine::clicks::visitor::{Salt, Salts};
use nexus_engine::day_salts::Use;
use nexus_engine::days::day_of;
use nexus_kernel::{Ambient, ClientIp};
use nexus_testkit::MemoryPlatform;

use crate::world::{World, scope};

const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test]
async fn n10_nobody_can_be_followed_into_the_next_day() {
    let world = World::new();
    world.make(&world.link("spring")).await;
    world.follow("/c/spring").await;
    world.follow("/c/spring").await;
    world.ask("GET", "/c/spring", Some("192.0.2.45"), &[]).await;
    world.platform.advance(DAY);
    world.follow("/c/spring").await;
    let visitors: Vec<_> = world.clicks().into_iter().map(|(_, click)| click.visitor).collect();
    assert_eq!(visitors[0], visitors[1], "one visitor of one day");
    assert_ne!(visitors[0], visitors[2], "another one");
    assert_ne!(visitors[0], visitors[3], "the next day");
}

#[tokio::test]
async fn two_processes_that_begin_at_once_have_one_salt() {
    let platform = MemoryPlatform::new();
    let clock = platform.ambient().clock;
    let vault: Arc<dyn Vault> = Arc::new(platform.vault.clone());
    let now = platform.now();
    let process = |seed| Salts::new(Arc::clone(&vault), Ambient::seeded(Arc::clone(&clock), seed));
    let (a, b) = (process(1), process(2));
    let (one, two) = tokio::join!(a.of(now), b.of(now));
    let address = Some(ClientIp::new([192, 0, 2, 44].into()));
    let visitor = |salt: &Salt| salt.visitor(&scope(), address, "agent");
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(visitor(&one), visitor(&two));
    // A third one, later on that day.
    assert_eq!(visitor(&process(3).of(now).await.unwrap()), visitor(&one));
    // A mapped address is the one that it maps.
    let mapped = Some(ClientIp::new("::ffff:192.0.2.44".parse().unwrap()));
    assert_eq!(one.visitor(&scope(), mapped, "agent"), visitor(&one));
    let held =
        vault.read(&Use::Visitors.name(day_of(now)).unwrap(), Freshness::Fresh).await.unwrap();
    assert_eq!(held.map(|held| held.value.reveal().len()), Some(64), "32 bytes");
    assert!(!format!("{one:?}").contains("Hmac"), "a salt cannot be printed: {one:?}");
}

/// Wherever the vault fails, those who ask get the same salt in the end.
#[tokio::test]
async fn a_vault_that_dies_at_any_call_leaves_one_salt() {
    for at in 0..4 {
        for how in [Fault::Before, Fault::After] {
            let platform = MemoryPlatform::new();
            let faults = Faults::crash(at, how);
            let vault = Arc::new(Flaky::new(
                Arc::new(platform.vault.clone()) as Arc<dyn Vault>,
                faults.clone(),
            ));
            let salts = Salts::new(vault, platform.ambient());
            let first = salts.of(platform.now()).await;
            faults.revive();
            let again = salts.of(platform.now()).await.unwrap();
            let other = Salts::new(Arc::new(platform.vault.clone()), platform.ambient());
            let other = other.of(platform.now()).await.unwrap();
            let visitor = |salt: &Salt| salt.visitor(&scope(), None, "");
            assert_eq!(visitor(&again), visitor(&other), "{at} {how:?}");
            if let Ok(first) = first {
                assert_eq!(visitor(&first), visitor(&other), "{at} {how:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_vault_that_does_not_answer_fails_no_click() {
    let platform = MemoryPlatform::new();
    let faults = Faults::crash(0, Fault::Before);
    let vault = Arc::new(Flaky::new(Arc::new(platform.vault.clone()) as Arc<dyn Vault>, faults));
    let world = World::on(platform.with_vault(vault), "commit");
    world.make(&world.link("spring")).await;
    for _ in 0..2 {
        assert_eq!(world.follow("/c/spring").await.status, 302);
    }
    let clicks = world.clicks();
    assert_eq!(clicks[0].1.visitor, clicks[1].1.visitor, "told apart by this process alone");
    let name = Use::Visitors.name(day_of(world.platform.now())).unwrap();
    let kept = world.platform.vault.read(&name, Freshness::Fresh).await.unwrap();
    assert!(kept.is_none());
}
