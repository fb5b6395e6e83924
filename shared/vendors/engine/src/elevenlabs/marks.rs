//! The times of characters as marks of words.

use nexus_engine::narration::Mark;
use serde::Deserialize;
use serde_json::Value;

/// `alignment`: what was spoken character by character, as it stands in the text.
#[derive(Deserialize)]
struct Alignment {
    characters: Vec<String>,
    character_start_times_seconds: Vec<f64>,
}

/// When each word of the sentence begins; a word is what stands between spaces, without the signs around it, as Polly
/// has it. Empty where the times are missing or do not belong to this sentence.
pub(super) fn of(alignment: &Value, sentence: &str) -> Vec<Mark> {
    times(alignment, sentence).map(|times| words(sentence, &times)).unwrap_or_default()
}

/// The byte at which each timed piece of the sentence begins, with its time.
fn times(alignment: &Value, sentence: &str) -> Option<Vec<(usize, u64)>> {
    let alignment = Alignment::deserialize(alignment).ok()?;
    let starts = &alignment.character_start_times_seconds;
    if alignment.characters.len() != starts.len() || alignment.characters.concat() != sentence {
        return None;
    }
    let (mut at, mut heard) = (0, 0);
    let mut times = Vec::with_capacity(starts.len());
    for (character, start) in alignment.characters.iter().zip(starts) {
        // A time that runs backwards would show a word before the one that is heard.
        heard = millis(*start)?.max(heard);
        times.push((at, heard));
        at += character.len();
    }
    Some(times)
}

/// Whole milliseconds; nothing for what is no time of a sentence.
fn millis(seconds: f64) -> Option<u64> {
    let is_time = (0.0..=86_400.0).contains(&seconds);
    is_time.then(|| (seconds * 1_000.0).round() as u64)
}

fn words(sentence: &str, times: &[(usize, u64)]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut at = 0;
    for piece in sentence.split_inclusive(char::is_whitespace) {
        let is_sign = |c: char| !c.is_alphanumeric();
        let word = piece.trim_matches(is_sign);
        let start = at + (piece.len() - piece.trim_start_matches(is_sign).len());
        at += piece.len();
        // The time of the piece that the word begins in.
        let timed = times.partition_point(|(byte, _)| *byte <= start);
        let heard = timed.checked_sub(1).and_then(|last| times.get(last));
        if let (false, Some((_, start_ms))) = (word.is_empty(), heard) {
            let bytes = start..start + word.len();
            marks.push(Mark { word: word.to_owned(), bytes, start_ms: *start_ms });
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use serde_json::json;

    use super::*;

    /// Each character a tenth of a second after the one before.
    fn even(sentence: &str) -> Value {
        let characters: Vec<String> = sentence.chars().map(String::from).collect();
        let starts: Vec<f64> = (0..characters.len()).map(|i| i as f64 / 10.0).collect();
        json!({ "characters": characters, "character_start_times_seconds": starts })
    }

    fn told(alignment: &Value, sentence: &str) -> Vec<(String, u64)> {
        of(alignment, sentence).into_iter().map(|m| (m.word, m.start_ms)).collect()
    }

    #[test]
    fn words_begin_with_their_first_letter() {
        let sentence = "¿Qué tal? — Café, ¡sí!";
        let expected = [("Qué", 100), ("tal", 500), ("Café", 1_200), ("sí", 1_900)]
            .map(|(w, t)| (w.to_owned(), t));
        assert_eq!(told(&even(sentence), sentence), expected);
    }

    #[test]
    fn what_does_not_belong_to_the_sentence_gives_no_marks() {
        let other = even("Hola.");
        let cases = [
            Value::Null,
            json!({}),
            json!([]),
            json!({ "characters": null, "character_start_times_seconds": null }),
            json!({ "characters": ["H", "i"], "character_start_times_seconds": [0.0] }),
            json!({ "characters": ["H", "i"], "character_start_times_seconds": [0.0, -1.0] }),
            json!({ "characters": ["H", "i"], "character_start_times_seconds": [0.0, 1e300] }),
            json!({ "characters": [1, 2], "character_start_times_seconds": [0.0, 0.1] }),
            other,
        ];
        for alignment in cases {
            assert_eq!(of(&alignment, "Hi"), [], "{alignment}");
        }
    }

    #[test]
    fn time_never_runs_backwards() {
        let times = [0.5, 0.4, 0.3, 0.9];
        let alignment =
            json!({ "characters": ["a", " ", "b", "c"], "character_start_times_seconds": times });
        assert_eq!(told(&alignment, "a bc"), [("a".to_owned(), 500), ("bc".to_owned(), 500)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_mark_names_its_word(sentence in "([\\PC]{0,8}[ ,.!¿]?){0,12}") {
            let marks = of(&even(&sentence), &sentence);
            for mark in &marks {
                prop_assert_eq!(sentence.get(mark.bytes.clone()), Some(mark.word.as_str()));
            }
            prop_assert!(marks.is_sorted_by_key(|m| (m.bytes.start, m.start_ms)));
            let spoken = sentence.split_whitespace().filter(|w| w.contains(char::is_alphanumeric));
            prop_assert_eq!(marks.len(), spoken.count());
        }
    }
}
