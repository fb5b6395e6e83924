use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use nexus_contract::START;
use nexus_contract::memory::{MemoryBlobs, MemoryBus, MemoryQueues, MemoryTable, MemoryVault};
use nexus_core::approval::{self, Claiming, Redeemed};
use nexus_core::effect::{EffectId, Payload};
use nexus_core::mail::Mail;
use nexus_core::queues::{Message, QueueSettings};
use nexus_core::table::{Item, Page};
use nexus_core::{
    BlobKey, Blobs, Bus, Endings, Envelope, Gauge, Op, QueueAddress, Queues, Record, Scope, Sender,
    Table, Vault, records,
};
use nexus_engine::clicks::{Locator, Unlocated};
use nexus_engine::comments::Listener;
use nexus_engine::connections::{Connection, Login};
use nexus_engine::copy::Copywriter;
use nexus_engine::footage::FootageMaker;
use nexus_engine::narration::Speech;
use nexus_engine::platform::{Access, Area};
use nexus_engine::providers::{Choice, CopyProvider, SpeechProvider};
use nexus_engine::publishing::{Network, Publisher};
use nexus_engine::sentiment::Sentiment;
use nexus_engine::tagging::Labeller;
use nexus_engine::translation::Translator;
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Env, ErasedFunction, Invocation};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Ambient, Clock, Failure, Secret, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fakes::{FakeCopywriter, FakeLabeller, FakePublisher, FakeSpeech, FakeTranslator};
use crate::footage::FakeFootageMaker;
use crate::mail::FakeMail;
use crate::sentiment::FakeSentiment;

/// After how many receives a message of the platform's queues is dead.
const RECEIVES: u32 = 3;

/// The Engine's platform in memory. Clones share everything; a fresh one shares nothing.
#[derive(Clone)]
pub struct MemoryPlatform {
    clock: ManualClock,
    ambient: Ambient,
    /// The table, true and up to date.
    pub table: MemoryTable,
    /// The blobs.
    pub blobs: MemoryBlobs,
    /// The queues: each hop's under the hop's name, and its dead letters under the name and `-dead`.
    pub queues: MemoryQueues,
    /// Who labels photos.
    pub labeller: Arc<FakeLabeller>,
    /// Who writes words.
    pub copywriter: Arc<FakeCopywriter>,
    /// Who translates; `None` is nobody.
    pub translator: Option<Arc<FakeTranslator>>,
    /// Who speaks.
    pub speech: Arc<FakeSpeech>,
    /// Who writes words for those who choose Gemini.
    pub gemini: Arc<FakeCopywriter>,
    /// Who speaks for those who choose ElevenLabs.
    pub elevenlabs: Arc<FakeSpeech>,
    /// Who carries posts to the feed.
    pub publisher: Arc<FakePublisher>,
    /// Who carries posts to networks, where it is not the feed's publisher alone.
    networks: Option<Vec<Arc<dyn Publisher>>>,
    /// Who connects accounts there.
    pub logins: Vec<Arc<dyn Login>>,
    /// The vault.
    pub vault: MemoryVault,
    /// Who makes footage.
    pub footage_maker: Arc<FakeFootageMaker>,
    /// Who tells where an address is.
    pub locator: Arc<dyn Locator>,
    /// Who tells how a text sounds.
    pub sentiment: Arc<dyn Sentiment>,
    /// Who reads comments.
    pub listeners: Vec<Arc<dyn Listener>>,
    /// What was told to the bus.
    pub bus: MemoryBus,
    /// Who carries mail; `None` is nobody.
    pub mail: Option<Arc<FakeMail>>,
    /// What has to be done before the process ends.
    pub endings: Endings,
    /// The vault that functions get.
    handed_vault: Arc<dyn Vault>,
    /// The bus that functions get.
    handed_bus: Arc<dyn Bus>,
    /// What functions get.
    handed: (Arc<dyn Table>, Arc<dyn Blobs>, Arc<dyn Queues>),
}

impl fmt::Debug for MemoryPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPlatform").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Default for MemoryPlatform {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryPlatform {
    /// A platform whose clock shows [`START`] and whose chance follows from the seed 1.
    pub fn new() -> Self {
        let clock = ManualClock::at(START);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let queues = Hop::ALL
            .map(|hop| QueueSettings::plain(address(hop)).giving_up(RECEIVES, dead_letters(hop)));
        let ambient = Ambient::seeded(Arc::clone(&shared), 1);
        let table = MemoryTable::new(Arc::clone(&shared));
        let vault = MemoryVault::new(ambient.clone());
        let bus = MemoryBus::default();
        let blobs = MemoryBlobs::new(Arc::clone(&shared));
        let queues = MemoryQueues::new(queues.into(), shared);
        Self {
            handed: (Arc::new(table.clone()), Arc::new(blobs.clone()), Arc::new(queues.clone())),
            ambient,
            table,
            blobs,
            queues,
            labeller: Arc::default(),
            copywriter: Arc::default(),
            gemini: Arc::new(FakeCopywriter::named("gemini")),
            translator: None,
            speech: Arc::default(),
            elevenlabs: Arc::new(FakeSpeech::paid("elevenlabs")),
            publisher: Arc::new(FakePublisher::to(Network::Feed)),
            networks: None,
            logins: Vec::new(),
            handed_vault: Arc::new(vault.clone()),
            vault,
            footage_maker: Arc::new(FakeFootageMaker::named("runway")),
            locator: Arc::new(Unlocated),
            sentiment: Arc::new(FakeSentiment),
            listeners: Vec::new(),
            handed_bus: Arc::new(bus.clone()),
            bus,
            mail: Some(Arc::default()),
            endings: Endings::default(),
            clock,
        }
    }

    /// The same platform, whose functions get the table in a wrapper: one that fails, or whose indexes lag.
    #[must_use]
    pub fn with_table(mut self, wrap: impl FnOnce(Arc<dyn Table>) -> Arc<dyn Table>) -> Self {
        self.handed.0 = wrap(self.handed.0);
        self
    }

    /// The same platform, whose functions get the blobs in a wrapper.
    #[must_use]
    pub fn with_blobs(mut self, wrap: impl FnOnce(Arc<dyn Blobs>) -> Arc<dyn Blobs>) -> Self {
        self.handed.1 = wrap(self.handed.1);
        self
    }

    /// The same platform, whose functions get the queues in a wrapper.
    #[must_use]
    pub fn with_queues(mut self, wrap: impl FnOnce(Arc<dyn Queues>) -> Arc<dyn Queues>) -> Self {
        self.handed.2 = wrap(self.handed.2);
        self
    }

    /// The same platform, whose functions get another vault: one that fails.
    #[must_use]
    pub fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        Self { handed_vault: vault, ..self }
    }

    /// The same platform, whose functions get the bus in a wrapper.
    #[must_use]
    pub fn with_bus(mut self, wrap: impl FnOnce(Arc<dyn Bus>) -> Arc<dyn Bus>) -> Self {
        self.handed_bus = wrap(self.handed_bus);
        self
    }

    /// The same platform, with these networks and no other.
    #[must_use]
    pub fn with_publishers(self, publishers: Vec<Arc<dyn Publisher>>) -> Self {
        Self { networks: Some(publishers), ..self }
    }

    /// The same platform, with another who tells how texts sound.
    #[must_use]
    pub fn with_sentiment(self, sentiment: Arc<dyn Sentiment>) -> Self {
        Self { sentiment, ..self }
    }

    /// The same platform, with these who read comments and no other.
    #[must_use]
    pub fn with_listeners(self, listeners: Vec<Arc<dyn Listener>>) -> Self {
        Self { listeners, ..self }
    }

    /// The settings that every function finds: where the queues are.
    pub fn env(&self) -> Env {
        Env::from_pairs(Hop::ALL.map(|hop| (hop.setting(), hop.name())))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets so much time pass.
    pub fn advance(&self, by: SignedDuration) {
        self.clock.move_to(self.now().saturating_add(by).unwrap_or(Timestamp::MAX));
    }

    /// Puts a connected account with its tokens, as they stand in the vault: `{"access":"…","refresh":null}`.
    ///
    /// # Panics
    /// The account has tokens already.
    pub async fn connect(&self, scope: &Scope, connection: &Connection, tokens: &str) {
        let name = connection.secret(scope).expect("a name");
        self.vault
            .rotate(&name, None, &Secret::new(tokens.to_owned()))
            .await
            .expect("no tokens yet");
        self.put(scope, connection).await;
    }

    /// Delivers bodies to a function of messages in one batch, as SQS does; which of them it gave back.
    ///
    /// # Panics
    /// The call failed, or its answer is no answer to a batch.
    pub async fn deliver(&self, function: &dyn ErasedFunction, bodies: &[String]) -> Vec<usize> {
        let record = |(n, body): (usize, &String)| {
            json!({
                "messageId": n.to_string(), "receiptHandle": "r", "body": body,
                "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
            })
        };
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        let event = json!({ "Records": records }).to_string();
        let reply = function.call(event.as_bytes(), self.invocation()).await.expect("an answer");
        let reply: Value = serde_json::from_str(reply.get()).expect("JSON");
        let failed = reply["batchItemFailures"].as_array().expect("an answer to a batch").iter();
        failed
            .map(|f| {
                f["itemIdentifier"]
                    .as_str()
                    .and_then(|id| id.parse().ok())
                    .expect("a message of ours")
            })
            .collect()
    }

    /// A call of a function that begins now and has 30 seconds.
    pub fn invocation(&self) -> Invocation {
        Invocation {
            request_id: "request".into(),
            trace: "trace".into(),
            now: self.now(),
            deadline: tokio::time::Instant::now() + Duration::from_secs(30),
            measures: Arc::default(),
        }
    }

    /// Claims an effect for so long, in a function's name.
    ///
    /// # Errors
    /// As [`approval::redeem`].
    pub async fn redeem<P: Payload>(
        &self,
        scope: &Scope,
        id: EffectId,
        by: &str,
        lease: SignedDuration,
    ) -> Result<Redeemed<P>, Failure> {
        let now = self.now();
        let lease = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
        let (table, ids) = (Arc::new(self.table.clone()) as Arc<dyn Table>, &*self.ambient.ids);
        let claiming = Claiming { by, ids, now, lease, gate: Vec::new() };
        approval::redeem(&table, scope, id, claiming).await
    }

    /// Writes records, whatever stands there.
    ///
    /// # Panics
    /// The table refuses them.
    pub async fn put<R: Record>(&self, scope: &Scope, record: &R) {
        self.commit(vec![records::write(scope, record)]).await;
    }

    /// Commits.
    ///
    /// # Panics
    /// The table refuses it.
    pub async fn commit(&self, ops: Vec<Op>) {
        self.table.commit(ops, None).await.expect("the commit succeeds");
    }

    /// The record that stands where this one would.
    ///
    /// # Panics
    /// The row cannot be read.
    pub async fn load<R: Record>(&self, scope: &Scope, like: &R) -> Option<R> {
        let found = records::load::<R>(&self.table, &like.key(scope), self.now()).await;
        found.expect("the row can be read").map(|stored| stored.record)
    }

    /// Every row that stands, expired ones too, in the order of their keys.
    ///
    /// # Panics
    /// The memory never fails.
    pub async fn rows(&self) -> Vec<Item> {
        let (mut rows, mut page) = (Vec::new(), Page::first(1_000));
        loop {
            let slice = self.table.scan(&page).await.expect("the memory answers");
            rows.extend(slice.items);
            match slice.next {
                Some(next) => page = Page::after(1_000, Some(next)),
                None => return rows,
            }
        }
    }

    /// Every blob that stands, in order.
    ///
    /// # Panics
    /// The memory never fails.
    pub async fn blob_keys(&self) -> Vec<BlobKey> {
        let (mut keys, mut page) = (Vec::new(), Page::first(1_000));
        loop {
            let slice = self.blobs.list("", &page).await.expect("the memory answers");
            keys.extend(slice.blobs.into_iter().map(|b| b.key));
            match slice.next {
                Some(next) => page = Page::after(1_000, Some(next)),
                None => return keys,
            }
        }
    }

    /// What waits for a function, oldest first.
    pub fn waiting(&self, hop: Hop) -> Vec<Message> {
        self.queues.waiting(&address(hop))
    }

    /// What waits for a function, opened: whose it is and what it says.
    ///
    /// # Panics
    /// A message says something else.
    pub fn letters<M: DeserializeOwned>(&self, hop: Hop) -> Vec<(Scope, M)> {
        let opened = self.waiting(hop).into_iter().map(|m| {
            let (envelope, message) = Envelope::open(&m.body).expect("a message of this hop");
            (*envelope.scope(), message)
        });
        opened.collect()
    }
}

/// Where a hop's queue is.
fn address(hop: Hop) -> QueueAddress {
    QueueAddress(hop.name().to_owned())
}

fn dead_letters(hop: Hop) -> QueueAddress {
    QueueAddress(format!("{}-dead", hop.name()))
}

impl EnginePlatform for MemoryPlatform {
    fn ambient(&self) -> Ambient {
        self.ambient.clone()
    }

    fn table(&self, _: Access) -> Arc<dyn Table> {
        Arc::clone(&self.handed.0)
    }

    fn blobs(&self, _: &[(Area, Access)]) -> Arc<dyn Blobs> {
        Arc::clone(&self.handed.1)
    }

    fn sender(&self, _: Hop, address: QueueAddress) -> Sender {
        Sender::new(Arc::clone(&self.handed.2), address)
    }

    fn gauge(&self, address: QueueAddress) -> Gauge {
        Gauge::new(Arc::clone(&self.handed.2), address)
    }

    fn labeller(&self) -> Arc<dyn Labeller> {
        Arc::clone(&self.labeller) as _
    }

    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter> {
        let house = Choice::of(CopyProvider::Template, Arc::clone(&self.copywriter) as _);
        house.and(CopyProvider::Gemini, Arc::clone(&self.gemini) as _)
    }

    fn translator(&self) -> Option<Arc<dyn Translator>> {
        self.translator.as_ref().map(|t| Arc::clone(t) as _)
    }

    fn voices(&self) -> Choice<SpeechProvider, dyn Speech> {
        let house = Choice::of(SpeechProvider::House, Arc::clone(&self.speech) as _);
        house.and(SpeechProvider::ElevenLabs, Arc::clone(&self.elevenlabs) as _)
    }

    fn vault(&self, _: Access) -> Arc<dyn Vault> {
        Arc::clone(&self.handed_vault)
    }

    fn logins(&self) -> Vec<Arc<dyn Login>> {
        self.logins.clone()
    }

    fn publishers(&self) -> Vec<Arc<dyn Publisher>> {
        self.networks.clone().unwrap_or_else(|| vec![Arc::clone(&self.publisher) as _])
    }

    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>> {
        vec![Arc::clone(&self.footage_maker) as _]
    }

    fn locator(&self) -> Arc<dyn Locator> {
        Arc::clone(&self.locator)
    }

    fn sentiment(&self) -> Arc<dyn Sentiment> {
        Arc::clone(&self.sentiment)
    }

    fn listeners(&self) -> Vec<Arc<dyn Listener>> {
        self.listeners.clone()
    }

    fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.handed_bus)
    }

    fn mail(&self) -> Option<Arc<dyn Mail>> {
        self.mail.as_ref().map(|mail| Arc::clone(mail) as _)
    }

    fn endings(&self) -> Endings {
        self.endings.clone()
    }
}
