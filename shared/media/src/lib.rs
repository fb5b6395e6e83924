//! Turns the bytes of pictures and sound into checked, clean media that networks take.
//!
//! [`sniff`] tells what a file is, [`photo`] handles still pictures in memory, [`av`] sound and video.
//!
//! **Never here:** stores, queues, tenants, the network. Bytes (or files) come in, bytes and facts go out.

pub mod av;
pub mod photo;
pub mod sniff;
