//! A second process: the test binary itself, started with the name of one ignored test that does the child's part.
//! The two speak in lines of JSON over standard input and output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What leads the child's lines: the test harness writes to the same output.
const MARK: &str = "@@ ";

/// A child process, killed (SIGKILL) when dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts the test binary with one ignored test.
    pub(crate) fn start(test: &str) -> (Self, ToChild, FromChild) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", test, "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (Self(child), ToChild(to), FromChild(BufReader::new(from)))
    }

    /// Kills it as the kernel would that has no memory left.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The way to the child.
pub(crate) struct ToChild(ChildStdin);

impl ToChild {
    pub(crate) fn say(&mut self, what: &impl Serialize) {
        writeln!(self.0, "{}", serde_json::to_string(what).unwrap()).unwrap();
    }
}

/// The way back. What a child had said when it was killed is still read.
pub(crate) struct FromChild(BufReader<ChildStdout>);

impl FromChild {
    /// The next line; `None` once the child is dead and all was read. Half a line is none.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(serde_json::from_str(said).unwrap());
            }
        }
    }
}

/// In the child: says something to the parent, at once.
pub(crate) fn answer(what: &impl Serialize) {
    let line = format!("{MARK}{}\n", serde_json::to_string(what).unwrap());
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// In the child: what the parent says next.
pub(crate) fn listen<T: DeserializeOwned>() -> Option<T> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).unwrap();
    (read > 0).then(|| serde_json::from_str(&line).unwrap())
}
