//! Whether words say only what is known: the part of it that code can tell.
//!
//! A model may be talked into something by a text that it was given, or make something up. What can be told without
//! judgement is looked for: links and names of accounts, digits that no fact has, claims that a business has to be
//! able to prove, another language. Everything else is for the person who approves.
//!
//! Facts are what the merchant wrote of the business and the product. What was found in a picture is none: anybody
//! may have written it there. Links are none either, wherever they stand: the address of a product is set by us.

use std::collections::BTreeSet;

use nexus_engine::copy::{Brief, links};
use nexus_engine::translation::protected;
use nexus_kernel::Language;

/// What needs a proof that only the merchant can have: allowed where the merchant says the same word.
const CLAIMS: &[&str] = &[
    "award-winning",
    "best-selling",
    "bestseller",
    "bestselling",
    "cashback",
    "certified",
    "clinically",
    "cure",
    "cures",
    "discount",
    "discounts",
    "doctor-recommended",
    "fda",
    "for free",
    "free of charge",
    "free shipping",
    "guarantee",
    "guaranteed",
    "guarantees",
    "half price",
    "hypoallergenic",
    "limited offer",
    "limited time",
    "medically",
    "miracle",
    "money back",
    "money-back",
    "number one",
    "per cent",
    "percent",
    "promo code",
    "refund",
    "risk-free",
    "scientifically",
    "world's best",
    "certificada",
    "certificado",
    "clínicamente",
    "código promocional",
    "cupón",
    "cura",
    "descuento",
    "descuentos",
    "devolución",
    "envío gratis",
    "garantía",
    "garantizada",
    "garantizado",
    "gratis",
    "gratuito",
    "hipoalergénica",
    "hipoalergénico",
    "mitad de precio",
    "médicamente",
    "milagro",
    "oferta limitada",
    "por ciento",
    "por tiempo limitado",
    "premiada",
    "premiado",
    "reembolso",
    "tiempo limitado",
];

/// Small words by which a language is known.
const ENGLISH: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "by", "every", "for", "from", "has", "have", "in", "into",
    "is", "it", "its", "of", "on", "or", "our", "that", "the", "their", "this", "to", "we", "with",
    "you", "your",
];
/// See [`ENGLISH`].
const SPANISH: &[&str] = &[
    "al", "cada", "con", "de", "del", "el", "en", "es", "este", "esta", "la", "las", "lo", "los",
    "más", "nuestra", "nuestro", "o", "para", "pero", "por", "que", "se", "sin", "son", "su",
    "sus", "te", "tu", "tus", "un", "una", "y",
];
/// A text shorter than this, in words, tells no language.
const TELLING: usize = 12;

/// What is known, prepared for looking it up.
#[derive(Debug)]
pub(super) struct Facts {
    /// Names that may be written as they are, in small letters, even where they look like a link or an account.
    names: Vec<String>,
    numbers: BTreeSet<String>,
    /// What the merchant says, in small letters.
    said: String,
}

impl Facts {
    /// The facts of a brief.
    pub(super) fn of(brief: &Brief) -> Self {
        let Brief { voice, product, brand_terms, .. } = brief;
        let mut names = vec![voice.business_name.as_str()];
        names.extend(brand_terms.iter().map(String::as_str));
        let mut said = vec![voice.niche.as_str(), voice.brand_voice.as_str()];
        let price = product.as_ref().and_then(|p| p.price).map(|p| p.to_string());
        if let Some(product) = product {
            names.push(&product.name);
            said.push(&product.description);
            said.extend(product.description_es.as_deref());
            said.extend(product.keywords.iter().map(String::as_str));
        }
        said.extend(price.as_deref());
        said.extend(&names);
        let said = said.join("\n").to_lowercase();
        let mut numbers: BTreeSet<String> = numbers(&said).collect();
        // `12.00 USD` is twelve dollars.
        let whole: Vec<String> =
            numbers.iter().filter_map(|n| n.strip_suffix(".00").map(str::to_owned)).collect();
        numbers.extend(whole);
        let names = names.into_iter().map(|name| name.trim().to_lowercase());
        Self { names: names.filter(|name| !name.is_empty()).collect(), numbers, said }
    }

    /// Whether a text for people keeps to the facts.
    ///
    /// # Errors
    /// What it has that the facts do not.
    pub(super) fn bear(&self, text: &str) -> Result<(), &'static str> {
        self.bear_contacts(text)?;
        let text = text.to_lowercase();
        if numbers(&text).any(|number| !self.numbers.contains(&number)) {
            return Err("a number that the product's facts do not have");
        }
        if CLAIMS.iter().any(|claim| has(&text, claim) && !has(&self.said, claim)) {
            return Err("a claim that the product's facts do not make");
        }
        Ok(())
    }

    /// Whether a text keeps to the facts as far as links and accounts go: enough for a video engine, whose prompt
    /// speaks of seconds and lenses.
    ///
    /// # Errors
    /// What it has that the facts do not.
    pub(super) fn bear_contacts(&self, text: &str) -> Result<(), &'static str> {
        let is_name = |found: &str| {
            let found = found.to_lowercase();
            self.names.iter().any(|name| name.contains(&found))
        };
        if links::visible(text).any(|link| !is_name(link.text)) {
            return Err("a link");
        }
        let marked = protected::find(text, &[]);
        if marked.iter().any(|part| part.starts_with('@') && !is_name(part)) {
            return Err("the name of an account");
        }
        Ok(())
    }
}

/// Whether a text is in this language, as far as its small words tell.
pub(super) fn is_in(language: Language, text: &str) -> bool {
    let text = text.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let count = |small: &[&str]| words.iter().filter(|word| small.contains(word)).count();
    let (own, other) = match language {
        Language::En => (count(ENGLISH), count(SPANISH)),
        Language::Es => (count(SPANISH), count(ENGLISH)),
    };
    // An alphabet without spaces makes few words of many letters.
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let tells = words.len() >= TELLING || letters >= 8 * TELLING;
    !tells || (own > other && 10 * own >= words.len())
}

/// The numbers of a text: digits with what parts them, a comma as a point.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_numeric() && !matches!(c, '.' | ','));
    let runs = runs.map(|run| run.trim_matches(['.', ',']).replace(',', "."));
    runs.filter(|run| run.contains(char::is_numeric))
}

/// Whether a phrase stands in a text as words of its own.
fn has(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + phrase.len()..).unwrap_or_default();
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}
