//! Clicks as they may come: most by day, from a few countries, by a few hundred programs.

use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_engine::clicks::{Agent, BotReason, Click, ClickId, Place, Referrer, Spot, Visitor};
use nexus_kernel::Timestamp;

/// Numbers that look like chance and are the same at every run (SplitMix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of so many, the first ones far more often: the square of an even chance.
fn of(seed: u64, count: u64) -> u64 {
    let part = seed % 10_000;
    part * part * count / 100_000_000
}

const CITIES: [(&str, &str, &str, [i16; 2]); 12] = [
    ("GB", "ENG", "Kingston upon Hull", [537, -3]),
    ("GB", "ENG", "London", [515, -1]),
    ("ES", "MD", "Madrid", [404, -37]),
    ("ES", "CT", "Barcelona", [414, 22]),
    ("US", "NY", "New York", [407, -740]),
    ("US", "CA", "Los Angeles", [341, -1182]),
    ("DE", "BE", "Berlin", [525, 134]),
    ("MX", "CMX", "Mexico City", [194, -991]),
    ("FR", "IDF", "Paris", [489, 24]),
    ("AR", "C", "Buenos Aires", [-346, -584]),
    ("IT", "62", "Rome", [419, 125]),
    ("CO", "DC", "Bogotá", [46, -741]),
];

const HOSTS: [&str; 6] =
    ["www.tiktok.com", "t.co", "mastodon.social", "www.google.com", "l.instagram.com", "bing.com"];

/// The code of a link.
pub(crate) fn link(number: u64) -> String {
    format!("BCDFGHJK{:02}", number % 100)
}

/// The n-th click, at some time of this day.
pub(crate) fn click(n: u64, day: Timestamp, links: u64) -> Click {
    let (a, b, c) = (mixed(n), mixed(n ^ 0xa5a5), mixed(n ^ 0x5a5a));
    // Two in three between noon and midnight.
    let millis = if a.is_multiple_of(3) { b % 43_200_000 } else { 43_200_000 + b % 43_200_000 };
    let at = day.saturating_add(SignedDuration::from_millis(millis as i64)).unwrap_or(day);
    let (country, region, city, tenths) = CITIES[of(c, 12) as usize];
    let (program, link_number) = (of(c >> 20, 400), of(a >> 24, links));
    let millis = u128::from(at.as_millisecond().unsigned_abs());
    // As a UUID of version 7 has it.
    let bits = (millis << 80)
        | (0x7 << 76)
        | (u128::from(a & 0xfff) << 64)
        | (0b10 << 62)
        | u128::from(b >> 2);
    Click {
        id: ClickId::from_bits(bits),
        at,
        link: link(link_number),
        post: Some(EffectId::derived(&["post", &link_number.to_string()])),
        place: Place::Spot(Spot {
            country: Some(country.into()),
            region: Some(region.into()),
            city: Some(city.into()),
            tenths: Some(tenths),
        }),
        agent: Agent {
            text: format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS {}_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/{}.1 Mobile/15E148 Safari/604.1",
                program % 20,
                program / 20,
                program % 20
            ),
            family: "Mobile Safari".into(),
            device: ["iPhone", "Other", "Pixel 9", "SM-G991B"][program as usize % 4].into(),
            system: "iOS".into(),
        },
        referrer: (!b.is_multiple_of(4))
            .then(|| Referrer { host: HOSTS[of(a >> 40, 6) as usize].into(), path: "/".into() }),
        visitor: Visitor(mixed(c % 2_000_000).to_be_bytes()),
        bot: a.is_multiple_of(12).then_some(BotReason::Preview),
        head: false,
        no_accept: false,
    }
}
