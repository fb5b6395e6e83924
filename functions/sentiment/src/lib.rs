//! Tells how inquiries and comments sound, and keeps that beside them.
//!
//! Runs on batches of its queue, so that a service that takes many texts at once is asked once. What was judged is
//! not judged again, also where the answer was that nobody can tell. A text that could not be judged this time comes
//! again alone.
//!
//! A negative inquiry is told on the bus as `inquiry.negative`, by ids, after its verdict is committed. Should the
//! process die between the two, the message comes again, finds the verdict and tells; so it may be told twice, and,
//! should the bus not answer, not at all: nobody may depend on the bus.
//!
//! **Never here:** which engine judges, a text in a log, what is done about a feeling.

use std::sync::Arc;

use nexus_core::bus::Event;
use nexus_core::table::CommitError;
use nexus_core::{Bus, Key, Scope, Stored, Table, records};
use nexus_engine::EnginePlatform;
use nexus_engine::comments::{Comment, comment_key};
use nexus_engine::hops::ToJudge;
use nexus_engine::inquiries::{self, Inquiry, inquiry_key};
use nexus_engine::judging::{self, Opinion};
use nexus_engine::platform::Access;
use nexus_engine::sentiment::{Label, Sentiment, Utterance, Verdict};
use nexus_handler::{BatchFunction, Env, Enveloped, Failed, Invocation, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure};
use serde_json::json;

/// What an event about a displeased customer is called.
pub const NEGATIVE_INQUIRY: &str = "inquiry.negative";

/// What judging needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    engine: Arc<dyn Sentiment>,
    bus: Arc<dyn Bus>,
}

/// The function.
pub struct Judge(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Judge {
    type Deps = Deps;

    fn wire(platform: &P, _: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps {
            ambient: platform.ambient(),
            table: platform.table(Access::Write),
            engine: platform.sentiment(),
            bus: platform.bus(),
        })
    }
}

/// A text as it stands.
enum Text {
    Inquiry(Box<Stored<Inquiry>>),
    Comment(Box<Stored<Comment>>),
}

impl Text {
    fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Inquiry(text) => text.record.verdict(),
            Self::Comment(text) => text.record.verdict(),
        }
    }

    fn utterance(&self) -> Utterance {
        match self {
            Self::Inquiry(text) => text.record.utterance(),
            Self::Comment(text) => text.record.utterance(),
        }
    }
}

/// A message of the batch: what has become of it, or the text that has to be judged for it.
enum Case {
    Over(Result<(), Failure>),
    Open(Scope, Text),
}

impl BatchFunction for Judge {
    const NAME: &'static str = "sentiment";
    type Deps = Deps;
    type Letter = Enveloped<ToJudge>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letters: &[Enveloped<ToJudge>], _: &Invocation) -> Vec<Failed> {
        let mut cases = Vec::with_capacity(letters.len());
        for letter in letters {
            cases.push(self.open(letter).await.unwrap_or_else(|failure| Case::Over(Err(failure))));
        }
        let asked: Vec<Utterance> = cases
            .iter()
            .filter_map(|case| match case {
                Case::Open(_, text) => Some(text.utterance()),
                Case::Over(_) => None,
            })
            .collect();
        let answers = if asked.is_empty() { Vec::new() } else { self.0.engine.judge(&asked).await };
        let engine = self.0.engine.engine();
        let (mut answers, mut failed) = (answers.into_iter(), Vec::new());
        for (place, case) in cases.into_iter().enumerate() {
            let told = match case {
                Case::Over(told) => told,
                Case::Open(scope, text) => match answers.next() {
                    Some(answer) => match Verdict::of(answer, &engine, self.0.ambient.now()) {
                        Ok(verdict) => self.keep(&scope, text, verdict).await,
                        Err(failure) => Err(failure),
                    },
                    None => Err(Failure::bug("the engine gave fewer answers than texts")),
                },
            };
            failed.extend(told.err().map(|why| Failed { letters: vec![place], why }));
        }
        failed
    }
}

impl Judge {
    /// What a message is about, if there is anything to do.
    async fn open(&self, letter: &Enveloped<ToJudge>) -> Result<Case, Failure> {
        let (scope, table) = (*letter.envelope.scope(), &*self.0.table);
        let text = match letter.message {
            ToJudge::Inquiry(id) => {
                let found = self.load::<Inquiry>(&inquiry_key(&scope, id)).await?;
                let Some(inquiry) = found else { return Ok(Case::Over(Ok(()))) };
                // Who asked that their data is not worked on is not judged, nor will be.
                if inquiry.record.sentiment.is_none()
                    && inquiries::restricted(table, &scope, &inquiry.record.email).await?
                {
                    return Ok(Case::Over(Ok(())));
                }
                Text::Inquiry(Box::new(inquiry))
            }
            ToJudge::Comment(id) => {
                let found = self.load::<Comment>(&comment_key(&scope, id)).await?;
                let Some(comment) = found else { return Ok(Case::Over(Ok(()))) };
                Text::Comment(Box::new(comment))
            }
        };
        if let Some(verdict) = text.verdict() {
            // It was judged, and whoever judged it may have died before telling.
            if let Text::Inquiry(inquiry) = &text {
                self.tell(&scope, &inquiry.record, verdict.label).await;
            }
            return Ok(Case::Over(Ok(())));
        }
        Ok(Case::Open(scope, text))
    }

    async fn load<R: Opinion>(&self, key: &Key) -> Result<Option<Stored<R>>, Failure> {
        Ok(records::load(&*self.0.table, key, self.0.ambient.now()).await?)
    }

    async fn keep(&self, scope: &Scope, text: Text, verdict: Verdict) -> Result<(), Failure> {
        let (table, label) = (&*self.0.table, verdict.label);
        match text {
            Text::Comment(comment) => settled(judging::keep(table, scope, *comment, verdict).await),
            Text::Inquiry(inquiry) => {
                let kept = inquiry.record.clone();
                settled(judging::keep(table, scope, *inquiry, verdict).await)?;
                self.tell(scope, &kept, label).await;
                Ok(())
            }
        }
    }

    /// Tells of a displeased customer, as far as the bus answers.
    async fn tell(&self, scope: &Scope, inquiry: &Inquiry, label: Label) {
        if label != Label::Negative {
            return;
        }
        let Deps { ambient, bus, .. } = &self.0;
        let facts = json!({ "inquiry": inquiry.id, "product": inquiry.product });
        let told = match Event::new(scope, NEGATIVE_INQUIRY, &facts, &*ambient.ids, ambient.now()) {
            Ok(event) => bus.tell(vec![event]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(inquiry.id = %inquiry.id, %error, "nobody was told of a negative inquiry");
        }
    }
}

/// A text that somebody else changed, or judged, comes again and is read anew.
fn settled(kept: Result<(), CommitError>) -> Result<(), Failure> {
    kept.map_err(Failure::from)
}
