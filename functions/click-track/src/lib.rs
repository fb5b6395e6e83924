//! Follows a short link, and records that somebody did.
//!
//! `GET /c/{code}` answers 302 to an address that the link's owner registered; HEAD the same without a body. A code that
//! leads nowhere, or not any more, leads to the fallback that its owner set, else it is answered 404. Nothing of a
//! request but its code decides between owners, and nothing of it is ever part of the address.
//!
//! The click is recorded beside that ([`recorder`]): the answer never fails because of it. The address of whoever
//! clicked is asked for its place, is a part of the day's visitor hash, and is gone: a message holds neither.
//!
//! **Never here:** counting, a cookie, an address beyond a request.

mod lookup;
mod readings;
mod recorder;
mod redirect;
mod standing;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use nexus_core::Table;
use nexus_engine::clicks::{Locator, Salts};
use nexus_engine::platform::Access;
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Env, HttpFunction, SettingsError, Wire};
use nexus_kernel::Ambient;

use crate::lookup::Lookup;
use crate::readings::Readings;
use crate::recorder::Recorder;
pub use crate::recorder::{Ack, GROUP, Losses, QUEUED, WINDOW};

/// What following a link needs.
pub struct Deps {
    ambient: Ambient,
    lookup: Lookup,
    locator: Arc<dyn Locator>,
    salts: Salts,
    readings: Readings,
    recorder: Recorder,
}

impl Deps {
    /// How many clicks were answered and could not be recorded, since the process began.
    pub fn losses(&self) -> Losses {
        self.recorder.losses()
    }
}

/// The function.
#[derive(Debug)]
pub struct ClickTrack;

impl<P: EnginePlatform + ?Sized> Wire<P> for ClickTrack {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let attribute = settings.queue(Hop::Attribute.setting());
        let words = [("commit", Ack::Commit), ("window", Ack::Window)];
        let ack = settings.choice("ACK", &words, Ack::Window);
        let (attribute, ack) = settings.finish((attribute, ack))?;
        let ambient = platform.ambient();
        // It only reads links; the vault writes its rows here, whose salt this function may be the first to need.
        let table: Arc<dyn Table> = platform.table(Access::Write);
        Ok(Deps {
            lookup: Lookup::new(table, ambient.clone()),
            locator: platform.locator(),
            salts: Salts::new(platform.vault(Access::Write), ambient.clone()),
            readings: Readings::new(),
            recorder: Recorder::new(
                platform.sender(Hop::Attribute, attribute),
                ack,
                platform.endings(),
            ),
            ambient,
        })
    }
}

impl HttpFunction for ClickTrack {
    const NAME: &'static str = "click-track";
    type Deps = Deps;

    fn router(deps: Deps) -> Router {
        Router::new()
            .route("/c/{code}", get(redirect::follow))
            .fallback(async || redirect::nothing(StatusCode::NOT_FOUND))
            .method_not_allowed_fallback(async || redirect::nothing(StatusCode::METHOD_NOT_ALLOWED))
            .with_state(Arc::new(deps))
    }
}
