//! Texts that are judged: where a verdict is kept, and what it adds to.
//!
//! The verdict and the counters that it adds to are one commit, conditioned on the text's version: however often a
//! text comes, it is judged and counted once.
//!
//! **Never here:** how a text sounds ([`crate::sentiment`] has the port); telling anybody of it.

use nexus_core::effect::EffectId;
use nexus_core::table::CommitError;
use nexus_core::{Op, Record, Scope, Stored, Table};
use nexus_kernel::{Language, Pii, Timestamp};

use crate::catalogue::ProductId;
use crate::comments::Comment;
use crate::inquiries::Inquiry;
use crate::moods;
use crate::sentiment::{Utterance, Verdict};

/// A text that somebody wrote to a merchant or under a post.
pub trait Opinion: Record {
    /// What it says.
    fn text(&self) -> &Pii<String>;

    /// When it was written.
    fn written(&self) -> Timestamp;

    /// About which product.
    fn product(&self) -> Option<ProductId>;

    /// Under, or after, which post.
    fn post(&self) -> Option<EffectId>;

    /// How it sounds, once that was asked.
    fn verdict(&self) -> Option<&Verdict>;

    /// Keeps how it sounds.
    fn keep(&mut self, verdict: Verdict);

    /// What an engine is asked, with the language in which the text probably is.
    fn utterance(&self, hint: Option<Language>) -> Utterance {
        Utterance { text: Pii::new(self.text().reveal().clone()), hint }
    }
}

impl Opinion for Comment {
    fn text(&self) -> &Pii<String> {
        &self.text
    }

    fn written(&self) -> Timestamp {
        self.at
    }

    fn product(&self) -> Option<ProductId> {
        self.product
    }

    fn post(&self) -> Option<EffectId> {
        Some(self.post)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.sentiment.as_ref()
    }

    fn keep(&mut self, verdict: Verdict) {
        self.sentiment = Some(verdict);
    }
}

impl Opinion for Inquiry {
    fn text(&self) -> &Pii<String> {
        &self.message
    }

    fn written(&self) -> Timestamp {
        self.at
    }

    fn product(&self) -> Option<ProductId> {
        Some(self.product)
    }

    fn post(&self) -> Option<EffectId> {
        self.from.as_ref()?.post
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.sentiment.as_ref()
    }

    fn keep(&mut self, verdict: Verdict) {
        self.sentiment = Some(verdict);
    }
}

/// Keeps a verdict beside its text, and adds it to the trends, where `still` holds.
///
/// # Errors
/// Somebody changed the text meanwhile, or the store does not answer: whether it was kept, the text itself tells.
pub async fn keep<R: Opinion>(
    table: &dyn Table,
    scope: &Scope,
    mut text: Stored<R>,
    verdict: Verdict,
    still: Option<Op>,
) -> Result<(), CommitError> {
    let label = verdict.label;
    text.record.keep(verdict);
    let (written, product, post) =
        (text.record.written(), text.record.product(), text.record.post());
    let mut ops: Vec<Op> = vec![text.update(scope)];
    ops.extend(still);
    ops.extend(moods::count(scope, written, product, post, label));
    table.commit(ops, None).await
}
