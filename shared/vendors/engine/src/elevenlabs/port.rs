//! ElevenLabs behind the Engine's port for voices.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::narration::{Speech, Spoken};
use nexus_kernel::{Failure, Language};
use nexus_outbound::Outbound;

use super::{
    DEFAULT_MODEL, MODEL_SETTING, NO_LOGGING_SETTING, PRICE_SETTING, SIMILARITY_SETTING,
    SPEED_SETTING, STABILITY_SETTING, STYLE_SETTING, VOICE_EN_SETTING, VOICE_ES_SETTING, prices,
    request, response,
};
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

impl Manner {
    /// What of it no voice could follow.
    fn problems(&self) -> Vec<SettingsProblem> {
        let (share, pace) = ("a number from 0 to 1", "a number from 0.7 to 1.2");
        let numbers = [
            (STABILITY_SETTING, self.stability, 0.0..=1.0, share),
            (SIMILARITY_SETTING, self.similarity, 0.0..=1.0, share),
            (STYLE_SETTING, self.style, 0.0..=1.0, share),
            (SPEED_SETTING, self.speed, 0.7..=1.2, pace),
        ];
        let wrong = numbers.into_iter().filter(|(_, number, within, _)| !within.contains(number));
        wrong.map(|(setting, _, _, must)| SettingsProblem { setting, must }).collect()
    }

    /// What stands of it in the engine's name: nothing where it is the usual one.
    fn told(&self) -> String {
        if *self == Self::default() {
            return String::new();
        }
        let Self { stability, similarity, style, speed, speaker_boost } = self;
        format!(
            ", stability {stability}, similarity {similarity}, style {style}, speed {speed}, boost {speaker_boost}"
        )
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

/// A setting that is not what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be {must}")]
pub struct SettingsProblem {
    /// Its name.
    pub setting: &'static str,
    /// What it has to be.
    pub must: &'static str,
}

impl Settings {
    /// Reads what is set; what is not has its default. `set` tells no empty text.
    ///
    /// # Errors
    /// Every setting that is not what it has to be.
    pub fn read<'s>(set: impl Fn(&str) -> Option<&'s str>) -> Result<Self, Vec<SettingsProblem>> {
        let usual = Manner::default();
        // What is no number is within no range.
        let number = |name: &str, usual: f64| {
            set(name).map_or(usual, |told| told.parse().unwrap_or(f64::NAN))
        };
        let manner = Manner {
            stability: number(STABILITY_SETTING, usual.stability),
            similarity: number(SIMILARITY_SETTING, usual.similarity),
            style: number(STYLE_SETTING, usual.style),
            speed: number(SPEED_SETTING, usual.speed),
            speaker_boost: usual.speaker_boost,
        };
        let mut problems = manner.problems();
        let without_logging = match set(NO_LOGGING_SETTING) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                let setting = NO_LOGGING_SETTING;
                problems.push(SettingsProblem { setting, must: "true or false" });
                false
            }
        };
        let price = match set(PRICE_SETTING).map(str::parse::<u32>) {
            None => None,
            Some(Ok(cents)) => Some(Cost::cents(i64::from(cents))),
            Some(Err(_)) => {
                let must = "what a million characters cost, in whole cents";
                problems.push(SettingsProblem { setting: PRICE_SETTING, must });
                None
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            model: set(MODEL_SETTING).unwrap_or(DEFAULT_MODEL).to_owned(),
            voices: Voices {
                english: set(VOICE_EN_SETTING).map(str::to_owned),
                spanish: set(VOICE_ES_SETTING).map(str::to_owned),
            },
            manner,
            without_logging,
            price,
        })
    }

    /// # Errors
    /// The first number that is out of its range.
    pub fn check(&self) -> Result<(), SettingsProblem> {
        self.manner.problems().into_iter().next().map_or(Ok(()), Err)
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
    /// The voice and its manner are parts of the name, so that what was spoken otherwise is not taken from the cache.
    fn engine(&self, language: Language) -> Option<String> {
        let Settings { model, manner, .. } = &self.settings;
        let voice = self.settings.voice(language)?;
        Some(format!("elevenlabs {model} {voice}{}", manner.told()))
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
