//! The page on which somebody without an account looks at a draft and says what they think.
//!
//! `GET /r/{code}` shows the draft's words and films; the form on it leads to a page that shows once more what will be
//! kept, and only that page's button keeps it. A GET decides nothing and keeps nothing: programs that preview links
//! may open it as often as they like. A code that leads nowhere is answered like one that has expired.
//!
//! **Never here:** approving (an approver does, with a token), a cookie, a script, anything from another host than the
//! store's.

mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, FromRequestParts, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::SignedDuration;
use nexus_core::{Blobs, Product, Table};
use nexus_engine::EnginePlatform;
use nexus_engine::platform::{Access, Area};
use nexus_engine::reviewing::{self, Opened, Said, Verdict};
use nexus_handler::{Env, HttpFunction, SettingsError, Wire, outcome};
use nexus_kernel::{Ambient, Failure, FailureKind, Pii, Secret, Timestamp};
use serde::Deserialize;

/// The most bytes of a form: a note of 2,000 characters of four bytes, each written as twelve, and what stands around.
const MOST: usize = 32 * 1024;
/// How long films can be watched after the page was opened.
const WATCHABLE: SignedDuration = SignedDuration::from_hours(1);

/// What the page needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
}

/// The function.
#[derive(Debug)]
pub struct Review;

impl<P: EnginePlatform + ?Sized> Wire<P> for Review {
    type Deps = Deps;

    fn wire(platform: &P, _env: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::Made, Access::Read)]),
        })
    }
}

impl HttpFunction for Review {
    const NAME: &'static str = "review";
    type Deps = Deps;

    fn router(deps: Deps) -> Router {
        Router::new()
            .route("/r/{code}", get(look).post(confirm))
            .route("/r/{code}/note", post(keep))
            .fallback(async || page::nothing(StatusCode::NOT_FOUND))
            .method_not_allowed_fallback(async || page::nothing(StatusCode::METHOD_NOT_ALLOWED))
            .layer(DefaultBodyLimit::max(MOST))
            .with_state(Arc::new(deps))
    }
}

/// The form, as a browser sends it.
#[derive(Deserialize)]
struct NoteForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    text: String,
    verdict: Verdict,
    revision: u32,
}

impl From<NoteForm> for Said {
    fn from(form: NoteForm) -> Self {
        let NoteForm { name, text, verdict, revision } = form;
        // A browser ends lines as HTTP does.
        let text = Pii::new(text.replace("\r\n", "\n"));
        Self { revision, name: Pii::new(name), verdict, text }
    }
}

/// The code in the address. It is read by its name: an entrance that matched the address before may have left what it
/// found there beside ours.
struct Code(String);

impl<S: Send + Sync> FromRequestParts<S> for Code {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let code = params.iter().flatten().find(|(name, _)| *name == "code");
        let nothing = || page::nothing(StatusCode::NOT_FOUND);
        code.map(|(_, code)| Self(code.to_owned())).ok_or_else(nothing)
    }
}

async fn look(State(deps): State<Arc<Deps>>, Code(code): Code) -> Response {
    match opened(&deps, code).await {
        Ok(opened) => show(&deps, &opened, None).await,
        Err(failure) => page::failed(&failure),
    }
}

async fn confirm(
    State(deps): State<Arc<Deps>>,
    Code(code): Code,
    form: Result<Form<NoteForm>, FormRejection>,
) -> Response {
    let opened = match opened(&deps, code.clone()).await {
        Ok(opened) => opened,
        Err(failure) => return page::failed(&failure),
    };
    match read(form) {
        Ok(said) if said.revision != opened.draft.revision => {
            let changed = "It was changed while you looked. Please look again, then write.";
            show(&deps, &opened, Some(changed)).await
        }
        Ok(said) => page::confirm(&code, &said),
        Err(failure) => show(&deps, &opened, Some(&told(&failure))).await,
    }
}

async fn keep(
    State(deps): State<Arc<Deps>>,
    Code(code): Code,
    form: Result<Form<NoteForm>, FormRejection>,
) -> Response {
    let kept = async {
        let opened = opened(&deps, code).await?;
        reviewing::note(&*deps.table, &opened, read(form)?, deps.ambient.now()).await
    };
    match kept.await {
        Ok(()) => page::thanks(),
        Err(failure) => page::failed(&failure),
    }
}

async fn opened(deps: &Deps, code: String) -> Result<Opened, Failure> {
    let (code, now) = (Secret::new(code), deps.ambient.now());
    reviewing::open(&*deps.table, Product::Engine, &code, now).await
}

fn read(form: Result<Form<NoteForm>, FormRejection>) -> Result<Said, Failure> {
    match form {
        Ok(Form(form)) => Said::from(form).checked(),
        Err(FormRejection::BytesRejection(_)) => {
            Err(Failure::field("text", "this is too long: write less"))
        }
        Err(_) => Err(Failure::field("verdict", "choose what you think")),
    }
}

/// The draft, and above it what has to be said.
async fn show(deps: &Deps, opened: &Opened, notice: Option<&str>) -> Response {
    let until = deps.ambient.now().saturating_add(WATCHABLE).unwrap_or(Timestamp::MAX);
    let until = until.min(opened.link.until);
    let mut versions = Vec::new();
    for (language, words) in &opened.draft.words {
        let film = match opened.draft.films.get(language) {
            None => None,
            Some(film) => {
                let video = deps.blobs.sign_download(&film.video.key, until).await;
                let poster = deps.blobs.sign_download(&film.poster.key, until).await;
                match (video, poster) {
                    (Ok(video), Ok(poster)) => Some(page::Film { video, poster }),
                    (Err(error), _) | (_, Err(error)) => return page::failed(&error.into()),
                }
            }
        };
        versions.push(page::Version::of(*language, words, film));
    }
    page::draft(opened, &versions, notice)
}

/// A failure in a sentence for the page.
fn told(failure: &Failure) -> String {
    match failure.fields().first() {
        Some(field) => {
            let mut problem = field.problem.chars();
            let first = problem.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", problem.as_str())
        }
        None => failure.public().to_owned(),
    }
}

/// The status of a page that tells of a failure.
fn status(failure: &Failure) -> StatusCode {
    let outcome = outcome::of(failure.kind());
    if outcome.status >= 500 {
        outcome::log("http", failure);
    }
    match failure.kind() {
        FailureKind::Invalid => StatusCode::BAD_REQUEST,
        _ => StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
