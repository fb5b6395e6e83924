//! What went wrong, for two audiences: a public sentence that helps, and a source for the operator's log.
//!
//! A failure knows its kind and nothing of HTTP, queues or alarms: those are translated at the edge, last of all.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What kind of failure this is; the entrances translate it in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The input breaks a rule; sending it again changes nothing.
    Invalid,
    /// Nobody is known behind the request.
    Unauthenticated,
    /// Somebody is known, and may not do this.
    Denied,
    /// There is no such thing, or it belongs to another tenant.
    NotFound,
    /// The thing is in a state that does not allow this, or changed meanwhile.
    Conflict,
    /// Asked too often; later it may work.
    Throttled,
    /// Something needed is not there now; later it may work.
    Unavailable,
    /// It may have happened or not; it has to be looked up, never sent again blindly.
    Unknown,
    /// Ours to repair.
    Bug,
}

/// One field of the input and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field's path in the input, for example `products[0].price`.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Something did not succeed. See the module's text for the two audiences.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    public: String,
    fields: Vec<FieldProblem>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure of the given kind with the sentence that the caller may read.
    pub fn new(kind: FailureKind, public: impl Into<String>) -> Self {
        Self { kind, public: public.into(), fields: Vec::new(), retry_after: None, source: None }
    }

    /// The input breaks a rule.
    pub fn invalid(public: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, public)
    }

    /// One field of the input breaks a rule.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let problem = FieldProblem { field: field.into(), problem: problem.into() };
        Self::invalid(format!("`{}`: {}", problem.field, problem.problem))
            .with_fields(vec![problem])
    }

    /// There is no such thing: one sentence for a missing thing and for another tenant's.
    pub fn not_found(what: &str) -> Self {
        Self::new(FailureKind::NotFound, format!("There is no such {what}."))
    }

    /// The state does not allow this.
    pub fn conflict(public: impl Into<String>) -> Self {
        Self::new(FailureKind::Conflict, public)
    }

    /// The caller may not do this.
    pub fn denied(public: impl Into<String>) -> Self {
        Self::new(FailureKind::Denied, public)
    }

    /// Something needed is not there now.
    pub fn unavailable(public: impl Into<String>) -> Self {
        Self::new(FailureKind::Unavailable, public)
    }

    /// Ours to repair; the caller reads only that.
    pub fn bug(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(FailureKind::Bug, "Something went wrong on our side. It has been recorded.")
            .caused_by(source)
    }

    /// Adds what the operator's log should tell.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the fields at fault.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldProblem>) -> Self {
        self.fields = fields;
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The sentence that the caller may read.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The fields at fault, if the input was.
    pub fn fields(&self) -> &[FieldProblem] {
        &self.fields
    }

    /// When trying again makes sense, if that is known.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as &(dyn Error + 'static))
    }
}

impl From<crate::id::IdError> for Failure {
    fn from(error: crate::id::IdError) -> Self {
        Self::invalid(error.to_string())
    }
}
