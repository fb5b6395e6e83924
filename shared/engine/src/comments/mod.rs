//! What people write under published posts.
//!
//! | deed | file |
//! |---|---|
//! | a network is asked what stands under a post | `port.rs` |
//! | a comment is kept, without who wrote it | `comment.rs` |
//! | how far the comments of a post were read, and when they are read again | `listening.rs` |
//!
//! X and servers that speak Mastodon's API let comments be read. TikTok's API for posting has nothing that reads them:
//! its scopes end with the post (N38).
//!
//! **Never here:** HTTP, judging, who wrote something.

mod comment;
mod listening;
mod port;

pub use comment::{Comment, MOST_CHARS, comment_key, comments};
pub use listening::{LONGEST, Listening, are_told_by, listening_key};
pub use port::{Heard, Listener, Remark};

nexus_kernel::id!(
    /// A comment: it follows from the post and the network's name for it, so that none is kept twice.
    CommentId,
    "cmt_"
);
