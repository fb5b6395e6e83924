//! The page of a product, and what people ask on it.

use axum::Router;
use nexus_engine::EnginePlatform;
use nexus_handler::{Env, HttpFunction, SettingsError, Wire};

/// What it needs.
pub struct Deps;

/// The function.
#[derive(Debug)]
pub struct Inquire;

impl<P: EnginePlatform + ?Sized> Wire<P> for Inquire {
    type Deps = Deps;

    fn wire(_: &P, _: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps)
    }
}

impl HttpFunction for Inquire {
    const NAME: &'static str = "inquire";
    type Deps = Deps;

    fn router(_: Deps) -> Router {
        Router::new()
    }
}
