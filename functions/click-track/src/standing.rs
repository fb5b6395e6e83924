//! What stands behind a code, with the addresses that it leads to as an answer names them: worked out once, not for each
//! who follows it.

use std::collections::BTreeMap;

use axum::http::HeaderValue;
use nexus_engine::inquiries;
use nexus_engine::links::{Found, parse_address};

/// A link, and its answers.
pub(crate) struct Standing {
    pub(crate) found: Found,
    locations: BTreeMap<String, HeaderValue>,
    fallback: Option<HeaderValue>,
}

impl Standing {
    pub(crate) fn of(found: Found) -> Self {
        let targets = found.link.targets.iter().map(|target| &target.address);
        let all = targets.chain(found.link.rules.iter().map(|rule| &rule.address));
        let locations = all.filter_map(|address| Some((address.clone(), led_to(&found, address)?)));
        let locations = locations.collect();
        let fallback = found.fallback().and_then(|address| parse_address(address).ok());
        let fallback = fallback.and_then(|address| HeaderValue::from_str(address.as_str()).ok());
        Self { found, locations, fallback }
    }

    /// Where somebody is led for whom the link chose this address; `None` where it is none that is registered.
    pub(crate) fn location(&self, address: &str) -> Option<&HeaderValue> {
        self.locations.get(address)
    }

    /// Where they are led once the link leads nowhere.
    pub(crate) fn fallback(&self) -> Option<&HeaderValue> {
        self.fallback.as_ref()
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        // The addresses stand in it twice.
        self.found.size() * 2
    }
}

/// A registered address, with the parameters that its owner set.
fn led_to(found: &Found, address: &str) -> Option<HeaderValue> {
    let target = parse_address(address).ok()?;
    let target = match found.link.utm.as_ref().or(found.defaults.utm.as_ref()) {
        Some(utm) => utm.merged(target),
        None => target,
    };
    HeaderValue::from_str(inquiries::led_by(target, &found.link.code).as_str()).ok()
}
