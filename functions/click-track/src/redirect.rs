//! The answer to a click.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nexus_engine::clicks::visitor::Salt;
use nexus_engine::clicks::{ClickId, Place, Spellings};
use nexus_engine::days::day_of;
use nexus_engine::links::{Country, LinkCode, Spoken, Visit};
use nexus_handler::{Invocation, Measure, Measures, outcome};
use nexus_kernel::{ClientIp, Failure, Timestamp};

use crate::Deps;
use crate::recorder::Recorded;
use crate::standing::Standing;

/// How long an answer waits for the day's salt, once a day: then this process takes one of its own.
const SALT_WAIT: Duration = Duration::from_millis(1_500);

/// Who asks, as far as the answer and the record of it go.
pub(crate) struct Asked {
    code: Option<LinkCode>,
    address: Option<ClientIp>,
    head: bool,
    headers: HeaderMap,
    measures: Option<Arc<Measures>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        // By its name: an entrance that matched the address before may have left what it found there beside ours.
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let code = params.iter().flatten().find(|(name, _)| *name == "code");
        Ok(Self {
            code: code.and_then(|(_, raw)| LinkCode::parse(raw)),
            // The entrance alone tells it; no header does.
            address: parts.extensions.get::<ClientIp>().copied(),
            head: parts.method == Method::HEAD,
            headers: std::mem::take(&mut parts.headers),
            measures: parts.extensions.get::<Invocation>().map(|at| Arc::clone(&at.measures)),
        })
    }
}

impl Asked {
    /// A header's text; what is no text is told as empty, since it is no value that a browser sends.
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn no_accept(&self) -> bool {
        self.header(header::ACCEPT).trim().is_empty()
    }
}

/// Follows a link.
pub(crate) async fn follow(State(deps): State<Arc<Deps>>, asked: Asked) -> Response {
    let Some(code) = &asked.code else { return nothing(StatusCode::NOT_FOUND) };
    let standing = match deps.lookup.find(code).await {
        Ok(Some(standing)) => standing,
        Ok(None) => return nothing(StatusCode::NOT_FOUND),
        Err(failure) => return failed(&failure),
    };
    let (now, found) = (deps.ambient.now(), &standing.found);
    if !found.link.is_open(now) {
        return fallback(&standing);
    }
    let own = asked.address.map(Spellings::of).unwrap_or_default();
    let program = deps.readings.program(asked.header(header::USER_AGENT), &own);
    let place = place(&deps, &asked);
    let visitor = salt(&deps, now).await.visitor(
        &found.scope,
        asked.address,
        asked.header(header::USER_AGENT),
    );
    let country = match &place {
        Place::Spot(spot) => spot.country.as_deref().and_then(Country::parse),
        Place::Unlocated => None,
    };
    // Most links have no rules.
    let said = Some(asked.header(header::ACCEPT_LANGUAGE)).filter(|_| !found.link.rules.is_empty());
    let language = said.and_then(Spoken::preferred);
    let visit = Visit { country, program: &program, language: language.as_ref(), visitor };
    let chosen = found.link.address_for(&visit);
    let Some(location) = chosen.and_then(|address| standing.location(address)) else {
        return fallback(&standing);
    };
    let click = Recorded {
        id: ClickId::draw(&*deps.ambient.ids),
        at: now,
        standing: Arc::clone(&standing),
        place,
        program,
        page: deps.readings.page(asked.header(header::REFERER), &own),
        visitor,
        head: asked.head,
        no_accept: asked.no_accept(),
    };
    deps.recorder.record(click).await;
    if let Some(measures) = asked.measures {
        // Of earlier clicks too: what was lost behind an answer is told with the next.
        match deps.losses().untold() {
            0 => {}
            lost => measures.note(Measure::LostClicks, lost),
        }
    }
    to(location)
}

/// Where the address is. Whatever goes wrong with the database, the click is kept.
fn place(deps: &Deps, asked: &Asked) -> Place {
    let Some(address) = asked.address else { return Place::Unlocated };
    let located = catch_unwind(AssertUnwindSafe(|| deps.locator.locate(address)));
    located.unwrap_or_else(|_| {
        // What it panicked with may hold the address.
        tracing::error!("the database of places panicked; the click is kept without its place");
        Place::Unlocated
    })
}

/// The day's salt, or one of this process's own where the vault does not answer in time.
async fn salt(deps: &Deps, now: Timestamp) -> Salt {
    if let Some(kept) = deps.salts.kept(day_of(now)) {
        return kept;
    }
    match tokio::time::timeout(SALT_WAIT, deps.salts.of(now)).await {
        Ok(Ok(salt)) => return salt,
        Ok(Err(failure)) => outcome::log("click-track", &failure),
        Err(_) => tracing::warn!("the vault took too long to tell the day's salt"),
    }
    tracing::warn!("visitors of the rest of the day are counted by this process alone");
    deps.salts.of_this_process(now)
}

fn to(location: &HeaderValue) -> Response {
    answer(StatusCode::FOUND, Some(location.clone()), "")
}

/// Where a link leads that leads nowhere any more.
fn fallback(standing: &Standing) -> Response {
    standing.fallback().map_or_else(|| nothing(StatusCode::NOT_FOUND), to)
}

/// There is nothing here; told alike for a code that never was and one that has ended.
pub(crate) fn nothing(status: StatusCode) -> Response {
    answer(status, None, "This link leads nowhere, or not any more.\n")
}

fn failed(failure: &Failure) -> Response {
    let outcome = outcome::of(failure.kind());
    outcome::log("click-track", failure);
    let status = StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response =
        answer(status, None, "This link cannot be followed now. Please try again.\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

/// An answer that nobody keeps, and that tells the target nothing of the page before it.
fn answer(status: StatusCode, location: Option<HeaderValue>, text: &'static str) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
    ];
    let mut response = (status, headers, text).into_response();
    if let Some(location) = location {
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
