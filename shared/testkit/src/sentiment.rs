//! An engine that pretends to tell how texts sound: by a word in them.

use async_trait::async_trait;
use nexus_engine::sentiment::{Feeling, Judged, Known, Scores, Sentiment, Unjudged, Utterance};

/// Finds a text negative that has `bad` in it, positive that has `good`, mixed that has both; a text that begins with
/// `xx:` is in a language that it does not know.
#[derive(Debug, Default)]
pub struct FakeSentiment;

#[async_trait]
impl Sentiment for FakeSentiment {
    fn engine(&self) -> String {
        "pretended".to_owned()
    }

    async fn judge(&self, utterances: &[Utterance]) -> Vec<Result<Judged, Unjudged>> {
        utterances.iter().map(judged).collect()
    }
}

fn judged(utterance: &Utterance) -> Result<Judged, Unjudged> {
    let text = utterance.text.reveal();
    if text.trim().is_empty() {
        return Err(Unjudged::Empty);
    }
    if text.starts_with("xx:") {
        return Err(Unjudged::Unsupported("xx".to_owned()));
    }
    let (feeling, [positive, negative, neutral, mixed]) =
        match (text.contains("good"), text.contains("bad")) {
            (true, true) => (Feeling::Mixed, [0.1, 0.1, 0.0, 0.8]),
            (true, false) => (Feeling::Positive, [0.9, 0.0, 0.1, 0.0]),
            (false, true) => (Feeling::Negative, [0.0, 0.9, 0.1, 0.0]),
            (false, false) => (Feeling::Neutral, [0.1, 0.1, 0.8, 0.0]),
        };
    let scores = Scores { positive, negative, neutral, mixed };
    let (language, known) = ("en".to_owned(), Known::Detected);
    Ok(Judged { language, known, feeling, scores, cut: false, via: None })
}
