//! Who asks, and about which connection.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use jiff::SignedDuration;
use nexus_core::idempotency::RequestId;
use nexus_core::{CallContext, Caller, Product, Role};
use nexus_engine::Desk;
use nexus_engine::connections::ConnectionId;
use nexus_handler::Invocation;
use nexus_handler::http::{Problem, caller};
use nexus_kernel::{Failure, Timestamp};

use crate::Deps;

/// How long a request may take where the entrance does not say.
const LONGEST: SignedDuration = SignedDuration::from_secs(25);

/// A person whom the entrance authenticated, at work for one tenant.
pub(crate) struct Asking {
    pub(crate) caller: Caller,
    trace: String,
    until: Timestamp,
}

impl Asking {
    pub(crate) fn desk<'d>(&'d self, deps: &'d Deps) -> Desk<'d> {
        Desk {
            table: &*deps.accounts.table,
            scope: self.caller.scope(),
            by: self.caller.subject(),
            trace: &self.trace,
            ambient: &deps.accounts.ambient,
        }
    }

    pub(crate) fn call(&self) -> CallContext {
        CallContext { scope: *self.caller.scope(), until: self.until }
    }

    /// # Errors
    /// The person may not decide what leaves the house.
    pub(crate) fn decides(&self) -> Result<(), Failure> {
        self.caller.require(Role::Approver)
    }
}

impl FromRequestParts<Arc<Deps>> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self, Problem> {
        let caller = caller(parts, Product::Engine)?;
        let trace = match parts.extensions.get::<Invocation>() {
            Some(at) => at.trace.clone(),
            None => RequestId::draw(&*deps.accounts.ambient.ids).to_string(),
        };
        Ok(Self { caller, trace, until: until(parts, deps) })
    }
}

/// Until when the request may take.
pub(crate) fn until(parts: &Parts, deps: &Deps) -> Timestamp {
    let longest = || deps.accounts.ambient.now().saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
    parts.extensions.get::<Invocation>().map_or_else(longest, Invocation::lease)
}

/// The connection that the address names by its `{id}`.
pub(crate) struct Named(pub(crate) ConnectionId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let id = params.iter().flatten().find(|(name, _)| *name == "id");
        let id = id.and_then(|(_, raw)| ConnectionId::parse(raw).ok());
        Ok(Self(id.ok_or_else(|| Failure::not_found("connection"))?))
    }
}
