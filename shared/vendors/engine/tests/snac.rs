//! An account at snac, a real server that speaks Mastodon's API: connected as a person does it, posted to, looked at,
//! disconnected. `shared/vendors/check/snac.sh` starts snac and runs this.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::SignedDuration;
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_core::approval::{self, Approved, Approver, Claiming, Redeemed, Unsure};
use nexus_core::effect::{Effect, EffectId, Found, Outcome, Payload as _, State};
use nexus_core::{BlobKey, CallContext, Product, Table, Vault, records};
use nexus_engine::DraftId;
use nexus_engine::comments::Listener;
use nexus_engine::connections::{Access, Ask, ConnectionId, Login, LoginError};
use nexus_engine::publishing::{Choices, Medium, Network, PlannedMedia, PostPlan, Publisher};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Clock as _, Digest, FailureKind, Language, Secret, Timestamp};
use nexus_outbound::guard::Guard;
use nexus_outbound::https::{Https, TlsFloor};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Parts, Transport, TransportError};
use nexus_testkit::people;
use nexus_vendors_engine::mastodon::Mastodon;
use serde_json::Value;
use url::Url;

const REDIRECT: &str = "http://127.0.0.1:9/connections/callback";
const WITHIN: Duration = Duration::from_secs(20);
const LEASE: SignedDuration = SignedDuration::from_secs(100);

/// The real way out, which can be made to lose a status on its way there, or its answer on the way back.
struct Wire {
    https: Https,
    loses: AtomicU8,
}

const NOTHING: u8 = 0;
const THE_ANSWER: u8 = 1;
const THE_REQUEST: u8 = 2;

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest, within: Duration) -> Result<Answer, TransportError> {
        let is_status = request.method == Method::POST && request.url.ends_with("/api/v1/statuses");
        let loses = if is_status { self.loses.swap(NOTHING, Ordering::SeqCst) } else { NOTHING };
        let lost = || TransportError::Lost("the connection was reset".to_owned());
        if loses == THE_REQUEST {
            return Err(lost());
        }
        let answer = self.https.send(request, within).await?;
        if loses == THE_ANSWER { Err(lost()) } else { Ok(answer) }
    }
}

struct Stage {
    server: String,
    wire: Arc<Wire>,
    clock: ManualClock,
    ambient: Ambient,
    table: Arc<dyn Table>,
    mastodon: Mastodon,
}

#[expect(clippy::disallowed_methods, reason = "the script says where snac is")]
fn told(setting: &str) -> String {
    std::env::var(setting).unwrap_or_else(|_| panic!("{setting}: run shared/vendors/check/snac.sh"))
}

fn guard() -> Guard {
    Guard::allowing(["127.0.0.0/8"]).unwrap()
}

impl Stage {
    fn new(guard: Guard) -> Self {
        // snac's clock is the machine's: ours begins there, and moves as the test says.
        let clock = ManualClock::at(Ambient::system().now());
        let ambient = Ambient::seeded(Arc::new(clock.clone()), 5);
        let table: Arc<dyn Table> = Arc::new(MemoryTable::new(Arc::new(clock.clone())));
        let vault = MemoryVault::new(ambient.clone());
        let https = Https::new(guard, TlsFloor::Tls12, "").unwrap();
        let wire = Arc::new(Wire { https, loses: AtomicU8::new(NOTHING) });
        let parts = Parts {
            product: Product::Engine,
            table: Arc::clone(&table),
            vault: Arc::new(vault.clone()),
            transport: Arc::<Wire>::clone(&wire),
            ambient: ambient.clone(),
        };
        let tokens: Arc<dyn Vault> = Arc::new(vault);
        let mastodon = Mastodon::new(parts, tokens);
        Self { server: told("SNAC"), wire, clock, ambient, table, mastodon }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.clock.move_to(self.now().saturating_add(by).unwrap());
    }

    fn at(&self) -> CallContext {
        let until = self.now().saturating_add(SignedDuration::from_secs(90)).unwrap();
        CallContext { scope: people::scope(people::tenant(1)), until }
    }

    fn ask(&self, state: &str) -> Ask {
        Ask {
            // As a person may write it.
            server: Some(format!("{}/", self.server.to_uppercase())),
            redirect: REDIRECT.to_owned(),
            state: Secret::new(state.to_owned()),
            verifier: Secret::new("v".repeat(64)),
        }
    }

    /// What a browser does.
    async fn browse(&self, method: Method, url: &str, form: Option<String>) -> Answer {
        let mut headers = HeaderMap::new();
        if form.is_some() {
            let kind = "application/x-www-form-urlencoded".parse().unwrap();
            headers.insert(http::header::CONTENT_TYPE, kind);
        }
        let body = Bytes::from(form.unwrap_or_default());
        let (url, hosts) = (url.to_owned(), vec!["127.0.0.1".to_owned()]);
        let request = WireRequest { method, url, headers, body, hosts, max_answer: 1 << 24 };
        let mut tries = 0..5;
        loop {
            // snac closes connections without saying so; a browser too asks again then, where it only reads.
            match self.wire.https.send(request.clone(), WITHIN).await {
                Err(TransportError::Lost(_))
                    if request.method == Method::GET && tries.next().is_some() => {}
                answer => break answer.unwrap(),
            }
        }
    }

    async fn page(&self) -> String {
        let page = self.browse(Method::GET, &format!("{}/luna", self.server), None).await;
        assert_eq!(page.status, 200);
        String::from_utf8(page.body.to_vec()).unwrap()
    }

    /// Opens the address, signs in on snac's own form, and comes back with a code.
    async fn signed_in(&self, address: &str, state: &str) -> Secret<String> {
        let login = self.browse(Method::GET, address, None).await;
        assert_eq!(login.status, 200, "snac knows the application");
        let page = String::from_utf8(login.body.to_vec()).unwrap();
        let between = |from: &str, to: &str| {
            let (_, rest) = page.split_once(from).unwrap();
            rest.split_once(to).unwrap().0.to_owned()
        };
        let action = between("action=\"", "\"");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("login", &told("SNAC_USER")).append_pair("passwd", &told("SNAC_PASSWORD"));
        for hidden in ["redir", "cid", "state"] {
            form.append_pair(hidden, &between(&format!("name=\"{hidden}\" value=\""), "\""));
        }
        let back = self.browse(Method::POST, &action, Some(form.finish())).await;
        assert_eq!(back.status, 303, "{}", String::from_utf8_lossy(&back.body));
        let to = Url::parse(back.headers["location"].to_str().unwrap()).unwrap();
        assert!(to.as_str().starts_with(REDIRECT), "{to}");
        let brought = |name: &str| {
            to.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned()).unwrap()
        };
        assert_eq!(brought("state"), state);
        Secret::new(brought("code"))
    }

    async fn connected(&self, state: &str) -> (Access, String) {
        let (at, ask) = (self.at(), self.ask(state));
        let address = self.mastodon.authorize(&at, &ask).await.unwrap();
        let code = self.signed_in(&address, state).await;
        let granted = self.mastodon.exchange(&at, &ask, &code).await.unwrap();
        let account = granted.account.as_ref().unwrap().reveal().clone();
        let connection = ConnectionId::derived(&["account"]);
        let server = ask.server.clone();
        (Access { connection, server, token: granted.access.clone() }, account)
    }

    fn plan(&self, text: &str, kind: &str, bytes: &Bytes) -> PostPlan {
        PostPlan {
            draft: DraftId::derived(&[text]),
            revision: 1,
            language: Language::En,
            network: Network::Mastodon,
            account: "Luna".to_owned(),
            connection: Some(ConnectionId::derived(&["account"])),
            link: None,
            text: text.to_owned(),
            media: Some(PlannedMedia {
                blob: BlobKey::stored("made/shown"),
                digest: Digest::of(bytes),
                content_type: kind.to_owned(),
                size: bytes.len() as u64,
                duration_ms: 2_000,
                alt: Some("What is to be seen.".to_owned()),
            }),
            made_by_ai: true,
            choices: Choices::default(),
            send_at: self.now(),
        }
    }

    /// The post, approved by a person and claimed.
    async fn claimed(&self, plan: PostPlan) -> Approved<PostPlan> {
        let (scope, now) = (self.at().scope, self.now());
        let ada = people::caller(&people::approver(people::tenant(1)));
        let (id, digest) = (EffectId::derived(&["post", &plan.text]), plan.digest());
        let mut effect = Effect::proposed(id, plan, ada.subject(), now);
        approval::approve(&mut effect, Approver::of(&ada).unwrap(), digest, now).unwrap();
        self.table.commit(vec![records::write(&scope, &effect)], None).await.unwrap();
        self.again(id).await
    }

    async fn redeemed(&self, id: EffectId) -> Redeemed<PostPlan> {
        let now = self.now();
        let lease = now.saturating_add(LEASE).unwrap();
        let claiming =
            Claiming { by: "publish", ids: &*self.ambient.ids, now, lease, gate: Vec::new() };
        approval::redeem(&self.table, &self.at().scope, id, claiming).await.unwrap()
    }

    async fn again(&self, id: EffectId) -> Approved<PostPlan> {
        match self.redeemed(id).await {
            Redeemed::Send(approved) => approved,
            other => panic!("it is due: {other:?}"),
        }
    }

    async fn unsure(&self, id: EffectId) -> Unsure<PostPlan> {
        match self.redeemed(id).await {
            Redeemed::LookUp(unsure) => unsure,
            other => panic!("nobody knows what became of it: {other:?}"),
        }
    }

    async fn publish(
        &self,
        access: &Access,
        approved: &mut Approved<PostPlan>,
        shown: &Bytes,
    ) -> Outcome {
        let content_type = approved.payload().media.as_ref().unwrap().content_type.clone();
        let medium = Medium { content_type, bytes: shown.clone(), address: None };
        self.mastodon.publish(&self.at(), Some(access), approved, medium).await
    }

    async fn settled(&self, approved: Approved<PostPlan>, outcome: Outcome) -> State {
        approval::settle(approved, outcome, "publish", self.now()).await.unwrap()
    }

    /// How many statuses of the account say this.
    async fn said(&self, account: &str, text: &str) -> usize {
        let url = format!("{}/api/v1/accounts/{account}/statuses", self.server);
        let answer = self.browse(Method::GET, &url, None).await;
        let all: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
        all.iter().filter(|status| status["content"].as_str().unwrap().contains(text)).count()
    }
}

/// snac shows a text with its marks as it understands them: these have none.
const FILM: &str = "Coffee & cake at Luna, from nine to five.\n\nhttps://luna.example/l/a1B2c3?x=1&y=2 #Luna #Coffee";
const PICTURE: &str = "A cup on the table, and the sun comes in. Open on Sunday, too.";

#[tokio::test]
#[ignore = "shared/vendors/check/snac.sh starts snac and runs it"]
async fn n36_n62_an_account_is_connected_posted_to_looked_at_and_disconnected() {
    let stage = Stage::new(guard());
    let (access, account) = stage.connected("state-1").await;
    assert!(!format!("{access:?}").contains(access.token.reveal().as_str()));

    let film = Bytes::from(std::fs::read(told("SNAC_VIDEO")).unwrap());
    let picture = Bytes::from(std::fs::read(told("SNAC_PICTURE")).unwrap());
    let mut seen = Vec::new();
    for (text, kind, shown) in [(FILM, "video/mp4", &film), (PICTURE, "image/png", &picture)] {
        let plan = stage.plan(text, kind, shown);
        let preflight = stage.mastodon.preflight(&stage.at(), Some(&access), &plan).await.unwrap();
        assert_eq!((preflight.problems.len(), preflight.notes.len()), (0, 1));
        let mut approved = stage.claimed(plan).await;
        let outcome = stage.publish(&access, &mut approved, shown).await;
        let Outcome::Done { receipt, url: Some(url) } = outcome.clone() else {
            panic!("{outcome:?}")
        };
        // Looked up after its answer was lost on the way from here to the store, it is the same post.
        let id = approved.id();
        let lost = Outcome::Unknown { why: "the store did not answer".to_owned() };
        assert_eq!(stage.settled(approved, lost).await, State::Unknown);
        stage.advance(15);
        let unsure = stage.unsure(id).await;
        let found = stage.mastodon.look_up(&stage.at(), Some(&access), &unsure).await;
        assert_eq!(found, Found::Done { receipt, url: Some(url.clone()) });
        seen.push(url);
    }

    // Everybody sees both, each with what was approved.
    let page = stage.page().await;
    for url in &seen {
        assert_eq!(stage.browse(Method::GET, url, None).await.status, 200, "{url}");
    }
    for words in ["cake at Luna, from nine to five.", "/l/a1B2c3", PICTURE, "<video", "<img"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    for (end, approved) in [(".mp4", &film), (".png", &picture)] {
        let mut files =
            page.split('"').filter(|part| part.ends_with(end) && part.contains("/luna/s/"));
        let file = files.next_back().unwrap_or_else(|| panic!("{end} in {page}"));
        assert_eq!(stage.browse(Method::GET, file, None).await.body, approved, "{file}");
    }
    assert!(page.contains("What is to be seen."), "the description is there");

    // N62: taken back at the server, not only here.
    let server = access.server.as_deref();
    stage.mastodon.revoke(&stage.at(), server, &access.token).await.unwrap();
    let plan = stage.plan("Not any more.", "image/png", &picture);
    let failure = stage.mastodon.preflight(&stage.at(), Some(&access), &plan).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Conflict, "{failure:?}");
    let mut approved = stage.claimed(plan).await;
    let outcome = stage.publish(&access, &mut approved, &picture).await;
    assert!(matches!(outcome, Outcome::Login { .. }), "{outcome:?}");
    assert_eq!(stage.said(&account, "Not any more.").await, 0);
    // Once more is no error; and snac, which forgot this house with the token, is told anew.
    stage.mastodon.revoke(&stage.at(), server, &access.token).await.unwrap();
    let (again, same) = stage.connected("state-2").await;
    assert_eq!(same, account);
    stage.mastodon.revoke(&stage.at(), again.server.as_deref(), &again.token).await.unwrap();
}

#[tokio::test]
#[ignore = "shared/vendors/check/snac.sh starts snac and runs it"]
async fn n15_a_post_whose_answer_was_lost_is_there_once_and_one_that_was_lost_itself_is_sent_again()
{
    let stage = Stage::new(guard());
    let (access, account) = stage.connected("state-3").await;
    let picture = Bytes::from(std::fs::read(told("SNAC_PICTURE")).unwrap());

    let text = "The answer to this was lost.";
    let mut approved = stage.claimed(stage.plan(text, "image/png", &picture)).await;
    stage.wire.loses.store(THE_ANSWER, Ordering::SeqCst);
    let outcome = stage.publish(&access, &mut approved, &picture).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    let id = approved.id();
    stage.settled(approved, outcome).await;
    stage.advance(15);
    let unsure = stage.unsure(id).await;
    let found = stage.mastodon.look_up(&stage.at(), Some(&access), &unsure).await;
    assert!(matches!(&found, Found::Done { url: Some(_), .. }), "{found:?}");
    let now = stage.now();
    approval::settle_looked_up(unsure, found, "publish", now).await.unwrap();
    assert_eq!(stage.said(&account, text).await, 1);

    let text = "This was lost on its way there.";
    let mut approved = stage.claimed(stage.plan(text, "image/png", &picture)).await;
    stage.wire.loses.store(THE_REQUEST, Ordering::SeqCst);
    let outcome = stage.publish(&access, &mut approved, &picture).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    let id = approved.id();
    stage.settled(approved, outcome).await;
    stage.advance(15);
    let unsure = stage.unsure(id).await;
    let early = stage.mastodon.look_up(&stage.at(), Some(&access), &unsure).await;
    assert!(matches!(early, Found::StillUnknown { .. }), "{early:?}");
    stage.advance(120);
    let late = stage.mastodon.look_up(&stage.at(), Some(&access), &unsure).await;
    assert_eq!(late, Found::NotDone);
    let now = stage.now();
    approval::settle_looked_up(unsure, late, "publish", now).await.unwrap();
    let mut approved = stage.again(id).await;
    let outcome = stage.publish(&access, &mut approved, &picture).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    stage.settled(approved, outcome).await;
    assert_eq!(stage.said(&account, text).await, 1);
}

#[tokio::test]
#[ignore = "shared/vendors/check/snac.sh starts snac and runs it"]
async fn n39_what_was_answered_to_a_post_is_heard_as_plain_text() {
    let stage = Stage::new(guard());
    let (access, _) = stage.connected("state-5").await;
    let picture = Bytes::from(std::fs::read(told("SNAC_PICTURE")).unwrap());
    let text = "What do you say to this?";
    let mut approved = stage.claimed(stage.plan(text, "image/png", &picture)).await;
    let outcome = stage.publish(&access, &mut approved, &picture).await;
    let Outcome::Done { receipt, .. } = outcome else { panic!("{outcome:?}") };
    let heard = stage.mastodon.hear(&stage.at(), Some(&access), &receipt, None).await.unwrap();
    assert_eq!(heard.remarks, []);

    // Answered by the account itself: there is no other at this server. ("<3" would become a heart there.)
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("status", "I love it & 2 < 3")
        .append_pair("in_reply_to_id", &receipt)
        .append_pair("visibility", "public")
        .finish();
    let url = format!("{}/api/v1/statuses", stage.server);
    let mut headers = HeaderMap::new();
    let kind = "application/x-www-form-urlencoded".parse().unwrap();
    headers.insert(http::header::CONTENT_TYPE, kind);
    let bearer = format!("Bearer {}", access.token.reveal()).parse().unwrap();
    headers.insert(http::header::AUTHORIZATION, bearer);
    let (body, hosts) = (Bytes::from(form), vec!["127.0.0.1".to_owned()]);
    let (method, max_answer) = (Method::POST, 1 << 20);
    let request = WireRequest { method, url, headers, body, hosts, max_answer };
    assert_eq!(stage.wire.https.send(request, WITHIN).await.unwrap().status, 200);

    let heard = stage.mastodon.hear(&stage.at(), Some(&access), &receipt, None).await.unwrap();
    let texts: Vec<&str> = heard.remarks.iter().map(|r| r.text.reveal().as_str()).collect();
    let [said] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(said.contains("I love it & 2 < 3"), "{said}");
    stage.mastodon.revoke(&stage.at(), access.server.as_deref(), &access.token).await.unwrap();
}

#[tokio::test]
#[ignore = "shared/vendors/check/snac.sh starts snac and runs it"]
async fn a_server_in_the_house_is_reached_only_where_the_operator_opened_its_network() {
    let stage = Stage::new(Guard::public());
    let refused = stage.mastodon.authorize(&stage.at(), &stage.ask("state-4")).await.unwrap_err();
    assert!(
        matches!(&refused, LoginError::Refused { why } if why.starts_with("server: ")),
        "{refused:?}"
    );
}
