//! The way to a server.
//!
//! **Never here:** whether an address may be reached: that is the guard's, try by try.

use nexus_engine::connections::spelled;
use nexus_outbound::{CallError, Outbound};

use super::{Mastodon, VENDOR};

/// A server that is asked for the first time did not let itself be asked.
pub(super) const UNREACHABLE: &str = "server: this address cannot be asked from here. It has to be public and speak \
                                       https, or stand in a network that whoever operates this has opened; and it must \
                                       not lead on to another: write the one that your browser shows.";

impl Mastodon {
    /// The way to a server, whose address is spelled as it should be.
    pub(super) fn way(&self, server: Option<&str>) -> Result<(String, Outbound), CallError> {
        let refused = |why: &str| CallError::Refused {
            code: "server".to_owned(),
            why: format!("server: {why}"),
        };
        let server = server.ok_or_else(|| refused("say at which server the account is"))?;
        let server = spelled(server).map_err(refused)?;
        if let Some(way) = self.ways.get(&server) {
            return Ok((server, way));
        }
        let made = Outbound::new(&VENDOR, Some(server.clone()), self.parts.clone());
        let made = made.map_err(|error| CallError::Bug(Box::new(error)))?;
        // Of two that were made at once all take the same.
        let way = self.ways.get_with_by_ref(&server, || made);
        Ok((server, way))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_spelling_is_spelled_as_itself(written in "\\PC{0,40}") {
            if let Ok(kept) = spelled(&written) {
                prop_assert_eq!(spelled(&kept), Ok(kept.clone()));
                prop_assert!(Outbound::check_base(&VENDOR, &kept).is_ok());
            }
        }
    }
}
