//! What Gemini costs, by Google's price page for the paid tier.
//!
//! **Never here:** a discount that has to be asked for (batches, cached prompts): a cap has to hold without it.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use nexus_core::egress::Cost;
use nexus_kernel::Timestamp;

/// A model's price for text, up to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Price {
    model: &'static str,
    /// The last day on which it holds, UTC; for good where there is none.
    until: Option<Date>,
    /// Millionths of a dollar for a million tokens that go in.
    input: u64,
    /// Millionths of a dollar for a million tokens that come out, thinking included.
    output: u64,
    /// The day on which this was read.
    as_of: Date,
}

const fn price(model: &'static str, until: Option<Date>, input: u64, output: u64) -> Price {
    Price { model, until, input, output, as_of: date(2026, 11, 20) }
}

/// The end of the launch price of the newest models.
const LAUNCH: Option<Date> = Some(date(2026, 12, 31));

/// Sorted by model, and within a model by day.
const PRICES: &[Price] = &[
    // UNVERIFIED: price lists of others only.
    price("gemini-3.1-flash-lite", None, 250_000, 1_500_000),
    price("gemini-3.5-flash", None, 1_500_000, 9_000_000),
    price("gemini-3.5-flash-lite", None, 300_000, 2_500_000),
    // UNVERIFIED: that the launch price of 3.6 and 3.7 ends with that of 3.8.
    price("gemini-3.6-flash", LAUNCH, 750_000, 3_750_000),
    price("gemini-3.6-flash", None, 1_500_000, 7_500_000),
    price("gemini-3.7-flash", LAUNCH, 750_000, 3_750_000),
    price("gemini-3.7-flash", None, 1_500_000, 7_500_000),
    price("gemini-3.8-flash", LAUNCH, 750_000, 3_750_000),
    price("gemini-3.8-flash", None, 1_500_000, 7_500_000),
];

/// The day on which the oldest of these prices was read.
pub(crate) fn as_of() -> Option<Date> {
    PRICES.iter().map(|price| price.as_of).min()
}

/// The models that have a price of their own.
pub fn models() -> impl Iterator<Item = &'static str> {
    PRICES.iter().filter(|price| price.until.is_none()).map(|price| price.model)
}

/// What so many tokens cost with a model at a time, rounded up. A model that is not on the list costs as much as the
/// dearest that is.
pub(super) fn cost(model: &str, at: Timestamp, tokens_in: u64, tokens_out: u64) -> Cost {
    let day = at.to_zoned(TimeZone::UTC).date();
    let listed = PRICES.iter().find(|p| p.model == model && p.until.is_none_or(|u| day <= u));
    let dearest = |of: fn(&Price) -> u64| PRICES.iter().map(of).max().unwrap_or_default();
    let (input, output) = match listed {
        Some(price) => (price.input, price.output),
        None => (dearest(|p| p.input), dearest(|p| p.output)),
    };
    let millionths =
        u128::from(tokens_in) * u128::from(input) + u128::from(tokens_out) * u128::from(output);
    let micros = millionths.div_ceil(1_000_000);
    Cost::micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: &str) -> Timestamp {
        moment.parse().unwrap()
    }

    #[test]
    fn n49_a_price_holds_up_to_its_day() {
        let micros =
            |moment| cost("gemini-3.8-flash", at(moment), 1_000_000, 1_000_000).as_micros();
        assert_eq!(micros("2026-12-31T23:59:59Z"), 4_500_000);
        assert_eq!(micros("2027-01-01T00:00:00Z"), 9_000_000);
    }

    #[test]
    fn n49_part_of_a_millionth_is_a_whole_one() {
        assert_eq!(cost("gemini-3.5-flash-lite", at("2026-11-20T00:00Z"), 1, 0).as_micros(), 1);
        assert_eq!(cost("gemini-3.5-flash-lite", at("2026-11-20T00:00Z"), 0, 0).as_micros(), 0);
    }

    #[test]
    fn n49_an_unknown_model_costs_as_the_dearest() {
        let moment = at("2026-11-20T00:00Z");
        let unknown = cost("gemini-9-ultra", moment, 1_000, 1_000);
        for price in PRICES {
            assert!(unknown >= cost(price.model, moment, 1_000, 1_000), "{}", price.model);
        }
        assert_eq!(unknown, cost("gemini-3.5-flash", moment, 1_000, 1_000));
    }

    #[test]
    fn n49_every_listed_model_has_a_price_for_good() {
        for price in PRICES {
            let mut same = PRICES.iter().filter(|p| p.model == price.model);
            assert!(same.any(|p| p.until.is_none()), "{}", price.model);
        }
        assert!(PRICES.is_sorted_by_key(|p| (p.model, p.until.unwrap_or(Date::MAX))));
    }

    #[test]
    fn no_number_of_tokens_is_too_many() {
        let moment = at("2026-11-20T00:00Z");
        assert_eq!(cost("x", moment, u64::MAX, u64::MAX).as_micros(), i64::MAX);
    }
}
