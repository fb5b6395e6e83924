//! `nexus approve`

use axum::http::Method;
use clap::Args;
use nexus_core::table::Page;
use nexus_core::{RecordKind, Role};
use nexus_engine::DraftId;
use nexus_kernel::Timestamp;
use nexus_kernel::id::TenantId;
use serde_json::{Value, json};

use super::api_client::ApiClient;
use super::{Complaint, Ended, Where};
use crate::host::Host;

#[derive(Debug, Args)]
pub(super) struct Approve {
    /// The draft, `drf_…`
    #[arg(value_parser = |raw: &str| DraftId::parse(raw).map_err(|e| e.to_string()))]
    draft: DraftId,
    /// When its posts go out, for example 2027-03-01T09:00:00Z [default: now]
    #[arg(long)]
    at_time: Option<Timestamp>,
    #[command(flatten)]
    at: Where,
}

impl Approve {
    pub(super) async fn run(self) -> Ended {
        let host = self.at.host().await?;
        let tenant = owner_of(&host, self.draft)
            .await?
            .ok_or_else(|| Complaint::new(format!("there is no draft {}", self.draft)))?;
        let api = ApiClient::new(&host, tenant, Role::Approver);
        let path = format!("/v1/drafts/{}", self.draft);
        let (_, draft) = api.get(&path).await?;
        let mut approval = json!({ "digest": draft["proposal"]["digest"] });
        if let Some(at) = self.at_time {
            approval["at"] = json!(at);
        }
        let approved = api.send(Method::POST, &format!("{path}/approve"), &approval).await?;
        // Where no host is running, this process carries out what is due itself; where one is, they share it.
        host.run_until_idle_at("publish").await?;
        let mut refused = 0;
        for post in approved["posts"].as_array().into_iter().flatten() {
            let id = post["id"].as_str().unwrap_or_default();
            let (_, post) = api.get(&format!("/v1/posts/{id}")).await?;
            anstream::println!("{}", told(id, &post));
            refused += u32::from(matches!(
                post["state"].as_str(),
                Some("refused" | "cancelled" | "ask_a_person")
            ));
        }
        match refused {
            0 => Ok(()),
            _ => Err(Complaint::new(format!(
                "{refused} of the posts will not appear; the reasons stand above"
            ))),
        }
    }
}

fn told(id: &str, post: &Value) -> String {
    let word = |name: &str| post[name].as_str().unwrap_or("?").to_owned();
    let last = post["history"].as_array().and_then(|h| h.last()).and_then(|m| m["reason"].as_str());
    let reason = match post["state"].as_str() {
        Some("done" | "approved") | None => String::new(),
        Some(_) => format!(": {}", last.unwrap_or_default()),
    };
    format!("{id}  {} {}  {}{reason}", word("network"), word("language"), word("state"))
}

/// The tenant to whom a draft belongs: whoever sits at this machine may look everywhere.
async fn owner_of(host: &Host, draft: DraftId) -> Result<Option<TenantId>, Complaint> {
    let (wanted, mut page) = (draft.to_string(), Page::first(1_000));
    loop {
        let slice = host.table().scan(&page).await?;
        let found =
            slice.items.iter().find(|i| i.kind == RecordKind::Draft && i.key.sk() == wanted);
        if let Some(item) = found {
            let owner = item.key.pk().split('#').next().unwrap_or_default();
            return Ok(TenantId::parse(owner).ok());
        }
        match slice.next {
            Some(next) => page = Page::after(1_000, Some(next)),
            None => return Ok(None),
        }
    }
}
