//! What clicks take, side by side with the best peers.
//!
//! `cargo run --profile machine -p nexus-bench --features clicks --bin clicks -- [geo|redirects|memory|counting|units]…
//! [--runs N] [--seconds N] [--clicks N] [--memory-clicks N] [--loaded]`
//!
//! * `geo`: look-ups of two fields beside libmaxminddb's (Debian's `libmaxminddb-dev`), in MaxMind's test database and in a
//!   generated one of the shape of GeoLite2 City.
//! * `redirects`: recorded redirects for each second of processor time beside nginx's `return 302` (Debian's `nginx-light`)
//!   and beside those of axum alone, with a window of 5 ms and after the commit; each of ours looks an address up, and is
//!   found recorded afterwards.
//! * `memory`: the server's memory over millions of clicks.
//! * `counting`: clicks that `attribute` writes in a second of one processor, and the bytes that they take, by table and
//!   index.
//! * `units`: the write units of DynamoDB that a click takes.
//!
//! Without a word of these, all. The server runs in a process of its own, so that the load is not counted. Ratios and
//! medians count: a number of its own says as much of the machine. Where something else runs on the machine, this refuses
//! unless `--loaded` says that it is known.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

mod counting;
mod geo;
mod ground;
mod load;
mod process;
mod redirects;
mod server;
mod units;

use std::error::Error;
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Above so many processes that run, what is measured is the others.
const QUIET: f64 = 0.7;

/// How much is measured.
struct Options {
    runs: u32,
    seconds: u64,
    clicks: u32,
    memory_clicks: u32,
    loaded: bool,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [what, folder, ack] = words.as_slice()
        && what == "serve"
    {
        return match ack.as_str() {
            redirects::BARE => server::serve_bare().await,
            _ => server::serve(Path::new(folder), ack).await,
        };
    }
    let mut options =
        Options { runs: 5, seconds: 5, clicks: 200_000, memory_clicks: 10_000_000, loaded: false };
    let mut wanted = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut number = || -> Outcome<u32> {
            let number = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
            Ok(number.ok_or_else(|| format!("`{word}` wants a number from 1 on"))?)
        };
        match word.as_str() {
            "--runs" => options.runs = number()?,
            "--seconds" => options.seconds = number()?.into(),
            "--clicks" => options.clicks = number()?,
            "--memory-clicks" => options.memory_clicks = number()?,
            "--loaded" => options.loaded = true,
            "geo" | "redirects" | "memory" | "counting" | "units" => wanted.push(word),
            _ => return Err(format!("`{word}` is no option; see the head of main.rs").into()),
        }
    }
    let before = process::load();
    println!("{}; load before (1 min): {before}", nexus_bench::measured::machine());
    if before > QUIET && !options.loaded {
        return Err(format!(
            "something else runs on this machine (load {before}, at most {QUIET}): what would be measured is that. Wait, or \
             say `--loaded` and claim nothing"
        )
        .into());
    }
    if options.loaded {
        println!("The machine is loaded: nothing below may be claimed.");
    }
    let folder = tempfile::tempdir()?;
    let all = wanted.is_empty();
    let is_wanted = |what: &str| all || wanted.iter().any(|word| word == what);
    if is_wanted("geo") {
        geo::run(folder.path())?;
    }
    if is_wanted("redirects") {
        redirects::run(folder.path(), &options).await?;
    }
    if is_wanted("memory") {
        redirects::memory(folder.path(), usize::try_from(options.memory_clicks)?).await?;
    }
    if is_wanted("counting") {
        counting::run(folder.path(), &options).await?;
    }
    if is_wanted("units") {
        units::run(folder.path()).await?;
    }
    println!("load after (1 min): {}", process::load());
    Ok(())
}
