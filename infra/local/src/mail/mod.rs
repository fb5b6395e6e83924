//! Mail on one machine: to a server by SMTP where one is set, else into a folder, a file each, as they would have left.
//!
//! | setting | says |
//! |---|---|
//! | `MAIL_FROM` | the address that mail comes from; `nexus@localhost.localdomain` in the folder, where none is set |
//! | `SMTP_SERVER` | the server, `mail.example.org:587`; without it nothing leaves this machine |
//! | `SMTP_USER` | as whom to log in there; the password stands in the vault under `smtp` (`nexus secret set smtp`) |
//!
//! **Never here:** what a mail says, who is written to.

mod folder;
mod smtp;

use std::path::Path;
use std::sync::Arc;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use nexus_core::mail::{Mail, MailAddress, Message};
use nexus_core::vault::Vault;
use nexus_kernel::{Ambient, Failure, Timestamp};

pub(crate) use self::folder::Folder;
pub(crate) use self::smtp::{Server, Smtp};

/// The setting with the address that mail comes from.
const FROM: &str = "MAIL_FROM";
/// The setting with the server that takes mail.
const SERVER: &str = "SMTP_SERVER";
/// The setting with the name to log in with there.
const USER: &str = "SMTP_USER";
/// Under what the password stands in the vault.
pub(crate) const PASSWORD: &str = "smtp";
/// Where mail comes from that leaves the machine by nobody.
const FROM_HERE: &str = "nexus@localhost.localdomain";

/// Whether a setting is one of mail's.
pub(crate) fn is_setting(name: &str) -> bool {
    [FROM, SERVER, USER].contains(&name)
}

/// How mail goes, as an operator sets it.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    from: MailAddress,
    server: Option<Server>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// One is wrong, or one is missing beside another: the failure names the setting.
    pub(crate) fn read<'s>(look: impl Fn(&str) -> Option<&'s str>) -> Result<Self, Failure> {
        let look = |name| look(name).map(str::trim).filter(|said| !said.is_empty());
        let named = |setting: &str, failure: &Failure| {
            let problem = failure.fields().first().map(|p| p.problem.clone()).unwrap_or_default();
            Failure::field(setting, problem)
        };
        let user = look(USER).map(str::to_owned);
        let server =
            look(SERVER).map(|said| Server::parse(SERVER, said, user.clone())).transpose()?;
        if server.is_none() && user.is_some() {
            return Err(Failure::field(USER, format!("is of no use without {SERVER}")));
        }
        let from = match look(FROM) {
            None if server.is_some() => {
                let problem = format!("say which address mail comes from, where {SERVER} is set");
                return Err(Failure::field(FROM, problem));
            }
            said => said.unwrap_or(FROM_HERE),
        };
        let from = MailAddress::parse(from).map_err(|failure| named(FROM, &failure))?;
        Ok(Self { from, server })
    }

    /// Who carries mail then. `data` is the directory in which the folder lies.
    pub(crate) fn carrier(
        self,
        data: &Path,
        vault: &Arc<dyn Vault>,
        ambient: &Ambient,
    ) -> Arc<dyn Mail> {
        let writer = Writer { from: self.from, ambient: ambient.clone() };
        match self.server {
            Some(server) => Arc::new(Smtp::new(server, writer, Arc::clone(vault))),
            None => Arc::new(Folder::new(&data.join(folder::NAME), writer)),
        }
    }

    /// How mail goes, for a person to read.
    pub(crate) fn describe(&self, data: &Path) -> String {
        match &self.server {
            Some(server) => server.describe(),
            None => format!(
                "into {}, a file each: set {SERVER} and {FROM} to send it",
                data.join(folder::NAME).display()
            ),
        }
    }
}

/// Writes mails as they stand on the wire (RFC 5322).
#[derive(Clone)]
pub(crate) struct Writer {
    from: MailAddress,
    ambient: Ambient,
}

/// A mail as it leaves.
pub(crate) struct Written {
    /// Its own id, without brackets: the receipt.
    id: String,
    envelope: lettre::address::Envelope,
    bytes: Vec<u8>,
}

impl Writer {
    /// The mail, with an id and a date of its own; `None` where it cannot be written, which its checks should have seen.
    fn write(&self, message: &Message) -> Option<Written> {
        let mailbox = |address: &MailAddress| address.reveal().parse::<Mailbox>().ok();
        let id = format!("{}@{}", self.ambient.ids.draw(), domain(&self.from));
        let mut mail = lettre::Message::builder()
            .from(mailbox(&self.from)?)
            .to(mailbox(message.to())?)
            .subject(message.subject().reveal())
            .date(moment(self.ambient.now()))
            .message_id(Some(format!("<{id}>")));
        if let Some(address) = message.reply_to() {
            mail = mail.reply_to(mailbox(address)?);
        }
        let text = message.text().reveal().clone();
        let mail = match message.html() {
            None => {
                mail.singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text))
            }
            Some(html) => {
                mail.multipart(MultiPart::alternative_plain_html(text, html.reveal().clone()))
            }
        };
        let mail = mail.ok()?;
        Some(Written { id, envelope: mail.envelope().clone(), bytes: mail.formatted() })
    }
}

fn domain(address: &MailAddress) -> &str {
    address.reveal().rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

fn moment(at: Timestamp) -> std::time::SystemTime {
    at.into()
}

/// What every carrier here says of a mail that it cannot write.
const UNWRITTEN: &str = "The mail could not be written.";

#[cfg(test)]
mod tests;
