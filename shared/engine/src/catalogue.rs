//! What a tenant sells.

use nexus_core::{Key, Record, RecordKind, Scope};
use nexus_kernel::{Failure, FieldProblem, Money, Timestamp};
use serde::{Deserialize, Serialize};

nexus_kernel::id!(
    /// A product of a tenant's catalogue.
    ProductId,
    "prd_"
);

/// What is known of a product. Content says of it only what stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductFacts {
    /// Its name, never translated.
    pub name: String,
    /// What it is, in the merchant's words (English).
    pub description: String,
    /// The same in Spanish, where the merchant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description_es: Option<String>,
    /// Which line of business it belongs to: a tenant may have several, and they stay apart (N3).
    #[serde(default)]
    pub vertical: String,
    /// Words that describe it; photos are matched by them.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Where it is sold: an `https` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A product of a tenant's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueProduct {
    /// Which.
    pub id: ProductId,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: ProductFacts,
    /// Since when it is in the catalogue.
    pub created: Timestamp,
}

impl Record for CatalogueProduct {
    const KIND: RecordKind = RecordKind::Product;

    fn key(&self, scope: &Scope) -> Key {
        product_key(scope, self.id)
    }
}

/// Where a product stands.
pub fn product_key(scope: &Scope, id: ProductId) -> Key {
    scope.key("product", id.to_string())
}

impl ProductFacts {
    /// # Errors
    /// Every field that breaks a rule.
    pub fn check(&self) -> Result<(), Failure> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, problem: String| {
            problems.push(FieldProblem { field: field.into(), problem });
        };
        let mut text = |field: &str, value: &str, min: usize, max: usize| {
            let length = value.trim().chars().count();
            if length < min || length > max {
                refuse(field, format!("write {min} to {max} characters"));
            }
        };
        text("name", &self.name, 1, 120);
        text("description", &self.description, 1, 2_000);
        text("description_es", self.description_es.as_deref().unwrap_or_default(), 0, 2_000);
        text("vertical", &self.vertical, 0, 60);
        if self.keywords.len() > 30
            || self.keywords.iter().any(|k| k.trim().is_empty() || k.chars().count() > 60)
        {
            refuse("keywords", "at most 30 words of 1 to 60 characters".into());
        }
        if self.price.is_some_and(|p| p.minor < 0) {
            refuse("price", "a price is not negative".into());
        }
        let plain = |u: &String| {
            u.starts_with("https://") && u.len() <= 500 && crate::links::parse_address(u).is_ok()
        };
        if self.url.as_ref().is_some_and(|u| !plain(u)) {
            refuse("url", "write an address that begins with https://".into());
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid("Some fields need another value.").with_fields(problems))
    }
}
