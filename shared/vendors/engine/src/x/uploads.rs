//! What this process has uploaded lately, so that an attempt that had to wait need not upload again.
//!
//! A memory and no record: what is forgotten with the process is uploaded anew, and nobody sees that.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_kernel::Timestamp;

/// How many are remembered.
const MOST: usize = 64;
/// For how long: X keeps an upload for a day, and a post is sent within the hour of its time.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

#[derive(Default)]
pub(super) struct Uploads(Mutex<VecDeque<Upload>>);

struct Upload {
    effect: EffectId,
    media: String,
    until: Timestamp,
}

impl Uploads {
    /// What was uploaded whole for a post, if X still has it.
    pub(super) fn of(&self, effect: EffectId, now: Timestamp) -> Option<String> {
        let uploads = self.lock();
        let found = uploads.iter().find(|upload| upload.effect == effect && now < upload.until);
        found.map(|upload| upload.media.clone())
    }

    pub(super) fn remember(&self, effect: EffectId, media: &str, now: Timestamp) {
        self.forget(effect);
        let until = now.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let mut uploads = self.lock();
        if uploads.len() >= MOST {
            uploads.pop_front();
        }
        uploads.push_back(Upload { effect, media: media.to_owned(), until });
    }

    pub(super) fn forget(&self, effect: EffectId) {
        self.lock().retain(|upload| upload.effect != effect);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_remembered_for_an_hour_and_the_oldest_goes_first() {
        let uploads = Uploads::default();
        let now = Timestamp::UNIX_EPOCH;
        let effect = |n: usize| EffectId::derived(&[&n.to_string()]);
        for n in 0..=MOST {
            uploads.remember(effect(n), &n.to_string(), now);
        }
        assert_eq!(uploads.of(effect(0), now), None);
        assert_eq!(uploads.of(effect(1), now).as_deref(), Some("1"));
        uploads.remember(effect(1), "another", now);
        assert_eq!(uploads.of(effect(1), now).as_deref(), Some("another"));
        assert_eq!(uploads.of(effect(1), now + KEPT), None);
        uploads.forget(effect(1));
        assert_eq!(uploads.of(effect(1), now), None);
        assert_eq!(uploads.lock().len(), MOST - 1);
    }
}
