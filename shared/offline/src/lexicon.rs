//! How texts sound, by a word list: VADER (Hutto and Gilbert, 2014), as its authors published it, for English.
//!
//! A Spanish text is judged by what apertium makes of it in English, where that is installed. A text in any other
//! language, and a Spanish one without apertium, is `unsupported`: a word list knows nothing of it (`tongue.rs`).
//!
//! VADER names no text mixed. What a text says on both sides is mixed here by the rule of [`judgement`].
//!
//! How often it is right stands in the README, measured by [`trial`] on sentences that were written for it.
//!
//! **Never here:** who wrote it; sarcasm, which no word list hears.

mod tongue;
pub mod trial;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use nexus_engine::sentiment::{Feeling, Judged, Scores, Sentiment, Unjudged, Utterance};
use nexus_engine::translation::Translator as _;
use unicode_normalization::UnicodeNormalization as _;
use vader_parity::SentimentIntensityAnalyzer;

use self::tongue::Tongue;
use crate::apertium::Apertium;

/// Characters of a text that are judged: more than a comment has, and as much as is translated in a second or so.
pub const MOST_CHARS: usize = 5_000;
/// Beyond this sum a text is one or the other: the bound that VADER's authors give.
const NEUTRAL: f64 = 0.05;
/// From this share of a text on, each side is more than a stray word.
const A_SIDE: f64 = 0.1;

/// Judges by a word list.
#[derive(Clone)]
pub struct Lexicon {
    vader: Arc<SentimentIntensityAnalyzer>,
    tongue: Arc<Tongue>,
    spanish: Option<Apertium>,
}

impl fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lexicon").field("spanish", &self.spanish).finish_non_exhaustive()
    }
}

impl Lexicon {
    /// The word list, and who turns Spanish into English ([`Apertium::locate_back`]).
    pub fn new(spanish: Option<Apertium>) -> Self {
        let vader = Arc::new(SentimentIntensityAnalyzer::new());
        Self { vader, tongue: Arc::new(Tongue::new()), spanish }
    }

    /// Its name, and what it reads, for a person.
    pub fn told(&self) -> String {
        let spanish = match &self.spanish {
            Some(apertium) => format!("Spanish via {}", apertium.engine()),
            None => "no Spanish: apertium-eng-spa is not installed".to_owned(),
        };
        format!("{}: English; {spanish}", self.engine())
    }

    async fn one(&self, utterance: &Utterance) -> Result<Judged, Unjudged> {
        let whole: String = utterance.text.reveal().nfc().collect();
        let whole = whole.trim();
        let text: String = whole.chars().take(MOST_CHARS).collect();
        if text.is_empty() {
            return Err(Unjudged::Empty);
        }
        let cut = text.len() < whole.len();
        let (language, known) = self.tongue.of(&text, utterance.hint);
        let (judged, via) = match (language, &self.spanish) {
            ("en", _) => (text, None),
            ("es", Some(apertium)) => {
                let translated = apertium.translate(&[&text], &[]).await;
                let mut translated = translated.map_err(Unjudged::Failed)?;
                (translated.pop().unwrap_or_default(), Some(apertium.engine()))
            }
            (language, _) => return Err(Unjudged::Unsupported(language.to_owned())),
        };
        let (feeling, scores) = judgement(&self.vader, &judged);
        Ok(Judged { language: language.to_owned(), known, feeling, scores, cut, via })
    }
}

/// How an English text sounds.
///
/// VADER gives shares of the text that are positive, negative and neutral, and a sum of it all from -1 to 1. What one
/// share has in common with its opposite is mixed. A text is mixed where both sides are more than a stray word and
/// the smaller is at least half of the greater; else its sum decides.
fn judgement(vader: &SentimentIntensityAnalyzer, text: &str) -> (Feeling, Scores) {
    let told = vader.polarity_scores(text);
    let both = told.pos.min(told.neg);
    let share = |share: f64| ((share.clamp(0.0, 1.0)) * 10_000.0).round() / 10_000.0;
    let scores = Scores {
        positive: share(told.pos - both),
        negative: share(told.neg - both),
        neutral: share(told.neu),
        mixed: share(both * 2.0),
    };
    let feeling = if both >= A_SIDE && both * 2.0 >= told.pos.max(told.neg) {
        Feeling::Mixed
    } else if told.compound >= NEUTRAL {
        Feeling::Positive
    } else if told.compound <= -NEUTRAL {
        Feeling::Negative
    } else {
        Feeling::Neutral
    };
    (feeling, scores)
}

#[async_trait]
impl Sentiment for Lexicon {
    fn engine(&self) -> String {
        "vader 3.3.2 (lexicon)".to_owned()
    }

    async fn judge(&self, utterances: &[Utterance]) -> Vec<Result<Judged, Unjudged>> {
        let mut answers = Vec::with_capacity(utterances.len());
        for utterance in utterances {
            answers.push(self.one(utterance).await);
        }
        answers
    }
}

#[cfg(test)]
mod tests;
