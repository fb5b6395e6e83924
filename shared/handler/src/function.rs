//! The shapes of functions, and their erased form for a registry.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nexus_core::{CallContext, Scope};
use nexus_kernel::{Failure, Timestamp};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::env::{Env, SettingsError};
use crate::measures::Measures;

/// One call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The entrance's id for this call.
    pub request_id: String,
    /// The request that it goes back to: one id from the upload to the post.
    pub trace: String,
    /// When the call began, by the injected clock.
    pub now: Timestamp,
    /// When the call will be ended from outside.
    pub deadline: Instant,
    /// What it finds that should be watched.
    pub measures: Arc<Measures>,
}

impl Invocation {
    /// How much time is left before the call is ended from outside.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The moment, by the injected clock, until which this call may hold something.
    pub fn lease(&self) -> Timestamp {
        let left = jiff::SignedDuration::try_from(self.time_left()).unwrap_or_default();
        self.now.saturating_add(left).unwrap_or(Timestamp::MAX)
    }

    /// What a call that may leave the house is given: for whom, and until when.
    pub fn on_behalf_of(&self, scope: &Scope) -> CallContext {
        CallContext { scope: *scope, until: self.lease() }
    }
}

/// Something that takes an event and answers.
pub trait Function: Send + Sync + Sized + 'static {
    /// The concern, which is also the binary's name.
    const NAME: &'static str;
    /// What it needs.
    type Deps;
    /// What it is called with.
    type Event: DeserializeOwned + Send;
    /// What it answers.
    type Reply: Serialize + Send;

    /// The function on its parts.
    fn new(deps: Self::Deps) -> Self;

    /// One call.
    fn handle(
        &self,
        event: Self::Event,
        at: Invocation,
    ) -> impl Future<Output = Result<Self::Reply, Failure>> + Send;
}

/// Something that answers HTTP requests.
pub trait HttpFunction {
    /// The concern, which is also the binary's name.
    const NAME: &'static str;
    /// What it needs.
    type Deps;

    /// Its routes.
    fn router(deps: Self::Deps) -> axum::Router;
}

/// Where a function's parts come from: `P` is a product's platform.
pub trait Wire<P: ?Sized> {
    /// What the function needs.
    type Deps;

    /// Takes the parts from the platform, as the settings say.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    fn wire(platform: &P, env: &Env) -> Result<Self::Deps, SettingsError>;
}

/// The event of a function on a schedule: whatever stands in it is ignored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scheduled;

impl<'de> Deserialize<'de> for Scheduled {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(d).map(|_| Self)
    }
}

/// A function whose event and reply are JSON text.
#[async_trait]
pub trait ErasedFunction: Send + Sync {
    /// One call.
    async fn call(&self, event: &[u8], at: Invocation) -> Result<Box<RawValue>, Failure>;
}

struct Erased<F>(F);

#[async_trait]
impl<F: Function> ErasedFunction for Erased<F> {
    async fn call(&self, event: &[u8], at: Invocation) -> Result<Box<RawValue>, Failure> {
        let event: F::Event = serde_json::from_slice(event).map_err(|e| {
            Failure::invalid(format!("`{}` does not take this event", F::NAME)).caused_by(e)
        })?;
        let reply = self.0.handle(event, at).await?;
        serde_json::value::to_raw_value(&reply).map_err(Failure::bug)
    }
}

/// A function as an entrance holds it.
#[derive(Clone)]
pub enum Entry {
    /// Takes events.
    Event(Arc<dyn ErasedFunction>),
    /// Answers HTTP requests.
    Http(axum::Router),
}

impl Entry {
    /// A function of events on a platform.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn event<F, P>(platform: &P, env: &Env) -> Result<Self, SettingsError>
    where
        F: Function + Wire<P, Deps = <F as Function>::Deps>,
        P: ?Sized,
    {
        Ok(Self::Event(Arc::new(Erased(F::new(F::wire(platform, env)?)))))
    }

    /// A function of HTTP requests on a platform.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn http<F, P>(platform: &P, env: &Env) -> Result<Self, SettingsError>
    where
        F: HttpFunction + Wire<P, Deps = <F as HttpFunction>::Deps>,
        P: ?Sized,
    {
        Ok(Self::Http(F::router(F::wire(platform, env)?)))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event(_) => "Entry::Event",
            Self::Http(_) => "Entry::Http",
        })
    }
}
