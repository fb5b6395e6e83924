//! What people ask on a product's page.
//!
//! **Never here:** an address, HTTP.

nexus_kernel::id!(
    /// An inquiry.
    InquiryId,
    "inq_"
);
