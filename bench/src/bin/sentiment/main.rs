//! How often the one-machine sentiment engine is right, on the sentences that were written for it.
//!
//! `cargo run -p nexus-bench --features sentiment --bin sentiment` prints the README's section. Spanish is measured
//! where apertium is installed (`apt-get install apertium apertium-eng-spa`); without it all of it is `unsupported`.
//!
//! **Never here:** the sentences, a bound to be reached.
#![expect(clippy::print_stdout, reason = "the table is the purpose")]

use nexus_engine::sentiment::Sentiment as _;
use nexus_offline::apertium::Apertium;
use nexus_offline::lexicon::Lexicon;
use nexus_offline::lexicon::trial::{measure, told};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let lexicon = Lexicon::new(Apertium::locate_back(None, &path.to_string_lossy()).await);
    println!("{}: {}\n", lexicon.engine(), lexicon.told());
    for (name, language) in [("English", "en"), ("Spanish", "es")] {
        println!("{}\n", told(name, &measure(&lexicon, language).await));
    }
}
