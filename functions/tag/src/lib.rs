//! Finds out what a photo shows and which product it belongs to, and writes that into the draft.
//!
//! Runs on messages of its queue, one draft each; a second delivery finds the labels and only passes on.
//!
//! **Never here:** how labels are found (the [`Labeller`] knows), how products are matched
//! ([`tagging::match_products`]).

use std::sync::Arc;

use nexus_core::table::{Page, Query};
use nexus_core::{Blobs, Scope, Sender, Table, records};
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::catalogue::CatalogueProduct;
use nexus_engine::hops::Step;
use nexus_engine::line::{self, Turn};
use nexus_engine::media::{Media, media_key};
use nexus_engine::platform::{Access, Area};
use nexus_engine::tagging::{self, Labeller, Labels};
use nexus_engine::{EnginePlatform, Hop, Stage, cache};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Timestamp};

/// What tagging needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    labeller: Arc<dyn Labeller>,
    compose: Sender,
}

/// The function.
pub struct Tag(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Tag {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let compose = settings.queue(Hop::Compose.setting());
        let compose = settings.finish(compose)?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            blobs: platform.blobs(&[(Area::Media, Access::Read)]),
            labeller: platform.labeller(),
            compose: platform.sender(Hop::Compose, compose),
        })
    }
}

impl QueueFunction for Tag {
    const NAME: &'static str = "tag";
    const CONCURRENCY: usize = 2;
    type Deps = Deps;
    type Letter = Enveloped<Step>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Step>, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let (envelope, id) = (&letter.envelope, letter.message.draft);
        let (scope, table) = (envelope.scope(), &*deps.table);
        let mut draft = match line::take_turn(table, scope, id, Stage::Tagging, at.now).await? {
            Turn::Work(draft) => *draft,
            Turn::PassOn => return line::pass_on_again(envelope, id, &deps.compose).await,
            Turn::Over => return Ok(()),
        };
        let media =
            records::load::<Media>(table, &media_key(scope, draft.record.media), at.now).await?;
        let Some(media) = media.map(|m| m.record) else { return Ok(()) };
        let settings = records::load::<Settings>(table, &settings_key(scope), at.now).await?;
        let settings = settings.map(|s| s.record).unwrap_or_default();

        let Some(preview) = &media.preview else {
            return Err(Failure::bug(format!("{} is ready and has no preview", media.id)));
        };
        let question = cache::question(&deps.labeller.engine(), &(preview.digest, &media.facts));
        let mut ops = Vec::new();
        let labels = match cache::find::<Labels>(table, scope, question, at.now).await? {
            Some(labels) => labels,
            None => {
                let Some(picture) = deps.blobs.get(&preview.key).await? else {
                    return Err(Failure::unavailable("The picture is not there to be looked at."));
                };
                let labels = deps.labeller.label(picture, &media.facts).await?;
                let expires = at.now.saturating_add(settings.cache_age()).unwrap_or(Timestamp::MAX);
                ops.push(cache::keep(scope, question, &labels, expires));
                labels
            }
        };

        let products = self.products(scope, &media.vertical, at.now).await?;
        let description = media.facts.description.as_deref();
        let matches = tagging::match_products(&labels.labels, description, &products);
        draft.record.product = media.product.or_else(|| matches.first().map(|m| m.product));
        draft.record.matches = matches;
        draft.record.labels = Some(labels);
        let next = Some((Hop::Compose, &deps.compose));
        line::hand_over(table, envelope, &deps.ambient, draft, Stage::Composing, next, ops).await
    }
}

impl Tag {
    /// The tenant's products of one line of business.
    async fn products(
        &self,
        scope: &Scope,
        vertical: &str,
        now: Timestamp,
    ) -> Result<Vec<CatalogueProduct>, Failure> {
        let query = Query::base(scope.partition("product"));
        let (mut products, mut page) = (Vec::new(), Page::first(500));
        loop {
            let found =
                records::list::<CatalogueProduct>(&*self.0.table, &query, &page, now).await?;
            let of_it = found
                .records
                .into_iter()
                .map(|p| p.record)
                .filter(|p| p.facts.vertical == vertical);
            products.extend(of_it);
            match found.next {
                Some(next) => page = Page::after(500, Some(next)),
                None => return Ok(products),
            }
        }
    }
}
