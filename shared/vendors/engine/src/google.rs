//! How Google's APIs tell an error: a word, a reason, a wait.
//!
//! Google's sentences are not passed on: they may quote what was sent. Its words are those of its documentation
//! (<https://cloud.google.com/apis/design/errors>).

use std::time::Duration;

use serde_json::Value;

/// An error as a body tells it; nothing where the body tells none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoogleError<'a>(Option<&'a Value>);

impl<'a> GoogleError<'a> {
    /// The error of a body.
    pub(crate) fn of(body: &'a Value) -> Self {
        Self(body.get("error").filter(|error| error.is_object()))
    }

    /// Whether there is one.
    pub(crate) fn is_told(self) -> bool {
        self.0.is_some()
    }

    /// The status that it states.
    pub(crate) fn code(self) -> Option<u16> {
        self.0?.get("code")?.as_u64()?.try_into().ok()
    }

    /// Google's word for the status: `RESOURCE_EXHAUSTED`.
    pub(crate) fn word(self) -> Option<&'a str> {
        self.0?.get("status")?.as_str()
    }

    /// The reason that an `ErrorInfo` among the details names.
    pub(crate) fn reason(self) -> Option<&'a str> {
        self.details("google.rpc.ErrorInfo").find_map(|detail| detail.get("reason")?.as_str())
    }

    /// The wait that a `RetryInfo` among the details names: `17s`, `0.5s`.
    pub(crate) fn wait(self) -> Option<Duration> {
        let told = self
            .details("google.rpc.RetryInfo")
            .find_map(|detail| detail.get("retryDelay")?.as_str())?;
        Duration::try_from_secs_f64(told.strip_suffix('s')?.parse().ok()?).ok()
    }

    /// The details of this type.
    fn details(self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        let all = self.0.and_then(|error| error.get("details")?.as_array()).into_iter().flatten();
        all.filter(move |detail| detail["@type"].as_str().is_some_and(|t| t.ends_with(kind)))
    }
}
