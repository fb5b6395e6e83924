//! Many rows at once: calls of up to a hundred keys, and again for what an answer left out.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use nexus_core::table::{Item, Key, StoreError};

use super::rows::{self, Attributes};
use super::{pause, unavailable};

/// The most keys in one call, as DynamoDB has it.
const BATCH: usize = 100;
/// So many answers in a row may bring nothing of what was asked for.
const TRIES: u32 = 5;
/// How long to wait at most before the first of them is asked again; twice as long each further time.
const PAUSE: Duration = Duration::from_millis(25);

/// DynamoDB answered, but left rows out again and again.
#[derive(Debug, thiserror::Error)]
#[error("{0} rows were left out of {TRIES} answers in a row")]
struct LeftOut(usize);

/// The rows that stand under these keys.
pub(super) async fn read(
    client: &Client,
    table: &str,
    keys: &[Key],
) -> Result<HashMap<Key, Item>, StoreError> {
    // DynamoDB refuses a key twice, and one that it could not hold.
    let asked: BTreeSet<&Key> =
        keys.iter().filter(|key| rows::may_stand(key.pk(), key.sk())).collect();
    let asked: Vec<&Key> = asked.into_iter().collect();
    let mut found = HashMap::new();
    for some in asked.chunks(BATCH) {
        let mut open: Vec<Attributes> = some.iter().map(|key| rows::key(key)).collect();
        let mut in_vain = 0;
        while !open.is_empty() {
            let count = open.len();
            let left;
            (left, open) = once(client, table, open, &mut found).await?;
            in_vain = if left < count { 0 } else { in_vain + 1 };
            if in_vain == TRIES {
                return Err(unavailable(LeftOut(left)));
            }
            if left > 0 {
                pause(client, PAUSE * 2_u32.pow(in_vain)).await;
            }
        }
    }
    Ok(found)
}

/// One call: how many keys it left out, and which. It does so where the rows are more than 16 MB together, and where
/// the table has no capacity for them now.
async fn once(
    client: &Client,
    table: &str,
    keys: Vec<Attributes>,
    found: &mut HashMap<Key, Item>,
) -> Result<(usize, Vec<Attributes>), StoreError> {
    let asked = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
    let asked = asked.build().map_err(unavailable)?;
    let answer =
        client.batch_get_item().request_items(table, asked).send().await.map_err(unavailable)?;
    let rows = answer.responses.and_then(|mut of| of.remove(table));
    found.extend(rows::read_all(rows)?.into_iter().map(|item| (item.key.clone(), item)));
    let left = answer.unprocessed_keys.and_then(|mut of| of.remove(table));
    let left = left.map(|left| left.keys).unwrap_or_default();
    Ok((left.len(), left))
}

#[cfg(test)]
mod tests {
    use nexus_core::table::Table;

    use super::*;
    use crate::DynamoTable;
    use crate::replay::{answering, sent};

    fn row(sort: &str) -> String {
        format!(
            r#"{{"pk":{{"S":"p"}},"sk":{{"S":"{sort}"}},"kind":{{"S":"draft"}},"version":{{"N":"1"}},
            "counter":{{"N":"0"}},"body":{{"S":"{{}}"}}}}"#
        )
    }

    /// An answer with these rows that left these keys out.
    fn answer(rows: &[&str], left: &[&str]) -> String {
        let rows: Vec<String> = rows.iter().map(|sort| row(sort)).collect();
        let left: Vec<String> =
            left.iter().map(|s| format!(r#"{{"pk":{{"S":"p"}},"sk":{{"S":"{s}"}}}}"#)).collect();
        let left = match left.is_empty() {
            true => String::new(),
            false => format!(r#""engine":{{"ConsistentRead":true,"Keys":[{}]}}"#, left.join(",")),
        };
        format!(r#"{{"Responses":{{"engine":[{}]}},"UnprocessedKeys":{{{left}}}}}"#, rows.join(","))
    }

    async fn ask(
        sorts: &[&str],
        answers: &[String],
    ) -> (Result<Vec<Option<Item>>, StoreError>, Vec<String>) {
        let answers: Vec<(u16, &str)> = answers.iter().map(|a| (200, a.as_str())).collect();
        let (config, client) = answering(1, &answers);
        let keys: Vec<Key> = sorts.iter().map(|sort| Key::stored("p", *sort)).collect();
        let found = DynamoTable::new(&config, "engine").get_many(&keys).await;
        (found, sent(&client).into_iter().map(|(_, _, body)| body).collect())
    }

    #[tokio::test]
    async fn what_an_answer_left_out_is_asked_for_alone() {
        let answers = [answer(&["c", "a"], &["b"]), answer(&["b"], &[])];
        let (found, bodies) = ask(&["a", "b", "none", "a", "c"], &answers).await;
        let sorts: Vec<_> =
            found.unwrap().into_iter().map(|item| item.map(|i| i.key.sk().to_owned())).collect();
        let expected = [Some("a"), Some("b"), None, Some("a"), Some("c")];
        assert_eq!(sorts, expected.map(|sort| sort.map(str::to_owned)));
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0].matches(r#""sk""#).count(), 4, "each key once");
        assert!(bodies[0].contains(r#""ConsistentRead":true"#));
        assert_eq!(bodies[1].matches(r#""sk""#).count(), 1);
        assert!(bodies[1].contains(r#"{"S":"b"}"#));
    }

    #[tokio::test]
    async fn what_is_left_out_for_ever_is_an_error_in_the_end() {
        let nothing: Vec<String> = (0..=TRIES).map(|_| answer(&[], &["a"])).collect();
        let (found, bodies) = ask(&["a"], &nothing).await;
        assert!(matches!(found, Err(StoreError::Unavailable(_))));
        assert_eq!(bodies.len(), TRIES as usize);
    }

    #[tokio::test]
    async fn more_than_a_hundred_go_in_several_calls_and_none_in_none() {
        let sorts: Vec<String> = (0..201).map(|n| n.to_string()).collect();
        let sorts: Vec<&str> = sorts.iter().map(String::as_str).collect();
        let (_, bodies) =
            ask(&sorts, &[answer(&[], &[]), answer(&[], &[]), answer(&[], &[])]).await;
        let sizes: Vec<usize> = bodies.iter().map(|b| b.matches(r#""sk""#).count()).collect();
        assert_eq!(sizes, [100, 100, 1]);
        let (found, bodies) = ask(&[], &[]).await;
        assert!(found.unwrap().is_empty() && bodies.is_empty());
    }
}
