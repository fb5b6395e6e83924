//! Who asks, and about what.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_core::idempotency::RequestId;
use nexus_core::{CallContext, Caller, Product, Scope};
use nexus_engine::catalogue::ProductId;
use nexus_engine::inquiries::{InquiryId, RestrictionId};
use nexus_engine::links::LinkCode;
use nexus_engine::{Desk, DraftId, MediaId};
use nexus_handler::Invocation;
use nexus_handler::http::{Problem, caller, idempotency::OnceIds};
use nexus_kernel::{Ambient, Failure, Ids, Timestamp};

use crate::Deps;

/// How long networks may be asked where the entrance says nothing: API Gateway ends a request after 30 seconds.
const LONGEST: SignedDuration = SignedDuration::from_secs(20);

/// A person whom the entrance authenticated, at work for one tenant.
pub(crate) struct Asking {
    pub(crate) caller: Caller,
    trace: String,
    /// When the request will be ended from outside.
    until: Option<Timestamp>,
    /// Where the id of what is made comes from: the same one again, should the request run twice.
    ids: Arc<dyn Ids>,
}

impl Asking {
    pub(crate) fn scope(&self) -> &Scope {
        self.caller.scope()
    }

    pub(crate) fn ids(&self) -> &dyn Ids {
        &*self.ids
    }

    /// Time, and ids that are the same ones again, should the request run twice.
    pub(crate) fn ambient(&self, deps: &Deps) -> Ambient {
        Ambient { ids: Arc::clone(&self.ids), ..deps.ambient.clone() }
    }

    /// What a call that may leave the house is given.
    pub(crate) fn on_behalf(&self, deps: &Deps) -> CallContext {
        let until = self.until.unwrap_or_else(|| {
            deps.ambient.now().saturating_add(LONGEST).unwrap_or(Timestamp::MAX)
        });
        CallContext { scope: *self.scope(), until }
    }

    pub(crate) fn desk<'d>(&'d self, deps: &'d Deps) -> Desk<'d> {
        Desk {
            table: &*deps.table,
            scope: self.scope(),
            by: self.caller.subject(),
            trace: &self.trace,
            ambient: &deps.ambient,
        }
    }
}

impl FromRequestParts<Arc<Deps>> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self, Problem> {
        let caller = caller(parts, Product::Engine)?;
        let ids = &deps.ambient.ids;
        let invocation = parts.extensions.get::<Invocation>();
        let trace = match invocation {
            Some(at) => at.trace.clone(),
            None => RequestId::draw(&**ids).to_string(),
        };
        let until = invocation.map(Invocation::lease);
        let once = parts.extensions.get::<OnceIds>().map(|once| Arc::clone(&once.0));
        Ok(Self { caller, trace, until, ids: once.unwrap_or_else(|| Arc::clone(ids)) })
    }
}

/// Something that has an id.
pub(crate) trait Thing: Sized {
    /// What a person calls it.
    const NAME: &'static str;

    fn read(raw: &str) -> Option<Self>;
}

macro_rules! things {
    ($($id:ty = $name:literal,)*) => {
        $(impl Thing for $id {
            const NAME: &'static str = $name;

            fn read(raw: &str) -> Option<Self> {
                Self::parse(raw).ok()
            }
        })*
    };
}

things! {
    DraftId = "draft",
    EffectId = "post",
    InquiryId = "inquiry",
    MediaId = "medium",
    ProductId = "product",
    RestrictionId = "restriction",
}

impl Thing for LinkCode {
    const NAME: &'static str = "link";

    fn read(raw: &str) -> Option<Self> {
        Self::parse(raw)
    }
}

/// There is no such thing: the answer for what is missing, for what is another tenant's, and for what is no id.
pub(crate) fn missing<T: Thing>() -> Failure {
    Failure::not_found(T::NAME)
}

/// The thing that the address names by its `{id}`.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: Thing> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let id = params.iter().flatten().find(|(name, _)| *name == "id");
        let id = id.and_then(|(_, raw)| T::read(raw));
        Ok(Self(id.ok_or_else(missing::<T>)?))
    }
}
