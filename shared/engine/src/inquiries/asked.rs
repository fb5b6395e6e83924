//! What somebody asks, as it came and as it is fit to be kept.
//!
//! **Never here:** a sentence for a person: an entrance says in their language what is wrong.

use nexus_kernel::Pii;

use super::email::Email;

/// The most characters of a name.
pub const MAX_NAME_CHARS: usize = 80;
/// The most characters of a message.
pub const MAX_MESSAGE_CHARS: usize = 2_000;

/// What somebody wrote, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As they call themselves.
    pub name: Pii<String>,
    /// Where an answer may go.
    pub email: Pii<String>,
    /// What they ask.
    pub message: Pii<String>,
    /// Whether they agree that it is kept.
    pub agreed: bool,
}

/// The same, fit to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// 1 to [`MAX_NAME_CHARS`] characters on one line.
    pub name: Pii<String>,
    /// Where an answer may go.
    pub email: Email,
    /// 1 to [`MAX_MESSAGE_CHARS`] characters; lines end with `\n`.
    pub message: Pii<String>,
}

/// A part of what somebody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// As they call themselves.
    Name,
    /// Where an answer may go.
    Email,
    /// What they ask.
    Message,
    /// That they agree.
    Consent,
}

impl Field {
    /// The word in forms and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Message => "message",
            Self::Consent => "consent",
        }
    }
}

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is nothing in it.
    Empty,
    /// It has more than so many characters.
    Long(usize),
    /// It has a control character: a tab or an end of line in a name, a bell in a message.
    Odd,
    /// No message could be sent there.
    NoAddress,
    /// They did not agree.
    NotAgreed,
}

/// A part, and what is wrong with it. It holds nothing of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complaint {
    /// Which part.
    pub field: Field,
    /// What is wrong with it.
    pub why: Why,
}

impl Asked {
    /// What is fit to be kept: trimmed, its lines ended alike.
    ///
    /// # Errors
    /// Every part that breaks a rule, in the order of the form.
    pub fn checked(&self) -> Result<Question, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut complain = |field, why| complaints.push(Complaint { field, why });

        let name = self.name.reveal().trim().to_owned();
        if let Some(why) = wrong(&name, MAX_NAME_CHARS, breaks_a_line) {
            complain(Field::Name, why);
        }
        // What is odd in an address is said before what is no address: it may not be seen where it was typed.
        let typed = self.email.reveal().trim();
        let email = Email::parse(typed);
        match (&email, typed.is_empty()) {
            (Some(_), _) => {}
            (None, true) => complain(Field::Email, Why::Empty),
            (None, false) if typed.contains(breaks_a_line) => complain(Field::Email, Why::Odd),
            (None, false) => complain(Field::Email, Why::NoAddress),
        }
        // A browser ends lines as HTTP does.
        let message = self.message.reveal().replace("\r\n", "\n").replace('\r', "\n");
        let message = message.trim().to_owned();
        let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
        if let Some(why) = wrong(&message, MAX_MESSAGE_CHARS, odd) {
            complain(Field::Message, why);
        }
        if !self.agreed {
            complain(Field::Consent, Why::NotAgreed);
        }
        match email {
            Some(email) if complaints.is_empty() => {
                Ok(Question { name: Pii::new(name), email, message: Pii::new(message) })
            }
            _ => Err(complaints),
        }
    }
}

/// Controls, and Unicode's own ends of lines and paragraphs.
fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn wrong(text: &str, most: usize, odd: impl Fn(char) -> bool) -> Option<Why> {
    if text.is_empty() {
        Some(Why::Empty)
    } else if text.contains(odd) {
        Some(Why::Odd)
    } else if text.chars().count() > most {
        Some(Why::Long(most))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(name: &str, email: &str, message: &str, agreed: bool) -> Asked {
        let pii = |text: &str| Pii::new(text.to_owned());
        Asked { name: pii(name), email: pii(email), message: pii(message), agreed }
    }

    #[test]
    fn every_part_that_is_wrong_is_named_at_once() {
        let complaints = asked(" ", "x", "\u{7}", false).checked().unwrap_err();
        let told: Vec<_> = complaints.iter().map(|c| (c.field.name(), c.why)).collect();
        let expected = [
            ("name", Why::Empty),
            ("email", Why::NoAddress),
            ("message", Why::Odd),
            ("consent", Why::NotAgreed),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_header_in_a_name_or_an_address_is_refused_and_in_a_message_is_text() {
        let good = ("Ada", "ada@example.org", "Is it baked daily?\r\nBcc: all@example.org");
        let kept = asked(good.0, good.1, good.2, true).checked().unwrap();
        assert_eq!(kept.message.reveal(), "Is it baked daily?\nBcc: all@example.org");
        for name in
            ["Ada\r\nBcc: x@example.org", "Ada\nx", "Ada\tx", "A\0", "A\u{2028}b", "\u{85}A"]
        {
            let complaints =
                asked(&format!("x{name}"), good.1, good.2, true).checked().unwrap_err();
            assert_eq!(complaints, [Complaint { field: Field::Name, why: Why::Odd }], "{name:?}");
        }
        let email = "ada@example.org\r\nBcc: x@example.org";
        let complaints = asked(good.0, email, good.2, true).checked().unwrap_err();
        assert_eq!(complaints, [Complaint { field: Field::Email, why: Why::Odd }]);
    }

    #[test]
    fn the_longest_that_fits_fits() {
        let (name, message) = ("ñ".repeat(MAX_NAME_CHARS), "🍞".repeat(MAX_MESSAGE_CHARS));
        assert!(asked(&name, "a@b.co", &message, true).checked().is_ok());
        let complaints = asked(&format!("{name}x"), "a@b.co", &format!("{message}x"), true);
        let complaints = complaints.checked().unwrap_err();
        assert_eq!(complaints[0].why, Why::Long(MAX_NAME_CHARS));
        assert_eq!(complaints[1].why, Why::Long(MAX_MESSAGE_CHARS));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_kept_again_as_it_is(name in "\\PC{1,90}", message in "(?s).{1,60}") {
            if let Ok(kept) = asked(&name, "a@b.co", &message, true).checked() {
                let again = asked(kept.name.reveal(), "a@b.co", kept.message.reveal(), true);
                prop_assert_eq!(again.checked().unwrap(), kept);
            }
        }
    }
}
