//! What the tests of every vendor of footage stand on: a brief, the recordings, and answers that nobody would expect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use nexus_contract::START;
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_core::vault::SecretName;
use nexus_core::{CallContext, Product, Vault};
use nexus_engine::footage::{FootageBrief, Shape, StartPicture};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Secret};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Operation, Parts, Recording, Request, Transport, TransportError};
use nexus_testkit::people;
use proptest::prelude::*;
use serde_json::Value;

/// The brief of the recordings, with a picture.
pub(crate) fn from_picture() -> FootageBrief {
    let picture = StartPicture { bytes: Bytes::from_static(b"a jpeg"), content_type: "image/jpeg" };
    FootageBrief { picture: Some(picture), ..from_text() }
}

/// The brief of the recordings, without one.
pub(crate) fn from_text() -> FootageBrief {
    FootageBrief {
        prompt: "A jar of honey on a table, slow dolly in".into(),
        picture: None,
        seconds: 5,
        shape: Shape::Vertical,
    }
}

/// An answer.
pub(crate) fn answer(status: u16, headers: HeaderMap, body: impl Into<Bytes>) -> Answer {
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
}

/// The recordings of a vendor whose names begin with this, by their names. There is at least one.
pub(crate) fn recordings(vendor: &str, operation: &str) -> BTreeMap<String, Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(vendor).join("recordings");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with(&format!("{operation}.")) {
            found.insert(name, Recording::load(path).unwrap());
        }
    }
    assert!(!found.is_empty(), "{vendor} has no recording of {operation}");
    found
}

/// Holds every recording of an operation against what is built, reads it, and tells what came of it, a line each.
pub(crate) fn told(
    vendor: &str,
    operation: &str,
    build: impl Fn(&str) -> Request,
    read: impl Fn(&Answer) -> String,
) -> String {
    let mut lines = String::new();
    for (name, recording) in recordings(vendor, operation) {
        recording.asked_by(&build(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        writeln!(lines, "{name}\n  {}", read(&recording.answer().unwrap())).unwrap();
    }
    lines
}

/// That every request sends only what its operation allows, and that all of what it allows is sent by one of them.
pub(crate) fn sends_exactly(operation: &Operation, requests: &[Request]) {
    let mut sent = BTreeSet::new();
    for request in requests {
        assert_eq!(request.operation.name, operation.name);
        sent.extend(request.fields().unwrap());
    }
    let allowed: BTreeSet<String> =
        operation.sends.iter().map(|field| (*field).to_owned()).collect();
    assert_eq!(sent, allowed, "{}", operation.name);
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Answers that nobody would expect: any bytes, any JSON, and recorded bodies in which one value is another; with any
/// status.
pub(crate) fn odd_answers(vendor: &str) -> impl Strategy<Value = Answer> + use<> {
    let bodies: Vec<Value> = ["submit", "status", "fetch", "cancel"]
        .into_iter()
        .filter(|operation| vendor != "luma" || *operation != "cancel")
        .flat_map(|operation| recordings(vendor, operation).into_values())
        .filter_map(|recording| recording.response.body)
        .collect();
    let changed = (prop::sample::select(bodies), any::<prop::sample::Index>(), any_json())
        .prop_map(|(mut body, place, other)| {
            let places = count(&body);
            replace(&mut body, &mut place.index(places), &other);
            Bytes::from(body.to_string())
        });
    let body = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from),
        1 => any_json().prop_map(|value| Bytes::from(value.to_string())),
        4 => changed,
    ];
    let status = prop_oneof![3 => Just(200u16), 1 => Just(400u16), 1 => 100u16..600];
    (status, body).prop_map(|(status, body)| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "99999999999999999999".parse().unwrap());
        answer(status, headers, body)
    })
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(members) => members.values().map(count).sum::<usize>(),
        Value::Array(members) => members.iter().map(count).sum(),
        _ => 0,
    }
}

/// Puts another value into the place that the countdown ends at.
fn replace(value: &mut Value, left: &mut usize, other: &Value) -> bool {
    if *left == 0 {
        *value = other.clone();
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(members) => members.values_mut().any(|member| replace(member, left, other)),
        Value::Array(members) => members.iter_mut().any(|member| replace(member, left, other)),
        _ => false,
    }
}

/// The house as a vendor's adapter sees it, with a wire that plays a script.
pub(crate) struct House {
    /// What the way out is made of.
    pub(crate) parts: Parts,
    /// For whom it asks.
    pub(crate) at: CallContext,
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    scenes: Mutex<VecDeque<(String, Result<Answer, TransportError>)>>,
    strayed: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: WireRequest, _: Duration) -> Result<Answer, TransportError> {
        let keyed = ["authorization", "x-goog-api-key"]
            .iter()
            .any(|name| request.headers.contains_key(*name));
        let asked = format!(
            "{} {}{}",
            request.method,
            request.url,
            if keyed { " with the key" } else { "" }
        );
        let next = self.scenes.lock().unwrap().pop_front();
        match next {
            Some((expected, answer)) if expected == asked => answer,
            next => {
                let expected = next.map(|(expected, _)| expected);
                self.strayed.lock().unwrap().push(format!("{asked} instead of {expected:?}"));
                Err(TransportError::Lost("the script says otherwise".into()))
            }
        }
    }
}

impl House {
    /// A house that has a key of this vendor.
    pub(crate) async fn with_key(vendor: &'static str) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let ambient = Ambient::seeded(Arc::<ManualClock>::clone(&clock), 7);
        let vault = MemoryVault::new(ambient.clone());
        let name = SecretName::of_house(Product::Engine, vendor).unwrap();
        vault.rotate(&name, None, &Secret::new("canary-key".into())).await.unwrap();
        let script = Arc::new(Script::default());
        let parts = Parts {
            product: Product::Engine,
            table: Arc::new(MemoryTable::new(clock)),
            vault: Arc::new(vault),
            transport: Arc::<Script>::clone(&script),
            ambient,
        };
        let until = START + jiff::SignedDuration::from_secs(300);
        Self { parts, at: CallContext { scope: people::scope(people::tenant(1)), until }, script }
    }

    /// The next request is this one, and is answered by a recording.
    pub(crate) fn answers(&self, asked: &str, vendor: &str, recording: &str) -> &Self {
        let operation = recording.split('.').next().unwrap();
        let answer = recordings(vendor, operation)[recording].answer().unwrap();
        self.then(asked, Ok(answer))
    }

    /// The next request is this one, and its answer is lost.
    pub(crate) fn loses(&self, asked: &str) -> &Self {
        self.then(asked, Err(TransportError::Lost("reset after it was taken".into())))
    }

    fn then(&self, asked: &str, answer: Result<Answer, TransportError>) -> &Self {
        self.script.scenes.lock().unwrap().push_back((asked.to_owned(), answer));
        self
    }

    /// That everything was asked that the script says, and nothing else.
    pub(crate) fn is_played(&self) {
        assert_eq!(self.script.strayed.lock().unwrap().as_slice(), [""; 0]);
        let left: Vec<_> =
            self.script.scenes.lock().unwrap().drain(..).map(|(asked, _)| asked).collect();
        assert_eq!(left, [""; 0], "not asked");
    }
}
