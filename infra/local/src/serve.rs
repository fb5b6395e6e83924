//! The host on the system's clock: pollers, schedules and listeners, until it is told to stop.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use jiff::SignedDuration;
use nexus_kernel::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::geolite::Kept;
use crate::home::Link;
use crate::host::{Due, Host};
use crate::poller::Poller;

/// How long a poller waits for a message of another process before it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the geographic database is looked after.
const LOOK_AFTER_PLACES: SignedDuration = SignedDuration::from_hours(1);
/// How long work in progress may take after the host was told to stop; messages that are not done come again.
const GRACE: Duration = Duration::from_secs(20);

/// The listeners of a host, bound before it starts so that a taken port is told at once.
pub struct Listeners {
    /// The host's own pages, on 127.0.0.1.
    pub house: TcpListener,
    /// The same on ::1, where the machine has it: `cargo lambda invoke` asks there.
    pub house_v6: Option<TcpListener>,
    /// The APIs of the template by logical id.
    pub apis: Vec<(String, TcpListener)>,
}

impl Listeners {
    /// The host's own pages at `port`, the APIs behind it, all on loopback. Port 0 takes free ones.
    ///
    /// # Errors
    /// A port is taken.
    pub async fn bind(port: u16, apis: impl IntoIterator<Item = String>) -> io::Result<Self> {
        let bind =
            async |port: u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await;
        let house = bind(port).await?;
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, house.local_addr()?.port()));
        let house_v6 = TcpListener::bind(v6).await.ok();
        let mut bound = Vec::new();
        for (offset, api) in (1u16..).zip(apis) {
            let next = if port == 0 { 0 } else { port.saturating_add(offset) };
            bound.push((api, bind(next).await?));
        }
        Ok(Self { house, house_v6, apis: bound })
    }

    /// Where a person finds what.
    pub fn links(&self) -> io::Result<Vec<Link>> {
        let house = self.house.local_addr()?;
        let link = |href: String, name: &str, about: &str| Link {
            href,
            name: name.into(),
            about: about.into(),
        };
        let mut links = vec![link(
            format!("http://{house}/feed"),
            "The local feed",
            "What was published, as a person would see it.",
        )];
        for (api, listener) in &self.apis {
            let at = listener.local_addr()?;
            links.push(link(
                format!("http://{at}/openapi.json"),
                api,
                "The API, described in OpenAPI 3.1.",
            ));
        }
        links.push(link(
            format!("http://{house}/health"),
            "Health",
            "`ok` while the store answers.",
        ));
        links.push(link(
            format!("http://{house}/metrics"),
            "Metrics",
            "Calls and queues, for Prometheus.",
        ));
        links.push(link(
            format!("http://{house}/.well-known/jwks.json"),
            "Keys",
            "The public key of the local token issuer.",
        ));
        Ok(links)
    }
}

impl Host {
    /// Runs until `stop` is cancelled, then lets work in progress end.
    ///
    /// # Errors
    /// A listener failed.
    pub async fn serve(
        self: Arc<Self>,
        listeners: Listeners,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let links = listeners.links()?;
        let mut tasks = JoinSet::new();
        for poller in &self.pollers {
            for _ in 0..poller.concurrency {
                tasks.spawn(poll(Arc::clone(&self), Arc::clone(poller), stop.clone()));
            }
        }
        for due in &self.schedules {
            tasks.spawn(keep_schedule(Arc::clone(&self), Arc::clone(due), stop.clone()));
        }
        tasks.spawn(keep_places(Arc::clone(&self), stop.clone()));
        let mut servers = JoinSet::new();
        let mut server = |listener: TcpListener, router: axum::Router| {
            let stop = stop.clone();
            servers.spawn(async move {
                // Streams have to know when to end. With whose connection it is: the gateway tells functions the
                // client's address.
                let router = router
                    .layer(Extension(stop.clone()))
                    .into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
            });
        };
        for (id, listener) in listeners.apis {
            if let Some((_, router)) = self.apis().find(|(api, _)| *api == id) {
                server(listener, router.clone());
            }
        }
        let house = self.house(links);
        if let Some(v6) = listeners.house_v6 {
            server(v6, house.clone());
        }
        server(listeners.house, house);
        stop.cancelled().await;
        let worked = async { while tasks.join_next().await.is_some() {} };
        let answered = async {
            while servers.join_next().await.is_some() {}
            // Nobody is answered any more: what answers left to be done is done, whatever else takes long.
            self.endings.run().await;
        };
        if tokio::time::timeout(GRACE, futures::future::join(worked, answered)).await.is_err() {
            tracing::warn!(
                "work in progress took too long to end; messages are taken up again at the next start"
            );
        }
        Ok(())
    }
}

async fn poll(host: Arc<Host>, poller: Arc<Poller>, stop: CancellationToken) {
    let mut arrivals = host.store.arrivals();
    while !stop.is_cancelled() {
        // Seen before looking, so that a message sent in between wakes.
        arrivals.mark_unchanged();
        match poller.once_patiently(&*host.queues, &mut arrivals).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(queue = %poller.queue, %error, "a queue does not answer"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tokio::time::timeout(LOOK_EVERY, arrivals.changed()) => {}
        }
    }
}

async fn keep_schedule(host: Arc<Host>, due: Arc<Due>, stop: CancellationToken) {
    // What would have been done while the host was down is done at once: a sweep or a relay more harms nobody.
    due.run(host.ambient.now()).await;
    while let Some(next) = due.next() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = until(&host, next) => {}
        }
        due.run(next.max(host.ambient.now())).await;
    }
}

/// Renews the geographic database, looking after it every hour.
async fn keep_places(host: Arc<Host>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            kept = host.geo.keep() => match kept {
                Ok(Kept::Renewed(day)) => tracing::info!(built = %day, "a new geographic database is there"),
                Ok(Kept::Nothing | Kept::Destroyed) => {}
                Err(error) => tracing::warn!(%error, "the geographic database was not renewed"),
            },
        }
        // Asking makes it look at its file: what was replaced or destroyed leaves the memory also where nobody clicks.
        drop(host.engines.locator.attribution());
        let next = host.ambient.now().saturating_add(LOOK_AFTER_PLACES).unwrap_or(Timestamp::MAX);
        tokio::select! {
            () = stop.cancelled() => return,
            () = until(&host, next) => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "on the system's clock, waiting is sleeping")]
async fn until(host: &Host, moment: Timestamp) {
    // In short steps: a machine that slept, or whose clock was set, is not late by more than a step.
    loop {
        let left = moment.duration_since(host.ambient.now());
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => {
                tokio::time::sleep(left.min(Duration::from_secs(10))).await
            }
            _ => return,
        }
    }
}
