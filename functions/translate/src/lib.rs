//! Puts Spanish beside English. Links, @names, #tags, brand terms and numbers come through byte for byte, or
//! the draft says so and keeps the text that the copywriter wrote as a pair.
//!
//! Runs on messages of its queue, one draft each; a second delivery finds the Spanish and only passes on.
//!
//! **Never here:** how to translate (the [`Translator`] knows), what is protected (`translation::protected`).

use std::sync::Arc;

use nexus_core::{Scope, Sender, Table, records};
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::catalogue::{CatalogueProduct, product_key};
use nexus_engine::copy::{Copy, limits};
use nexus_engine::draft::{Draft, Words};
use nexus_engine::hops::Step;
use nexus_engine::line::{self, Turn};
use nexus_engine::platform::Access;
use nexus_engine::translation::{Translator, protected};
use nexus_engine::{EnginePlatform, Hop, Stage, cache};
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Language, Timestamp};

/// What translating needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    translator: Option<Arc<dyn Translator>>,
    narrate: Sender,
}

/// The function.
pub struct Translate(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Translate {
    type Deps = Deps;

    fn wire(platform: &P, env: &Env) -> Result<Deps, SettingsError> {
        let mut settings = env.reader();
        let narrate = settings.queue(Hop::Narrate.setting());
        let narrate = settings.finish(narrate)?;
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            translator: platform.translator(),
            narrate: platform.sender(Hop::Narrate, narrate),
        })
    }
}

impl QueueFunction for Translate {
    const NAME: &'static str = "translate";
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
        let mut draft = match line::take_turn(table, scope, id, Stage::Translating, at.now).await? {
            Turn::Work(draft) => *draft,
            Turn::PassOn => return line::pass_on_again(envelope, id, &deps.narrate).await,
            Turn::Over => return Ok(()),
        };
        let settings = records::load::<Settings>(table, &settings_key(scope), at.now).await?;
        let settings = settings.map(|s| s.record).unwrap_or_default();
        let mut ops = Vec::new();
        if settings.languages.contains(&Language::Es) {
            let expires = at.now.saturating_add(settings.cache_age()).unwrap_or(Timestamp::MAX);
            let terms = self.protected_terms(scope, &draft.record, &settings, at.now).await?;
            if let Some((words, keep)) =
                self.spanish(scope, &mut draft.record, &settings, &terms, at.now).await?
            {
                draft.record.words.insert(Language::Es, words);
                ops.extend(
                    keep.map(|(question, texts)| cache::keep(scope, question, &texts, expires)),
                );
            }
        }
        draft.record.paired = None;
        let next = Some((Hop::Narrate, &deps.narrate));
        line::hand_over(table, envelope, &deps.ambient, draft, Stage::Narrating, next, ops).await
    }
}

/// Texts that were paid for, and the question they answer.
type Paid = (nexus_kernel::Digest, Vec<String>);

impl Translate {
    /// The tenant's brand terms and the product's name.
    async fn protected_terms(
        &self,
        scope: &Scope,
        draft: &Draft,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Vec<String>, Failure> {
        let mut terms = settings.brand_terms.clone();
        if let Some(id) = draft.product {
            let product =
                records::load::<CatalogueProduct>(&*self.0.table, &product_key(scope, id), now)
                    .await?;
            terms.extend(product.map(|p| p.record.facts.name));
        }
        Ok(terms)
    }

    /// The Spanish words: a translator's where there is a good one, else the copywriter's pair, else a rough
    /// translator's, else none and a note.
    async fn spanish(
        &self,
        scope: &Scope,
        draft: &mut Draft,
        settings: &Settings,
        terms: &[String],
        now: Timestamp,
    ) -> Result<Option<(Words, Option<Paid>)>, Failure> {
        let Some(english) = draft.words.get(&Language::En).cloned() else {
            return Err(Failure::bug(format!("{} has no English words to translate", draft.id)));
        };
        let paired = draft.paired.clone().map(|copy| {
            let engine = format!("{}, paired", english.engine);
            (Words { copy, engine, rough: false }, None)
        });
        let translator = self.0.translator.as_deref().filter(|t| paired.is_none() || !t.is_rough());
        let Some(translator) = translator else {
            if paired.is_none() {
                draft.note(
                    "no_spanish",
                    "No translator is installed, so there is no Spanish text and no Spanish video.",
                );
            }
            return Ok(paired);
        };
        let texts = english.copy.texts();
        let question = cache::question(&translator.engine(), &(&texts, terms));
        let kept = cache::find::<Vec<String>>(&*self.0.table, scope, question, now).await?;
        let (spanish, paid) = match kept {
            Some(spanish) => (spanish, None),
            None => {
                let spanish = translator.translate(&texts, terms).await?;
                (spanish.clone(), Some((question, spanish)))
            }
        };
        match accepted(&english.copy, &texts, spanish, settings, terms) {
            Ok(copy) => {
                let words =
                    Words { copy, engine: translator.engine(), rough: translator.is_rough() };
                Ok(Some((words, paid)))
            }
            Err(why) => {
                let instead = if paired.is_some() {
                    "the copywriter's own Spanish stands instead"
                } else {
                    "there is no Spanish text"
                };
                draft.note(
                    "translation_refused",
                    format!("The translation was not taken, {instead}: {why}"),
                );
                Ok(paired)
            }
        }
    }
}

/// A translation as copy, if everything protected came through and the networks' limits hold.
fn accepted(
    english: &Copy,
    texts: &[&str],
    spanish: Vec<String>,
    settings: &Settings,
    terms: &[String],
) -> Result<Copy, String> {
    for (source, translated) in texts.iter().zip(&spanish) {
        protected::kept(source, translated, terms)
            .map_err(|lost| format!("these changed on the way: {}", lost.join(", ")))?;
    }
    let copy = english.with_texts(spanish).ok_or("another number of texts came back")?;
    limits::check(&copy, &settings.networks).map_err(|f| f.to_string())?;
    Ok(copy)
}
