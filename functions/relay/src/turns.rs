//! Whose turn it is.

use std::collections::{BTreeMap, VecDeque};

/// Things of several owners, taken by turns: each owner's first, then each one's second, and so on, so that who has
/// many keeps nobody waiting who has few. Each owner's own keep their order.
pub(crate) fn by_turns<O: Ord, T>(things: impl IntoIterator<Item = (O, T)>) -> Vec<T> {
    let mut lines: BTreeMap<O, VecDeque<T>> = BTreeMap::new();
    for (owner, thing) in things {
        lines.entry(owner).or_default().push_back(thing);
    }
    let mut lines: Vec<VecDeque<T>> = lines.into_values().collect();
    let mut taken = Vec::with_capacity(lines.iter().map(VecDeque::len).sum());
    while !lines.is_empty() {
        taken.extend(lines.iter_mut().filter_map(VecDeque::pop_front));
        lines.retain(|line| !line.is_empty());
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nobody_gets_a_second_turn_before_everybody_had_a_first(
            owners in prop::collection::vec(0..6_u8, 0..200),
        ) {
            let things: Vec<(u8, (u8, usize))> =
                owners.iter().enumerate().map(|(n, owner)| (*owner, (*owner, n))).collect();
            let taken = by_turns(things.clone());
            let mut all: Vec<_> = things.into_iter().map(|(_, thing)| thing).collect();
            let mut again = taken.clone();
            all.sort_unstable();
            again.sort_unstable();
            prop_assert_eq!(again, all, "each once");

            let (mut had, mut last) = (BTreeMap::<u8, usize>::new(), BTreeMap::<u8, usize>::new());
            let whole = |owner: u8| owners.iter().filter(|o| **o == owner).count();
            for (owner, number) in taken {
                prop_assert!(last.insert(owner, number).is_none_or(|before| before < number));
                let mine = had.get(&owner).copied().unwrap_or_default();
                for other in owners.iter().copied() {
                    // Whoever still has something waiting had as many turns as this one has had.
                    let theirs = had.get(&other).copied().unwrap_or_default();
                    prop_assert!(theirs >= mine || theirs == whole(other));
                }
                had.insert(owner, mine + 1);
            }
        }
    }
}
