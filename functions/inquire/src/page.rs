//! The answers: pages that work without script, for a screen reader and on a telephone, and JSON for programs.

use std::sync::LazyLock;
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_engine::inquiries::{
    Complaint, MAX_EMAIL_BYTES, MAX_MESSAGE_CHARS, MAX_NAME_CHARS, Page,
};
use nexus_handler::http::{PROBLEM_JSON, Problem};
use nexus_kernel::{Digest, Failure, Language, Money};
use serde::Serialize;
use url::Url;

use crate::form::Filled;
use crate::words::{self, Words};
use crate::{MAX_FORM_BYTES, status};

/// The page's style: the one thing beside the picture that its policy lets a browser use, named by its digest.
const STYLE: &str = include_str!("../templates/page.css");

static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| {
    format!("'sha256-{}'", STANDARD.encode(Digest::of(STYLE.as_bytes()).as_bytes()))
});

/// What has to be said above a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It came faster than a person writes.
    Quick,
    /// A field was filled in that nobody sees.
    Robot,
    /// The page was open for too long.
    Stale,
    /// Too many come.
    Busy,
    /// It cannot be kept now.
    Later,
}

/// How a product's page is shown.
pub(crate) struct View {
    pub(crate) language: Language,
    pub(crate) status: StatusCode,
    pub(crate) filled: Filled,
    pub(crate) complaints: Vec<Complaint>,
    pub(crate) notice: Option<Notice>,
    pub(crate) wait: Option<Duration>,
}

impl View {
    /// The form as it is filled in so far, with nothing to be said of it.
    pub(crate) fn of(language: Language, filled: Filled) -> Self {
        let (status, complaints) = (StatusCode::OK, Vec::new());
        Self { language, status, filled, complaints, notice: None, wait: None }
    }
}

/// What is wrong with a part, where it is said.
struct Said {
    field: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "product.html")]
struct ProductPage<'p> {
    style: &'static str,
    lang: &'static str,
    words: &'static Words,
    other: Language,
    from: &'p str,
    code: &'p str,
    business: Option<&'p str>,
    name: &'p str,
    description: &'p str,
    /// The description's own language, where it is not the page's.
    description_lang: Option<&'static str>,
    price: Option<String>,
    shop: Option<Shop<'p>>,
    form: Option<Form<'p>>,
    notice: Option<&'static str>,
    said: Vec<Said>,
}

impl ProductPage<'_> {
    fn said_of(&self, field: &str) -> Option<&str> {
        self.said.iter().find(|said| said.field == field).map(|said| said.text.as_str())
    }
}

struct Shop<'p> {
    address: &'p str,
    host: String,
}

struct Form<'p> {
    name: &'p str,
    email: &'p str,
    message: &'p str,
    consent: bool,
    consent_text: String,
    opened: &'p str,
    most_name: usize,
    most_email: usize,
    most_message: usize,
}

#[derive(Template)]
#[template(path = "told.html")]
struct ToldPage<'p> {
    style: &'static str,
    lang: &'static str,
    title: &'p str,
    text: &'p str,
    more: Option<(&'p str, &'p str)>,
    back: Option<(&'p str, &'p str, String)>,
}

/// A product, with the form under it.
pub(crate) fn product(page: &Page, view: &View) -> Response {
    let (language, facts, filled) = (view.language, &page.product.facts, &view.filled);
    let (description, description_lang) = match (language, &facts.description_es) {
        (Language::Es, Some(spanish)) => (spanish, None),
        (Language::Es, None) => (&facts.description, Some(Language::En.code())),
        (Language::En, _) => (&facts.description, None),
    };
    let host = |address: &str| Some(Url::parse(address).ok()?.host_str()?.to_owned());
    let shop = facts.url.as_deref().and_then(|a| Some(Shop { address: a, host: host(a)? }));
    let say = |complaint: &Complaint| Said {
        field: complaint.field.name(),
        text: words::complaint(language, *complaint),
    };
    let form = Form {
        name: filled.name.reveal(),
        email: filled.email.reveal(),
        message: filled.message.reveal(),
        consent: filled.consent,
        consent_text: words::consent(language, page.business.as_deref()),
        opened: &filled.opened,
        most_name: MAX_NAME_CHARS,
        most_email: MAX_EMAIL_BYTES,
        most_message: MAX_MESSAGE_CHARS,
    };
    let html = ProductPage {
        style: STYLE,
        lang: language.code(),
        words: words::of(language),
        other: other(language),
        from: &filled.from,
        code: &page.code,
        business: page.business.as_deref(),
        name: &facts.name,
        description,
        description_lang,
        price: facts.price.map(|price| words::price(language, price)),
        shop,
        // What was typed is shown also where nothing can be sent.
        form: (!filled.opened.is_empty() || !form.message.is_empty()).then_some(form),
        notice: view.notice.map(|notice| words::notice(language, notice)),
        said: view.complaints.iter().map(say).collect(),
    };
    let mut response = answer(view.status, language, html.render());
    retry_after(&mut response, view.wait);
    response
}

const fn other(language: Language) -> Language {
    match language {
        Language::En => Language::Es,
        Language::Es => Language::En,
    }
}

fn retry_after(response: &mut Response, wait: Option<Duration>) {
    if let Some(wait) = wait {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
}

/// It arrived.
pub(crate) fn thanks(language: Language, page: &Page, email: &str) -> Response {
    let words = words::of(language);
    let home = format!("/p/{}?lang={language}", page.code);
    let html = ToldPage {
        style: STYLE,
        lang: language.code(),
        title: words.thanks,
        text: words.thanks_text,
        more: Some((words.answer_to, email.trim())),
        back: Some((words.back, &page.product.facts.name, home)),
    };
    answer(StatusCode::OK, language, html.render())
}

/// There is nothing here.
pub(crate) fn nothing(language: Language) -> Response {
    broken(language, StatusCode::NOT_FOUND)
}

/// The address is right and the method is not.
pub(crate) fn not_done(language: Language) -> Response {
    broken(language, StatusCode::METHOD_NOT_ALLOWED)
}

/// A body beyond [`MAX_FORM_BYTES`].
pub(crate) fn too_long(language: Language, program: bool) -> Response {
    if !program {
        return broken(language, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = serde_json::json!({
        "type": "about:blank",
        "title": "Too large",
        "status": 413,
        "detail": format!("A body has at most {MAX_FORM_BYTES} bytes."),
    });
    let kind = [(header::CONTENT_TYPE, PROBLEM_JSON)];
    for_programs((StatusCode::PAYLOAD_TOO_LARGE, kind, Json(body)).into_response())
}

/// A page that says only what went wrong.
pub(crate) fn broken(language: Language, status: StatusCode) -> Response {
    let (title, text) = words::told(language, status.as_u16());
    let html =
        ToldPage { style: STYLE, lang: language.code(), title, text, more: None, back: None };
    let mut response = answer(status, language, html.render());
    let hidden = HeaderValue::from_static("noindex");
    response.headers_mut().insert("x-robots-tag", hidden);
    response
}

#[derive(Serialize)]
struct Described<'p> {
    name: &'p str,
    description: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description_es: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business: Option<&'p str>,
    /// What an inquiry has to bring; absent where none can be taken now.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<&'p str>,
    /// What whoever asks agrees to.
    consent: String,
    /// What is kept, and for how long.
    kept: &'static str,
}

/// A product, for a program.
pub(crate) fn described(page: &Page, opened: Option<&str>) -> Response {
    let facts = &page.product.facts;
    let business = page.business.as_deref();
    let described = Described {
        name: &facts.name,
        description: &facts.description,
        description_es: facts.description_es.as_deref(),
        price: facts.price,
        url: facts.url.as_deref(),
        business,
        opened,
        consent: words::consent(Language::En, business),
        kept: words::of(Language::En).kept,
    };
    for_programs(Json(described).into_response())
}

/// It arrived, for a program. A repetition is answered alike.
pub(crate) fn received() -> Response {
    let body = Json(serde_json::json!({ "received": true }));
    for_programs((StatusCode::CREATED, body).into_response())
}

/// A failure, for a program.
pub(crate) fn problem(failure: Failure) -> Response {
    for_programs(Problem(failure).into_response())
}

/// The same, of one that is still needed.
pub(crate) fn problem_of(failure: &Failure) -> Response {
    let told = Failure::new(failure.kind(), failure.public());
    // What caused it is logged here, since it does not travel on.
    status(failure);
    for_programs(Problem(told).into_response())
}

fn for_programs(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A page that loads nothing, runs nothing, and is kept by nobody: a form on it says when it was opened.
fn answer(status: StatusCode, language: Language, html: askama::Result<String>) -> Response {
    let Ok(html) = html else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown.").into_response();
    };
    let policy = format!(
        "default-src 'none'; style-src {}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_SOURCE,
    );
    let policy = HeaderValue::from_str(&policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    let value = HeaderValue::from_static;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, value("no-store")),
        (header::CONTENT_LANGUAGE, value(language.code())),
        (header::VARY, value("accept, accept-language")),
        (header::REFERRER_POLICY, value("strict-origin-when-cross-origin")),
        (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
    ];
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use nexus_engine::inquiries::Field;

    #[test]
    fn the_form_names_its_parts_as_the_rules_do() {
        let template = include_str!("../templates/product.html");
        for field in [Field::Name, Field::Email, Field::Message, Field::Consent] {
            assert!(template.contains(&format!("name=\"{}\"", field.name())), "{field:?}");
        }
    }
}
