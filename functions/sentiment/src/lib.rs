//! Tells how inquiries and comments sound, and keeps that beside them.
//!
//! Runs on batches of its queue, so that a service that takes many texts at once is asked once. What was judged is
//! not judged again, also where the answer was that nobody can tell. A text that could not be judged this time comes
//! again alone.
//!
//! A verdict was paid for: where others are at the same counters, or the answer was lost, its commit is tried again.
//! Nobody is judged who asked that their data is not worked on: the commit asks that they did not do so meanwhile.
//!
//! A negative inquiry is told on the bus as `inquiry.negative`, by ids, after its verdict is committed. Should the
//! process die between the two, or the bus not answer, the message comes again, finds the verdict and tells; so it may be
//! told twice, and it ends with the dead letters where the bus answers to nobody.
//!
//! **Never here:** which engine judges, a text in a log, what is done about a feeling.

use std::sync::Arc;

use nexus_core::bus::Event;
use nexus_core::effect::EffectId;
use nexus_core::table::CommitError;
use nexus_core::{Bus, Key, Op, Scope, Stored, Table, effect, records};
use nexus_engine::EnginePlatform;
use nexus_engine::comments::{Comment, comment_key};
use nexus_engine::hops::ToJudge;
use nexus_engine::inquiries::{self, Inquiry, inquiry_key};
use nexus_engine::judging::{self, Opinion};
use nexus_engine::platform::Access;
use nexus_engine::publishing::PostPlan;
use nexus_engine::sentiment::{Label, Sentiment, Utterance, Verdict};
use nexus_handler::{BatchFunction, Env, Enveloped, Failed, Invocation, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Language};
use serde_json::json;

/// What an event about a displeased customer is called.
pub const NEGATIVE_INQUIRY: &str = "inquiry.negative";
/// How often a verdict's commit is tried.
const TRIES: u32 = 6;

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
    /// With the check that its writer may be worked for, for the commit of its verdict.
    Inquiry(Box<Stored<Inquiry>>, Box<Op>),
    Comment(Box<Stored<Comment>>),
}

impl Text {
    fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Inquiry(text, _) => text.record.verdict(),
            Self::Comment(text) => text.record.verdict(),
        }
    }

    fn post(&self) -> Option<EffectId> {
        match self {
            Self::Inquiry(text, _) => text.record.post(),
            Self::Comment(text) => text.record.post(),
        }
    }

    fn utterance(&self, hint: Option<Language>) -> Utterance {
        match self {
            Self::Inquiry(text, _) => text.record.utterance(hint),
            Self::Comment(text) => text.record.utterance(hint),
        }
    }
}

/// A message of the batch: what has become of it, or the text that has to be judged for it, and what is asked.
enum Case {
    Over(Result<(), Failure>),
    Open(Text, Utterance),
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
                Case::Open(_, asked) => Some(asked.clone()),
                Case::Over(_) => None,
            })
            .collect();
        let answers = if asked.is_empty() { Vec::new() } else { self.0.engine.judge(&asked).await };
        let engine = self.0.engine.engine();
        let (mut answers, mut failed) = (answers.into_iter(), Vec::new());
        for (place, (letter, case)) in letters.iter().zip(cases).enumerate() {
            let told = match case {
                Case::Over(told) => told,
                Case::Open(text, asked) => match answers.next() {
                    Some(answer) => match Verdict::of(answer, &engine, self.0.ambient.now()) {
                        Ok(verdict) => self.keep(letter, (text, asked), verdict).await,
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
        let (scope, table) = (letter.envelope.scope(), &*self.0.table);
        let text = match letter.message {
            ToJudge::Inquiry(id) => {
                let found = self.load::<Inquiry>(&inquiry_key(scope, id)).await?;
                let Some(inquiry) = found else { return Ok(Case::Over(Ok(()))) };
                // Who asked that their data is not worked on is not judged, and what was judged is not told.
                let Some(still) =
                    inquiries::unrestricted(table, scope, &inquiry.record.email).await?
                else {
                    return Ok(Case::Over(Ok(())));
                };
                Text::Inquiry(Box::new(inquiry), Box::new(still))
            }
            ToJudge::Comment(id) => {
                let found = self.load::<Comment>(&comment_key(scope, id)).await?;
                let Some(comment) = found else { return Ok(Case::Over(Ok(()))) };
                Text::Comment(Box::new(comment))
            }
        };
        if let Some(verdict) = text.verdict() {
            // It was judged, and whoever judged it may have died before telling.
            let told = match &text {
                Text::Inquiry(inquiry, _) => self.tell(scope, &inquiry.record, verdict.label).await,
                Text::Comment(_) => Ok(()),
            };
            return Ok(Case::Over(told));
        }
        // Whoever writes under a post, or comes from one, probably writes in its language.
        let hint = match text.post() {
            Some(post) => effect::load::<PostPlan>(table, scope, post).await?,
            None => None,
        };
        let asked = text.utterance(hint.map(|post| post.record.payload().language));
        Ok(Case::Open(text, asked))
    }

    async fn load<R: Opinion>(&self, key: &Key) -> Result<Option<Stored<R>>, Failure> {
        Ok(records::load(&*self.0.table, key, self.0.ambient.now()).await?)
    }

    /// Keeps a verdict. Where it could not be kept everything is read anew: the text may have been judged, or not be for
    /// us any more.
    async fn keep(
        &self,
        letter: &Enveloped<ToJudge>,
        (mut text, asked): (Text, Utterance),
        verdict: Verdict,
    ) -> Result<(), Failure> {
        let (scope, label) = (letter.envelope.scope(), verdict.label);
        for tried in 1.. {
            match self.commit(scope, &text, verdict.clone()).await {
                Ok(()) => break,
                Err(
                    CommitError::Conditions(_) | CommitError::Contended | CommitError::Unknown(_),
                ) if tried < TRIES => {}
                Err(error) => return Err(error.into()),
            }
            text = match self.open(letter).await? {
                Case::Over(told) => return told,
                Case::Open(text, now) if now == asked => text,
                Case::Open(..) => {
                    return Err(Failure::conflict("The text was changed while it was judged."));
                }
            };
        }
        match text {
            Text::Inquiry(inquiry, _) => self.tell(scope, &inquiry.record, label).await,
            Text::Comment(_) => Ok(()),
        }
    }

    async fn commit(
        &self,
        scope: &Scope,
        text: &Text,
        verdict: Verdict,
    ) -> Result<(), CommitError> {
        let table = &*self.0.table;
        match text {
            Text::Comment(comment) => {
                judging::keep(table, scope, Stored::clone(comment), verdict, None).await
            }
            Text::Inquiry(inquiry, still) => {
                let still = Some(Op::clone(still));
                judging::keep(table, scope, Stored::clone(inquiry), verdict, still).await
            }
        }
    }

    /// Tells of a displeased customer.
    async fn tell(&self, scope: &Scope, inquiry: &Inquiry, label: Label) -> Result<(), Failure> {
        if label != Label::Negative {
            return Ok(());
        }
        let Deps { ambient, bus, .. } = &self.0;
        let facts = json!({ "inquiry": inquiry.id, "product": inquiry.product });
        let event = Event::new(scope, NEGATIVE_INQUIRY, &facts, &*ambient.ids, ambient.now())?;
        Ok(bus.tell(vec![event]).await?)
    }
}
