//! The port to whoever carries mail.
//!
//! A mail is an effect like any other ([`crate::effect`]), with one difference: a sent mail can neither be looked up
//! nor called back. So whoever sends one claims it first, and what ends as `Unknown` is a person's to decide; it is
//! never sent again blindly.
//!
//! # The contract of [`Mail`]
//! 1. Exactly what the message holds goes out, to its one address.
//! 2. A call hands the message over at most once: an adapter does not try again by itself.
//! 3. `Done` carries the carrier's own id. It was taken over; whether it arrives is another matter.
//! 4. `Refused`, `Throttled` and `Login` mean that it was certainly not taken over. `Login` is for what an operator
//!    has to mend first: the account, its rights, the address that mail comes from.
//! 5. Whatever leaves a doubt is `Unknown`.
//! 6. No outcome repeats an address or a word of the message.
//!
//! **Never here:** what is written, who may be written to.

use async_trait::async_trait;
use nexus_kernel::{Failure, Pii};

use crate::effect::Outcome;

/// The most characters of a subject.
pub const MAX_SUBJECT: usize = 200;
/// The most bytes of a body, text and HTML each.
pub const MAX_BODY: usize = 256 * 1024;
/// The most characters of a purpose.
pub const MAX_PURPOSE: usize = 64;

/// A mail address that can be written to: `name@domain.example`, in ASCII, without a display name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailAddress(Pii<String>);

impl MailAddress {
    /// Reads an address (RFC 5321, without quoted names and address literals).
    ///
    /// # Errors
    /// It is none, or one that cannot be written to; the failure names the field `email` and never the address.
    pub fn parse(raw: &str) -> Result<Self, Failure> {
        let refuse = |problem: &str| Err(Failure::field("email", problem));
        if !raw.is_ascii() {
            return refuse("has letters beyond ASCII; write the domain in its `xn--` form");
        }
        let Some((name, domain)) = raw.rsplit_once('@') else {
            return refuse("is no mail address: `@` is missing");
        };
        if raw.len() > 254 || !is_name(name) || !is_domain(domain) {
            return refuse("is no mail address: expected something like `name@domain.example`");
        }
        Ok(Self(Pii::new(raw.to_owned())))
    }

    /// The address, for the carrier that needs it.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

fn is_name(name: &str) -> bool {
    let may_stand = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    name.len() <= 64 && name.split('.').all(|atom| !atom.is_empty() && atom.chars().all(may_stand))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    domain.contains('.')
        && domain.split('.').all(is_label)
        && !top.chars().all(|c| c.is_ascii_digit())
}

/// What a mail is for, as the carrier's statistics and our records name it: `service-notice`, `inquiry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose(String);

impl Purpose {
    /// Reads a purpose: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// It is empty, longer than [`MAX_PURPOSE`] or has another character. It is seen by the carrier and must not say
    /// who is written to.
    pub fn parse(raw: &str) -> Result<Self, Failure> {
        let may_stand = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=MAX_PURPOSE).contains(&raw.len()) && raw.chars().all(may_stand) {
            return Ok(Self(raw.to_owned()));
        }
        let problem = format!("has 1 to {MAX_PURPOSE} letters, digits, `-` or `_`");
        Err(Failure::field("purpose", problem))
    }

    /// The purpose.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mail that can be sent: whatever it is made of was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    to: MailAddress,
    reply_to: Option<MailAddress>,
    subject: Pii<String>,
    text: Pii<String>,
    html: Option<Pii<String>>,
    purpose: Purpose,
}

impl Message {
    /// A mail in plain text.
    ///
    /// # Errors
    /// The subject is empty, longer than [`MAX_SUBJECT`] or of several lines (which would be headers), or the text is
    /// empty or longer than [`MAX_BODY`]; the failure names the field.
    pub fn new(
        to: MailAddress,
        subject: String,
        text: String,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        let length = subject.chars().count();
        if subject.trim().is_empty() || length > MAX_SUBJECT {
            let problem = format!("has {length} characters; 1 to {MAX_SUBJECT} are sent");
            return Err(Failure::field("subject", problem));
        }
        if subject.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(Failure::field("subject", "is one line without control characters"));
        }
        check_body("text", &text)?;
        let (subject, text) = (Pii::new(subject), Pii::new(text));
        Ok(Self { to, reply_to: None, subject, text, html: None, purpose })
    }

    /// The same with an HTML body beside the text.
    ///
    /// # Errors
    /// It is empty or longer than [`MAX_BODY`]; the failure names the field `html`.
    pub fn with_html(self, html: String) -> Result<Self, Failure> {
        check_body("html", &html)?;
        Ok(Self { html: Some(Pii::new(html)), ..self })
    }

    /// The same with an address that answers go to.
    #[must_use]
    pub fn answered_to(self, address: MailAddress) -> Self {
        Self { reply_to: Some(address), ..self }
    }

    /// Who gets it.
    pub fn to(&self) -> &MailAddress {
        &self.to
    }

    /// Where answers go, if not to the sender.
    pub fn reply_to(&self) -> Option<&MailAddress> {
        self.reply_to.as_ref()
    }

    /// Its subject.
    pub fn subject(&self) -> &Pii<String> {
        &self.subject
    }

    /// Its words.
    pub fn text(&self) -> &Pii<String> {
        &self.text
    }

    /// Its words as HTML.
    pub fn html(&self) -> Option<&Pii<String>> {
        self.html.as_ref()
    }

    /// What it is for.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }
}

fn check_body(field: &str, body: &str) -> Result<(), Failure> {
    if body.trim().is_empty() {
        return Err(Failure::field(field, "is empty"));
    }
    if body.len() > MAX_BODY {
        let problem = format!("has {} bytes; at most {MAX_BODY} are sent", body.len());
        return Err(Failure::field(field, problem));
    }
    Ok(())
}

/// Carries mail.
#[async_trait]
pub trait Mail: Send + Sync {
    /// Hands a message over, once.
    async fn send(&self, message: &Message) -> Outcome;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str, text: &str) -> Result<Message, Failure> {
        let to = MailAddress::parse("ada@example.org").unwrap();
        let purpose = Purpose::parse("service-notice").unwrap();
        Message::new(to, subject.to_owned(), text.to_owned(), purpose)
    }

    #[test]
    fn an_address_is_one_that_can_be_written_to() {
        for good in ["a@b.co", "ada.lovelace+x@mail.example.org", "o'neil@xn--caf-dma.example"] {
            assert_eq!(MailAddress::parse(good).unwrap().reveal(), good);
        }
        let long = format!("{}@example.org", "a".repeat(65));
        let bad = [
            "",
            "ada",
            "@b.co",
            "a@",
            "a@b",
            "a b@c.de",
            "a@b..de",
            ".a@b.co",
            "a..b@c.de",
            "a@-b.co",
            "a@b.co\r\nBcc: eve@example.org",
            "a@b.co,eve@c.de",
            "Ada <a@b.co>",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "añ@b.co",
            "\"a b\"@c.de",
            "a@b@c.de",
            &long,
        ];
        for bad in bad {
            let failure = MailAddress::parse(bad).unwrap_err();
            assert_eq!(failure.fields()[0].field, "email", "{bad}");
            assert!(bad.len() < 3 || !failure.public().contains(bad), "{failure}");
        }
    }

    #[test]
    fn a_message_that_could_not_be_sent_cannot_be_made() {
        assert!(message("Your report", "Here it is.").is_ok());
        let long = "é".repeat(MAX_SUBJECT + 1);
        for subject in ["", " ", "Hi\r\nBcc: eve@example.org", "Hi\u{0}", "Hi\u{2028}x", &long] {
            let failure = message(subject, "Here it is.").unwrap_err();
            assert_eq!(failure.fields()[0].field, "subject", "{subject:?}");
        }
        assert!(message(&"é".repeat(MAX_SUBJECT), "Here it is.").is_ok());
        for text in ["", "\n ", &"a".repeat(MAX_BODY + 1)] {
            assert_eq!(message("Hi", text).unwrap_err().fields()[0].field, "text");
        }
        let html = message("Hi", "text").unwrap().with_html(String::new());
        assert_eq!(html.unwrap_err().fields()[0].field, "html");
        for purpose in ["", "to ada", "ada@example.org", &"a".repeat(MAX_PURPOSE + 1)] {
            assert!(Purpose::parse(purpose).is_err(), "{purpose}");
        }
    }

    #[test]
    fn nothing_personal_can_be_printed() {
        let reply_to = MailAddress::parse("bea@example.org").unwrap();
        let message = message("Dear Ada", "Dear Ada,").unwrap().answered_to(reply_to);
        let message = message.with_html("<p>Dear Ada".to_owned()).unwrap();
        let printed = format!("{message:?}").to_lowercase();
        assert!(!["ada", "bea", "example"].iter().any(|word| printed.contains(word)), "{printed}");
    }
}
