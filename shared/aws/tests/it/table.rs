//! The table's contract on DynamoDB.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use nexus_aws::DynamoTable;
use nexus_contract::Pair;
use nexus_core::Table;

use crate::emulator::Emulator;

pub(crate) const NAME: &str = "engine";

async fn open() -> Pair<dyn Table> {
    let emulator = Emulator::anew().await;
    let config = emulator.config().await;
    create(&Client::new(&config)).await;
    let one = Arc::new(DynamoTable::new(&config, NAME));
    let other = Arc::new(DynamoTable::new(&emulator.config().await, NAME));
    Pair::new(one as _, other as _, emulator.clock.clone()).keeping(emulator)
}

/// The table as the template has it.
pub(crate) async fn create(client: &Client) {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let keys = |pk: &str, sk: &str| {
        [(pk, KeyType::Hash), (sk, KeyType::Range)].map(|(name, kind)| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        })
    };
    let index = |name: &str, pk: &str, sk: &str| {
        let all = Projection::builder().projection_type(ProjectionType::All).build();
        let index = GlobalSecondaryIndex::builder().index_name(name).projection(all);
        index.set_key_schema(Some(keys(pk, sk).to_vec())).build().unwrap()
    };
    let names = ["pk", "sk", "due_pk", "due_sk", "list_pk", "list_sk"];
    let table = client.create_table().table_name(NAME).billing_mode(BillingMode::PayPerRequest);
    table
        .set_attribute_definitions(Some(names.map(attribute).to_vec()))
        .set_key_schema(Some(keys("pk", "sk").to_vec()))
        .global_secondary_indexes(index("due", "due_pk", "due_sk"))
        .global_secondary_indexes(index("list", "list_pk", "list_sk"))
        .send()
        .await
        .unwrap();
}

crate::sentences! {
    table, open:
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
