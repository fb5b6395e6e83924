//! The sentences of the table's contract (see [`nexus_core::table`]), each as tests.
#![expect(clippy::unwrap_used, reason = "a sentence that does not hold panics: that is its report")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use nexus_core::RecordKind;
use nexus_core::table::{
    CommitError, CommitToken, Condition, Cursor, Index, IndexEntry, Item, Key, MAX_COMMIT_BYTES,
    MAX_ITEM_BYTES, MAX_OPS, MAX_PAGE, Op, Order, Page, Query, StoreError, Table,
};
use nexus_kernel::Timestamp;

use crate::pair::{Pair, START};

type Stand = Pair<dyn Table>;

fn key(pk: &str, sk: &str) -> Key {
    Key::stored(pk, sk)
}

/// A plain row, version 1.
fn row(pk: &str, sk: &str) -> Item {
    Item {
        key: key(pk, sk),
        kind: RecordKind::Draft,
        version: 1,
        expires: None,
        due: None,
        list: None,
        counter: 0,
        body: "{}".into(),
    }
}

fn entry(partition: &str, sort: &str) -> Option<IndexEntry> {
    Some(IndexEntry { partition: partition.into(), sort: sort.into() })
}

fn put(item: Item) -> Op {
    Op::Put { item, when: Condition::Always }
}

fn put_if(when: Condition, item: Item) -> Op {
    Op::Put { item, when }
}

fn delete(key: Key) -> Op {
    Op::Delete { key, when: Condition::Always }
}

fn check(key: Key, when: Condition) -> Op {
    Op::Check { key, when }
}

fn add(key: Key, delta: i64, when: Condition) -> Op {
    Op::Add { key, kind: RecordKind::Draft, delta, expires: None, when }
}

fn token(name: &str) -> CommitToken {
    CommitToken(name.into())
}

/// Commits; tries again where others were at the same rows.
async fn commit(table: &dyn Table, ops: Vec<Op>) -> Result<(), CommitError> {
    commit_under(table, ops, None).await
}

async fn commit_under(
    table: &dyn Table,
    ops: Vec<Op>,
    token: Option<&CommitToken>,
) -> Result<(), CommitError> {
    for _ in 0..1_000 {
        match table.commit(ops.clone(), token).await {
            Err(CommitError::Contended) => tokio::task::yield_now().await,
            outcome => return outcome,
        }
    }
    Err(CommitError::Contended)
}

/// Writes rows, a hundred at a time.
async fn fill(table: &dyn Table, items: impl IntoIterator<Item = Item>) {
    let ops: Vec<Op> = items.into_iter().map(put).collect();
    for some in ops.chunks(MAX_OPS) {
        commit(table, some.to_vec()).await.unwrap();
    }
}

/// All pages of a question.
async fn all(table: &dyn Table, query: &Query, limit: u32) -> Vec<Item> {
    let (mut items, mut page) = (Vec::new(), Page::first(limit));
    loop {
        let slice = table.query(query, &page).await.unwrap();
        assert!(slice.items.len() <= limit.clamp(1, MAX_PAGE) as usize, "a page keeps its limit");
        items.extend(slice.items);
        match slice.next {
            Some(next) => page.after = Some(next),
            None => return items,
        }
    }
}

/// All pages of a scan.
async fn everything(table: &dyn Table, limit: u32) -> Vec<Item> {
    let (mut items, mut page) = (Vec::new(), Page::first(limit));
    loop {
        let slice = table.scan(&page).await.unwrap();
        assert!(slice.items.len() <= limit as usize, "a page keeps its limit");
        items.extend(slice.items);
        match slice.next {
            Some(next) => page.after = Some(next),
            None => return items,
        }
    }
}

fn sorts(items: &[Item]) -> Vec<&str> {
    items.iter().map(|i| i.key.sk()).collect()
}

/// Keys that differ where encodings do: in bytes, in UTF-16 units, in normal form, by what LIKE takes for a wildcard.
const SORTS: [&str; 14] = [
    "!", "%", "A", "Z", "_", "a", "a\u{0}", "a\u{0}b", "aa", "e\u{301}", "é", "日本", "\u{ffff}",
    "😀",
];

/// 1: all that a row has comes back, through both handles.
pub async fn s01_rows_are_read_back_whole_through_any_handle(stand: &Stand) {
    let mut rows: Vec<Item> = RecordKind::ALL
        .iter()
        .enumerate()
        .map(|(n, kind)| Item {
            key: key("all", &format!("kind {n}")),
            kind: *kind,
            version: n as u64,
            expires: Some(START + Duration::from_millis(n as u64)),
            due: entry("due", &format!("{n}")),
            list: entry("list", "same"),
            counter: -(n as i64),
            body: format!(r#"{{"text":"Señal {n} – 😀 \" ' \\ 日本"}}"#),
        })
        .collect();
    rows.push(Item { version: i64::MAX as u64, counter: i64::MIN, ..row("all", "least") });
    rows.push(Item { counter: i64::MAX, body: String::new(), ..row("all", "most") });
    rows.extend(SORTS.map(|sort| row(sort, sort)));
    fill(&*stand.one, rows.clone()).await;
    for row in rows {
        for table in [&stand.one, &stand.other] {
            assert_eq!(table.get(&row.key).await.unwrap().as_ref(), Some(&row));
        }
    }
    assert_eq!(stand.other.get(&key("all", "none")).await.unwrap(), None);
    assert_eq!(stand.other.get(&key("none", "least")).await.unwrap(), None);
}

/// 1: a put leaves nothing of the row before.
pub async fn s01_a_put_replaces_the_whole_row(stand: &Stand) {
    let before = Item {
        expires: Some(START),
        due: entry("d", "1"),
        list: entry("l", "1"),
        counter: 9,
        ..row("p", "s")
    };
    commit(&*stand.one, vec![put(before)]).await.unwrap();
    let after = Item { version: 7, kind: RecordKind::Cache, body: "2".into(), ..row("p", "s") };
    commit(&*stand.other, vec![put(after.clone())]).await.unwrap();
    assert_eq!(stand.one.get(&after.key).await.unwrap(), Some(after));
}

/// 1: whether a row is live is the reader's question.
pub async fn s01_an_expired_row_stands_until_it_is_deleted(stand: &Stand) {
    let item = Item { expires: Some(START), ..row("p", "s") };
    commit(&*stand.one, vec![put(item.clone())]).await.unwrap();
    stand.pass(Duration::from_secs(3600));
    assert_eq!(stand.other.get(&item.key).await.unwrap(), Some(item.clone()));
    assert_eq!(all(&*stand.other, &Query::base("p"), 10).await, vec![item.clone()]);
    commit(&*stand.one, vec![delete(item.key.clone())]).await.unwrap();
    assert_eq!(stand.other.get(&item.key).await.unwrap(), None);
}

/// 2: wherever the operation stands whose condition fails.
pub async fn s02_one_failing_operation_at_any_place_changes_nothing(stand: &Stand) {
    let table = &*stand.one;
    fill(table, ["stays", "goes", "counts"].map(|sk| row("p", sk))).await;
    let before = everything(table, 10).await;
    let good = [
        put(Item { body: "new".into(), ..row("p", "stays") }),
        delete(key("p", "goes")),
        add(key("p", "counts"), 5, Condition::Present),
        add(key("p", "made"), 5, Condition::Always),
        check(key("p", "absent"), Condition::Absent),
    ];
    let bad = [
        put_if(Condition::Absent, row("p", "stays")),
        Op::Delete { key: key("p", "goes"), when: Condition::Version(2) },
        add(key("p", "counts"), 1, Condition::CounterAtMost(-1)),
        check(key("p", "absent"), Condition::Present),
    ];
    for failing in bad {
        for place in 0..=good.len() {
            let mut ops: Vec<Op> = good.to_vec();
            ops.insert(place, failing.clone());
            let twin = |n: &usize| *n != place && ops[*n].key() == failing.key();
            if let Some(twin) = (0..ops.len()).find(twin) {
                ops.remove(twin);
            }
            let at = ops.iter().position(|op| *op == failing).unwrap();
            match commit(table, ops).await {
                Err(CommitError::Conditions(failed)) => assert_eq!(failed, vec![at]),
                other => panic!("{failing:?} at {place}: {other:?}"),
            }
            assert_eq!(everything(&*stand.other, 10).await, before, "{failing:?} at {place}");
        }
    }
    commit(table, good.to_vec()).await.unwrap();
    assert_eq!(table.get(&key("p", "made")).await.unwrap().unwrap().counter, 5);
    assert_eq!(table.get(&key("p", "goes")).await.unwrap(), None);
}

/// 2: what one account loses another gains, however many are at it, whatever fails.
pub async fn s02_concurrent_transfers_keep_the_sum(stand: &Stand) {
    fill(&*stand.one, (0..4).map(|n| row("account", &format!("{n}")))).await;
    let transfers = stand.handles(8).map(|(task, table)| {
        tokio::spawn(async move {
            let mut done = 0;
            for n in 0..12usize {
                let (from, to) = (format!("{}", (task + n) % 4), format!("{}", (task + n + 1) % 4));
                // Each third one asks for what does not hold.
                let last = if n % 3 == 2 { Condition::Present } else { Condition::Absent };
                let outcome = commit(
                    &*table,
                    vec![
                        add(key("account", &from), -(n as i64), Condition::Present),
                        add(key("account", &to), n as i64, Condition::Present),
                        put_if(last, row("log", &format!("{task}-{n}"))),
                    ],
                )
                .await;
                match outcome {
                    Ok(()) => done += 1,
                    Err(CommitError::Conditions(failed)) => assert_eq!(failed, vec![2]),
                    Err(other) => panic!("{other:?}"),
                }
            }
            done
        })
    });
    let done: usize = join_all(transfers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(done, 8 * 8);
    let accounts = all(&*stand.other, &Query::base("account"), 10).await;
    assert_eq!(accounts.iter().map(|a| a.counter).sum::<i64>(), 0);
    assert_eq!(accounts.iter().map(|a| a.version).sum::<u64>(), 4 + 2 * done as u64);
    assert_eq!(all(&*stand.other, &Query::base("log"), 10).await.len(), done);
}

/// 3: all of them, not the first alone.
pub async fn s03_every_failed_condition_is_named(stand: &Stand) {
    let table = &*stand.one;
    fill(table, [row("p", "a"), row("p", "b")]).await;
    let ops = vec![
        check(key("p", "x"), Condition::Present),
        check(key("p", "a"), Condition::Present),
        put_if(Condition::Absent, row("p", "b")),
        add(key("p", "c"), 1, Condition::Always),
        Op::Delete { key: key("p", "y"), when: Condition::Version(1) },
        add(key("p", "z"), 1, Condition::CounterAtMost(-1)),
    ];
    match commit(table, ops).await {
        Err(CommitError::Conditions(failed)) => assert_eq!(failed, vec![0, 2, 4, 5]),
        other => panic!("{other:?}"),
    }
    assert_eq!(everything(table, 10).await.len(), 2);
}

/// 3: every condition on a missing row, a new one and one that was counted up, under every operation.
pub async fn s03_each_condition_holds_of_what_it_says(stand: &Stand) {
    let table = &*stand.one;
    let counted = Item { version: 2, counter: 5, ..row("p", "counted") };
    //               condition                      missing  new    counted
    let truth = [
        (Condition::Always, [true, true, true]),
        (Condition::Absent, [true, false, false]),
        (Condition::Present, [false, true, true]),
        (Condition::Version(0), [false, false, false]),
        (Condition::Version(1), [false, true, false]),
        (Condition::Version(2), [false, false, true]),
        (Condition::CounterAtMost(-1), [false, false, false]),
        (Condition::CounterAtMost(0), [true, true, false]),
        (Condition::CounterAtMost(4), [true, true, false]),
        (Condition::CounterAtMost(5), [true, true, true]),
    ];
    for (when, expected) in truth {
        for (sk, holds) in ["missing", "new", "counted"].into_iter().zip(expected) {
            let ops = [
                check(key("p", sk), when),
                put_if(when, row("p", sk)),
                Op::Delete { key: key("p", sk), when },
                add(key("p", sk), 1, when),
            ];
            for op in ops {
                let reset =
                    vec![delete(key("p", "missing")), put(row("p", "new")), put(counted.clone())];
                commit(table, reset).await.unwrap();
                let outcome = commit(table, vec![op.clone()]).await;
                assert_eq!(outcome.is_ok(), holds, "{op:?}: {outcome:?}");
            }
        }
    }
}

/// 4: of many at once, through both handles.
pub async fn s04_one_of_many_commits_on_a_version_succeeds(stand: &Stand) {
    commit(&*stand.one, vec![put(row("p", "s"))]).await.unwrap();
    for version in 1..=5 {
        let tries = stand.handles(12).map(|(task, table)| {
            tokio::spawn(async move {
                let next = Item { version: version + 1, body: task.to_string(), ..row("p", "s") };
                commit(&*table, vec![put_if(Condition::Version(version), next)]).await.is_ok()
            })
        });
        let won: Vec<bool> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(won.iter().filter(|w| **w).count(), 1, "one winner");
        let stands = stand.one.get(&key("p", "s")).await.unwrap().unwrap();
        assert_eq!(stands.version, version + 1);
        assert!(won[stands.body.parse::<usize>().unwrap()], "the winner's row stands");
    }
}

/// 4: the same for rows that are not there yet.
pub async fn s04_one_of_many_creations_succeeds(stand: &Stand) {
    let tries = stand.handles(12).map(|(_, table)| {
        tokio::spawn(async move {
            commit(&*table, vec![put_if(Condition::Absent, row("p", "s"))]).await.is_ok()
        })
    });
    let won = join_all(tries).await.into_iter().filter(|w| *w.as_ref().unwrap()).count();
    assert_eq!(won, 1);
}

/// 4: so nobody's change is lost who reads, changes and writes on the version read.
pub async fn s04_read_change_write_loses_no_change(stand: &Stand) {
    commit(&*stand.one, vec![put(Item { body: "0".into(), ..row("p", "s") })]).await.unwrap();
    let tasks = stand.handles(6).map(|(_, table)| {
        tokio::spawn(async move {
            let mut done = 0;
            while done < 8 {
                let mut item = table.get(&key("p", "s")).await.unwrap().unwrap();
                let when = Condition::Version(item.version);
                item.version += 1;
                item.body = (item.body.parse::<u32>().unwrap() + 1).to_string();
                done += u32::from(commit(&*table, vec![put_if(when, item)]).await.is_ok());
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let item = stand.other.get(&key("p", "s")).await.unwrap().unwrap();
    assert_eq!((item.body.as_str(), item.version), ("48", 49));
}

/// 5: within ten minutes it is the same commit, through any handle.
pub async fn s05_a_repeated_commit_changes_nothing(stand: &Stand) {
    let ops = || {
        vec![
            add(key("p", "count"), 1, Condition::Always),
            put_if(Condition::Absent, row("p", "once")),
        ]
    };
    commit_under(&*stand.one, ops(), Some(&token("t"))).await.unwrap();
    stand.pass(Duration::from_secs(599));
    commit_under(&*stand.other, ops(), Some(&token("t"))).await.unwrap();
    let counter = stand.one.get(&key("p", "count")).await.unwrap().unwrap();
    assert_eq!((counter.counter, counter.version), (1, 1));
    // Not even what somebody else did meanwhile is undone.
    commit(&*stand.one, vec![delete(key("p", "once"))]).await.unwrap();
    commit_under(&*stand.other, ops(), Some(&token("t"))).await.unwrap();
    assert_eq!(stand.one.get(&key("p", "once")).await.unwrap(), None);
}

/// 5: after ten minutes the token is forgotten.
pub async fn s05_a_token_lives_ten_minutes(stand: &Stand) {
    let ops = || vec![add(key("p", "count"), 1, Condition::Always)];
    commit_under(&*stand.one, ops(), Some(&token("t"))).await.unwrap();
    stand.pass(Duration::from_secs(600));
    commit_under(&*stand.other, ops(), Some(&token("t"))).await.unwrap();
    assert_eq!(stand.one.get(&key("p", "count")).await.unwrap().unwrap().counter, 2);
    // It lives anew from then on, and now for other operations.
    commit_under(&*stand.one, ops(), Some(&token("t"))).await.unwrap();
    assert_eq!(stand.one.get(&key("p", "count")).await.unwrap().unwrap().counter, 2);
    stand.pass(Duration::from_secs(600));
    commit_under(&*stand.one, vec![put(row("p", "other"))], Some(&token("t"))).await.unwrap();
}

/// 5: the token with other operations.
pub async fn s05_a_token_serves_one_commit_only(stand: &Stand) {
    let first = vec![put(row("p", "a"))];
    commit_under(&*stand.one, first.clone(), Some(&token("t"))).await.unwrap();
    let others = [
        vec![put(row("p", "b"))],
        vec![put(Item { body: "{ }".into(), ..row("p", "a") })],
        vec![put_if(Condition::Present, row("p", "a"))],
        vec![put(row("p", "a")), put(row("p", "b"))],
        vec![delete(key("p", "a"))],
    ];
    for ops in others {
        let outcome = commit_under(&*stand.other, ops, Some(&token("t"))).await;
        assert!(matches!(outcome, Err(CommitError::TokenReused)), "{outcome:?}");
    }
    commit_under(&*stand.other, first, Some(&token("another"))).await.unwrap();
    assert_eq!(sorts(&everything(&*stand.one, 10).await), ["a"]);
}

/// 5: what did not succeed may be tried again under its token.
pub async fn s05_a_failed_commit_leaves_its_token_unused(stand: &Stand) {
    let t = token("t");
    let ops = || vec![check(key("p", "gate"), Condition::Present), put(row("p", "a"))];
    let refused = commit_under(&*stand.one, ops(), Some(&t)).await;
    assert!(matches!(refused, Err(CommitError::Conditions(_))), "{refused:?}");
    commit(&*stand.one, vec![put(row("p", "gate"))]).await.unwrap();
    commit_under(&*stand.other, ops(), Some(&t)).await.unwrap();
    assert!(stand.one.get(&key("p", "a")).await.unwrap().is_some());
}

/// 5: many at once under one token are one commit.
pub async fn s05_concurrent_commits_under_one_token_are_one(stand: &Stand) {
    let tries = stand.handles(10).map(|(_, table)| {
        tokio::spawn(async move {
            let ops = vec![add(key("p", "count"), 1, Condition::Always)];
            commit_under(&*table, ops, Some(&token("t"))).await
        })
    });
    for outcome in join_all(tries).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(stand.one.get(&key("p", "count")).await.unwrap().unwrap().counter, 1);
}

/// 6: in the order of their bytes, both ways, in pages of any size, each once, nothing of other partitions.
pub async fn s06_a_partition_is_read_in_order_page_by_page(stand: &Stand) {
    let neighbours = ["o", "p ", "p\u{0}", "q", "P", "%"].map(|pk| row(pk, "a"));
    fill(&*stand.one, SORTS.iter().rev().map(|sk| row("p", sk)).chain(neighbours)).await;
    for limit in [0, 1, 2, 3, 13, 14, 15, MAX_PAGE, u32::MAX] {
        let up = all(&*stand.other, &Query::base("p"), limit).await;
        assert_eq!(sorts(&up), SORTS, "pages of {limit}");
        let down = all(&*stand.other, &Query::base("p").newest_first(), limit).await;
        assert!(
            sorts(&down).into_iter().eq(SORTS.into_iter().rev()),
            "pages of {limit}, downwards"
        );
    }
    assert!(all(&*stand.one, &Query::base("nobody"), 3).await.is_empty());
}

/// 6: prefixes and ranges.
pub async fn s06_a_range_returns_what_lies_within(stand: &Stand) {
    fill(&*stand.one, SORTS.map(|sk| row("p", sk))).await;
    let bounds = ["!", "A", "a", "a\u{0}", "b", "é", "日", "日本", "\u{ffff}", "😀", "\u{10ffff}"];
    for limit in [1, 3, 50] {
        for prefix in bounds.into_iter().chain(["", "%", "_"]) {
            let expected: Vec<&str> = SORTS.into_iter().filter(|s| s.starts_with(prefix)).collect();
            let query = Query::base("p").prefix(prefix);
            assert_eq!(sorts(&all(&*stand.other, &query, limit).await), expected, "{prefix:?}");
        }
        for (n, from) in bounds.into_iter().enumerate() {
            for to in &bounds[n.saturating_sub(1)..] {
                let within = |s: &&str| from <= *s && s <= to;
                let mut expected: Vec<&str> = SORTS.into_iter().filter(within).collect();
                let query = Query::base("p").between(from, *to);
                let found = all(&*stand.other, &query, limit).await;
                assert_eq!(sorts(&found), expected, "{from:?} to {to:?}");
                expected.reverse();
                let found = all(&*stand.other, &query.newest_first(), limit).await;
                assert_eq!(sorts(&found), expected, "{to:?} down to {from:?}");
            }
        }
    }
}

/// 6: rows that come and go between pages take nothing from those that stay.
pub async fn s06_rows_that_stay_are_read_once_whatever_changes_meanwhile(stand: &Stand) {
    for order in [Order::Ascending, Order::Descending] {
        let all_rows = (0..20).map(|n| row("p", &format!("{n:02}")));
        fill(&*stand.one, all_rows).await;
        let query = Query { order, ..Query::base("p") };
        let (mut seen, mut page, mut round) = (Vec::new(), Page::first(3), 0);
        loop {
            let slice = stand.one.query(&query, &page).await.unwrap();
            seen.extend(slice.items.iter().map(|i| i.key.sk().to_owned()));
            // The very row on which the page ended goes, and new ones come at both ends.
            if let Some(last) = slice.items.last() {
                commit(&*stand.other, vec![delete(last.key.clone())]).await.unwrap();
            }
            let newcomers = [format!("!{round}"), format!("~{round}")].map(|sk| row("p", &sk));
            if round < 5 {
                fill(&*stand.other, newcomers).await;
            }
            round += 1;
            match slice.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "each once");
        for n in 0..20 {
            assert!(unique.contains(&format!("{n:02}")), "{n} was passed over");
        }
        let rest = all(&*stand.one, &Query::base("p"), 100).await;
        commit(&*stand.one, rest.into_iter().map(|i| delete(i.key)).collect()).await.unwrap();
    }
}

/// 6: a cursor belongs to its question.
pub async fn s06_a_cursor_of_another_question_is_refused(stand: &Stand) {
    let mut rows = vec![row("p", "a"), row("p", "b"), row("q", "a"), row("q", "b")];
    for row in &mut rows {
        row.list = entry("p", row.key.sk());
    }
    fill(&*stand.one, rows).await;
    stand.settle();
    let query = Query::base("p");
    let cursor = stand.one.query(&query, &Page::first(1)).await.unwrap().next;
    let resumed = stand.other.query(&query, &Page::after(5, cursor.clone())).await.unwrap();
    assert_eq!(sorts(&resumed.items), ["b"], "it serves the other handle too");
    let others = [
        Query::base("q"),
        query.clone().newest_first(),
        query.clone().prefix("a"),
        Query::of(Index::List, "p"),
    ];
    for other in others {
        let outcome = stand.one.query(&other, &Page::after(1, cursor.clone())).await;
        assert!(matches!(outcome, Err(StoreError::BadCursor)), "{other:?}");
    }
    let outcome = stand.one.scan(&Page::after(1, cursor)).await;
    assert!(matches!(outcome, Err(StoreError::BadCursor)));
    for forged in ["", "zz", "00", "5b5d", "日本"] {
        let page = Page::after(1, Some(Cursor(forged.into())));
        let outcome = stand.one.query(&query, &page).await;
        assert!(matches!(outcome, Err(StoreError::BadCursor)), "{forged:?}");
    }
}

/// 6: many large rows come in several pages, each once.
pub async fn s06_large_rows_are_read_each_once(stand: &Stand) {
    let large = |n: usize| Item { body: "x".repeat(300 * 1024), ..row("p", &format!("{n}")) };
    for n in 0..8 {
        fill(&*stand.one, [large(n)]).await;
    }
    let found = all(&*stand.other, &Query::base("p"), 100).await;
    assert_eq!(sorts(&found), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert!(found.iter().all(|i| i.body.len() == 300 * 1024));
}

/// 7: those and no others, whole, in the order of the entries' sort keys; two rows may have the same.
pub async fn s07_an_index_returns_the_rows_with_an_entry(stand: &Stand) {
    let rows: Vec<Item> = (0..30)
        .map(|n| Item {
            due: (n % 3 != 0).then(|| entry("due", &format!("{}", n % 5)).unwrap()),
            list: (n % 2 == 0).then(|| entry("list", &format!("{:02}", 30 - n)).unwrap()),
            body: format!("{n}"),
            ..row(&format!("p{}", n % 4), &format!("{n:02}"))
        })
        .collect();
    fill(&*stand.one, rows.clone()).await;
    stand.settle();
    for limit in [1, 2, 7, 1000] {
        for (index, partition) in [(Index::Due, "due"), (Index::List, "list")] {
            let sort = |i: &Item| {
                let entry = if index == Index::Due { &i.due } else { &i.list };
                entry.as_ref().map(|e| e.sort.clone())
            };
            let mut expected: Vec<(String, &Item)> =
                rows.iter().filter_map(|i| Some((sort(i)?, i))).collect();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            for query in [Query::of(index, partition), Query::of(index, partition).newest_first()] {
                let found = all(&*stand.other, &query, limit).await;
                let order: Vec<String> = found.iter().map(|i| sort(i).unwrap()).collect();
                let wanted: Vec<String> = expected.iter().map(|(s, _)| s.clone()).collect();
                assert_eq!(order, wanted, "{index:?} in pages of {limit}");
                let by_key = |items: Vec<Item>| -> BTreeMap<Key, Item> {
                    items.into_iter().map(|i| (i.key.clone(), i)).collect()
                };
                let wanted = by_key(expected.iter().map(|(_, i)| (*i).clone()).collect());
                assert_eq!(by_key(found), wanted, "whole and each once");
                expected.reverse();
            }
        }
    }
    assert!(all(&*stand.one, &Query::of(Index::Due, "list"), 9).await.is_empty());
    assert!(all(&*stand.one, &Query::of(Index::List, "p1"), 9).await.is_empty());
}

/// 7: ranges and prefixes hold of the entries' sort keys.
pub async fn s07_an_index_is_asked_by_range_and_prefix(stand: &Stand) {
    let rows = SORTS
        .iter()
        .enumerate()
        .map(|(n, sort)| Item { list: entry("l", sort), ..row(&format!("{n}"), "s") });
    fill(&*stand.one, rows).await;
    stand.settle();
    let sort = |i: Item| i.list.unwrap().sort;
    for limit in [1, 4] {
        let query = Query::of(Index::List, "l").prefix("a");
        let found = all(&*stand.other, &query, limit).await.into_iter().map(sort);
        assert!(found.eq(["a", "a\u{0}", "a\u{0}b", "aa"].map(String::from)));
        let query = Query::of(Index::List, "l").between("aa", "日本").newest_first();
        let found = all(&*stand.other, &query, limit).await.into_iter().map(sort);
        assert!(found.eq(["日本", "é", "e\u{301}", "aa"].map(String::from)));
    }
}

/// 7: an entry moves and goes with its row; an addition leaves it.
pub async fn s07_an_index_follows_its_rows(stand: &Stand) {
    let listed =
        |partition: &str, sort: &str| Item { list: entry(partition, sort), ..row("p", "s") };
    let shown = async |partition: &str| {
        stand.settle();
        all(&*stand.other, &Query::of(Index::List, partition), 5).await
    };
    let table = &*stand.one;
    commit(table, vec![put(listed("waiting", "1"))]).await.unwrap();
    assert_eq!(shown("waiting").await, vec![listed("waiting", "1")]);
    commit(table, vec![put(listed("waiting", "2"))]).await.unwrap();
    assert_eq!(shown("waiting").await, vec![listed("waiting", "2")]);
    commit(table, vec![put(listed("done", "2"))]).await.unwrap();
    assert!(shown("waiting").await.is_empty());
    commit(table, vec![add(key("p", "s"), 3, Condition::Always)]).await.unwrap();
    let counted = Item { counter: 3, version: 2, ..listed("done", "2") };
    assert_eq!(shown("done").await, vec![counted]);
    commit(table, vec![put(row("p", "s"))]).await.unwrap();
    assert!(shown("done").await.is_empty());
    commit(table, vec![put(listed("done", "3"))]).await.unwrap();
    commit(table, vec![delete(key("p", "s"))]).await.unwrap();
    assert!(shown("done").await.is_empty());
}

/// 7: whatever an index shows, the base row is the truth, and a claim on it is won once.
pub async fn s07_what_an_index_shows_is_claimed_once_on_the_base_row(stand: &Stand) {
    let job =
        |n: usize| Item { due: entry("due", &format!("{n:02}")), ..row("job", &format!("{n}")) };
    fill(&*stand.one, (0..12).map(job)).await;
    let workers = stand.handles(4).map(|(_, table)| {
        tokio::spawn(async move {
            let mut won = Vec::new();
            // Stale reads lag by a few reads at most: so many rounds see everything.
            for _ in 0..8 {
                for shown in all(&*table, &Query::of(Index::Due, "due"), 5).await {
                    let Some(item) = table.get(&shown.key).await.unwrap() else { continue };
                    if item.due.is_none() {
                        continue;
                    }
                    let when = Condition::Version(item.version);
                    let claimed = Item { due: None, version: item.version + 1, ..item };
                    if commit(&*table, vec![put_if(when, claimed)]).await.is_ok() {
                        won.push(shown.key.sk().to_owned());
                    }
                }
            }
            won
        })
    });
    let won: Vec<String> = join_all(workers).await.into_iter().flat_map(Result::unwrap).collect();
    let unique: BTreeSet<&String> = won.iter().collect();
    assert_eq!((won.len(), unique.len()), (12, 12), "each job once");
}

/// 8: nothing is lost, negative steps included.
pub async fn s08_concurrent_additions_add_up(stand: &Stand) {
    let tasks = stand.handles(8).map(|(task, table)| {
        tokio::spawn(async move {
            for n in 0..20 {
                let delta = if n % 5 == 4 { -2 } else { task as i64 };
                let ops = vec![
                    add(key("p", "shared"), delta, Condition::Always),
                    add(key("p", &format!("own {task}")), delta, Condition::Always),
                ];
                commit(&*table, ops).await.unwrap();
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let expected = |task: i64| 16 * task - 8;
    for task in 0..8 {
        let own = stand.one.get(&key("p", &format!("own {task}"))).await.unwrap().unwrap();
        assert_eq!((own.counter, own.version), (expected(task), 20));
    }
    let shared = stand.other.get(&key("p", "shared")).await.unwrap().unwrap();
    assert_eq!((shared.counter, shared.version), ((0..8).map(expected).sum(), 160));
}

/// 8: a bound that many run against is reached and never passed.
pub async fn s08_counter_at_most_lets_none_beyond_its_bound(stand: &Stand) {
    const CAP: i64 = 50;
    let tasks = stand.handles(8).map(|(task, table)| {
        tokio::spawn(async move {
            let delta = 1 + (task % 3) as i64;
            let mut added = 0;
            for _ in 0..20 {
                let op = add(key("p", "cap"), delta, Condition::CounterAtMost(CAP - delta));
                match commit(&*table, vec![op]).await {
                    Ok(()) => added += delta,
                    Err(CommitError::Conditions(failed)) => assert_eq!(failed, vec![0]),
                    Err(other) => panic!("{other:?}"),
                }
            }
            added
        })
    });
    let added: i64 = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    let counter = stand.other.get(&key("p", "cap")).await.unwrap().unwrap().counter;
    assert_eq!((counter, added), (CAP, CAP));
}

/// 8: what an addition makes of a missing row, and what it leaves of one that stands.
pub async fn s08_an_addition_makes_or_keeps_the_row(stand: &Stand) {
    let step = |delta: i64, expires: Option<Timestamp>| Op::Add {
        key: key("p", "s"),
        kind: RecordKind::Receipt,
        delta,
        expires,
        when: Condition::Always,
    };
    commit(&*stand.one, vec![step(-4, Some(START))]).await.unwrap();
    let made = Item {
        kind: RecordKind::Receipt,
        expires: Some(START),
        counter: -4,
        body: "null".into(),
        ..row("p", "s")
    };
    assert_eq!(stand.other.get(&made.key).await.unwrap(), Some(made));
    let full = Item {
        version: 7,
        counter: 1,
        expires: Some(START),
        due: entry("d", "1"),
        list: entry("l", "1"),
        body: "[1]".into(),
        ..row("p", "s")
    };
    commit(&*stand.one, vec![put(full.clone())]).await.unwrap();
    commit(&*stand.one, vec![step(2, None)]).await.unwrap();
    let counted = Item { version: 8, counter: 3, expires: None, ..full };
    assert_eq!(stand.other.get(&counted.key).await.unwrap(), Some(counted.clone()));
    // Whoever read the row before the addition does not write over it.
    let stale = put_if(Condition::Version(7), Item { version: 8, counter: 1, ..counted });
    let outcome = commit(&*stand.one, vec![stale]).await;
    assert!(matches!(outcome, Err(CommitError::Conditions(_))), "{outcome:?}");
}

/// 8: what no longer fits is refused whole.
pub async fn s08_a_sum_beyond_64_bits_is_refused(stand: &Stand) {
    commit(&*stand.one, vec![put(Item { counter: i64::MAX, ..row("p", "full") })]).await.unwrap();
    let ops = vec![put(row("p", "a")), add(key("p", "full"), 1, Condition::Always)];
    let outcome = commit(&*stand.one, ops).await;
    assert!(matches!(outcome, Err(CommitError::Refused(_))), "{outcome:?}");
    assert_eq!(everything(&*stand.other, 10).await.len(), 1);
}

async fn is_refused(stand: &Stand, ops: Vec<Op>, what: &str) {
    let outcome = stand.one.commit(ops, None).await;
    assert!(matches!(outcome, Err(CommitError::Refused(_))), "{what}: {outcome:?}");
    assert!(everything(&*stand.other, 10).await.is_empty(), "{what}: nothing was applied");
}

/// 9: how many operations, and none twice on a row.
pub async fn s09_too_many_operations_or_a_key_twice_are_refused(stand: &Stand) {
    let rows = |n: usize| -> Vec<Op> { (0..n).map(|n| put(row("p", &format!("{n}")))).collect() };
    is_refused(stand, vec![], "no operation").await;
    is_refused(stand, rows(MAX_OPS + 1), "one operation too many").await;
    let twice = |second: Op| vec![put(row("p", "a")), put(row("p", "b")), second];
    is_refused(stand, twice(put(row("p", "a"))), "two puts").await;
    is_refused(stand, twice(delete(key("p", "a"))), "put and delete").await;
    is_refused(stand, twice(check(key("p", "a"), Condition::Always)), "put and check").await;
    is_refused(stand, twice(add(key("p", "a"), 1, Condition::Always)), "put and add").await;
    commit(&*stand.one, rows(MAX_OPS)).await.unwrap();
    assert_eq!(everything(&*stand.other, 7).await.len(), MAX_OPS);
}

/// 9: how many bytes.
pub async fn s09_too_many_bytes_are_refused(stand: &Stand) {
    let sized = |sk: &str, weight: usize| {
        let mut item = row("p", sk);
        let bare = item.weight() - item.body.len();
        item.body = "x".repeat(weight - bare);
        item
    };
    is_refused(stand, vec![put(sized("a", MAX_ITEM_BYTES + 1))], "a row too large").await;
    let many = |n: usize| -> Vec<Op> {
        (0..n).map(|n| put(sized(&format!("{n}"), MAX_ITEM_BYTES))).collect()
    };
    is_refused(stand, many(1 + MAX_COMMIT_BYTES / MAX_ITEM_BYTES), "a commit too large").await;
    let largest = sized("a", MAX_ITEM_BYTES);
    commit(&*stand.one, vec![put(largest.clone())]).await.unwrap();
    assert_eq!(stand.other.get(&largest.key).await.unwrap(), Some(largest));
    commit(&*stand.one, many(MAX_COMMIT_BYTES / MAX_ITEM_BYTES)).await.unwrap();
}

/// 9: how long keys, index entries and tokens are.
pub async fn s09_keys_and_tokens_have_their_lengths(stand: &Stand) {
    for bad in [
        key("", "s"),
        key("p", ""),
        key(&"p".repeat(2049), "s"),
        key("p", &"s".repeat(1025)),
        key("p", &"é".repeat(513)),
    ] {
        is_refused(stand, vec![put(row(bad.pk(), bad.sk()))], "a key").await;
        is_refused(stand, vec![check(bad.clone(), Condition::Always)], "a checked key").await;
        let listed = Item { list: entry(bad.pk(), bad.sk()), ..row("p", "s") };
        is_refused(stand, vec![put(listed)], "an entry of the list index").await;
        let due = Item { due: entry(bad.pk(), bad.sk()), ..row("p", "s") };
        is_refused(stand, vec![put(due)], "an entry of the due index").await;
    }
    for bad in ["", &"t".repeat(37)] {
        let outcome = stand.one.commit(vec![put(row("p", "s"))], Some(&token(bad))).await;
        assert!(matches!(outcome, Err(CommitError::Refused(_))), "{outcome:?}");
    }
    let longest = row(&"p".repeat(2048), &"s".repeat(1024));
    let ops = vec![put(longest.clone())];
    commit_under(&*stand.one, ops, Some(&token(&"t".repeat(36)))).await.unwrap();
    assert_eq!(stand.other.get(&longest.key).await.unwrap(), Some(longest));
}

/// 10: in pages of any size.
pub async fn s10_a_scan_returns_every_row_once(stand: &Stand) {
    assert!(everything(&*stand.one, 5).await.is_empty());
    let rows: Vec<Item> = (0..57)
        .map(|n| Item { counter: n, ..row(SORTS[n as usize % SORTS.len()], &format!("{n}")) })
        .collect();
    fill(&*stand.one, rows.clone()).await;
    let wanted: BTreeMap<Key, Item> = rows.into_iter().map(|i| (i.key.clone(), i)).collect();
    for limit in [1, 2, 56, 57, 58, MAX_PAGE] {
        let found = everything(&*stand.other, limit).await;
        assert_eq!(found.len(), 57, "pages of {limit}");
        let found: BTreeMap<Key, Item> = found.into_iter().map(|i| (i.key.clone(), i)).collect();
        assert_eq!(found, wanted, "pages of {limit}");
    }
}

/// 10: what stays is seen once, whatever others write and delete meanwhile.
pub async fn s10_a_scan_misses_nothing_that_stays(stand: &Stand) {
    fill(&*stand.one, (0..60).map(|n| row(&format!("{}", n % 7), &format!("{n:02}")))).await;
    let (mut seen, mut page, mut round) = (Vec::new(), Page::first(4), 0);
    loop {
        let slice = stand.one.scan(&page).await.unwrap();
        seen.extend(slice.items.iter().map(|i| i.key.clone()));
        for item in &slice.items {
            // Deleted and written again: not seen a second time.
            commit(&*stand.other, vec![delete(item.key.clone())]).await.unwrap();
            commit(&*stand.other, vec![put(item.clone())]).await.unwrap();
        }
        if round < 10 {
            fill(&*stand.other, [row(&format!("{}", round % 9), &format!("new {round}"))]).await;
        }
        round += 1;
        match slice.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let unique: BTreeSet<&Key> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "each once");
    assert_eq!(seen.iter().filter(|k| !k.sk().starts_with("new")).count(), 60);
}

/// 11: more than one call or one answer holds, with some that are missing, asked for twice, or can be nowhere.
pub async fn s11_many_rows_are_read_as_each_alone(stand: &Stand) {
    let large = |n: usize| Item { body: "x".repeat(100_000), ..row("large", &format!("{n:03}")) };
    for n in 0..30 {
        fill(&*stand.one, [large(n)]).await;
    }
    fill(&*stand.one, (0..150).map(|n| row(&format!("p{}", n % 7), &format!("{n:03}")))).await;
    assert_eq!(stand.other.get_many(&[]).await.unwrap(), []);
    let mut keys: Vec<Key> =
        (0..150).rev().map(|n| key(&format!("p{}", n % 7), &format!("{n:03}"))).collect();
    keys.extend((0..30).map(|n| key("large", &format!("{n:03}"))));
    keys.insert(3, key("p0", "none"));
    keys.insert(90, key("", ""));
    keys.push(keys[0].clone());
    keys.insert(1, keys[5].clone());
    let mut alone = Vec::new();
    for key in &keys {
        alone.push(stand.one.get(key).await.unwrap());
    }
    assert_eq!(alone.iter().filter(|found| found.is_none()).count(), 2);
    assert!(stand.other.get_many(&keys).await.unwrap() == alone, "each, in the order asked");
}

sentences! {
    $ table_contract, table, Stand:
    s01_rows_are_read_back_whole_through_any_handle
    s01_a_put_replaces_the_whole_row
    s01_an_expired_row_stands_until_it_is_deleted
    s02_one_failing_operation_at_any_place_changes_nothing
    s02_concurrent_transfers_keep_the_sum
    s03_every_failed_condition_is_named
    s03_each_condition_holds_of_what_it_says
    s04_one_of_many_commits_on_a_version_succeeds
    s04_one_of_many_creations_succeeds
    s04_read_change_write_loses_no_change
    s05_a_repeated_commit_changes_nothing
    s05_a_token_lives_ten_minutes
    s05_a_token_serves_one_commit_only
    s05_a_failed_commit_leaves_its_token_unused
    s05_concurrent_commits_under_one_token_are_one
    s06_a_partition_is_read_in_order_page_by_page
    s06_a_range_returns_what_lies_within
    s06_rows_that_stay_are_read_once_whatever_changes_meanwhile
    s06_a_cursor_of_another_question_is_refused
    s06_large_rows_are_read_each_once
    s07_an_index_returns_the_rows_with_an_entry
    s07_an_index_is_asked_by_range_and_prefix
    s07_an_index_follows_its_rows
    s07_what_an_index_shows_is_claimed_once_on_the_base_row
    s08_concurrent_additions_add_up
    s08_counter_at_most_lets_none_beyond_its_bound
    s08_an_addition_makes_or_keeps_the_row
    s08_a_sum_beyond_64_bits_is_refused
    s09_too_many_operations_or_a_key_twice_are_refused
    s09_too_many_bytes_are_refused
    s09_keys_and_tokens_have_their_lengths
    s10_a_scan_returns_every_row_once
    s10_a_scan_misses_nothing_that_stays
    s11_many_rows_are_read_as_each_alone
}
