//! Amazon Polly's `SynthesizeSpeech`, spoken by flite and espeak-ng and encoded by ffmpeg.
//!
//! Only the neural engine is there: a request that names no engine gets Polly's standard one, and is refused as Polly
//! refuses it for voices that lack it. When a word begins is not measured: the sound is shared out by the letters.

use std::io::{self, Cursor};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use hound::WavReader;
use nexus_engine::narration::Speech as _;
use nexus_kernel::Language;
use nexus_offline::speech::OfflineSpeech;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::door::Refusal;

/// Characters that are billed, at most.
const MOST_CHARACTERS: usize = 3_000;
/// An encoder takes a fraction of a second for a sentence.
const DEADLINE: Duration = Duration::from_secs(20);

/// Neural voices by their locale.
const NEURAL: [(&str, &[&str]); 3] = [
    (
        "en-US",
        &[
            "Danielle", "Gregory", "Ruth", "Stephen", "Joanna", "Matthew", "Kendra", "Kimberly",
            "Salli", "Joey", "Justin", "Kevin", "Ivy",
        ],
    ),
    ("es-US", &["Lupe", "Pedro"]),
    ("es-MX", &["Mia", "Andres"]),
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct SynthesizeSpeech {
    engine: Option<String>,
    language_code: Option<String>,
    output_format: Format,
    sample_rate: Option<String>,
    #[serde(default)]
    speech_mark_types: Vec<MarkType>,
    text: String,
    text_type: Option<TextType>,
    voice_id: String,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Mp3,
    Pcm,
    Json,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MarkType {
    Word,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TextType {
    Text,
}

/// What Polly answers.
#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) content_type: &'static str,
    /// What would be billed.
    pub(crate) characters: usize,
    pub(crate) audio: Vec<u8>,
}

/// The voices of this machine, and the encoder.
pub(crate) struct Voices {
    speech: OfflineSpeech,
    ffmpeg: PathBuf,
}

impl Voices {
    /// Finds both voices and ffmpeg in the folders of `path`.
    ///
    /// # Errors
    /// One of them is missing: then nothing could be compared.
    pub(crate) async fn locate(path: &str) -> io::Result<Self> {
        let missing = |what: String| io::Error::new(io::ErrorKind::NotFound, what);
        let speech = OfflineSpeech::locate(None, None, path).await;
        for language in [Language::En, Language::Es] {
            if speech.engine(language).is_none() {
                return Err(missing(speech.absence(language)));
            }
        }
        let ffmpeg = std::env::split_paths(path).map(|folder| folder.join("ffmpeg"));
        let ffmpeg = ffmpeg.into_iter().find(|program| program.is_file());
        let ffmpeg = ffmpeg.ok_or_else(|| missing("ffmpeg is not installed".to_owned()))?;
        Ok(Self { speech, ffmpeg })
    }
}

/// The sound of a text, or when its words begin.
///
/// # Errors
/// As Polly.
pub(crate) async fn synthesize_speech(
    voices: &Voices,
    asked: SynthesizeSpeech,
) -> Result<Sound, Refusal> {
    let rate = check(&asked)?;
    let language = if asked.voice_id_is_spanish() { Language::Es } else { Language::En };
    let spoken = voices.speech.speak(language, &asked.text).await;
    let wav = spoken.map_err(|e| Refusal::ours("ServiceFailureException", e))?.audio;
    let failed = |error: io::Error| Refusal::ours("ServiceFailureException", error);
    let (content_type, audio) = match asked.output_format {
        Format::Json => ("application/x-json-stream", marks(&asked.text, &wav).map_err(failed)?),
        Format::Mp3 => ("audio/mpeg", voices.encoded(wav, rate, MP3).await.map_err(failed)?),
        Format::Pcm => ("audio/pcm", voices.encoded(wav, rate, PCM).await.map_err(failed)?),
    };
    Ok(Sound { content_type, characters: asked.text.chars().count(), audio })
}

impl SynthesizeSpeech {
    fn voice_id_is_spanish(&self) -> bool {
        NEURAL.iter().any(|(locale, voices)| {
            locale.starts_with("es") && voices.contains(&self.voice_id.as_str())
        })
    }
}

/// The sample rate, if the request is one that Polly takes.
fn check(asked: &SynthesizeSpeech) -> Result<u32, Refusal> {
    let invalid = |what: String| Err(Refusal::new("ValidationException", what));
    if asked.engine.as_deref() != Some("neural") {
        let engine = asked.engine.as_deref().unwrap_or("standard");
        return invalid(format!("This voice does not support the selected engine: {engine}"));
    }
    let voice = asked.voice_id.as_str();
    let Some((locale, _)) = NEURAL.iter().find(|(_, voices)| voices.contains(&voice)) else {
        return invalid(format!("there is no neural voice {voice} here"));
    };
    if asked.language_code.as_deref().is_some_and(|asked| asked != *locale) {
        return Err(Refusal::new(
            "LanguageNotSupportedException",
            format!("{voice} speaks {locale}"),
        ));
    }
    if asked.text_type.is_some_and(|kind| kind != TextType::Text) || asked.text.is_empty() {
        return invalid("only plain text is spoken here".to_owned());
    }
    if asked.text.chars().count() > MOST_CHARACTERS {
        return Err(Refusal::new(
            "TextLengthExceededException",
            "Maximum text length has been exceeded",
        ));
    }
    let wants_marks = !asked.speech_mark_types.is_empty();
    if wants_marks != (asked.output_format == Format::Json) {
        return Err(Refusal::new(
            "MarksNotSupportedForFormatException",
            "marks come as JSON, and only they",
        ));
    }
    let (rate, rates): (_, &[&str]) = match asked.output_format {
        Format::Mp3 => ("24000", &["8000", "16000", "22050", "24000"]),
        Format::Pcm => ("16000", &["8000", "16000"]),
        Format::Json => ("24000", &[]),
    };
    let rate = asked.sample_rate.as_deref().unwrap_or(rate);
    match rate.parse() {
        Ok(hertz) if rates.is_empty() || rates.contains(&rate) => Ok(hertz),
        _ => Err(Refusal::new("InvalidSampleRateException", rate)),
    }
}

/// Frames and nothing around them, as Polly sends them.
const MP3: &[&str] =
    &["-c:a", "libmp3lame", "-b:a", "48k", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"];
/// Samples and nothing around them.
const PCM: &[&str] = &["-c:a", "pcm_s16le", "-f", "s16le"];

impl Voices {
    async fn encoded(&self, wav: Bytes, rate: u32, form: &[&str]) -> io::Result<Vec<u8>> {
        let mut child = Command::new(&self.ffmpeg)
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-f", "wav", "-i", "pipe:0"])
            .args(["-map_metadata", "-1", "-ac", "1", "-ar", &rate.to_string()])
            .args(form)
            .arg("pipe:1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let give = async move {
            match stdin {
                Some(mut stdin) => stdin.write_all(&wav).await,
                None => Ok(()),
            }
        };
        let take = async move {
            let mut audio = Vec::new();
            match stdout {
                Some(mut stdout) => stdout.read_to_end(&mut audio).await.map(|_| audio),
                None => Ok(audio),
            }
        };
        let work = async { tokio::join!(give, take, child.wait()) };
        let (given, taken, status) = tokio::time::timeout(DEADLINE, work).await?;
        given?;
        let (audio, status) = (taken?, status?);
        if status.success() && !audio.is_empty() {
            Ok(audio)
        } else {
            Err(io::Error::other(format!("ffmpeg ended with {status}")))
        }
    }
}

/// When each word begins, a line of JSON each; its place is told in bytes.
fn marks(text: &str, wav: &[u8]) -> io::Result<Vec<u8>> {
    let sound = WavReader::new(Cursor::new(wav)).map_err(io::Error::other)?;
    let millis = u64::from(sound.duration()) * 1_000 / u64::from(sound.spec().sample_rate);
    let letters = u64::try_from(text.len()).unwrap_or(u64::MAX).max(1);
    let mut lines = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if word.is_empty() {
            continue;
        }
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        let time = u64::try_from(start).unwrap_or(u64::MAX).saturating_mul(millis) / letters;
        let mark = json!({"time": time, "type": "word", "start": start, "end": start + word.len(), "value": word});
        lines.extend_from_slice(mark.to_string().as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn request(more: Value) -> Result<SynthesizeSpeech, String> {
        let mut request = json!({
            "Engine": "neural", "LanguageCode": "en-US", "OutputFormat": "mp3", "SampleRate": "24000",
            "Text": "Good morning.", "TextType": "text", "VoiceId": "Joanna",
        });
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => drop(request.as_object_mut().unwrap().remove(name)),
                value => request[name] = value.clone(),
            }
        }
        serde_json::from_value(request).map_err(|e| e.to_string())
    }

    #[test]
    fn what_polly_refuses_is_refused() {
        let code = |more| check(&request(more).unwrap()).unwrap_err().code;
        assert_eq!(code(json!({"Engine": null})), "ValidationException");
        assert_eq!(code(json!({"Engine": "standard"})), "ValidationException");
        assert_eq!(code(json!({"VoiceId": "Nobody"})), "ValidationException");
        assert_eq!(code(json!({"LanguageCode": "es-US"})), "LanguageNotSupportedException");
        assert_eq!(code(json!({"Text": "a".repeat(3_001)})), "TextLengthExceededException");
        assert_eq!(code(json!({"SampleRate": "48000"})), "InvalidSampleRateException");
        assert_eq!(code(json!({"OutputFormat": "pcm"})), "InvalidSampleRateException");
        assert_eq!(
            code(json!({"SpeechMarkTypes": ["word"]})),
            "MarksNotSupportedForFormatException"
        );
        assert_eq!(check(&request(json!({})).unwrap()), Ok(24_000));
        let unknown = request(json!({"Volume": 3})).err().unwrap();
        assert!(unknown.contains("Volume"), "{unknown}");
    }

    #[test]
    fn words_are_found_by_their_bytes() {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
        for _ in 0..8_000 {
            writer.write_sample(0i16).unwrap();
        }
        writer.finalize().unwrap();
        let marks = String::from_utf8(marks("¿Qué tal, Zoë?", wav.get_ref()).unwrap()).unwrap();
        let marks: Vec<Value> = marks.lines().map(|line| line.parse().unwrap()).collect();
        let told: Vec<_> = marks.iter().map(|m| (&m["value"], &m["start"], &m["end"])).collect();
        let expected = [
            (json!("Qué"), json!(2), json!(6)),
            (json!("tal"), json!(7), json!(10)),
            (json!("Zoë"), json!(12), json!(16)),
        ];
        assert_eq!(told, expected.iter().map(|(v, s, e)| (v, s, e)).collect::<Vec<_>>());
        assert!(marks.iter().all(|m| m["time"].as_u64().unwrap() < 1_000));
    }
}
