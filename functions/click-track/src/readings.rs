//! What is kept of texts, remembered: working one out takes longer than all the rest of an answer, and most clicks come by
//! a few hundred programs from a few pages.
//!
//! A text is remembered by a keyed digest alone, since the address of somebody may stand in it. What is kept of it is
//! scrubbed.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use moka::sync::Cache;
use nexus_engine::clicks::{Page, Presented, Program, Referrer, Spellings};

/// How many texts of each sort are remembered.
const MOST: u64 = 20_000;

/// 128 bits by which a text is known to this process alone.
type Known = [u64; 2];

pub(crate) struct Readings {
    keys: [RandomState; 2],
    programs: Cache<Known, Arc<Program>>,
    pages: Cache<Known, Arc<Referrer>>,
}

impl Readings {
    pub(crate) fn new() -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        Self { keys, programs: Cache::new(MOST), pages: Cache::new(MOST) }
    }

    /// The program that presents itself so.
    pub(crate) fn program(&self, raw: &str, own: &Spellings) -> Arc<Program> {
        let presented = Presented::of(raw, own);
        self.programs.get_with_by_ref(&self.known(&presented), || Arc::new(presented.kept()))
    }

    /// The page that a referrer tells of.
    pub(crate) fn page(&self, raw: &str, own: &Spellings) -> Option<Arc<Referrer>> {
        let page = Page::of(raw, own)?;
        Some(self.pages.get_with_by_ref(&self.known(&page), || Arc::new(page.kept())))
    }

    fn known(&self, text: &impl Hash) -> Known {
        self.keys.each_ref().map(|key| key.hash_one(text))
    }
}

#[cfg(test)]
mod tests {
    use nexus_kernel::ClientIp;

    use super::*;

    #[test]
    fn n10_what_is_remembered_for_others_is_no_way_around_ones_own_address() {
        let readings = Readings::new();
        let text = "Probe/cb007109 Firefox/121.0";
        let own = |address: &str| Spellings::of(ClientIp::new(address.parse().unwrap()));
        let (theirs, mine) = (own("198.51.100.7"), own("203.0.113.9"));
        for _ in 0..2 {
            assert!(readings.program(text, &theirs).text().contains("cb007109"));
            assert!(!readings.program(text, &mine).text().contains("cb007109"));
            let page = "https://a.example/seen/ywBxCQ";
            assert_eq!(readings.page(page, &theirs).unwrap().path, "/seen/ywBxCQ");
            assert_eq!(readings.page(page, &mine).unwrap().path, "/seen/0.0.0.0");
        }
        assert!(readings.page("about:blank", &mine).is_none());
    }
}
