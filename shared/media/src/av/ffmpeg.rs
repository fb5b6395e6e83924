//! One ffmpeg child: started without a shell, bounded in time, and listened to.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{ChildStdout, Command},
};

use super::AvError;

/// The containers that may be uploaded, by the names of ffmpeg's readers. Playlists are not among
/// them: they name other files, which ffmpeg would open.
pub(super) const CONTAINERS: &str = "mov,matroska,mp3,wav";

/// More pixels a frame than 8K has are refused before memory is taken for them.
const MAX_PIXELS: &str = "36000000";

/// How much of the end of standard error is kept.
const KEPT_OF_STDERR: usize = 16 * 1024;

/// What ffmpeg says when a disk is full.
const NO_ROOM: &str = "No space left on device";

/// The program, and how long a call may take (60 s until told otherwise).
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: PathBuf,
    deadline: Duration,
}

impl Ffmpeg {
    /// Finds the program: `configured` if given (and then nothing else, so that a wrong setting is
    /// noticed), otherwise the first of `search` that is there. An entry is the program itself or a
    /// folder that holds `ffmpeg`, so that a split `PATH` may be handed over.
    #[must_use]
    pub fn locate(configured: Option<&Path>, search: &[PathBuf]) -> Option<Self> {
        let at = |path: &Path| {
            [path.to_path_buf(), path.join("ffmpeg")].into_iter().find(|path| path.is_file())
        };
        let program = match configured {
            Some(path) => at(path),
            None => search.iter().find_map(|path| at(path)),
        }?;
        let program = std::path::absolute(program).ok()?;
        Some(Self { program, deadline: Duration::from_secs(60) })
    }

    /// The same program with another deadline, which bounds each call as a whole.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self { program: self.program.clone(), deadline }
    }

    /// Where the program is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The version as the program tells it, for example `5.1.9-0+deb12u1`.
    ///
    /// # Errors
    /// [`AvError::Start`] if it does not start, [`AvError::Broken`] if it is another program.
    pub async fn version(&self) -> Result<String, AvError> {
        let said = self.in_time(self.call().arg("-version").stdout()).await?;
        let mut words = said.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("ffmpeg"), Some("version"), Some(version)) => Ok(version.to_owned()),
            _ => Err(AvError::Broken("the program does not answer as ffmpeg does".to_owned())),
        }
    }

    /// Runs `work` to its end or to the deadline; dropping it kills the children it waits for.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, AvError>>,
    ) -> Result<T, AvError> {
        tokio::time::timeout(self.deadline, work)
            .await
            .unwrap_or(Err(AvError::TimedOut(self.deadline)))
    }

    /// A call with what every call has.
    pub(super) fn call(&self) -> Call {
        let mut command = Command::new(&self.program);
        command
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Call { command, read: None }
    }
}

/// A call being put together.
pub(super) struct Call {
    command: Command,
    read: Option<PathBuf>,
}

impl Call {
    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(super) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Reads a file of one of the `formats`, and no other file or address that it may name.
    pub(super) fn read(mut self, formats: &str, path: &Path) -> Self {
        self.read = Some(path.to_path_buf());
        self.args(["-protocol_whitelist", "file,pipe", "-format_whitelist", formats])
            .args(["-max_pixels", MAX_PIXELS, "-i"])
            .arg(file_url(path))
    }

    /// Writes a file; leaves out what would make two runs differ, and all metadata.
    pub(super) fn write(self, muxer: &str, path: &Path) -> Self {
        self.args(["-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1"])
            .args(["-fflags", "+bitexact", "-flags", "+bitexact", "-f", muxer])
            .arg(file_url(path))
    }

    pub(super) fn folder(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    pub(super) fn env(mut self, name: &str, value: &OsStr) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn stdin_from(mut self, source: impl Into<Stdio>) -> Self {
        self.command.stdin(source);
        self
    }

    pub(super) fn stdout_to(mut self, target: impl Into<Stdio>) -> Self {
        self.command.stdout(target);
        self
    }

    /// Runs to the end; standard output is of no interest, or was given away.
    pub(super) async fn done(self) -> Result<(), AvError> {
        let nothing = async |stdout: Option<ChildStdout>| {
            if let Some(mut stdout) = stdout {
                tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await?;
            }
            Ok(())
        };
        self.run(nothing).await.map(|((), _)| ())
    }

    /// Runs to the end and hands over standard output, at most 1 MiB of it.
    pub(super) async fn stdout(self) -> Result<String, AvError> {
        let (text, _) = self
            .listen(async |stdout| {
                let mut bytes = Vec::new();
                stdout.take(1 << 20).read_to_end(&mut bytes).await?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            })
            .await?;
        Ok(text)
    }

    /// Runs to the end while `hear` reads standard output; gives what it heard, and the end of
    /// standard error.
    pub(super) async fn listen<T, F>(
        self,
        hear: impl FnOnce(ChildStdout) -> F,
    ) -> Result<(T, String), AvError>
    where
        F: Future<Output = io::Result<T>>,
    {
        self.run(|stdout| async {
            match stdout {
                Some(stdout) => hear(stdout).await,
                None => Err(io::Error::other("standard output was given away")),
            }
        })
        .await
    }

    async fn run<T, F>(
        mut self,
        hear: impl FnOnce(Option<ChildStdout>) -> F,
    ) -> Result<(T, String), AvError>
    where
        F: Future<Output = io::Result<T>>,
    {
        let mut child = self.command.spawn().map_err(AvError::Start)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        drop(self.command); // it holds the child's ends of pipes that were handed over
        let (heard, said, status) = tokio::join!(hear(stdout), end_of(stderr), child.wait());
        let said = said?;
        match status?.code() {
            // Some versions leave with 0 when the last bytes find no room.
            Some(0) if !said.contains(NO_ROOM) => Ok((heard?, said)),
            Some(_) => Err(failure(&said, self.read.as_deref())),
            None => Err(AvError::Killed),
        }
    }
}

/// The end of what a stream says.
async fn end_of(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut kept = Vec::new();
    while stream.read_buf(&mut kept).await? > 0 {
        if kept.len() > 2 * KEPT_OF_STDERR {
            kept.drain(..kept.len() - KEPT_OF_STDERR);
        }
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// A path that ffmpeg takes for a file whatever it is called and wherever it runs.
fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(std::path::absolute(path).as_deref().unwrap_or(path));
    url
}

/// Why it failed: for want of something on this machine, or because of what it read.
fn failure(said: &str, path: Option<&Path>) -> AvError {
    let wants = [
        (NO_ROOM, io::ErrorKind::StorageFull),
        ("No such file or directory", io::ErrorKind::NotFound),
        ("Permission denied", io::ErrorKind::PermissionDenied),
        ("Cannot allocate memory", io::ErrorKind::OutOfMemory),
        ("Input/output error", io::ErrorKind::Other),
    ];
    match wants.into_iter().find(|(text, _)| said.contains(text)) {
        Some((text, kind)) => AvError::Io(io::Error::new(kind, text)),
        None => AvError::Broken(reason(said, path)),
    }
}

/// The first complaint, without addresses and paths of this machine, at most 200 characters.
pub(super) fn reason(said: &str, path: Option<&Path>) -> String {
    let mut line = said
        .lines()
        .map(|line| match line.split_once("] ") {
            Some((head, rest)) if head.starts_with('[') => rest,
            _ => line,
        })
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("ffmpeg gave no reason")
        .to_owned();
    if let Some(path) = path.map(Path::to_string_lossy) {
        line = line.replace(&format!("file:{path}"), "the file").replace(&*path, "the file");
    }
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
