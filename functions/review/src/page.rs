//! The pages: plain HTML that works without script, for a screen reader and on a telephone.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use nexus_engine::draft::Words;
use nexus_engine::reviewing::{Opened, Said, Verdict};
use nexus_kernel::{Failure, Language};
use url::Url;

/// A film's addresses, for an hour.
pub(crate) struct Film {
    pub(crate) video: String,
    pub(crate) poster: String,
}

/// The draft in one language.
pub(crate) struct Version {
    language: Language,
    captions: Vec<(&'static str, String)>,
    description: String,
    hashtags: String,
    film: Option<Film>,
}

impl Version {
    pub(crate) fn of(language: Language, words: &Words, film: Option<Film>) -> Self {
        let copy = &words.copy;
        let captions = copy.captions.iter().map(|(network, text)| (network.name(), text.clone()));
        let hashtags: Vec<String> = copy.hashtags.iter().map(|tag| format!("#{tag}")).collect();
        Self {
            language,
            captions: captions.collect(),
            description: copy.description.clone(),
            hashtags: hashtags.join(" "),
            film,
        }
    }
}

#[derive(Template)]
#[template(path = "draft.html")]
struct DraftPage<'p> {
    label: &'p str,
    until: String,
    revision: u32,
    versions: &'p [Version],
    notice: Option<&'p str>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage<'p> {
    code: &'p str,
    name: &'p str,
    text: &'p str,
    verdict: &'static str,
    verdict_told: &'static str,
    revision: u32,
}

#[derive(Template)]
#[template(path = "told.html")]
struct ToldPage<'p> {
    title: &'p str,
    text: &'p str,
}

/// The draft, with the form under it.
pub(crate) fn draft(opened: &Opened, versions: &[Version], notice: Option<&str>) -> Response {
    let page = DraftPage {
        label: opened.link.label.reveal(),
        until: opened.link.until.strftime("%-d %B %Y, %H:%M UTC").to_string(),
        revision: opened.draft.revision,
        versions,
        notice,
    };
    let films = versions.iter().filter_map(|version| version.film.as_ref());
    let mut sources: Vec<String> = films
        .flat_map(|film| [&film.video, &film.poster])
        .filter_map(|address| Some(Url::parse(address).ok()?.origin().ascii_serialization()))
        .collect();
    sources.sort_unstable();
    sources.dedup();
    let status = if notice.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    answer(status, page.render(), &sources.join(" "))
}

/// What will be kept, and the button that keeps it.
pub(crate) fn confirm(code: &str, said: &Said) -> Response {
    let (verdict, verdict_told) = match said.verdict {
        Verdict::Fine => ("fine", "It can stay as it is."),
        Verdict::Change => ("change", "Something should be changed."),
        Verdict::Remark => ("remark", "A remark."),
    };
    let (name, text) = (said.name.reveal(), said.text.reveal());
    let page = ConfirmPage { code, name, text, verdict, verdict_told, revision: said.revision };
    answer(StatusCode::OK, page.render(), "")
}

/// It was kept.
pub(crate) fn thanks() -> Response {
    told(StatusCode::OK, "Thank you", "Your note was kept. You can close this page.")
}

/// There is nothing here.
pub(crate) fn nothing(status: StatusCode) -> Response {
    let text = "This link leads nowhere, or not any more. Please ask for a new one.";
    told(status, "Nothing here", text)
}

/// Something did not go well.
pub(crate) fn failed(failure: &Failure) -> Response {
    match crate::status(failure) {
        StatusCode::NOT_FOUND => nothing(StatusCode::NOT_FOUND),
        status => told(status, "This did not work", &crate::told(failure)),
    }
}

fn told(status: StatusCode, title: &str, text: &str) -> Response {
    answer(status, ToldPage { title, text }.render(), "")
}

/// A page that loads only films from these origins, runs nothing, and tells nobody its address: the code stands in it.
fn answer(status: StatusCode, html: askama::Result<String>, sources: &str) -> Response {
    let Ok(html) = html else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown.").into_response();
    };
    let from = if sources.is_empty() { "'none'" } else { sources };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src {from}; media-src {from}; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    let (name, value) = (HeaderName::from_static, HeaderValue::from_static);
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, value("no-store")),
        (name("referrer-policy"), value("no-referrer")),
        (name("x-content-type-options"), value("nosniff")),
        (name("x-robots-tag"), value("noindex, nofollow")),
    ];
    (status, headers, Html(html)).into_response()
}
