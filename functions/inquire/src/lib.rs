//! The page of a product, and what people ask on it.
//!
//! `GET /p/{code}` shows what the merchant says of a product, with a form; `POST /p/{code}` keeps what somebody asks. It
//! works without script, by keyboard and by ear, in English and Spanish. A program sends and is sent JSON: the same
//! fields, and the `opened` of a `GET` that accepts `application/json`.
//!
//! The address from which a request comes is made into the day's word for it, and gone. What somebody typed is never
//! lost to a mistake or a crowd: the form comes back with it.
//!
//! **Never here:** a cookie, a script, anything from another host than the store's; a network address in a row, a log
//! or an answer; a rule about inquiries (`nexus_engine::inquiries` has those).

mod form;
mod language;
mod page;
mod words;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, body::Bytes};
use futures::FutureExt as _;
use nexus_core::idempotency::RequestId;
use nexus_core::{Product, Sender, Table};
use nexus_engine::inquiries::{Page, Question, Salts, Waited, receive};
use nexus_engine::platform::Access;
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Env, HttpFunction, Invocation, SettingsError, Wire, outcome};
use nexus_kernel::{Ambient, ClientIp, Failure, FailureKind, Language};

use crate::form::{Filled, Sent};
use crate::page::{Notice, View};

/// The most bytes of a form: a message of 2,000 characters of four bytes, each written as twelve, and what stands
/// around it.
pub const MAX_FORM_BYTES: usize = 32 * 1024;

/// What the page needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    sentiment: Sender,
    salts: Salts,
}

/// The function.
#[derive(Debug)]
pub struct Inquire;

impl<P: EnginePlatform + ?Sized> Wire<P> for Inquire {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let sentiment = settings.queue(Hop::Sentiment.setting());
        let sentiment = settings.finish(sentiment)?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            sentiment: platform.sender(Hop::Sentiment, sentiment),
            salts: Salts::new(platform.vault(Access::Write), platform.ambient()),
        })
    }
}

impl HttpFunction for Inquire {
    const NAME: &'static str = "inquire";
    type Deps = Deps;

    fn router(deps: Deps) -> Router {
        Router::new()
            .route("/p/{code}", get(look).post(ask))
            .fallback(async |asking: Asking| page::nothing(asking.language))
            .method_not_allowed_fallback(async |asking: Asking| page::not_done(asking.language))
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(from_fn(panics_told))
            .with_state(Arc::new(deps))
    }
}

/// A panic's own words are not repeated: they could hold what was being worked on.
async fn panics_told(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            outcome::log("inquire", &Failure::bug("the page panicked"));
            page::broken(Language::En, StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// What a request says before its body is read.
struct Asking {
    /// The language of the answer.
    language: Language,
    /// Whether it is a program that asks.
    program: bool,
    /// The code of the link that it came by, unchecked.
    from: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let asked = |name: &str| asked(&parts.uri, name);
        let language = asked("lang").as_deref().and_then(language::named);
        let said = || language::preferred(&text(&parts.headers, header::ACCEPT_LANGUAGE));
        let accepts = text(&parts.headers, header::ACCEPT);
        Ok(Self {
            language: language.unwrap_or_else(said),
            program: accepts.contains("application/json") && !accepts.contains("text/html"),
            from: asked("from").unwrap_or_default(),
        })
    }
}

fn asked(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_lowercase()
}

/// The code in the address. It is read by its name: an entrance that matched the address before may have left what it
/// found there beside ours.
struct Code(String);

impl<S: Send + Sync> FromRequestParts<S> for Code {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let code = params.iter().flatten().find(|(name, _)| *name == "code");
        Ok(Self(code.map(|(_, code)| code.to_owned()).unwrap_or_default()))
    }
}

async fn look(State(deps): State<Arc<Deps>>, Code(code): Code, asking: Asking) -> Response {
    let page = match open(&deps, &code).await {
        Ok(page) => page,
        Err(failure) => return failed(&asking, &failure),
    };
    let opened = fresh_stamp(&deps, &page).await;
    if asking.program {
        return page::described(&page, opened.as_deref());
    }
    let filled =
        Filled { from: asking.from, opened: opened.unwrap_or_default(), ..Filled::default() };
    let notice = filled.opened.is_empty().then_some(Notice::Later);
    page::product(&page, &View { notice, ..View::of(asking.language, filled) })
}

async fn ask(
    State(deps): State<Arc<Deps>>,
    Code(code): Code,
    asking: Asking,
    invocation: Option<Extension<Invocation>>,
    address: Option<Extension<ClientIp>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let page = match open(&deps, &code).await {
        Ok(page) => page,
        Err(failure) => return failed(&asking, &failure),
    };
    let Ok(body) = body else { return page::too_long(asking.language, asking.program) };
    let sent = match form::read(&text(&headers, header::CONTENT_TYPE), &body) {
        Ok(sent) => sent,
        Err(refusal) => return refusal.told(asking.language),
    };
    let trace = match &invocation {
        Some(Extension(at)) => at.trace.clone(),
        None => RequestId::draw(&*deps.ambient.ids).to_string(),
    };
    let (program, mut filled) = match sent {
        Sent::Form(filled) => (false, filled),
        Sent::Json(filled) => (true, filled),
    };
    let language = language::named(&filled.lang).unwrap_or(asking.language);
    if filled.from.is_empty() {
        filled.from = asking.from;
    }
    let address = address.map(|Extension(address)| address);
    match keep(&deps, &page, &filled, address, &trace).await {
        Ok(()) if program => page::received(),
        Ok(()) => page::thanks(language, &page, filled.email.reveal()),
        Err(refused) if program => refused.told(),
        Err(refused) => {
            if refused.notice() == Some(Notice::Stale) || filled.opened.is_empty() {
                filled.opened = fresh_stamp(&deps, &page).await.unwrap_or_default();
            }
            page::product(&page, &refused.shown(language, filled))
        }
    }
}

/// Why an inquiry was not kept.
enum Refused {
    /// Parts of it break rules.
    Wrong(Vec<nexus_engine::inquiries::Complaint>),
    /// It does not look as if a person had sent it, or sent it from a page that was open long ago.
    Doubtful(Notice),
    /// It could not be kept now.
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn keep(
    deps: &Deps,
    page: &Page,
    filled: &Filled,
    address: Option<ClientIp>,
    trace: &str,
) -> Result<(), Refused> {
    let question: Question = filled.asked().checked().map_err(Refused::Wrong)?;
    // A person does not see this field.
    if !filled.website.is_empty() {
        return Err(Refused::Doubtful(Notice::Robot));
    }
    match deps.salts.waited(&page.code, &filled.opened).await? {
        Waited::Enough => {}
        Waited::TooShort => return Err(Refused::Doubtful(Notice::Quick)),
        Waited::TooLong => return Err(Refused::Doubtful(Notice::Stale)),
    }
    let source = deps.salts.source(address).await?;
    let asked = deps.salts.question(page, &question).await?;
    let origin = page.origin(&*deps.table, &filled.from, deps.ambient.now()).await?;
    let (table, by) = (&*deps.table, (&deps.ambient, trace));
    receive(table, &deps.sentiment, by, page, (&source, &asked), (question, origin)).await?;
    Ok(())
}

impl Refused {
    fn notice(&self) -> Option<Notice> {
        match self {
            Self::Wrong(_) => None,
            Self::Doubtful(notice) => Some(*notice),
            Self::Failed(failure) if failure.kind() == FailureKind::Throttled => Some(Notice::Busy),
            Self::Failed(_) => Some(Notice::Later),
        }
    }

    /// The form again, with what was typed and what has to be said.
    fn shown(self, language: Language, filled: Filled) -> View {
        let mut view = View { notice: self.notice(), ..View::of(language, filled) };
        match self {
            Self::Wrong(complaints) => {
                view.complaints = complaints;
                view.status = StatusCode::UNPROCESSABLE_ENTITY;
            }
            Self::Doubtful(_) => view.status = StatusCode::UNPROCESSABLE_ENTITY,
            Self::Failed(failure) => {
                view.status = status(&failure);
                view.wait = failure.wait();
            }
        }
        view
    }

    /// The same for a program.
    fn told(self) -> Response {
        page::problem(match self {
            Self::Wrong(complaints) => words::refusal(&complaints),
            Self::Doubtful(notice) => words::doubt(notice),
            Self::Failed(failure) => failure,
        })
    }
}

async fn open(deps: &Deps, code: &str) -> Result<Page, Failure> {
    Page::open(&*deps.table, Product::Engine, code, deps.ambient.now()).await
}

/// What a form says that is opened now; `None` where the vault does not answer: then the page stands without a form.
async fn fresh_stamp(deps: &Deps, page: &Page) -> Option<String> {
    let stamp = deps.salts.stamp(&page.code).await;
    stamp.inspect_err(|failure| outcome::log("inquire", failure)).ok()
}

/// A failure for whoever has no form before them.
fn failed(asking: &Asking, failure: &Failure) -> Response {
    match failure.kind() {
        FailureKind::NotFound if !asking.program => page::nothing(asking.language),
        _ if asking.program => page::problem_of(failure),
        _ => page::broken(asking.language, status(failure)),
    }
}

/// The status of an answer that tells of a failure; what is ours to repair is logged here.
fn status(failure: &Failure) -> StatusCode {
    let outcome = outcome::of(failure.kind());
    if outcome.status >= 500 {
        outcome::log("inquire", failure);
    }
    StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
