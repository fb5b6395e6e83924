//! A person calls one post off.

use nexus_core::effect::{self, Effect, EffectId, State};
use nexus_kernel::Failure;

use crate::desk::{Desk, TRIES};
use crate::publishing::PostPlan;

/// Calls a post off before it is sent; the post as it is then. Calling it off twice is once.
///
/// # Errors
/// There is no such post; it is being sent, was sent, or its life is over.
pub async fn cancel(desk: &Desk<'_>, id: EffectId) -> Result<Effect<PostPlan>, Failure> {
    for _ in 0..TRIES {
        let now = desk.now();
        let post = effect::load::<PostPlan>(desk.table, desk.scope, id).await?;
        let mut post = post.ok_or_else(|| Failure::not_found("post"))?;
        if post.record.state() == State::Cancelled {
            return Ok(post.record);
        }
        post.record.cancel(desk.by, "called off", now)?;
        if desk.commit(effect::written(desk.scope, &post)).await? {
            return Ok(post.record);
        }
    }
    Err(Desk::crowded())
}
