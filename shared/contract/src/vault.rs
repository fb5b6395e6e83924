//! The sentences of the vault's contract (see [`nexus_core::vault`]), each as tests.
#![expect(clippy::unwrap_used, reason = "a sentence that does not hold panics: that is its report")]

use std::time::Duration;

use futures::future::join_all;
use nexus_core::Product;
use nexus_core::vault::{
    Freshness, Generation, Held, MAX_CACHED, MAX_SECRET_BYTES, SecretName, Vault, VaultError,
};
use nexus_kernel::Secret;

use crate::bus::scope;
use crate::pair::Pair;

/// What the sentences are tried on: two handles to one empty vault, each with a cache of its own.
pub type Stand = Pair<dyn Vault>;

/// A token that no store, no line of a log and no error may show.
pub const CANARY: &str = "canary-7f3a9d5c1e";

fn name(word: &str) -> SecretName {
    SecretName::of(&scope("a", Product::Engine), word).unwrap()
}

fn tokens() -> SecretName {
    name("tiktok-acct_1")
}

fn secret(value: &str) -> Secret<String> {
    Secret::new(value.to_owned())
}

async fn write(
    vault: &dyn Vault,
    name: &SecretName,
    after: Option<Generation>,
    value: &str,
) -> Generation {
    vault.rotate(name, after, &secret(value)).await.unwrap()
}

async fn held(vault: &dyn Vault, name: &SecretName, how: Freshness) -> Option<Held> {
    vault.read(name, how).await.unwrap()
}

async fn fresh(vault: &dyn Vault, name: &SecretName) -> Option<String> {
    held(vault, name, Freshness::Fresh).await.map(|h| h.value.reveal().clone())
}

async fn cached(vault: &dyn Vault, name: &SecretName) -> Option<String> {
    held(vault, name, Freshness::Cached).await.map(|h| h.value.reveal().clone())
}

fn is_overtaken(outcome: &Result<Generation, VaultError>) -> bool {
    matches!(outcome, Err(VaultError::Overtaken))
}

/// 1: of 1 byte to the longest, of any characters.
pub async fn s01_a_secret_is_read_back_whole(stand: &Stand) {
    let longest = "x".repeat(MAX_SECRET_BYTES);
    let tokens = r#"{"access":"act.1","refresh":"rft.1","note":"Señal 😀 日本 \" ' \\"}"#;
    for (n, value) in ["x", " ", tokens, &longest].into_iter().enumerate() {
        let name = name(&format!("n{n}"));
        assert!(fresh(&*stand.other, &name).await.is_none());
        let generation = write(&*stand.one, &name, None, value).await;
        for vault in [&stand.one, &stand.other] {
            for how in [Freshness::Fresh, Freshness::Cached] {
                let held = held(&**vault, &name, how).await.unwrap();
                assert_eq!((held.value.reveal().as_str(), held.generation), (value, generation));
            }
        }
    }
}

/// 1: the last rotation, and nothing of those before.
pub async fn s01_a_rotation_takes_the_place_of_the_one_before(stand: &Stand) {
    let name = tokens();
    let mut stands = None;
    for n in 0..5 {
        let (writer, reader) =
            if n % 2 == 0 { (&stand.one, &stand.other) } else { (&stand.other, &stand.one) };
        let next = write(&**writer, &name, stands, &format!("v{n}")).await;
        assert_ne!(stands.replace(next), Some(next));
        assert_eq!(fresh(&**reader, &name).await.unwrap(), format!("v{n}"));
    }
}

/// 2: one after the other.
pub async fn s02_who_is_overtaken_is_told_and_changes_nothing(stand: &Stand) {
    let name = tokens();
    let first = write(&*stand.one, &name, None, "first").await;
    assert!(is_overtaken(&stand.other.rotate(&name, None, &secret("late")).await));
    let second = write(&*stand.one, &name, Some(first), "second").await;
    for follows in [None, Some(first), Some(Generation::stored(1))] {
        for vault in [&stand.one, &stand.other] {
            assert!(is_overtaken(&vault.rotate(&name, follows, &secret("late")).await));
        }
    }
    let stands = held(&*stand.other, &name, Freshness::Fresh).await.unwrap();
    assert_eq!((stands.value.reveal().as_str(), stands.generation), ("second", second));
}

/// 2: all at once, from nothing and from a generation.
pub async fn s02_of_many_rotations_at_once_one_succeeds(stand: &Stand) {
    let name = tokens();
    let mut stands = None;
    for round in 0..3 {
        let writers = stand.handles(8).map(|(task, vault)| {
            let name = name.clone();
            tokio::spawn(async move {
                let value = format!("{round}-{task}");
                (vault.rotate(&name, stands, &secret(&value)).await, value)
            })
        });
        let outcomes: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
        let won: Vec<_> =
            outcomes.iter().filter_map(|(o, v)| o.as_ref().ok().map(|g| (*g, v))).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|(o, _)| is_overtaken(o)).count(), 7, "{outcomes:?}");
        let held = held(&*stand.other, &name, Freshness::Fresh).await.unwrap();
        assert_eq!((held.generation, held.value.reveal()), (won[0].0, won[0].1));
        stands = Some(won[0].0);
    }
}

/// 3: through either handle, from nothing and from a generation.
pub async fn s03_a_repeated_rotation_has_its_first_outcome(stand: &Stand) {
    let name = tokens();
    let mut stands = None;
    for value in ["first", "second"] {
        let generation = write(&*stand.one, &name, stands, value).await;
        for vault in [&stand.one, &stand.other] {
            assert_eq!(write(&**vault, &name, stands, value).await, generation);
        }
        stands = Some(generation);
    }
    assert_eq!(fresh(&*stand.one, &name).await.as_deref(), Some("second"));
    // Not once somebody has gone on from there.
    let third = write(&*stand.other, &name, stands, "third").await;
    assert!(is_overtaken(&stand.one.rotate(&name, None, &secret("first")).await));
    let again = stand.one.rotate(&name, Some(third), &secret("third")).await.unwrap();
    assert_ne!(again, third, "the same value may follow itself");
}

/// 4: even where the same value was written again.
pub async fn s04_a_generation_of_before_a_forgetting_is_overtaken(stand: &Stand) {
    let name = tokens();
    let before = write(&*stand.one, &name, None, "same").await;
    stand.other.forget(&name).await.unwrap();
    assert!(is_overtaken(&stand.one.rotate(&name, Some(before), &secret("late")).await));
    assert!(fresh(&*stand.one, &name).await.is_none(), "not brought back");
    let after = write(&*stand.other, &name, None, "same").await;
    assert_ne!(before, after);
    assert!(is_overtaken(&stand.one.rotate(&name, Some(before), &secret("late")).await));
    assert_eq!(fresh(&*stand.one, &name).await.as_deref(), Some("same"));
}

/// 5: what another handle wrote is seen in time.
pub async fn s05_a_cached_read_is_less_than_five_minutes_old(stand: &Stand) {
    let name = tokens();
    let first = write(&*stand.one, &name, None, "old").await;
    assert_eq!(cached(&*stand.other, &name).await.as_deref(), Some("old"));
    write(&*stand.one, &name, Some(first), "new").await;
    assert_eq!(fresh(&*stand.other, &name).await.as_deref(), Some("new"));
    stand.pass(MAX_CACHED.unsigned_abs());
    assert_eq!(cached(&*stand.other, &name).await.as_deref(), Some("new"));
    stand.one.forget(&name).await.unwrap();
    stand.pass(MAX_CACHED.unsigned_abs());
    assert_eq!(cached(&*stand.other, &name).await, None);
}

/// 5: nobody reads what he replaced himself.
pub async fn s05_a_handle_never_reads_what_it_replaced(stand: &Stand) {
    let name = tokens();
    let first = write(&*stand.one, &name, None, "old").await;
    assert_eq!(cached(&*stand.one, &name).await.as_deref(), Some("old"));
    write(&*stand.one, &name, Some(first), "new").await;
    assert_eq!(cached(&*stand.one, &name).await.as_deref(), Some("new"));
    stand.one.forget(&name).await.unwrap();
    assert_eq!(cached(&*stand.one, &name).await, None);
}

/// 5: being told that somebody was first, a handle reads what he wrote.
pub async fn s05_who_was_overtaken_reads_what_stands(stand: &Stand) {
    let name = tokens();
    let first = write(&*stand.one, &name, None, "old").await;
    assert_eq!(cached(&*stand.other, &name).await.as_deref(), Some("old"));
    write(&*stand.one, &name, Some(first), "new").await;
    assert!(is_overtaken(&stand.other.rotate(&name, Some(first), &secret("late")).await));
    assert_eq!(cached(&*stand.other, &name).await.as_deref(), Some("new"));
}

/// 6 (N55): for every handle, and for good.
pub async fn s06_n55_what_was_forgotten_is_gone(stand: &Stand) {
    let name = tokens();
    let first = write(&*stand.one, &name, None, "v1").await;
    write(&*stand.one, &name, Some(first), "v2").await;
    assert!(stand.other.forget(&name).await.unwrap().found);
    for vault in [&stand.one, &stand.other] {
        assert!(fresh(&**vault, &name).await.is_none());
    }
    assert!(!stand.one.forget(&name).await.unwrap().found, "twice is no error");
    assert!(!stand.one.forget(&self::name("never")).await.unwrap().found);
    stand.pass(Duration::from_secs(3 * 86_400));
    assert!(fresh(&*stand.one, &name).await.is_none());
    write(&*stand.one, &name, None, "v3").await;
    assert_eq!(fresh(&*stand.other, &name).await.as_deref(), Some("v3"));
}

/// 6: whoever comes last, what stands is one or the other.
pub async fn s06_rotating_and_forgetting_at_once_leaves_one_of_both(stand: &Stand) {
    for round in 0..5 {
        let name = name(&format!("n{round}"));
        let first = write(&*stand.one, &name, None, "old").await;
        let (rotated, forgotten) = futures::join!(
            async { stand.one.rotate(&name, Some(first), &secret("new")).await },
            async { stand.other.forget(&name).await },
        );
        assert!(forgotten.unwrap().found);
        assert!(rotated.is_ok() || is_overtaken(&rotated), "{rotated:?}");
        // Either the forgetting was last, or it was overtaken and came again: it is gone.
        assert!(fresh(&*stand.one, &name).await.is_none());
    }
}

/// 7: of owners, the house and the products.
pub async fn s07_a_name_is_one_owners(stand: &Stand) {
    let product = Product::Engine;
    let names = [
        SecretName::of(&scope("a", product), "key").unwrap(),
        SecretName::of(&scope("b", product), "key").unwrap(),
        SecretName::of_house(product, "key").unwrap(),
        SecretName::of(&scope("a", product), "key-2").unwrap(),
    ];
    for (n, name) in names.iter().enumerate() {
        assert!(fresh(&*stand.other, name).await.is_none(), "{name}");
        write(&*stand.one, name, None, &format!("v{n}")).await;
    }
    assert!(stand.one.forget(&names[0]).await.unwrap().found);
    assert!(fresh(&*stand.other, &names[0]).await.is_none());
    for (n, name) in names.iter().enumerate().skip(1) {
        assert_eq!(fresh(&*stand.other, name).await.unwrap(), format!("v{n}"), "{name}");
    }
}

/// 8: and what stands stays.
pub async fn s08_what_breaks_a_limit_is_refused(stand: &Stand) {
    let name = tokens();
    let long = "x".repeat(MAX_SECRET_BYTES + 1);
    for bad in ["", &long] {
        let outcome = stand.one.rotate(&name, None, &secret(bad)).await;
        assert!(matches!(outcome, Err(VaultError::Refused(_))), "{outcome:?}");
        assert!(fresh(&*stand.other, &name).await.is_none());
    }
    let first = write(&*stand.one, &name, None, "v1").await;
    assert!(stand.one.rotate(&name, Some(first), &secret(&long)).await.is_err());
    assert_eq!(fresh(&*stand.other, &name).await.as_deref(), Some("v1"));
}

/// 9 (N40, N44): neither what is read nor what is refused.
pub async fn s09_n40_nothing_prints_a_value(stand: &Stand) {
    let name = tokens();
    let first = write(&*stand.one, &name, None, CANARY).await;
    let read = stand.other.read(&name, Freshness::Fresh).await;
    let overtaken = stand.other.rotate(&name, None, &secret("late-canary")).await;
    let long = format!("{CANARY}{}", "x".repeat(MAX_SECRET_BYTES));
    let refused = stand.one.rotate(&name, Some(first), &secret(&long)).await;
    let forgotten = stand.one.forget(&name).await;
    let printed = format!("{read:?} {overtaken:?} {refused:?} {forgotten:?} {name:?} {name}");
    assert!(!printed.contains("canary"), "{printed}");
}

sentences! {
    $ vault_contract, vault, Stand:
    s01_a_secret_is_read_back_whole
    s01_a_rotation_takes_the_place_of_the_one_before
    s02_who_is_overtaken_is_told_and_changes_nothing
    s02_of_many_rotations_at_once_one_succeeds
    s03_a_repeated_rotation_has_its_first_outcome
    s04_a_generation_of_before_a_forgetting_is_overtaken
    s05_a_cached_read_is_less_than_five_minutes_old
    s05_a_handle_never_reads_what_it_replaced
    s05_who_was_overtaken_reads_what_stands
    s06_n55_what_was_forgotten_is_gone
    s06_rotating_and_forgetting_at_once_leaves_one_of_both
    s07_a_name_is_one_owners
    s08_what_breaks_a_limit_is_refused
    s09_n40_nothing_prints_a_value
}
