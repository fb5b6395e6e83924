//! The one table that translates a failure for its readers: HTTP status, whether trying again helps, and how
//! loud the log is. Everything before the edge knows only the kind.

use std::error::Error;

use nexus_kernel::{Failure, FailureKind};

/// What an edge makes of a kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status code.
    pub status: u16,
    /// Its short title, for `application/problem+json`.
    pub title: &'static str,
    /// Whether the same call may succeed later.
    pub retry: bool,
    /// Whether somebody has to look.
    pub alarm: bool,
}

/// The table.
pub const fn of(kind: FailureKind) -> Outcome {
    let (status, title, retry, alarm) = match kind {
        FailureKind::Invalid => (422, "The request breaks a rule", false, false),
        FailureKind::Unauthenticated => (401, "Who are you?", false, false),
        FailureKind::Denied => (403, "Not allowed", false, false),
        FailureKind::NotFound => (404, "Not found", false, false),
        FailureKind::Conflict => (409, "Not possible now", false, false),
        FailureKind::Throttled => (429, "Too often", true, false),
        FailureKind::Unavailable => (503, "Not available now", true, false),
        FailureKind::Unknown => (202, "Being looked up", false, false),
        FailureKind::Bug => (500, "Our mistake", false, true),
    };
    Outcome { status, title, retry, alarm }
}

/// Logs a failure once, where it ends: with everything that caused it, for the operator.
pub fn log(function: &'static str, failure: &Failure) {
    let causes = causes(failure);
    if of(failure.kind()).alarm {
        tracing::error!(function, kind = ?failure.kind(), causes, "{failure}");
    } else {
        tracing::warn!(function, kind = ?failure.kind(), causes, "{failure}");
    }
}

fn causes(failure: &Failure) -> String {
    let mut told = Vec::new();
    let mut next = failure.source();
    while let Some(cause) = next {
        told.push(cause.to_string());
        next = cause.source();
    }
    told.join(" ← ")
}
