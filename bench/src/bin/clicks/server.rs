//! The one-machine host with its embedded store, in a process of its own whose processor time is measured: `clicks serve
//! FOLDER ACK`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use nexus_core::Product;
use nexus_core::QueueAddress;
use nexus_core::queues::QueueSettings;
use nexus_embedded::Store;
use nexus_engine::Hop;
use nexus_geo::Database;
use nexus_kernel::{Ambient, Timestamp};
use nexus_local::engines::{Engines, Places};
use nexus_local::host::{Host, Options};
use nexus_testkit::{MemoryPlatform, people};
use tokio::net::TcpListener;

use crate::{Outcome, ground};

/// The database that the server looks up in, in its folder.
pub(crate) const DATABASE: &str = "geo.mmdb";

/// The store of a folder.
pub(crate) fn store(folder: &Path) -> Outcome<Store> {
    Ok(Store::open(folder, Product::Engine, Ambient::system())?)
}

/// A platform on that store, which looks addresses up in the folder's database.
pub(crate) fn platform(store: &Store, folder: &Path) -> Outcome<MemoryPlatform> {
    let declared = Hop::ALL.map(|hop| QueueSettings::plain(QueueAddress(hop.name().into())));
    let (table, queues) = (store.table(), store.queues(declared.into()));
    let mut platform = MemoryPlatform::new().with_table(|_| table).with_queues(|_| queues);
    let bytes = fs::read(folder.join(DATABASE))?;
    platform.locator = Arc::new(Database::open(bytes, Timestamp::UNIX_EPOCH)?);
    Ok(platform)
}

/// A redirect that is nobody's and is recorded nowhere: what the library alone takes that the host answers with.
pub(crate) async fn serve_bare() -> Outcome<()> {
    let there =
        async || (StatusCode::FOUND, [(header::LOCATION, "https://shop.example.com/goods/1")]);
    let router = Router::new().route("/c/{code}", get(there));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, router).await?;
    Ok(())
}

/// Serves until it is killed; tells its port on standard output. It is the host's own entrance, with everything before
/// the function that a visitor's request passes; clicks wait in their queue, since counting them is measured apart.
pub(crate) async fn serve(folder: &Path, ack: &str) -> Outcome<()> {
    let settings = [("ACK", ack), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let fonts = nexus_bench::root().join("infra/layers/ffmpeg/fonts");
    let places = Places { geo: folder.join(DATABASE), fonts, ..Places::default() };
    let options = Options {
        data: folder.to_path_buf(),
        template: fs::read_to_string(nexus_bench::root().join("template.yaml"))?,
        ambient: Ambient::system(),
        engines: Engines::locate(&places).await,
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        base: "http://127.0.0.1:8080".to_owned(),
    };
    let host = Host::open(options).await?;
    let scope = people::scope(people::tenant(1));
    ground::write_links(host.table(), &scope, host.ambient().now()).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, host.api().into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
