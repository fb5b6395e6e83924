//! Whatever may be asked of a table, in whatever order: generated operations and questions, few enough keys apart that
//! they meet. Two adapters that are asked the same have to answer the same.

use std::fmt::Debug;
use std::time::Duration;

use nexus_core::RecordKind;
use nexus_core::table::{Condition, Index, IndexEntry, Item, Key, Op, Order, Query, Range};
use nexus_kernel::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::START;

/// A runner that tries so many cases, the same ones every time.
pub fn runner(cases: u32) -> TestRunner {
    let rng_seed = RngSeed::Fixed(2027);
    TestRunner::new(Config { cases, rng_seed, failure_persistence: None, ..Config::default() })
}

/// An outcome as it is compared: errors by what they say, without their causes.
pub fn told<T: Debug, E: Debug>(outcome: Result<T, E>) -> String {
    format!("{outcome:?}")
}

/// One thing that is done with a table.
#[derive(Debug, Clone)]
pub enum TableStep {
    /// A commit, under one of a few tokens or none.
    Commit(Vec<Op>, Option<u8>),
    /// One row.
    Get(Key),
    /// Some rows.
    GetMany(Vec<Key>),
    /// A question, in pages of so many rows.
    Query(Query, u32),
    /// Everything, in pages of so many rows.
    Scan(u32),
    /// So much time.
    Pass(Duration),
}

/// Any step; time passes in whole seconds.
pub fn table_step() -> impl Strategy<Value = TableStep> {
    prop_oneof![
        8 => (vec(op(), 1..6), proptest::option::weighted(0.3, 0..3u8))
            .prop_map(|(ops, token)| TableStep::Commit(ops, token)),
        1 => key().prop_map(TableStep::Get),
        1 => vec(key(), 0..6).prop_map(TableStep::GetMany),
        3 => (query(), 1..6u32).prop_map(|(query, limit)| TableStep::Query(query, limit)),
        1 => (3..9u32).prop_map(TableStep::Scan),
        1 => (0..400u64).prop_map(|seconds| TableStep::Pass(Duration::from_secs(seconds))),
    ]
}

/// Sort keys whose order is another in bytes, in characters and in UTF-16.
const SORTS: [&str; 9] = ["a", "a\u{0}", "aa", "ab", "b", "é", "\u{d7ff}", "\u{ffff}", "😀"];

fn key() -> impl Strategy<Value = Key> {
    (select(vec!["p", "q"]), select(SORTS.to_vec())).prop_map(|(pk, sk)| Key::stored(pk, sk))
}

fn entry() -> impl Strategy<Value = Option<IndexEntry>> {
    let entry = (select(vec!["x", "y"]), select(SORTS.to_vec()));
    proptest::option::of(
        entry.prop_map(|(p, s)| IndexEntry { partition: p.into(), sort: s.into() }),
    )
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        6 => Just(Condition::Always),
        2 => Just(Condition::Absent),
        2 => Just(Condition::Present),
        2 => (0..4u64).prop_map(Condition::Version),
        1 => (-3..6i64).prop_map(Condition::CounterAtMost),
    ]
}

fn kind() -> impl Strategy<Value = RecordKind> {
    select(RecordKind::ALL.to_vec())
}

fn expires() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((0..9_000u64).prop_map(|ms| START + Duration::from_millis(ms)))
}

fn item() -> impl Strategy<Value = Item> {
    let body = select(vec!["", "{}", r#"{"text":"Señal 😀 \" \\"}"#]);
    (key(), kind(), 0..4u64, expires(), entry(), entry(), -3..6i64, body).prop_map(
        |(key, kind, version, expires, due, list, counter, body)| Item {
            key,
            kind,
            version,
            expires,
            due,
            list,
            counter,
            body: body.into(),
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let delta = prop_oneof![8 => -3..6i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    prop_oneof![
        5 => (item(), condition()).prop_map(|(item, when)| Op::Put { item, when }),
        2 => (key(), condition()).prop_map(|(key, when)| Op::Delete { key, when }),
        1 => (key(), condition()).prop_map(|(key, when)| Op::Check { key, when }),
        3 => (key(), kind(), delta, expires(), condition()).prop_map(
            |(key, kind, delta, expires, when)| Op::Add { key, kind, delta, expires, when }
        ),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let bound =
        || select(vec!["", "a", "a\u{0}", "ab", "é", "\u{d7ff}", "\u{ffff}", "😀", "\u{10ffff}"]);
    let range = prop_oneof![
        Just(Range::All),
        bound().prop_map(|p| Range::Prefix(p.into())),
        (bound(), bound()).prop_map(|(from, to)| Range::Between(from.into(), to.into())),
    ];
    let of = select(vec![
        (Index::Base, "p"),
        (Index::Base, "q"),
        (Index::Due, "x"),
        (Index::List, "x"),
        (Index::List, "y"),
    ]);
    let order = select(vec![Order::Ascending, Order::Descending]);
    (of, range, order).prop_map(|((index, partition), range, order)| Query {
        index,
        partition: partition.into(),
        range,
        order,
    })
}
