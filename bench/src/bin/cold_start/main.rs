//! How long each function takes from the start of its process until it asks for its first event, and from that event
//! to its answer; beside a hello world in Rust (the floor), Python with boto3 and Node with the SDK.
//!
//! ```text
//! cargo build --profile bench-run -p nexus-engine-api -p nexus-ingest … \
//!     -p nexus-bench --features nexus-bench/cold-start
//! cargo run --profile bench-run -p nexus-bench --features cold-start --bin cold_start -- [--runs N] [--only A,B]
//!     [--beside FOLDER] [--without-peers] [--write]
//! ```
//!
//! Each start is a process of its own with the environment that Lambda would set. It finds Lambda's Runtime API, and
//! AWS's services over HTTP or over TLS, on loopback and in this process, so that no network is measured. Rounds
//! alternate between all contenders, so that a noisy neighbour hits all of them. The files are in the page cache:
//! loading the code, and what Firecracker takes, are not measured. Nor is Lambda's share of a processor.
//!
//! The functions' binaries lie beside this one; `--beside` names a folder with the same functions built in another
//! way, which start in the same rounds. `--write` keeps the result in `bench/measured.json`, for `cost`.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

mod certificate;
mod contender;
mod peers;
mod runtime_api;
mod services;
mod start;

use std::error::Error;
use std::path::PathBuf;

use nexus_bench::measured::{self, Measured};
use nexus_bench::spread::Spread;

use contender::Contender;
use services::Services;
use start::{Start, Way};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What was asked for.
struct Asked {
    runs: usize,
    only: Vec<String>,
    beside: Option<PathBuf>,
    peers: bool,
    write: bool,
}

impl Asked {
    fn read(words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut asked = Self { runs: 20, only: vec![], beside: None, peers: true, write: false };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or(format!("`{word}` wants a value"));
            match word.as_str() {
                "--runs" => asked.runs = next()?.parse()?,
                "--only" => asked.only = next()?.split(',').map(str::to_owned).collect(),
                "--beside" => asked.beside = Some(next()?.into()),
                "--without-peers" => asked.peers = false,
                "--write" => asked.write = true,
                _ => return Err(format!("`{word}` is no option; see the head of main.rs").into()),
            }
        }
        if asked.runs == 0 { Err("`--runs` wants 1 or more".into()) } else { Ok(asked) }
    }
}

/// What a contender's starts took.
#[derive(Default)]
struct Taken {
    plain: Vec<Start>,
    tls: Vec<Start>,
}

impl Taken {
    /// Milliseconds until the first event was asked for: it makes no difference how the services would be reached.
    fn next(&self) -> Outcome<Spread> {
        let both: Vec<f64> = self.plain.iter().chain(&self.tls).map(|s| s.next_ms).collect();
        Ok(Spread::of(&both).ok_or("no runs")?)
    }
}

fn answers(starts: &[Start]) -> Outcome<Spread> {
    let answers: Vec<f64> = starts.iter().map(|s| s.answer_ms).collect();
    Ok(Spread::of(&answers).ok_or("no runs")?)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let asked = Asked::read(std::env::args().skip(1))?;
    let folder = tempfile::tempdir()?;
    let services = Services::start(folder.path()).await?;
    let contenders = contenders(&asked)?;
    println!(
        "{} starts each over HTTP and over TLS, in turns, on {}\n",
        asked.runs,
        measured::machine()
    );
    let mut taken: Vec<Taken> = contenders.iter().map(|_| Taken::default()).collect();
    // The first round fills the page cache and is not counted.
    for round in 0..=asked.runs {
        for (contender, taken) in contenders.iter().zip(&mut taken) {
            for way in [Way::Plain, Way::Tls] {
                let start = start::once(contender, &services, way, folder.path()).await?;
                if round > 0 {
                    match way {
                        Way::Plain => taken.plain.push(start),
                        Way::Tls => taken.tls.push(start),
                    }
                }
            }
        }
    }
    report(&contenders, &taken)?;
    if asked.write {
        let place = Measured::place();
        let mut measured = Measured::read(&place)?;
        measured.machine = measured::machine();
        for (contender, taken) in contenders.iter().zip(&taken).filter(|(c, _)| c.ours) {
            measured.starts.insert(contender.name.clone(), written(taken)?);
        }
        measured.write(&place)?;
    }
    Ok(())
}

fn contenders(asked: &Asked) -> Outcome<Vec<Contender>> {
    let exe = std::env::current_exe()?;
    let built = exe.parent().ok_or("this program lies nowhere")?;
    let mut contenders = vec![contender::floor(built)?];
    for function in contender::functions(built, "")? {
        if asked.only.is_empty() || asked.only.contains(&function.name) {
            let name = function.name.clone();
            contenders.push(function);
            if let Some(beside) = &asked.beside {
                let others = contender::functions(beside, ", beside")?;
                let prefix = format!("{name}, ");
                contenders.extend(others.into_iter().filter(|o| o.name.starts_with(&prefix)));
            }
        }
    }
    if asked.peers {
        for peer in [peers::python(), peers::node(false), peers::node(true)] {
            match peer {
                Ok(peer) => contenders.push(peer),
                Err(why) => println!("left out: {why}"),
            }
        }
    }
    Ok(contenders)
}

fn report(contenders: &[Contender], taken: &[Taken]) -> Outcome<()> {
    let floor = taken.first().ok_or("no floor")?.next()?;
    println!("milliseconds, min and median; ×: as many times the floor (min, median)\n");
    println!(
        "{:<26} {:>6} {:>6}  {:>11}   {:>6} {:>6}   {:>6} {:>6}   {:>6} {:>6}  {:>5} {:>6}",
        "",
        "start",
        "→ next",
        "×",
        "event",
        "→ http",
        "event",
        "→ TLS",
        "TLS",
        "more",
        "calls",
        "MB"
    );
    for (contender, taken) in contenders.iter().zip(taken) {
        let (next, plain, tls) = (taken.next()?, answers(&taken.plain)?, answers(&taken.tls)?);
        let calls = taken.tls.iter().map(|s| s.calls).max().unwrap_or_default();
        print!(
            "{:<26} {:>6.1} {:>6.1}  {:>5.2} {:>5.2}   {:>6.1} {:>6.1}",
            contender.name,
            next.min,
            next.median,
            next.min / floor.min,
            next.median / floor.median,
            plain.min,
            plain.median,
        );
        if calls == 0 {
            print!("   {:>6} {:>6}   {:>6} {:>6}", "", "", "", "");
        } else {
            let more = (tls.min - plain.min, tls.median - plain.median);
            print!("   {:>6.1} {:>6.1}   {:>6.1} {:>6.1}", tls.min, tls.median, more.0, more.1);
        }
        println!("  {calls:>5} {:>6.1}", peak(taken));
    }
    Ok(())
}

fn peak(taken: &Taken) -> f64 {
    taken.tls.iter().chain(&taken.plain).map(|s| s.peak_mb).fold(0.0, f64::max)
}

fn written(taken: &Taken) -> Outcome<measured::Start> {
    Ok(measured::Start {
        runs: taken.tls.len(),
        next_ms: taken.next()?,
        answer_ms: answers(&taken.tls)?,
        calls: taken.tls.iter().map(|s| s.calls).max().unwrap_or_default(),
        peak_mb: peak(taken),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_odd_ones_refused() {
        let read = |line: &str| Asked::read(line.split_whitespace().map(str::to_owned));
        let asked = read("--runs 5 --only tag,relay --beside target/x --without-peers").unwrap();
        assert_eq!((asked.runs, asked.peers, asked.write), (5, false, false));
        assert_eq!(asked.only, ["tag", "relay"]);
        assert_eq!(asked.beside, Some(PathBuf::from("target/x")));
        for wrong in ["--runs", "--runs 0", "--runs x", "--fast"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
