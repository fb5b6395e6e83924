//! What a browser or a program sends.
//!
//! **Never here:** a rule about what was written: `nexus_engine::inquiries` has those.

use axum::http::StatusCode;
use axum::response::Response;
use nexus_engine::inquiries::Asked;
use nexus_kernel::{Failure, Language, Pii};
use serde::Deserialize;

use crate::page;

/// A form, filled in as far as somebody came.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    pub(crate) name: Pii<String>,
    pub(crate) email: Pii<String>,
    pub(crate) message: Pii<String>,
    pub(crate) consent: bool,
    /// Nobody sees this field: only a program fills it in.
    pub(crate) website: String,
    /// When the form was opened, under our own seal.
    pub(crate) opened: String,
    /// The code of the link that somebody came by, unchecked.
    pub(crate) from: String,
    /// The language in which the form was shown.
    pub(crate) lang: String,
}

impl Default for Filled {
    fn default() -> Self {
        let none = || Pii::new(String::new());
        Self {
            name: none(),
            email: none(),
            message: none(),
            consent: false,
            website: String::new(),
            opened: String::new(),
            from: String::new(),
            lang: String::new(),
        }
    }
}

impl Filled {
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            name: self.name.clone(),
            email: self.email.clone(),
            message: self.message.clone(),
            agreed: self.consent,
        }
    }
}

/// Who sends.
pub(crate) enum Sent {
    /// A browser.
    Form(Filled),
    /// A program.
    Json(Filled),
}

/// Why a body cannot be read.
pub(crate) enum Refusal {
    /// It is said to be something else.
    Neither,
    /// It is said to be JSON and is none of this shape.
    NoSuchJson(Failure),
}

impl Refusal {
    pub(crate) fn told(self, language: Language) -> Response {
        match self {
            Self::Neither => page::broken(language, StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NoSuchJson(failure) => page::problem(failure),
        }
    }
}

/// What a program sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: String,
    email: String,
    message: String,
    consent: bool,
    /// As `GET` gave it.
    opened: String,
    #[serde(default)]
    from: String,
}

/// Reads a body by what it is said to be.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Result<Sent, Refusal> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    match essence {
        "application/x-www-form-urlencoded" => Ok(Sent::Form(of_pairs(body))),
        "application/json" => of_json(body).map(Sent::Json).map_err(Refusal::NoSuchJson),
        _ => Err(Refusal::Neither),
    }
}

/// A field that comes twice counts the first time.
fn of_pairs(body: &[u8]) -> Filled {
    let first = |name: &str| {
        let mut pairs = form_urlencoded::parse(body);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    Filled {
        name: Pii::new(first("name")),
        email: Pii::new(first("email")),
        message: Pii::new(first("message")),
        consent: first("consent") == "yes",
        website: first("website"),
        opened: first("opened"),
        from: first("from"),
        lang: first("lang"),
    }
}

fn of_json(body: &[u8]) -> Result<Filled, Failure> {
    // The reader's own words could repeat what somebody wrote: only where it stumbled is told.
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        Failure::invalid(format!(
            "This is not the JSON that is taken here, at line {} column {}: send `name`, `email`, `message` as texts, \
             `consent` as true or false, `opened` as a GET of this address gave it, and `from` if you know it.",
            error.line(),
            error.column()
        ))
    })?;
    let Body { name, email, message, consent, opened, from } = body;
    Ok(Filled {
        name: Pii::new(name),
        email: Pii::new(email),
        message: Pii::new(message),
        consent,
        opened,
        from,
        ..Filled::default()
    })
}
