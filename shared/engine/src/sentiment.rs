//! How somebody feels who wrote to a merchant or about a post.
//!
//! # The contract of [`Sentiment`]
//! 1. Every text gets one answer, in the order of the question.
//! 2. What goes wrong with one text changes nothing for the others.
//! 3. A text in a language that the engine does not know is answered with that language's name, never with a guess.
//! 4. Where an answer rests on a part of a text, it says so.
//! 5. Each score is between 0 and 1, and `feeling` is what the engine named, not what somebody read out of the scores.
//! 6. An empty text is answered without asking anybody.
//!
//! **Never here:** who wrote it, about which product; what is done about it.

use async_trait::async_trait;
use nexus_kernel::{Failure, Language, Pii, Timestamp};
use serde::{Deserialize, Serialize};

/// A text to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// What somebody wrote.
    pub text: Pii<String>,
    /// The language in which it probably is, where the caller has a reason to think so, such as that of the form. It
    /// counts only where the text itself is too short to tell.
    pub hint: Option<Language>,
}

/// How it sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feeling {
    /// Pleased.
    Positive,
    /// Displeased.
    Negative,
    /// Neither.
    Neutral,
    /// Both.
    Mixed,
}

/// How sure the engine is of each, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// That it is positive.
    pub positive: f64,
    /// That it is negative.
    pub negative: f64,
    /// That it is neutral.
    pub neutral: f64,
    /// That it is mixed.
    pub mixed: f64,
}

/// How a text's language was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// It shows in the text.
    Detected,
    /// The text is too short to tell, and the caller had a reason to think so.
    Hinted,
    /// Nobody knew, and it reads as English, the source language: a little more than as any other, or it has no letters.
    Assumed,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The text's language, for example `en`, `es`, `zh-TW`.
    pub language: String,
    /// How the language was found.
    pub known: Known,
    /// How it sounds.
    pub feeling: Feeling,
    /// How sure the engine is.
    pub scores: Scores,
    /// Whether only the beginning was judged, since the text is longer than the engine takes.
    pub cut: bool,
    /// Who translated the text before it was judged, where the engine does not read its language itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// Why a text has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unjudged {
    /// There is nothing in it.
    #[error("there is nothing to judge")]
    Empty,
    /// It can be read by whoever knows this language; `und` where not even that shows.
    #[error("the sentiment of texts in `{0}` cannot be told")]
    Unsupported(String),
    /// It failed; the failure's kind says whether it may be tried again.
    #[error("the sentiment could not be told")]
    Failed(#[source] Failure),
}

/// What is kept of a judgement, beside the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it sounds, or why nobody can tell.
    pub label: Label,
    /// How sure the engine is of the label, 0 to 1; `None` where there is no feeling.
    pub score: Option<f64>,
    /// The text's language, `und` where it does not show.
    pub language: String,
    /// How the language was found; `None` where there is no feeling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// The engine's name and version, and through whom it read the text.
    pub engine: String,
    /// When it was judged.
    pub at: Timestamp,
    /// Whether only the beginning of the text was judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// How a text sounds, or why nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Pleased.
    Positive,
    /// Displeased.
    Negative,
    /// Neither.
    Neutral,
    /// Both.
    Mixed,
    /// The engine does not know its language.
    Unsupported,
    /// There is nothing in it.
    Empty,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Positive,
        Self::Negative,
        Self::Neutral,
        Self::Mixed,
        Self::Unsupported,
        Self::Empty,
    ];

    /// The word in reports and counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Mixed => "mixed",
            Self::Unsupported => "unsupported",
            Self::Empty => "empty",
        }
    }

    /// The label of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.name() == name)
    }
}

impl From<Feeling> for Label {
    fn from(feeling: Feeling) -> Self {
        match feeling {
            Feeling::Positive => Self::Positive,
            Feeling::Negative => Self::Negative,
            Feeling::Neutral => Self::Neutral,
            Feeling::Mixed => Self::Mixed,
        }
    }
}

impl Scores {
    /// How sure the engine is of this one.
    pub fn of(&self, feeling: Feeling) -> f64 {
        match feeling {
            Feeling::Positive => self.positive,
            Feeling::Negative => self.negative,
            Feeling::Neutral => self.neutral,
            Feeling::Mixed => self.mixed,
        }
    }
}

impl Verdict {
    /// What is kept of an answer. A text that cannot be told is kept as such, so that nobody asks again.
    ///
    /// # Errors
    /// The text could not be judged this time.
    pub fn of(
        answer: Result<Judged, Unjudged>,
        engine: &str,
        at: Timestamp,
    ) -> Result<Self, Failure> {
        let without = |label, language: &str| Self {
            label,
            score: None,
            language: language.to_owned(),
            known: None,
            engine: engine.to_owned(),
            at,
            cut: false,
        };
        match answer {
            Ok(judged) => {
                let engine = match &judged.via {
                    Some(via) => format!("{engine} via {via}"),
                    None => engine.to_owned(),
                };
                Ok(Self {
                    label: judged.feeling.into(),
                    score: Some(judged.scores.of(judged.feeling)),
                    language: judged.language,
                    known: Some(judged.known),
                    engine,
                    at,
                    cut: judged.cut,
                })
            }
            Err(Unjudged::Unsupported(language)) => Ok(without(Label::Unsupported, &language)),
            Err(Unjudged::Empty) => Ok(without(Label::Empty, "und")),
            Err(Unjudged::Failed(failure)) => Err(failure),
        }
    }
}

/// Tells how texts sound.
#[async_trait]
pub trait Sentiment: Send + Sync {
    /// The engine's name and version.
    fn engine(&self) -> String;

    /// An answer for each text, in order; any number of texts.
    async fn judge(&self, utterances: &[Utterance]) -> Vec<Result<Judged, Unjudged>>;
}
