//! How a tenant speaks, as far as templates can follow: one of five tones, by the words of the brand voice.

/// A tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Warm,
    Playful,
    Professional,
    Luxurious,
    Plain,
}

impl Tone {
    #[cfg(test)]
    pub(super) const ALL: [Self; 5] =
        [Self::Warm, Self::Playful, Self::Professional, Self::Luxurious, Self::Plain];

    /// The word in the phrases' names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Playful => "playful",
            Self::Professional => "professional",
            Self::Luxurious => "luxurious",
            Self::Plain => "plain",
        }
    }

    /// The tone that a brand voice names first, in English or Spanish; plain where it names none. `not formal` and
    /// `sin lujo` name none.
    pub(super) fn of(brand_voice: &str) -> Self {
        let words: Vec<String> = super::merchant::words(brand_voice);
        let named = words.iter().enumerate().filter_map(|(at, word)| {
            let negated = at
                .checked_sub(1)
                .and_then(|before| words.get(before))
                .is_some_and(|w| NEGATIONS.contains(&w.as_str()));
            (!negated).then(|| Self::named(word)).flatten()
        });
        named.into_iter().next().unwrap_or(Self::Plain)
    }

    fn named(word: &str) -> Option<Self> {
        let tone = TONES.iter().find(|(_, stems)| stems.iter().any(|stem| word.starts_with(stem)));
        tone.map(|(tone, _)| *tone)
    }

    /// How a camera moves in this tone, for a video engine.
    pub(super) const fn motion(self) -> &'static str {
        match self {
            Self::Warm => "A slow, gentle push-in, as if leaning closer.",
            Self::Playful => "A light, lively push-in that settles with a small bounce.",
            Self::Professional => "A steady, level push-in at an even pace.",
            Self::Luxurious => "A very slow, smooth drift with long holds.",
            Self::Plain => "A simple, slow push-in.",
        }
    }
}

const NEGATIONS: [&str; 7] = ["not", "no", "never", "without", "sin", "nunca", "nada"];

/// The beginnings of the words by which a tone is known, without accents.
const TONES: [(Tone, &[&str]); 5] = [
    (
        Tone::Warm,
        &[
            "warm", "friend", "cosy", "cozy", "kind", "caring", "famil", "welcom", "gentle",
            "heart", "calid", "cercan", "amable", "amig", "acoged", "carinos",
        ],
    ),
    (
        Tone::Playful,
        &[
            "play", "fun", "humor", "witty", "cheek", "young", "quirk", "bold", "joy", "divert",
            "jugueton", "alegre", "jov", "atrevid", "gracios", "fresc",
        ],
    ),
    (
        Tone::Luxurious,
        &[
            "lux",
            "eleg",
            "premium",
            "refin",
            "exclusiv",
            "sophist",
            "upscale",
            "lujo",
            "sofistic",
            "distinguid",
        ],
    ),
    (
        Tone::Professional,
        &[
            "profes",
            "expert",
            "serious",
            "trust",
            "formal",
            "reliab",
            "corporat",
            "authorit",
            "seri",
            "confiable",
            "corporativ",
            "rigur",
        ],
    ),
    (
        Tone::Plain,
        &[
            "plain", "simpl", "honest", "direct", "minimal", "straight", "sober", "clear",
            "sencill", "sobri", "clar",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_that_names_a_tone_decides() {
        let cases = [
            ("warm, a little playful", Tone::Warm),
            ("Cheeky and bold", Tone::Playful),
            ("not formal, just friendly", Tone::Warm),
            ("elegante y discreta", Tone::Luxurious),
            ("cálida, como en casa", Tone::Warm),
            ("profesional", Tone::Professional),
            ("straightforward", Tone::Plain),
            ("", Tone::Plain),
            ("🤷 xyz", Tone::Plain),
        ];
        for (voice, tone) in cases {
            assert_eq!(Tone::of(voice), tone, "{voice}");
        }
    }
}
