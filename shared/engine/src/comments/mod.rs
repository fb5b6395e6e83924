//! What people write under published posts.
//!
//! **Never here:** HTTP, judging.

mod port;

pub use port::{Heard, Listener, Remark};

nexus_kernel::id!(
    /// A comment.
    CommentId,
    "cmt_"
);
