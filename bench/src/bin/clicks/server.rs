//! The one-machine router of `click-track` on the embedded store, in a process of its own whose processor time is
//! measured: `clicks serve FOLDER ACK`.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use nexus_click_track::ClickTrack;
use nexus_core::Product;
use nexus_core::QueueAddress;
use nexus_core::queues::QueueSettings;
use nexus_embedded::Store;
use nexus_engine::{EnginePlatform, Hop};
use nexus_geo::Database;
use nexus_handler::{Entry, Env};
use nexus_kernel::{Ambient, ClientIp, Timestamp};
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

/// Serves until it is killed; tells its port on standard output.
pub(crate) async fn serve(folder: &Path, ack: &str) -> Outcome<()> {
    let store = store(folder)?;
    let platform = platform(&store, folder)?;
    let (table, scope) = (store.table(), people::scope(people::tenant(1)));
    ground::write_links(&*table, &scope, platform.now()).await?;
    let wired: &dyn EnginePlatform = &platform;
    let attribute = Hop::Attribute;
    let pairs = [(attribute.setting(), attribute.name()), ("ACK", ack)];
    let Entry::Http(router) = Entry::http::<ClickTrack, _>(wired, &Env::from_pairs(pairs))? else {
        return Err("click-track answers HTTP".into());
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, router.layer(from_fn(client))).await?;
    Ok(())
}

/// The client's address as the host's gateway tells it behind one trusted proxy.
async fn client(mut request: Request, next: Next) -> Response {
    let told = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let address = told.and_then(|told| told.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    if let Some(address) = address {
        request.extensions_mut().insert(ClientIp::new(address));
    }
    next.run(request).await
}
