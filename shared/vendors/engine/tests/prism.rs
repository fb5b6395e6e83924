//! Every request that the clients build, sent to Prism, which knows the vendors' own descriptions; and one wrong request
//! for each, which it has to refuse. `shared/vendors/check/prism.sh` starts Prism and runs this.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use nexus_contract::START;
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_core::vault::SecretName;
use nexus_core::{CallContext, Product, Vault};
use nexus_engine::copy::{Brief, Copywriter, Voice};
use nexus_engine::footage::{FootageBrief, FootageMaker, Shape, StartPicture};
use nexus_engine::publishing::Network;
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Secret};
use nexus_outbound::guard::Guard;
use nexus_outbound::https::{Https, TlsFloor};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Outbound, Parts, Transport, TransportError, Vendor};
use nexus_testkit::people;
use nexus_vendors_engine::gemini::{self, Gemini};
use nexus_vendors_engine::veo::{self, Veo};
use serde_json::Value;

/// Prism's status for what the description does not say.
const REFUSED: u16 = 422;
const WITHIN: Duration = Duration::from_secs(20);

/// The real way out, and what went over it.
struct Watched {
    https: Https,
    sent: Mutex<Vec<(WireRequest, u16, Bytes)>>,
}

#[async_trait]
impl Transport for Watched {
    async fn send(&self, request: WireRequest, within: Duration) -> Result<Answer, TransportError> {
        let kept = request.clone();
        let answer = self.https.send(request, within).await?;
        let seen = (kept, answer.status.as_u16(), answer.body.clone());
        self.sent.lock().unwrap().push(seen);
        Ok(answer)
    }
}

struct Stage {
    wire: Arc<Watched>,
    parts: Parts,
    at: CallContext,
}

impl Stage {
    async fn with_key(vendor: &Vendor) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let ambient = Ambient::seeded(clock.clone(), 3);
        let vault = MemoryVault::new(ambient.clone());
        let name = SecretName::of_house(Product::Engine, vendor.name).unwrap();
        vault.rotate(&name, None, &Secret::new("key".into())).await.unwrap();
        let guard = Guard::allowing(["127.0.0.0/8"]).unwrap();
        let https = Https::new(guard, TlsFloor::Tls12, "").unwrap();
        let wire = Arc::new(Watched { https, sent: Mutex::default() });
        let parts = Parts {
            product: Product::Engine,
            table: Arc::new(MemoryTable::new(clock)),
            vault: Arc::new(vault),
            transport: Arc::<Watched>::clone(&wire),
            ambient,
        };
        let until = START + SignedDuration::from_secs(600);
        let scope = people::scope(people::tenant(1));
        Self { wire, parts, at: CallContext { scope, until } }
    }

    /// What was sent: none of it refused, and in a wrong form refused each.
    async fn all_as_described(&self, least: usize) {
        let sent = std::mem::take(&mut *self.wire.sent.lock().unwrap());
        assert!(sent.len() >= least, "{} requests", sent.len());
        for (request, status, body) in sent {
            let what = format!("{} {}", request.method, request.url);
            let said = String::from_utf8_lossy(&body).into_owned();
            assert!(status < 400, "{what}: {status} {said}");
            let answer = self.wire.https.send(wrong(&request), WITHIN).await.unwrap();
            let refused = [REFUSED, 404, 405].contains(&answer.status.as_u16());
            assert!(refused, "{what} in a wrong form: {}", answer.status);
        }
    }
}

/// The same with its fields of another type; without a body, at a place that is none.
fn wrong(request: &WireRequest) -> WireRequest {
    let mut wrong = request.clone();
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(Value::Object(mut fields)) if !fields.is_empty() => {
            // A number is nobody's text, list or object.
            fields.values_mut().for_each(|value| *value = Value::from(7));
            wrong.body = Value::Object(fields).to_string().into();
        }
        _ => wrong.url = request.url.replacen("/v1beta/", "/v1beta/no/", 1),
    }
    wrong
}

#[expect(clippy::disallowed_methods, reason = "the script says where Prism is")]
fn prism(setting: &str) -> String {
    std::env::var(setting)
        .unwrap_or_else(|_| panic!("{setting}: run shared/vendors/check/prism.sh"))
}

#[tokio::test]
#[ignore = "shared/vendors/check/prism.sh starts Prism and runs it"]
async fn gemini_is_asked_as_it_describes_itself() {
    let stage = Stage::with_key(&gemini::VENDOR).await;
    let base = Some(prism("PRISM_GEMINI"));
    let way = Outbound::new(&gemini::VENDOR, base, stage.parts.clone()).unwrap();
    let brief = Brief {
        voice: Voice {
            business_name: "Luna".into(),
            niche: "coffee shop".into(),
            brand_voice: "warm".into(),
        },
        product: None,
        labels: Vec::new(),
        embedded_description: Some("A cup.".into()),
        networks: Network::ALL.to_vec(),
        brand_terms: vec!["Luna".into()],
        seed: 7,
    };
    let gemini = || Gemini::new(way.clone(), gemini::DEFAULT_MODEL);
    for gemini in [gemini(), gemini().english_only()] {
        // Prism's example says something else than was asked for: only the request is of interest.
        gemini.write(&stage.at, &brief).await.ok();
    }
    stage.all_as_described(2).await;
}

#[tokio::test]
#[ignore = "shared/vendors/check/prism.sh starts Prism and runs it"]
async fn footage_is_ordered_of_google_as_it_describes_itself() {
    let stage = Stage::with_key(&veo::VENDOR).await;
    let base = Some(prism("PRISM_OMNI"));
    let veo = Veo::new(stage.parts.clone(), base, veo::DEFAULT_MODEL).unwrap();
    let picture =
        StartPicture { bytes: Bytes::from_static(b"\xff\xd8\xff"), content_type: "image/jpeg" };
    for (picture, shape) in [(Some(picture), Shape::Vertical), (None, Shape::Horizontal)] {
        let prompt = "A slow dolly in.".into();
        veo.submit(&stage.at, &FootageBrief { prompt, picture, seconds: 5, shape }).await;
    }
    veo.status(&stage.at, "v1_abc").await.ok();
    veo.cancel(&stage.at, "v1_abc").await.ok();
    stage.all_as_described(4).await;
}
