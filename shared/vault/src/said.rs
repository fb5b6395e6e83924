use std::fmt;

/// What a service said of a call that failed, and nothing of what was in it: a secret may stand in the request, and
/// in an answer that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Said {
    /// Which call.
    pub call: &'static str,
    /// The service's code for it, or what became of the call: `timeout`.
    pub code: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.code)
    }
}
