//! Clicks: how fast they are written and added up, what one weighs, and how long reports of a year of them take.
//!
//! `cargo run --profile machine -p nexus-bench --features reports --bin reports -- [writing|weight|asking]… [--clicks N]
//! [--links N]`
//!
//! Written by the deployed `attribute`, from events as SQS sends them: on the table in memory, which shows what the
//! function itself takes, and on the embedded store. The rate is by the processor time of the whole process. A click's
//! weight is what the database file grows by, with its indexes. Reports are asked of the deployed API's router.
//!
//! Without a word of these, all.
//!
//! What is aimed at: 50,000 clicks a second per core, 400 bytes a click, 200 ms for any report.
#![expect(clippy::print_stdout, reason = "the report is the purpose")]

mod asking;
mod clicks;
mod weight;
mod writing;

use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let (mut clicks, mut links) = (1_000_000, 20);
    let mut wanted = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Outcome<u32> {
            let wanted = || format!("`{word}` wants a number from 1 on");
            let number = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
            Ok(number.ok_or_else(wanted)?)
        };
        match word.as_str() {
            "--clicks" => clicks = number()?,
            "--links" => links = number()?,
            "writing" | "weight" | "asking" => wanted.push(word),
            _ => return Err(format!("`{word}` is no option; see the head of main.rs").into()),
        }
    }
    let is_wanted = |what: &str| wanted.is_empty() || wanted.iter().any(|word| word == what);
    if is_wanted("writing") {
        writing::report().await?;
    }
    if is_wanted("weight") {
        weight::report().await?;
    }
    if is_wanted("asking") {
        asking::report(clicks, links).await?;
    }
    Ok(())
}
