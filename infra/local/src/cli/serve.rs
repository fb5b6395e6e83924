//! `nexus serve`

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{Complaint, Ended, Films, Where};
use crate::serve::Listeners;
use crate::template::plan::Trigger;
use crate::template::{self, Plan};

/// The setting with the address to which networks send people back.
pub(super) const CALLBACK_SETTING: &str = "CONNECT_CALLBACK";

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
        let callback = callback(&plan(&self.at)?, &listeners)?;
        let host = Arc::new(self.at.serving_host(base.clone(), self.films, callback).await?);
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
pub(super) async fn listeners(at: &Where, port: u16) -> Result<Listeners, Complaint> {
    let apis = plan(at)?.apis.into_iter().map(|api| api.id);
    Listeners::bind(port, apis).await.map_err(|e| {
        Complaint::new(format!(
            "port {port} or one behind it cannot be had ({e}): choose another with --port"
        ))
    })
}

pub(super) fn plan(at: &Where) -> Result<Plan, Complaint> {
    template::read(&at.template()?, &BTreeMap::new())
        .map_err(|problems| Complaint::new(format!("the template cannot be wired: {problems}")))
}

/// Where networks send people back to, if the template has them sent to this machine: the port where its API is found
/// this time. An address elsewhere is the operator's word, and stands.
pub(super) fn callback(plan: &Plan, listeners: &Listeners) -> io::Result<Option<String>> {
    let given = plan.functions.iter().find_map(|f| Some((f, f.env.get(CALLBACK_SETTING)?)));
    let here = given.and_then(|(function, address)| {
        let (_, path) = address.strip_prefix("http://127.0.0.1:")?.split_once('/')?;
        Some((function, format!("/{path}")))
    });
    let Some((function, path)) = here else { return Ok(None) };
    let api = function.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Http { api, path: answered, .. } if *answered == path => Some(api),
        _ => None,
    });
    let listener = listeners.apis.iter().find(|(id, _)| Some(id) == api);
    let Some((_, listener)) = listener else { return Ok(None) };
    Ok(Some(format!("http://{}{path}", listener.local_addr()?)))
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

#[cfg(test)]
mod tests {
    use super::super::TEMPLATE;
    use super::*;

    #[tokio::test]
    async fn networks_send_people_back_to_the_port_that_is_served_unless_they_go_elsewhere() {
        let read = |text: &str| template::read(text, &BTreeMap::new()).unwrap();
        let here = read(TEMPLATE);
        let apis: Vec<String> = here.apis.iter().map(|api| api.id.clone()).collect();
        let listeners = Listeners::bind(0, apis).await.unwrap();
        let port = listeners.apis[0].1.local_addr().unwrap().port();
        let expected = format!("http://127.0.0.1:{port}/v1/connections/callback");
        assert_eq!(callback(&here, &listeners).unwrap(), Some(expected));
        let elsewhere = TEMPLATE.replace("http://127.0.0.1:8081/v1", "https://api.example/v1");
        assert_eq!(callback(&read(&elsewhere), &listeners).unwrap(), None);
    }
}
