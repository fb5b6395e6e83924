//! Every promise that is kept so far, and the tests that prove it: their names begin with its id.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources;

/// The promises that are finished, as far as no account of a vendor is needed to keep them.
const FINISHED: &[&str] = &[
    "N1", "N2", "N3", "N4", "N5", "N8", "N9", "N10", "N11", "N12", "N13", "N14", "N15", "N16",
    "N17", "N23", "N24", "N25", "N26", "N27", "N28", "N29", "N30", "N31", "N32", "N34", "N35",
    "N36", "N37", "N38", "N39", "N40", "N41", "N42", "N43", "N44", "N45", "N46", "N47", "N48",
    "N49", "N50", "N51", "N52", "N53", "N55", "N56", "N62", "N69",
];

/// The ids at the head of test names, with the tests.
fn proofs() -> BTreeMap<String, Vec<String>> {
    let mut proofs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in sources::rust_files() {
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            }
            let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))
            else {
                continue;
            };
            if !std::mem::take(&mut is_test) {
                continue;
            }
            let name = rest.split('(').next().unwrap_or_default();
            for id in ids(name) {
                proofs.entry(id).or_default().push(format!("{file}::{name}"));
            }
        }
    }
    proofs
}

/// `n1_n48_two_tenants…` begins with two ids.
fn ids(name: &str) -> Vec<String> {
    let is_id = |part: &&str| {
        let (head, digits) = part.split_at_checked(1).unwrap_or_default();
        ["n", "s", "f"].contains(&head)
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
    };
    name.split('_').take_while(is_id).map(str::to_uppercase).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the list is for whoever asks for it with --nocapture")]
fn every_finished_promise_has_a_proof() {
    let proofs = proofs();
    for (id, tests) in &proofs {
        println!("{id:<4} {}", tests.join(", "));
    }
    let missing: BTreeSet<&&str> =
        FINISHED.iter().filter(|id| !proofs.contains_key(**id)).collect();
    assert!(missing.is_empty(), "no test proves {missing:?}");
}
