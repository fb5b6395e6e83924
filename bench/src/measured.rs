//! `bench/measured.json`: what measuring runs found on one machine. `cold_start` writes the starts, `measure` the
//! steps of the line; `cost` reads it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spread::Spread;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What was measured on: processor, cores.
    #[serde(default)]
    pub machine: String,
    /// Cold starts by function.
    #[serde(default)]
    pub starts: BTreeMap<String, Start>,
    /// What one photo takes, by function; and which photo.
    #[serde(default)]
    pub photo: Option<PhotoRun>,
}

/// A function's cold start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// How many starts.
    pub runs: usize,
    /// Milliseconds from the process's start until it asks for its first event.
    pub next_ms: Spread,
    /// Milliseconds from the event to the answer, with calls over TLS.
    pub answer_ms: Spread,
    /// How many calls of AWS's services the answer took.
    pub calls: usize,
    /// The most memory that the process had in use, in MB (10^6 bytes).
    pub peak_mb: f64,
}

/// A photo's way through the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhotoRun {
    /// Which photo, how the videos are made, and by whom.
    pub of: String,
    /// The steps by function.
    pub steps: BTreeMap<String, Step>,
    /// Runs of functions on a schedule that find nothing to do.
    pub idle: BTreeMap<String, Step>,
    /// Requests of the API, from the announcement to the approval.
    pub api_requests: u64,
    /// Sentences that were spoken, of all languages.
    pub sentences: u64,
    /// Characters that were spoken.
    pub spoken_characters: u64,
    /// Characters that a translator was asked for.
    pub translated_characters: u64,
    /// Bytes of rows that stand afterwards, with their places in indexes.
    pub row_bytes: u64,
    /// Bytes of blobs that stand afterwards.
    pub blob_bytes: u64,
    /// Bytes of the videos among them.
    pub video_bytes: u64,
}

/// What the calls of a function took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds on the clock, on the machine of the run.
    pub wall_ms: f64,
    /// Milliseconds of processor time, of the process and of the programs that it ran.
    pub processor_ms: f64,
    /// The most memory that the process had in use, MB (10^6 bytes), without the programs that it ran.
    pub peak_mb: f64,
    /// What it asked of the stores.
    #[serde(flatten)]
    pub asked: Asked,
}

/// What was asked of the stores, in the units in which AWS is paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Calls of the table.
    pub table_calls: u64,
    /// Units of DynamoDB for reading: 4 KB read consistently, 8 KB of an index.
    pub read_units: f64,
    /// Units of DynamoDB for writing: 1 KB, twice because every commit is a transaction, and once more for each index
    /// in which the row stands.
    pub write_units: f64,
    /// Calls of S3 that cost as much as a PUT: PUT and LIST, and with them deletions, which list the versions first.
    pub blob_puts: u64,
    /// Calls of S3 that cost as much as a GET: GET and HEAD.
    pub blob_gets: u64,
    /// Bytes put and got.
    pub blob_bytes: u64,
    /// Calls of SQS: batches sent, depths asked.
    pub queue_calls: u64,
    /// Messages sent.
    pub messages: u64,
}

impl std::ops::AddAssign for Asked {
    fn add_assign(&mut self, more: Self) {
        self.table_calls += more.table_calls;
        self.read_units += more.read_units;
        self.write_units += more.write_units;
        self.blob_puts += more.blob_puts;
        self.blob_gets += more.blob_gets;
        self.blob_bytes += more.blob_bytes;
        self.queue_calls += more.queue_calls;
        self.messages += more.messages;
    }
}

impl Measured {
    /// Where it lies.
    pub fn place() -> PathBuf {
        crate::root().join("bench/measured.json")
    }

    /// Reads it; an empty one where there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is not what this module writes.
    pub fn read(place: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        match fs::read(place) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| format!("{}: {e}", place.display()).into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", place.display()).into()),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, place: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(place, text).map_err(|e| format!("{}: {e}", place.display()).into())
    }
}

/// The processor of this machine and how many cores may be used (Linux, proc(5)).
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    format!("{cores} cores of {model}, {}", std::env::consts::ARCH)
}
