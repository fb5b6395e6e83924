//! Speech marks as Polly gives them: a JSON object a line, in order.

use nexus_engine::narration::Mark;
use serde::Deserialize;

use super::mp3;
use crate::fault::Fault;

/// A line. `start` and `end` are bytes of the text.
#[derive(Deserialize)]
struct Line {
    time: u64,
    #[serde(rename = "type")]
    kind: String,
    start: usize,
    end: usize,
}

/// The words of a text with their times.
///
/// # Errors
/// It is not what Polly documents, or names what is no part of the text.
pub(super) fn read(lines: &[u8], text: &str) -> Result<Vec<Mark>, Fault> {
    let unreadable = || Fault::unreadable("speech marks that cannot be read");
    let lines = std::str::from_utf8(lines).map_err(|_| unreadable())?;
    let mut marks = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).map_err(|_| unreadable())?;
        if line.kind == "word" {
            let bytes = line.start..line.end;
            let word = text.get(bytes.clone()).ok_or_else(unreadable)?.to_owned();
            marks.push(Mark { word, bytes, start_ms: line.time });
        }
    }
    Ok(marks)
}

/// A part's mark as one of the whole: the part begins at this byte, and is heard after this long.
pub(super) fn moved(mark: Mark, begins: usize, elapsed: mp3::Length) -> Mark {
    let bytes = mark.bytes.start + begins..mark.bytes.end + begins;
    Mark { bytes, start_ms: mark.start_ms.saturating_add(elapsed.millis()), ..mark }
}
