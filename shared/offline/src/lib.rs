//! The engines of one machine, which need no account and no network: what a picture shows, words, a rough
//! translation, voices. Each says what it is wherever its work is shown.
//!
//! **Never here:** a vendor's name, a cloud service, work that passes itself off as one's.

pub mod apertium;
pub mod image_facts;
pub mod lexicon;
pub mod speech;
pub mod template_copy;
