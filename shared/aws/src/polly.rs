//! Narration by Amazon Polly's neural voices.
//!
//! It is sent a sentence, a voice and the form of the sound. The engine is always named: without it Polly would take
//! its standard one, which the best voices do not have (N27). MP3 at 24 kHz is the neural voices' own rate; Polly's
//! PCM ends at 16 kHz.
//!
//! A text above what Polly takes at once is spoken in parts, whose frames are joined into one file ([`mp3`]).
//!
//! Speech marks say when each word begins. Polly gives them for a second call that costs as much as the first, so
//! they are asked for only by an adapter that was told so ([`PollySpeech::with_marks`]).
//!
//! **Never here:** falling to another voice or vendor when Polly fails (N28), SSML, loudness.

mod marks;
mod mp3;

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_polly::Client;
use aws_sdk_polly::operation::synthesize_speech::builders::SynthesizeSpeechFluentBuilder;
use aws_sdk_polly::primitives::ByteStream;
use aws_sdk_polly::types::{Engine, LanguageCode, OutputFormat, SpeechMarkType, TextType, VoiceId};
use bytes::{Bytes, BytesMut};
use nexus_core::CallContext;
use nexus_engine::narration::{Mark, Speech, Spoken};
use nexus_kernel::{Failure, Language};

use crate::fault::Fault;
use crate::parts::{self, Weight};

/// What Polly takes at once, in characters as it bills them.
const MOST_AT_ONCE: usize = 3_000;
/// What is spoken for one sentence: ten calls, each of them billed.
const MOST: usize = 10 * MOST_AT_ONCE;
/// UTF-16 units: never fewer than the characters that Polly counts, whichever it means.
const UNITS: Weight = |text| text.encode_utf16().count();

/// Ten minutes of sound, which is Polly's own limit, have a sixteenth of this.
const MOST_BYTES: usize = 64 << 20;
/// A sound's way here, once it has begun to come.
const DOWNLOAD: Duration = Duration::from_secs(20);

/// What the caller reads where there is no sound.
const PUBLIC: &str = "A sentence could not be spoken.";

/// A voice of Polly, written `en-US/Joanna`: a locale and a voice that has the neural engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    locale: String,
    id: String,
}

/// Text that names no voice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a voice is written as a locale and a name, for example `en-US/Joanna`")]
pub struct NoVoice;

impl FromStr for Voice {
    type Err = NoVoice;

    fn from_str(raw: &str) -> Result<Self, NoVoice> {
        let is_word =
            |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match raw.split_once('/') {
            Some((locale, id)) if is_word(locale) && is_word(id) => {
                Ok(Self { locale: locale.to_owned(), id: id.to_owned() })
            }
            _ => Err(NoVoice),
        }
    }
}

/// Who speaks each language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voices {
    /// English.
    pub english: Voice,
    /// Spanish.
    pub spanish: Voice,
}

impl Default for Voices {
    /// Joanna, who has had the neural engine the longest, and Lupe, whose Spanish is that of the United States, where
    /// the merchants' customers are.
    fn default() -> Self {
        let voice = |locale: &str, id: &str| Voice { locale: locale.to_owned(), id: id.to_owned() };
        Self { english: voice("en-US", "Joanna"), spanish: voice("es-US", "Lupe") }
    }
}

/// The voices of Polly.
#[derive(Debug, Clone)]
pub struct PollySpeech {
    client: Client,
    voices: Voices,
    marks: bool,
}

impl PollySpeech {
    /// These voices, without speech marks.
    pub fn new(config: &SdkConfig, voices: Voices) -> Self {
        // Up to a minute's sound is made before its first byte comes.
        let limits = crate::start::limits(Duration::from_secs(15), Duration::from_secs(40));
        let config = aws_sdk_polly::config::Builder::from(config).timeout_config(limits).build();
        Self { client: Client::from_conf(config), voices, marks: false }
    }

    /// Asks for speech marks too, which costs as much again.
    #[must_use]
    pub fn with_marks(self) -> Self {
        Self { marks: true, ..self }
    }

    fn voice(&self, language: Language) -> &Voice {
        match language {
            Language::En => &self.voices.english,
            Language::Es => &self.voices.spanish,
        }
    }

    /// What both calls have in common.
    fn ask(&self, voice: &Voice, text: &str) -> SynthesizeSpeechFluentBuilder {
        self.client
            .synthesize_speech()
            .engine(Engine::Neural)
            .voice_id(VoiceId::from(voice.id.as_str()))
            .language_code(LanguageCode::from(voice.locale.as_str()))
            .text_type(TextType::Text)
            .text(text)
    }

    async fn sound(&self, voice: &Voice, text: &str) -> Result<Bytes, Failure> {
        let asked = self.ask(voice, text).output_format(OutputFormat::Mp3).sample_rate("24000");
        let answer = asked.send().await.map_err(|error| failure(Fault::of(&error)))?;
        download(answer.audio_stream).await.map_err(|fault| fault.failure(PUBLIC))
    }

    async fn marks(&self, voice: &Voice, text: &str) -> Result<Vec<Mark>, Failure> {
        let asked = self.ask(voice, text).output_format(OutputFormat::Json);
        let asked = asked.speech_mark_types(SpeechMarkType::Word);
        let answer = asked.send().await.map_err(|error| failure(Fault::of(&error)))?;
        let lines = download(answer.audio_stream).await;
        let marks = lines.and_then(|lines| marks::read(&lines, text));
        marks.map_err(|fault| fault.failure(PUBLIC))
    }
}

/// The whole of a stream, within its time and size.
async fn download(mut stream: ByteStream) -> Result<Bytes, Fault> {
    let all = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Fault::unreadable("half an answer"))?;
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_BYTES {
                return Err(Fault::unreadable("more sound than there can be"));
            }
        }
        Ok(bytes.freeze())
    };
    let all = tokio::time::timeout(DOWNLOAD, all).await;
    all.unwrap_or_else(|_| Err(Fault::unreadable("an answer that did not come to its end")))
}

fn failure(fault: Fault) -> Failure {
    match fault.code() {
        "TextLengthExceededException" => {
            Failure::field("sentence", "is longer than Polly speaks at once").caused_by(fault)
        }
        _ => fault.failure(PUBLIC),
    }
}

fn check(sentence: &str) -> Result<(), Failure> {
    if !sentence.contains(char::is_alphanumeric) {
        return Err(Failure::field("sentence", "has no letter or digit that could be spoken"));
    }
    let length = UNITS(sentence);
    if length > MOST {
        let problem = format!("has {length} characters; at most {MOST} are spoken");
        return Err(Failure::field("sentence", problem));
    }
    Ok(())
}

#[async_trait]
impl Speech for PollySpeech {
    fn engine(&self, language: Language) -> Option<String> {
        Some(format!("polly neural {}", self.voice(language).id))
    }

    /// There always is a voice.
    fn absence(&self, _: Language) -> String {
        String::new()
    }

    async fn say(
        &self,
        _: &CallContext,
        language: Language,
        sentence: &str,
    ) -> Result<Spoken, Failure> {
        self.speak(language, sentence).await
    }
}

impl PollySpeech {
    async fn speak(&self, language: Language, sentence: &str) -> Result<Spoken, Failure> {
        check(sentence)?;
        let voice = self.voice(language);
        let (mut sounds, mut marks) = (Vec::new(), Vec::new());
        let (mut begins, mut elapsed) = (0, mp3::Length::default());
        for part in parts::within(sentence, MOST_AT_ONCE, UNITS) {
            if part.contains(char::is_alphanumeric) {
                let sound = self.sound(voice, part).await?;
                let length = mp3::length(&sound).map_err(|fault| fault.failure(PUBLIC))?;
                if self.marks {
                    let of_part = self.marks(voice, part).await?;
                    marks.extend(of_part.into_iter().map(|m| marks::moved(m, begins, elapsed)));
                }
                sounds.push(sound);
                elapsed = elapsed + length;
            }
            begins += part.len();
        }
        Ok(Spoken { audio: mp3::joined(sounds), extension: "mp3", marks })
    }
}

#[cfg(test)]
mod tests;
