//! The table on DynamoDB.
//!
//! The base table is keyed by `pk` and `sk`; two sparse indexes, `due` and `list`, project everything. A row's
//! attributes are those of [`rows`]; `ttl` stands 7 days after `expires`, as a net below the sweep.
//!
//! Every commit is a transaction, also one of a single operation: it costs twice the write units, and for that a
//! retried call (the SDK's or ours) carries its token and is applied once. Where the answer to any attempt was
//! lost, the commit may have been applied, and the outcome says so.

mod commits;
mod many;
mod questions;
mod rows;

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::AsyncSleep;
use nexus_core::table::{
    CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError, Table, check_limits,
    check_token,
};
use nexus_kernel::Ambient;

/// A product's table.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    name: String,
}

impl DynamoTable {
    /// The table of this name.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        if !rows::may_stand(key.pk(), key.sk()) {
            return Ok(None);
        }
        let request = self.client.get_item().table_name(&self.name).set_key(Some(rows::key(key)));
        let found = request.consistent_read(true).send().await.map_err(unavailable)?;
        found.item.map(rows::read).transpose()
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let found = many::read(&self.client, &self.name, keys).await?;
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        let after = questions::after(query, page)?;
        let Some(asked) = questions::ask(query) else {
            return Ok(Slice { items: Vec::new(), next: None });
        };
        let request = asked.put_to(self.client.query().table_name(&self.name));
        let request = request.set_exclusive_start_key(after.map(|a| a.key_in(query)));
        let found = request.limit(questions::limit(page)).send().await.map_err(unavailable)?;
        let next =
            found.last_evaluated_key.map(|last| questions::cursor(query, last)).transpose()?;
        Ok(Slice { items: rows::read_all(found.items)?, next })
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        check_limits(&ops)?;
        check_token(token)?;
        commits::commit(&self.client, &self.name, &ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        let after = questions::after(&questions::SCAN, page)?;
        let request = self.client.scan().table_name(&self.name).consistent_read(true);
        let request = request.set_exclusive_start_key(after.map(|a| rows::key(&a.key)));
        let found = request.limit(questions::limit(page)).send().await.map_err(unavailable)?;
        let next =
            found.last_evaluated_key.map(|last| questions::scan_cursor(&last)).transpose()?;
        Ok(Slice { items: rows::read_all(found.items)?, next })
    }
}

/// Waits half to the whole of a time: not all who met here come again at once.
async fn pause(client: &Client, longest: Duration) {
    let Some(sleep) = client.config().sleep_impl() else { return };
    let mut drawn = [0];
    Ambient::system().chance.fill(&mut drawn);
    sleep.sleep(longest / 2 + longest / 2 * u32::from(drawn[0]) / 255).await;
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
