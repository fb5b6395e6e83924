//! How English texts sound, by a word list.

use async_trait::async_trait;
use nexus_engine::sentiment::{Judged, Sentiment, Unjudged, Utterance};

/// Judges by a word list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lexicon;

#[async_trait]
impl Sentiment for Lexicon {
    fn engine(&self) -> String {
        "none".to_owned()
    }

    async fn judge(&self, utterances: &[Utterance]) -> Vec<Result<Judged, Unjudged>> {
        utterances.iter().map(|_| Err(Unjudged::Unsupported("und".to_owned()))).collect()
    }
}
