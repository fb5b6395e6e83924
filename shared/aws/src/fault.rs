//! What an error of an AI service means to whoever asked.
//!
//! Errors are told apart by their type, since the status misleads: Polly's `ThrottlingException` is a 400. The status
//! decides only about a type that is not known here. The SDK has tried again by then, so nobody here does.
//!
//! A service's sentence may quote what it was sent. The operator's log therefore gets the type and the request's id,
//! and the sentence only where it speaks of our account and its rights.
//!
//! **Never here:** limits of one service; each adapter knows its own.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use nexus_kernel::{Failure, FailureKind};

/// Asked too often, or more than the account may.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ServiceQuotaExceededException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
/// The service's own trouble, or credentials that are renewed by the next call.
const THEIRS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "RequestExpired",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceFailureException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];
/// About our account: their sentence names a role and a right, never what was sent.
const ABOUT_US: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnrecognizedClientException",
];

/// Why a service gave no answer. Its text is for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{told}")]
pub(crate) struct Fault {
    kind: FailureKind,
    code: String,
    told: String,
}

impl Fault {
    /// What the SDK's error means.
    pub(crate) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        let without_answer = |kind, told: String| Self { kind, code: String::new(), told };
        match error {
            SdkError::ServiceError(answer) => Self::answered(answer.err(), answer.raw()),
            SdkError::ConstructionFailure(_) => {
                without_answer(FailureKind::Bug, "the request could not be built".to_owned())
            }
            SdkError::TimeoutError(_) => {
                without_answer(FailureKind::Unavailable, "there was no answer in time".to_owned())
            }
            SdkError::DispatchFailure(failure) => {
                let cause = failure.as_connector_error().map(|e| causes(e)).unwrap_or_default();
                without_answer(FailureKind::Unavailable, format!("the line failed: {cause}"))
            }
            _ => Self::unreadable("an answer that is not in the service's language"),
        }
    }

    fn answered<E: ProvideErrorMetadata>(error: &E, raw: &HttpResponse) -> Self {
        let code = error.code().unwrap_or_default();
        let status = raw.status().as_u16();
        let kind = match code {
            code if THROTTLED.contains(&code) => FailureKind::Throttled,
            code if THEIRS.contains(&code) => FailureKind::Unavailable,
            _ if status == 429 => FailureKind::Throttled,
            // What is no error by its status, and no answer either, comes from somebody in between.
            _ if !(400..500).contains(&status) => FailureKind::Unavailable,
            _ => FailureKind::Bug,
        };
        let name = if code.is_empty() { "an error without a name" } else { code };
        let request = raw.headers().get("x-amzn-requestid").unwrap_or("unknown");
        let mut told = format!("the service answered {name} (status {status}, request {request})");
        if ABOUT_US.contains(&code) {
            told.push_str(&format!(": {}", error.message().unwrap_or_default()));
        }
        Self { kind, code: code.to_owned(), told }
    }

    /// An answer came, and cannot be used.
    pub(crate) fn unreadable(what: &str) -> Self {
        let told = format!("the service gave {what}");
        Self { kind: FailureKind::Unavailable, code: String::new(), told }
    }

    /// The error's type; empty where the service did not answer.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The failure; `public` says what could not be done.
    pub(crate) fn failure(self, public: &str) -> Failure {
        match self.kind {
            FailureKind::Bug => Failure::bug(self),
            FailureKind::Throttled => {
                let public = format!("{public} Too much was asked at once; it is tried again.");
                Failure::new(FailureKind::Throttled, public).caused_by(self)
            }
            kind => Failure::new(kind, public).caused_by(self),
        }
    }
}

/// An error and all that caused it, in a line.
fn causes(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.join(": ")
}
