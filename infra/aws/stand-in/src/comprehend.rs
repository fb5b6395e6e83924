//! Amazon Comprehend's `BatchDetectDominantLanguage` and `BatchDetectSentiment`, from the word list of one machine.
//!
//! Spanish is not judged here: it is refused text by text, as Comprehend refuses what it cannot read.

use nexus_engine::sentiment::{Feeling, Scores, Sentiment as _, Unjudged, Utterance};
use nexus_kernel::{Language, Pii};
use nexus_offline::lexicon::Lexicon;
use serde::{Deserialize, Serialize};

use crate::door::Refusal;

/// Texts in a call, at most.
const MOST_TEXTS: usize = 25;
/// Bytes of a text, at most.
const MOST_BYTES: usize = 5_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DetectLanguages {
    text_list: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DetectSentiment {
    text_list: Vec<String>,
    language_code: String,
}

/// Answers and errors, each by the place of its text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch<T> {
    result_list: Vec<T>,
    error_list: Vec<OneError>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneError {
    index: usize,
    error_code: &'static str,
    error_message: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Languages {
    index: usize,
    languages: Vec<OneLanguage>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneLanguage {
    language_code: String,
    score: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sentiment {
    index: usize,
    sentiment: &'static str,
    sentiment_score: SentimentScore,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SentimentScore {
    positive: f64,
    negative: f64,
    neutral: f64,
    mixed: f64,
}

impl From<Scores> for SentimentScore {
    fn from(scores: Scores) -> Self {
        let Scores { positive, negative, neutral, mixed } = scores;
        Self { positive, negative, neutral, mixed }
    }
}

/// Languages of texts: where the word list cannot tell, nobody is sure.
///
/// # Errors
/// As Comprehend, where there are too many texts or one is too long.
pub(crate) async fn detect_languages(
    lexicon: &Lexicon,
    asked: DetectLanguages,
) -> Result<Batch<Languages>, Refusal> {
    check(&asked.text_list)?;
    let mut result_list = Vec::new();
    for (index, answer) in judged(lexicon, asked.text_list, None).await {
        let (language_code, score) = match answer {
            Ok(judged) => (judged.language, 0.99),
            Err(Unjudged::Unsupported(language)) if language != "und" => (language, 0.99),
            Err(_) => ("en".to_owned(), 0.3),
        };
        result_list
            .push(Languages { index, languages: vec![OneLanguage { language_code, score }] });
    }
    Ok(Batch { result_list, error_list: Vec::new() })
}

/// How texts of one language sound.
///
/// # Errors
/// As Comprehend, where there are too many texts, one is too long, or the language is none that is judged here.
pub(crate) async fn detect_sentiment(
    lexicon: &Lexicon,
    asked: DetectSentiment,
) -> Result<Batch<Sentiment>, Refusal> {
    check(&asked.text_list)?;
    if asked.language_code != Language::En.code() {
        let told = format!("the word list reads no `{}`", asked.language_code);
        return Err(Refusal::new("UnsupportedLanguageException", told));
    }
    let mut batch = Batch { result_list: Vec::new(), error_list: Vec::new() };
    for (index, answer) in judged(lexicon, asked.text_list, Some(Language::En)).await {
        match answer {
            Ok(judged) => batch.result_list.push(Sentiment {
                index,
                sentiment: match judged.feeling {
                    Feeling::Positive => "POSITIVE",
                    Feeling::Negative => "NEGATIVE",
                    Feeling::Neutral => "NEUTRAL",
                    Feeling::Mixed => "MIXED",
                },
                sentiment_score: judged.scores.into(),
            }),
            Err(_) => batch.error_list.push(OneError {
                index,
                error_code: "UNSUPPORTED_LANGUAGE",
                error_message: "The text is in a language that is not read here.",
            }),
        }
    }
    Ok(batch)
}

fn check(texts: &[String]) -> Result<(), Refusal> {
    if !(1..=MOST_TEXTS).contains(&texts.len()) {
        return Err(Refusal::new("BatchSizeLimitExceededException", "1 to 25 texts"));
    }
    if texts.iter().any(|text| text.is_empty() || text.len() > MOST_BYTES) {
        return Err(Refusal::new("TextSizeLimitExceededException", "1 to 5,000 bytes"));
    }
    Ok(())
}

async fn judged(
    lexicon: &Lexicon,
    texts: Vec<String>,
    hint: Option<Language>,
) -> impl Iterator<Item = (usize, Result<nexus_engine::sentiment::Judged, Unjudged>)> {
    let utterances: Vec<Utterance> =
        texts.into_iter().map(|text| Utterance { text: Pii::new(text), hint }).collect();
    lexicon.judge(&utterances).await.into_iter().enumerate()
}
