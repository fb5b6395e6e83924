//! Luma's price list, for footage of 720p in standard dynamic range. A block of five seconds is paid whole.

use jiff::civil::date;
use nexus_core::egress::Cost;

use super::models::Model;
use crate::footage::Price;

/// The price of each model that can be set.
pub static PRICES: [Price; 1] = [Price {
    model: "ray-3.2",
    seconds: 5,
    cost: Cost::micros(1_000_000),
    as_of: date(2026, 11, 20),
    source: "a reseller's page: 1 US dollar for 5 seconds of 720p",
    verified: false,
}];

/// What footage of this length costs at most.
pub fn of(model: &Model, seconds: u32) -> Cost {
    let price = PRICES.iter().find(|price| price.model == model.name);
    // Every model has a price, which a test says; the dearest, if one had none.
    price
        .or(PRICES.iter().max_by_key(|price| price.cost))
        .map_or(Cost::ZERO, |price| price.of(seconds))
}
