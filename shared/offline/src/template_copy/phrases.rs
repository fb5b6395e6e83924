//! The phrases: read once, chosen by chance that repeats itself, filled with values.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use nexus_kernel::{Digest, Failure, Language};

/// The same words in both languages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) en: String,
    pub(super) es: String,
}

impl Pair {
    /// What is the same in both languages: a name, a price.
    pub(super) fn same(text: impl Into<String>) -> Self {
        let en = text.into();
        Self { es: en.clone(), en }
    }

    /// Several pairs as one, the empty ones left out.
    pub(super) fn joined(pairs: &[Self], gap: &str) -> Self {
        let of = |text: fn(&Self) -> &str| {
            let texts: Vec<&str> = pairs.iter().map(text).filter(|t| !t.is_empty()).collect();
            texts.join(gap)
        };
        Self { en: of(|p| &p.en), es: of(|p| &p.es) }
    }

    /// Whether both texts are like this.
    pub(super) fn both(&self, are: impl Fn(&str) -> bool) -> bool {
        are(&self.en) && are(&self.es)
    }
}

/// What phrases may be filled with, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(BTreeMap<&'static str, Pair>);

impl Values {
    /// Adds a value, unless it is empty in one of the languages.
    pub(super) fn set(&mut self, name: &'static str, value: Pair) {
        if value.both(|text| !text.is_empty()) {
            self.0.insert(name, value);
        }
    }

    /// The same values and one more.
    pub(super) fn with(&self, name: &'static str, value: Pair) -> Self {
        let mut more = self.clone();
        more.set(name, value);
        more
    }

    fn in_language(&self, language: Language) -> Value {
        let named = self.0.iter().map(|(name, pair)| match language {
            Language::En => (*name, pair.en.as_str()),
            Language::Es => (*name, pair.es.as_str()),
        });
        Value::from_pairs(named)
    }
}

/// Chance that repeats itself: a place in the copy always gets the same number from the same seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(self, place: &str) -> u64 {
        let digest = Digest::of_parts([self.0.to_be_bytes().as_slice(), place.as_bytes()]);
        digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// Where the phrases stand, by the first part of their names.
const FILES: [(&str, &str); 9] = [
    ("food", include_str!("../../templates/food.json")),
    ("fashion", include_str!("../../templates/fashion.json")),
    ("beauty", include_str!("../../templates/beauty.json")),
    ("home", include_str!("../../templates/home.json")),
    ("fitness", include_str!("../../templates/fitness.json")),
    ("services", include_str!("../../templates/services.json")),
    ("pets", include_str!("../../templates/pets.json")),
    ("general", include_str!("../../templates/general.json")),
    ("voices", include_str!("../../templates/voices.json")),
];

/// All phrases, by names such as `food/hook/warm`.
#[derive(Debug)]
pub(super) struct Phrases {
    templates: Environment<'static>,
    /// For each name, what each of its variants has to be filled with.
    needs: BTreeMap<String, Vec<HashSet<String>>>,
}

impl Phrases {
    pub(super) fn read() -> Result<Self, Failure> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.add_filter("stop", stop);
        let mut needs = BTreeMap::new();
        for (file, text) in FILES {
            let parts: BTreeMap<String, Vec<[String; 2]>> =
                serde_json::from_str(text).map_err(Failure::bug)?;
            for (part, variants) in parts {
                let name = format!("{file}/{part}");
                let mut of_variants = Vec::new();
                for (i, texts) in variants.into_iter().enumerate() {
                    for (language, text) in Language::ALL.into_iter().zip(texts) {
                        let id = id(&name, i, language);
                        templates.add_template_owned(id, text).map_err(Failure::bug)?;
                    }
                    let english = templates.get_template(&id(&name, i, Language::En));
                    of_variants.push(english.map_err(Failure::bug)?.undeclared_variables(false));
                }
                needs.insert(name, of_variants);
            }
        }
        Ok(Self { templates, needs })
    }

    /// One of a part's phrases, filled; `None` where the part has none that these values fill. `nth` counts on from
    /// the one that chance chose, for who needs several different ones.
    pub(super) fn choose(&self, part: &str, nth: u64, dice: Dice, values: &Values) -> Option<Pair> {
        let needs = self.needs.get(part)?;
        let known: BTreeSet<&str> = values.0.keys().copied().collect();
        let fitting: Vec<usize> = (0..needs.len())
            .filter(|i| needs.get(*i).is_some_and(|n| n.iter().all(|v| known.contains(v.as_str()))))
            .collect();
        let count = u64::try_from(fitting.len()).ok().filter(|count| *count > 0)?;
        let turn = (dice.roll(part) % count).wrapping_add(nth) % count;
        let chosen = fitting.get(usize::try_from(turn).ok()?)?;
        let text = |language| {
            let template = self.templates.get_template(&id(part, *chosen, language)).ok()?;
            template.render(values.in_language(language)).ok()
        };
        Some(Pair { en: text(Language::En)?, es: text(Language::Es)? })
    }
}

fn id(part: &str, variant: usize, language: Language) -> String {
    format!("{part}/{variant}/{language}")
}

/// Ends a sentence after a name, unless the name ends it.
fn stop(name: String) -> String {
    if name.ends_with(['.', '!', '?', '…']) { name } else { name + "." }
}
