//! In which languages texts are.

use aws_sdk_comprehend::types::BatchDetectDominantLanguageItemResult;
use nexus_engine::sentiment::{Known, Unjudged};
use nexus_kernel::Language;

use super::{
    Answers, Asked, BATCH, ComprehendSentiment, Groups, LANGUAGES, Member, Refusal, by_place,
};
use crate::fault::Fault;

/// Comprehend is surer than this of a language, or it is not told.
const SURE: f32 = 0.5;
/// The code of a language that nobody can tell (ISO 639-2).
const UNDETERMINED: &str = "und";

impl ComprehendSentiment {
    /// The texts that can be judged, by language, and the answers of all others.
    pub(super) async fn languages(&self, asked: &[Asked]) -> (Groups, Answers) {
        let (mut groups, mut answers) = (Groups::new(), Answers::to(asked.len()));
        let mut telling: Vec<(usize, &Asked)> = Vec::new();
        for (place, text) in asked.iter().enumerate() {
            if text.text.is_empty() {
                answers.put(place, Err(Unjudged::Empty));
            } else if text.tells_its_language() {
                telling.push((place, text));
            } else {
                match text.hint {
                    Some(hint) => {
                        let member = Member { place, known: Known::Hinted };
                        join(&mut groups, &mut answers, hint.code(), member);
                    }
                    // A few emoji, a number: these are what they are in English too.
                    None if !text.text.contains(char::is_alphabetic) => {
                        let member = Member { place, known: Known::Assumed };
                        join(&mut groups, &mut answers, Language::En.code(), member);
                    }
                    None => {
                        answers.put(place, Err(Unjudged::Unsupported(UNDETERMINED.to_owned())));
                    }
                }
            }
        }
        for chunk in telling.chunks(BATCH) {
            let found = match answers.down() {
                Some(fault) => Err(fault),
                None => self.detect(chunk.iter().map(|(_, a)| a.text.clone()).collect()).await,
            };
            let found = match found {
                Ok(found) => found,
                Err(fault) => {
                    answers.fail(chunk.iter().map(|(place, _)| *place), UNDETERMINED, fault);
                    continue;
                }
            };
            for ((place, text), found) in chunk.iter().zip(found) {
                let place = *place;
                match (found, text.hint) {
                    (Ok(Some(language)), _) => {
                        let member = Member { place, known: Known::Detected };
                        join(&mut groups, &mut answers, &language, member);
                    }
                    (Ok(None), Some(hint)) => {
                        let member = Member { place, known: Known::Hinted };
                        join(&mut groups, &mut answers, hint.code(), member);
                    }
                    (Ok(None), None) => {
                        answers.put(place, Err(Unjudged::Unsupported(UNDETERMINED.to_owned())));
                    }
                    (Err(refusal), _) => answers.put(place, Err(refusal.unjudged(UNDETERMINED))),
                }
            }
        }
        (groups, answers)
    }

    /// The language of each text; `None` where Comprehend is not sure.
    async fn detect(
        &self,
        texts: Vec<String>,
    ) -> Result<Vec<Result<Option<String>, Refusal>>, Fault> {
        let count = texts.len();
        let asked = self.client.batch_detect_dominant_language().set_text_list(Some(texts));
        let answer = asked.send().await.map_err(|error| Fault::of(&error))?;
        let found = answer.result_list.iter().map(|one| (one.index, Ok(surest(one))));
        let refused = answer.error_list.iter().map(|one| (one.index, Err(Refusal::of(one))));
        Ok(by_place(count, found.chain(refused)))
    }
}

/// Puts a text to those of its language, if that is one that is judged.
fn join(groups: &mut Groups, answers: &mut Answers, language: &str, member: Member) {
    if LANGUAGES.contains(&language) {
        groups.entry(language.to_owned()).or_default().push(member);
    } else {
        answers.put(member.place, Err(Unjudged::Unsupported(language.to_owned())));
    }
}

fn surest(one: &BatchDetectDominantLanguageItemResult) -> Option<String> {
    let sure = one.languages().iter().filter(|l| l.score().is_some_and(|score| score > SURE));
    let surest = sure
        .max_by(|a, b| a.score().unwrap_or_default().total_cmp(&b.score().unwrap_or_default()))?;
    surest.language_code().map(str::to_owned)
}
