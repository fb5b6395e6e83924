//! Engines that pretend: they give the same for the same, and write down what they were asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::{Approved, CallContext};
use nexus_engine::connections::Access;
use nexus_engine::copy::{Brief, Copy, Copywriter, Written};
use nexus_engine::media::MediaFacts;
use nexus_engine::narration::{Speech, Spoken};
use nexus_engine::publishing::{Medium, Network, PostPlan, Preflight, Publisher};
use nexus_engine::tagging::{Label, LabelKind, Labeller, Labels};
use nexus_engine::translation::Translator;
use nexus_kernel::{Digest, Failure, Language};

/// What an engine was asked, in order.
#[derive(Debug)]
pub struct Calls<C>(Mutex<Vec<C>>);

impl<C> Default for Calls<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Clone> Calls<C> {
    pub(crate) fn note(&self, call: C) {
        lock(&self.0).push(call);
    }

    /// All of them.
    pub fn all(&self) -> Vec<C> {
        lock(&self.0).clone()
    }
}

pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees a red loaf in every picture.
#[derive(Debug, Default)]
pub struct FakeLabeller {
    /// The digests of the previews it was shown.
    pub calls: Calls<Digest>,
}

#[async_trait]
impl Labeller for FakeLabeller {
    fn engine(&self) -> String {
        "fake labeller".into()
    }

    async fn label(&self, preview: Bytes, facts: &MediaFacts) -> Result<Labels, Failure> {
        self.calls.note(Digest::of(&preview));
        let label = |name: &str, kind, source: &str| Label {
            name: name.into(),
            kind,
            confidence: 0.9,
            source: source.into(),
        };
        let mut labels = vec![label("red", LabelKind::Colour, "fake")];
        labels.extend(facts.keywords.iter().map(|k| label(k, LabelKind::Keyword, "embedded")));
        Ok(Labels { labels, engine: self.engine() })
    }
}

/// Writes plain sentences about the product, in both languages at once.
#[derive(Debug)]
pub struct FakeCopywriter {
    name: &'static str,
    /// The briefs it was given.
    pub calls: Calls<Brief>,
    failures: Mutex<VecDeque<Failure>>,
}

impl Default for FakeCopywriter {
    fn default() -> Self {
        Self::named("fake copywriter")
    }
}

impl FakeCopywriter {
    /// One of this name.
    pub fn named(name: &'static str) -> Self {
        Self { name, calls: Calls::default(), failures: Mutex::default() }
    }

    /// Fails so at the next call that has no failure yet.
    pub fn fail(&self, failure: Failure) {
        lock(&self.failures).push_back(failure);
    }
}

#[async_trait]
impl Copywriter for FakeCopywriter {
    fn engine(&self) -> String {
        self.name.into()
    }

    async fn write(&self, _: &CallContext, brief: &Brief) -> Result<Written, Failure> {
        self.calls.note(brief.clone());
        if let Some(failure) = lock(&self.failures).pop_front() {
            return Err(failure);
        }
        let subject = brief.product.as_ref().map_or(&brief.voice.niche, |p| &p.name);
        let business = &brief.voice.business_name;
        let english =
            copy(&brief.networks, &format!("{subject} at {business}."), "Come and see it.");
        let spanish = copy(&brief.networks, &format!("{subject} en {business}."), "Ven a verlo.");
        Ok(Written { copy: english, paired: Some(spanish) })
    }
}

pub(crate) fn copy(networks: &[Network], about: &str, invitation: &str) -> Copy {
    Copy {
        captions: networks.iter().map(|n| (*n, about.to_owned())).collect::<BTreeMap<_, _>>(),
        description: about.to_owned(),
        hashtags: vec!["local".into(), "handmade".into()],
        video_prompt: about.to_owned(),
        script: vec![about.to_owned(), invitation.to_owned()],
    }
}

/// Puts `es: ` before every text.
#[derive(Debug, Default)]
pub struct FakeTranslator {
    /// The texts it was given.
    pub calls: Calls<Vec<String>>,
}

#[async_trait]
impl Translator for FakeTranslator {
    fn engine(&self) -> String {
        "fake translator".into()
    }

    fn is_rough(&self) -> bool {
        true
    }

    async fn translate(&self, texts: &[&str], _: &[String]) -> Result<Vec<String>, Failure> {
        self.calls.note(texts.iter().map(|t| (*t).to_owned()).collect());
        Ok(texts.iter().map(|t| format!("es: {t}")).collect())
    }
}

/// Gives a tone: 50 ms for every character, or 5 where it hurries.
#[derive(Debug)]
pub struct FakeSpeech {
    name: &'static str,
    paid: bool,
    /// What it was asked to say.
    pub calls: Calls<(Language, String)>,
    mute: Mutex<BTreeSet<Language>>,
    failures: Mutex<VecDeque<Failure>>,
    hurries: bool,
}

impl Default for FakeSpeech {
    fn default() -> Self {
        Self::of("fake voice", false, false)
    }
}

impl FakeSpeech {
    fn of(name: &'static str, paid: bool, hurries: bool) -> Self {
        let (calls, mute, failures) = Default::default();
        Self { name, paid, calls, mute, failures, hurries }
    }

    /// One of this name, whose sentences cost money.
    pub fn paid(name: &'static str) -> Self {
        Self::of(name, true, false)
    }

    /// One whose films are short.
    pub fn hurried() -> Self {
        Self::of("fake voice", false, true)
    }

    /// Fails so at the next sentence that has no failure yet.
    pub fn fail(&self, failure: Failure) {
        lock(&self.failures).push_back(failure);
    }

    /// From now on there is no voice for this language.
    pub fn mute(&self, language: Language) {
        lock(&self.mute).insert(language);
    }
}

#[async_trait]
impl Speech for FakeSpeech {
    fn engine(&self, language: Language) -> Option<String> {
        (!lock(&self.mute).contains(&language)).then(|| self.name.into())
    }

    fn absence(&self, language: Language) -> String {
        format!("There is no voice for {}.", language.own_name())
    }

    fn is_costly(&self) -> bool {
        self.paid
    }

    async fn say(
        &self,
        _: &CallContext,
        language: Language,
        sentence: &str,
    ) -> Result<Spoken, Failure> {
        self.calls.note((language, sentence.to_owned()));
        if let Some(failure) = lock(&self.failures).pop_front() {
            return Err(failure);
        }
        let length = sentence.chars().count().div_ceil(if self.hurries { 10 } else { 1 });
        Ok(Spoken { audio: tone(length), extension: "wav", marks: Vec::new() })
    }
}

/// A WAV file (16 bit, one channel, 16 kHz) of so many twentieths of a second.
fn tone(twentieths: usize) -> Bytes {
    const RATE: u32 = 16_000;
    let samples = u32::try_from(twentieths).unwrap_or(u32::MAX).saturating_mul(RATE / 20);
    let length = samples.saturating_mul(2);
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend(length.saturating_add(36).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend([1u16, 1].map(u16::to_le_bytes).concat());
    wav.extend([RATE, RATE * 2].map(u32::to_le_bytes).concat());
    wav.extend([2u16, 16].map(u16::to_le_bytes).concat());
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    // 400 Hz: of silence nobody can tell the loudness.
    let wave = [3_000i16, -3_000].into_iter().flat_map(|level| [level; 20]);
    wav.extend(wave.cycle().take(samples as usize).flat_map(i16::to_le_bytes));
    wav.into()
}

/// A post that reached the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The key that came with it.
    pub key: String,
    /// What was sent.
    pub plan: PostPlan,
    /// The digest of the video's bytes.
    pub video: Digest,
}

/// A network that takes everything, unless it was told to answer otherwise.
#[derive(Debug)]
pub struct FakePublisher {
    network: Network,
    /// What reached it, whatever it answered.
    pub published: Calls<Published>,
    /// The keys that were looked up.
    pub looked_up: Calls<String>,
    /// The posts that were asked about before they were sent.
    pub preflighted: Calls<PostPlan>,
    /// The tokens with which posts came.
    pub tokens: Calls<String>,
    outcomes: Mutex<VecDeque<Outcome>>,
    findings: Mutex<VecDeque<Found>>,
    preflights: Mutex<VecDeque<Preflight>>,
    /// How many calls it never answers.
    silent: Mutex<u32>,
}

impl FakePublisher {
    /// For this network.
    pub fn to(network: Network) -> Self {
        Self {
            network,
            published: Calls::default(),
            looked_up: Calls::default(),
            preflighted: Calls::default(),
            tokens: Calls::default(),
            outcomes: Mutex::default(),
            findings: Mutex::default(),
            preflights: Mutex::default(),
            silent: Mutex::default(),
        }
    }

    /// Answers so to the next post that has no answer yet.
    pub fn answer(&self, outcome: Outcome) {
        lock(&self.outcomes).push_back(outcome);
    }

    /// Says this of the next post that is asked about.
    pub fn say(&self, preflight: Preflight) {
        lock(&self.preflights).push_back(preflight);
    }

    /// Finds this at the next look that has no finding yet.
    pub fn find(&self, found: Found) {
        lock(&self.findings).push_back(found);
    }

    /// Takes the next post or look that comes, and never answers.
    pub fn hangs(&self) {
        *lock(&self.silent) += 1;
    }

    async fn answers(&self) {
        let left = lock(&self.silent).checked_sub(1);
        if let Some(left) = left {
            *lock(&self.silent) = left;
            std::future::pending().await
        }
    }

    /// Forgets what it was told to say, to answer and to find.
    pub fn forget(&self) {
        lock(&self.preflights).clear();
        lock(&self.outcomes).clear();
        lock(&self.findings).clear();
    }
}

fn receipt(key: &str) -> (String, Option<String>) {
    (format!("receipt-{key}"), Some(format!("https://network.example/{key}")))
}

#[async_trait]
impl Publisher for FakePublisher {
    fn network(&self) -> Network {
        self.network
    }

    async fn preflight(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        plan: &PostPlan,
    ) -> Result<Preflight, Failure> {
        self.preflighted.note(plan.clone());
        Ok(lock(&self.preflights).pop_front().unwrap_or_default())
    }

    async fn publish(
        &self,
        _: &CallContext,
        access: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Outcome {
        let key = approved.idempotency_key();
        let (plan, digest) = (approved.payload().clone(), Digest::of(&medium.bytes));
        if let Some(access) = access {
            self.tokens.note(access.token.reveal().clone());
        }
        self.published.note(Published { key: key.clone(), plan, video: digest });
        self.answers().await;
        lock(&self.outcomes).pop_front().unwrap_or_else(|| {
            let (receipt, url) = receipt(&key);
            Outcome::Done { receipt, url }
        })
    }

    async fn look_up(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found {
        let key = unsure.idempotency_key();
        self.looked_up.note(key.clone());
        self.answers().await;
        lock(&self.findings).pop_front().unwrap_or_else(|| {
            if !self.published.all().iter().any(|p| p.key == key) {
                return Found::NotDone;
            }
            let (receipt, url) = receipt(&key);
            Found::Done { receipt, url }
        })
    }
}
