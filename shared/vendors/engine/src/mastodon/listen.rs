//! Comments, behind the Engine's port: what stands below a status, for whoever may see it.
//!
//! A server gives all of it at once (Mastodon up to 4,096 statuses to an account) and has no mark to go on from: what
//! comes twice has the same name. Answers come late, and dated earlier, from other servers, so no mark is made up.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::comments::{Heard, Listener};
use nexus_engine::connections::Access;
use nexus_engine::publishing::Network;
use nexus_kernel::Failure;
use nexus_outbound::Answer;

use super::port::{not_connected, unasked};
use super::{Mastodon, request, response};

#[async_trait]
impl Listener for Mastodon {
    fn network(&self) -> Network {
        Network::Mastodon
    }

    fn reach(&self) -> Option<jiff::SignedDuration> {
        None
    }

    async fn hear(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        post: &str,
        _: Option<&str>,
    ) -> Result<Heard, Failure> {
        let access = access.ok_or_else(|| Failure::conflict(not_connected()))?;
        let (_, way) = self.way(access.server.as_deref()).map_err(unasked)?;
        let now = self.parts.ambient.now();
        let read = |answer: &Answer| response::answers(answer, now);
        let asked = request::context(&access.token, post);
        let mut remarks = way.call(at, asked, Cost::ZERO, read).await.map_err(unasked)?;
        remarks.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(Heard { remarks, mark: None, cost: Cost::ZERO })
    }
}
