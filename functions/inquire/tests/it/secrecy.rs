//! Nowhere stands from where somebody wrote.

use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use nexus_core::Vault as _;
use nexus_core::table::{
    CommitError, CommitToken, Item, Key, Op, Page, Query, Slice, StoreError, Table,
};
use nexus_core::vault::Freshness;
use nexus_engine::Hop;
use nexus_engine::day_salts::Use;
use nexus_engine::days::day_of;
use nexus_testkit::MemoryPlatform;

use crate::house::{House, filled};

/// Addresses in every spelling, in the request's extension and in what a proxy may say.
const CANARIES: [&str; 4] =
    ["203.0.113.77", "2001:db8:dead:beef::77", "::ffff:198.51.100.77", "fe80::77"];

/// How a table goes wrong in its n-th commit or read.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Never,
    Panics,
    Hangs,
}

struct Bad {
    inner: Arc<dyn Table>,
    how: Arc<Mutex<Wrong>>,
}

impl Bad {
    async fn now(&self) {
        let how = *self.how.lock().unwrap();
        match how {
            Wrong::Never => {}
            Wrong::Panics => panic!("made to panic"),
            Wrong::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Table for Bad {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(key).await
    }

    async fn query(&self, query: &Query, page: &Page) -> Result<Slice, StoreError> {
        self.inner.query(query, page).await
    }

    async fn commit(&self, ops: Vec<Op>, token: Option<&CommitToken>) -> Result<(), CommitError> {
        self.now().await;
        self.inner.commit(ops, token).await
    }

    async fn scan(&self, page: &Page) -> Result<Slice, StoreError> {
        self.inner.scan(page).await
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn n12_no_address_is_kept_with_an_inquiry_whatever_goes_wrong() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);

    let how = Arc::new(Mutex::new(Wrong::Never));
    let shared = Arc::clone(&how);
    let platform = MemoryPlatform::new()
        .with_table(move |inner| Arc::new(Bad { inner, how: shared }) as Arc<dyn Table>);
    let house = House::on(platform).await;
    let mut told = Vec::new();
    for (number, canary) in CANARIES.iter().enumerate() {
        for wrong in [Wrong::Never, Wrong::Panics, Wrong::Hangs] {
            let opened = house.opened().await;
            *how.lock().unwrap() = wrong;
            let message = format!("Question {number}");
            let body = crate::house::form(&filled(&message, &opened));
            let mut request = house.posting(body, Some(canary));
            for name in ["x-forwarded-for", "forwarded", "x-real-ip", "user-agent", "referer"] {
                let value = format!("for={canary}, 10.0.0.1").parse().unwrap();
                request.headers_mut().insert(name, value);
            }
            let answer = match wrong {
                // The entrance gives up waiting and drops the request where it stands.
                Wrong::Hangs => house.send(request).now_or_never(),
                _ => Some(house.send(request).await),
            };
            *how.lock().unwrap() = Wrong::Never;
            match wrong {
                // The second of them is a repetition of the first, and commits nothing.
                Wrong::Never => assert_eq!(answer.as_ref().unwrap().status, 200),
                Wrong::Panics | Wrong::Hangs => {}
            }
            told.extend(answer.map(|answer| format!("{answer:?}")));
        }
        // What panics and hangs is something new.
        for wrong in [Wrong::Panics, Wrong::Hangs] {
            let opened = house.opened().await;
            let message = format!("Never kept {number}");
            let request =
                house.posting(crate::house::form(&filled(&message, &opened)), Some(canary));
            *how.lock().unwrap() = wrong;
            if wrong == Wrong::Panics {
                let answer = house.send(request).await;
                assert!(answer.status == 500 && answer.text.contains("This did not work"));
                told.push(format!("{answer:?}"));
            } else {
                assert!(house.send(request).now_or_never().is_none());
            }
            *how.lock().unwrap() = Wrong::Never;
        }
    }
    assert_eq!(house.inquiries().await.len(), CANARIES.len());
    // A body that is no text at all, and a query: what a request carries is told to nobody.
    let odd = house.posting("%ff%00".into(), Some(CANARIES[0]));
    told.push(format!("{:?}", house.send(odd).await));

    let mut everything = told;
    everything.extend(house.platform.rows().await.iter().map(|row| format!("{row:?}")));
    everything.extend(house.platform.waiting(Hop::Sentiment).into_iter().map(|m| m.body));
    everything.extend(house.platform.blob_keys().await.iter().map(|key| key.as_str().to_owned()));
    let name = Use::Inquiries.name(day_of(house.platform.now())).unwrap();
    let held = house.platform.vault.read(&name, Freshness::Fresh).await.unwrap().unwrap();
    everything.push(held.value.reveal().clone());
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the page panicked"), "the log is listened to: {logged}");
    everything.push(logged);
    let everything = everything.join("\n").to_lowercase();
    for canary in CANARIES {
        let address: std::net::IpAddr = canary.parse().unwrap();
        let octets = match address.to_canonical() {
            std::net::IpAddr::V4(four) => four.octets().to_vec(),
            std::net::IpAddr::V6(six) => six.octets().to_vec(),
        };
        let canonical = address.to_canonical().to_string();
        let spellings = [
            canary.to_owned(),
            canonical.clone(),
            hex::encode(&octets),
            hex::encode(canary),
            STANDARD.encode(&octets).to_lowercase(),
            STANDARD.encode(canary).to_lowercase(),
            STANDARD.encode(&canonical).to_lowercase(),
        ];
        for spelling in spellings {
            assert!(!everything.contains(&spelling), "{spelling}");
        }
    }
}
