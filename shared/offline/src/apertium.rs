//! A rough translation into Spanish, or out of it, by apertium, a rule-based translator, as a child process.
//!
//! One process a text: between the lines of one input apertium's rules move words. The protected parts are hidden
//! from it and put back. What it gives is a draft that a person has to look at, and says so.
//!
//! **Never here:** deciding whether a translation is good enough.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use nexus_engine::translation::{Translator, protected};
use nexus_kernel::Failure;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// A text takes a fraction of a second; a machine under load may take much longer.
const DEADLINE: Duration = Duration::from_secs(20);
/// More than any translation of a text that the Engine keeps.
const MOST_BYTES: u64 = 1 << 20;
/// The names of its English-Spanish data, the newer first.
const DIRECTIONS: [&str; 2] = ["eng-spa", "en-es"];
/// The names of its Spanish-English data, the newer first.
const BACK: [&str; 2] = ["spa-eng", "es-en"];

/// The translator of this machine.
#[derive(Debug, Clone)]
pub struct Apertium {
    program: PathBuf,
    /// The variable `PATH` for the programs that it is made of.
    path: String,
    direction: &'static str,
    version: String,
    deadline: Duration,
}

impl Apertium {
    /// Finds apertium and its English-Spanish data; `None` where either is missing.
    ///
    /// It is looked for where its setting says, and then nowhere else; without a setting in the folders of `path`,
    /// which is written as the variable `PATH`.
    pub async fn locate(set: Option<PathBuf>, path: &str) -> Option<Self> {
        Self::located(set, path, DIRECTIONS).await
    }

    /// Finds apertium and its Spanish-English data, as [`locate`](Self::locate) does the other direction.
    pub async fn locate_back(set: Option<PathBuf>, path: &str) -> Option<Self> {
        Self::located(set, path, BACK).await
    }

    async fn located(
        set: Option<PathBuf>,
        path: &str,
        directions: [&'static str; 2],
    ) -> Option<Self> {
        let program = match set {
            Some(program) => executable(&program)?,
            None => std::env::split_paths(path)
                .filter(|folder| folder.is_absolute())
                .find_map(|folder| executable(&folder.join("apertium")))?,
        };
        let path = path.to_owned();
        let unknown =
            Self { program, path, direction: "", version: String::new(), deadline: DEADLINE };
        let version = unknown.run(&["-V"], "").await.ok()?;
        let version =
            version.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
        let known = unknown.run(&["-l"], "").await.ok()?;
        let direction =
            directions.into_iter().find(|d| known.split_whitespace().any(|k| k == *d))?;
        Some(Self { direction, version: version.to_owned(), ..unknown })
    }

    /// The same translator with another deadline for a text; it is 20 s until told otherwise.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Runs it once, without a shell: what it is given and what it says.
    async fn run(&self, arguments: &[&str], input: &str) -> Result<String, Silence> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", &self.path)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // It is a chain of programs: at the deadline all of them are ended together.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        match tokio::time::timeout(self.deadline, talk(&mut child, input)).await {
            Ok(said) => said,
            Err(_) => {
                if let Some(group) = group {
                    kill_process_group(group, Signal::KILL).map_err(std::io::Error::from)?;
                }
                child.wait().await?;
                Err(Silence::TimedOut(self.deadline))
            }
        }
    }

    async fn one(&self, text: &str, protected: &[String]) -> Result<String, Silence> {
        let masked = protected::mask(&text.replace('\0', ""), protected);
        if !masked.text.contains(char::is_alphabetic) {
            return Ok(text.to_owned());
        }
        let translated = self.run(&["-u", self.direction], &masked.text).await?;
        // Where it lost a stand-in, the text goes back as it is: whoever compares will see what is missing.
        Ok(masked.unmask(&translated).unwrap_or(translated))
    }
}

/// The whole path, if a program stands there.
fn executable(path: &Path) -> Option<PathBuf> {
    let metadata = path.metadata().ok()?;
    let may_run = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    if may_run { std::path::absolute(path).ok() } else { None }
}

/// Gives a program its input, and takes its output to the end.
async fn talk(child: &mut Child, input: &str) -> Result<String, Silence> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let give = async move {
        if let Some(mut stdin) = stdin {
            stdin.write_all(input.as_bytes()).await?;
        }
        std::io::Result::Ok(())
    };
    let take = async move {
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MOST_BYTES).read_to_end(&mut said).await?;
        }
        std::io::Result::Ok(said)
    };
    // A program may answer without having listened to the end: what it says decides.
    let (_given, said) = tokio::join!(give, take);
    let status = child.wait().await?;
    if !status.success() {
        return Err(Silence::Ended(status));
    }
    let said = String::from_utf8(said?).map_err(|_| Silence::Unreadable)?;
    Ok(said.trim().replace("  ", " "))
}

/// Why there is no translation; for the operator's log.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("apertium could not be run")]
    Run(#[from] std::io::Error),
    #[error("apertium was stopped after {0:?}")]
    TimedOut(Duration),
    #[error("apertium ended with {0}")]
    Ended(std::process::ExitStatus),
    #[error("apertium wrote something else than UTF-8")]
    Unreadable,
}

#[async_trait]
impl Translator for Apertium {
    fn engine(&self) -> String {
        format!("apertium {}", self.version)
    }

    fn is_rough(&self) -> bool {
        true
    }

    async fn translate(
        &self,
        texts: &[&str],
        protected: &[String],
    ) -> Result<Vec<String>, Failure> {
        let mut translated = Vec::with_capacity(texts.len());
        for text in texts {
            let one = self.one(text, protected).await;
            translated.push(one.map_err(|silence| {
                Failure::unavailable("The text could not be translated.").caused_by(silence)
            })?);
        }
        Ok(translated)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn path() -> String {
        #[expect(clippy::disallowed_methods, reason = "a test's main is the test harness")]
        std::env::var("PATH").unwrap()
    }

    /// A stand-in from the folder `fakes`.
    async fn fake(name: &str) -> Option<Apertium> {
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("fakes");
        Apertium::locate(Some(fakes.join(name)), &path()).await
    }

    fn terms() -> Vec<String> {
        vec!["House Espresso".to_owned()]
    }

    #[tokio::test]
    async fn n31_texts_are_translated_one_by_one_and_what_is_protected_comes_through() {
        let apertium = fake("translates").await.unwrap();
        assert_eq!((apertium.engine().as_str(), apertium.is_rough()), ("apertium 9.8", true));
        let texts =
            ["Meet House Espresso.\n\nOnly 3.50 USD: https://luna.com/a?b=C", "by @Luna", "12 %"];
        let expected =
            ["meet House Espresso.\n\nonly 3.50 USD: https://luna.com/a?b=C", "by @Luna", "12 %"];
        assert_eq!(apertium.translate(&texts, &terms()).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn n31_a_lost_part_is_seen_by_whoever_compares() {
        let apertium = fake("loses_words").await.unwrap();
        let text = "Meet House Espresso";
        let translated = apertium.translate(&[text], &terms()).await.unwrap();
        assert_eq!(protected::kept(text, &translated[0], &terms()), Err(terms()));
    }

    #[tokio::test]
    async fn a_translator_that_hangs_is_ended_with_all_its_programs() {
        let apertium = fake("hangs_in_a_chain").await.unwrap().within(Duration::from_millis(300));
        let failure = apertium.translate(&["Good morning"], &[]).await.unwrap_err();
        assert_eq!(failure.source().unwrap().to_string(), "apertium was stopped after 300ms");
        let is_left = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let mut commands =
                processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
            commands.any(|command| command == b"sleep\086397\0")
        };
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let gone = async {
            while is_left() {
                tick.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_translator_that_fails_is_a_failure_that_may_pass() {
        let apertium = fake("translates_badly").await.unwrap();
        let failure = apertium.translate(&["Good morning"], &[]).await.unwrap_err();
        assert_eq!(failure.kind(), nexus_kernel::FailureKind::Unavailable);
        assert!(failure.source().unwrap().to_string().contains("exit status: 3"));
    }

    #[tokio::test]
    async fn where_it_is_missing_there_is_none() {
        assert!(Apertium::locate(Some("/nowhere/apertium".into()), &path()).await.is_none());
        assert!(Apertium::locate(None, "/nowhere:relative").await.is_none());
        assert!(fake("mute").await.is_none(), "it tells no version");
        assert!(fake("knows_no_spanish").await.is_none());
    }

    /// Tries the real one where it is installed (`apt-get install apertium-eng-spa`), and says so where it is not.
    #[tokio::test]
    async fn n31_the_installed_apertium_translates() {
        let Some(apertium) = Apertium::locate(None, &path()).await else {
            #[expect(clippy::print_stderr, reason = "a test that could not be made says so")]
            {
                eprintln!("apertium is not installed here: its own translation was not tried");
            }
            return;
        };
        let text = "The dog drinks House Espresso for 3.50 USD.\n\nSee https://luna.com/a?b=C or ask @luna #Coffee";
        let translated = apertium.translate(&[text, "The red house"], &terms()).await.unwrap();
        assert_eq!(protected::kept(text, &translated[0], &terms()), Ok(()), "{}", translated[0]);
        assert!(
            translated[0].contains("perro") && translated[0].contains("\n\n"),
            "{}",
            translated[0]
        );
        assert_eq!(translated[1], "La casa roja");
    }
}
