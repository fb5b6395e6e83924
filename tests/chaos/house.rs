//! One seed's house: two tenants, their accounts, their posts, and what befalls them.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::approval::{self, Approver};
use nexus_core::effect::{self, Effect, EffectId, Payload as _, Question, State};
use nexus_core::table::Page;
use nexus_core::vault::SecretName;
use nexus_core::{
    BlobKey, Blobs as _, CallContext, Caller, Product, QueueAddress, Queues as _, RecordKind,
    Scope, Vault, records,
};
use nexus_engine::connections::{Ask, ConnectionId, Login};
use nexus_engine::publishing::{Choices, Network, PlannedMedia, PostPlan, Privacy, Publisher};
use nexus_engine::{DraftId, EnginePlatform, Hop};
use nexus_handler::{Batch, Entry, ErasedFunction};
use nexus_kernel::{Ambient, Chance, Digest, Language, Secret};
use nexus_outbound::{Parts, Transport};
use nexus_testkit::networks::{tiktok as pretended_tiktok, x as pretended_x};
use nexus_testkit::{MemoryPlatform, build, people};
use nexus_vendors_engine::{tiktok, x};
use serde_json::{Value, json};
use url::Url;

use crate::networks::{Plain, Wire, film};

/// Where people come back to.
const REDIRECT: &str = pretended_tiktok::REDIRECT;

/// Where a post goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A network that knows a repetition by its key.
    Keyed,
    /// X, by its client.
    X,
    /// TikTok, by its client.
    TikTok,
    /// A network that can say nothing.
    Mute,
}

impl Place {
    const ALL: [Self; 4] = [Self::Keyed, Self::X, Self::TikTok, Self::Mute];

    /// Whether anybody can find out what is there.
    pub(crate) fn can_be_asked(self) -> bool {
        self != Self::Mute
    }

    fn network(self) -> Network {
        match self {
            Self::Keyed => Network::Feed,
            Self::X => Network::X,
            Self::TikTok => Network::TikTok,
            // Its place is taken: it plays the part of the network that nobody can ask.
            Self::Mute => Network::Mastodon,
        }
    }
}

/// A post and where it goes.
pub(crate) struct Post {
    pub(crate) place: Place,
    pub(crate) effect: Effect<PostPlan>,
}

struct Approved {
    place: Place,
    scope: Scope,
    id: EffectId,
}

/// A message, and how often it came.
struct Letter {
    body: String,
    came: u32,
    failed: u32,
}

pub(crate) struct House {
    chance: Arc<dyn Chance>,
    faults: Faults,
    platform: MemoryPlatform,
    x: Arc<pretended_x::X>,
    tiktok: Arc<pretended_tiktok::TikTok>,
    keyed: Plain,
    mute: Plain,
    publish: Arc<dyn ErasedFunction>,
    relay: Arc<dyn ErasedFunction>,
    posts: Vec<Approved>,
    bag: Vec<Letter>,
    dead: Vec<String>,
}

impl House {
    pub(crate) async fn new(seed: u64) -> Self {
        let platform = MemoryPlatform::new();
        let clock = platform.ambient().clock;
        let chance = Ambient::seeded(Arc::clone(&clock), seed).chance;
        let faults = Faults::none();
        let x = Arc::new(pretended_x::X::open(clock).await.unwrap());
        let tiktok = Arc::new(pretended_tiktok::TikTok::open().await.unwrap());
        tiktok.change(|rules| rules.limits = false);
        let plain = |network, can_be_asked| Plain {
            network,
            can_be_asked,
            faults: faults.clone(),
            posts: Arc::default(),
        };
        let keyed = plain(Network::Feed, true);
        let mute = plain(Network::Mastodon, false);
        let (publish, relay) = functions(&platform, &faults, &x, &tiktok, [&keyed, &mute]);
        let mut house = Self {
            chance,
            faults,
            platform,
            x,
            tiktok,
            keyed,
            mute,
            publish,
            relay,
            posts: Vec::new(),
            bag: Vec::new(),
            dead: Vec::new(),
        };
        house.accounts().await;
        house.approve(seed).await;
        // What no function of ours ever sent: it is the one that may become a dead letter.
        house.bag.push(Letter { body: "poison".into(), came: 0, failed: 0 });
        house
    }

    fn drawn(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        u64::from_be_bytes(bytes) % below
    }

    fn person(tenant: u32) -> Caller {
        people::caller(&people::approver(people::tenant(tenant)))
    }

    fn connection(scope: &Scope, place: Place) -> ConnectionId {
        ConnectionId::derived(&[&scope.owner().to_string(), place.network().name()])
    }

    /// Connects what the first tenant posts to, by the real clients and without faults.
    async fn accounts(&mut self) {
        let (platform, now) = (&self.platform, self.platform.now());
        let vault = EnginePlatform::vault(platform, nexus_engine::platform::Access::Write);
        for (name, secret) in
            [("x", pretended_x::CLIENT_SECRET), ("tiktok", pretended_tiktok::CLIENT_SECRET)]
        {
            let name = SecretName::of_house(Product::Engine, name).unwrap();
            vault.rotate(&name, None, &Secret::new(secret.to_owned())).await.unwrap();
        }
        let wire = wire(&self.faults, &self.x, &self.tiktok);
        let (x, tiktok) = clients(platform, &vault, wire, &self.x, &self.tiktok);
        let logins: [(Place, Arc<dyn Login>); 2] = [(Place::X, x), (Place::TikTok, tiktok)];
        for tenant in [1, 2] {
            let scope = *Self::person(tenant).scope();
            for (place, login) in &logins {
                self.x.sign_in(tenant);
                let at = CallContext { scope, until: now + SignedDuration::from_mins(5) };
                let ask = Ask {
                    server: None,
                    redirect: REDIRECT.to_owned(),
                    state: Secret::new("state".repeat(9)),
                    verifier: Secret::new("verifier".repeat(8)),
                };
                let page = login.authorize(&at, &ask).await.unwrap();
                let back = match place {
                    Place::X => self.x.grant(&page),
                    _ => self.tiktok.consent(&page),
                };
                let back = Url::parse(&back.unwrap()).unwrap();
                let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1;
                let code = Secret::new(code.into_owned());
                let granted = login.exchange(&at, &ask, &code).await.unwrap();
                let refresh = granted.refresh.as_ref().map(|token| token.reveal().clone());
                let tokens = json!({ "access": granted.access.reveal(), "refresh": refresh });
                self.connect(&scope, *place, &tokens.to_string()).await;
            }
            self.connect(&scope, Place::Mute, r#"{"access":"a","refresh":null}"#).await;
        }
    }

    async fn connect(&self, scope: &Scope, place: Place, tokens: &str) {
        let now = self.platform.now();
        let connection = build::connection(Self::connection(scope, place), place.network(), now);
        self.platform.connect(scope, &connection, tokens).await;
    }

    /// Posts of both tenants to every place, due now or in a few minutes.
    async fn approve(&mut self, seed: u64) {
        let now = self.platform.now();
        let shown = film(seed);
        for tenant in [1, 2] {
            let (person, scope) = (Self::person(tenant), *Self::person(tenant).scope());
            for place in Place::ALL {
                let blob: BlobKey = scope.blob("made", &format!("{place:?}.mp4"));
                self.platform.blobs.put(&blob, shown.clone(), "video/mp4").await.unwrap();
                let connection = Some(Self::connection(&scope, place));
                let choices = Choices { privacy: Some(Privacy::Everyone), ..Choices::default() };
                let minutes = i64::try_from(self.drawn(5)).unwrap();
                let plan = PostPlan {
                    draft: DraftId::derived(&["draft"]),
                    revision: 1,
                    language: Language::En,
                    network: place.network(),
                    account: "shop".to_owned(),
                    connection: connection.filter(|_| place != Place::Keyed),
                    text: format!("Bread & butter <{tenant}> on {place:?}, {seed}"),
                    link: None,
                    media: Some(PlannedMedia {
                        blob,
                        digest: Digest::of(&shown),
                        content_type: "video/mp4".to_owned(),
                        size: shown.len() as u64,
                        duration_ms: 6_000,
                        alt: None,
                    }),
                    made_by_ai: false,
                    choices,
                    send_at: now + SignedDuration::from_mins(minutes),
                };
                let id = EffectId::derived(&["post", &tenant.to_string(), place.network().name()]);
                let digest = plan.digest();
                let mut effect = Effect::proposed(id, plan, person.subject(), now);
                let approver = Approver::of(&person).unwrap();
                approval::approve(&mut effect, approver, digest, now).unwrap();
                self.platform.put(&scope, &effect).await;
                self.posts.push(Approved { place, scope, id });
            }
        }
    }

    /// Some minutes in which everything may go wrong.
    pub(crate) async fn through_faults(&mut self) {
        for _ in 0..24 {
            match self.drawn(5) {
                0 | 1 => {
                    let (calls, how) = (self.drawn(40), self.fault());
                    self.faults.crash_in(usize::try_from(calls).unwrap(), how);
                }
                2 | 3 => {
                    let (seed, one_in) = (self.drawn(u64::MAX), 3 + self.drawn(12));
                    self.faults.go_wrong(seed, u8::try_from(one_in).unwrap());
                }
                _ => self.faults.revive(),
            }
            self.relay().await;
            self.take_letters().await;
            for _ in 0..self.drawn(8) {
                self.deliver_one().await;
            }
            if self.drawn(3) == 0 {
                self.start_anew();
            }
            let seconds = i64::try_from(self.drawn(40)).unwrap();
            self.platform.advance(SignedDuration::from_secs(seconds));
        }
    }

    /// Everything goes well from now on, and time passes until nothing is left to do.
    pub(crate) async fn until_all_is_known(&mut self) {
        self.faults.revive();
        self.start_anew();
        while self.is_something_left().await {
            self.relay().await;
            self.take_letters().await;
            while !self.bag.is_empty() {
                self.deliver_one().await;
            }
            self.platform.advance(SignedDuration::from_secs(60));
        }
    }

    /// Whether there is a message on its way or to be sent, or a post that something may still become of.
    async fn is_something_left(&self) -> bool {
        let over = |state: State| state.is_final() || state == State::AskAPerson;
        let rows = self.platform.rows().await;
        !self.bag.is_empty()
            || rows.iter().any(|row| row.kind == RecordKind::Outbox)
            || self.posts().await.iter().any(|post| !over(post.effect.state()))
    }

    fn fault(&self) -> Fault {
        if self.drawn(2) == 0 { Fault::Before } else { Fault::After }
    }

    /// The process was started again: what it had in memory is gone.
    fn start_anew(&mut self) {
        let plain = [&self.keyed, &self.mute];
        let made = functions(&self.platform, &self.faults, &self.x, &self.tiktok, plain);
        (self.publish, self.relay) = made;
    }

    async fn relay(&self) {
        // A run that fails is the next run's matter.
        self.relay.call(b"{}", self.platform.invocation()).await.ok();
    }

    /// Takes what waits in the queue into the bag.
    async fn take_letters(&mut self) {
        let queue = QueueAddress(Hop::Publish.name().to_owned());
        let visibility = std::time::Duration::from_secs(60);
        loop {
            let came = self.platform.queues.receive(&queue, 10, visibility).await.unwrap();
            if came.is_empty() {
                return;
            }
            let receipts: Vec<String> = came.iter().map(|m| m.receipt.clone()).collect();
            self.platform.queues.delete(&queue, &receipts).await.unwrap();
            self.bag.extend(came.into_iter().map(|m| Letter { body: m.body, came: 0, failed: 0 }));
        }
    }

    /// Delivers any message of the bag; it may come again, up to three times.
    async fn deliver_one(&mut self) {
        if self.bag.is_empty() {
            return;
        }
        let chosen = usize::try_from(self.drawn(self.bag.len() as u64)).unwrap();
        let mut letter = self.bag.swap_remove(chosen);
        letter.came += 1;
        let record = json!({
            "messageId": "0", "receiptHandle": "r", "body": letter.body,
            "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
        });
        let event = json!({ "Records": [record] }).to_string();
        let reply = self.publish.call(event.as_bytes(), self.platform.invocation()).await;
        let reply: Value = serde_json::from_str(reply.unwrap().get()).unwrap();
        let failed = !reply["batchItemFailures"].as_array().unwrap().is_empty();
        letter.failed += u32::from(failed);
        if letter.came < 3 && (failed || self.drawn(4) == 0) {
            self.bag.push(letter);
        } else if letter.failed >= 3 {
            self.dead.push(letter.body);
        }
    }

    pub(crate) async fn posts(&self) -> Vec<Post> {
        let mut posts = Vec::new();
        for Approved { place, scope, id } in &self.posts {
            let found = effect::load::<PostPlan>(&self.platform.table, scope, *id).await.unwrap();
            posts.push(Post { place: *place, effect: found.unwrap().record });
        }
        posts
    }

    /// How often a post is there, as anybody would see it.
    pub(crate) fn there(&self, post: &Post) -> usize {
        let (text, key) = (&post.effect.payload().text, post.effect.id.to_string());
        match post.place {
            Place::Keyed => self.keyed.there(&key) as usize,
            Place::Mute => self.mute.there(&key) as usize,
            Place::X => self.x.posts().iter().filter(|p| p.text == *text).count(),
            Place::TikTok => self.tiktok.posts().iter().filter(|p| p.text == *text).count(),
        }
    }

    /// Whether a person is asked about a post.
    pub(crate) async fn is_asked(&self, post: &Post) -> bool {
        let mut asked = false;
        for Approved { scope, id, .. } in &self.posts {
            let (open, page) = (effect::questions(scope), Page::first(100));
            let now = self.platform.now();
            let open = records::list::<Question>(&self.platform.table, &open, &page, now).await;
            let is = open.unwrap().records.iter().any(|q| q.record.effect == post.effect.id);
            asked |= *id == post.effect.id && is;
        }
        asked
    }

    /// No message, no outbox row and no lease is left over, and only poison died.
    pub(crate) async fn nothing_is_left(&self) {
        assert!(self.dead.iter().all(|body| body == "poison"), "{:?}", self.dead);
        assert_eq!(self.dead.len(), 1, "poison is not lost either");
        let rows = self.platform.rows().await;
        assert!(rows.iter().all(|row| row.kind != RecordKind::Outbox));
        assert!(self.x.wrong().is_empty(), "{:?}", self.x.wrong());
        assert!(self.tiktok.wrong().is_empty(), "{:?}", self.tiktok.wrong());
    }
}

fn wire(
    faults: &Faults,
    x: &Arc<pretended_x::X>,
    tiktok: &Arc<pretended_tiktok::TikTok>,
) -> Arc<dyn Transport> {
    Arc::new(Wire { x: Arc::clone(x), tiktok: Arc::clone(tiktok), faults: faults.clone() })
}

fn clients(
    platform: &MemoryPlatform,
    vault: &Arc<dyn Vault>,
    wire: Arc<dyn Transport>,
    pretended_x: &pretended_x::X,
    pretended_tiktok: &pretended_tiktok::TikTok,
) -> (Arc<x::X>, Arc<tiktok::TikTok>) {
    let parts = Parts {
        product: Product::Engine,
        ambient: platform.ambient(),
        table: EnginePlatform::table(platform, nexus_engine::platform::Access::Write),
        vault: Arc::clone(vault),
        transport: wire,
    };
    let settings = x::Settings {
        client_id: pretended_x::CLIENT_ID.to_owned(),
        authorize_base: Some(pretended_x.base()),
    };
    let x = x::X::new(parts.clone(), Some(pretended_x.base()), settings).unwrap();
    let settings = tiktok::Settings {
        client_key: pretended_tiktok::CLIENT_KEY.to_owned(),
        authorize_base: Some(pretended_tiktok.base()),
        media_base: None,
    };
    let tiktok = tiktok::TikTok::new(parts, Some(pretended_tiktok.base()), settings).unwrap();
    (Arc::new(x), Arc::new(tiktok))
}

/// The functions of a process that was just started, over stores and networks that fail as the faults have it.
fn functions(
    platform: &MemoryPlatform,
    faults: &Faults,
    pretended_x: &Arc<pretended_x::X>,
    pretended_tiktok: &Arc<pretended_tiktok::TikTok>,
    plain: [&Plain; 2],
) -> (Arc<dyn ErasedFunction>, Arc<dyn ErasedFunction>) {
    let (of_table, of_blobs, of_queues) = (faults.clone(), faults.clone(), faults.clone());
    let mut flaky = platform
        .clone()
        .with_table(|table| Arc::new(Flaky::new(table, of_table)))
        .with_blobs(|blobs| Arc::new(Flaky::new(blobs, of_blobs)))
        .with_queues(|queues| Arc::new(Flaky::new(queues, of_queues)));
    let vault: Arc<dyn Vault> = Arc::new(platform.vault.clone());
    let vault: Arc<dyn Vault> = Arc::new(Flaky::new(vault, faults.clone()));
    let wire = wire(faults, pretended_x, pretended_tiktok);
    let (x, tiktok) = clients(&flaky, &vault, wire, pretended_x, pretended_tiktok);
    flaky.logins = vec![Arc::clone(&x) as _, Arc::clone(&tiktok) as _];
    let [keyed, mute] = plain.map(|plain| Arc::new(plain.clone()) as Arc<dyn Publisher>);
    let publishers = vec![keyed, x as _, tiktok as _, mute];
    let flaky = flaky.with_publishers(publishers).with_vault(vault);
    let (wired, env): (&dyn EnginePlatform, _) = (&flaky, platform.env());
    let publish = Entry::event::<Batch<nexus_publish::Publish>, _>(wired, &env).unwrap();
    let relay = Entry::event::<nexus_relay::Relay, _>(wired, &env).unwrap();
    let (Entry::Event(publish), Entry::Event(relay)) = (publish, relay) else {
        panic!("they take events")
    };
    (publish, relay)
}
