//! A server on loopback that stands in for MaxMind and for where its files are stored.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use nexus_core::{Product, Vault};
use nexus_embedded::Store;
use nexus_geo::{Database, FILE_NAME, Installed, MOST_AGE, Status};
use nexus_kernel::Ambient;
use nexus_kernel::ambient::ManualClock;
use nexus_outbound::guard::Guard;
use nexus_outbound::https::{Https, TlsFloor};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use tokio::net::TcpListener;

use super::*;

const ACCOUNT: &str = "123456:planted_licence_key";

fn account() -> Account {
    Account::parse(ACCOUNT).unwrap()
}

fn database() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/geo/tests/data");
    fs::read(root.join("GeoLite2-City-Test.mmdb")).unwrap()
}

/// A day after the test database was built.
fn young() -> Timestamp {
    let built = Database::open(database(), Timestamp::UNIX_EPOCH).unwrap().built();
    built.checked_add(SignedDuration::from_hours(24)).unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// An archive as MaxMind ships it, with this under the database's name.
fn archive_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut about = tar::Header::new_gnu();
        about.set_size(bytes.len() as u64);
        about.set_mode(0o644);
        tar.append_data(&mut about, format!("GeoLite2-City_20261117/{name}"), *bytes).unwrap();
    }
    gzipped(&tar.into_inner().unwrap())
}

fn archive() -> Vec<u8> {
    archive_of(&[("COPYRIGHT.txt", b"c"), (FILE_NAME, &database()), ("LICENSE.txt", b"l")])
}

fn checksum(bytes: &[u8]) -> String {
    format!("{}  GeoLite2-City_20261117.tar.gz\n", hex::encode(Sha256::digest(bytes)))
}

/// Who asked what of whom: the place, the path, and whether an authorization came along.
type Asked = Arc<Mutex<Vec<(&'static str, String, Option<String>)>>>;

#[derive(Clone)]
struct StandIn {
    /// What MaxMind's own host answers.
    front: StatusCode,
    checksum: String,
    archive: Vec<u8>,
    /// The address of where files are stored.
    store: Option<SocketAddr>,
    asked: Asked,
}

impl StandIn {
    fn new(archive: Vec<u8>) -> Self {
        let checksum = checksum(&archive);
        Self { front: StatusCode::FOUND, checksum, archive, store: None, asked: Asked::default() }
    }

    fn note(&self, place: &'static str, path: String, headers: &HeaderMap) {
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push((place, path, authorization));
    }

    /// Serves on two ports, which are two origins; tells the address of MaxMind's.
    async fn serve(mut self) -> String {
        let store = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.store = Some(store.local_addr().unwrap());
        let routes = Router::new().route("/stored/{file}", get(stored)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(store, routes).await });
        let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", front.local_addr().unwrap());
        let path = "/geoip/databases/GeoLite2-City/download";
        let routes = Router::new().route(path, get(download)).with_state(self);
        tokio::spawn(async move { axum::serve(front, routes).await });
        base
    }
}

#[derive(serde::Deserialize)]
struct Wanted {
    suffix: String,
}

async fn download(
    State(server): State<StandIn>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    server.note("front", wanted.suffix.clone(), &headers);
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(ACCOUNT));
    let known = headers.get(header::AUTHORIZATION).is_some_and(|value| *value == expected);
    let to = |file| format!("http://{}/stored/{file}?signature=s", server.store.unwrap());
    match (known, server.front, wanted.suffix.as_str()) {
        (false, ..) => StatusCode::UNAUTHORIZED.into_response(),
        (_, StatusCode::FOUND, "tar.gz") => redirect(to("archive")),
        (_, StatusCode::FOUND, "tar.gz.sha256") => redirect(to("checksum")),
        (_, StatusCode::FOUND, _) => StatusCode::NOT_FOUND.into_response(),
        (_, other, _) => (other, [(header::RETRY_AFTER, "3600")]).into_response(),
    }
}

fn redirect(to: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

async fn stored(
    State(server): State<StandIn>,
    axum::extract::Path(file): axum::extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    server.note("store", file.clone(), &headers);
    match file.as_str() {
        "checksum" => server.checksum.into_response(),
        _ => ([(HeaderName::from_static("content-type"), "application/gzip")], server.archive)
            .into_response(),
    }
}

fn way_out() -> Https {
    Https::new(Guard::allowing(["127.0.0.0/8"]).unwrap(), TlsFloor::Tls12, "").unwrap()
}

async fn latest(server: StandIn) -> Result<Vec<u8>, DownloadError> {
    let base = server.serve().await;
    Source { transport: &way_out(), base: &base }.latest(&account(), young()).await
}

#[tokio::test]
async fn the_latest_comes_by_a_redirect_that_never_carries_the_key() {
    let server = StandIn::new(archive());
    let asked = Arc::clone(&server.asked);
    assert!(latest(server).await.unwrap() == database());
    let asked = asked.lock().unwrap();
    let places: Vec<_> = asked.iter().map(|(place, what, _)| (*place, what.as_str())).collect();
    let wanted = [
        ("front", "tar.gz.sha256"),
        ("store", "checksum"),
        ("front", "tar.gz"),
        ("store", "archive"),
    ];
    assert_eq!(places, wanted);
    for (place, _, authorization) in asked.iter() {
        assert_eq!(authorization.is_some(), *place == "front", "at the {place}");
    }
}

#[tokio::test]
async fn what_does_not_have_its_checksum_is_not_believed() {
    let mut altered = StandIn::new(archive());
    altered.archive = archive_of(&[(FILE_NAME, b"another")]);
    assert!(matches!(latest(altered).await, Err(DownloadError::Checksum)));
    let mut short = StandIn::new(archive());
    short.archive.truncate(short.archive.len() / 2);
    assert!(matches!(latest(short).await, Err(DownloadError::Checksum)));
    for none in ["", "<html>", "abc  f.tar.gz", &"é".repeat(64)] {
        let mut server = StandIn::new(archive());
        server.checksum = none.to_owned();
        assert!(matches!(latest(server).await, Err(DownloadError::NoChecksum)), "{none}");
    }
}

#[tokio::test]
async fn an_archive_with_its_checksum_and_without_a_whole_database_is_told() {
    let whole = archive();
    let half = whole.split_at(whole.len() / 2).0.to_vec();
    for (archive, told) in [
        (half, "cut short"),
        (b"no archive".to_vec(), "broken"),
        (gzipped(b"no tar"), "broken"),
        (archive_of(&[("README.txt", b"r")]), "holds no `GeoLite2-City.mmdb`"),
    ] {
        let refused = latest(StandIn::new(archive)).await.unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}

#[tokio::test]
async fn what_maxmind_refuses_is_told_with_what_to_do() {
    for (status, told) in [
        (StatusCode::UNAUTHORIZED, "licence key"),
        (StatusCode::FORBIDDEN, "accept its licence"),
        (StatusCode::TOO_MANY_REQUESTS, "try again in 3600 s"),
        (StatusCode::BAD_GATEWAY, "status 502"),
    ] {
        let refused = latest(StandIn { front: status, ..StandIn::new(archive()) }).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(told) && !refused.contains("planted"), "{refused}");
    }
    // Another account's key.
    let base = StandIn::new(archive()).serve().await;
    let other = Account::parse("7:planted_other_key").unwrap();
    let refused = Source { transport: &way_out(), base: &base }.latest(&other, young()).await;
    assert!(matches!(refused, Err(DownloadError::Unknown)));
}

#[tokio::test]
async fn a_way_that_the_guard_does_not_permit_is_not_gone() {
    // Public addresses alone: neither loopback nor a host that is not MaxMind's.
    let guarded = Https::new(Guard::public(), TlsFloor::Tls12, "").unwrap();
    let base = StandIn::new(archive()).serve().await;
    let refused = Source { transport: &guarded, base: &base }.latest(&account(), young()).await;
    assert!(matches!(refused, Err(DownloadError::Way(_))));
    let refused = Source { transport: &guarded, base: "nowhere" }.latest(&account(), young()).await;
    assert!(matches!(refused, Err(DownloadError::Base)));
}

#[test]
fn an_account_is_a_number_and_a_key_and_is_never_printed() {
    for wrong in
        ["", "123456", "abc:planted_key", "1:short", "1:planted key with spaces", "1:ključ_ključ"]
    {
        assert_eq!(Account::parse(wrong).unwrap_err(), NoAccount, "{wrong}");
    }
    let account = Account::parse(&format!(" {ACCOUNT}\n")).unwrap();
    assert_eq!(account.reveal(), ACCOUNT);
    assert!(!format!("{account:?}").contains("planted"));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_database_takes_the_place_of_the_old_one_and_no_copy_stays() {
    let data = tempfile::tempdir().unwrap();
    let folder = folder(data.path());
    install(&folder, &database(), young()).unwrap();
    // What was there before, under whatever name, and what a killed installation left.
    for copy in [".new-killed", "GeoLite2-City.mmdb.bak", "GeoLite2-City-old.mmdb"] {
        fs::write(folder.join(copy), database()).unwrap();
    }
    fs::write(folder.join("README"), "an operator's own").unwrap();
    let held = fs::File::open(file(&folder)).unwrap();
    install(&folder, &database(), young()).unwrap();
    assert_eq!(names(&folder), [FILE_NAME, "README"]);
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let old = held.metadata().unwrap();
    assert_eq!(old.nlink(), 0, "the old file has no name any more");
    let about = fs::metadata(file(&folder)).unwrap();
    assert_eq!((about.permissions().mode() & 0o777, about.size()), (0o600, 21_088));
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let folder = folder(data.path());
    install(&folder, &database(), young()).unwrap();
    let mut broken = database();
    // In the middle of the data, where only a walk through all of it comes by.
    for byte in broken.iter_mut().skip(9_000).take(2_000) {
        *byte = 0xff;
    }
    let half = database().split_at(10_000).0.to_vec();
    for wrong in [b"no database".to_vec(), half, broken] {
        assert!(matches!(install(&folder, &wrong, young()), Err(InstallError::Database(_))));
        assert!(fs::read(file(&folder)).unwrap() == database());
        assert_eq!(names(&folder), [FILE_NAME]);
    }
    let old = young().checked_add(MOST_AGE).unwrap();
    assert!(matches!(install(&folder, &database(), old), Err(InstallError::Database(_))));
    assert_eq!(names(&folder), [FILE_NAME]);
}

#[test]
fn a_file_is_a_database_or_an_archive_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    assert!(read(&write("bare.mmdb", &database())).unwrap() == database());
    assert!(read(&write("as-shipped.tar.gz", &archive())).unwrap() == database());
    let missing = read(&folder.path().join("missing")).unwrap_err().to_string();
    assert!(missing.contains("missing"), "{missing}");
}

struct Stage {
    data: tempfile::TempDir,
    clock: ManualClock,
    keeper: Keeper,
    asked: Asked,
}

impl Stage {
    /// A house with an empty vault at this moment, and a stand-in that gives out the test database.
    async fn at(now: Timestamp) -> Self {
        let (data, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(now));
        let ambient = Ambient::seeded(Arc::new(clock.clone()), 1);
        let store = Store::open(data.path(), Product::Engine, ambient.clone()).unwrap();
        let vault: Arc<dyn Vault> =
            crate::keys::over(data.path(), store.table(), &ambient).unwrap();
        let server = StandIn::new(archive());
        let asked = Arc::clone(&server.asked);
        let keeper = Keeper {
            folder: folder(data.path()),
            vault,
            transport: Arc::new(way_out()),
            base: server.serve().await,
            ambient,
            tried: Mutex::default(),
        };
        Self { data, clock, keeper, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn later(&self, by: SignedDuration) {
        let now = self.keeper.ambient.now();
        self.clock.move_to(now.checked_add(by).unwrap());
    }
}

#[tokio::test]
async fn a_host_fetches_the_database_once_it_has_an_account_and_again_when_it_grew_old() {
    let stage = Stage::at(young()).await;
    let keeper = &stage.keeper;
    assert_eq!(keeper.keep().await.unwrap(), Kept::Nothing);
    assert_eq!(stage.asked(), 0, "without an account nobody is asked");
    keep(&*keeper.vault, &account()).await.unwrap();
    assert!(matches!(keeper.keep().await.unwrap(), Kept::Renewed(_)));
    let locator = Installed::at(&file(&keeper.folder), Arc::clone(&keeper.ambient.clock));
    assert!(matches!(locator.status(), Status::Used(_)));
    assert_eq!(keeper.keep().await.unwrap(), Kept::Nothing);
    assert_eq!(stage.asked(), 4, "it is new");
    stage.later(SignedDuration::from_hours(5 * 24));
    assert!(matches!(keeper.keep().await.unwrap(), Kept::Renewed(_)));
    // The stand-in has nothing newer: it is not asked every hour.
    stage.later(SignedDuration::from_hours(1));
    assert_eq!(keeper.keep().await.unwrap(), Kept::Nothing);
    assert_eq!(stage.asked(), 8);
    assert!(stage.data.path().join("geo").join(FILE_NAME).is_file());
}

#[tokio::test]
async fn what_is_older_than_thirty_days_is_destroyed_also_where_no_new_one_comes() {
    let stage = Stage::at(young()).await;
    install(&stage.keeper.folder, &database(), young()).unwrap();
    stage.later(MOST_AGE);
    assert_eq!(stage.keeper.keep().await.unwrap(), Kept::Destroyed);
    assert!(names(&stage.keeper.folder).is_empty());
    assert_eq!(stage.keeper.keep().await.unwrap(), Kept::Nothing);
}

#[tokio::test]
async fn a_download_that_failed_is_not_tried_every_hour() {
    let stage = Stage::at(young()).await;
    let keeper = Keeper { base: "http://127.0.0.1:1".to_owned(), ..stage.keeper };
    keep(&*keeper.vault, &account()).await.unwrap();
    assert!(keeper.keep().await.is_err());
    assert_eq!(keeper.keep().await.unwrap(), Kept::Nothing, "it was tried just now");
    let later = young().checked_add(SignedDuration::from_hours(12)).unwrap();
    stage.clock.move_to(later);
    assert!(keeper.keep().await.is_err());
    assert!(forget(&*keeper.vault).await.unwrap());
    assert!(super::account(&*keeper.vault).await.unwrap().is_none());
}
