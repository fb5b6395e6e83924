//! The voices of one machine: flite speaks English, espeak-ng Spanish, each as a child process.
//!
//! A child is started without a shell, with neither environment nor standard input, in a folder of its own, and is
//! killed at its deadline. The sentence goes in by a file and the sound comes out by a file, both named here, so that
//! no text is ever taken for an option. What comes out is read back before it is handed over.
//!
//! **Never here:** a voice that passes itself off as another. Where an engine is missing, that is said.

mod sound;
mod wording;

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::CallContext;
use nexus_engine::narration::{Speech, Spoken};
use nexus_kernel::{Failure, Language};
use tokio::process::Command;

/// A sentence takes a fraction of a second; a machine under load may take much longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Characters of a sentence, at most.
const MAX_CHARS: usize = 1_000;

/// How an engine is called and spoken of.
struct Engine {
    /// The program's and the Debian package's name.
    name: &'static str,
    /// What it speaks.
    language: &'static str,
    /// All of its arguments. Pace: about 160 words a minute in English, 150 in Spanish.
    arguments: &'static [&'static str],
}

/// What is to be spoken, in the engine's folder.
const TEXT: &str = "sentence.txt";
/// What was spoken.
const SOUND: &str = "sentence.wav";
/// What the engine complained about.
const COMPLAINT: &str = "complaint.txt";

const FLITE: Engine = Engine {
    name: "flite",
    language: "English",
    arguments: &["-voice", "slt", "--setf", "duration_stretch=1.08", "-f", TEXT, "-o", SOUND],
};

const ESPEAK: Engine = Engine {
    name: "espeak-ng",
    language: "Spanish",
    // `-b 1`: UTF-8, whatever the locale.
    arguments: &["-v", "es-419", "-s", "165", "-b", "1", "-f", TEXT, "-w", SOUND],
};

const fn engine(language: Language) -> &'static Engine {
    match language {
        Language::En => &FLITE,
        Language::Es => &ESPEAK,
    }
}

/// Why there is no voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is nowhere to be found.
    NotInstalled,
    /// It is not where the setting says.
    NotWhereConfigured,
    /// It does not tell its version.
    DoesNotAnswer,
}

impl Missing {
    fn told(self, Engine { name, language, .. }: &Engine) -> String {
        let (what, remedy) = match self {
            Self::NotInstalled => {
                ("is not installed", format!("Install it with `apt-get install {name}`."))
            }
            Self::NotWhereConfigured => (
                "is not where the setting says",
                format!("Correct the setting, or remove it and `apt-get install {name}`."),
            ),
            Self::DoesNotAnswer => (
                "does not answer",
                format!("Install it anew with `apt-get install --reinstall {name}`."),
            ),
        };
        format!("{name} {what}: the {language} video has captions and no voice. {remedy}")
    }
}

/// An engine that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    program: PathBuf,
    version: String,
}

/// The voices that this machine has.
#[derive(Debug, Clone)]
pub struct OfflineSpeech {
    english: Result<Found, Missing>,
    spanish: Result<Found, Missing>,
    deadline: Duration,
}

impl OfflineSpeech {
    /// Finds the engines and asks them for their versions.
    ///
    /// Each is looked for where its setting says, and then nowhere else, so that a wrong setting is noticed; without a
    /// setting in the folders of `path`, which is written as the variable `PATH`. An engine that is missing is no
    /// error: see [`Speech::absence`].
    pub async fn locate(flite: Option<PathBuf>, espeak: Option<PathBuf>, path: &str) -> Self {
        let (english, spanish) =
            tokio::join!(found(&FLITE, flite, path), found(&ESPEAK, espeak, path));
        Self { english, spanish, deadline: DEADLINE }
    }

    /// The same voices with another deadline for a sentence; it is 30 s until told otherwise.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    fn voice(&self, language: Language) -> Result<&Found, Missing> {
        let voice = match language {
            Language::En => &self.english,
            Language::Es => &self.spanish,
        };
        voice.as_ref().map_err(|missing| *missing)
    }

    /// Speaks one sentence, for nobody in particular: nothing leaves this machine.
    ///
    /// # Errors
    /// The voice is missing, the sentence too long, or the engine fails.
    pub async fn speak(&self, language: Language, sentence: &str) -> Result<Spoken, Failure> {
        let found = self
            .voice(language)
            .map_err(|missing| Failure::unavailable(missing.told(engine(language))))?;
        if sentence.chars().count() > MAX_CHARS {
            return Err(Failure::invalid(format!(
                "A sentence to be spoken has at most {MAX_CHARS} characters."
            )));
        }
        let text = wording::speakable(sentence, language)?;
        let audio = speak(engine(language), &found.program, &text, self.deadline);
        let audio = audio.await.map_err(|silence| {
            Failure::unavailable("A sentence could not be spoken.").caused_by(silence)
        })?;
        Ok(Spoken { audio, extension: "wav", marks: Vec::new() })
    }
}

async fn found(engine: &Engine, set: Option<PathBuf>, path: &str) -> Result<Found, Missing> {
    let program = match set {
        Some(program) => executable(&program).ok_or(Missing::NotWhereConfigured),
        None => std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .find_map(|folder| executable(&folder.join(engine.name)))
            .ok_or(Missing::NotInstalled),
    }?;
    let asked = Command::new(&program)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    // flite tells its version and ends with 1, so the code says nothing.
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(said)) => {
            let version = version(&said.stdout).or_else(|| version(&said.stderr));
            version.map(|version| Found { program, version }).ok_or(Missing::DoesNotAnswer)
        }
        _ => Err(Missing::DoesNotAnswer),
    }
}

/// The whole path, if a program stands there: children run in another folder.
fn executable(path: &Path) -> Option<PathBuf> {
    let metadata = path.metadata().ok()?;
    let may_run = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    if may_run { std::path::absolute(path).ok() } else { None }
}

/// The first number with a dot in it: `version: flite-2.2-current` is 2.2.
fn version(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let mut numbers = said.split(|c: char| !c.is_ascii_digit() && c != '.');
    let number = numbers.find(|number| number.trim_matches('.').contains('.'))?;
    Some(number.trim_matches('.').to_owned())
}

/// Why a sentence was not spoken; for the operator's log.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("{0} could not be started")]
    Start(&'static str, #[source] std::io::Error),
    #[error("{0} was stopped after {1:?}")]
    TimedOut(&'static str, Duration),
    #[error("{0} ended with {1}: {2}")]
    Ended(&'static str, std::process::ExitStatus, String),
    #[error("{0} wrote no usable sound")]
    Sound(&'static str, #[source] sound::Unusable),
    #[error("a file could not be read or written")]
    File(#[from] std::io::Error),
}

#[async_trait]
impl Speech for OfflineSpeech {
    fn engine(&self, language: Language) -> Option<String> {
        let found = self.voice(language).ok()?;
        Some(format!("{} {}", engine(language).name, found.version))
    }

    fn absence(&self, language: Language) -> String {
        match self.voice(language) {
            Ok(_) => String::new(),
            Err(missing) => missing.told(engine(language)),
        }
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

async fn speak(
    engine: &Engine,
    program: &Path,
    text: &str,
    deadline: Duration,
) -> Result<Bytes, Silence> {
    let folder = tempfile::tempdir()?;
    tokio::fs::write(folder.path().join(TEXT), text).await?;
    let complaint = folder.path().join(COMPLAINT);
    let mut child = Command::new(program)
        .args(engine.arguments)
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&complaint)?)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Silence::Start(engine.name, error))?;
    let Ok(status) = tokio::time::timeout(deadline, child.wait()).await else {
        child.kill().await?;
        return Err(Silence::TimedOut(engine.name, deadline));
    };
    let status = status?;
    if !status.success() {
        let said = tokio::fs::read(&complaint).await?;
        let said = String::from_utf8_lossy(&said).chars().take(300).collect();
        return Err(Silence::Ended(engine.name, status, said));
    }
    let sound = sound::read(&folder.path().join(SOUND), text).await;
    sound.map_err(|unusable| Silence::Sound(engine.name, unusable))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::error::Error as _;
    use std::io::Cursor;

    use nexus_kernel::FailureKind;

    use super::*;

    /// The engines of this machine; the project's set-up installs them.
    async fn installed() -> OfflineSpeech {
        #[expect(clippy::disallowed_methods, reason = "a test's main is the test harness")]
        let path = std::env::var("PATH").unwrap();
        let speech = OfflineSpeech::locate(None, None, &path).await;
        for language in Language::ALL {
            let absence = speech.absence(language);
            assert_eq!(absence, "", "run `make setup` first, which installs the engines");
        }
        speech
    }

    /// A stand-in for both engines, from the folder `fakes`.
    async fn fake(name: &str) -> OfflineSpeech {
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("fakes");
        let program = Some(fakes.join(name));
        OfflineSpeech::locate(program.clone(), program, "").await
    }

    fn seconds(spoken: &Spoken) -> f64 {
        let sound = hound::WavReader::new(Cursor::new(&spoken.audio)).unwrap();
        f64::from(sound.duration()) / f64::from(sound.spec().sample_rate)
    }

    /// The failure and all that caused it, as an operator would read it.
    fn causes(failure: &Failure) -> String {
        let mut texts = vec![failure.to_string()];
        let mut cause = failure.source();
        while let Some(error) = cause {
            texts.push(error.to_string());
            cause = error.source();
        }
        texts.join(" < ")
    }

    async fn refused(speech: &OfflineSpeech, language: Language, sentence: &str) -> Failure {
        speech.speak(language, sentence).await.unwrap_err()
    }

    #[tokio::test]
    async fn both_languages_are_spoken_at_a_natural_pace() {
        let speech = installed().await;
        assert!(speech.engine(Language::En).unwrap().starts_with("flite 2."));
        assert!(speech.engine(Language::Es).unwrap().starts_with("espeak-ng 1."));

        let english = "Meet our house espresso, roasted in small batches and ready for your day.";
        let spanish = "Conoce nuestro espresso de la casa, tostado en lotes pequeños para tu día.";
        for (language, sentence) in [(Language::En, english), (Language::Es, spanish)] {
            let spoken = speech.speak(language, sentence).await.unwrap();
            assert_eq!(spoken.extension, "wav");
            let pace = sentence.split(' ').count() as f64 / seconds(&spoken) * 60.0;
            assert!((125.0..190.0).contains(&pace), "{language}: {pace} words a minute");
        }
    }

    #[tokio::test]
    async fn spanish_letters_are_read_as_letters_and_english_takes_foreign_ones() {
        let speech = installed().await;
        let mut lengths = Vec::new();
        for text in ["La niña soñó con el pingüino.", "La nina sono con el pinguino."] {
            lengths.push(seconds(&speech.speak(Language::Es, text).await.unwrap()));
        }
        // Bytes taken for Latin-1 would be spelled out and take twice as long.
        assert!((0.8..1.25).contains(&(lengths[0] / lengths[1])), "{lengths:?}");
        let [ano, year] = ["un ano", "un año"];
        let ano = speech.speak(Language::Es, ano).await.unwrap();
        assert_ne!(ano, speech.speak(Language::Es, year).await.unwrap());

        let accented = speech.speak(Language::En, "Crème brûlée at the Café").await.unwrap();
        assert_eq!(accented, speech.speak(Language::En, "Creme brulee at the Cafe").await.unwrap());
    }

    #[tokio::test]
    async fn prices_are_said_as_people_say_them() {
        let speech = installed().await;
        let cases = [
            (Language::En, "Yours for $3.50", "Yours for 3 dollars and 50 cents"),
            (Language::En, "Yours for 3,50 €", "Yours for 3 euros and 50 cents"),
            (Language::Es, "Por solo $3.50", "Por solo 3 dólares con 50 centavos"),
            (Language::Es, "Por solo 3,50 €", "Por solo 3 euros con 50 céntimos"),
        ];
        for (language, price, words) in cases {
            let price = speech.speak(language, price).await.unwrap();
            assert_eq!(price, speech.speak(language, words).await.unwrap(), "{words}");
        }
    }

    #[tokio::test]
    async fn no_text_is_an_option_a_command_or_a_phoneme() {
        let speech = installed().await;
        for language in Language::ALL {
            for text in ["--help", "-f /etc/hostname", "-v en hello", "$(reboot); `ls` | cat"] {
                let spoken = speech.speak(language, text).await.unwrap();
                assert!(seconds(&spoken) > 0.2, "{language}: {text}");
            }
        }
        let phonemes = speech.speak(Language::Es, "Hola [[h@l0]] mundo").await.unwrap();
        let letters = speech.speak(Language::Es, "Hola h@l0 mundo").await.unwrap();
        assert_eq!(phonemes, letters);
    }

    #[tokio::test]
    async fn many_sentences_at_once_do_not_mix() {
        let speech = installed().await;
        let say = async |number: usize| {
            let text = format!("Sentence {number}.");
            speech.speak(Language::ALL[number % 2], &text).await.unwrap().audio
        };
        let first = futures::future::join_all((0..16).map(say)).await;
        let again = futures::future::join_all((0..16).map(say)).await;
        assert_eq!(first, again);
        assert_eq!(first.into_iter().collect::<BTreeSet<_>>().len(), 16);
    }

    #[tokio::test]
    async fn a_missing_engine_is_told_with_what_it_costs() {
        let empty = tempfile::tempdir().unwrap();
        let speech = OfflineSpeech::locate(None, None, empty.path().to_str().unwrap()).await;
        assert_eq!(speech.engine(Language::Es), None);
        let absence = "espeak-ng is not installed: the Spanish video has captions and no voice. \
                       Install it with `apt-get install espeak-ng`.";
        assert_eq!(speech.absence(Language::Es), absence);
        let failure = refused(&speech, Language::Es, "Hola.").await;
        assert_eq!(failure.kind(), FailureKind::Unavailable);
        assert_eq!(failure.public(), absence);
        assert!(speech.absence(Language::En).starts_with("flite is not installed: the English"));

        // A setting that points nowhere is not made good by an engine elsewhere.
        let wrong = Some(empty.path().join("espeak-ng"));
        let speech = OfflineSpeech::locate(None, wrong, "/usr/bin").await;
        assert!(speech.absence(Language::Es).contains("is not where the setting says"));
        assert!(fake("mute").await.absence(Language::En).starts_with("flite does not answer"));
    }

    #[tokio::test]
    async fn a_hanging_engine_ends_at_the_deadline() {
        let speech = fake("hangs").await.within(Duration::from_millis(300));
        assert_eq!(speech.engine(Language::En).unwrap(), "flite 9.7.1");
        let failure = refused(&speech, Language::En, "Hello.").await;
        assert_eq!(failure.kind(), FailureKind::Unavailable);
        assert!(causes(&failure).contains("flite was stopped after 300ms"), "{failure:?}");
        assert_eq!(sleeping_children(), 0, "the child is gone");
    }

    /// Children of this process that run the fake's `sleep 86399`.
    fn sleeping_children() -> usize {
        let own = std::process::id().to_string();
        let sleeps = |process: &Path| {
            let parent = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
            let parent = parent.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
            let line = std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            parent == Some(own.as_str()) && line.contains("86399")
        };
        let processes = std::fs::read_dir("/proc").unwrap();
        processes.filter_map(Result::ok).filter(|entry| sleeps(&entry.path())).count()
    }

    #[tokio::test]
    async fn an_engine_that_writes_rubbish_is_an_error() {
        let cases = [
            ("writes_rubbish", "wrote no usable sound < it is no WAV file"),
            ("writes_nothing", "wrote no usable sound < it is not there"),
            ("fails", "ended with exit status: 3: the voice is broken"),
        ];
        for (name, cause) in cases {
            let failure = refused(&fake(name).await, Language::Es, "Hola.").await;
            assert_eq!(failure.kind(), FailureKind::Unavailable);
            assert_eq!(failure.public(), "A sentence could not be spoken.");
            assert!(causes(&failure).contains(cause), "{name}: {}", causes(&failure));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_spoken_is_refused_before_anything_starts() {
        let speech = fake("fails").await;
        for text in ["", " … ☕✨", &"word ".repeat(201)] {
            let failure = refused(&speech, Language::En, text).await;
            assert_eq!(failure.kind(), FailureKind::Invalid);
        }
    }
}
