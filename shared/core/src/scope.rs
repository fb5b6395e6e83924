//! Who may touch what.
//!
//! A [`Scope`] (product and owner) is needed for every key and every blob. It has four origins and no other: an
//! authenticated [`Caller`]; an [`Envelope`](crate::Envelope), the head of a message from our own queue; the
//! [`Directory`](crate::Directory), which resolves an outside id to its owner; and a [`Sweep`](crate::Sweep).
//! There is no function from a request's text to a scope.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nexus_kernel::id::TenantId;
use nexus_kernel::{Failure, FailureKind};
use serde::{Deserialize, Serialize};

use crate::blobs::BlobKey;
use crate::table::Key;

/// Which of the three systems: each has a table, a bucket prefix and queues of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// Marketing and commerce for many tenants.
    Engine,
    /// Snapshot audits of cameras.
    Sentry,
    /// A company's own ads, search, shop and shipments.
    Flux,
}

impl Product {
    /// The name in lower case, as it stands in messages, paths and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Sentry => "sentry",
            Self::Flux => "flux",
        }
    }
}

/// Whose a thing is: a tenant of the Engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(TenantId);

impl Owner {
    /// Reads an owner as it stands at the head of a key.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        TenantId::parse(raw).ok().map(Self)
    }

    /// The tenant.
    pub fn tenant(self) -> TenantId {
        self.0
    }
}

impl From<TenantId> for Owner {
    fn from(tenant: TenantId) -> Self {
        Self(tenant)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The right to form keys of one owner in one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    product: Product,
    owner: Owner,
}

impl Scope {
    /// Only the four origins in this crate call this.
    pub(crate) fn new(product: Product, owner: Owner) -> Self {
        Self { product, owner }
    }

    /// The product.
    pub fn product(&self) -> Product {
        self.product
    }

    /// The owner.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The key of one of the owner's rows: `{owner}#{partition}` and the sort key.
    pub fn key(&self, partition: &str, sort: impl Into<String>) -> Key {
        Key::stored(self.partition(partition), sort)
    }

    /// The partition under which the owner's rows of one sort stand.
    pub fn partition(&self, partition: &str) -> String {
        format!("{}#{partition}", self.owner)
    }

    /// The key of one of the owner's blobs: `{area}/{owner}/{rest}`.
    pub fn blob(&self, area: &str, rest: &str) -> BlobKey {
        BlobKey::stored(format!("{area}/{}/{rest}", self.owner))
    }

    /// Whether a blob's key lies under this owner.
    pub fn holds(&self, blob: &BlobKey) -> bool {
        blob.as_str().split('/').nth(1).and_then(Owner::parse) == Some(self.owner)
    }
}

/// What a person may do within a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Prepares: uploads, edits, reads.
    Operator,
    /// Decides what leaves the house; may do what an operator may.
    Approver,
}

impl Role {
    /// The word in a group's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
        }
    }

    fn parse(raw: &str) -> Option<Self> {
        [Self::Operator, Self::Approver].into_iter().find(|r| r.name() == raw)
    }
}

/// What a verified access token says. Only an entrance makes one, after the token was checked
/// (kept by `tests/architecture.rs`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The token's subject: the person's id at the identity provider.
    pub subject: String,
    /// The token's groups, `ten_…/approver`.
    pub groups: Vec<String>,
}

/// A person whom the entrance has authenticated, acting for one tenant.
#[derive(Debug, Clone)]
pub struct Caller {
    subject: String,
    scope: Scope,
    roles: BTreeSet<Role>,
}

impl Caller {
    /// The caller behind verified claims. Somebody who belongs to several tenants names one of them.
    ///
    /// # Errors
    /// The token carries no group of this product; several tenants and none was named; the named one is not
    /// among them (told as not found, as is every other tenant's thing).
    pub fn from_claims(
        claims: &Claims,
        product: Product,
        named: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut memberships: BTreeMap<Owner, BTreeSet<Role>> = BTreeMap::new();
        for group in &claims.groups {
            let Some((tenant, role)) = group.split_once('/') else { continue };
            if let (Some(owner), Some(role)) = (Owner::parse(tenant), Role::parse(role)) {
                memberships.entry(owner).or_default().insert(role);
            }
        }
        let chosen = match (named, memberships.len()) {
            (_, 0) => {
                return Err(Failure::denied(
                    "Your account belongs to no tenant. Ask its owner to add you.",
                ));
            }
            (None, 1) => memberships.pop_first(),
            (None, _) => {
                return Err(Failure::field(
                    "Nexus-Tenant",
                    "your account belongs to several tenants: name one of them in this header",
                ));
            }
            (Some(name), _) => Owner::parse(name).and_then(|o| memberships.remove_entry(&o)),
        };
        let (owner, roles) = chosen.ok_or_else(|| Failure::not_found("tenant"))?;
        Ok(Self { subject: claims.subject.clone(), scope: Scope::new(product, owner), roles })
    }

    /// The caller's right to keys.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The person's id at the identity provider: an opaque word, written into histories as the actor.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the caller may act in this role.
    pub fn may(&self, role: Role) -> bool {
        self.roles.contains(&role)
            || (role == Role::Operator && self.roles.contains(&Role::Approver))
    }

    /// # Errors
    /// The caller does not have the role.
    pub fn require(&self, role: Role) -> Result<(), Failure> {
        if self.may(role) {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Denied,
            format!("This needs the role `{}` in the tenant.", role.name()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ten_0000000000000000000000000000000a";
    const B: &str = "ten_0000000000000000000000000000000b";

    fn claims(groups: &[&str]) -> Claims {
        Claims { subject: "u1".into(), groups: groups.iter().map(|g| (*g).into()).collect() }
    }

    #[test]
    fn n48_the_tenant_comes_from_the_groups_alone() {
        let one = claims(&[&format!("{A}/operator")]);
        let caller = Caller::from_claims(&one, Product::Engine, None).unwrap();
        assert_eq!(caller.scope().owner().to_string(), A);
        let foreign = Caller::from_claims(&one, Product::Engine, Some(B)).unwrap_err();
        assert_eq!(foreign.kind(), FailureKind::NotFound);
    }

    #[test]
    fn somebody_of_two_tenants_names_one() {
        let two = claims(&[
            &format!("{A}/operator"),
            &format!("{B}/approver"),
            "staff",
            "ten_x/approver",
        ]);
        assert_eq!(
            Caller::from_claims(&two, Product::Engine, None).unwrap_err().kind(),
            FailureKind::Invalid
        );
        let caller = Caller::from_claims(&two, Product::Engine, Some(B)).unwrap();
        assert!(caller.may(Role::Approver) && caller.may(Role::Operator));
        let caller = Caller::from_claims(&two, Product::Engine, Some(A)).unwrap();
        assert!(!caller.may(Role::Approver));
        assert_eq!(caller.require(Role::Approver).unwrap_err().kind(), FailureKind::Denied);
    }
}
