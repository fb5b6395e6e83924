//! Which still is seen when, and which caption is read when. Times are whole milliseconds, places are numbers.
//!
//! **Never here:** fonts, pixels, an encoder.

use nexus_kernel::Failure;
use unicode_segmentation::UnicodeSegmentation;

use crate::narration::Cue;

/// The picture stands so long after the last word.
pub const TAIL_MS: u64 = 800;
/// No film is longer.
pub const MAX_MS: u64 = 60_000;
/// No film is shorter: networks refuse less.
pub const MIN_MS: u64 = 3_000;
/// One shot fades into the next for so long.
pub const FADE_MS: u64 = 500;
/// Lines of a caption, at most.
pub const CAPTION_LINES: usize = 2;
/// Characters of a line, at most, as a person counts them.
pub const LINE_CHARS: usize = 26;

/// A shot that stands longer bores.
const LONGEST_SHOT_MS: u64 = 5_000;
/// A shot that stands shorter flickers.
const SHORTEST_SHOT_MS: u64 = 2_000;
/// Where nothing is said or read, each still stands so long.
const UNSPOKEN_SHOT_MS: u64 = 4_000;
/// `MAX_MS / LONGEST_SHOT_MS`.
const MAX_SHOTS: u64 = 12;
/// Over a pause of up to this, a caption stands until the next one comes.
const BRIDGED_MS: u64 = 1_000;

/// How a still is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Comes closer.
    PushIn,
    /// Goes away.
    PullOut,
    /// Glides from side to side.
    Pan,
}

/// One look at one still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shot {
    /// Which still, counted from 0.
    pub still: usize,
    /// Milliseconds from the beginning. All shots but the first fade in for [`FADE_MS`] over the end of the shot
    /// before.
    pub start_ms: u64,
    /// Milliseconds, both fades included.
    pub length_ms: u64,
    /// How the still is looked at.
    pub motion: Motion,
}

impl Shot {
    /// Milliseconds from the beginning.
    pub const fn end_ms(&self) -> u64 {
        self.start_ms + self.length_ms
    }
}

/// What is read while it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Milliseconds from the beginning.
    pub start_ms: u64,
    /// Milliseconds from the beginning.
    pub end_ms: u64,
    /// One or two lines of at most [`LINE_CHARS`] characters.
    pub lines: Vec<String>,
}

/// The plan of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storyboard {
    /// In order, each overlapping the one before by [`FADE_MS`]; together they last as long as the film.
    pub shots: Vec<Shot>,
    /// In order, without overlap, all inside the film.
    pub captions: Vec<Caption>,
    /// The film's length in milliseconds, [`MIN_MS`] to [`MAX_MS`].
    pub duration_ms: u64,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoryboardError {
    /// There is nothing to show.
    #[error("A video needs at least one picture.")]
    NoStills,
    /// Cues overlap, end before they begin or are out of order.
    #[error("The sentences' times contradict each other at sentence {0}.")]
    Cues(usize),
    /// More than [`MAX_MS`].
    #[error(
        "The video would last {} s; {} s are allowed. Shorten the script.",
        .0.div_ceil(1000),
        MAX_MS / 1000
    )]
    TooLong(u64),
}

impl From<StoryboardError> for Failure {
    fn from(error: StoryboardError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// When each sentence is read where nobody speaks: 15 characters a second and 0.6 s to find it, at least 1.6 s and at
/// most 6 s, one after the other.
pub fn cues_for_reading(script: &[String]) -> Vec<Cue> {
    let mut start_ms = 0;
    let cue = |text: &String| {
        let reading = 600 + text.graphemes(true).count() as u64 * 1000 / 15;
        let end_ms = start_ms + reading.clamp(1_600, 6_000);
        let cue = Cue { text: text.clone(), start_ms, end_ms };
        start_ms = end_ms;
        cue
    };
    script.iter().map(cue).collect()
}

/// Plans a film over `stills` pictures.
///
/// `cues` say when each sentence is heard ([`cues_for_reading`]: read), `sound_ms` how long the sound lasts (0 without
/// one). The film ends [`TAIL_MS`] after both. Cuts stand at even distances of 2 to 5 s, or at the beginning of a
/// sentence where one is near; every still is seen if the time allows, then they come again.
///
/// # Errors
/// There is nothing to show, the cues contradict each other, or the film would be too long.
pub fn storyboard(
    cues: &[Cue],
    stills: usize,
    sound_ms: u64,
) -> Result<Storyboard, StoryboardError> {
    if stills == 0 {
        return Err(StoryboardError::NoStills);
    }
    let mut heard = 0;
    for (at, cue) in cues.iter().enumerate() {
        if cue.start_ms < heard || cue.end_ms <= cue.start_ms {
            return Err(StoryboardError::Cues(at + 1));
        }
        heard = cue.end_ms;
    }
    let duration_ms = match heard.max(sound_ms) {
        0 => UNSPOKEN_SHOT_MS * (stills as u64).min(MAX_SHOTS),
        end => end.saturating_add(TAIL_MS).max(MIN_MS),
    };
    if duration_ms > MAX_MS {
        return Err(StoryboardError::TooLong(duration_ms));
    }
    let shots = shots(cues, stills, duration_ms);
    Ok(Storyboard { shots, captions: captions(cues), duration_ms })
}

fn shots(cues: &[Cue], stills: usize, film: u64) -> Vec<Shot> {
    let count = film
        .div_ceil(LONGEST_SHOT_MS)
        .max((stills as u64).min(film / SHORTEST_SHOT_MS))
        .clamp(1, MAX_SHOTS);
    // A cut moves by at most a quarter of a shot, so no shot is shorter than half of its share.
    let reach = film / count / 4;
    let cut = |at: u64| {
        let even = film * at / count;
        let near = cues.iter().map(|cue| cue.start_ms).min_by_key(|start| start.abs_diff(even));
        match near {
            _ if at == 0 || at == count => even,
            Some(start) if start.abs_diff(even) <= reach => start,
            _ => even,
        }
    };
    let motions = [Motion::PushIn, Motion::PullOut, Motion::Pan].into_iter().cycle();
    let shot = |((at, still), motion)| {
        let (start_ms, next) = (cut(at), cut(at + 1));
        let end = if at + 1 == count { next } else { next + FADE_MS };
        Shot { still, start_ms, length_ms: end - start_ms, motion }
    };
    (0..count).zip((0..stills).cycle()).zip(motions).map(shot).collect()
}

fn captions(cues: &[Cue]) -> Vec<Caption> {
    let mut captions = Vec::new();
    for (at, cue) in cues.iter().enumerate() {
        let end = match cues.get(at + 1) {
            Some(next) if next.start_ms - cue.end_ms <= BRIDGED_MS => next.start_ms,
            _ => cue.end_ms,
        };
        let cards = cards(&cue.text);
        let total = cards.iter().map(|card| signs(card)).sum::<u64>().max(1);
        let time = |read: u64| cue.start_ms + (end - cue.start_ms) * read / total;
        let mut read = 0;
        for lines in cards {
            let start_ms = time(read);
            read += signs(&lines);
            captions.push(Caption { start_ms, end_ms: time(read), lines });
        }
    }
    captions
}

/// Characters of a card.
fn signs(lines: &[String]) -> u64 {
    lines.iter().map(|line| line.graphemes(true).count() as u64).sum()
}

/// A sentence as cards of at most [`CAPTION_LINES`] lines, as few as possible, their lines as even as the words allow.
fn cards(text: &str) -> Vec<Vec<String>> {
    let words: Vec<String> = text.split_whitespace().flat_map(pieces).collect();
    let needed = filled(&words, LINE_CHARS).len();
    let allowed = if needed <= 1 { needed } else { needed.next_multiple_of(CAPTION_LINES) };
    let longest = words.iter().map(|word| word.graphemes(true).count()).max().unwrap_or(0);
    let lines = (longest..=LINE_CHARS)
        .map(|width| filled(&words, width))
        .find(|lines| lines.len() <= allowed)
        .unwrap_or_default();
    lines.chunks(CAPTION_LINES).map(<[String]>::to_vec).collect()
}

/// A word, broken where it is longer than a line.
fn pieces(word: &str) -> Vec<String> {
    let signs: Vec<&str> = word.graphemes(true).collect();
    signs.chunks(LINE_CHARS).map(<[&str]>::concat).collect()
}

/// Fills lines of at most `width` characters, one after the other.
fn filled(words: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for word in words {
        let length = word.graphemes(true).count();
        match lines.last_mut() {
            Some((line, used)) if *used + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
                *used += 1 + length;
            }
            _ => lines.push((word.clone(), length)),
        }
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cue(text: &str, start_ms: u64, end_ms: u64) -> Cue {
        Cue { text: text.into(), start_ms, end_ms }
    }

    #[test]
    fn a_narrated_film_cuts_where_sentences_begin_and_ends_after_the_last() {
        let cues = [
            cue("Meet our house espresso.", 0, 2_100),
            cue("Roasted in small batches, ready for your morning.", 2_350, 5_600),
            cue("Find it at the bar.", 5_850, 7_600),
        ];
        let board = storyboard(&cues, 1, 7_600).unwrap();
        assert_eq!(board.duration_ms, 8_400);
        let shot = |start_ms, length_ms, motion| Shot { still: 0, start_ms, length_ms, motion };
        // The even cut at 4.2 s has no sentence within reach.
        let expected = [shot(0, 4_700, Motion::PushIn), shot(4_200, 4_200, Motion::PullOut)];
        assert_eq!(board.shots, expected);
        let caption = |start_ms, end_ms, lines: &[&str]| Caption {
            start_ms,
            end_ms,
            lines: lines.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            board.captions,
            [
                caption(0, 2_350, &["Meet our house espresso."]),
                caption(2_350, 5_850, &["Roasted in small batches,", "ready for your morning."]),
                caption(5_850, 7_600, &["Find it at the bar."]),
            ]
        );

        let two = storyboard(&cues, 3, 7_600).unwrap();
        let starts: Vec<_> = two.shots.iter().map(|s| (s.still, s.start_ms, s.motion)).collect();
        // Even cuts would be at 2.8 s and 5.6 s.
        let moved = [(0, 0, Motion::PushIn), (1, 2_350, Motion::PullOut), (2, 5_850, Motion::Pan)];
        assert_eq!(starts, moved);
    }

    #[test]
    fn without_a_voice_a_sentence_stands_as_long_as_it_takes_to_read() {
        let script = ["Hi.".to_owned(), "x".repeat(45), "y".repeat(300)];
        let cues = cues_for_reading(&script);
        let times: Vec<_> = cues.iter().map(|cue| (cue.start_ms, cue.end_ms)).collect();
        assert_eq!(times, [(0, 1_600), (1_600, 5_200), (5_200, 11_200)]);
        let board = storyboard(&cues, 2, 0).unwrap();
        assert_eq!(board.duration_ms, 12_000);
        assert_eq!(board.shots.iter().map(|shot| shot.still).collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn without_a_word_every_still_stands_four_seconds() {
        let board = storyboard(&[], 2, 0).unwrap();
        assert_eq!((board.duration_ms, board.shots.len()), (8_000, 2));
        assert!(board.captions.is_empty());
        assert_eq!(storyboard(&[], 1_000, 0).unwrap().shots.len(), 12);
    }

    #[test]
    fn what_cannot_be_planned_is_refused() {
        assert_eq!(storyboard(&[], 0, 5_000), Err(StoryboardError::NoStills));
        let swapped = [cue("b", 3_000, 4_000), cue("a", 0, 1_000)];
        assert_eq!(storyboard(&swapped, 1, 0), Err(StoryboardError::Cues(2)));
        assert_eq!(storyboard(&[cue("a", 10, 10)], 1, 0), Err(StoryboardError::Cues(1)));
        let longest = storyboard(&[], 1, MAX_MS - TAIL_MS).unwrap();
        assert_eq!((longest.duration_ms, longest.shots.len()), (MAX_MS, 12));
        let error = storyboard(&[], 1, MAX_MS - TAIL_MS + 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The video would last 61 s; 60 s are allowed. Shorten the script."
        );
        assert_eq!(storyboard(&[], 1, u64::MAX), Err(StoryboardError::TooLong(u64::MAX)));
    }

    #[test]
    fn a_long_sentence_becomes_even_cards_and_keeps_its_words() {
        let text =
            "Cada taza se tuesta en lotes pequeños, se muele al momento y se sirve con calma.";
        let cards = cards(text);
        assert_eq!(
            cards,
            [
                vec!["Cada taza se tuesta", "en lotes pequeños, se"],
                vec!["muele al momento y se", "sirve con calma."],
            ]
        );
        let [first, second] = [0, 1].map(|at: usize| signs(&cards[at]));
        let captions = captions(&[cue(text, 1_000, 1_000 + 50 * (first + second))]);
        assert_eq!(captions[0].end_ms, 1_000 + 50 * first);
        assert_eq!(captions[1].start_ms, captions[0].end_ms);
    }

    #[test]
    fn lines_count_characters_as_people_do_and_break_what_has_no_space() {
        let family = "👨‍👩‍👧‍👦".repeat(LINE_CHARS);
        assert_eq!(cards(&family), [[family.clone()]]);
        let link = format!("https://{}", "a".repeat(60));
        let broken = cards(&link);
        assert_eq!(broken.concat().concat(), link);
        assert!(broken.iter().flatten().all(|line| line.chars().count() <= LINE_CHARS));
        assert_eq!(cards(" \n "), Vec::<Vec<String>>::new());
    }

    /// Sentences with pauses between them, 55 s at most.
    fn any_cues() -> impl Strategy<Value = Vec<Cue>> {
        let sentence = ("[a-zñé,.]{1,40}( [a-zñé,.]{1,30}){0,12}", 300u64..5_000, 0u64..1_500);
        prop::collection::vec(sentence, 0..12).prop_map(|sentences| {
            let mut end = 0;
            let cues = sentences.into_iter().map(|(text, length, pause)| {
                let start_ms = end + pause;
                end = start_ms + length;
                Cue { text, start_ms, end_ms: end }
            });
            cues.filter(|cue| cue.end_ms <= 55_000).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::with_cases(512) })]

        #[test]
        fn shots_cover_the_film_and_captions_stay_inside_it(
            cues in any_cues(), stills in 1usize..20, sound in 0u64..59_000,
        ) {
            let board = storyboard(&cues, stills, sound).unwrap();
            let film = board.duration_ms;
            prop_assert!((MIN_MS..=MAX_MS).contains(&film));
            if let Some(last) = cues.last() {
                prop_assert!(film >= last.end_ms.max(sound) + TAIL_MS);
            }

            let shots = &board.shots;
            prop_assert_eq!(shots.first().map(|shot| shot.start_ms), Some(0));
            prop_assert_eq!(shots.last().map(Shot::end_ms), Some(film));
            prop_assert!(shots.iter().all(|shot| shot.still < stills));
            for pair in shots.windows(2) {
                prop_assert_eq!(pair[1].start_ms + FADE_MS, pair[0].end_ms());
                prop_assert_ne!(pair[0].motion, pair[1].motion);
            }
            let total: u64 = shots.iter().map(|shot| shot.length_ms).sum();
            prop_assert_eq!(total, film + FADE_MS * (shots.len() as u64 - 1));
            // Fades never meet: each shot stands alone for a while.
            prop_assert!(shots.iter().all(|shot| shot.length_ms >= 2 * FADE_MS));

            for pair in board.captions.windows(2) {
                prop_assert!(pair[0].end_ms <= pair[1].start_ms);
            }
            for caption in &board.captions {
                prop_assert!(caption.start_ms < caption.end_ms && caption.end_ms < film);
                prop_assert!((1..=CAPTION_LINES).contains(&caption.lines.len()));
                for line in &caption.lines {
                    prop_assert!((1..=LINE_CHARS).contains(&line.graphemes(true).count()));
                }
            }
            let words = |text: &str| text.split_whitespace().collect::<String>();
            let shown: String = board.captions.iter().flat_map(|c| &c.lines).map(|l| words(l)).collect();
            prop_assert_eq!(shown, cues.iter().map(|cue| words(&cue.text)).collect::<String>());
        }

        #[test]
        fn reading_times_follow_each_other(script in prop::collection::vec(".{0,120}", 0..9)) {
            let cues = cues_for_reading(&script);
            prop_assert_eq!(cues.len(), script.len());
            let mut end = 0;
            for cue in &cues {
                prop_assert_eq!(cue.start_ms, end);
                prop_assert!((1_600..=6_000).contains(&(cue.end_ms - cue.start_ms)));
                end = cue.end_ms;
            }
            prop_assert!(storyboard(&cues, 1, 0).is_ok());
        }
    }
}
