//! `nexus serve`

use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{Ended, Films, Where};
use crate::serve::Listeners;
use crate::template;

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    films: Films,
    /// The port of the host's own pages; the APIs of the template follow it
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

impl Serve {
    pub(super) async fn run(self) -> Ended {
        let stop = stop_on_signals();
        let listeners = listeners(&self.at, self.port).await?;
        let base = format!("http://{}", listeners.house.local_addr()?);
        let host = Arc::new(self.at.serving_host(base.clone(), self.films).await?);
        tracing::info!("the host is up: {base}/");
        for link in listeners.links()? {
            tracing::info!("{}: {}", link.name, link.href);
        }
        host.serve(listeners, stop).await?;
        tracing::info!("the host has stopped");
        Ok(())
    }
}

/// The listeners for a template, bound before anything else happens.
pub(super) async fn listeners(at: &Where, port: u16) -> Result<Listeners, super::Complaint> {
    let plan = template::read(&at.template()?, &std::collections::BTreeMap::new()).map_err(
        |problems| super::Complaint::new(format!("the template cannot be wired: {problems}")),
    )?;
    let apis = plan.apis.into_iter().map(|api| api.id);
    Listeners::bind(port, apis).await.map_err(|e| {
        super::Complaint::new(format!(
            "port {port} or one behind it cannot be had ({e}): choose another with --port"
        ))
    })
}

/// Cancelled by Ctrl-C or SIGTERM.
pub(super) fn stop_on_signals() -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let terminate = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => signal.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate => {}
        }
        asked.cancel();
    });
    stop
}
