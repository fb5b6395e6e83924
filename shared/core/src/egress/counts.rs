//! Counters of one tenant and month: where each stands, and the operation that adds to it.

use nexus_kernel::{Digest, Timestamp};

use super::EntryId;
use super::month::Month;
use crate::retention::RecordKind;
use crate::scope::Scope;
use crate::sweep::DueKind;
use crate::table::{CommitError, CommitToken, Condition, Item, Key, Op, Table};

/// How often a commit is tried while others are at the same counters.
pub(super) const TRIES: u8 = 12;
/// How often a commit is sent again whose answer was lost.
const SENDS: u8 = 3;

/// One counter and what is to be added to it.
///
/// `Op::Add` makes a row that no sweep would find. So the first addition of a month puts the row, with its place in
/// the index of what is due, and only further ones add. That a counter stands is taken for granted until a commit
/// tells otherwise: after the first call of a month it does, and nothing has to be read.
#[derive(Debug, Clone)]
pub(super) struct Count {
    pub(super) key: Key,
    pub(super) kind: RecordKind,
    pub(super) delta: i64,
    /// What it may be at most before the addition; a counter that does not stand is 0.
    pub(super) at_most: Option<i64>,
    pub(super) stands: bool,
}

impl Count {
    pub(super) fn new(key: Key, kind: RecordKind, delta: i64) -> Self {
        Self { key, kind, delta, at_most: None, stands: true }
    }

    fn op(&self, scope: &Scope, expires: Timestamp) -> Op {
        let Self { key, kind, delta, at_most, stands } = self.clone();
        if stands {
            let when = at_most.map_or(Condition::Present, Condition::CounterAtMost);
            return Op::Add { key, kind, delta, expires: Some(expires), when };
        }
        let due = DueKind::Expiry.entry(scope, &format!("{}#{}", key.pk(), key.sk()), expires);
        let item = Item {
            key,
            kind,
            version: 1,
            expires: Some(expires),
            due: Some(due),
            list: None,
            counter: delta,
            body: "null".into(),
        };
        Op::Put { item, when: Condition::Absent }
    }
}

/// The operations that add all of these.
pub(super) fn ops(scope: &Scope, month: Month, counts: &[Count]) -> Vec<Op> {
    let expires = month.expires();
    counts.iter().map(|count| count.op(scope, expires)).collect()
}

/// Learns from a commit whose conditions did not hold: what was taken to stand does not, and the other way round.
/// Of a counter with a bound that tells nothing: whoever sets the bound reads it.
pub(super) fn learn(counts: &mut [Count], failed: &[usize]) {
    for failed in failed {
        if let Some(count) = counts.get_mut(*failed).filter(|count| count.at_most.is_none()) {
            count.stands = !count.stands;
        }
    }
}

/// Commits; where the answer was lost, sends the same again under its token, so that it is applied once.
pub(super) async fn commit(
    table: &dyn Table,
    ops: Vec<Op>,
    token: &CommitToken,
) -> Result<(), CommitError> {
    for _ in 1..SENDS {
        match table.commit(ops.clone(), Some(token)).await {
            Err(CommitError::Unknown(_)) => {}
            known => return known,
        }
    }
    table.commit(ops, Some(token)).await
}

/// The token of one try at one deed of an entry: another try may be of other operations.
pub(super) fn token(entry: EntryId, deed: &str, attempt: u8) -> CommitToken {
    let entry = entry.to_string();
    let digest = Digest::of_parts([entry.as_bytes(), deed.as_bytes(), &[attempt]]);
    CommitToken(digest.to_hex().chars().take(32).collect())
}

/// Names joined by `#` into a sort key, each free of it: names of fields are what a vendor's API has.
pub(super) fn sort_key(names: &[&str]) -> String {
    let escaped: Vec<String> =
        names.iter().map(|name| name.replace('%', "%25").replace('#', "%23")).collect();
    escaped.join("#")
}

/// The names that were joined.
pub(super) fn names(sort_key: &str) -> Vec<String> {
    sort_key.split('#').map(|name| name.replace("%23", "#").replace("%25", "%")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went_whatever_stands_in_them() {
        let awkward = ["", "a", "a#b", "#", "##", "%", "%23", "%25", "%2523", "contents[].text"];
        for one in awkward {
            for other in awkward {
                assert_eq!(names(&sort_key(&[one, other])), [one, other]);
                let apart = sort_key(&[one, other]) == sort_key(&[other, one]);
                assert_eq!(apart, one == other, "{one} {other}");
            }
        }
    }

    #[test]
    fn no_two_tries_share_a_token() {
        let mut tokens: Vec<String> = Vec::new();
        for entry in [EntryId::derived(&["1"]), EntryId::derived(&["2"])] {
            for deed in ["enter", "settle"] {
                tokens.extend((0..TRIES).map(|n| token(entry, deed, n).0));
            }
        }
        let all = tokens.len();
        assert!(tokens.iter().all(|token| token.len() <= crate::table::MAX_TOKEN_CHARS));
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), all);
    }
}
