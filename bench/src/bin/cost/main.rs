//! What the Engine costs on AWS, computed: a month in which nobody does anything, and 1,000 photos.
//!
//! `cargo run -p nexus-bench --features cost --bin cost -- [clicks | --write FILE | --check FILE]`
//!
//! From what is deployed (`template.yaml`), what was measured (`bench/measured.json`: `measure` and `cold_start` write
//! it), what could not be measured (`bench/assumed.json`, with reasons) and what is published (`bench/prices.json`).
//! Prints a table in Markdown (`clicks`: only what a million clicks cost); `--write` puts it between `<!-- cost -->` and `<!-- /cost -->` of a file, and `--check`
//! fails where it is not the one that stands there.
//!
//! **Never here:** a number. All of them stand in those files.
#![expect(clippy::print_stdout, reason = "the table is the purpose")]

mod clicks;
mod page;
mod usage;

use std::error::Error;
use std::fs;
use std::path::Path;

use nexus_bench::measured::Measured;
use nexus_bench::template::Template;
use serde::de::DeserializeOwned;

use page::Prices;
use usage::{Assumed, Basis};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bench = nexus_bench::root().join("bench");
    let basis = Basis {
        template: Template::of_repository()?,
        measured: Measured::read(&Measured::place())?,
        assumed: Assumed(read(&bench.join("assumed.json"))?),
    };
    let prices = Prices(read(&bench.join("prices.json"))?);
    let page = || page::page(&basis, &prices);
    match words.as_slice() {
        [] => println!("{}", page()?),
        ["--write", file] => {
            let text = fs::read_to_string(file)?;
            fs::write(file, page::put(&text, &page()?)?)?;
        }
        ["clicks"] => {
            let mut line = String::new();
            clicks::write(&mut line, &basis, &prices)?;
            print!("{line}");
        }
        ["--check", file] => {
            let text = fs::read_to_string(file)?;
            if page::put(&text, &page()?)? != text {
                return Err(format!("{file} tells other costs: run `cost --write {file}`").into());
            }
        }
        _ => return Err("usage: cost [clicks | --write FILE | --check FILE]".into()),
    }
    Ok(())
}

fn read<T: DeserializeOwned>(file: &Path) -> Outcome<T> {
    let bytes = fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", file.display()).into())
}
