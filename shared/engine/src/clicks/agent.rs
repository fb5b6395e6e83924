//! By which program somebody came, as it presents itself.
//!
//! Everything follows from the text that is kept, so that it can be read anew later with newer definitions.
//!
//! The definitions (`data/uap-core/regexes.json`) are uap-core's `regexes.yaml` as the package of ua-parser 0.2.2 holds
//! it, converted to JSON, one definition a line, nothing else changed; Apache-2.0, its licence beside it. The crate
//! itself comes without definitions.

use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Serialize};
use ua_parser::{Extractor, Regexes};

use super::bots;
use super::click::{Agent, BotReason};
use super::scrub::Told;
use super::spellings::Spellings;

/// The most characters of a program's text that are kept.
const MAX_CHARS: usize = 400;
/// What is unknown, in uap-core's word.
const OTHER: &str = "Other";

static DEFINITIONS: &str = include_str!("../../data/uap-core/regexes.json");

/// Reads presentations; `None` where the definitions cannot be read, which a test excludes.
static EXTRACTOR: LazyLock<Option<Extractor<'static>>> = LazyLock::new(|| {
    let regexes: Regexes<'static> = serde_json::from_str(DEFINITIONS).ok()?;
    Extractor::try_from(regexes).ok()
});

/// What sort of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceClass {
    /// A telephone.
    Phone,
    /// A tablet, or a reader.
    Tablet,
    /// A computer.
    Computer,
    /// Anything else, or nothing that could be told.
    Other,
}

impl DeviceClass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Phone, Self::Tablet, Self::Computer, Self::Other];
}

/// How a program presented itself, before that was read. The same presentation is read as the same program.
#[derive(Hash)]
pub struct Presented(Told);

impl Presented {
    /// What the header `User-Agent` says, without the client's own address.
    pub fn of(raw: &str, own: &Spellings) -> Self {
        Self(Told::of(raw, own))
    }

    /// The program; of its text at most [`MAX_CHARS`] are kept, without the shapes of addresses.
    pub fn kept(&self) -> Program {
        let mut text = self.0.scrubbed();
        text.truncate(text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(end, _)| end));
        Program::of_kept(text.trim().to_owned())
    }
}

/// A program by the text that is kept of it. What the text says is read when somebody first asks: of a process's first
/// program that takes a quarter of a second, in which the definitions are made ready.
#[derive(Debug)]
pub struct Program {
    text: String,
    read: OnceLock<(Agent, Option<BotReason>)>,
}

impl Program {
    /// The program of a text that was kept.
    pub const fn of_kept(text: String) -> Self {
        Self { text, read: OnceLock::new() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says of itself.
    pub fn agent(&self) -> &Agent {
        &self.read().0
    }

    /// Why it is no person's, where it says so itself.
    pub fn bot(&self) -> Option<BotReason> {
        self.read().1
    }

    fn read(&self) -> &(Agent, Option<BotReason>) {
        self.read.get_or_init(|| {
            let agent = Agent::read(self.text.clone());
            let bot = bots::by_program(&agent);
            (agent, bot)
        })
    }
}

impl Agent {
    /// What a program says of itself, whoever's it is.
    pub fn of(raw: &str) -> Self {
        Presented::of(raw, &Spellings::default()).kept().agent().clone()
    }

    /// As [`of`](Self::of), for a text that was kept.
    pub fn read(text: String) -> Self {
        let other = || OTHER.to_owned();
        let Some(extractor) = EXTRACTOR.as_ref().filter(|_| !text.is_empty()) else {
            return Self { text, family: other(), device: other(), system: other() };
        };
        let (family, system, device) = extractor.extract(&text);
        let family = family.map_or_else(other, |found| found.family.into_owned());
        let system = system.map_or_else(other, |found| found.os.into_owned());
        let device = device.map_or_else(other, |found| found.device.into_owned());
        Self { text, family, device, system }
    }

    /// What sort of device it runs on.
    pub fn class(&self) -> DeviceClass {
        let device = self.device.as_str();
        let names = |names: &[&str]| names.iter().any(|name| device.contains(name));
        if names(&["iPad", "Tablet", "Kindle", "Galaxy Tab", "SM-T", "SM-X"]) {
            return DeviceClass::Tablet;
        }
        if names(&["iPhone", "iPod", "Smartphone"]) {
            return DeviceClass::Phone;
        }
        match self.system.as_str() {
            // Android says `Mobile` on telephones alone.
            // <https://developer.chrome.com/docs/multidevice/user-agent>
            "Android" if self.text.contains("Mobile") => DeviceClass::Phone,
            "Android" => DeviceClass::Tablet,
            "Windows Phone" | "Firefox OS" | "BlackBerry OS" | "KaiOS" => DeviceClass::Phone,
            "Windows" | "Mac OS X" | "Linux" | "Ubuntu" | "Fedora" | "Debian" | "Chrome OS"
            | "FreeBSD" => DeviceClass::Computer,
            _ => DeviceClass::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1";

    #[test]
    fn the_definitions_can_be_read() {
        assert!(EXTRACTOR.is_some());
    }

    #[test]
    fn programs_are_told_by_what_they_say() {
        let cases = [
            (IPHONE, "Mobile Safari", "iPhone", "iOS", DeviceClass::Phone),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
                "Chrome",
                "Other",
                "Windows",
                DeviceClass::Computer,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.144 Mobile Safari/537.36",
                "Chrome Mobile",
                "Pixel 8",
                "Android",
                DeviceClass::Phone,
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
                "Mobile Safari",
                "iPad",
                "iOS",
                DeviceClass::Tablet,
            ),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
                "Firefox",
                "Other",
                "Ubuntu",
                DeviceClass::Computer,
            ),
            ("", "Other", "Other", "Other", DeviceClass::Other),
            ("something else", "Other", "Other", "Other", DeviceClass::Other),
        ];
        for (text, family, device, system, class) in cases {
            let agent = Agent::of(text);
            assert_eq!(
                (
                    agent.family.as_str(),
                    agent.device.as_str(),
                    agent.system.as_str(),
                    agent.class()
                ),
                (family, device, system, class),
                "{text}"
            );
            assert_eq!(Agent::read(agent.text.clone()), agent, "it follows from what is kept");
            assert_eq!(agent.text, text);
        }
    }

    #[test]
    fn n10_no_part_of_what_is_read_holds_an_address() {
        let told = Agent::of(
            "Mozilla/5.0 (Linux; Android 14; 203.0.113.9 Build/2001:db8::7) ada@example.org Chrome/203.0.113.9",
        );
        let kept = serde_json::to_string(&told).unwrap();
        for address in ["203.0.113", "2001:db8", "ada@", "example.org"] {
            assert!(!kept.contains(address), "{kept}");
        }
    }

    #[test]
    fn a_long_text_is_cut_after_it_was_scrubbed() {
        let text = format!("{}203.0.113.9", "x".repeat(MAX_CHARS - 6));
        let kept = Agent::of(&text).text;
        assert_eq!(kept.len(), MAX_CHARS);
        assert!(!kept.contains("203"), "{kept}");
    }
}
