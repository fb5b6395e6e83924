//! Every request that the clients build, sent to Prism, which knows the vendors' own descriptions; and one wrong request
//! for each, which it has to refuse. `shared/vendors/check/prism.sh` starts Prism and runs this.
//!
//! Which operations a description has, and why it lacks the others, is compared with the clients' own lists without Prism.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use jiff::SignedDuration;
use nexus_contract::START;
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_core::approval::{self, Approver, Redeemed};
use nexus_core::effect::{Effect, EffectId, Payload as _};
use nexus_core::vault::SecretName;
use nexus_core::{CallContext, Product, Vault};
use nexus_engine::DraftId;
use nexus_engine::connections::{Access, Ask, ConnectionId, Login as _};
use nexus_engine::copy::{Brief, Copywriter, Voice};
use nexus_engine::footage::{FootageBrief, FootageMaker, Shape, StartPicture};
use nexus_engine::publishing::{
    Choices, Medium, Network, PlannedMedia, PostPlan, Privacy, Publisher as _,
};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Digest, Language, Secret};
use nexus_outbound::guard::Guard;
use nexus_outbound::https::{Https, TlsFloor};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Operation, Outbound, Parts, Transport, TransportError, Vendor};
use nexus_testkit::{MemoryPlatform, people};
use nexus_vendors_engine::gemini::{self, Gemini};
use nexus_vendors_engine::tiktok::{self, TikTok};
use nexus_vendors_engine::veo::{self, Veo};
use serde_json::Value;

/// Prism's status for a body that the description does not have so.
const REFUSED: &[u16] = &[422];
/// And for a method or a path that it does not have at all.
const NOT_THERE: &[u16] = &[404, 405];
const WITHIN: Duration = Duration::from_secs(20);

/// The real way out to Prism, and what went over it. Nothing reaches anybody else.
struct Watched {
    https: Https,
    sent: Mutex<Vec<(WireRequest, u16, Bytes)>>,
    /// What was meant for other hosts: their addresses.
    elsewhere: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Watched {
    async fn send(&self, request: WireRequest, within: Duration) -> Result<Answer, TransportError> {
        if !request.url.starts_with("http://127.0.0.1:") {
            self.elsewhere.lock().unwrap().push(request.url);
            return Err(TransportError::Forbidden("Prism is not there".to_owned()));
        }
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
        let ambient = Ambient::seeded(Arc::<ManualClock>::clone(&clock), 3);
        let vault = MemoryVault::new(ambient.clone());
        let name = SecretName::of_house(Product::Engine, vendor.name).unwrap();
        vault.rotate(&name, None, &Secret::new("key".into())).await.unwrap();
        let guard = Guard::allowing(["127.0.0.0/8"]).unwrap();
        let https = Https::new(guard, TlsFloor::Tls12, "").unwrap();
        let (sent, elsewhere) = (Mutex::default(), Mutex::default());
        let wire = Arc::new(Watched { https, sent, elsewhere });
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

    /// What was sent: none of it refused, and in a wrong form refused each. Where it went.
    async fn all_as_described(&self, least: usize) -> BTreeSet<String> {
        let sent = std::mem::take(&mut *self.wire.sent.lock().unwrap());
        assert!(sent.len() >= least, "{} requests", sent.len());
        let mut paths = BTreeSet::new();
        for (request, status, body) in sent {
            paths.insert(url::Url::parse(&request.url).unwrap().path().to_owned());
            let what = format!("{} {}", request.method, request.url);
            let said = String::from_utf8_lossy(&body).into_owned();
            assert!(status < 400, "{what}: {status} {said}");
            let (wrong, refused) = wrong(&request);
            let answer = self.wire.https.send(wrong, WITHIN).await.unwrap();
            let status = answer.status.as_u16();
            assert!(refused.contains(&status), "{what} in a wrong form: {status}");
        }
        paths
    }
}

/// The same in a wrong form, and how that is refused: with fields of another type, a form with fields of other names; what
/// has no body by a method that no description has.
fn wrong(request: &WireRequest) -> (WireRequest, &'static [u16]) {
    let mut wrong = request.clone();
    if request.body.is_empty() {
        wrong.method = Method::PUT;
        return (wrong, NOT_THERE);
    }
    let is_form = request.headers.get("content-type").is_some_and(|told| {
        told.to_str().unwrap().starts_with("application/x-www-form-urlencoded")
    });
    if is_form {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let other: Vec<String> = body.split('&').map(|field| format!("no_{field}")).collect();
        wrong.body = other.join("&").into();
        return (wrong, REFUSED);
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_slice::<Value>(&request.body) else {
        panic!("teach this test what is wrong with another body than JSON or a form");
    };
    assert!(!fields.is_empty(), "a body without a field cannot be wrong");
    // A number is nobody's text, list or object.
    fields.values_mut().for_each(|value| *value = Value::from(7));
    wrong.body = Value::Object(fields).to_string().into();
    (wrong, REFUSED)
}

#[expect(clippy::disallowed_methods, reason = "the script says where Prism is")]
fn prism(setting: &str) -> String {
    std::env::var(setting)
        .unwrap_or_else(|_| panic!("{setting}: run shared/vendors/check/prism.sh"))
}

/// What can be asked of a vendor beside what its description has.
struct Client {
    operations: &'static [&'static Operation],
    /// Where they are written.
    source: &'static str,
    /// Those that the description has, and where.
    described: &'static [(&'static str, &'static str)],
    /// Those that it has not, and why.
    not_described: &'static [(&'static str, &'static str)],
}

static GEMINI: Client = Client {
    operations: &gemini::OPERATIONS,
    source: include_str!("../src/gemini/mod.rs"),
    described: &[("generate-content", "/v1beta/models/{model}:generateContent")],
    not_described: &[],
};

static OMNI: Client = Client {
    operations: &veo::request::OPERATIONS,
    source: include_str!("../src/veo/request.rs"),
    described: &[
        ("create-interaction", "/v1beta/interactions"),
        ("get-interaction", "/v1beta/interactions/v1_abc"),
        ("cancel-interaction", "/v1beta/interactions/v1_abc/cancel"),
    ],
    not_described: &[("download-file", "the description has interactions and no files")],
};

static TIKTOK: Client = Client {
    operations: &tiktok::request::OPERATIONS,
    source: include_str!("../src/tiktok/request.rs"),
    described: &[
        ("exchange-code", "/v2/oauth/token/"),
        ("refresh-token", "/v2/oauth/token/"),
        ("revoke-token", "/v2/oauth/revoke/"),
        ("creator-info", "/v2/post/publish/creator_info/query/"),
        ("init-video", "/v2/post/publish/video/init/"),
        ("init-photo", "/v2/post/publish/content/init/"),
        ("post-status", "/v2/post/publish/status/fetch/"),
    ],
    not_described: &[
        ("upload-chunk", "it goes to an address that an answer names, on another host"),
        ("upload-last-chunk", "as the chunks before it"),
    ],
};

impl Client {
    /// Where everything that is described has to have gone.
    fn paths(&self) -> BTreeSet<String> {
        self.described.iter().map(|(_, path)| (*path).to_owned()).collect()
    }
}

#[test]
fn every_operation_is_described_or_has_a_reason_why_not() {
    for client in [&GEMINI, &OMNI, &TIKTOK] {
        let known: Vec<&str> = client.operations.iter().map(|known| known.name).collect();
        let written = client.source.matches(": Operation =").count();
        assert_eq!(written, known.len(), "{known:?} is the whole list");
        let named = client.described.iter().chain(client.not_described).map(|(name, _)| *name);
        let named: Vec<&str> = named.collect();
        assert_eq!(named.len(), known.len(), "{named:?} has no name twice");
        assert!(known.iter().all(|name| named.contains(name)), "{known:?}, {named:?}");
    }
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
    let mut expected = BTreeSet::<String>::new();
    for model in gemini::models() {
        let gemini = || Gemini::new(way.clone(), model);
        for gemini in [gemini(), gemini().english_only()] {
            // Prism's example says something else than was asked for: only the request is of interest.
            gemini.write(&stage.at, &brief).await.ok();
        }
        expected.extend(GEMINI.paths().iter().map(|path| path.replace("{model}", model)));
    }
    let paths = stage.all_as_described(2 * expected.len()).await;
    assert!(paths.len() > 1);
    assert_eq!(paths, expected, "every model was asked");
}

#[tokio::test]
#[ignore = "shared/vendors/check/prism.sh starts Prism and runs it"]
async fn footage_is_ordered_of_google_as_it_describes_itself() {
    let stage = Stage::with_key(&veo::VENDOR).await;
    let base = Some(prism("PRISM_OMNI"));
    for model in &veo::models::MODELS {
        let veo = Veo::new(stage.parts.clone(), base.clone(), model.name).unwrap();
        let bytes = Bytes::from_static(b"\xff\xd8\xff");
        let picture = StartPicture { bytes, content_type: "image/jpeg" };
        for (picture, shape) in [(Some(picture), Shape::Vertical), (None, Shape::Horizontal)] {
            let prompt = "A slow dolly in.".into();
            veo.submit(&stage.at, &FootageBrief { prompt, picture, seconds: 5, shape }).await;
        }
        veo.status(&stage.at, "v1_abc").await.ok();
        veo.cancel(&stage.at, "v1_abc").await.ok();
        let paths = stage.all_as_described(4).await;
        assert_eq!(paths, OMNI.paths(), "every operation that is described was asked for");
    }
}

/// A post to TikTok that a person approved: of a video, or of a picture.
fn post(platform: &MemoryPlatform, content_type: &str) -> PostPlan {
    let scope = people::scope(people::tenant(1));
    PostPlan {
        draft: DraftId::derived(&["draft"]),
        revision: 1,
        language: Language::En,
        network: Network::TikTok,
        account: "Ada's shop".to_owned(),
        connection: Some(ConnectionId::derived(&["account"])),
        text: "Fresh honey #market".to_owned(),
        link: None,
        media: Some(PlannedMedia {
            blob: scope.blob("made", "shown"),
            digest: Digest::of(b"bytes"),
            content_type: content_type.to_owned(),
            size: 5,
            duration_ms: 6_000,
            alt: None,
        }),
        made_by_ai: true,
        choices: Choices {
            privacy: Some(Privacy::Everyone),
            comments: true,
            own_brand: true,
            ..Choices::default()
        },
        send_at: platform.now(),
    }
}

#[tokio::test]
#[ignore = "shared/vendors/check/prism.sh starts Prism and runs it"]
async fn tiktok_is_asked_as_it_describes_itself() {
    let (stage, platform) = (Stage::with_key(&tiktok::VENDOR).await, MemoryPlatform::new());
    let settings = tiktok::Settings {
        client_key: "aw-key".to_owned(),
        authorize_base: None,
        media_base: Some("https://media.example/nexus".to_owned()),
    };
    let base = Some(prism("PRISM_TIKTOK"));
    let tiktok = TikTok::new(stage.parts.clone(), base, settings).unwrap();
    let secret = |text: &str| Secret::new(text.to_owned());
    let ask = Ask {
        server: None,
        redirect: "https://nexus.example/oauth/tiktok".to_owned(),
        state: secret("state"),
        verifier: secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    };
    tiktok.exchange(&stage.at, &ask, &secret("a code*!1")).await.unwrap();
    tiktok.refresh(&stage.at, None, &secret("rft.x")).await.unwrap();
    tiktok.revoke(&stage.at, None, &secret("act.x")).await.unwrap();

    let connection = ConnectionId::derived(&["account"]);
    let access = Access { connection, server: None, token: secret("act.x") };
    let ada = people::caller(&people::approver(people::tenant(1)));
    for content_type in ["video/mp4", "image/jpeg"] {
        let plan = post(&platform, content_type);
        tiktok.preflight(&stage.at, Some(&access), &plan).await.unwrap();
        let (id, digest, now) = (EffectId::derived(&[content_type]), plan.digest(), platform.now());
        let mut effect = Effect::proposed(id, plan, ada.subject(), now);
        approval::approve(&mut effect, Approver::of(&ada).unwrap(), digest, now).unwrap();
        platform.put(ada.scope(), &effect).await;
        let lease = SignedDuration::from_secs(100);
        let claimed = platform.redeem(ada.scope(), id, "publish", lease).await.unwrap();
        let Redeemed::Send(mut approved) = claimed else { panic!("it is due: {claimed:?}") };
        let medium = Medium {
            content_type: content_type.to_owned(),
            bytes: Bytes::from_static(b"bytes"),
            address: Some("https://bucket.example/shown.jpg?proof=x".to_owned()),
        };
        tiktok.publish(&stage.at, Some(&access), &mut approved, medium).await;
        platform.advance(lease);
        let orphaned = platform.redeem(ada.scope(), id, "publish", lease).await.unwrap();
        let Redeemed::LookUp(unsure) = orphaned else { panic!("its holder left: {orphaned:?}") };
        tiktok.look_up(&stage.at, Some(&access), &unsure).await;
    }
    let uploads = stage.wire.elsewhere.lock().unwrap().clone();
    assert_eq!(uploads.len(), 1, "the video's one piece, to the host that its name came with");
    assert!(uploads[0].starts_with("https://open-upload.tiktokapis.com/"), "{uploads:?}");
    let paths = stage.all_as_described(9).await;
    assert_eq!(paths, TIKTOK.paths(), "every operation that is described was asked for");
}
