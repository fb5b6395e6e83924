//! A link, and where it leads whom.

use nexus_core::directory::OutsideKind;
use nexus_core::effect::EffectId;
use nexus_core::sweep::moment;
use nexus_core::table::IndexEntry;
use nexus_core::{Directory, Key, Op, Record, RecordKind, Scope, records};
use nexus_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LinkCode, Utm};
use crate::clicks::{DeviceClass, Program, Visitor};

/// The most targets among which clicks are shared out.
pub const MAX_TARGETS: usize = 10;
/// The most rules of a link.
pub const MAX_RULES: usize = 20;
/// The most of a target's weight.
pub(super) const MAX_WEIGHT: u32 = 1_000;

/// A country, as ISO 3166-1 has it: two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// A language as a browser asks for it, without its region: two or three small letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spoken(String);

impl Country {
    /// The country of that code, in letters of either case.
    pub fn parse(raw: &str) -> Option<Self> {
        let bytes: [u8; 2] = raw.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(bytes.map(|b| b.to_ascii_uppercase())))
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.0.map(char::from).iter().collect()
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        Self::parse(&raw).ok_or("write two letters, as ISO 3166-1 has them, for example `ES`")
    }
}

impl Spoken {
    /// The language of a tag such as `es-MX`.
    pub fn parse(raw: &str) -> Option<Self> {
        let primary = raw.split('-').next().unwrap_or_default();
        let fits =
            matches!(primary.len(), 2 | 3) && primary.bytes().all(|b| b.is_ascii_alphabetic());
        fits.then(|| Self(primary.to_ascii_lowercase()))
    }

    /// What somebody likes to read best, by the header `Accept-Language` (RFC 9110, 12.5.4).
    pub fn preferred(header: &str) -> Option<Self> {
        let weighed = header.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let language = Self::parse(parts.next()?)?;
            let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
            let weight = weight.parse::<f32>().ok().filter(|w| (0.0..=1.0).contains(w))?;
            (weight > 0.0).then_some((language, weight))
        });
        // Of equals the first.
        weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(l, _)| l)
    }
}

impl From<Spoken> for String {
    fn from(spoken: Spoken) -> Self {
        spoken.0
    }
}

impl TryFrom<String> for Spoken {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        Self::parse(&raw).ok_or("write a language's two or three letters, for example `es`")
    }
}

/// Where a link leads some of those who follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The address ([`super::parse_address`]).
    pub address: String,
    /// How many of them, beside the weights of the others: 0 to 1,000, and not all 0.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(weight: &u32) -> bool {
    *weight == 1
}

/// Leads some elsewhere. A list that is empty is about everyone; all lists have to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Who is in one of these countries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<Country>,
    /// Who uses one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceClass>,
    /// Who likes best to read one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<Spoken>,
    /// Where they are led.
    pub address: String,
}

/// What a tenant wants of all links that say nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkDefaults {
    /// The parameters that targets get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm: Option<Utm>,
    /// Where a link leads that has expired or was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// A short link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What stands after the last slash of its address.
    pub code: LinkCode,
    /// Where it leads: one address, or several that share the clicks by their weights.
    pub targets: Vec<Target>,
    /// Whom it leads elsewhere; the first rule that holds counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The parameters that its targets get; the tenant's usual ones where it says nothing, none where it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utm: Option<Utm>,
    /// The post that it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<EffectId>,
    /// When it was made.
    pub created: Timestamp,
    /// From this moment on it leads nowhere. The row stays: nobody else ever gets the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Since when it leads nowhere because somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// Where it leads once it leads nowhere; else as the tenant's settings have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

impl Record for Link {
    const KIND: RecordKind = RecordKind::Link;

    fn key(&self, scope: &Scope) -> Key {
        link_key(scope, &self.code)
    }

    fn list(&self, scope: &Scope) -> Option<IndexEntry> {
        let sort = format!("{}#{}", moment(self.created), self.code);
        Some(IndexEntry { partition: link_list(scope), sort })
    }
}

/// Where a link stands.
pub(super) fn link_key(scope: &Scope, code: &LinkCode) -> Key {
    scope.key("link", code.as_str())
}

/// The partition of the index that lists a tenant's links by when they were made.
pub fn link_list(scope: &Scope) -> String {
    scope.partition("links")
}

/// Who follows a link, as far as its rules ask.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'v> {
    /// In which country, where that is known.
    pub country: Option<Country>,
    /// By which program. It is read where a rule asks for a device.
    pub program: &'v Program,
    /// What they like best to read.
    pub language: Option<&'v Spoken>,
    /// Shares visitors out among targets: the same one of a day is led to the same target.
    pub visitor: Visitor,
}

impl Link {
    /// A link to one address, with nothing else said.
    pub fn to(code: LinkCode, address: impl Into<String>, created: Timestamp) -> Self {
        Self {
            code,
            targets: vec![Target { address: address.into(), weight: 1 }],
            rules: Vec::new(),
            utm: None,
            post: None,
            created,
            expires: None,
            revoked: None,
            fallback: None,
        }
    }

    /// The operations that make it known: the link, and whose its code is.
    pub fn ops(&self, scope: &Scope) -> [Op; 2] {
        let (directory, code) = (Directory::of(scope.product()), self.code.as_str());
        [records::create(scope, self), directory.claim(scope, OutsideKind::Link, code, code)]
    }

    /// Whether it leads to its targets.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|at| now < at)
    }

    /// Which of its addresses it leads somebody to.
    pub fn address_for(&self, visit: &Visit<'_>) -> Option<&str> {
        let holds = |rule: &&Rule| {
            let country = |c: Country| rule.countries.contains(&c);
            let language = |l: &Spoken| rule.languages.contains(l);
            (rule.countries.is_empty() || visit.country.is_some_and(country))
                && (rule.devices.is_empty()
                    || rule.devices.contains(&visit.program.agent().class()))
                && (rule.languages.is_empty() || visit.language.is_some_and(language))
        };
        if let Some(rule) = self.rules.iter().find(holds) {
            return Some(&rule.address);
        }
        let whole: u64 = self.targets.iter().map(|target| u64::from(target.weight)).sum();
        let drawn = u64::from_be_bytes(visit.visitor.0).checked_rem(whole).unwrap_or(0);
        let mut passed = 0;
        let chosen = self.targets.iter().find(|target| {
            passed += u64::from(target.weight);
            drawn < passed
        });
        chosen.map(|target| target.address.as_str())
    }
}

/// The link of a post.
pub(crate) fn made_for_post(
    code: &str,
    target: &str,
    post: EffectId,
    now: Timestamp,
) -> Option<Link> {
    let link = Link::to(LinkCode::parse(code)?, target, now);
    Some(Link { post: Some(post), ..link })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link::to(LinkCode::parse("spring").unwrap(), "https://a.example/", Timestamp::UNIX_EPOCH)
    }

    fn rule(
        countries: &[&str],
        devices: &[DeviceClass],
        languages: &[&str],
        address: &str,
    ) -> Rule {
        Rule {
            countries: countries.iter().map(|c| Country::parse(c).unwrap()).collect(),
            devices: devices.to_vec(),
            languages: languages.iter().map(|l| Spoken::parse(l).unwrap()).collect(),
            address: address.to_owned(),
        }
    }

    #[test]
    fn the_first_rule_that_holds_counts() {
        let rules = vec![
            rule(&["ES"], &[DeviceClass::Phone], &[], "https://a.example/es-phone"),
            rule(&["ES", "MX"], &[], &[], "https://a.example/es"),
            rule(&[], &[], &["fr"], "https://a.example/fr"),
        ];
        let link = Link { rules, ..link() };
        let kept = |text: &str| Program::of_kept(text.to_owned());
        let phone = kept(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
        );
        let computer = kept("");
        let led = |country: &str, program: &Program, language: Option<&str>| {
            let language = language.and_then(Spoken::parse);
            let visit = Visit {
                country: Country::parse(country),
                program,
                language: language.as_ref(),
                visitor: Visitor([0; 8]),
            };
            link.address_for(&visit).unwrap().trim_start_matches("https://a.example/").to_owned()
        };
        assert_eq!(led("ES", &phone, None), "es-phone");
        assert_eq!(led("ES", &computer, Some("fr")), "es");
        assert_eq!(led("MX", &phone, None), "es");
        assert_eq!(led("FR", &computer, Some("fr")), "fr");
        assert_eq!(led("FR", &computer, Some("en")), "");
        assert_eq!(led("", &computer, None), "", "nowhere known is in no country of a rule");
    }

    #[test]
    fn weights_share_visitors_out_and_a_visitor_stays() {
        let target = |address: &str, weight| Target { address: address.to_owned(), weight };
        let link =
            Link { targets: vec![target("a", 3), target("never", 0), target("b", 1)], ..link() };
        let program = Program::of_kept(String::new());
        let mut counted = std::collections::BTreeMap::new();
        for n in 0..4_000_u64 {
            let visitor = Visitor(n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
            let visit = Visit { country: None, program: &program, language: None, visitor };
            let led = link.address_for(&visit).unwrap();
            assert_eq!(link.address_for(&visit), Some(led));
            *counted.entry(led.to_owned()).or_insert(0) += 1;
        }
        assert_eq!(counted.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!((2_800..3_200).contains(&counted["a"]), "{counted:?}");
        let none = Link { targets: vec![target("a", 0)], ..link };
        let visit =
            Visit { country: None, program: &program, language: None, visitor: Visitor([1; 8]) };
        assert_eq!(none.address_for(&visit), None);
    }

    #[test]
    fn the_language_that_somebody_likes_best() {
        for (header, best) in [
            ("es-MX,es;q=0.9,en;q=0.8", Some("es")),
            ("en;q=0.2, fr-CA;q=0.9, *;q=0.1", Some("fr")),
            ("de;q=0, it;q=0.5", Some("it")),
            ("*", None),
            ("", None),
            ("en;q=NaN, pt", Some("pt")),
            ("en;q=inf", None),
        ] {
            assert_eq!(Spoken::preferred(header).map(String::from).as_deref(), best, "{header}");
        }
    }
}
