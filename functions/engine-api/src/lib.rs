//! The Engine's API for people: a tenant's account, settings, products, media, drafts, footage and posts.
//!
//! A request names its tenant only among those of its token's groups; the token was checked by the entrance. What
//! belongs to another tenant is told exactly like what is missing. Every write bears being sent twice, and is done
//! once under an `Idempotency-Key`. `/openapi.json` describes all of it, made from the code.
//!
//! **Never here:** a rule that is not HTTP's (`nexus_engine` has those), checking a token, a cookie.

mod asking;
mod files;
mod pages;
mod routes;
mod times;
mod words;

use std::sync::Arc;

use axum::Router;
use nexus_core::blobs::MOST_AT_ONCE;
use nexus_core::{Blobs, Product, Scope, Sender, Table};
use nexus_engine::connections::Accounts;
use nexus_engine::footage::FootageMaker;
use nexus_engine::platform::{Access, Area};
use nexus_engine::publishing::{Ground, Publisher};
use nexus_engine::{Draft, EnginePlatform, Hop};
use nexus_handler::http::house_rules;
use nexus_handler::http::idempotency::Once;
use nexus_handler::{Env, HttpFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure};

/// What the API needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    narrate: Sender,
    publish: Sender,
    /// Up to so many bytes of a medium are put at once, above in parts.
    at_once: u64,
    footage: Sender,
    sentiment: Sender,
    makers: Vec<Arc<dyn FootageMaker>>,
    accounts: Accounts,
    publishers: Vec<Arc<dyn Publisher>>,
    /// What short links begin with, where this house answers any.
    link_base: Option<String>,
}

impl Deps {
    /// What a draft's proposal stands on.
    async fn ground(&self, scope: &Scope, draft: &Draft) -> Result<Ground, Failure> {
        let link_base = self.link_base.as_deref();
        Ground::of(&*self.table, scope, draft, link_base, self.ambient.now()).await
    }
}

/// The function.
#[derive(Debug)]
pub struct EngineApi;

impl<P: EnginePlatform + ?Sized> Wire<P> for EngineApi {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let narrate = settings.queue(Hop::Narrate.setting());
        let publish = settings.queue(Hop::Publish.setting());
        let footage = settings.queue(Hop::Footage.setting());
        let sentiment = settings.queue(Hop::Sentiment.setting());
        let at_once = settings.number("PUT_AT_ONCE_BYTES", 1..=MOST_AT_ONCE, MOST_AT_ONCE);
        let (narrate, publish, footage, sentiment, at_once) =
            settings.finish((narrate, publish, footage, sentiment, at_once))?;
        // Uploads are signed, media are shown to their owner, and what is removed is deleted everywhere.
        let areas = Area::ALL.map(|area| (area, Access::Write));
        let (ambient, table) = (platform.ambient(), platform.table(Access::Write));
        Ok(Deps {
            accounts: Accounts {
                table: Arc::clone(&table),
                vault: platform.vault(Access::Write),
                logins: platform.logins(),
                ambient: ambient.clone(),
            },
            publishers: platform.publishers(),
            link_base: env.get("LINK_BASE").filter(|base| !base.is_empty()).map(str::to_owned),
            ambient,
            table,
            blobs: platform.blobs(&areas),
            narrate: platform.sender(Hop::Narrate, narrate),
            publish: platform.sender(Hop::Publish, publish),
            at_once,
            footage: platform.sender(Hop::Footage, footage),
            sentiment: platform.sender(Hop::Sentiment, sentiment),
            makers: platform.footage_makers(),
        })
    }
}

impl HttpFunction for EngineApi {
    const NAME: &'static str = "engine-api";
    type Deps = Deps;

    fn router(deps: Deps) -> Router {
        let once = Once {
            product: Product::Engine,
            table: Arc::clone(&deps.table),
            ambient: deps.ambient.clone(),
        };
        let (routes, _) = routes::all().split_for_parts();
        house_rules(routes.with_state(Arc::new(deps)), once)
    }
}
