//! In which language a text is.
//!
//! What is not written in Latin letters is told by its letters. Else nine languages are weighed, English and Spanish
//! and those that are taken for them; what is none of them leaves doubt. A language counts where it is ahead of the
//! next by [`AHEAD`]. In doubt the caller's hint counts. Without one, a text below [`TELLING`] characters in which
//! English is ahead at all is taken for English, as the port has it; any other is `und`, never a guess.
//!
//! The models are read when the first text comes, and take about 0.2 GB of memory from then on.

use lingua::{Language as Model, LanguageDetector, LanguageDetectorBuilder};
use nexus_engine::sentiment::Known;
use nexus_kernel::Language;
use whatlang::{Lang, Script};

/// Characters from which on a text tells its language.
const TELLING: usize = 20;
/// By how much a language has to be ahead of the next, of 1.
const AHEAD: f64 = 0.2;

const MODELS: [Model; 9] = [
    Model::English,
    Model::Spanish,
    Model::French,
    Model::German,
    Model::Italian,
    Model::Portuguese,
    Model::Dutch,
    Model::Catalan,
    Model::Swedish,
];

/// Tells languages.
pub(super) struct Tongue(LanguageDetector);

impl Tongue {
    pub(super) fn new() -> Self {
        Self(LanguageDetectorBuilder::from_languages(&MODELS).build())
    }

    /// The language's code, of two letters where there is one (ISO 639-1), and how it was found.
    pub(super) fn of(&self, text: &str, hint: Option<Language>) -> (&'static str, Known) {
        if let Some(found) = whatlang::detect(text).filter(|found| found.script() != Script::Latin)
        {
            return (code(found.lang()), Known::Detected);
        }
        let ranked = self.0.compute_language_confidence_values(text);
        let mut ranked = ranked.into_iter();
        let (first, second) = (ranked.next(), ranked.next());
        let next = second.map_or(0.0, |(_, value)| value);
        if let Some((model, value)) = first
            && value - next >= AHEAD
        {
            return (name(model), Known::Detected);
        }
        if let Some(hint) = hint {
            return (hint.code(), Known::Hinted);
        }
        let is_short = text.chars().count() < TELLING;
        // Without a single letter nobody is ahead: a number, a few emoji. These are what they are in English too.
        let is_english =
            first.is_none_or(|(model, value)| model == Model::English || value <= next);
        if is_short && is_english { ("en", Known::Assumed) } else { ("und", Known::Detected) }
    }
}

fn name(model: Model) -> &'static str {
    match model {
        Model::English => "en",
        Model::Spanish => "es",
        Model::French => "fr",
        Model::German => "de",
        Model::Italian => "it",
        Model::Portuguese => "pt",
        Model::Dutch => "nl",
        Model::Catalan => "ca",
        Model::Swedish => "sv",
    }
}

/// Of languages that are not written in Latin letters.
fn code(language: Lang) -> &'static str {
    match language {
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Cmn => "zh",
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Ell => "el",
        Lang::Heb => "he",
        Lang::Tha => "th",
        other => other.code(),
    }
}
