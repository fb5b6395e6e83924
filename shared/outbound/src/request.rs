//! What a vendor's client asks for, before anything is signed or sent.

mod form;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use http::Method;
use nexus_kernel::Secret;

use crate::allow;
use crate::error::{CallError, Misbuilt};
use crate::vendor::Operation;

pub use form::{Field, Part};

/// A request as a vendor's client builds it: pure data, equal for equal questions. Its `Debug` names what is sent,
/// and tells no value.
#[derive(Clone)]
pub struct Request {
    /// What is asked.
    pub operation: &'static Operation,
    /// The method.
    pub method: Method,
    /// Where: below the vendor's base, or a whole address that an answer of the vendor named.
    pub to: To,
    /// Headers beside those of signing, content type and length: `x-runway-version`. A constant of the program is
    /// written as `Cow::Borrowed`; a value that comes from anywhere else is `Cow::Owned`, and a field of its own,
    /// `header:x-…`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The query, in order.
    pub query: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
    /// The key by which the vendor recognises a repetition, for an operation that is [`Keyed`](crate::Repeat::Keyed);
    /// of no use to any other.
    pub idempotency_key: Option<String>,
    /// Who asks, at a vendor that knows each account by a token of its own ([`Auth::Account`](crate::Auth::Account)).
    /// It goes to the base's own host, port and scheme alone.
    pub authorization: Option<Authorization>,
}

/// What stands in the header `authorization`. Its `Debug` tells no secret.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// An account's token (RFC 6750).
    Bearer(Secret<String>),
    /// An application's name and secret (RFC 7617).
    Basic(String, Secret<String>),
}

/// Where a request goes.
#[derive(Clone, PartialEq, Eq)]
pub enum To {
    /// Below the vendor's base: fixed text and parameters, each parameter one whole or partial segment that is
    /// percent-encoded, so that no value reaches another path. An empty value, `.` and `..` are refused.
    Path(Vec<Piece>),
    /// An address that an answer of this vendor named; its host has to be on the vendor's list. The house's key goes
    /// with it only where it is the base's own host, port and scheme.
    Url(String),
}

/// A piece of a path.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands: `/v1/tasks/`.
    Fixed(&'static str),
    /// A value, by the name under which the operation's allow-list has it (`:id`).
    Value(&'static str, String),
}

/// What a request carries.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// A form, its fields named in the ledger as they are.
    Form(Vec<Field>),
    /// A form with files, its parts named in the ledger as they are.
    Multipart(Vec<Part>),
    /// Bytes of this content type, named in the ledger as the field `body`.
    Bytes {
        /// The content type.
        content_type: &'static str,
        /// The bytes.
        bytes: Bytes,
    },
}

impl Request {
    /// A request of this operation without query, headers and body.
    pub fn new(operation: &'static Operation, method: Method, path: Vec<Piece>) -> Self {
        Self {
            operation,
            method,
            to: To::Path(path),
            headers: Vec::new(),
            query: Vec::new(),
            body: Body::Empty,
            idempotency_key: None,
            authorization: None,
        }
    }

    /// On behalf of the account that this token is of.
    #[must_use]
    pub fn bearer(mut self, token: &Secret<String>) -> Self {
        self.authorization = Some(Authorization::Bearer(token.clone()));
        self
    }

    /// With a form as its body.
    #[must_use]
    pub fn form(mut self, fields: Vec<Field>) -> Self {
        self.body = Body::Form(fields);
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: serde_json::Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Every field that it would send, by its path; the ledger counts these.
    ///
    /// # Errors
    /// [`CallError::Bug`], naming the first field that the operation's allow-list does not have.
    pub fn fields(&self) -> Result<BTreeSet<String>, CallError> {
        Ok(allow::fields(self)?)
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.operation.name == other.operation.name
            && self.method == other.method
            && self.to == other.to
            && self.headers == other.headers
            && self.query == other.query
            && self.body == other.body
            && self.idempotency_key == other.idempotency_key
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> = allow::sent(self).into_iter().collect();
        f.debug_struct("Request")
            .field("operation", &self.operation.name)
            .field("method", &self.method.as_str())
            .field("to", &self.to)
            .field("fields", &fields)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for To {
    /// Writes `/v1/tasks/{id}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(pieces) => pieces.iter().try_for_each(|piece| match piece {
                Piece::Fixed(text) => f.write_str(text),
                Piece::Value(name, _) => write!(f, "{{{}}}", name.trim_start_matches(':')),
            }),
            Self::Url(_) => f.write_str("[an address that an answer named]"),
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => write!(f, "Fixed({text})"),
            Self::Value(name, _) => write!(f, "Value({name})"),
        }
    }
}

impl Body {
    /// The body as it is sent, and its content type.
    pub(crate) fn encoded(
        &self,
        operation: &Operation,
    ) -> Result<(Option<Cow<'static, str>>, Bytes), Misbuilt> {
        Ok(match self {
            Self::Empty => (None, Bytes::new()),
            Self::Json(value) => {
                let wrong = |_| Misbuilt::Body { operation: operation.name };
                let bytes = serde_json::to_vec(value).map_err(wrong)?;
                (Some(Cow::Borrowed("application/json")), Bytes::from(bytes))
            }
            Self::Form(fields) => (Some(Cow::Borrowed(form::URLENCODED)), form::urlencoded(fields)),
            Self::Multipart(parts) => {
                let (content_type, bytes) = form::multipart(parts)?;
                (Some(Cow::Owned(content_type)), bytes)
            }
            Self::Bytes { content_type, bytes } => {
                (Some(Cow::Borrowed(content_type)), bytes.clone())
            }
        })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(_) => f.write_str("Json"),
            Self::Form(fields) => write!(f, "Form({} fields)", fields.len()),
            Self::Multipart(parts) => write!(f, "Multipart({} parts)", parts.len()),
            Self::Bytes { content_type, bytes } => {
                write!(f, "Bytes({content_type}, {})", bytes.len())
            }
        }
    }
}
