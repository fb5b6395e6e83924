//! ElevenLabs behind the Engine's port for voices.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::narration::{Speech, Spoken};
use nexus_kernel::{Failure, Language};
use nexus_outbound::Outbound;

use super::{DEFAULT_MODEL, VOICE_EN_SETTING, VOICE_ES_SETTING, prices, request, response};
use crate::failure;

/// Who speaks each language: ids of voices of the account. There is no default: a voice belongs to an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voices {
    /// English.
    pub english: Option<String>,
    /// Spanish.
    pub spanish: Option<String>,
}

/// How a voice speaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manner {
    /// How even it is, 0 to 1; lower is livelier.
    pub stability: f64,
    /// How closely it keeps to the voice it was made from, 0 to 1.
    pub similarity: f64,
    /// How much it exaggerates, 0 to 1.
    pub style: f64,
    /// How fast it is, 0.7 to 1.2; 1 is its own speed.
    pub speed: f64,
    /// Whether likeness is raised further, which takes longer.
    pub speaker_boost: bool,
}

impl Default for Manner {
    /// ElevenLabs' own.
    fn default() -> Self {
        Self { stability: 0.5, similarity: 0.75, style: 0.0, speed: 1.0, speaker_boost: true }
    }
}

/// How an operator wants ElevenLabs to speak.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The model's id.
    pub model: String,
    /// Who speaks.
    pub voices: Voices,
    /// How.
    pub manner: Manner,
    /// Asks for nothing to be kept; only an enterprise account may.
    pub without_logging: bool,
    /// What a million characters cost with the account's plan, where it is not what the price list says.
    pub price: Option<Cost>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            voices: Voices::default(),
            manner: Manner::default(),
            without_logging: false,
            price: None,
        }
    }
}

/// A setting that no voice could follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not within {least} and {most}")]
pub struct SettingsProblem {
    /// Which part of [`Manner`].
    pub name: &'static str,
    /// The least that it may be.
    pub least: &'static str,
    /// The most that it may be.
    pub most: &'static str,
}

impl Settings {
    /// # Errors
    /// The first number that is out of its range.
    pub fn check(&self) -> Result<(), SettingsProblem> {
        let Manner { stability, similarity, style, speed, .. } = self.manner;
        let shares = [("stability", stability), ("similarity", similarity), ("style", style)];
        if let Some((name, _)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(SettingsProblem { name, least: "0", most: "1" });
        }
        if !(0.7..=1.2).contains(&speed) {
            return Err(SettingsProblem { name: "speed", least: "0.7", most: "1.2" });
        }
        Ok(())
    }

    fn voice(&self, language: Language) -> Option<&str> {
        let voice = match language {
            Language::En => &self.voices.english,
            Language::Es => &self.voices.spanish,
        };
        voice.as_deref().map(str::trim).filter(|voice| !voice.is_empty())
    }
}

/// Speaks with ElevenLabs.
pub struct ElevenLabs {
    outbound: Outbound,
    settings: Settings,
}

impl ElevenLabs {
    /// Speaks so; `outbound` leads to [`VENDOR`](super::VENDOR).
    ///
    /// # Errors
    /// A setting is out of its range.
    pub fn new(outbound: Outbound, settings: Settings) -> Result<Self, SettingsProblem> {
        settings.check()?;
        Ok(Self { outbound, settings })
    }

    fn check(&self, sentence: &str) -> Result<u64, Failure> {
        if !sentence.contains(char::is_alphanumeric) {
            return Err(Failure::field("sentence", "has no letter or digit that could be spoken"));
        }
        let (length, most) = (sentence.chars().count(), prices::most(&self.settings.model));
        if length > most {
            let problem =
                format!("has {length} characters; the model speaks at most {most} at once");
            return Err(Failure::field("sentence", problem));
        }
        Ok(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl Speech for ElevenLabs {
    /// The voice is a part of the name, so that another voice's sounds are not taken from the cache.
    fn engine(&self, language: Language) -> Option<String> {
        let voice = self.settings.voice(language)?;
        Some(format!("elevenlabs {} {voice}", self.settings.model))
    }

    fn absence(&self, language: Language) -> String {
        let (name, setting) = match language {
            Language::En => ("English", VOICE_EN_SETTING),
            Language::Es => ("Spanish", VOICE_ES_SETTING),
        };
        format!(
            "ElevenLabs has no voice for {name}, so it narrates no {name} video. Name one in `{setting}`."
        )
    }

    fn is_costly(&self) -> bool {
        true
    }

    async fn say(
        &self,
        at: &CallContext,
        language: Language,
        sentence: &str,
    ) -> Result<Spoken, Failure> {
        let Some(voice) = self.settings.voice(language) else {
            return Err(Failure::invalid(self.absence(language)));
        };
        let characters = self.check(sentence)?;
        let cost = prices::cost(&self.settings.model, self.settings.price, characters);
        let request = request::speak(&self.settings, voice, language, sentence);
        let spoken = self.outbound.call(at, request, cost, |a| response::spoken(a, sentence, cost));
        spoken.await.map_err(failure::of_a_question)
    }
}
