//! Tenants, and people who belong to them.

use nexus_core::{Caller, Claims, Product, Role, Scope};
use nexus_kernel::id::TenantId;

/// The tenant of that number.
pub fn tenant(number: u32) -> TenantId {
    TenantId::derived(&["tenant", &number.to_string()])
}

/// What the token of a person says who belongs to these tenants in these roles.
pub fn claims(subject: &str, groups: &[(TenantId, Role)]) -> Claims {
    let groups = groups.iter().map(|(tenant, role)| format!("{tenant}/{}", role.name()));
    Claims { subject: subject.to_owned(), groups: groups.collect() }
}

/// A person who may approve for one tenant.
pub fn approver(tenant: TenantId) -> Claims {
    claims("usr-approver", &[(tenant, Role::Approver)])
}

/// A person who may prepare for one tenant, and not approve.
pub fn operator(tenant: TenantId) -> Claims {
    claims("usr-operator", &[(tenant, Role::Operator)])
}

/// The person behind these claims, in the Engine.
///
/// # Panics
/// The claims name no tenant, or several.
pub fn caller(claims: &Claims) -> Caller {
    Caller::from_claims(claims, Product::Engine, None).expect("one tenant")
}

/// The right to the Engine's rows of a tenant.
pub fn scope(tenant: TenantId) -> Scope {
    *caller(&operator(tenant)).scope()
}
