//! The page of a product: its code, and what it leads to.
//!
//! The code follows from whose the product is and which, so that making it twice makes it once; it is claimed in the
//! directory, which alone leads from it to a tenant. It is no secret: it stands in posts.

use nexus_core::directory::OutsideKind;
use nexus_core::{Condition, Directory, Op, Product, Scope, Table, records};
use nexus_kernel::{Failure, FailureKind, Timestamp};
use url::Url;

use super::inquiry::Origin;
use crate::account::{Account, account_key};
use crate::catalogue::{CatalogueProduct, ProductId, product_key};
use crate::desk::{Desk, TRIES};
use crate::links::code::{is_spelled, spelled};
use crate::links::{self, LinkCode};

/// How many characters: 61 bits, so that among ten million products two alike are as unlikely as one in sixty thousand.
/// The second one's claim would be refused.
const CODE_CHARS: usize = 14;

/// What stands after the last slash of a product page's address.
pub fn page_code(scope: &Scope, product: ProductId) -> String {
    let (owner, product) = (scope.owner().to_string(), product.to_string());
    spelled(&["page", &owner, &product], CODE_CHARS)
}

/// Where a link leads: to a product's page with the link's code, by which the page knows from where somebody came;
/// elsewhere as it is.
pub fn led_by(mut target: Url, link: &LinkCode) -> Url {
    let page = target.path().strip_prefix("/p/").is_some_and(|code| is_spelled(code, CODE_CHARS));
    if page && target.query_pairs().all(|(name, _)| name != "from") {
        target.query_pairs_mut().append_pair("from", link.as_str());
    }
    target
}

/// The operation that makes a product's page known, for the commit that makes the product.
pub fn claim_page(scope: &Scope, product: ProductId) -> Op {
    let directory = Directory::of(scope.product());
    directory.claim(scope, OutsideKind::Page, &page_code(scope, product), &product.to_string())
}

/// The operation that takes a product's page away, for the commit that removes the product.
pub fn release_page(scope: &Scope, product: ProductId) -> Op {
    Directory::of(scope.product()).release(OutsideKind::Page, &page_code(scope, product))
}

/// Makes the page of a product that was there before pages were. Making it twice is once; its code.
///
/// # Errors
/// There is no such product; the code is another's; the store does not answer.
pub async fn ensure_page(desk: &Desk<'_>, product: ProductId) -> Result<String, Failure> {
    let (table, scope, code) = (desk.table, desk.scope, page_code(desk.scope, product));
    let (key, directory) = (product_key(scope, product), Directory::of(scope.product()));
    for _ in 0..TRIES {
        let now = desk.now();
        let stands = records::load::<CatalogueProduct>(table, &key, now).await?;
        stands.ok_or_else(|| Failure::not_found("product"))?;
        match directory.resolve(table, OutsideKind::Page, &code, now).await? {
            Some((owner, target)) if owner == *scope && target == product.to_string() => {
                return Ok(code);
            }
            Some(_) => {
                return Err(Failure::conflict(
                    "This product's page would have another's address. Remove the product and add it anew.",
                ));
            }
            None => {}
        }
        // A page never outlives its product.
        let there = Op::Check { key: key.clone(), when: Condition::Present };
        if desk.commit(vec![there, claim_page(scope, product)]).await? {
            return Ok(code);
        }
    }
    Err(Desk::crowded())
}

/// What a code leads to.
#[derive(Debug, Clone)]
pub struct Page {
    /// Whose it is.
    pub scope: Scope,
    /// Its code.
    pub code: String,
    /// What it shows.
    pub product: CatalogueProduct,
    /// What the business calls itself, where it has said so.
    pub business: Option<String>,
}

impl Page {
    /// The page of a code.
    ///
    /// # Errors
    /// The code leads nowhere; the store does not answer.
    pub async fn open(
        table: &dyn Table,
        product: Product,
        code: &str,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let gone = || Failure::not_found("page");
        // Those that were made of other characters lead on.
        if LinkCode::parse(code).is_none() {
            return Err(gone());
        }
        let found = Directory::of(product).resolve(table, OutsideKind::Page, code, now).await?;
        let (scope, target) = found.ok_or_else(gone)?;
        let id = ProductId::parse(&target).map_err(|_| gone())?;
        let [stands, account] = [product_key(&scope, id), account_key(&scope)];
        let rows = table.get_many(&[stands, account]).await?;
        let mut rows = rows.into_iter().map(|row| row.filter(|row| row.is_live(now)));
        let stands = rows.next().flatten().ok_or_else(gone)?;
        let account =
            rows.next().flatten().map(|row| records::read::<Account>(&row)).transpose()?;
        Ok(Self {
            scope,
            code: code.to_owned(),
            product: records::read::<CatalogueProduct>(&stands)?.record,
            business: account.map(|account| account.record.business_name),
        })
    }

    /// From where somebody came who brings this code of a link; `None` where it is none of the tenant's own.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn origin(
        &self,
        table: &dyn Table,
        link: &str,
        now: Timestamp,
    ) -> Result<Option<Origin>, Failure> {
        let Some(code) = LinkCode::parse(link) else { return Ok(None) };
        match links::load(table, &self.scope, &code, now).await {
            Ok(found) => Ok(Some(Origin { link: link.to_owned(), post: found.record.post })),
            Err(failure) if failure.kind() == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
