//! The few nouns that templates say in both languages: colours, and things that keywords name.
//!
//! What does not stand here is never put into a sentence, in either language.

use std::collections::BTreeMap;

use nexus_kernel::Failure;
use serde::Deserialize;

use super::phrases::Pair;

/// Words and their Spanish.
#[derive(Debug, Deserialize)]
pub(super) struct Dictionary {
    colours: BTreeMap<String, String>,
    shades: BTreeMap<String, String>,
    things: BTreeMap<String, String>,
}

impl Dictionary {
    pub(super) fn read() -> Result<Self, Failure> {
        serde_json::from_str(include_str!("../../templates/words.json")).map_err(Failure::bug)
    }

    /// A colour by its English name, `brown` or `light blue`.
    pub(super) fn colour(&self, name: &str) -> Option<Pair> {
        let name = name.trim().to_lowercase();
        let es = self.colours.get(&name).cloned().or_else(|| {
            let (shade, colour) = name.split_once(' ')?;
            Some(format!("{} {}", self.colours.get(colour)?, self.shades.get(shade)?))
        })?;
        Some(Pair { en: name.replace("grey", "gray"), es })
    }

    /// A thing by its name in either language.
    pub(super) fn thing(&self, name: &str) -> Option<Pair> {
        let name = name.trim().to_lowercase();
        let by_spanish = || self.things.iter().find(|(_, es)| **es == name);
        let (en, es) = self.things.get_key_value(&name).or_else(by_spanish)?;
        Some(Pair { en: en.clone(), es: es.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_things_are_known_in_both_languages() {
        let words = Dictionary::read().unwrap();
        let pair = |en: &str, es: &str| Some(Pair { en: en.into(), es: es.into() });
        assert_eq!(words.colour("Brown"), pair("brown", "marrón"));
        assert_eq!(words.colour("light grey"), pair("light gray", "gris claro"));
        assert_eq!(words.colour("sky blue"), pair("sky blue", "celeste"));
        assert_eq!(words.colour("octarine"), None);
        assert_eq!(words.thing("Taza"), pair("cup", "taza"));
        assert_eq!(words.thing("cup"), pair("cup", "taza"));
        assert_eq!(words.thing("thingamajig"), None);
    }
}
