//! Which engine does what: the tenant's choice among those that a platform has, or the suite's usual one.
//!
//! A step takes what the tenant chose. Where that is not set up on this platform, or declines, it falls only to an
//! engine that the tenant chose as well, or to the house's own; and the draft says so. Nobody's words go to a vendor
//! that they did not choose, and ElevenLabs is chosen by nobody's default (N28).
//!
//! **Never here:** an engine, a key, a price.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Who writes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyProvider {
    /// The house's own templates.
    Template,
    /// Google's Gemini.
    Gemini,
}

impl CopyProvider {
    /// The word in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Gemini => "gemini",
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeechProvider {
    /// The platform's own voices: Amazon Polly on AWS, flite and espeak-ng on one machine.
    House,
    /// ElevenLabs, for who asks for it.
    ElevenLabs,
}

impl SpeechProvider {
    /// The word in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::ElevenLabs => "elevenlabs",
        }
    }
}

/// Who makes footage, where a person buys some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FootageProvider {
    /// Google: Gemini Omni, which took Veo's place behind an API key.
    Veo,
    /// Runway.
    Runway,
    /// Luma.
    Luma,
}

impl FootageProvider {
    /// The word in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Veo => "veo",
            Self::Runway => "runway",
            Self::Luma => "luma",
        }
    }
}

/// A tenant's choice. Everything may be left open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Providers {
    /// Who writes words; the suite's usual one where it is left open.
    pub copy: Option<CopyProvider>,
    /// Who speaks, and who is asked after one that declines, in this order; the house's voices where it is empty.
    pub speech: Vec<SpeechProvider>,
    /// Who makes footage where a person asks for some and names nobody.
    pub footage: Option<FootageProvider>,
}

/// The engines of one kind that a platform has. There is always one: the suite's usual one.
pub struct Choice<K, T: ?Sized> {
    usual: (K, Arc<T>),
    others: Vec<(K, Arc<T>)>,
}

impl<K: Copy + Eq, T: ?Sized> Choice<K, T> {
    /// Only this one.
    pub fn of(name: K, engine: Arc<T>) -> Self {
        Self { usual: (name, engine), others: Vec::new() }
    }

    /// And this one, for who chooses it.
    #[must_use]
    pub fn and(mut self, name: K, engine: Arc<T>) -> Self {
        self.others.push((name, engine));
        self
    }

    /// The suite's usual one.
    pub fn usual(&self) -> &Arc<T> {
        &self.usual.1
    }

    /// The one of this name, if the platform has it.
    pub fn named(&self, name: K) -> Option<&Arc<T>> {
        self.all().find(|(n, _)| *n == name).map(|(_, engine)| engine)
    }

    /// The chosen one, or the usual one where nothing was chosen.
    pub fn chosen(&self, name: Option<K>) -> Option<&Arc<T>> {
        name.map_or(Some(self.usual()), |name| self.named(name))
    }

    /// All of them, the usual one first.
    pub fn all(&self) -> impl Iterator<Item = (K, &Arc<T>)> {
        std::iter::once(&self.usual).chain(&self.others).map(|(name, engine)| (*name, engine))
    }
}

impl<K: Clone, T: ?Sized> Clone for Choice<K, T> {
    fn clone(&self) -> Self {
        Self { usual: self.usual.clone(), others: self.others.clone() }
    }
}

impl<K: fmt::Debug, T: ?Sized> fmt::Debug for Choice<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others.iter().map(|(name, _)| name);
        f.debug_list().entries(std::iter::once(&self.usual.0).chain(others)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n28_nothing_chosen_is_the_usual_one_and_what_is_missing_is_nobody() {
        let choice: Choice<SpeechProvider, str> = Choice::of(SpeechProvider::House, "polly".into());
        assert_eq!(&**choice.chosen(None).unwrap(), "polly");
        assert!(choice.chosen(Some(SpeechProvider::ElevenLabs)).is_none());
        let choice = choice.and(SpeechProvider::ElevenLabs, "elevenlabs".into());
        assert_eq!(&**choice.chosen(None).unwrap(), "polly");
        let chosen = choice.chosen(Some(SpeechProvider::ElevenLabs));
        assert_eq!(&**chosen.unwrap(), "elevenlabs");
        assert_eq!(format!("{choice:?}"), "[House, ElevenLabs]");
    }

    #[test]
    fn the_words_in_settings_are_those_that_are_shown() {
        let text = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for provider in [CopyProvider::Template, CopyProvider::Gemini] {
            assert_eq!(text(serde_json::to_value(provider).unwrap()), provider.name());
        }
        for provider in [SpeechProvider::House, SpeechProvider::ElevenLabs] {
            assert_eq!(text(serde_json::to_value(provider).unwrap()), provider.name());
        }
        for provider in [FootageProvider::Veo, FootageProvider::Runway, FootageProvider::Luma] {
            assert_eq!(text(serde_json::to_value(provider).unwrap()), provider.name());
        }
    }
}
