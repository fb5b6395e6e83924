//! Which of a tenant's products a photo belongs to, and why.
//!
//! Every piece of evidence has a strength; pieces add up as independent hints do: two of one half make three
//! quarters. The caller gives products of the photo's own line of business only.
//!
//! **Never here:** looking at pixels, reading the catalogue.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

use super::{Label, LabelKind, ProductMatch};
use crate::catalogue::{CatalogueProduct, ProductFacts};

/// A match below this is a coincidence: colours alone never reach it.
const THRESHOLD: f64 = 0.3;
/// The most matches that are told.
const MOST: usize = 10;

/// A QR code that leads to the product's page.
const CODE: f64 = 1.0;
/// The product's name.
const NAME: f64 = 0.8;
/// One of its keywords as a label.
const KEYWORD: f64 = 0.5;
/// One of its keywords in the description that was embedded.
const MENTION: f64 = 0.35;
/// A colour of the picture in the product's text.
const COLOUR: f64 = 0.1;

/// The products that fit a photo's labels and embedded description, best first, by name among equals.
pub fn match_products(
    labels: &[Label],
    description: Option<&str>,
    products: &[CatalogueProduct],
) -> Vec<ProductMatch> {
    let photo = Photo::new(labels, description.unwrap_or_default());
    let matches = products.iter().filter_map(|product| {
        let evidence = photo.evidence(&product.facts);
        let doubt: f64 = evidence.iter().map(|(strength, _)| 1.0 - strength).product();
        let score = ((1.0 - doubt) * 1_000.0).round() / 1_000.0;
        let reasons = evidence.into_iter().map(|(_, reason)| reason).collect();
        (score >= THRESHOLD)
            .then_some((&product.facts.name, ProductMatch { product: product.id, score, reasons }))
    });
    let mut matches: Vec<_> = matches.collect();
    matches.sort_by(|(a_name, a), (b_name, b)| {
        let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| a_name.cmp(b_name)).then_with(|| a.product.cmp(&b.product))
    });
    matches.into_iter().map(|(_, found)| found).take(MOST).collect()
}

/// What is known of a photo, in the form in which words are compared.
struct Photo<'a> {
    /// Labels that name what is shown, the surest of each name.
    names: BTreeMap<Words, &'a Label>,
    colours: BTreeMap<Words, &'a Label>,
    codes: Vec<&'a str>,
    description: Words,
}

impl<'a> Photo<'a> {
    fn new(labels: &'a [Label], description: &str) -> Self {
        let surest = |kinds: &[LabelKind]| {
            let mut by_name: BTreeMap<Words, &Label> = BTreeMap::new();
            for label in labels.iter().filter(|l| kinds.contains(&l.kind)) {
                let known = by_name.entry(words(&label.name)).or_insert(label);
                if label.confidence > known.confidence {
                    *known = label;
                }
            }
            by_name
        };
        let codes = labels.iter().filter(|l| l.kind == LabelKind::Code);
        Self {
            names: surest(&[LabelKind::Object, LabelKind::Keyword]),
            colours: surest(&[LabelKind::Colour]),
            codes: codes.map(|l| l.name.as_str()).collect(),
            description: words(description),
        }
    }

    /// The evidence for a product, strongest first, each with its strength from 0 to 1.
    fn evidence(&self, product: &ProductFacts) -> Vec<(f64, String)> {
        let mut evidence = Vec::new();
        if let Some(url) = &product.url
            && self.codes.iter().any(|code| is_same_page(code, url))
        {
            evidence
                .push((CODE, "The QR code in the photo leads to the product's page.".to_owned()));
        }

        let name = words(&product.name);
        if let Some(label) = self.names.get(&name) {
            let reason = format!("“{}” is the product's name, {}.", label.name, source(label));
            evidence.push((NAME * sure(label), reason));
        } else if is_telling(&name) && contains(&self.description, &name) {
            evidence.push((NAME, format!("The photo's description names “{}”.", product.name)));
        }

        let mut keywords: Vec<(Words, &str)> =
            product.keywords.iter().map(|k| (words(k), k.as_str())).collect();
        keywords.sort();
        keywords.dedup_by(|a, b| a.0 == b.0);
        for (keyword, written) in keywords.into_iter().filter(|(keyword, _)| *keyword != name) {
            if let Some(label) = self.names.get(&keyword) {
                let reason = format!("The keyword “{written}” {}.", source(label));
                evidence.push((KEYWORD * sure(label), reason));
            } else if is_telling(&keyword) && contains(&self.description, &keyword) {
                let reason = format!("The photo's description mentions “{written}”.");
                evidence.push((MENTION, reason));
            }
        }

        let told = [&product.name, &product.description].into_iter().chain(&product.keywords);
        let told: Vec<Words> = told.map(|text| words(text)).collect();
        for (colour, label) in &self.colours {
            if is_telling(colour) && told.iter().any(|text| contains(text, colour)) {
                let reason = format!("Its text mentions {}, a colour of the photo.", label.name);
                evidence.push((COLOUR * sure(label), reason));
            }
        }
        evidence.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal));
        evidence
    }
}

fn sure(label: &Label) -> f64 {
    if label.confidence.is_finite() { label.confidence.clamp(0.0, 1.0) } else { 0.0 }
}

fn source(label: &Label) -> String {
    match label.kind {
        LabelKind::Keyword => "is embedded in the photo".to_owned(),
        _ => format!("was recognised in the photo ({:.0} % sure)", 100.0 * sure(label)),
    }
}

/// A text's words without accents, capitals and plural endings.
type Words = Vec<String>;

fn words(text: &str) -> Words {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    plain.to_lowercase().unicode_words().map(singular).collect()
}

/// Cups and cup are one word; so are flores and flore, which is enough to compare by.
fn singular(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if stem.chars().count() > 2 && !stem.ends_with('s') => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// Whether words say enough to be looked for in running text: a name like `A` would be found anywhere.
fn is_telling(words: &Words) -> bool {
    words.iter().map(|w| w.chars().count()).sum::<usize>() > 2
}

fn contains(text: &Words, phrase: &Words) -> bool {
    !phrase.is_empty() && text.windows(phrase.len()).any(|window| window == phrase.as_slice())
}

/// Whether two addresses name one page: the scheme, `www.`, capitals of the host, a last slash, the query and the
/// fragment make no difference.
fn is_same_page(one: &str, other: &str) -> bool {
    let plain = |url: &str| {
        let url = url.trim().split(['?', '#']).next().unwrap_or_default().to_owned();
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.to_lowercase();
        (host.trim_start_matches("www.").to_owned(), path.trim_end_matches('/').to_owned())
    };
    let (one, other) = (plain(one), plain(other));
    one == other && one.0.contains('.')
}

#[cfg(test)]
mod tests {
    use nexus_kernel::Timestamp;

    use super::*;
    use crate::catalogue::ProductId;

    fn product(name: &str, keywords: &[&str]) -> CatalogueProduct {
        CatalogueProduct {
            id: ProductId::derived(&[name]),
            facts: ProductFacts {
                name: name.into(),
                description: "Ours, in red.".into(),
                description_es: None,
                vertical: String::new(),
                keywords: keywords.iter().map(|k| (*k).to_owned()).collect(),
                price: None,
                url: Some(format!("https://Luna.coffee/{}", name.to_lowercase())),
            },
            created: Timestamp::UNIX_EPOCH,
        }
    }

    fn label(kind: LabelKind, name: &str, confidence: f64) -> Label {
        Label { name: name.into(), kind, confidence, source: "test".into() }
    }

    fn scores(
        labels: &[Label],
        description: Option<&str>,
        products: &[CatalogueProduct],
    ) -> Vec<f64> {
        match_products(labels, description, products).iter().map(|m| m.score).collect()
    }

    #[test]
    fn n30_a_keyword_that_equals_a_label_is_a_reason() {
        let products = [product("Espresso", &["coffee", "cups"]), product("Scarf", &["wool"])];
        let labels =
            [label(LabelKind::Keyword, "Coffee", 1.0), label(LabelKind::Object, "Cup", 0.9)];
        let matches = match_products(&labels, None, &products);
        assert_eq!(matches.len(), 1);
        assert_eq!(matches[0].product, products[0].id);
        assert_eq!(matches[0].score, 0.725);
        assert_eq!(
            matches[0].reasons,
            [
                "The keyword “coffee” is embedded in the photo.",
                "The keyword “cups” was recognised in the photo (90 % sure)."
            ]
        );
    }

    #[test]
    fn n30_a_qr_code_with_the_products_address_is_certain() {
        let products = [product("Mug", &[]), product("Espresso", &[])];
        let code = label(LabelKind::Code, "http://www.luna.coffee/espresso/?utm=qr", 1.0);
        let matches = match_products(&[code], None, &products);
        assert_eq!((matches.len(), matches[0].score), (1, 1.0));
        assert_eq!(matches[0].product, products[1].id);
        assert!(scores(&[label(LabelKind::Code, "espresso", 1.0)], None, &products).is_empty());
    }

    #[test]
    fn n30_the_description_may_name_the_product() {
        let products = [product("Café Azul", &["blue cup"]), product("A", &["or"])];
        let told = Some("A cafe azul in our BLUE CUPS, or two");
        assert_eq!(scores(&[], told, &products), [0.87]);
        assert_eq!(scores(&[], Some("nothing of the kind"), &products), Vec::<f64>::new());
    }

    #[test]
    fn n30_colours_help_but_never_decide() {
        let products = [product("Espresso", &["coffee"])];
        let red = label(LabelKind::Colour, "red", 1.0);
        let coffee = label(LabelKind::Keyword, "coffee", 1.0);
        assert_eq!(scores(std::slice::from_ref(&red), None, &products), Vec::<f64>::new());
        assert_eq!(scores(&[red, coffee], None, &products), [0.55]);
    }

    #[test]
    fn n30_the_order_is_always_the_same() {
        let names = ["B", "C", "A", "D"];
        let mut products: Vec<_> = names.iter().map(|n| product(n, &["coffee"])).collect();
        products.push(product("Z", &["coffee", "cup"]));
        let labels =
            [label(LabelKind::Keyword, "coffee", 1.0), label(LabelKind::Keyword, "cup", 1.0)];
        let order = |products: &[CatalogueProduct]| {
            let matches = match_products(&labels, None, products);
            matches.into_iter().map(|m| m.product).collect::<Vec<_>>()
        };
        let expected: Vec<ProductId> =
            ["Z", "A", "B", "C", "D"].iter().map(|n| ProductId::derived(&[n])).collect();
        assert_eq!(order(&products), expected);
        products.reverse();
        assert_eq!(order(&products), expected);
    }

    #[test]
    fn n30_a_strange_confidence_is_no_evidence() {
        let products = [product("Espresso", &["coffee"])];
        let odd = [
            label(LabelKind::Keyword, "coffee", f64::NAN),
            label(LabelKind::Colour, "red", f64::INFINITY),
        ];
        assert_eq!(scores(&odd, None, &products), Vec::<f64>::new());
    }
}
