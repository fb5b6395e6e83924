//! Secrets that can be told from everything else go through all that connecting and publishing is, while the networks
//! fail, and then everything is looked through that the house keeps, sends, logs or says.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use nexus_core::table::Page;
use nexus_testkit::networks::tiktok::Fault as AtTikTok;
use nexus_testkit::networks::x::Fault as AtX;
use tracing_subscriber::fmt::format::FmtSpan;

use super::*;

/// Everything that is logged on a thread that listens, at TRACE.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn dispatch(&self) -> tracing::Dispatch {
        // With one subscriber alone, `tracing` asks whichever thread reaches a span first whether anybody listens,
        // and remembers its answer for all threads. With two it asks both.
        static SECOND: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));
        LazyLock::force(&SECOND);
        let logged = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::NEW)
            .with_writer(move || logged.clone());
        tracing::Dispatch::new(subscriber.finish())
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// Finds secrets, whichever way they are written.
struct Sieve {
    forms: Vec<String>,
    all: AhoCorasick,
}

impl Sieve {
    fn of(secrets: &[String]) -> Self {
        let mut forms: Vec<String> = secrets.iter().flat_map(|secret| ways(secret)).collect();
        forms.sort();
        forms.dedup();
        let all = AhoCorasick::new(&forms).unwrap();
        Self { forms, all }
    }

    /// What was found, and what stands around it.
    fn found(&self, bytes: &[u8]) -> Vec<String> {
        let around = |at: &aho_corasick::Match| {
            let (from, to) = (at.start().saturating_sub(300), bytes.len().min(at.end() + 200));
            let form = &self.forms[at.pattern().as_usize()];
            format!("`{form}` in {}", String::from_utf8_lossy(&bytes[from..to]))
        };
        self.all.find_iter(bytes).map(|at| around(&at)).take(3).collect()
    }

    fn assert_clean(&self, what: &str, bytes: &[u8]) {
        let found = self.found(bytes);
        assert!(found.is_empty(), "{what}: {found:#?}");
    }
}

/// A secret in plain, hexadecimal, percent-encoding and base64, wherever in a longer text it begins.
fn ways(secret: &str) -> Vec<String> {
    let hex = hex::encode(secret);
    let percent = |all: bool, upper: bool| {
        secret.bytes().fold(String::new(), |done, byte| match byte {
            _ if !all && (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) => {
                done + &char::from(byte).to_string()
            }
            _ if upper => done + &format!("%{byte:02X}"),
            _ => done + &format!("%{byte:02x}"),
        })
    };
    let mut ways = vec![secret.to_owned(), hex.to_uppercase(), hex];
    for (all, upper) in [(false, false), (false, true), (true, false), (true, true)] {
        ways.push(percent(all, upper));
    }
    for (before, lost) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let mut text = alphabet.encode(&bytes).split_off(lost);
            if bytes.len() % 3 != 0 {
                // Its last character depends on what follows.
                text.pop();
            }
            ways.push(text);
        }
    }
    ways
}

/// Every file below a directory, whatever it is.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
        }
    }
}

#[test]
fn a_sieve_finds_a_secret_in_every_way_of_writing_it() {
    let secret = "canary*!7".to_owned();
    let sieve = Sieve::of(std::slice::from_ref(&secret));
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{secret} and more");
        for written in [
            text.clone(),
            hex::encode(&text),
            hex::encode_upper(&text),
            STANDARD_NO_PAD.encode(&text),
            URL_SAFE_NO_PAD.encode(&text),
            format!("{before}canary%2A%217"),
        ] {
            assert!(!sieve.found(written.as_bytes()).is_empty(), "{written}");
        }
    }
    sieve.assert_clean("another", b"canary*!8 Y2FuYXJ5");
}

#[test]
fn n5_n40_n44_secrets_stand_in_the_vault_and_nowhere_else() {
    let logged = Logged::default();
    let dispatch = logged.dispatch();
    let _listening = tracing::dispatcher::set_default(&dispatch);
    let of_threads = dispatch.clone();
    // The store works on threads of its own, which listen for as long as they are there.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&of_threads)))
        .build()
        .unwrap();
    runtime.block_on(through_everything(&logged));
}

async fn through_everything(logged: &Logged) {
    let world = World::open().await;

    // Connecting, while the networks fail in every way.
    let mut failed = 0;
    let at_tiktok = [
        AtTikTok::Status(500),
        AtTikTok::Echo(400),
        AtTikTok::Echo(401),
        AtTikTok::Echo(500),
        AtTikTok::Echo(200),
        AtTikTok::After,
        AtTikTok::Lost,
        AtTikTok::Before,
    ];
    for fault in at_tiktok {
        let body = json!({ "network": "tiktok", "label": "The shop at tiktok" });
        let address = world.begin(BOSS, "/v1/connections", Some(body)).await;
        world.tiktok.fail_in(1, fault);
        failed += u32::from(world.grant(&address).await.status != StatusCode::OK);
        world.stage.advance(mins(1)).await;
    }
    let at_x = [
        AtX::Status(500),
        AtX::Echo(400),
        AtX::Echo(401),
        AtX::Echo(500),
        AtX::Echo(200),
        AtX::After,
        AtX::CutOff,
        AtX::Lost,
        AtX::Before,
    ];
    for call in [Call::Token, Call::Me] {
        for fault in at_x {
            let body = json!({ "network": "x", "label": "The shop at x" });
            let address = world.begin(BOSS, "/v1/connections", Some(body)).await;
            world.x.fail_next(call, fault);
            failed += u32::from(world.grant(&address).await.status != StatusCode::OK);
            world.stage.advance(mins(1)).await;
        }
    }
    assert!(failed >= 15, "{failed}");
    // Somebody comes back with what was used, and with what was never given out.
    for question in ["code=canary-code-0&state=canary-state-0", "error=canary-error&state=canary-s"]
    {
        let path = format!("/v1/connections/callback?{question}");
        let request = Request::get(path).body(Body::empty()).unwrap();
        let said = answer(world.stage.host.api(), request).await;
        assert_eq!(said.status, StatusCode::BAD_REQUEST);
        world.note(&said);
    }
    let (tiktok, x) = (world.connect(BOSS, "tiktok").await, world.connect(BOSS, "x").await);
    world.set(BOSS, &["feed", "tiktok", "x"]).await;
    let draft = world.draft(WHO).await;
    // A link for somebody without an account; asked for again, it is another one, since nobody kept the first.
    let invite = async || {
        let (path, body) =
            (format!("{}/reviews", place(&draft)), json!({ "label": "Ada", "days": 7 }));
        let said = world.under_key("invite", WHO, &path, Some(body)).await;
        assert_eq!(said.status, StatusCode::CREATED, "{}", said.text);
        said.body["path"].as_str().unwrap().strip_prefix("/r/").unwrap().to_owned()
    };
    let links = [invite().await, invite().await];
    assert_ne!(links[0], links[1]);
    let path = format!("{}/preflight", place(&draft));
    for fault in [AtTikTok::Echo(400), AtTikTok::Echo(403), AtTikTok::Echo(500), AtTikTok::After] {
        world.tiktok.fail_in(1, fault);
        world.api(BOSS, Method::GET, &path, None).await;
    }

    // Publishing, while they fail.
    let calls = [Call::Initialize, Call::Append, Call::Finalize, Call::Describe, Call::Create];
    for (n, call) in calls.into_iter().enumerate() {
        for (m, fault) in
            [AtX::Echo(400), AtX::Echo(403), AtX::CutOff, AtX::Lost].into_iter().enumerate()
        {
            let words = format!("Cup {n}, table {m}.");
            let copy = world.copy(BOSS, &draft, &words).await;
            // A fault that is left from the round before may meet what is asked of TikTok first.
            let mut said = world.approve(BOSS, &copy, None, public(&tiktok)).await;
            for _ in 0..10 {
                if said.status != StatusCode::OK {
                    said = world.approve(BOSS, &copy, None, public(&tiktok)).await;
                }
            }
            assert_eq!(said.status, StatusCode::OK, "{words} {}", said.text);
            world.x.fail_next(call, fault);
            let of_tiktok = match fault {
                AtX::Echo(status) => AtTikTok::Echo(status),
                AtX::CutOff => AtTikTok::After,
                _ => AtTikTok::Lost,
            };
            world.tiktok.fail_in(n + 1, of_tiktok);
            world.stage.advance(mins(3)).await;
            world.tiktok.a_day_passes();
        }
    }
    assert!(!world.tiktok.posts().is_empty() && !world.x.posts().is_empty());

    // Refreshing, while they fail.
    let held = world.held(BOSS, "x", &x).await;
    assert!(held.is_some_and(|held| held.contains("canary-refresh")));
    for fault in [AtX::Echo(500), AtX::Echo(429), AtX::CutOff] {
        world.x.fail_next(Call::Token, fault);
        world.stage.advance(mins(90)).await;
    }
    world.tiktok.access_tokens_expire();
    world.tiktok.fail_in(2, AtTikTok::Echo(500));
    let copy = world.copy(BOSS, &draft, "After all of it.").await;
    world.approve(BOSS, &copy, None, public(&tiktok)).await;
    world.stage.advance(mins(20)).await;

    // Everything is connected again, so that the vault holds what is looked for.
    for account in [&tiktok, &x] {
        let path = format!("/v1/connections/{}/reconnect", account.id);
        let page = world.grant(&world.begin(BOSS, &path, None).await).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    }
    let held = [
        world.held(BOSS, "tiktok", &tiktok).await.unwrap(),
        world.held(BOSS, "x", &x).await.unwrap(),
    ];
    let mut secrets = [world.tiktok.secrets(), world.x.secrets()].concat();
    secrets.extend([tiktok::CLIENT_SECRET, x::CLIENT_SECRET].map(str::to_owned));
    secrets.extend(links);
    assert!(secrets.len() > 60, "{}", secrets.len());
    // Whatever they all contain, and what TikTok calls the account, too.
    secrets.push("canary".to_owned());
    let sieve = Sieve::of(&secrets);
    for (what, network) in held.iter().zip(["tiktok", "x"]) {
        assert!(!sieve.found(what.as_bytes()).is_empty(), "{network}: nothing is looked for");
    }
    look_everywhere(&world, &sieve, logged).await;

    // And when they end: from outside, and from here while the network fails.
    world.tiktok.owner_removes_the_application();
    let copy = world.copy(BOSS, &draft, "The last cup.").await;
    world.approve(BOSS, &copy, None, public(&tiktok)).await;
    world.x.fail_next(Call::Revoke, AtX::Echo(500));
    let path = format!("/v1/connections/{}", x.id);
    let receipt = world.api(BOSS, Method::DELETE, &path, None).await;
    assert_eq!(receipt.body["remains"], json!("sealed_in_backups"), "{}", receipt.text);
    world.stage.advance(mins(20)).await;
    assert_eq!(world.held(BOSS, "x", &x).await, None);
    look_everywhere(&world, &sieve, logged).await;
}

/// Through every row, file, answer, number and line.
async fn look_everywhere(world: &World, sieve: &Sieve, logged: &Logged) {
    for path in [
        "/v1/connections",
        "/v1/connections/networks",
        "/v1/drafts?limit=100",
        "/v1/posts?limit=100",
        "/v1/questions?limit=100",
        "/v1/settings",
        "/v1/notices",
        "/v1/account",
        "/v1/egress",
        "/v1/spending",
        "/v1/egress.csv",
    ] {
        let said = world.api(BOSS, Method::GET, path, None).await;
        assert_eq!(said.status, StatusCode::OK, "{path}: {}", said.text);
    }
    let posts = world.get("/v1/posts?limit=100").await;
    for post in posts["items"].as_array().unwrap() {
        world.post(BOSS, post["id"].as_str().unwrap()).await;
    }
    for page in ["/metrics", "/feed", "/health"] {
        let request = Request::get(page).body(Body::empty()).unwrap();
        let said = answer_of_house(&world.stage.host, request).await;
        assert!(said.status.is_success() && !said.text.is_empty(), "{page}");
        world.note(&said);
    }
    let told = world.told.lock().unwrap().clone();
    assert!(
        told.contains("text/csv") && told.contains("nexus_") && told.contains("<h1>"),
        "{told}"
    );
    sieve.assert_clean("answers", told.as_bytes());

    let (mut rows, mut page) = (0, Page::first(1_000));
    loop {
        let slice = world.stage.host.table().scan(&page).await.unwrap();
        for item in &slice.items {
            rows += 1;
            sieve.assert_clean("a row", format!("{item:?}").as_bytes());
            sieve.assert_clean("a row", item.body.as_bytes());
        }
        let Some(next) = slice.next else { break };
        page = Page::after(1_000, Some(next));
    }
    assert!(rows > 100, "{rows}");

    // Rows, queues, dead letters and blobs, as they lie on the disk, what was deleted among them.
    let mut found = Vec::new();
    files(world.stage.folder().unwrap(), &mut found);
    let of_words = |bytes: &[u8]| bytes.windows(17).any(|window| window == b"Aurora Flat White");
    assert!(found.iter().any(|(_, bytes)| of_words(bytes)), "no file says what a draft says");
    for (file, bytes) in &found {
        sieve.assert_clean(file, bytes);
    }

    let lines = logged.bytes();
    let text = String::from_utf8_lossy(&lines);
    assert!(text.contains("a call to a vendor ended") && text.contains("\"level\":\"TRACE\""));
    sieve.assert_clean("the log", &lines);
}
