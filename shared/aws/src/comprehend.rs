//! Sentiment by Amazon Comprehend.
//!
//! It is sent texts and nothing of who wrote them. First it is asked for their languages, then, for the texts of each
//! language that it knows, how they sound, 25 at a time. Both kinds of answer name texts by their index and may come
//! in any order, with some texts answered and others refused.
//!
//! A text below 20 characters tells no language, and Comprehend doubts that of some longer ones: then the caller's hint
//! counts, else it is `und`, never a guess. What has no letters is judged as English. The answer says which.
//!
//! A call that fails ends the work: the texts that were not asked about get its failure, since the next call would
//! find the service in the same state and bill for what it did.
//!
//! **Never here:** deciding what a feeling means for a merchant.

mod languages;

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_comprehend::Client;
use aws_sdk_comprehend::types::{
    BatchDetectSentimentItemResult, BatchItemError, LanguageCode, SentimentScore, SentimentType,
};
use nexus_engine::sentiment::{Feeling, Judged, Known, Scores, Sentiment, Unjudged, Utterance};
use nexus_kernel::{Failure, Language};

use crate::fault::Fault;
use crate::parts;

/// Texts in a call, at most.
const BATCH: usize = 25;
/// Bytes of a text, at most.
const MOST_BYTES: usize = 5_000;
/// Characters from which on a text tells its language.
const TELLING: usize = 20;

/// The languages that it judges.
const LANGUAGES: [&str; 12] =
    ["ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "pt", "zh", "zh-TW"];

/// What the caller reads where there is no answer.
const PUBLIC: &str = "The sentiment could not be told.";

/// The judge.
#[derive(Debug, Clone)]
pub struct ComprehendSentiment {
    client: Client,
}

/// A text on its way: what of it is sent, and what is known of it.
struct Asked {
    text: String,
    cut: bool,
    hint: Option<Language>,
}

/// What became of a text.
type Answer = Result<Judged, Unjudged>;

impl ComprehendSentiment {
    /// The judge of this account.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// How the texts of one language sound, by their places.
    async fn batch(&self, language: &str, texts: Vec<String>) -> Result<Vec<Answered>, Fault> {
        let count = texts.len();
        let asked = self.client.batch_detect_sentiment().set_text_list(Some(texts));
        let asked = asked.language_code(LanguageCode::from(language));
        let answer = asked.send().await.map_err(|error| Fault::of(&error))?;
        let found = answer.result_list.iter().map(|one| (one.index, read(one)));
        let refused = answer.error_list.iter().map(|one| (one.index, Err(Refusal::of(one))));
        Ok(by_place(count, found.chain(refused)))
    }
}

#[async_trait]
impl Sentiment for ComprehendSentiment {
    fn engine(&self) -> String {
        "comprehend".to_owned()
    }

    async fn judge(&self, utterances: &[Utterance]) -> Vec<Answer> {
        let asked: Vec<Asked> = utterances.iter().map(Asked::of).collect();
        let (groups, mut answers) = self.languages(&asked).await;
        for (language, members) in groups {
            for chunk in members.chunks(BATCH) {
                let texts = chunk.iter().filter_map(|m| Some(asked.get(m.place)?.text.clone()));
                let results = match answers.down() {
                    Some(fault) => Err(fault),
                    None => self.batch(&language, texts.collect()).await,
                };
                let results = match results {
                    Ok(results) => results,
                    Err(fault) => {
                        answers.fail(chunk.iter().map(|m| m.place), &language, fault);
                        continue;
                    }
                };
                for (member, result) in chunk.iter().zip(results) {
                    let cut = asked.get(member.place).is_some_and(|a| a.cut);
                    let judged = result.map(|(feeling, scores)| Judged {
                        language: language.clone(),
                        known: member.known,
                        feeling,
                        scores,
                        cut,
                        via: None,
                    });
                    answers.put(member.place, judged.map_err(|r| r.unjudged(&language)));
                }
            }
        }
        answers.all()
    }
}

impl Asked {
    fn of(utterance: &Utterance) -> Self {
        let text = utterance.text.reveal().trim();
        let sent = parts::within(text, MOST_BYTES, str::len).first().map_or("", |p| p.trim_end());
        Self { text: sent.to_owned(), cut: sent.len() < text.len(), hint: utterance.hint }
    }

    fn tells_its_language(&self) -> bool {
        self.text.chars().count() >= TELLING
    }
}

/// A text of a group: its place in the question, and how its language was found.
struct Member {
    place: usize,
    known: Known,
}

/// Places by the language of their texts.
type Groups = BTreeMap<String, Vec<Member>>;

/// The answers so far, by place.
struct Answers {
    answers: Vec<Option<Answer>>,
    down: Option<Fault>,
}

impl Answers {
    fn to(count: usize) -> Self {
        Self { answers: (0..count).map(|_| None).collect(), down: None }
    }

    fn put(&mut self, place: usize, answer: Answer) {
        if let Some(open) = self.answers.get_mut(place) {
            *open = Some(answer);
        }
    }

    /// The failure of a call, for each of its texts. Unless it is about these texts, the service is down.
    fn fail(&mut self, places: impl Iterator<Item = usize>, language: &str, fault: Fault) {
        let about_texts = matches!(
            fault.code(),
            "TextSizeLimitExceededException" | "UnsupportedLanguageException"
        );
        for place in places {
            let unjudged = match fault.code() {
                "UnsupportedLanguageException" => Unjudged::Unsupported(language.to_owned()),
                "TextSizeLimitExceededException" => Unjudged::Failed(too_long(fault.clone())),
                _ => Unjudged::Failed(fault.clone().failure(PUBLIC)),
            };
            self.put(place, Err(unjudged));
        }
        if !about_texts {
            self.down = Some(fault);
        }
    }

    fn down(&self) -> Option<Fault> {
        self.down.clone()
    }

    fn all(self) -> Vec<Answer> {
        let missing = || Err(Unjudged::Failed(Failure::bug("a text fell out of its group")));
        self.answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }
}

/// What a batch says of one text.
type Answered = Result<(Feeling, Scores), Refusal>;

/// Why a batch has no answer for one text.
struct Refusal {
    code: String,
    fault: Fault,
}

impl Refusal {
    /// As the list of errors names it. Its sentence may quote the text and is left out.
    fn of(error: &BatchItemError) -> Self {
        let code = error.error_code().unwrap_or_default().to_owned();
        let fault = Fault::unreadable(&format!("the error `{code}` for one text"));
        Self { code, fault }
    }

    /// An answer came for it, and cannot be used.
    fn unreadable(what: &str) -> Self {
        Self { code: String::new(), fault: Fault::unreadable(what) }
    }

    fn unjudged(self, language: &str) -> Unjudged {
        // `TEXT_SIZE_LIMIT_EXCEEDED` and `TextSizeLimitExceededException` are one error.
        let code: String = self.code.to_lowercase().chars().filter(|c| *c != '_').collect();
        match code {
            code if code.contains("unsupportedlanguage") => {
                Unjudged::Unsupported(language.to_owned())
            }
            code if code.contains("sizelimit") => Unjudged::Failed(too_long(self.fault)),
            _ => Unjudged::Failed(self.fault.failure(PUBLIC)),
        }
    }
}

fn too_long(fault: Fault) -> Failure {
    Failure::field("text", "is longer than Comprehend takes").caused_by(fault)
}

/// The answers of a batch in the order of its texts. What was not answered, or twice, has none.
fn by_place<T>(
    count: usize,
    answers: impl Iterator<Item = (Option<i32>, Result<T, Refusal>)>,
) -> Vec<Result<T, Refusal>> {
    let mut places: Vec<Vec<Result<T, Refusal>>> = (0..count).map(|_| Vec::new()).collect();
    for (index, answer) in answers {
        let place = index.and_then(|index| usize::try_from(index).ok());
        if let Some(place) = place.and_then(|place| places.get_mut(place)) {
            place.push(answer);
        }
    }
    let one = |mut answers: Vec<_>| match (answers.pop(), answers.is_empty()) {
        (Some(answer), true) => answer,
        (Some(_), false) => Err(Refusal::unreadable("two answers for one text")),
        (None, _) => Err(Refusal::unreadable("no answer for one text")),
    };
    places.into_iter().map(one).collect()
}

fn read(one: &BatchDetectSentimentItemResult) -> Answered {
    let feeling = match one.sentiment() {
        Some(SentimentType::Positive) => Feeling::Positive,
        Some(SentimentType::Negative) => Feeling::Negative,
        Some(SentimentType::Neutral) => Feeling::Neutral,
        Some(SentimentType::Mixed) => Feeling::Mixed,
        _ => return Err(Refusal::unreadable("a sentiment that is not documented")),
    };
    let scores = one.sentiment_score().and_then(scores);
    scores.map(|s| (feeling, s)).ok_or_else(|| Refusal::unreadable("scores that are none"))
}

/// Four numbers between 0 and 1, to the ten-thousandth; `None` where one is missing or none.
fn scores(given: &SentimentScore) -> Option<Scores> {
    let score = |score: Option<f32>| {
        let score = score.map(f64::from).filter(|s| (0.0..=1.0).contains(s))?;
        Some((score * 10_000.0).round() / 10_000.0)
    };
    Some(Scores {
        positive: score(given.positive())?,
        negative: score(given.negative())?,
        neutral: score(given.neutral())?,
        mixed: score(given.mixed())?,
    })
}

#[cfg(test)]
mod tests;
