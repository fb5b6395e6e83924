//! Mail by SMTP (RFC 5321), over TLS: by itself at port 465, by STARTTLS anywhere else. Without TLS to loopback alone.
//!
//! A conversation has two parts. Up to the log-in nothing was handed over, whatever fails. From `MAIL FROM` on, an
//! answer says whether the mail was taken, and where none comes nobody knows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use nexus_core::Product;
use nexus_core::effect::Outcome;
use nexus_core::mail::{Mail, Message};
use nexus_core::vault::{Freshness, SecretName, Vault};
use nexus_kernel::Failure;

use super::{PASSWORD, UNWRITTEN, Writer, Written, domain};

/// How long the server may take to be reached, and then over each answer.
const EACH: Duration = Duration::from_secs(10);
/// How long it may take to where a mail can be handed over.
const BEGUN_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to hand one over.
const WITHIN: Duration = Duration::from_secs(30);
/// How long a server may take to end a conversation in which everything was said.
const GOODBYE: Duration = Duration::from_secs(2);
/// After how many seconds a server is asked again that could not be reached or asked to wait.
const AGAIN: u32 = 300;
/// The port of SMTP that begins with TLS.
const IMPLICIT_TLS: u16 = 465;

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    host: String,
    port: u16,
    user: Option<String>,
}

impl Server {
    /// Reads `mail.example.org:587`.
    ///
    /// # Errors
    /// It is no server and port; the failure names the setting.
    pub(crate) fn parse(setting: &str, said: &str, user: Option<String>) -> Result<Self, Failure> {
        let wrong =
            || Failure::field(setting, "write a server and its port: `mail.example.org:587`");
        let (host, port) = said.rsplit_once(':').ok_or_else(wrong)?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, user })
    }

    /// How mail goes, for a person to read.
    pub(crate) fn describe(&self) -> String {
        let Self { host, port, user } = self;
        let how = match (self.is_here(), *port == IMPLICIT_TLS) {
            (true, _) => "without TLS, on this machine",
            (_, true) => "over TLS",
            (_, false) => "over TLS (STARTTLS)",
        };
        let login = user.as_ref().map_or("without a log-in", |_| "with a log-in");
        format!("by SMTP to {host}:{port}, {how}, {login}")
    }

    /// Whether what is said to it never leaves this machine.
    fn is_here(&self) -> bool {
        self.host == "localhost"
            || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }
}

/// The carrier.
pub(crate) struct Smtp {
    server: Server,
    writer: Writer,
    vault: Arc<dyn Vault>,
}

impl Smtp {
    pub(crate) fn new(server: Server, writer: Writer, vault: Arc<dyn Vault>) -> Self {
        Self { server, writer, vault }
    }

    /// A conversation up to where a mail may be handed over; else why there is none. Nothing was handed over.
    async fn begin(&self) -> Result<AsyncSmtpConnection, Outcome> {
        let Server { host, port, user } = &self.server;
        let hello = ClientId::Domain(domain(&self.writer.from).to_owned());
        let tls = || TlsParameters::new(host.clone()).map_err(|error| unreached(&error));
        let at_once = match *port == IMPLICIT_TLS && !self.server.is_here() {
            true => Some(tls()?),
            false => None,
        };
        let to = (host.as_str(), *port);
        let begun =
            AsyncSmtpConnection::connect_tokio1(to, Some(EACH), &hello, at_once, None).await;
        let mut line = begun.map_err(|error| unreached(&error))?;
        if !line.is_encrypted() && !self.server.is_here() {
            if !line.can_starttls() {
                let why = "The mail server offers no TLS: nothing is sent over an open line.";
                return Err(Outcome::Login { why: why.to_owned() });
            }
            line.starttls(tls()?, &hello).await.map_err(|error| unreached(&error))?;
        }
        let Some(user) = user else { return Ok(line) };
        let credentials = Credentials::new(user.clone(), self.password().await?);
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        match line.auth(&mechanisms, &credentials).await {
            Ok(_) => Ok(line),
            Err(error) if error.is_permanent() || error.is_client() => Err(Outcome::Login {
                why: "The mail server does not accept the log-in (SMTP_USER, `nexus secret set smtp`)."
                    .to_owned(),
            }),
            Err(error) => Err(unreached(&error)),
        }
    }

    async fn password(&self) -> Result<String, Outcome> {
        let later = || Outcome::Throttled { after_seconds: AGAIN };
        let name = SecretName::of_house(Product::Engine, PASSWORD).map_err(|_| later())?;
        let held = self.vault.read(&name, Freshness::Fresh).await.map_err(|_| later())?;
        let held = held.ok_or_else(|| Outcome::Login {
            why: "There is no password for the mail server: `nexus secret set smtp`.".to_owned(),
        })?;
        Ok(held.value.reveal().trim().to_owned())
    }
}

/// What went wrong before anything was handed over. A server's own words may quote an address: only the code is told.
fn unreached(error: &Error) -> Outcome {
    tracing::warn!(code = ?error.status().map(u16::from), "the mail server was not reached");
    Outcome::Throttled { after_seconds: AGAIN }
}

/// What an answer to a mail means (RFC 5321, 4.2.1): 4yz not now, 5yz not at all; no answer, nobody knows.
fn handed_over(error: &Error) -> Outcome {
    let code = error.status().map(u16::from);
    match code {
        Some(530) => {
            Outcome::Login { why: "The mail server wants a log-in: set SMTP_USER.".to_owned() }
        }
        Some(code) if error.is_permanent() => {
            Outcome::Refused { why: format!("The mail server refused the mail (SMTP {code}).") }
        }
        Some(_) if error.is_transient() => Outcome::Throttled { after_seconds: AGAIN },
        // Refused by our own side, before it was said.
        _ if error.is_client() => Outcome::Refused { why: UNWRITTEN.to_owned() },
        _ => Outcome::Unknown { why: "the line to the mail server broke off".to_owned() },
    }
}

#[async_trait]
impl Mail for Smtp {
    async fn send(&self, message: &Message) -> Outcome {
        let Some(mail) = self.writer.write(message) else {
            return Outcome::Refused { why: UNWRITTEN.to_owned() };
        };
        let mut line = match tokio::time::timeout(BEGUN_WITHIN, self.begin()).await {
            Ok(Ok(line)) => line,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return Outcome::Throttled { after_seconds: AGAIN },
        };
        let Written { id, envelope, bytes } = mail;
        match tokio::time::timeout(WITHIN, line.send(&envelope, &bytes)).await {
            Ok(Ok(_)) => {
                // It was taken: a line that does not end well changes nothing.
                tokio::time::timeout(GOODBYE, line.quit()).await.ok();
                Outcome::Done { receipt: id, url: None }
            }
            Ok(Err(error)) => handed_over(&error),
            Err(_) => Outcome::Unknown { why: "the mail server did not answer in time".to_owned() },
        }
    }
}
