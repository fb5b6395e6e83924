//! Writes the words of a draft: a caption per network, a description, hashtags, a video prompt and the script.
//!
//! Runs on messages of its queue, one draft each; a second delivery finds the words and only passes on.
//!
//! **Never here:** how words are found (the [`Copywriter`] knows), what a network allows (`copy::limits`).

use std::sync::Arc;

use nexus_core::{Op, Scope, Sender, Table, records};
use nexus_engine::account::{Account, Settings, account_key, settings_key};
use nexus_engine::catalogue::{CatalogueProduct, product_key};
use nexus_engine::copy::{Brief, Copywriter, Voice, Written, limits};
use nexus_engine::draft::{Draft, Words};
use nexus_engine::hops::Step;
use nexus_engine::line::{self, Turn};
use nexus_engine::media::{Media, media_key};
use nexus_engine::platform::Access;
use nexus_engine::providers::{Choice, CopyProvider};
use nexus_engine::{EnginePlatform, Hop, Stage, cache};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Digest, Failure, FailureKind, Language, Timestamp};

/// What composing needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    copywriters: Choice<CopyProvider, dyn Copywriter>,
    translate: Sender,
}

/// The function.
pub struct Compose(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Compose {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let translate = settings.queue(Hop::Translate.setting());
        let translate = settings.finish(translate)?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            copywriters: platform.copywriters(),
            translate: platform.sender(Hop::Translate, translate),
        })
    }
}

impl QueueFunction for Compose {
    const NAME: &'static str = "compose";
    const CONCURRENCY: usize = 4;
    type Deps = Deps;
    type Letter = Enveloped<Step>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Step>, at: &Invocation) -> Result<(), Failure> {
        let Self(deps) = self;
        let (envelope, id) = (&letter.envelope, letter.message.draft);
        let (scope, table) = (envelope.scope(), &*deps.table);
        let mut draft = match line::take_turn(table, scope, id, Stage::Composing, at.now).await? {
            Turn::Work(draft) => *draft,
            Turn::PassOn => return line::pass_on_again(envelope, id, &deps.translate).await,
            Turn::Over => return Ok(()),
        };
        let settings = records::load::<Settings>(table, &settings_key(scope), at.now).await?;
        let settings = settings.map(|s| s.record).unwrap_or_default();
        let Some(brief) = self.brief(scope, &mut draft.record, &settings, at.now).await? else {
            return Ok(());
        };

        let mut ops = Vec::new();
        let (written, engine) =
            self.write(scope, &mut draft.record, &settings, &brief, at, &mut ops).await?;
        let words = Words { copy: written.copy, engine, rough: false };
        draft.record.words.insert(Language::En, words);
        draft.record.paired = written.paired;
        let next = Some((Hop::Translate, &deps.translate));
        line::hand_over(table, envelope, &deps.ambient, draft, Stage::Translating, next, ops).await
    }
}

impl Compose {
    /// The words by the engine that the tenant chose, and by the house's own where that one is not here or declines.
    async fn write(
        &self,
        scope: &Scope,
        draft: &mut Draft,
        settings: &Settings,
        brief: &Brief,
        at: &Invocation,
        ops: &mut Vec<Op>,
    ) -> Result<(Written, String), Failure> {
        let copywriters = &self.0.copywriters;
        let chosen = copywriters.chosen(settings.providers.copy);
        let house = copywriters.named(CopyProvider::Template);
        if let Some(copywriter) = chosen {
            match self.ask(scope, &**copywriter, settings, brief, at, ops).await {
                Ok(written) => return Ok((written, copywriter.engine())),
                Err(failure) if house.is_some_and(|h| !Arc::ptr_eq(h, copywriter)) => {
                    let why = declined(failure)?;
                    draft.note("copy_declined", format!("{why} {BY_TEMPLATE}"));
                }
                Err(failure) => return Err(failure),
            }
        } else if let Some(name) = settings.providers.copy {
            let missing = format!("`{}` is not set up here. {BY_TEMPLATE}", name.name());
            draft.note("copy_not_set_up", missing);
        }
        let house = house.unwrap_or_else(|| copywriters.usual());
        Ok((self.ask(scope, &**house, settings, brief, at, ops).await?, house.engine()))
    }

    /// One engine's words, asked for once as long as results of paid steps are kept.
    async fn ask(
        &self,
        scope: &Scope,
        copywriter: &dyn Copywriter,
        settings: &Settings,
        brief: &Brief,
        at: &Invocation,
        ops: &mut Vec<Op>,
    ) -> Result<Written, Failure> {
        let table = &*self.0.table;
        let question = cache::question(&copywriter.engine(), brief);
        if let Some(written) = cache::find::<Written>(table, scope, question, at.now).await? {
            return Ok(written);
        }
        let written = copywriter.write(&at.on_behalf_of(scope), brief).await?;
        for copy in std::iter::once(&written.copy).chain(&written.paired) {
            limits::check(copy, &brief.networks)?;
        }
        let expires = at.now.saturating_add(settings.cache_age()).unwrap_or(Timestamp::MAX);
        ops.push(cache::keep(scope, question, &written, expires));
        Ok(written)
    }

    /// What the words are to be about; `None` where the medium is gone, and with it the draft.
    async fn brief(
        &self,
        scope: &Scope,
        draft: &mut Draft,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Option<Brief>, Failure> {
        let table = &*self.0.table;
        let Some(media) =
            records::load::<Media>(table, &media_key(scope, draft.media), now).await?
        else {
            return Ok(None);
        };
        let account =
            records::load::<Account>(table, &account_key(scope), now).await?.map(|a| a.record);
        let product = match draft.product {
            None => None,
            Some(id) => {
                records::load::<CatalogueProduct>(table, &product_key(scope, id), now).await?
            }
        };
        let voice = match account {
            Some(a) => {
                Voice { business_name: a.business_name, niche: a.niche, brand_voice: a.brand_voice }
            }
            None => {
                draft.note(
                    "no_account",
                    "The account is not filled in, so the texts speak of no business by name. \
                     Fill it in (`PUT /v1/account`) and upload again.",
                );
                Voice {
                    business_name: String::new(),
                    niche: String::new(),
                    brand_voice: String::new(),
                }
            }
        };
        // The same photo gets the same words, wherever and however often it is worked on.
        let seed = media.record.content.unwrap_or(Digest::of(draft.id.to_string().as_bytes()));
        let seed = seed.as_bytes().first_chunk::<8>().map_or(0, |b| u64::from_be_bytes(*b));
        Ok(Some(Brief {
            voice,
            product: product.map(|p| p.record.facts),
            labels: draft.labels.as_ref().map(|l| l.labels.clone()).unwrap_or_default(),
            embedded_description: media.record.facts.description,
            networks: settings.networks.clone(),
            brand_terms: settings.brand_terms.clone(),
            seed,
        }))
    }
}

/// What a draft says of words that come from templates instead.
const BY_TEMPLATE: &str = "These words are from templates: read them closely.";

/// Why an engine declines; any other failure is one, and the message comes again.
fn declined(failure: Failure) -> Result<String, Failure> {
    match failure.kind() {
        FailureKind::Invalid | FailureKind::Denied => Ok(failure.public().to_owned()),
        _ => Err(failure),
    }
}
