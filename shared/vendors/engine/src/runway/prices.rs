//! Runway's price list. A credit is 0.01 US dollars; a model costs credits for each second.

use jiff::civil::{Date, date};
use nexus_core::egress::Cost;

use super::models::Model;
use crate::footage::Price;

/// The day on which these prices were read.
const AS_OF: Date = date(2026, 11, 20);

/// A credit.
pub const CREDIT: Cost = Cost::micros(10_000);

/// The price of each model that can be set.
pub static PRICES: [Price; 4] = [
    per_second("gen4_turbo", 5, "the vendor's example: 5 seconds, 25 credits", true),
    per_second("gen4.5", 12, "an integrator's table", false),
    // 20 without sound, 40 with it. Which applies where the sound is turned off is not told.
    per_second("veo3.1", 40, "an integrator's table", false),
    // 10 or 15.
    per_second("veo3.1_fast", 15, "an integrator's table", false),
];

const fn per_second(
    model: &'static str,
    credits: i64,
    source: &'static str,
    verified: bool,
) -> Price {
    let cost = Cost::micros(credits * CREDIT.as_micros());
    Price { model, seconds: 1, cost, as_of: AS_OF, source, verified }
}

/// What footage of this length costs at most.
pub fn of(model: &Model, seconds: u32) -> Cost {
    let price = PRICES.iter().find(|price| price.model == model.name);
    // Every model has a price, which a test says; the dearest, if one had none.
    price
        .or(PRICES.iter().max_by_key(|price| price.cost))
        .map_or(Cost::ZERO, |price| price.of(seconds))
}
