//! Puts photos of 12 megapixels into the queue at once and lets the one-machine host take them through `ingest` and
//! `tag`: how fast, and how much memory the process takes at most. Then one photo of 100 megapixels alone.
//!
//! `cargo run --profile bench-run -p nexus-bench --features line --bin line`
//!
//! Each run is a process of its own, so that its peak is its own.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use nexus_bench::pictures;
use nexus_core::QueueAddress;
use nexus_kernel::Ambient;
use nexus_kernel::id::TenantId;
use nexus_local::engines::{Engines, Places};
use nexus_local::host::{Host, Options};
use nexus_local::serve::Listeners;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["run", count, width, height] = words.as_slice() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(run(count.parse()?, width.parse()?, height.parse()?));
    }
    println!(
        "{:>7} {:>13} {:>9} {:>10} {:>9}",
        "photos", "megapixels", "seconds", "photos/s", "peak MB"
    );
    for (count, width, height) in
        [(25, 4000, 3000), (100, 4000, 3000), (200, 4000, 3000), (1, 10_000, 10_000)]
    {
        let size = [count, width, height].map(|n: u32| n.to_string());
        let child = Command::new(std::env::current_exe()?).arg("run").args(size).status()?;
        if !child.success() {
            return Err(format!("the run with {count} photos failed").into());
        }
    }
    Ok(())
}

async fn run(count: u32, width: usize, height: usize) -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir()?;
    let template = fs::read_to_string(root.join("template.yaml"))?;
    // Nobody reads the queue behind `tag`, so that the work ends there.
    let template = template.replace(
        "Queue: !GetAtt ComposeQueue.Arn",
        "Enabled: false\n            Queue: !GetAtt ComposeQueue.Arn",
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = Places {
        path: std::env::split_paths(&path).collect(),
        tools: root.join(".tools"),
        fonts: root.join("infra/layers/ffmpeg/fonts"),
        ..Places::default()
    };
    let options = Options {
        data: folder.path().to_path_buf(),
        template,
        ambient: Ambient::system(),
        engines: Engines::locate(&places).await,
        settings: BTreeMap::new(),
        base: "http://127.0.0.1:8080".to_owned(),
    };
    let host = Arc::new(Host::open(options).await?);
    let jpeg = pictures::photo(width, height)?;
    for number in 0..count {
        upload(&host, pictures::numbered(&jpeg, number)).await?;
    }
    drop(jpeg);
    forget_peak();
    let (stop, begun) = (CancellationToken::new(), Instant::now());
    let listeners = Listeners::bind(0, std::iter::empty()).await?;
    let serving = tokio::spawn(Arc::clone(&host).serve(listeners, stop.clone()));
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while host.queues().depth(&QueueAddress("ComposeQueue".to_owned())).await?.visible
        < u64::from(count)
    {
        look.tick().await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{count:>7} {:>13.0} {seconds:>9.2} {:>10.1} {:>9.0}",
        width as f64 * height as f64 / 1e6,
        f64::from(count) / seconds,
        peak_mb()?
    );
    stop.cancel();
    serving.await??;
    Ok(())
}

/// Lets the kernel count the peak anew (Linux, proc(5): `clear_refs`).
fn forget_peak() {
    if let Err(error) = fs::write("/proc/self/clear_refs", "5") {
        println!("the peak before the run counts too: {error}");
    }
}

/// The most memory that this process has had in use, MB (10^6 bytes).
fn peak_mb() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}

async fn upload(host: &Arc<Host>, bytes: Vec<u8>) -> Outcome<()> {
    let group = format!("{}/operator", TenantId::derived(&["bench"]));
    let token =
        host.issuer().token("bench", &[group], Duration::from_secs(3600), host.ambient().now())?;
    let announced = json!({ "content_type": "image/jpeg", "size": bytes.len() });
    let request = Request::post("/v1/media")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(announced.to_string()))?;
    let answered: Value = serde_json::from_slice(&answer(host.api(), request).await?)?;
    let signed = &answered["upload"];
    let mut request = Request::put(signed["url"].as_str().ok_or("no address")?);
    for (name, value) in signed["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    answer(host.house(Vec::new()), request.body(Body::from(bytes))?).await?;
    Ok(())
}

async fn answer(router: Router, request: Request<Body>) -> Outcome<Vec<u8>> {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if !response.status().is_success() {
        return Err(format!("the host answered {}", response.status()).into());
    }
    Ok(axum::body::to_bytes(response.into_body(), usize::MAX).await?.to_vec())
}
