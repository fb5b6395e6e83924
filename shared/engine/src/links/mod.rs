//! Short links: where a code leads, for whom, until when.
//!
//! **Never here:** answering a click, counting.
