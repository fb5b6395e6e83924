//! Addresses that can be told from everything else go through all that following a link is, while the queue fails, the
//! database of places breaks and the vault is away; and then everything is looked through that was kept, sent, logged or
//! said.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use nexus_contract::{Faults, Flaky};
use nexus_core::Vault;
use nexus_engine::Hop;
use nexus_testkit::MemoryPlatform;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::world::{Broken, World};

const CANARIES: &[&str] = &[
    "203.0.113.137",
    "198.51.100.213",
    "2001:db8:5ca1:ab1e::c0de",
    "2001:db8:0:7a57:0:0:0:bad1",
    "::ffff:203.0.113.199",
    "fe80::5ca1:ab1e:dead:bee1",
];

/// Everything that is logged at TRACE.
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
        // With one subscriber alone, `tracing` asks whichever thread reaches a line first whether anybody listens, and
        // remembers its answer for all threads. With two it asks both.
        static SECOND: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));
        LazyLock::force(&SECOND);
        let logged = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || logged.clone());
        tracing::Dispatch::new(subscriber.finish())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// The ways in which an address may be written.
fn ways(address: &str) -> Vec<String> {
    let parsed: IpAddr = address.parse().unwrap();
    let mut texts = vec![address.to_owned(), parsed.to_string(), parsed.to_canonical().to_string()];
    let mut bytes: Vec<Vec<u8>> = Vec::new();
    for form in [parsed, parsed.to_canonical()] {
        match form {
            IpAddr::V4(four) => {
                texts.push(four.to_string().replace('.', "-"));
                texts.push(u32::from(four).to_string());
                bytes.push(four.octets().to_vec());
            }
            IpAddr::V6(six) => {
                texts.push(six.segments().map(|s| format!("{s:04x}")).join(":"));
                texts.push(six.segments().map(|s| format!("{s:x}")).join(":"));
                bytes.push(six.octets().to_vec());
            }
        }
    }
    let mut all = Vec::new();
    for text in &texts {
        let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
        let marks = text.replace('.', "%2E").replace(':', "%3A");
        all.extend([text.clone(), encoded, marks, hex::encode(text)]);
        all.extend([STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)]);
    }
    for bytes in bytes {
        all.extend([
            hex::encode(&bytes),
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ]);
        all.push(format!("{bytes:?}"));
    }
    all.retain(|way| way.len() > 5);
    all
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    let text = text.to_lowercase();
    for canary in CANARIES {
        for way in ways(canary) {
            assert!(
                !text.contains(&way.to_lowercase()),
                "{what}: {canary} stands there as `{way}`"
            );
        }
    }
}

/// Everything that a client may send, with an address in every place that takes one.
async fn follow_with(world: &World, canary: &str, path: &str, told: &mut String) {
    let marks = canary.replace('.', "%2E").replace(':', "%3A");
    let encoded: String = canary.bytes().map(|b| format!("%{b:02x}")).collect();
    let twice = encoded.replace('%', "%25");
    let zoned = format!("{canary}%eth0");
    for written in [canary, &*marks, &*encoded, &*twice, &*zoned, &*canary.to_uppercase()] {
        let list = format!("{written}, 10.0.0.1, {canary}");
        let forwarded = format!("for=\"[{canary}]:443\";by={canary}, for={written}");
        let agents = [
            format!("Mozilla/5.0 (X11; {written}) Firefox/121.0 {canary}"),
            format!("probe/{written}"),
            written.to_owned(),
        ];
        let referrers = [
            format!("https://{}/seen/{written}?ip={canary}#{canary}", host(canary)),
            format!("https://{written}@a.example/{written}/b"),
        ];
        for agent in &agents {
            for referrer in &referrers {
                let headers = [
                    ("x-forwarded-for", list.as_str()),
                    ("forwarded", &forwarded),
                    ("x-real-ip", canary),
                    ("cf-connecting-ip", canary),
                    ("true-client-ip", canary),
                    ("via", canary),
                    ("user-agent", agent),
                    ("referer", referrer),
                    ("accept", "*/*"),
                    ("accept-language", written),
                ];
                for method in ["GET", "HEAD"] {
                    let answer = world.ask(method, path, Some(canary), &headers).await;
                    write!(told, "{answer:?}").unwrap();
                }
            }
        }
    }
}

/// A client that tells its address in every way in which one may be written, wherever a text of its own is kept.
async fn follow_in_all_ways(world: &World, canary: &str, told: &mut String) {
    for way in ways(canary) {
        // Where a text is cut, too.
        let late = format!("{} {way}", "x".repeat(2_047 - way.len() / 2));
        let agents = [format!("probe/{way} Firefox/121.0"), format!("Firefox/121.0 x{way}y"), late];
        let referrers = [
            format!("https://a.example/seen/{way}/page"),
            format!("https://{way}.dip.example/x{way}y"),
            format!("https://www-{way}/{way}"),
        ];
        for (agent, referrer) in agents.iter().zip(&referrers) {
            let headers =
                [("user-agent", agent.as_str()), ("referer", referrer), ("accept", "*/*")];
            let answer = world.ask("GET", "/c/spring", Some(canary), &headers).await;
            write!(told, "{answer:?}").unwrap();
        }
    }
}

fn host(canary: &str) -> String {
    if canary.contains(':') { format!("[{canary}]") } else { canary.to_owned() }
}

async fn look_through(world: &World, told: &str) -> usize {
    assert_clean("an answer", told);
    let waiting = world.platform.waiting(Hop::Attribute);
    for message in &waiting {
        assert_clean("a message", &message.body);
        assert_clean("a group", &message.group);
    }
    for row in world.platform.rows().await {
        assert_clean("a row", &format!("{row:?}"));
    }
    waiting.len()
}

#[test]
fn the_ways_are_found() {
    let found = std::panic::catch_unwind(|| assert_clean("a line", "seen 203.0.113.137 today"));
    assert!(found.is_err());
    assert!(ways("203.0.113.137").contains(&"cb007189".to_owned()));
}

#[tokio::test]
async fn n10_no_address_is_kept_sent_logged_or_said() {
    let logged = Logged::default();
    // One thread: what is spawned is heard too.
    let _listening = tracing::dispatcher::set_default(&logged.dispatch());
    let all = async {
        // Everything goes well.
        let world = World::new();
        world.make(&world.link("spring")).await;
        let mut told = String::new();
        for canary in CANARIES {
            follow_with(&world, canary, "/c/spring", &mut told).await;
            follow_with(&world, canary, "/c/nobody", &mut told).await;
            follow_in_all_ways(&world, canary, &mut told).await;
        }
        assert!(look_through(&world, &told).await > 400);

        // Nothing does: places break, and queue, table and vault fail now and then, before and after.
        let mut platform = MemoryPlatform::new();
        platform.locator = Arc::new(Broken);
        let vault =
            Flaky::new(Arc::new(platform.vault.clone()) as Arc<dyn Vault>, Faults::seeded(3, 2));
        let platform = platform
            .with_queues(|queues| Arc::new(Flaky::new(queues, Faults::seeded(1, 2))))
            .with_table(|table| Arc::new(Flaky::new(table, Faults::seeded(2, 3))))
            .with_vault(Arc::new(vault));
        let world = World::on(platform, "commit");
        world.make(&world.link("spring")).await;
        let mut told = String::new();
        for canary in CANARIES {
            follow_with(&world, canary, "/c/spring", &mut told).await;
            world.platform.advance(jiff::SignedDuration::from_hours(7));
        }
        assert!(look_through(&world, &told).await > 100);
        assert!(world.losses.count() > 10, "the queue failed: {}", world.losses.count());
        // And what is not an address that the entrance told, but one that stands in the code.
        for canary in CANARIES {
            let path = format!("/c/{}", canary.replace(':', "%3A"));
            follow_with(&world, canary, &path, &mut told).await;
        }
        look_through(&world, &told).await;
    };
    all.await;
    let lines = logged.text();
    assert!(lines.contains("places panicked") && lines.contains("not recorded"), "{lines}");
    assert_clean("the log", &lines);
}
