//! Where a click came from, roughly.

use nexus_kernel::ClientIp;
use serde::{Deserialize, Serialize};

/// Whose data places are, as the licence wants it told beside them, wherever and however late they are shown.
///
/// Source: GeoLite2 End User License Agreement, "Attribution Requirements".
pub const ATTRIBUTION: &str = "This product includes GeoLite2 Data created by MaxMind, available from https://www.maxmind.com.";

/// A place, or that none was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// No database, or the address is not in it.
    #[default]
    Unlocated,
    /// Here.
    Spot(Spot),
}

impl Place {
    /// Whether no place was found.
    pub fn is_unlocated(&self) -> bool {
        matches!(self, Self::Unlocated)
    }
}

/// A place. Every part may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spot {
    /// The country, as ISO 3166-1 has it: `GB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The largest part of the country, as ISO 3166-2 has it, without the country: `ENG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The town's English name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Latitude and longitude in tenths of a degree, rounded (N11): `[515, -1]` is 51.5 north, 0.1 west.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenths: Option<[i16; 2]>,
}

/// Tells where an address is, from memory: nobody outside is asked.
pub trait Locator: Send + Sync {
    /// The place; [`Place::Unlocated`] where nothing is known.
    fn locate(&self, address: ClientIp) -> Place;

    /// Whose data it is, and of when, in a sentence for whoever looks after it; `None` without a database.
    fn attribution(&self) -> Option<String>;
}

/// Knows no place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlocated;

impl Locator for Unlocated {
    fn locate(&self, _: ClientIp) -> Place {
        Place::Unlocated
    }

    fn attribution(&self) -> Option<String> {
        None
    }
}
