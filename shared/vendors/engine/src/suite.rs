//! The vendors as an operator set them up: which address, model and voice each has. One place for both platforms.
//!
//! **Never here:** who may use which (the tenant's choice), a key.

use std::sync::Arc;

use jiff::civil::Date;
use nexus_core::Vault;
use nexus_core::vault::VaultError;
use nexus_engine::comments::Listener;
use nexus_engine::connections::Login;
use nexus_engine::footage::FootageMaker;
use nexus_engine::publishing::Publisher;
use nexus_kernel::Failure;
use nexus_outbound::guard::{Guard, NetworkError};
use nexus_outbound::https::{Https, HttpsError, TlsFloor};
use nexus_outbound::{Outbound, Parts, SetupError, Transport, Vendor};

use crate::elevenlabs::{self, ElevenLabs};
use crate::footage::Price;
use crate::gemini::{self, Gemini};
use crate::luma::{self, Luma};
use crate::mastodon::Mastodon;
use crate::runway::{self, Runway};
use crate::tiktok::{self, TikTok};
use crate::veo::{self, Veo};
use crate::x::{self, X};

/// Every vendor of the Engine that has one address. Mastodon has none of its own: each account names its server.
pub static VENDORS: [&Vendor; 7] = [
    &gemini::VENDOR,
    &elevenlabs::VENDOR,
    &veo::VENDOR,
    &runway::VENDOR,
    &luma::VENDOR,
    &tiktok::VENDOR,
    &x::VENDOR,
];

/// The setting with the networks that may be reached though they are not public, a space between them: for a vendor's
/// stand-in on loopback, or a proxy in the house.
pub const OPEN_SETTING: &str = "OUTBOUND_OPEN";

/// The settings besides the vendors' bases.
const OWN: [&str; 19] = [
    OPEN_SETTING,
    gemini::MODEL_SETTING,
    elevenlabs::MODEL_SETTING,
    elevenlabs::VOICE_EN_SETTING,
    elevenlabs::VOICE_ES_SETTING,
    elevenlabs::STABILITY_SETTING,
    elevenlabs::SIMILARITY_SETTING,
    elevenlabs::STYLE_SETTING,
    elevenlabs::SPEED_SETTING,
    elevenlabs::NO_LOGGING_SETTING,
    elevenlabs::PRICE_SETTING,
    veo::MODEL_SETTING,
    runway::MODEL_SETTING,
    luma::MODEL_SETTING,
    tiktok::CLIENT_KEY_SETTING,
    tiktok::AUTHORIZE_BASE_SETTING,
    tiktok::MEDIA_BASE_SETTING,
    x::CLIENT_ID_SETTING,
    x::AUTHORIZE_BASE_SETTING,
];

/// Every name that [`Settings::read`] asks for. But for [`OPEN_SETTING`], which is for all of them, each begins with its
/// vendor's name in capitals and `_`.
pub fn names() -> impl Iterator<Item = &'static str> {
    OWN.into_iter().chain(VENDORS.iter().map(|vendor| vendor.base_setting))
}

/// Whether a name is one that [`Settings::read`] asks for.
pub fn is_setting(name: &str) -> bool {
    names().any(|known| known == name)
}

/// What an operator set, read and found to be possible.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    bases: Vec<(&'static str, String)>,
    open: Vec<String>,
    gemini_model: String,
    elevenlabs: elevenlabs::Settings,
    veo_model: String,
    runway_model: String,
    luma_model: String,
    tiktok: tiktok::Settings,
    x: x::Settings,
}

/// The networks.
#[derive(Clone, Default)]
pub struct Networks {
    /// Who connects accounts.
    pub logins: Vec<Arc<dyn Login>>,
    /// Who carries posts.
    pub publishers: Vec<Arc<dyn Publisher>>,
    /// Who reads comments.
    pub listeners: Vec<Arc<dyn Listener>>,
}

/// What is wrong with the settings: every one of them, by name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Problems(pub Vec<String>);

/// Why there is no way to the vendors.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// HTTPS cannot be set up.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// A network that should be open is none.
    #[error("{OPEN_SETTING}: {0}")]
    Open(#[from] NetworkError),
    /// An address is none.
    #[error(transparent)]
    Address(#[from] SetupError),
    /// A voice cannot speak so.
    #[error(transparent)]
    Voice(#[from] elevenlabs::SettingsProblem),
    /// A model is not known.
    #[error(transparent)]
    Model(#[from] Failure),
    /// The vault does not answer.
    #[error("the vault: {0}")]
    Vault(#[from] VaultError),
}

impl Settings {
    /// Reads what is set; what is not has its default. An empty text is not set.
    ///
    /// # Errors
    /// All that is wrong, at once.
    pub fn read<'s>(setting: impl Fn(&str) -> Option<&'s str>) -> Result<Self, Problems> {
        let set = |name: &str| setting(name).map(str::trim).filter(|text| !text.is_empty());
        let or = |name: &str, usual: &str| set(name).unwrap_or(usual).to_owned();
        let mut problems = Vec::new();
        let mut bases = Vec::new();
        for vendor in VENDORS {
            let Some(base) = set(vendor.base_setting) else { continue };
            match Outbound::check_base(vendor, base) {
                Ok(()) => bases.push((vendor.name, base.to_owned())),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        let open = set(OPEN_SETTING).unwrap_or_default().split_whitespace().map(str::to_owned);
        let open: Vec<String> = open.collect();
        if let Err(problem) = Guard::allowing(&open) {
            problems.push(format!("{OPEN_SETTING}: {problem}"));
        }
        let elevenlabs = elevenlabs::Settings::read(&set).unwrap_or_else(|wrong| {
            problems.extend(wrong.iter().map(ToString::to_string));
            elevenlabs::Settings::default()
        });
        let read = Self {
            bases,
            open,
            gemini_model: or(gemini::MODEL_SETTING, gemini::DEFAULT_MODEL),
            elevenlabs,
            veo_model: or(veo::MODEL_SETTING, veo::DEFAULT_MODEL),
            runway_model: or(runway::MODEL_SETTING, runway::DEFAULT_MODEL),
            luma_model: or(luma::MODEL_SETTING, luma::DEFAULT_MODEL),
            tiktok: tiktok::Settings {
                client_key: or(tiktok::CLIENT_KEY_SETTING, ""),
                authorize_base: set(tiktok::AUTHORIZE_BASE_SETTING).map(str::to_owned),
                media_base: set(tiktok::MEDIA_BASE_SETTING).map(str::to_owned),
            },
            x: x::Settings {
                client_id: or(x::CLIENT_ID_SETTING, ""),
                authorize_base: set(x::AUTHORIZE_BASE_SETTING).map(str::to_owned),
            },
        };
        for known in [
            veo::models::Model::named(&read.veo_model).err(),
            runway::models::Model::named(&read.runway_model).err(),
            luma::models::Model::named(&read.luma_model).err(),
        ] {
            problems.extend(known.map(|failure| failure.public().to_owned()));
        }
        if problems.is_empty() { Ok(read) } else { Err(Problems(problems)) }
    }

    /// The way out for these vendors: HTTPS, from TLS 1.2 on.
    ///
    /// # Errors
    /// HTTPS cannot be set up on this machine.
    pub fn transport(&self) -> Result<Arc<dyn Transport>, NoWay> {
        Ok(Arc::new(Https::new(Guard::allowing(&self.open)?, TlsFloor::Tls12, "")?))
    }

    fn base(&self, vendor: &Vendor) -> Option<String> {
        self.bases.iter().find(|(name, _)| *name == vendor.name).map(|(_, base)| base.clone())
    }

    /// Gemini.
    ///
    /// # Errors
    /// The way there cannot be set up.
    pub fn gemini(&self, parts: &Parts) -> Result<Gemini, NoWay> {
        let base = self.base(&gemini::VENDOR);
        Ok(Gemini::new(Outbound::new(&gemini::VENDOR, base, parts.clone())?, &self.gemini_model))
    }

    /// ElevenLabs.
    ///
    /// # Errors
    /// The way there cannot be set up.
    pub fn elevenlabs(&self, parts: &Parts) -> Result<ElevenLabs, NoWay> {
        let base = self.base(&elevenlabs::VENDOR);
        let outbound = Outbound::new(&elevenlabs::VENDOR, base, parts.clone())?;
        Ok(ElevenLabs::new(outbound, self.elevenlabs.clone())?)
    }

    /// Everybody who connects accounts at networks and carries posts there. `tokens` is where tenants' secrets are: a
    /// Mastodon server's application is one of them.
    ///
    /// # Errors
    /// The way to one of them cannot be set up.
    pub fn networks(&self, parts: &Parts, tokens: &Arc<dyn Vault>) -> Result<Networks, NoWay> {
        let base = |vendor| self.base(vendor);
        let tiktok =
            TikTok::new(parts.clone(), base(&tiktok::VENDOR), self.tiktok.clone()).map(Arc::new)?;
        let x = X::new(parts.clone(), base(&x::VENDOR), self.x.clone()).map(Arc::new)?;
        let mastodon = Arc::new(Mastodon::new(parts.clone(), Arc::clone(tokens)));
        Ok(Networks {
            logins: vec![Arc::clone(&tiktok) as _, Arc::clone(&x) as _, Arc::clone(&mastodon) as _],
            listeners: vec![Arc::clone(&x) as _, Arc::clone(&mastodon) as _],
            publishers: vec![tiktok, x, mastodon],
        })
    }

    /// Everybody who makes footage.
    ///
    /// # Errors
    /// The way to one of them cannot be set up.
    pub fn footage_makers(&self, parts: &Parts) -> Result<Vec<Arc<dyn FootageMaker>>, NoWay> {
        let parts = || parts.clone();
        Ok(vec![
            Arc::new(Veo::new(parts(), self.base(&veo::VENDOR), &self.veo_model)?),
            Arc::new(Runway::new(parts(), self.base(&runway::VENDOR), &self.runway_model)?),
            Arc::new(Luma::new(parts(), self.base(&luma::VENDOR), &self.luma_model)?),
        ])
    }
}

/// The vendors that cost something by the call, each with the day on which the oldest of its prices was read.
pub fn prices_as_of() -> Vec<(&'static str, Date)> {
    let oldest = |prices: &[Price]| prices.iter().map(|price| price.as_of).min();
    let lists = [
        (gemini::VENDOR.name, gemini::prices::as_of()),
        (elevenlabs::VENDOR.name, elevenlabs::prices::as_of()),
        (veo::VENDOR.name, oldest(&veo::prices::PRICES)),
        (runway::VENDOR.name, oldest(&runway::prices::PRICES)),
        (luma::VENDOR.name, oldest(&luma::prices::PRICES)),
        (x::VENDOR.name, Some(x::prices::AS_OF)),
    ];
    lists.into_iter().filter_map(|(vendor, day)| Some((vendor, day?))).collect()
}

/// Whether the house has a key at this vendor.
///
/// # Errors
/// The vault does not answer, or the vendor is described wrongly.
pub async fn has_key(vendor: &'static Vendor, parts: &Parts) -> Result<bool, NoWay> {
    Ok(Outbound::new(vendor, None, parts.clone())?.has_key().await?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_vendor_that_costs_something_says_when_its_prices_were_read() {
        let told = prices_as_of();
        let paid: Vec<&str> =
            VENDORS.iter().map(|vendor| vendor.name).filter(|name| *name != "tiktok").collect();
        assert_eq!(told.iter().map(|(vendor, _)| *vendor).collect::<Vec<_>>(), paid);
        let days = |vendor: &str| told.iter().find(|(name, _)| *name == vendor).unwrap().1;
        assert_eq!(
            (days("gemini").to_string().as_str(), days("x")),
            ("2026-11-20", x::prices::AS_OF)
        );
    }

    #[test]
    fn everything_has_a_default() {
        let settings = Settings::read(|_| Some(" ")).unwrap();
        assert_eq!(settings.gemini_model, gemini::DEFAULT_MODEL);
        assert_eq!((settings.bases.len(), settings.open.len()), (0, 0));
    }

    #[test]
    fn the_list_of_settings_is_whole() {
        let asked = std::cell::RefCell::new(BTreeSet::new());
        let read = Settings::read(|name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        });
        assert!(read.is_ok());
        assert_eq!(asked.into_inner(), names().map(str::to_owned).collect());
        assert!(is_setting("RUNWAY_BASE") && !is_setting("PATH"));
    }

    #[test]
    fn a_setting_begins_with_its_vendors_name() {
        for name in names().filter(|name| *name != OPEN_SETTING) {
            let of = VENDORS.iter().filter(|vendor| {
                name.strip_prefix(&vendor.name.to_ascii_uppercase())
                    .is_some_and(|rest| rest.starts_with('_'))
            });
            assert_eq!(of.count(), 1, "{name}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once_by_their_settings() {
        let wrong = |name: &str| match name {
            "GEMINI_BASE" => Some("generativelanguage.googleapis.com"),
            "RUNWAY_MODEL" => Some("gen1"),
            OPEN_SETTING => Some("127.0.0.0/8 0.0.0.0/0"),
            "ELEVENLABS_SPEED" => Some("2"),
            _ => None,
        };
        let told = Settings::read(wrong).unwrap_err().0;
        let names = ["GEMINI_BASE", OPEN_SETTING, "ELEVENLABS_SPEED", "RUNWAY_MODEL"];
        assert_eq!(told.len(), names.len(), "{told:?}");
        for (problem, name) in told.iter().zip(names) {
            assert!(problem.contains(name), "{problem}");
        }
    }

    /// Whom the Engine's vendors reach, written once more: another host is another processor of tenants' data, and
    /// comes in by no slip.
    const CLOSED_LIST: [(&str, &str, &[&str]); 7] = [
        ("gemini", "https://generativelanguage.googleapis.com", &[]),
        ("elevenlabs", "https://api.elevenlabs.io", &[]),
        (
            "veo",
            "https://generativelanguage.googleapis.com",
            &[".googleapis.com", ".googleusercontent.com"],
        ),
        ("runway", "https://api.dev.runwayml.com", &[".cloudfront.net"]),
        (
            "luma",
            "https://agents.lumalabs.ai",
            &[
                ".lumalabs.ai",
                ".cdn-luma.com",
                ".s3.amazonaws.com",
                ".s3.us-east-1.amazonaws.com",
                ".s3.us-west-2.amazonaws.com",
            ],
        ),
        (
            "tiktok",
            "https://open.tiktokapis.com",
            &["open-upload.tiktokapis.com", ".tiktokapis.com"],
        ),
        ("x", "https://api.x.com", &[]),
    ];

    #[test]
    fn n35_the_closed_list_of_hosts_is_this_one() {
        let reached = VENDORS.map(|vendor| (vendor.name, vendor.base, vendor.hosts));
        assert_eq!(reached, CLOSED_LIST);
        // Mastodon has no host of its own: the server that an account names is asked, and no other.
        assert!(crate::mastodon::VENDOR.hosts.is_empty());
    }

    #[test]
    fn n35_every_vendor_has_a_name_of_its_own_and_https() {
        let mut names: Vec<&str> = VENDORS.iter().map(|vendor| vendor.name).collect();
        assert!(VENDORS.iter().all(|vendor| vendor.base.starts_with("https://")));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), VENDORS.len());
    }
}
