//! Somebody who asks on a product's page, in a browser or by a program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod crashes;
mod house;
mod limits;
mod looking;
mod secrecy;
