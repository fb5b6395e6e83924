//! Commits as transactions, and what became of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError as Refusal;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use nexus_core::RecordKind;
use nexus_core::table::{CommitError, CommitToken, Condition, Op};
use nexus_kernel::Timestamp;

use super::pause;
use super::rows::{self, Attributes, number, text};

/// How long to wait at most before it is told that others are at the same rows: a few of their transactions.
const CROWDED: Duration = Duration::from_millis(60);

pub(super) async fn commit(
    client: &Client,
    table: &str,
    ops: &[Op],
    token: Option<&CommitToken>,
) -> Result<(), CommitError> {
    let items = ops.iter().map(|op| write(table, op)).collect::<Result<Vec<_>, _>>();
    // Without a token of the caller's the SDK draws one, so that its own retries are applied once as well.
    let request = client
        .transact_write_items()
        .set_transact_items(Some(items.map_err(|e| CommitError::Refused(e.to_string()))?))
        .set_client_request_token(token.map(|t| t.0.clone()));
    let lost = LostAnswer::default();
    match request.customize().interceptor(lost.clone()).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let outcome = outcome(error, lost.happened(), ops);
            // Whoever tries again does so at once: the rules know no clock to wait by.
            if matches!(outcome, CommitError::Contended) {
                pause(client, CROWDED).await;
            }
            Err(outcome)
        }
    }
}

/// Whether the answer to any attempt was lost: then the commit may have been applied, whatever the last said.
#[derive(Debug, Clone, Default)]
struct LostAnswer(Arc<AtomicBool>);

impl LostAnswer {
    fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for LostAnswer {
    fn name(&self) -> &'static str {
        "LostAnswer"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_none_or(|r| r.status().is_server_error()) {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn outcome(error: SdkError<Refusal>, lost: bool, ops: &[Op]) -> CommitError {
    let unknown =
        lost || !matches!(error, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_));
    match error.as_service_error() {
        // Sure even after a lost answer: the token stood on every attempt.
        Some(Refusal::TransactionCanceledException(cancelled)) => {
            reasons(cancelled.cancellation_reasons(), ops)
                .unwrap_or_else(|| CommitError::Unavailable(error.into()))
        }
        Some(Refusal::IdempotentParameterMismatchException(_)) => CommitError::TokenReused,
        Some(Refusal::TransactionInProgressException(_)) => CommitError::Unknown(error.into()),
        _ if unknown => CommitError::Unknown(error.into()),
        _ if error.code() == Some("ValidationException") => CommitError::Refused(
            error.message().unwrap_or("DynamoDB does not take this commit").to_owned(),
        ),
        _ => CommitError::Unavailable(error.into()),
    }
}

/// What the reasons of a cancelled transaction come to; `None` where DynamoDB had no capacity for it.
fn reasons(reasons: &[CancellationReason], ops: &[Op]) -> Option<CommitError> {
    let (mut failed, mut refused) = (Vec::new(), None);
    for (n, (reason, op)) in reasons.iter().zip(ops).enumerate() {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" if only_overflows(op, reason.item()) => {
                refused = Some("a counter has 64 bits, this sum more".to_owned());
            }
            "ConditionalCheckFailed" => failed.push(n),
            // What the conditions of such an operation come to is not known, so no list would be complete.
            "TransactionConflict" => return Some(CommitError::Contended),
            "ThrottlingError" | "ProvisionedThroughputExceeded" => return None,
            code => refused = Some(format!("{code}: {}", reason.message().unwrap_or_default())),
        }
    }
    match refused {
        _ if !failed.is_empty() => Some(CommitError::Conditions(failed)),
        Some(why) => Some(CommitError::Refused(why)),
        None => None,
    }
}

/// Whether an addition failed by its bound on the sum alone.
fn only_overflows(op: &Op, found: Option<&Attributes>) -> bool {
    let found = found.and_then(rows::standing);
    matches!(op, Op::Add { when, .. } if found.is_some() && when.holds(found))
}

type Names = HashMap<String, String>;

/// An expression with its names and values.
struct Expression {
    text: String,
    names: Names,
    values: Attributes,
}

impl Expression {
    fn of(text: &str) -> Self {
        Self { text: text.to_owned(), names: Names::new(), values: Attributes::new() }
    }

    fn name(mut self, short: &str, attribute: &str) -> Self {
        self.names.insert(short.to_owned(), attribute.to_owned());
        self
    }

    fn value(mut self, short: &str, value: AttributeValue) -> Self {
        self.values.insert(short.to_owned(), value);
        self
    }
}

/// A condition as the builders take it.
fn parts(when: Option<Expression>) -> (Option<String>, Option<Names>, Option<Attributes>) {
    let Some(Expression { text, names, values }) = when else { return (None, None, None) };
    (Some(text), Some(names), (!values.is_empty()).then_some(values))
}

fn condition(when: Condition) -> Option<Expression> {
    Some(match when {
        Condition::Always => return None,
        Condition::Absent => Expression::of("attribute_not_exists(#pk)").name("#pk", rows::PK),
        Condition::Present => Expression::of("attribute_exists(#pk)").name("#pk", rows::PK),
        Condition::Version(version) => Expression::of("#version = :version")
            .name("#version", rows::VERSION)
            .value(":version", number(version)),
        // A missing row counts as 0.
        Condition::CounterAtMost(bound) => {
            let or_missing = if bound >= 0 { "attribute_not_exists(#counter) OR " } else { "" };
            Expression::of(&format!("({or_missing}#counter <= :bound)"))
                .name("#counter", rows::COUNTER)
                .value(":bound", number(bound))
        }
    })
}

fn write(table: &str, op: &Op) -> Result<TransactWriteItem, BuildError> {
    let when = condition(op.condition());
    let item = TransactWriteItem::builder();
    let item = match op {
        Op::Put { item: row, .. } => {
            let (condition, names, values) = parts(when);
            let put = Put::builder().table_name(table).set_item(Some(rows::write(row)));
            let put =
                put.set_expression_attribute_names(names).set_expression_attribute_values(values);
            item.put(put.set_condition_expression(condition).build()?)
        }
        Op::Delete { key, .. } => {
            let (condition, names, values) = parts(when);
            let delete = Delete::builder().table_name(table).set_key(Some(rows::key(key)));
            let delete = delete
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            item.delete(delete.set_condition_expression(condition).build()?)
        }
        Op::Check { key, .. } => {
            // A check must ask something: this holds of every row and of none.
            let nothing = || {
                Expression::of("attribute_exists(#pk) OR attribute_not_exists(#pk)")
                    .name("#pk", rows::PK)
            };
            let (condition, names, values) = parts(Some(when.unwrap_or_else(nothing)));
            let check = ConditionCheck::builder().table_name(table).set_key(Some(rows::key(key)));
            let check =
                check.set_expression_attribute_names(names).set_expression_attribute_values(values);
            item.condition_check(check.set_condition_expression(condition).build()?)
        }
        Op::Add { key, kind, delta, expires, .. } => {
            let (change, condition) = addition(*kind, *delta, *expires, when);
            let (change, names, values) = parts(Some(change));
            let update = Update::builder().table_name(table).set_key(Some(rows::key(key)));
            let update = update
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            let update = update.set_update_expression(change).set_condition_expression(condition);
            // So that a failed condition tells whether it was the sum.
            let told = ReturnValuesOnConditionCheckFailure::AllOld;
            item.update(update.return_values_on_condition_check_failure(told).build()?)
        }
    };
    Ok(item.build())
}

/// An addition, and what has to hold for it: what was asked for, and that the sum keeps its 64 bits.
fn addition(
    kind: RecordKind,
    delta: i64,
    expires: Option<Timestamp>,
    when: Option<Expression>,
) -> (Expression, Option<String>) {
    let (set, remove) = match expires {
        Some(_) => (", #expires = :expires, #ttl = :ttl", ""),
        None => ("", " REMOVE #expires, #ttl"),
    };
    let mut change = Expression::of(&format!(
        "SET #kind = if_not_exists(#kind, :kind), #body = if_not_exists(#body, :null){set}{remove} \
         ADD #version :one, #counter :delta"
    ))
    .name("#kind", rows::KIND)
    .name("#body", rows::BODY)
    .name("#version", rows::VERSION)
    .name("#counter", rows::COUNTER)
    .name("#expires", rows::EXPIRES)
    .name("#ttl", rows::TTL)
    .value(":kind", text(kind.name()))
    .value(":null", text("null"))
    .value(":one", number(1))
    .value(":delta", number(delta));
    for (name, value) in expires.map(rows::expiry).into_iter().flatten() {
        change = change.value(&format!(":{name}"), value);
    }
    let room = match delta {
        1.. => Some(("(attribute_not_exists(#counter) OR #counter <= :room)", i64::MAX - delta)),
        0 => None,
        _ => Some(("(attribute_not_exists(#counter) OR #counter >= :room)", i64::MIN - delta)),
    };
    let mut conditions = Vec::new();
    if let Some(when) = when {
        change.names.extend(when.names);
        change.values.extend(when.values);
        conditions.push(when.text);
    }
    if let Some((room, bound)) = room {
        change = change.value(":room", number(bound));
        conditions.push(room.to_owned());
    }
    (change, (!conditions.is_empty()).then(|| conditions.join(" AND ")))
}

#[cfg(test)]
mod tests {
    use nexus_core::table::{Item, Key, MAX_ITEM_BYTES, Table};

    use super::*;
    use crate::DynamoTable;
    use crate::replay::{answering, sent};

    fn key(sort: &str) -> Key {
        Key::stored("p", sort)
    }

    fn ops() -> Vec<Op> {
        let row = Item {
            key: key("put"),
            kind: RecordKind::Draft,
            version: 2,
            expires: None,
            due: None,
            list: None,
            counter: 0,
            body: "{}".into(),
        };
        vec![
            Op::Put { item: row, when: Condition::Version(1) },
            Op::Delete { key: key("delete"), when: Condition::Always },
            Op::Check { key: key("check"), when: Condition::Always },
            Op::Add {
                key: key("add"),
                kind: RecordKind::Receipt,
                delta: 5,
                expires: None,
                when: Condition::CounterAtMost(9),
            },
        ]
    }

    async fn after(attempts: u32, answers: &[(u16, &str)]) -> Result<(), CommitError> {
        let (config, _) = answering(attempts, answers);
        DynamoTable::new(&config, "engine").commit(ops(), None).await
    }

    fn error(kind: &str, more: &str) -> String {
        format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"why"{more}}}"#)
    }

    fn cancelled(codes: [&str; 4], item: &str) -> String {
        let reasons: Vec<_> =
            codes.iter().map(|c| format!(r#"{{"Code":"{c}","Message":"m"{item}}}"#)).collect();
        error(
            "TransactionCanceledException",
            &format!(r#","CancellationReasons":[{}]"#, reasons.join(",")),
        )
    }

    const FAILED: &str = "ConditionalCheckFailed";

    #[tokio::test]
    async fn a_cancellation_names_every_condition_that_failed() {
        let body = cancelled([FAILED, "None", "None", FAILED], "");
        assert!(
            matches!(after(1, &[(400, &body)]).await, Err(CommitError::Conditions(at)) if at == [0, 3])
        );
        // Even after a lost answer: the token stood on both attempts.
        assert!(matches!(
            after(2, &[(500, "{}"), (400, &body)]).await,
            Err(CommitError::Conditions(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_conflict_is_told_after_a_pause_and_whatever_else_at_once() {
        let begun = tokio::time::Instant::now();
        let body = cancelled(["None", "ThrottlingError", "None", "None"], "");
        assert!(after(1, &[(400, &body)]).await.is_err());
        assert!(begun.elapsed() < CROWDED / 2);
        let body = cancelled(["None", "TransactionConflict", "None", "None"], "");
        let begun = tokio::time::Instant::now();
        assert!(matches!(after(1, &[(400, &body)]).await, Err(CommitError::Contended)));
        assert!(begun.elapsed() >= CROWDED / 2);
    }

    #[tokio::test]
    async fn a_conflict_makes_no_list() {
        let body = cancelled([FAILED, "TransactionConflict", "None", "None"], "");
        assert!(matches!(after(1, &[(400, &body)]).await, Err(CommitError::Contended)));
        let body = cancelled(["None", "ThrottlingError", "None", "None"], "");
        assert!(matches!(after(1, &[(400, &body)]).await, Err(CommitError::Unavailable(_))));
        let body = cancelled(["ValidationError", "None", "None", "None"], "");
        let refused = after(1, &[(400, &body)]).await.unwrap_err();
        assert_eq!(refused.to_string(), "ValidationError: m");
    }

    #[tokio::test]
    async fn a_sum_beyond_64_bits_is_refused_and_not_taken_for_a_failed_condition() {
        let full = |counter: i64| {
            format!(r#","Item":{{"version":{{"N":"1"}},"counter":{{"N":"{counter}"}}}}"#)
        };
        let op = |when| Op::Add {
            key: key("add"),
            kind: RecordKind::Receipt,
            delta: 1,
            expires: None,
            when,
        };
        let told = |counter, when| {
            let reason = cancelled([FAILED, "None", "None", "None"], &full(counter));
            async move {
                let (config, _) = answering(1, &[(400, &reason)]);
                DynamoTable::new(&config, "engine").commit(vec![op(when)], None).await.unwrap_err()
            }
        };
        assert!(matches!(told(i64::MAX, Condition::Present).await, CommitError::Refused(_)));
        assert!(matches!(
            told(i64::MAX, Condition::CounterAtMost(9)).await,
            CommitError::Conditions(_)
        ));
    }

    #[tokio::test]
    async fn a_token_of_another_commit_is_told() {
        let body = error("IdempotentParameterMismatchException", "");
        assert!(matches!(after(1, &[(400, &body)]).await, Err(CommitError::TokenReused)));
        let body = error("TransactionInProgressException", "");
        assert!(matches!(after(1, &[(400, &body)]).await, Err(CommitError::Unknown(_))));
    }

    #[tokio::test]
    async fn what_was_refused_did_not_happen_unless_an_answer_was_lost_before() {
        let missing = error("ResourceNotFoundException", "");
        let throttled = error("ThrottlingException", "");
        let invalid = error("ValidationException", "");
        assert!(matches!(after(1, &[(400, &missing)]).await, Err(CommitError::Unavailable(_))));
        assert!(matches!(
            after(2, &[(400, &throttled), (400, &throttled)]).await,
            Err(CommitError::Unavailable(_))
        ));
        assert!(
            matches!(after(1, &[(400, &invalid)]).await, Err(CommitError::Refused(why)) if why == "why")
        );
        assert!(matches!(
            after(2, &[(500, "{}"), (400, &throttled)]).await,
            Err(CommitError::Unknown(_))
        ));
        assert!(matches!(after(1, &[(500, "{}")]).await, Err(CommitError::Unknown(_))));
        assert!(matches!(after(1, &[]).await, Err(CommitError::Unknown(_))), "the line is dead");
    }

    #[tokio::test]
    async fn a_retried_call_carries_one_token() {
        let (config, client) = answering(2, &[(500, "{}"), (200, "{}")]);
        DynamoTable::new(&config, "engine").commit(ops(), None).await.unwrap();
        let [(_, _, first), (_, _, second)] = &sent(&client)[..] else { panic!("two attempts") };
        assert!(first.contains(r#""ClientRequestToken":""#) && first == second);
        let (config, client) = answering(1, &[(200, "{}")]);
        let token = CommitToken("t".into());
        DynamoTable::new(&config, "engine").commit(ops(), Some(&token)).await.unwrap();
        assert!(sent(&client)[0].2.contains(r#""ClientRequestToken":"t""#));
    }

    #[tokio::test]
    async fn what_breaks_a_limit_is_not_sent() {
        let (config, client) = answering(1, &[]);
        let table = DynamoTable::new(&config, "engine");
        let mut large = ops();
        if let Op::Put { item, .. } = &mut large[0] {
            item.body = "x".repeat(MAX_ITEM_BYTES);
        }
        for (ops, why) in [(vec![], "1 to 100 operations"), (large, "p/put has 4")] {
            let outcome = table.commit(ops, None).await;
            assert!(matches!(&outcome, Err(CommitError::Refused(told)) if told.contains(why)));
        }
        assert!(sent(&client).is_empty());
    }
}
