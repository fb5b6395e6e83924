//! How a call can end other than well. The first question is always: did it happen?

use std::time::Duration;

use nexus_core::effect::{Found, Outcome};
use nexus_kernel::{Failure, FailureKind};

use crate::answer::Usage;

/// When an effect that was throttled is tried again, if nobody said when.
const LATER: Duration = Duration::from_secs(60);

/// How a call ended, other than well.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It certainly did not happen, and asking again changes nothing.
    #[error("{why}")]
    Refused {
        /// A stable word for what the vendor said: `safety`, `quota_exceeded`.
        code: String,
        /// Why, as a person should read it; never an address, a key or the vendor's raw words.
        why: String,
    },
    /// It did not happen; later it may: a rate limit, an outage, no connection.
    #[error("{why}")]
    Throttled {
        /// When asking again makes sense, if that was said.
        after: Option<Duration>,
        /// Why, as a person should read it.
        why: String,
    },
    /// It did not happen: the vendor does not know us, or not any more.
    #[error("{why}")]
    Login {
        /// Why, as a person should read it.
        why: String,
    },
    /// It may have happened: the answer was lost, or cannot be read.
    #[error("{why}")]
    Unknown {
        /// What was seen, for the operator.
        why: String,
    },
    /// Ours to repair, and nothing was sent: a field that is not on the allow-list, a host that is not on the list.
    #[error(transparent)]
    Bug(Box<dyn std::error::Error + Send + Sync>),
    /// The house said no before anything was sent: the cap is reached, the ledger does not answer.
    #[error(transparent)]
    Held(#[from] Failure),
}

impl CallError {
    /// With what the vendor counts although it did not do what was asked: the tokens of an answer that was cut off.
    #[must_use]
    pub fn billed(self, usage: Usage) -> Billed {
        Billed { error: self, usage }
    }

    /// What a look that ended so found: nothing, and it is no look where the vendor was not asked or had no time.
    pub fn into_found(self) -> Found {
        match self {
            Self::Throttled { after, .. } => Found::Later { after_seconds: seconds(after) },
            Self::Held(failure) if is_over_by_itself(&failure) => {
                Found::Later { after_seconds: seconds(failure.wait()) }
            }
            other => Found::StillUnknown { why: other.to_string() },
        }
    }

    /// What became of the effect that this call was to bring about. What is ours to repair is logged here: an
    /// effect keeps no cause.
    pub fn into_outcome(self) -> Outcome {
        match self {
            Self::Refused { why, .. } => Outcome::Refused { why },
            Self::Throttled { after, .. } => throttled(after),
            Self::Login { why } => Outcome::Login { why },
            Self::Unknown { why } => Outcome::Unknown { why },
            Self::Bug(cause) => {
                tracing::error!(cause = %cause, "a call to a vendor was held back: it is built wrongly");
                Outcome::Refused { why: Failure::bug(cause).public().to_owned() }
            }
            Self::Held(failure) if is_over_by_itself(&failure) => throttled(failure.wait()),
            Self::Held(failure) => Outcome::Refused { why: failure.public().to_owned() },
        }
    }
}

/// Whether the same may go well later.
fn is_over_by_itself(failure: &Failure) -> bool {
    match failure.kind() {
        FailureKind::Throttled
        | FailureKind::Unavailable
        | FailureKind::Conflict
        | FailureKind::Unknown => true,
        FailureKind::Invalid
        | FailureKind::Unauthenticated
        | FailureKind::Denied
        | FailureKind::NotFound
        | FailureKind::Bug => false,
    }
}

fn throttled(after: Option<Duration>) -> Outcome {
    Outcome::Throttled { after_seconds: seconds(after) }
}

/// Whole seconds, rounded up: a moment too early is asked in vain.
fn seconds(after: Option<Duration>) -> u32 {
    let after = after.unwrap_or(LATER);
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// The failure that the asking function ends with.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { code, why } => Self::invalid(why).caused_by(code),
            CallError::Throttled { after, why } => {
                let failure = Self::new(FailureKind::Throttled, why);
                match after {
                    Some(after) => failure.retry_after(after),
                    None => failure,
                }
            }
            CallError::Login { why } => Self::unavailable(why),
            CallError::Unknown { why } => Self::new(
                FailureKind::Unknown,
                "The answer was lost, so that nobody can tell yet whether this happened.",
            )
            .caused_by(why),
            CallError::Bug(cause) => Self::bug(cause),
            CallError::Held(failure) => failure,
        }
    }
}

/// An answer that is no success, and what the vendor counts for it.
#[derive(Debug)]
pub struct Billed {
    /// How the call ended.
    pub error: CallError,
    /// What is counted and paid all the same.
    pub usage: Usage,
}

impl From<CallError> for Billed {
    fn from(error: CallError) -> Self {
        Self { error, usage: Usage::default() }
    }
}

/// A vendor or one of its requests is described wrongly; nothing was sent. No text here holds a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misbuilt {
    #[error("`{operation}` may not send the field `{field}`: its allow-list does not name it")]
    Field { operation: &'static str, field: String },
    #[error("`{operation}` sends {fields} fields, which is more than the ledger counts")]
    TooManyFields { operation: &'static str, fields: usize },
    #[error("`{operation}` needs an idempotency key, and the request has none that fits a header")]
    NoIdempotencyKey { operation: &'static str },
    #[error("the path of `{operation}` does not stand in the address as it was built")]
    Path { operation: &'static str },
    #[error("`{name}` is no header that a request may set, or its value does not fit one")]
    Header { name: &'static str },
    #[error("an address that an answer named cannot be read, or names a user or a scheme")]
    Address,
    #[error("the host `{host}` is not on the closed list of `{vendor}`")]
    Host { vendor: &'static str, host: String },
    #[error("a tenant of `{theirs}` asked by way of `{ours}`")]
    Product { ours: &'static str, theirs: &'static str },
    #[error("the transport does not allow this address: {0}")]
    Forbidden(String),
    #[error("the body of `{operation}` is no JSON")]
    Body { operation: &'static str },
    #[error(
        "the part `{name}` of a form has a name, file or content type that would end its header"
    )]
    Part { name: &'static str },
}

impl From<Misbuilt> for CallError {
    fn from(error: Misbuilt) -> Self {
        Self::Bug(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<CallError> {
        vec![
            CallError::Refused { code: "safety".into(), why: "the prompt was blocked".into() },
            CallError::Throttled { after: Some(Duration::from_millis(1_200)), why: "slow".into() },
            CallError::Throttled { after: None, why: "busy".into() },
            CallError::Login { why: "no key".into() },
            CallError::Unknown { why: "reset by peer 10.0.0.1".into() },
            Misbuilt::Path { operation: "ask" }.into(),
            CallError::Held(Failure::denied("the cap is reached")),
            CallError::Held(Failure::unavailable("the store is away")),
        ]
    }

    #[test]
    fn each_class_becomes_the_failure_that_tells_the_caller_what_to_do() {
        let failures: Vec<Failure> = one_of_each().into_iter().map(Failure::from).collect();
        let kinds: Vec<FailureKind> = failures.iter().map(Failure::kind).collect();
        use FailureKind::{Bug, Denied, Invalid, Throttled, Unavailable, Unknown};
        assert_eq!(
            kinds,
            [Invalid, Throttled, Throttled, Unavailable, Unknown, Bug, Denied, Unavailable]
        );
        assert_eq!(failures[0].public(), "the prompt was blocked");
        assert_eq!(failures[1].wait(), Some(Duration::from_millis(1_200)));
        assert_eq!(failures[2].wait(), None);
        assert!(!failures[4].public().contains("10.0.0.1"), "that is the operator's");
    }

    #[test]
    fn each_class_becomes_the_outcome_of_an_effect_and_a_bug_is_no_unknown() {
        let outcomes: Vec<Outcome> =
            one_of_each().into_iter().map(CallError::into_outcome).collect();
        assert_eq!(outcomes[0], Outcome::Refused { why: "the prompt was blocked".into() });
        assert_eq!(outcomes[1], Outcome::Throttled { after_seconds: 2 });
        assert_eq!(outcomes[2], Outcome::Throttled { after_seconds: 60 });
        assert_eq!(outcomes[3], Outcome::Login { why: "no key".into() });
        assert_eq!(outcomes[4], Outcome::Unknown { why: "reset by peer 10.0.0.1".into() });
        assert!(matches!(&outcomes[5], Outcome::Refused { why } if !why.contains("ask")));
        assert_eq!(outcomes[6], Outcome::Refused { why: "the cap is reached".into() });
        assert_eq!(outcomes[7], Outcome::Throttled { after_seconds: 60 });
    }
}
