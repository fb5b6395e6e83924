//! Follows a short link, and records that somebody did.

use axum::Router;
use nexus_engine::EnginePlatform;
use nexus_handler::{Env, HttpFunction, SettingsError, Wire};

/// What it needs.
pub struct Deps;

/// The function.
#[derive(Debug)]
pub struct ClickTrack;

impl<P: EnginePlatform + ?Sized> Wire<P> for ClickTrack {
    type Deps = Deps;

    fn wire(_: &P, _: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps)
    }
}

impl HttpFunction for ClickTrack {
    const NAME: &'static str = "click-track";
    type Deps = Deps;

    fn router(_: Deps) -> Router {
        Router::new()
    }
}
