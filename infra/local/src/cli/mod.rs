//! What a person does with the host from a terminal: a file per command.

mod api_client;
mod approve;
mod demo;
mod doctor;
mod geo;
mod invoke;
mod redrive;
mod secret;
mod serve;
mod status;
mod timeline;
mod token;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nexus_core::Role;
use nexus_kernel::Ambient;
use nexus_kernel::id::TenantId;
use nexus_media::av::FONT_FILE;
use tracing_subscriber::EnvFilter;

use crate::engines::{Engines, Places};
use crate::geolite;
use crate::host::{Host, Options, PROXY_HEADER, TRUSTED_PROXIES};

/// The template that is built in, for a `nexus` that runs outside the repository.
const TEMPLATE: &str = include_str!("../../../../template.yaml");
/// The captions' font, for the same.
const FONT: &[u8] = include_bytes!("../../../layers/ffmpeg/fonts/DejaVuSansCondensed-Bold.ttf");

/// Marketing, audits and shop operations on one machine.
#[derive(Debug, Parser)]
#[command(name = "nexus", version, about, max_term_width = 100)]
pub struct Nexus {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host until Ctrl-C
    Serve(serve::Serve),
    /// Push photos through the line and show what came out
    Demo(demo::Demo),
    /// Call one function with an event, as AWS Lambda would
    Invoke(invoke::Invoke),
    /// Print an access token for a tenant
    Token(token::Token),
    /// Approve a draft, so that its posts are published
    Approve(approve::Approve),
    /// Show queues, dead letters and schedules
    Status(status::Status),
    /// Bring a queue's dead letters back
    Redrive(redrive::Redrive),
    /// Keep the keys by which vendors know this house
    Secret(secret::SecretCommand),
    /// Keep the database that tells where clicks come from
    Geo(geo::Geo),
    /// Check this machine: engines, data directory, template; or an AWS account
    Doctor(doctor::Doctor),
}

/// Where the host keeps its things and what it wires.
#[derive(Debug, Args, Clone)]
struct Where {
    /// The directory that holds everything the host keeps
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The wiring [default: template.yaml here, else the one built in]
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

/// How videos are made.
#[derive(Debug, Args, Clone, Copy)]
struct Films {
    /// The size and effort of videos
    #[arg(long, value_enum, default_value_t = Preset::Quick)]
    video: Preset,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Preset {
    /// 1080x1920, as published on AWS
    Full,
    /// 720x1280, quick to make
    Quick,
    /// 180x320, for trying things out
    Tiny,
}

impl Films {
    fn settings(self) -> BTreeMap<String, String> {
        let preset = match self.video {
            Preset::Full => "full",
            Preset::Quick => "quick",
            Preset::Tiny => "tiny",
        };
        BTreeMap::from([("VIDEO_PRESET".to_owned(), preset.to_owned())])
    }
}

/// Where signed addresses lead while no host serves: to the default port of one.
const UNSERVED: &str = "http://127.0.0.1:8080";

/// A role as it is named on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// Prepares: uploads, edits, reads
    Operator,
    /// Decides what leaves the house
    Approver,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Operator => Self::Operator,
            RoleName::Approver => Self::Approver,
        }
    }
}

/// Something went wrong; the text is for the person at the terminal.
#[derive(Debug)]
struct Complaint(String);

impl<E: std::error::Error> From<E> for Complaint {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self(text)
    }
}

impl Complaint {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// How a command ended.
type Ended = Result<(), Complaint>;

impl Where {
    fn template(&self) -> Result<String, Complaint> {
        let here = Path::new("template.yaml");
        match &self.template {
            Some(file) => fs::read_to_string(file)
                .map_err(|e| Complaint::new(format!("{} cannot be read: {e}", file.display()))),
            None if here.is_file() => Ok(fs::read_to_string(here)?),
            None => Ok(TEMPLATE.to_owned()),
        }
    }

    /// The engines of this machine.
    async fn engines(&self) -> Result<Engines, Complaint> {
        let fonts = self.data.join("fonts");
        DirBuilder::new().recursive(true).mode(0o700).create(&fonts)?;
        let font = fonts.join(FONT_FILE);
        if fs::read(&font).ok().as_deref() != Some(FONT) {
            fs::write(&font, FONT)?;
        }
        let places = Places {
            path: search_path(),
            tools: PathBuf::from(".tools"),
            fonts: fs::canonicalize(fonts)?,
            geo: geolite::file(&geolite::folder(&self.data)),
        };
        Ok(Engines::locate(&places).await)
    }

    /// The host on this data directory, for a command that makes no videos.
    async fn host(&self) -> Result<Host, Complaint> {
        self.serving_host(UNSERVED.to_owned(), Films { video: Preset::Quick }, None).await
    }

    /// The host on this data directory, whose own pages are reached at `base`, and to which networks send people back
    /// at `callback` unless the environment says another address.
    async fn serving_host(
        &self,
        base: String,
        films: Films,
        callback: Option<String>,
    ) -> Result<Host, Complaint> {
        let callback = callback.map(|address| (serve::CALLBACK_SETTING.to_owned(), address));
        let settings = films.settings().into_iter().chain(callback).chain(vendor_settings());
        let options = Options {
            data: self.data.clone(),
            template: self.template()?,
            ambient: Ambient::system(),
            engines: self.engines().await?,
            settings: settings.collect(),
            base,
        };
        Ok(Host::open(options).await?)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
fn search_path() -> Vec<PathBuf> {
    std::env::var("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// What the environment sets of the vendors, of the way back from them, and of mail.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
fn vendor_settings() -> impl Iterator<Item = (String, String)> {
    let is_ours = |name: &str| {
        nexus_vendors_engine::suite::is_setting(name)
            || name == serve::CALLBACK_SETTING
            || OF_LINKS.contains(&name)
            || crate::mail::is_setting(name)
            || name == geolite::BASE_SETTING
    };
    std::env::vars().filter(move |(name, value)| is_ours(name) && !value.is_empty())
}

/// What an operator sets of short links: what they begin with, when a click is answered, and which proxies are believed.
const OF_LINKS: [&str; 4] = ["LINK_BASE", "ACK", TRUSTED_PROXIES, PROXY_HEADER];

/// The region that the environment names to the programs of AWS.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
fn aws_region() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|region| !region.is_empty()))
}

/// The tenant of the demonstration.
fn demo_tenant() -> TenantId {
    TenantId::derived(&["demo"])
}

fn tenant(raw: &str) -> Result<TenantId, String> {
    match raw {
        "demo" => Ok(demo_tenant()),
        _ => TenantId::parse(raw).map_err(|e| e.to_string()),
    }
}

/// The group that carries a tenant and a role, as Cognito names it.
fn group(tenant: TenantId, role: Role) -> String {
    format!("{tenant}/{}", role.name())
}

/// Runs a command.
pub fn run(nexus: Nexus) -> ExitCode {
    let default = match nexus.command {
        Command::Serve(_) => "info",
        Command::Demo(_) => "warn",
        _ => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && colours_wanted())
        // A reader that went away is no reason to stop.
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .init();
    nexus_handler::panics::tell_only_where();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("error: the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        match nexus.command {
            Command::Serve(command) => command.run().await,
            Command::Demo(command) => command.run().await,
            Command::Invoke(command) => command.run().await,
            Command::Token(command) => command.run(),
            Command::Approve(command) => command.run().await,
            Command::Status(command) => command.run().await,
            Command::Redrive(command) => command.run().await,
            Command::Secret(command) => command.run().await,
            Command::Geo(command) => command.run().await,
            Command::Doctor(command) => command.run().await,
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Complaint(text)) => {
            anstream::eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a convention of terminals, read where the process begins"
)]
fn colours_wanted() -> bool {
    !std::env::var("NO_COLOR").is_ok_and(|v| !v.is_empty())
}
