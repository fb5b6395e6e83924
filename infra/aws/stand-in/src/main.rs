//! `nexus-stand-in`: stands in for Rekognition, Polly, Translate and Comprehend where there is no AWS, so that the production
//! adapters can be run to the end.
//!
//! It speaks the services' wire format and is backed by the engines of `nexus_offline`. What a request holds is
//! checked strictly, since an unknown field or a missing `Engine` is what the check on the emulator is to find. It
//! listens on loopback and answers nobody else.
//!
//! **Never here:** anything that a function links, a guess where an engine has no answer: that is an error.

mod comprehend;
mod counts;
mod door;
mod phrases;
mod polly;
mod rekognition;
mod translate;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use nexus_offline::lexicon::Lexicon;
use tokio::net::TcpListener;

use crate::door::Services;
use crate::phrases::Phrases;
use crate::polly::Voices;

/// Stands in for AWS's AI services on loopback.
#[derive(Debug, Parser)]
struct Asked {
    /// The port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// English phrases and their Spanish: a JSON list of objects with `en` and `es`
    #[arg(long, value_name = "FILE")]
    phrases: PathBuf,
    /// The folders in which flite, espeak-ng and ffmpeg are looked for
    #[arg(long, env = "PATH", hide_env_values = true)]
    path: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match serve(Asked::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the stand-in does not serve");
            ExitCode::FAILURE
        }
    }
}

async fn serve(asked: Asked) -> io::Result<()> {
    let services = Services {
        phrases: phrases(&asked.phrases)?,
        voices: Voices::locate(&asked.path).await?,
        lexicon: Lexicon::new(None),
        counts: counts::Counts::default(),
    };
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, asked.port))).await?;
    let router = door::router(services).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router).await
}

fn phrases(file: &Path) -> io::Result<Phrases> {
    let written = std::fs::read_to_string(file)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.display())))?;
    Phrases::read(&written).map_err(io::Error::other)
}
