//! The function on a platform, the people who buy, and a clip that a vendor may give.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;
use nexus_core::effect::{Effect, EffectId, Payload, State};
use nexus_core::{
    Approver, Condition, Envelope, Op, QueueAddress, Queues, Record, Scope, Sender, Table,
};
use nexus_engine::desk::Desk;
use nexus_engine::draft::Note;
use nexus_engine::footage::buying::{self, Wish};
use nexus_engine::footage::purchase::{FootageJob, Purchase, job_key};
use nexus_engine::hops::Footage;
use nexus_engine::{Draft, EnginePlatform, Hop, Media};
use nexus_footage::BuyFootage;
use nexus_handler::{Batch, Entry, Env, ErasedFunction};
use nexus_kernel::{Ambient, Failure};
use nexus_relay::Relay;
use nexus_testkit::footage::FakeFootageMaker;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::Value;

pub(crate) fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

/// The program that `FFMPEG` names, else the one that `make setup` put into `.tools`, else that of the machine.
pub(crate) fn ffmpeg() -> PathBuf {
    let configured = std::env::var_os("FFMPEG").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let search = [root.join(".tools/ffmpeg")].into_iter().chain(std::env::split_paths(&path));
    let found = search.flat_map(|p| [p.join("ffmpeg"), p]).find(|p| p.is_file());
    configured.or(found).expect("ffmpeg is missing: run `make setup`")
}

/// What ffmpeg makes of these arguments, as a file of this extension.
pub(crate) fn made(arguments: &[&str], extension: &str) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("made.{extension}"));
    let mut call = Command::new(ffmpeg());
    call.args(["-v", "error", "-f", "lavfi"]).args(arguments).arg(&file);
    assert!(call.status().unwrap().success());
    std::fs::read(file).unwrap().into()
}

/// A second of a moving test picture, with metadata that must not be kept.
pub(crate) fn clip() -> Bytes {
    static CLIP: OnceLock<Bytes> = OnceLock::new();
    let source = "testsrc2=size=72x128:rate=10:duration=1";
    let arguments =
        ["-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
    let secret = ["-metadata", "title=Planted-Secret"];
    CLIP.get_or_init(|| made(&[&arguments[..], &secret].concat(), "mp4")).clone()
}

/// The function on a platform.
pub(crate) struct House {
    pub(crate) platform: MemoryPlatform,
    function: Arc<dyn ErasedFunction>,
    relay: Arc<dyn ErasedFunction>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::on(MemoryPlatform::new())
    }

    pub(crate) fn on(platform: MemoryPlatform) -> Self {
        Self::with(platform, &[("FFMPEG", ffmpeg().to_string_lossy().into_owned())])
    }

    /// With these settings besides the queues.
    pub(crate) fn with(platform: MemoryPlatform, more: &[(&str, String)]) -> Self {
        platform.footage_maker.gives(clip());
        let queues = Hop::ALL.map(|hop| (hop.setting(), hop.name().to_owned()));
        let env = Env::from_pairs(queues.into_iter().chain(more.iter().cloned()));
        let wired: &dyn EnginePlatform = &platform;
        let event = |entry: Entry| match entry {
            Entry::Event(function) => function,
            Entry::Http(_) => panic!("it takes events"),
        };
        let function = event(Entry::event::<Batch<BuyFootage>, _>(wired, &env).unwrap());
        let relay = event(Entry::event::<Relay, _>(wired, &env).unwrap());
        Self { platform, function, relay }
    }

    pub(crate) fn maker(&self) -> &FakeFootageMaker {
        &self.platform.footage_maker
    }

    /// Delivers a batch; which of its messages failed.
    pub(crate) async fn deliver_bodies(&self, bodies: &[String]) -> Vec<usize> {
        self.platform.deliver(&*self.function, bodies).await
    }

    /// Delivers a message of one purchase of the first tenant; whether it went well.
    pub(crate) async fn deliver(&self, id: EffectId) -> bool {
        self.deliver_bodies(&[letter(&scope(), id)]).await.is_empty()
    }

    /// Delivers what waits in the queue and may be received now; how many messages that were.
    pub(crate) async fn receive(&self) -> usize {
        let (address, visibility) = (QueueAddress("footage".into()), Duration::from_secs(30));
        let taken = self.platform.queues.receive(&address, 10, visibility).await.unwrap();
        for message in &taken {
            if self.deliver_bodies(std::slice::from_ref(&message.body)).await.is_empty() {
                let receipt = std::slice::from_ref(&message.receipt);
                self.platform.queues.delete(&address, receipt).await.unwrap();
            }
        }
        taken.len()
    }

    /// Lets so much time pass, second by second, delivering what is due; at most so many deliveries.
    pub(crate) async fn live(&self, time: SignedDuration) {
        for _ in 0..time.as_secs() {
            while self.receive().await > 0 {}
            self.platform.advance(secs(1));
        }
        while self.receive().await > 0 {}
    }

    /// A run of the relay.
    pub(crate) async fn relay(&self) {
        self.relay.call(b"{}", self.platform.invocation()).await.unwrap();
    }

    pub(crate) fn sender(&self, hop: Hop) -> Sender {
        Sender::new(Arc::new(self.platform.queues.clone()), QueueAddress(hop.name().into()))
    }

    pub(crate) async fn finished(&self) -> (Media, Draft) {
        build::finished(&self.platform, &scope(), build::media_id(1)).await
    }

    /// An offer, as a person asked for it.
    pub(crate) async fn offered(&self, draft: &Draft, number: u32) -> Effect<Purchase> {
        let id = EffectId::derived(&["purchase", &number.to_string()]);
        let makers = self.platform.footage_makers();
        let person = Person::new(&self.platform);
        let (desk, wish) = (person.desk(&self.platform), Wish::default());
        let blobs = &self.platform.blobs;
        buying::ask(&desk, blobs, &makers, id, draft.id, &wish).await.unwrap()
    }

    /// A purchase that a person approved, and whose message waits in the queue.
    pub(crate) async fn approved(&self, draft: &Draft, number: u32) -> Effect<Purchase> {
        let offer = self.offered(draft, number).await;
        self.approve(&offer).await.unwrap()
    }

    pub(crate) async fn approve(
        &self,
        offer: &Effect<Purchase>,
    ) -> Result<Effect<Purchase>, Failure> {
        let person = Person::new(&self.platform);
        let caller = people::caller(&people::approver(people::tenant(1)));
        let (approver, seen) = (Approver::of(&caller).unwrap(), offer.payload().digest());
        let desk = person.desk(&self.platform);
        buying::approve(&desk, offer.id, approver, seen, &self.sender(Hop::Footage)).await
    }

    pub(crate) async fn cancel(&self, id: EffectId) -> Result<Effect<Purchase>, Failure> {
        let person = Person::new(&self.platform);
        buying::cancel(&person.desk(&self.platform), id, &self.sender(Hop::Footage)).await
    }

    /// A purchase that the vendor took, and its draft.
    pub(crate) async fn taken(&self) -> (Draft, Effect<Purchase>) {
        let (_, draft) = self.finished().await;
        let purchase = self.approved(&draft, 1).await;
        assert_eq!(self.receive().await, 1);
        assert_eq!(self.state(&purchase).await, State::Done);
        (draft, purchase)
    }

    pub(crate) async fn now_of(&self, effect: &Effect<Purchase>) -> Effect<Purchase> {
        let effect = self.platform.load(&scope(), effect).await.unwrap();
        assert!(effect.history_is_whole());
        effect
    }

    pub(crate) async fn state(&self, effect: &Effect<Purchase>) -> State {
        self.now_of(effect).await.state()
    }

    pub(crate) async fn job(&self, effect: &Effect<Purchase>) -> Option<FootageJob> {
        let row = self.platform.table.get(&job_key(&scope(), effect.id)).await.unwrap()?;
        Some(nexus_core::records::read::<FootageJob>(&row).unwrap().record)
    }

    /// The word for how far the job is.
    pub(crate) async fn job_state(&self, effect: &Effect<Purchase>) -> &'static str {
        self.job(effect).await.unwrap().state.name()
    }

    pub(crate) async fn draft(&self, like: &Draft) -> Draft {
        self.platform.load(&scope(), like).await.unwrap()
    }

    /// What the draft tells of footage.
    pub(crate) async fn notes(&self, like: &Draft) -> Vec<Note> {
        self.draft(like).await.notes
    }

    /// Changes a row of a purchase behind everybody's back.
    pub(crate) async fn tamper(&self, effect: &Effect<Purchase>, pointer: &str, value: Value) {
        let key = effect.key(&scope());
        let mut item = self.platform.table.get(&key).await.unwrap().unwrap();
        let mut body: Value = serde_json::from_str(&item.body).unwrap();
        let place = body.pointer_mut(pointer).unwrap();
        assert_ne!(*place, value, "{pointer}");
        *place = value;
        item.body = body.to_string();
        self.platform.commit(vec![Op::Put { item, when: Condition::Present }]).await;
    }
}

/// Who works at a desk: what it borrows.
struct Person {
    ambient: Ambient,
    scope: Scope,
}

impl Person {
    fn new(platform: &MemoryPlatform) -> Self {
        Self { ambient: platform.ambient(), scope: scope() }
    }

    fn desk<'d>(&'d self, platform: &'d MemoryPlatform) -> Desk<'d> {
        Desk {
            table: &platform.table,
            scope: &self.scope,
            by: "usr-approver",
            trace: "trace",
            ambient: &self.ambient,
        }
    }
}

pub(crate) fn letter(scope: &Scope, effect: EffectId) -> String {
    Envelope::seal(scope, "trace", &Footage { effect }).unwrap()
}

/// The codes of notes.
pub(crate) fn codes(notes: &[Note]) -> Vec<&str> {
    notes.iter().map(|n| n.code.as_str()).collect()
}
