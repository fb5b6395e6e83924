//! `nexus demo`

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nexus_core::Role;
use nexus_engine::draft::Stage;
use nexus_media::sniff;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api_client::{ApiClient, answer};
use super::serve::{callback, listeners, plan, stop_on_signals};
use super::{Complaint, Ended, Films, Where, demo_tenant};
use crate::host::Host;

/// The photo that is pushed through where none is given.
const PHOTO: &[u8] = include_bytes!("../../../../events/photos/coffee.png");
/// How often the draft is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// A photo or video to push through the line; may be given several times [default: a cup of coffee]
    #[arg(long, value_name = "FILE")]
    photo: Vec<PathBuf>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    films: Films,
    /// The port of the host's own pages; the APIs follow it
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Exit when the draft is ready
    #[arg(long)]
    once: bool,
    /// Print one JSON object with the draft, its texts, labels, engines and the paths of every artefact
    #[arg(long)]
    json: bool,
}

/// A draft that is ready, and where its artefacts lie.
struct Shown {
    draft: Value,
    artefacts: BTreeMap<String, PathBuf>,
    seconds: f64,
}

impl Demo {
    pub(super) async fn run(self) -> Ended {
        let stop = if self.once { CancellationToken::new() } else { stop_on_signals() };
        let port = if self.once { 0 } else { self.port };
        let listeners = listeners(&self.at, port).await?;
        let base = format!("http://{}", listeners.house.local_addr()?);
        let links = listeners.links()?;
        let callback = callback(&plan(&self.at)?, &listeners)?;
        let host = Arc::new(self.at.serving_host(base, self.films, callback).await?);
        let serving = tokio::spawn(Arc::clone(&host).serve(listeners, stop.clone()));
        let shown = tokio::select! {
            shown = self.push_through(&host) => shown,
            () = stop.cancelled() => Err(Complaint::new("stopped before the draft was ready; it goes on at the next start")),
        };
        match shown {
            Ok(shown) if self.json => anstream::println!("{}", as_json(&shown)),
            Ok(shown) => {
                self.tell(&shown);
                if !self.once {
                    anstream::println!();
                    for link in &links {
                        anstream::println!("{:<14} {}", link.name, link.href);
                    }
                    anstream::println!("\nThe host stays up. Stop it with Ctrl-C.");
                    stop.cancelled().await;
                }
            }
            Err(error) => {
                stop.cancel();
                serving.await??;
                return Err(error);
            }
        }
        if !self.once {
            stop.cancelled().await;
        }
        stop.cancel();
        serving.await??;
        Ok(())
    }

    async fn push_through(&self, host: &Arc<Host>) -> Result<Vec<Shown>, Complaint> {
        let api = ApiClient::new(host, demo_tenant(), Role::Operator);
        let product = prepare_tenant(&api).await?;
        let mut photos = Vec::new();
        for file in &self.photo {
            let bytes = fs::read(file)
                .map_err(|e| Complaint::new(format!("{} cannot be read: {e}", file.display())))?;
            photos
                .push((file.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes));
        }
        if photos.is_empty() {
            photos.push(("coffee.png".to_owned(), PHOTO.to_vec()));
        }
        let mut shown = Vec::new();
        for (name, bytes) in photos {
            let begun = Instant::now();
            let media = upload(host, &api, &product, &name, bytes).await?;
            let mut steps = Steps::new(&name, !self.json);
            let dead = dead_letters(host).await?;
            let draft = tokio::select! {
                draft = wait_for_draft(&api, &media, &mut steps) => draft?,
                failed = a_dead_letter(host, dead) => return Err(failed),
            };
            steps.done();
            let artefacts = export(host, &api, &draft, &self.at.data).await?;
            shown.push(Shown { draft, artefacts, seconds: begun.elapsed().as_secs_f64() });
        }
        Ok(shown)
    }

    fn tell(&self, all: &[Shown]) {
        for shown in all {
            let draft = &shown.draft;
            let id = draft["id"].as_str().unwrap_or_default();
            anstream::println!(
                "\nDraft {id} is ready after {:.1} s and waits for approval.\n",
                shown.seconds
            );
            for (language, words) in draft["words"].as_object().into_iter().flatten() {
                let engine = words["engine"].as_str().unwrap_or_default();
                anstream::println!("{language}  ({engine})");
                for caption in words["captions"].as_object().into_iter().flat_map(|c| c.values()) {
                    for line in caption.as_str().unwrap_or_default().lines() {
                        anstream::println!("    {line}");
                    }
                }
                let tags: Vec<String> = words["hashtags"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|t| Some(format!("#{}", t.as_str()?)))
                    .collect();
                anstream::println!("    {}\n", tags.join(" "));
            }
            for note in draft["notes"].as_array().into_iter().flatten() {
                anstream::println!("note  {}\n", note["text"].as_str().unwrap_or_default());
            }
            for (name, path) in &shown.artefacts {
                anstream::println!("{name:<18} {}", path.display());
            }
            let data = match self.at.data.to_str() {
                Some("data") | None => String::new(),
                Some(other) => format!(" --data {other}"),
            };
            anstream::println!(
                "\nApprove it, and it appears in the feed:  target/debug/nexus approve {id}{data}"
            );
        }
    }
}

/// The tenant of the demonstration, with an account and one product; the product's id.
async fn prepare_tenant(api: &ApiClient<'_>) -> Result<String, Complaint> {
    let (status, _) = api.get("/v1/account").await?;
    if status == StatusCode::NOT_FOUND {
        let account = json!({
            "email": "owner@example.com",
            "business_name": "Café Aurora",
            "niche": "coffee shop",
            "brand_voice": "warm and a little playful",
            "display_name": "Café Aurora",
        });
        api.send(Method::PUT, "/v1/account", &account).await?;
    }
    let (_, products) = api.get("/v1/products").await?;
    if let Some(id) =
        products["items"].as_array().and_then(|p| p.first()).and_then(|p| p["id"].as_str())
    {
        return Ok(id.to_owned());
    }
    let product = json!({
        "name": "Aurora Flat White",
        "description": "A double shot of our house espresso with steamed milk, served in a warm cup.",
        "description_es": "Un doble espresso de la casa con leche vaporizada, servido en taza caliente.",
        "vertical": "coffee",
        "keywords": ["coffee", "flat white", "espresso", "breakfast"],
        "price": { "minor": 420, "currency": "USD" },
        "url": "https://example.com/flat-white",
    });
    let made = api.send(Method::POST, "/v1/products", &product).await?;
    Ok(made["id"].as_str().unwrap_or_default().to_owned())
}

/// Uploads as a browser would: announces the medium, then puts its bytes to the signed address, or, where they are
/// many, part by part.
async fn upload(
    host: &Arc<Host>,
    api: &ApiClient<'_>,
    product: &str,
    name: &str,
    bytes: Vec<u8>,
) -> Result<String, Complaint> {
    let head = bytes.get(..bytes.len().min(sniff::HEAD)).unwrap_or_default();
    let found = sniff::sniff(head).ok_or_else(|| {
        Complaint::new(format!("{name} is of no known type: give a JPEG, PNG, WebP or GIF photo, or an MP4, MOV or WebM video"))
    })?;
    let announced =
        json!({ "content_type": found.mime(), "size": bytes.len(), "product": product });
    let answered = api.send(Method::POST, "/v1/media", &announced).await?;
    let id = answered["media"]["id"].as_str().unwrap_or_default().to_owned();
    let mut rest = Bytes::from(bytes);
    match answered["parts"].as_array() {
        None => put(host, name, &answered["upload"], rest).await?,
        Some(parts) => {
            for part in parts {
                let size = part["size"].as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.unwrap_or_default().min(rest.len());
                put(host, name, part, rest.split_to(size)).await?;
            }
            let path = format!("/v1/media/{id}/parts/join");
            api.send(Method::POST, &path, &Value::Null).await?;
        }
    }
    Ok(id)
}

/// Puts bytes by a signed request.
async fn put(host: &Arc<Host>, name: &str, signed: &Value, bytes: Bytes) -> Result<(), Complaint> {
    let mut request =
        Request::builder().method(Method::PUT).uri(signed["url"].as_str().unwrap_or_default());
    for (name, value) in signed["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    let (status, body) = answer(host.house(Vec::new()), request.body(Body::from(bytes))?).await?;
    if status.is_success() {
        return Ok(());
    }
    Err(Complaint::new(format!("{name} was not taken: {}", String::from_utf8_lossy(&body))))
}

/// How many messages nobody could handle.
async fn dead_letters(host: &Host) -> Result<u64, Complaint> {
    let queues = host.queue_status().await?;
    Ok(queues
        .iter()
        .filter(|q| q.is_dead_letter)
        .map(|q| q.depth.visible + q.depth.in_flight)
        .sum())
}

/// Waits for one more of them: then the draft will not come.
async fn a_dead_letter(host: &Host, before: u64) -> Complaint {
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        look.tick().await;
        match dead_letters(host).await {
            Ok(now) if now <= before => {}
            Ok(_) => {
                return Complaint::new(
                    "a step failed five times (see above); `nexus status` shows where",
                );
            }
            Err(error) => return error,
        }
    }
}

/// Waits until the medium's draft is ready, telling each step.
async fn wait_for_draft(
    api: &ApiClient<'_>,
    media: &str,
    steps: &mut Steps,
) -> Result<Value, Complaint> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut media = media.to_owned();
    let draft = loop {
        look.tick().await;
        let (_, seen) = api.get(&format!("/v1/media/{media}")).await?;
        match seen["state"].as_str() {
            Some("ready") => match seen["draft"].as_str() {
                Some(draft) => break draft.to_owned(),
                None => {
                    return Err(Complaint::new(
                        "sound alone is kept, and begins no draft: give a photo or a video",
                    ));
                }
            },
            Some("duplicate") => {
                seen["duplicate_of"].as_str().unwrap_or_default().clone_into(&mut media)
            }
            Some("rejected") => {
                let reason = seen["rejected_reason"].as_str().unwrap_or_default();
                return Err(Complaint::new(format!("the photo was rejected: {reason}")));
            }
            _ => {}
        }
    };
    steps.ingested();
    loop {
        let (status, seen) = api.get(&format!("/v1/drafts/{draft}")).await?;
        if status == StatusCode::OK {
            let stage = Stage::ALL.into_iter().find(|s| Some(s.name()) == seen["stage"].as_str());
            if let Some(stage) = stage {
                steps.reached(stage);
                if stage >= Stage::AwaitingApproval {
                    return Ok(seen);
                }
            }
        }
        look.tick().await;
    }
}

/// Copies what was made under names that a person can read.
async fn export(
    host: &Arc<Host>,
    api: &ApiClient<'_>,
    draft: &Value,
    data: &Path,
) -> Result<BTreeMap<String, PathBuf>, Complaint> {
    let folder = data.join("out").join(draft["id"].as_str().unwrap_or_default());
    fs::create_dir_all(&folder)?;
    let mut wanted: Vec<(String, String, Value)> = Vec::new();
    for (language, narration) in draft["narrations"].as_object().into_iter().flatten() {
        wanted.push((
            format!("narration {language}"),
            format!("narration-{language}.m4a"),
            narration["track"].clone(),
        ));
    }
    for (language, film) in draft["films"].as_object().into_iter().flatten() {
        wanted.push((
            format!("video {language}"),
            format!("video-{language}.mp4"),
            film["video"].clone(),
        ));
        wanted.push((
            format!("poster {language}"),
            format!("poster-{language}.jpg"),
            film["poster"].clone(),
        ));
    }
    let media = draft["media"].as_str().unwrap_or_default();
    let (_, media) = api.get(&format!("/v1/media/{media}")).await?;
    for rendition in media["renditions"].as_array().into_iter().flatten() {
        let size = format!("{}x{}", rendition["width"], rendition["height"]);
        wanted.push((
            format!("photo {size}"),
            format!("photo-{size}.jpg"),
            rendition["file"].clone(),
        ));
    }
    let mut artefacts = BTreeMap::new();
    for (name, file, link) in wanted {
        let request = Request::get(link["url"].as_str().unwrap_or_default()).body(Body::empty())?;
        let (status, bytes) = answer(host.house(Vec::new()), request).await?;
        if status.is_success() {
            let path = folder.join(file);
            fs::write(&path, bytes)?;
            artefacts.insert(name, path);
        }
    }
    Ok(artefacts)
}

fn as_json(all: &[Shown]) -> Value {
    let one = |shown: &Shown| {
        let draft = &shown.draft;
        let mut engines = BTreeMap::new();
        engines.insert("labels".to_owned(), draft["label_engine"].clone());
        for (part, name) in [("words", "words"), ("narrations", "narration"), ("films", "video")] {
            for (language, made) in draft[part].as_object().into_iter().flatten() {
                engines.insert(format!("{name} {language}"), made["engine"].clone());
            }
        }
        json!({
            "draft": draft["id"],
            "stage": draft["stage"],
            "digest": draft["proposal"]["digest"],
            "seconds": shown.seconds,
            "texts": draft["words"],
            "labels": draft["labels"],
            "notes": draft["notes"],
            "engines": engines,
            "artefacts": shown.artefacts,
        })
    };
    match all {
        [only] => one(only),
        several => json!({ "drafts": several.iter().map(one).collect::<Vec<_>>() }),
    }
}

/// The progress display: a line per step, with a spinner where somebody is looking.
struct Steps {
    bars: Option<(MultiProgress, ProgressBar)>,
    shown: Vec<Stage>,
    current: Option<(&'static str, Instant)>,
    wanted: bool,
}

impl Steps {
    fn new(name: &str, wanted: bool) -> Self {
        let bars = (wanted && io::stderr().is_terminal()).then(|| {
            let bars = MultiProgress::new();
            let bar = bars.add(
                ProgressBar::new_spinner().with_style(
                    ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                        .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                ),
            );
            bar.enable_steady_tick(Duration::from_millis(80));
            (bars, bar)
        });
        let mut steps = Self { bars, shown: Vec::new(), current: None, wanted };
        steps.line(name);
        steps.begin("ingest");
        steps
    }

    fn line(&self, text: &str) {
        if !self.wanted {
            return;
        }
        match &self.bars {
            Some((bars, _)) => bars.println(text).unwrap_or_default(),
            None => anstream::eprintln!("{text}"),
        }
    }

    fn begin(&mut self, step: &'static str) {
        self.current = Some((step, Instant::now()));
        if let Some((_, bar)) = &self.bars {
            bar.set_message(step);
            bar.reset_elapsed();
        }
    }

    fn end(&mut self) {
        if let Some((step, since)) = self.current.take() {
            self.line(&format!("  ✓ {step:<10} {:>5.1} s", since.elapsed().as_secs_f64()));
        }
    }

    fn ingested(&mut self) {
        self.end();
        self.begin(name(Stage::Tagging));
    }

    fn reached(&mut self, stage: Stage) {
        for passed in Stage::ALL.into_iter().filter(|s| *s < stage && *s < Stage::AwaitingApproval)
        {
            if !self.shown.contains(&passed) {
                if self.current.is_none_or(|(step, _)| step != name(passed)) {
                    self.begin(name(passed));
                }
                self.end();
                self.shown.push(passed);
            }
        }
        if stage < Stage::AwaitingApproval && self.current.is_none() {
            self.begin(name(stage));
        }
    }

    fn done(&mut self) {
        self.current = None;
        if let Some((_, bar)) = &self.bars {
            bar.finish_and_clear();
        }
    }
}

/// The function that works in a stage.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Tagging => "tag",
        Stage::Composing => "compose",
        Stage::Translating => "translate",
        Stage::Narrating => "narrate",
        Stage::Animating => "animate",
        Stage::AwaitingApproval | Stage::Approved | Stage::Rejected => "approve",
    }
}
