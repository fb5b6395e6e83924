//! What ElevenLabs costs: characters by model, by its price list for the API.
//!
//! UNVERIFIED: the list was seen in others' words only, and what a character costs beyond a plan's own depends on the
//! plan. An operator who knows better says so ([`Settings::price`](super::Settings::price)).

use jiff::civil::{Date, date};
use nexus_core::egress::Cost;

/// The day on which these prices were read.
const AS_OF: Date = date(2026, 11, 20);

/// What the beginning of a model's id says of it.
struct Model {
    id: &'static str,
    /// Millionths of a dollar for a million characters.
    price: u64,
    /// The day on which this was read.
    as_of: Date,
    /// The most characters of a request.
    most: usize,
    /// Whether it wants to be told the language; the others guess it, and refuse to be told.
    told_language: bool,
}

const MODELS: &[Model] = &[
    Model {
        id: "eleven_multilingual_v2",
        price: 100_000_000,
        as_of: AS_OF,
        most: 10_000,
        told_language: false,
    },
    // Later pages say 5,000 characters: UNVERIFIED.
    Model { id: "eleven_v3", price: 100_000_000, as_of: AS_OF, most: 3_000, told_language: true },
    Model {
        id: "eleven_flash_v2_5",
        price: 50_000_000,
        as_of: AS_OF,
        most: 40_000,
        told_language: true,
    },
    Model {
        id: "eleven_turbo_v2_5",
        price: 50_000_000,
        as_of: AS_OF,
        most: 40_000,
        told_language: true,
    },
];

/// The day on which the oldest of these prices was read.
pub(crate) fn as_of() -> Option<Date> {
    MODELS.iter().map(|model| model.as_of).min()
}

fn known(model: &str) -> Option<&'static Model> {
    MODELS.iter().find(|known| known.id == model)
}

/// The most characters that a model speaks at once; of one that is not known, the least that any does.
pub(super) fn most(model: &str) -> usize {
    let least = || MODELS.iter().map(|m| m.most).min().unwrap_or_default();
    known(model).map_or_else(least, |model| model.most)
}

/// Whether a model is told the language.
pub(super) fn told_language(model: &str) -> bool {
    known(model).is_some_and(|model| model.told_language)
}

/// What so many characters cost, rounded up: at the operator's price for a million, or by the list; with a model that
/// is not known, as much as with the dearest that is.
pub(super) fn cost(model: &str, own: Option<Cost>, characters: u64) -> Cost {
    let dearest = || MODELS.iter().map(|m| m.price).max().unwrap_or_default();
    let listed = || known(model).map_or_else(dearest, |model| model.price);
    let price = own.and_then(|cost| u64::try_from(cost.as_micros()).ok()).unwrap_or_else(listed);
    let micros = (u128::from(characters) * u128::from(price)).div_ceil(1_000_000);
    Cost::micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n49_characters_cost_by_model() {
        assert_eq!(cost("eleven_multilingual_v2", None, 200).as_micros(), 20_000);
        assert_eq!(cost("eleven_flash_v2_5", None, 200).as_micros(), 10_000);
        assert_eq!(cost("eleven_flash_v2_5", None, 0), Cost::ZERO);
    }

    #[test]
    fn n49_an_unknown_model_costs_as_the_dearest() {
        for model in MODELS {
            assert!(cost("eleven_v9", None, 200) >= cost(model.id, None, 200), "{}", model.id);
        }
    }

    #[test]
    fn n49_the_operators_price_counts_before_the_list() {
        let own = Some(Cost::micros(300_000_000));
        assert_eq!(cost("eleven_flash_v2_5", own, 200).as_micros(), 60_000);
        assert_eq!(cost("eleven_flash_v2_5", own, u64::MAX).as_micros(), i64::MAX);
    }

    #[test]
    fn an_unknown_model_speaks_as_little_as_any() {
        assert_eq!(most("eleven_v9"), 3_000);
        assert_eq!(most("eleven_multilingual_v2"), 10_000);
    }
}
