//! What a proposal stands on beside its draft.

use nexus_core::table::Page;
use nexus_core::{Scope, Table, records};
use nexus_kernel::{Failure, Timestamp};

use crate::account::{Settings, settings_key};
use crate::catalogue::{CatalogueProduct, product_key};
use crate::connections::{Connection, MAX_CONNECTIONS, connections};
use crate::draft::Draft;
use crate::media::{Media, NamedBlob, media_key};

/// What decides which posts a draft becomes: how the tenant wants things done, where it has accounts, and the picture
/// for a post without a video.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// How the tenant wants things done.
    pub settings: Settings,
    /// All its accounts at networks, connected or not, in the order in which they were connected.
    pub connections: Vec<Connection>,
    /// The draft's picture as networks show it.
    pub picture: Option<NamedBlob>,
    /// Where the draft's product is sold.
    pub product_url: Option<String>,
    /// What short links begin with, where this house answers any: `https://shop.example/c`.
    pub link_base: Option<String>,
}

impl Ground {
    /// What a draft's proposal stands on.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn of(
        table: &dyn Table,
        scope: &Scope,
        draft: &Draft,
        link_base: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let product = match draft.product {
            Some(id) => {
                records::load::<CatalogueProduct>(table, &product_key(scope, id), now).await?
            }
            None => None,
        };
        let settings = records::load::<Settings>(table, &settings_key(scope), now).await?;
        let page = Page::first(MAX_CONNECTIONS);
        let found = records::list::<Connection>(table, &connections(scope), &page, now).await?;
        let mut connections: Vec<Connection> =
            found.records.into_iter().map(|stored| stored.record).collect();
        connections.sort_by_key(|connection| (connection.created, connection.id));
        let media = records::load::<Media>(table, &media_key(scope, draft.media), now).await?;
        let upright = |media: &Media| {
            let fills = media.renditions.iter().find(|r| r.height > r.width);
            fills.map(|r| r.blob.clone()).or_else(|| media.preview.clone())
        };
        Ok(Self {
            settings: settings.map(|s| s.record).unwrap_or_default(),
            connections,
            picture: media.and_then(|m| upright(&m.record)),
            product_url: product.and_then(|product| product.record.facts.url),
            link_base: link_base.map(|base| base.trim_end_matches('/').to_owned()),
        })
    }
}
