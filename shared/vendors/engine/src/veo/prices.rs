//! Google's price list, for footage of 720p. Google counts tokens; resellers name the seconds that they come to.

use jiff::civil::{Date, date};
use nexus_core::egress::Cost;

use super::models::Model;
use crate::footage::Price;

/// The day on which these prices were read.
const AS_OF: Date = date(2026, 11, 20);

/// What the prompt, the picture and the thinking come to at most.
const BESIDE: Cost = Cost::micros(20_000);

/// What a million tokens cost that come out, in millionths of a dollar: the same source as that of the seconds.
const A_MILLION_OUT: u128 = 17_500_000;

/// The price of each model that can be set, for each second.
pub static PRICES: [Price; 2] = [
    Price {
        model: "gemini-omni-1.1-flash",
        seconds: 1,
        cost: Cost::micros(102_000),
        as_of: AS_OF,
        source: "a reseller's page: 5,792 tokens a second at 17.50 US dollars a million",
        verified: false,
    },
    // A cut by a third was reported for this one; it is not counted on.
    Price {
        model: "gemini-omni-1.2-flash",
        seconds: 1,
        cost: Cost::micros(102_000),
        as_of: AS_OF,
        source: "as the model before it",
        verified: false,
    },
];

/// What footage of this length costs at most.
pub fn of(model: &Model, seconds: u32) -> Cost {
    let price = PRICES.iter().find(|price| price.model == model.name);
    // Every model has a price, which a test says; the dearest, if one had none.
    let price = price.or(PRICES.iter().max_by_key(|price| price.cost));
    let footage = price.map_or(Cost::ZERO, |price| price.of(seconds));
    Cost::micros(footage.as_micros().saturating_add(BESIDE.as_micros()))
}

/// What footage of so many tokens did cost at most, rounded up.
pub fn of_tokens(tokens_out: u64) -> Cost {
    let micros = (u128::from(tokens_out) * A_MILLION_OUT).div_ceil(1_000_000);
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Cost::micros(micros.saturating_add(BESIDE.as_micros()))
}
