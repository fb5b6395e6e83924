//! Where an address is, roughly, from a database in memory: MaxMind's GeoLite2 City, in a file that an operator brings.
//!
//! [`Database`] is one file's content, looked into before it is used. [`Installed`] is the file of a deployment, which is
//! there or not, and may be replaced while the process runs. Both are the Engine's [`Locator`].
//!
//! What MaxMind's licence asks stands here: no copy is used 30 days after it was built ([`MOST_AGE`]), and whoever shows
//! a place shows [`Locator::attribution`].
//!
//! **Never here:** downloading (`infra/local/src/geolite`), an address that outlives a look-up, a coordinate that is
//! finer than a tenth of a degree.
//!
//! [`Locator`]: nexus_engine::clicks::Locator
//! [`Locator::attribution`]: nexus_engine::clicks::Locator::attribution

mod database;
mod installed;
mod record;

pub use database::{Database, MOST_AGE, MOST_BYTES, OpenError};
pub use installed::{Installed, Status};

/// The name of the file, as MaxMind ships it.
pub const FILE_NAME: &str = "GeoLite2-City.mmdb";
