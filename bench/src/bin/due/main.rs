//! How late posts start when very many are due in the same minute, most of them one tenant's.
//!
//! `cargo run --profile machine -p nexus-bench --features due --bin due -- [--posts N] [--few N] [--pollers N] [--ramp]`
//!
//! First on this machine: the embedded store and its queues, the deployed relay, pollers that claim (`approval::redeem`)
//! and settle each post as done at once; no network is asked, so what is told is what the house itself takes. A post's
//! lateness is the time from its moment to the commit of its claim.
//!
//! Then on AWS as a model (`ramp.rs`; `--ramp` is that alone), for choosing the bounds of the publishing function in the
//! template: pure, and the same at every run.
//!
//! What is aimed at is a p99 of 60 s.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

mod machine;
mod ramp;

use std::error::Error;

use nexus_bench::spread::quantile;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many posts, of one tenant and of another.
#[derive(Debug, Clone, Copy)]
struct Load {
    many: u32,
    few: u32,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let (mut load, mut pollers, mut ramp_alone) = (Load { many: 9_900, few: 100 }, 8, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Outcome<u32> {
            let wanted = || format!("`{word}` wants a number from 1 on");
            let number = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
            Ok(number.ok_or_else(wanted)?)
        };
        match word.as_str() {
            "--posts" => load.many = number()?,
            "--few" => load.few = number()?,
            "--pollers" => pollers = number()?,
            "--ramp" => ramp_alone = true,
            _ => return Err(format!("`{word}` is no option; see the head of main.rs").into()),
        }
    }
    if !ramp_alone {
        on_this_machine(load, pollers).await?;
        println!();
    }
    on_aws(load);
    Ok(())
}

async fn on_this_machine(load: Load, pollers: u32) -> Outcome<()> {
    println!(
        "On this machine: {} posts of one tenant and {} of another, due at the same moment; {pollers} pollers",
        load.many, load.few
    );
    let (before, run) = (machine::busy(), machine::run(load, pollers).await?);
    println!("  the machine's load before and after (1 min): {before} and {}", machine::busy());
    println!(
        "  written and approved in {:.1} s; the relay woke {} in {:.2} s; {} messages came in all",
        run.written, run.woken, run.relay, run.messages
    );
    println!(
        "  {:<22} {:>8} {:>8} {:>8}   lateness of the claim, seconds",
        "", "p50", "p99", "max"
    );
    for (whose, late) in [("9,900's tenant", &run.many), ("100's tenant", &run.few)] {
        let whose = whose.replace("9,900", &load.many.to_string());
        let whose = whose.replace("100'", &format!("{}'", load.few));
        row(&whose, late);
    }
    let all: Vec<f64> = run.many.iter().chain(&run.few).copied().collect();
    row("all", &all);
    let last = quantile(&all, 1.0).unwrap_or_default();
    println!(
        "  {:.0} posts claimed and settled a second",
        f64::from(load.many + load.few) / last.max(0.001)
    );
    Ok(())
}

fn row(whose: &str, late: &[f64]) {
    let at = |q| quantile(late, q).unwrap_or_default();
    println!("  {whose:<22} {:>8.2} {:>8.2} {:>8.2}", at(0.5), at(0.99), at(1.0));
}

fn on_aws(load: Load) {
    println!(
        "On AWS, as a model: {} posts of one tenant and {} of another, in the queue at their moment; a claim comes {} s \
         after a post is begun, the whole takes {} s",
        load.many,
        load.few,
        ramp::CLAIM,
        ramp::WHOLE
    );
    println!(
        "  pollers: 5, then {} more a minute; smooth: as one every {:.1} s, steps: all at the full minute",
        ramp::MORE_A_MINUTE,
        60.0 / f64::from(ramp::MORE_A_MINUTE)
    );
    println!(
        "  {:>10} {:>6} {:>8} | {:>9} {:>9} {:>9} | {:>9} | {:>9} {:>9}",
        "concurrency", "batch", "at once", "p50", "p99", "max", "few's p99", "p99 steps", "done by"
    );
    for (batch, at_once) in [(1, 1), (10, 4), (10, 10)] {
        for bound in [2, 10, 50, 100, 300, 1_000] {
            let setup = ramp::Setup { bound, batch, at_once };
            let smooth = ramp::run(load, setup, ramp::Growth::Smooth);
            let steps = ramp::run(load, setup, ramp::Growth::Steps);
            let at = |late: &[f64], q| quantile(late, q).unwrap_or_default();
            let all = smooth.all();
            println!(
                "  {bound:>11} {batch:>6} {at_once:>8} | {:>9.1} {:>9.1} {:>9.1} | {:>9.1} | {:>9.1} {:>9.1}",
                at(&all, 0.5),
                at(&all, 0.99),
                at(&all, 1.0),
                at(&smooth.few, 0.99),
                at(&steps.all(), 0.99),
                smooth.done,
            );
        }
    }
}
