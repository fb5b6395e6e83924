//! What is kept of a comment.

use nexus_core::effect::EffectId;
use nexus_core::sweep::moment;
use nexus_core::table::{Index, IndexEntry, Query};
use nexus_core::{Key, Record, RecordKind, Scope};
use nexus_kernel::{Pii, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CommentId, Remark};
use crate::catalogue::ProductId;
use crate::publishing::Network;
use crate::sentiment::Verdict;

/// Characters of a comment that are kept: more than any network's people write.
pub const MOST_CHARS: usize = 10_000;

/// A comment under a post of the tenant's own. Who wrote it was never asked for (N39).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// Which.
    pub id: CommentId,
    /// Under which post.
    pub post: EffectId,
    /// About which product, where the post is about one.
    pub product: Option<ProductId>,
    /// At which network.
    pub network: Network,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    #[serde(with = "nexus_kernel::private::stored")]
    pub text: Pii<String>,
    /// How it sounds, once that was asked.
    pub sentiment: Option<Verdict>,
}

impl Comment {
    /// A remark as it is kept.
    pub fn of(
        remark: Remark,
        post: EffectId,
        product: Option<ProductId>,
        network: Network,
    ) -> Self {
        let Remark { id, at, text } = remark;
        let text = Pii::new(text.reveal().chars().take(MOST_CHARS).collect());
        let id = Self::id_of(post, network, &id);
        Self { id, post, product, network, at, text, sentiment: None }
    }

    /// The id of a comment that the network calls so.
    pub fn id_of(post: EffectId, network: Network, name: &str) -> CommentId {
        CommentId::derived(&["comment", &post.to_string(), network.name(), name])
    }
}

impl Record for Comment {
    const KIND: RecordKind = RecordKind::Comment;

    fn key(&self, scope: &Scope) -> Key {
        comment_key(scope, self.id)
    }

    fn list(&self, scope: &Scope) -> Option<IndexEntry> {
        let sort = format!("{}#{}", moment(self.at), self.id);
        Some(IndexEntry { partition: partition(scope, self.post), sort })
    }
}

/// Where a comment stands.
pub fn comment_key(scope: &Scope, id: CommentId) -> Key {
    scope.key("comment", id.to_string())
}

/// The comments of a post by the time at which they were written.
pub fn comments(scope: &Scope, post: EffectId) -> Query {
    Query::of(Index::List, partition(scope, post))
}

fn partition(scope: &Scope, post: EffectId) -> String {
    scope.partition(&format!("cmt#{post}"))
}
