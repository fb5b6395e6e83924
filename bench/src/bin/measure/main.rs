//! What one photo takes on its way through the line, function by function: time, processor time, memory, and what is
//! asked of the stores, in the units in which AWS is paid. Then what the functions on a schedule take where there is
//! nothing to do.
//!
//! `cargo run --profile bench-run -p nexus-bench --features measure --bin measure -- [--photos N] [--write]`
//!
//! The functions are the deployed ones, the stores are in memory, the engines are this machine's; so no time of a
//! store or of a cloud service is in it. Of several photos the middle one of each function's times is told. `--write`
//! keeps the result in `bench/measured.json`, for `cost`.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

mod counting;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use nexus_bench::measured::{self, Measured, PhotoRun, Step};
use nexus_bench::pictures;
use nexus_bench::spread::Spread;
use nexus_core::table::Item;
use nexus_core::{Blobs, Gauge, QueueAddress, Queues, Sender, Table};
use nexus_engine::copy::Copywriter;
use nexus_engine::footage::FootageMaker;
use nexus_engine::media::{MediaClass, MediaId, upload_key};
use nexus_engine::narration::Speech;
use nexus_engine::platform::{Access, Area};
use nexus_engine::providers::{Choice, CopyProvider, SpeechProvider};
use nexus_engine::publishing::Publisher;
use nexus_engine::tagging::Labeller;
use nexus_engine::translation::Translator;
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{
    Batch, Entry, Env, ErasedFunction, Function, HttpFunction, Invocation, QueueFunction, Wire,
};
use nexus_kernel::{Ambient, Language};
use nexus_media::av::Ffmpeg;
use nexus_offline::image_facts::ImageFacts;
use nexus_offline::speech::OfflineSpeech;
use nexus_offline::template_copy::TemplateCopywriter;
use nexus_testkit::{MemoryPlatform, people};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;

use counting::{Count, Counted, Echo, Ledger};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Stores in memory, this machine's engines, both counted.
struct Counting {
    memory: MemoryPlatform,
    speech: Arc<dyn Speech>,
    ledger: Ledger,
}

impl Counting {
    fn new(speech: Arc<dyn Speech>) -> Self {
        let ledger = Ledger::default();
        let [table, blobs, queues] = [(); 3].map(|()| ledger.clone());
        let memory = MemoryPlatform::new()
            .with_table(|inner| Arc::new(Counted { inner, ledger: table }) as Arc<dyn Table>)
            .with_blobs(|inner| Arc::new(Counted { inner, ledger: blobs }) as Arc<dyn Blobs>)
            .with_queues(|inner| Arc::new(Counted { inner, ledger: queues }) as Arc<dyn Queues>);
        Self { memory, speech, ledger }
    }

    fn call(&self) -> Invocation {
        let deadline = Instant::now() + Duration::from_secs(900);
        Invocation { deadline, ..self.memory.invocation() }
    }

    /// The function of that name.
    fn function(&self, name: &str, env: &Env) -> Outcome<Arc<dyn ErasedFunction>> {
        let entry = match name {
            "ingest" => self.reading::<nexus_ingest::Ingest>(env),
            "tag" => self.reading::<nexus_tag::Tag>(env),
            "compose" => self.reading::<nexus_compose::Compose>(env),
            "translate" => self.reading::<nexus_translate::Translate>(env),
            "narrate" => self.reading::<nexus_narrate::Narrate>(env),
            "animate" => self.reading::<nexus_animate::Animate>(env),
            "publish" => self.reading::<nexus_publish::Publish>(env),
            "relay" => self.taking::<nexus_relay::Relay>(env),
            "retention-sweep" => self.taking::<nexus_retention_sweep::RetentionSweep>(env),
            "health" => self.taking::<nexus_health::Health>(env),
            "listen" => self.taking::<nexus_listen::Listen>(env),
            "recount" => self.taking::<nexus_recount::RecountClicks>(env),
            "refresh" => self.taking::<nexus_refresh::Refresh>(env),
            _ => return Err(format!("there is no `{name}`: name it here").into()),
        }?;
        match entry {
            Entry::Event(function) => Ok(function),
            Entry::Http(_) => Err(format!("`{name}` takes requests").into()),
        }
    }

    fn reading<Q>(&self, env: &Env) -> Outcome<Entry>
    where
        Q: QueueFunction,
        Batch<Q>: Function + Wire<dyn EnginePlatform, Deps = <Batch<Q> as Function>::Deps>,
    {
        self.taking::<Batch<Q>>(env)
    }

    fn taking<F>(&self, env: &Env) -> Outcome<Entry>
    where
        F: Function + Wire<dyn EnginePlatform, Deps = <F as Function>::Deps>,
    {
        Ok(Entry::event::<F, dyn EnginePlatform>(self, env)?)
    }
}

impl EnginePlatform for Counting {
    fn ambient(&self) -> Ambient {
        self.memory.ambient()
    }

    fn table(&self, access: Access) -> Arc<dyn Table> {
        self.memory.table(access)
    }

    fn blobs(&self, access: &[(Area, Access)]) -> Arc<dyn Blobs> {
        self.memory.blobs(access)
    }

    fn sender(&self, hop: Hop, address: QueueAddress) -> Sender {
        self.memory.sender(hop, address)
    }

    fn gauge(&self, address: QueueAddress) -> Gauge {
        self.memory.gauge(address)
    }

    fn labeller(&self) -> Arc<dyn Labeller> {
        Arc::new(ImageFacts)
    }

    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter> {
        Choice::of(CopyProvider::Template, Arc::new(TemplateCopywriter))
    }

    fn translator(&self) -> Option<Arc<dyn Translator>> {
        Some(Arc::new(Echo(self.ledger.clone())))
    }

    fn voices(&self) -> Choice<SpeechProvider, dyn Speech> {
        let inner = Arc::clone(&self.speech);
        let counted = Counted { inner, ledger: self.ledger.clone() };
        Choice::of(SpeechProvider::House, Arc::new(counted))
    }

    fn vault(&self, access: Access) -> Arc<dyn nexus_core::Vault> {
        EnginePlatform::vault(&self.memory, access)
    }

    fn logins(&self) -> Vec<Arc<dyn nexus_engine::connections::Login>> {
        self.memory.logins()
    }

    fn publishers(&self) -> Vec<Arc<dyn Publisher>> {
        self.memory.publishers()
    }

    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>> {
        self.memory.footage_makers()
    }

    fn locator(&self) -> Arc<dyn nexus_engine::clicks::Locator> {
        EnginePlatform::locator(&self.memory)
    }

    fn sentiment(&self) -> Arc<dyn nexus_engine::sentiment::Sentiment> {
        EnginePlatform::sentiment(&self.memory)
    }

    fn listeners(&self) -> Vec<Arc<dyn nexus_engine::comments::Listener>> {
        EnginePlatform::listeners(&self.memory)
    }

    fn bus(&self) -> Arc<dyn nexus_core::Bus> {
        EnginePlatform::bus(&self.memory)
    }

    fn mail(&self) -> Option<Arc<dyn nexus_core::mail::Mail>> {
        EnginePlatform::mail(&self.memory)
    }
}

/// Of every call of a function what it took.
type Taken = BTreeMap<String, Vec<Step>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let (mut photos, mut write) = (3, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--photos" => photos = words.next().ok_or("`--photos` wants a number")?.parse()?,
            "--write" => write = true,
            _ => return Err(format!("`{word}` is no option; see the head of main.rs").into()),
        }
    }
    if photos == 0 {
        return Err("`--photos` wants 1 or more".into());
    }
    let root = nexus_bench::root();
    let mut search = vec![root.join(".tools")];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let path = std::env::join_paths(&search)?.to_string_lossy().into_owned();
    let speech: Arc<dyn Speech> = Arc::new(OfflineSpeech::locate(None, None, &path).await);
    let ffmpeg = Ffmpeg::locate(None, &search).ok_or("there is no ffmpeg: run `make setup`")?;
    let scratch = tempfile::tempdir()?;
    let lossy = |path: &Path| path.to_string_lossy().into_owned();
    let settings = [
        ("FFMPEG", lossy(ffmpeg.program())),
        ("FONTS", lossy(&root.join("infra/layers/ffmpeg/fonts"))),
        ("SCRATCH", lossy(scratch.path())),
        ("VIDEO_PRESET", "full".to_owned()),
    ];
    let hops = Hop::ALL.map(|hop| (hop.setting(), hop.name().to_owned()));
    let env = Env::from_pairs(hops.into_iter().chain(settings));

    let run = line(photos, Arc::clone(&speech), &env).await?;
    let run = PhotoRun { idle: idle(&speech, &env).await?, ..run };
    report(&run);
    if write {
        let place = Measured::place();
        let mut measured = Measured::read(&place)?;
        measured.machine = measured::machine();
        measured.photo = Some(run);
        measured.write(&place)?;
    }
    Ok(())
}

/// So many photos, from their announcement to the publishing.
async fn line(photos: u32, speech: Arc<dyn Speech>, env: &Env) -> Outcome<PhotoRun> {
    let voices = [Language::En, Language::Es]
        .map(|language| speech.engine(language).unwrap_or("no voice".into()));
    let platform = Counting::new(speech);
    let deps = nexus_engine_api::EngineApi::wire(&platform as &dyn EnginePlatform, env)?;
    let api = nexus_engine_api::EngineApi::router(deps);
    let account = json!({
        "email": "ana@example.com", "business_name": "Café Aurora", "niche": "coffee shop",
        "brand_voice": "warm", "display_name": "Ana",
    });
    ask(&api, "PUT", "/v1/account", Some(account)).await?;
    let product = json!({
        "name": "House Espresso", "description": "A short, strong cup of our own roast.", "keywords": ["coffee"],
    });
    let product = ask(&api, "POST", "/v1/products", Some(product)).await?["id"].clone();

    let jpeg = pictures::photo(4000, 3000)?;
    let (mut taken, mut counted, mut seen) = (Taken::new(), Count::default(), BTreeMap::new());
    let (mut requests, before) = (0, platform.memory.rows().await);
    let (rows_before, blobs_before) = (weight(&before), blobs(&platform).await?);
    for number in 0..photos {
        let jpeg = pictures::numbered(&jpeg, number);
        let announced =
            json!({ "content_type": "image/jpeg", "size": jpeg.len(), "product": product });
        let gauge = Gauged::begin(&platform.ledger)?;
        let media = ask(&api, "POST", "/v1/media", Some(announced)).await?["media"]["id"].clone();
        let media = text(&media)?;
        ask(&api, "GET", &format!("/v1/media/{media}"), None).await?;
        let (mut api_step, _) = gauge.end()?;
        let scope = people::scope(people::tenant(1));
        let key = upload_key(&scope, MediaId::parse(&media)?, MediaClass::Photo);
        platform.memory.blobs.put(&key, jpeg.into(), "image/jpeg").await?;

        for name in ["ingest", "tag", "compose", "translate", "narrate", "animate"] {
            let bodies = match Hop::parse(name) {
                None => vec![notice(key.as_str())?],
                Some(hop) => new_messages(&platform, hop, &mut seen),
            };
            counted = step(&platform, name, env, bodies, &mut taken, counted).await?;
        }

        let gauge = Gauged::begin(&platform.ledger)?;
        let media = ask(&api, "GET", &format!("/v1/media/{media}"), None).await?;
        let draft = format!("/v1/drafts/{}", text(&media["draft"])?);
        ask(&api, "GET", "/v1/drafts", None).await?;
        let seen_draft = ask(&api, "GET", &draft, None).await?;
        let digest = json!({ "digest": seen_draft["proposal"]["digest"] });
        ask(&api, "POST", &format!("{draft}/approve"), Some(digest)).await?;
        ask(&api, "GET", "/v1/posts", None).await?;
        let (second, _) = gauge.end()?;
        requests = 7;
        api_step = both(api_step, &second);
        taken.entry("engine-api".into()).or_default().push(api_step);
        let bodies = new_messages(&platform, Hop::Publish, &mut seen);
        counted = step(&platform, "publish", env, bodies, &mut taken, counted).await?;
    }
    let each = |whole: u64| whole / u64::from(photos);
    let rows_after = weight(&platform.memory.rows().await);
    let blobs_after = blobs(&platform).await?;
    Ok(PhotoRun {
        of: format!(
            "a photo of 12 megapixels, videos of 1080x1920 in two languages, voices {} and {}",
            voices[0], voices[1]
        ),
        steps: taken.into_iter().map(|(name, steps)| (name, middle(&steps))).collect(),
        idle: BTreeMap::new(),
        api_requests: requests,
        sentences: each(counted.spoken.0),
        spoken_characters: each(counted.spoken.1),
        translated_characters: each(counted.translated),
        row_bytes: each(rows_after - rows_before),
        blob_bytes: each(blobs_after.0 - blobs_before.0),
        video_bytes: each(blobs_after.1 - blobs_before.1),
    })
}

/// One function with these messages, all counted as one call.
async fn step(
    platform: &Counting,
    name: &str,
    env: &Env,
    bodies: Vec<String>,
    taken: &mut Taken,
    mut counted: Count,
) -> Outcome<Count> {
    let (function, event) = (platform.function(name, env)?, batch(name, &bodies)?);
    let gauge = Gauged::begin(&platform.ledger)?;
    let reply = function.call(event.to_string().as_bytes(), platform.call()).await?;
    let (step, count) = gauge.end()?;
    if bodies.is_empty() || reply.get() != r#"{"batchItemFailures":[]}"# {
        return Err(format!("`{name}` with {} messages: {}", bodies.len(), reply.get()).into());
    }
    taken.entry(name.to_owned()).or_default().push(step);
    counted.spoken = (counted.spoken.0 + count.spoken.0, counted.spoken.1 + count.spoken.1);
    counted.translated += count.translated;
    Ok(counted)
}

/// What the functions on a schedule take where nothing is due, the second time.
async fn idle(speech: &Arc<dyn Speech>, env: &Env) -> Outcome<BTreeMap<String, Step>> {
    let mut steps = BTreeMap::new();
    let template = nexus_bench::template::Template::of_repository()?;
    let dead = |id: &&str| id.ends_with("DeadLetters");
    let queues: Vec<&str> = template.of_type("AWS::SQS::Queue").map(|(id, _)| id).collect();
    // As many as are deployed; which ones makes no difference to empty queues.
    let names = |count: usize, end: &str| {
        let names = Hop::ALL.iter().cycle().take(count).map(|hop| format!("{}{end}", hop.name()));
        names.collect::<Vec<_>>().join(" ")
    };
    let letters = queues.iter().filter(|id| dead(id)).count();
    let of_health =
        [("QUEUES", names(queues.len() - letters, "")), ("DEAD_LETTERS", names(letters, "-dead"))];
    let env = Env::from_pairs(
        Hop::ALL
            .map(|hop| (hop.setting(), hop.name().to_owned()))
            .into_iter()
            .chain(of_health)
            .chain(env.get("SCRATCH").map(|scratch| ("SCRATCH", scratch.to_owned()))),
    );
    for function in template.functions().iter().filter(|f| !f.schedules.is_empty()) {
        let platform = Counting::new(Arc::clone(speech));
        let made = platform.function(&function.binary, &env)?;
        made.call(b"{}", platform.call()).await?;
        let gauge = Gauged::begin(&platform.ledger)?;
        made.call(b"{}", platform.call()).await?;
        steps.insert(function.binary.clone(), gauge.end()?.0);
    }
    Ok(steps)
}

/// Measures from its beginning to its end.
struct Gauged<'l> {
    ledger: &'l Ledger,
    begun: Instant,
    processor: f64,
}

impl<'l> Gauged<'l> {
    fn begin(ledger: &'l Ledger) -> Outcome<Self> {
        ledger.take();
        // Lets the kernel count the peak anew (Linux, proc(5): `clear_refs`).
        fs::write("/proc/self/clear_refs", "5")?;
        Ok(Self { ledger, begun: Instant::now(), processor: processor_ms()? })
    }

    fn end(self) -> Outcome<(Step, Count)> {
        let wall_ms = self.begun.elapsed().as_secs_f64() * 1e3;
        let processor_ms = processor_ms()? - self.processor;
        let count = self.ledger.take();
        Ok((Step { wall_ms, processor_ms, peak_mb: peak_mb()?, asked: count.stores }, count))
    }
}

/// Processor time so far, of this process and of the programs that it ran; the kernel counts the latter in hundredths
/// of a second.
fn processor_ms() -> Outcome<f64> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    let own = own.tv_sec as f64 * 1e3 + own.tv_nsec as f64 / 1e6;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let children = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(own + 10.0 * children.sum::<Result<f64, _>>()?)
}

/// The most memory that this process has had in use, MB (10^6 bytes).
fn peak_mb() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// The call whose processor time is in the middle.
fn middle(steps: &[Step]) -> Step {
    let mut sorted = steps.to_vec();
    sorted.sort_by(|a, b| a.processor_ms.total_cmp(&b.processor_ms));
    let wall = Spread::of(&steps.iter().map(|s| s.wall_ms).collect::<Vec<_>>());
    let mut step = sorted.swap_remove(sorted.len() / 2);
    step.wall_ms = wall.map_or(step.wall_ms, |wall| wall.median);
    step
}

fn both(mut first: Step, second: &Step) -> Step {
    first.wall_ms += second.wall_ms;
    first.processor_ms += second.processor_ms;
    first.peak_mb = first.peak_mb.max(second.peak_mb);
    first.asked += second.asked;
    first
}

fn weight(rows: &[Item]) -> u64 {
    let places = |row: &Item| 1 + u64::from(row.due.is_some()) + u64::from(row.list.is_some());
    rows.iter().map(|row| row.weight() as u64 * places(row)).sum()
}

/// Bytes of all blobs, and of the videos among them.
async fn blobs(platform: &Counting) -> Outcome<(u64, u64)> {
    let (mut all, mut videos) = (0, 0);
    for key in platform.memory.blob_keys().await {
        let facts = platform.memory.blobs.head(&key).await?.ok_or("a blob went")?;
        all += facts.size;
        if facts.content_type == "video/mp4" {
            videos += facts.size;
        }
    }
    Ok((all, videos))
}

/// What came into a queue since this was asked last.
fn new_messages(platform: &Counting, hop: Hop, seen: &mut BTreeMap<Hop, usize>) -> Vec<String> {
    let (waiting, seen) = (platform.memory.waiting(hop), seen.entry(hop).or_default());
    let new = waiting.iter().skip(*seen).map(|message| message.body.clone()).collect();
    *seen = waiting.len();
    new
}

fn sample(name: &str) -> Outcome<Value> {
    let place = nexus_bench::root().join("events").join(format!("{name}.sqs.json"));
    Ok(serde_json::from_slice(&fs::read(Path::new(&place))?)?)
}

/// The sample of a function's event with these bodies.
fn batch(name: &str, bodies: &[String]) -> Outcome<Value> {
    let sample = sample(name)?;
    let record = |(number, body): (usize, &String)| {
        let mut record = sample["Records"][0].clone();
        record["messageId"] = json!(format!("message-{number}"));
        record["body"] = json!(body);
        record
    };
    Ok(json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() }))
}

/// The bucket's notice that something lies under a key.
fn notice(key: &str) -> Outcome<String> {
    let sample = sample("ingest")?;
    let mut notice: Value = serde_json::from_str(&text(&sample["Records"][0]["body"])?)?;
    notice["Records"][0]["s3"]["object"]["key"] = json!(key);
    Ok(notice.to_string())
}

fn text(value: &Value) -> Outcome<String> {
    Ok(value.as_str().ok_or_else(|| format!("{value} is no text"))?.to_owned())
}

/// A request of the API by somebody who may approve.
async fn ask(api: &Router, method: &str, path: &str, body: Option<Value>) -> Outcome<Value> {
    let request = Request::builder().method(method).uri(path);
    let request = request.extension(people::approver(people::tenant(1)));
    let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    let request = request.header("content-type", "application/json").body(body)?;
    let response = match api.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await?;
    if !status.is_success() {
        return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? })
}

fn report(run: &PhotoRun) {
    println!("{}\n", run.of);
    println!(
        "{:<17} {:>9} {:>9} {:>7}  {:>6} {:>6} {:>6}  {:>5} {:>5} {:>7}  {:>5}",
        "", "ms", "cpu ms", "MB", "table", "reads", "writes", "puts", "gets", "blob MB", "queue"
    );
    for (name, step) in run.steps.iter().chain(&run.idle) {
        let asked = &step.asked;
        println!(
            "{name:<17} {:>9.1} {:>9.1} {:>7.1}  {:>6} {:>6.1} {:>6.1}  {:>5} {:>5} {:>7.1}  {:>5}",
            step.wall_ms,
            step.processor_ms,
            step.peak_mb,
            asked.table_calls,
            asked.read_units,
            asked.write_units,
            asked.blob_puts,
            asked.blob_gets,
            asked.blob_bytes as f64 / 1e6,
            asked.queue_calls
        );
    }
    println!(
        "\n{} requests, {} sentences with {} characters, {} characters translated; {} kB of rows, {:.1} MB of blobs",
        run.api_requests,
        run.sentences,
        run.spoken_characters,
        run.translated_characters,
        run.row_bytes / 1000,
        run.blob_bytes as f64 / 1e6
    );
}
