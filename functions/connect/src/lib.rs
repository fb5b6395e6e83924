//! Connects a tenant's accounts at networks by OAuth 2.0, lists them, and disconnects them.
//!
//! A person begins here, grants at the network, and comes back to `/v1/connections/callback`: the one address that asks
//! for no token, since a browser that a network sends has none. What it brings is exchanged at once (X's codes live 30
//! seconds), and a page without anything to load says what came of it. No field and no answer holds a password or a
//! token (N5).
//!
//! **Never here:** a rule that is not HTTP's (`nexus_engine::connections` has those), checking a token, a cookie.

mod asking;
mod page;
mod routes;

use std::sync::Arc;

use axum::Router;
use nexus_core::Product;
use nexus_engine::EnginePlatform;
use nexus_engine::connections::Accounts;
use nexus_engine::platform::Access;
use nexus_handler::http::house_rules;
use nexus_handler::http::idempotency::Once;
use nexus_handler::{Env, HttpFunction, SettingsError, Wire};

/// What connecting needs.
pub struct Deps {
    accounts: Accounts,
    /// Where networks send people back to, to the letter as it stands in the applications there.
    callback: String,
}

/// The function.
#[derive(Debug)]
pub struct Connect;

impl<P: EnginePlatform + ?Sized> Wire<P> for Connect {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let callback = settings.text("CONNECT_CALLBACK");
        let callback = settings.finish(callback)?;
        if !is_callback(&callback) {
            let problem = format!("CONNECT_CALLBACK must be an address that ends in {CALLBACK}");
            return Err(SettingsError(vec![problem]));
        }
        Ok(Deps {
            accounts: Accounts {
                table: platform.table(Access::Write),
                vault: platform.vault(Access::Write),
                logins: platform.logins(),
                ambient: platform.ambient(),
            },
            callback,
        })
    }
}

/// The path of the callback.
const CALLBACK: &str = "/v1/connections/callback";

/// Networks take a redirect address without question and fragment, and send people to it to the letter.
fn is_callback(address: &str) -> bool {
    let host = ["https://", "http://"].iter().find_map(|scheme| address.strip_prefix(scheme));
    let host = host.and_then(|rest| rest.strip_suffix(CALLBACK));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}

impl HttpFunction for Connect {
    const NAME: &'static str = "connect";
    type Deps = Deps;

    fn router(deps: Deps) -> Router {
        let once = Once {
            product: Product::Engine,
            table: Arc::clone(&deps.accounts.table),
            ambient: deps.accounts.ambient.clone(),
        };
        let (routes, _) = routes::all().split_for_parts();
        house_rules(routes.with_state(Arc::new(deps)), once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_a_whole_address_without_a_question() {
        for fits in [
            "http://127.0.0.1:8081/v1/connections/callback",
            "https://api.example/v1/connections/callback",
        ] {
            assert!(is_callback(fits), "{fits}");
        }
        for wrong in [
            "/v1/connections/callback",
            "https:///v1/connections/callback",
            "https://a.example/v1/connections/callback?x=1",
            "https://a.example/v1/connections/callback/",
            "https://u@a.example/v1/connections/callback",
            "ftp://a.example/v1/connections/callback",
            "https://a.example/other",
        ] {
            assert!(!is_callback(wrong), "{wrong}");
        }
    }
}
