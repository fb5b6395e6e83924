//! To come.
use super::Network;
/// joined
pub fn joined(caption: &str, tags: &[String], _network: Network) -> String {
    format!("{caption} {}", tags.join(" "))
}
