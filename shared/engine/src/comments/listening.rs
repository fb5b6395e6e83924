//! How far the comments of a post were read, and when they are read again: each hour of the first day, then every six
//! hours, for thirty days, or for as long as the network shows them.

use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_core::sweep::DueKind;
use nexus_core::table::IndexEntry;
use nexus_core::{Key, Op, Record, RecordKind, Scope, records};
use nexus_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use crate::connections::ConnectionId;
use crate::draft::DraftId;
use crate::publishing::{Network, PostPlan};

/// How long after a post its comments are read at most.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);
/// For so long after a post they are read each hour.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
const OFTEN: SignedDuration = SignedDuration::from_hours(1);
const SELDOM: SignedDuration = SignedDuration::from_hours(6);
/// For so long after the last reading it can be told how it ended.
const TOLD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How far the comments of a post were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Of which post.
    pub post: EffectId,
    /// Of which draft it was made.
    pub draft: DraftId,
    /// At which network.
    pub network: Network,
    /// Through which account.
    pub connection: Option<ConnectionId>,
    /// What the network calls the post.
    pub receipt: String,
    /// Since when the post is there.
    pub since: Timestamp,
    /// Until then its comments are read.
    pub until: Timestamp,
    /// When they are read next; `None` where that is over.
    pub next: Option<Timestamp>,
    /// From where to go on reading, by the network.
    pub mark: Option<String>,
    /// When they were read last.
    pub heard: Option<Timestamp>,
    /// What kept the last reading from happening, as a person should read it.
    pub hindered: Option<String>,
}

/// Whether a network's comments can be read at all.
pub const fn are_told_by(network: Network) -> bool {
    match network {
        Network::X | Network::Mastodon => true,
        // TikTok's posting API reads no comments; the feed has none.
        Network::TikTok | Network::Feed => false,
    }
}

impl Listening {
    /// The operation that begins it, for the commit in which a post turns out to be there; nothing for a network that
    /// tells no comments. Writing it twice begins anew and loses nothing: what was kept is known by its id.
    pub fn begin(
        scope: &Scope,
        post: EffectId,
        plan: &PostPlan,
        receipt: &str,
        now: Timestamp,
    ) -> Option<Op> {
        let listening = Self {
            post,
            draft: plan.draft,
            network: plan.network,
            connection: plan.connection,
            receipt: receipt.to_owned(),
            since: now,
            until: later(now, LONGEST),
            next: Some(later(now, OFTEN)),
            mark: None,
            heard: None,
            hindered: None,
        };
        are_told_by(plan.network).then(|| records::write(scope, &listening))
    }

    /// Shortens it to what the network shows: `None` is always.
    pub fn within(&mut self, reach: Option<SignedDuration>) {
        if let Some(reach) = reach {
            self.until = self.until.min(later(self.since, reach));
        }
    }

    /// Puts the next reading where it belongs after this moment, and not before `earliest` where somebody asked to be
    /// left alone until then.
    pub fn go_on(&mut self, now: Timestamp, earliest: Option<Timestamp>) {
        let is_fresh = now < later(self.since, FRESH);
        let next = later(now, if is_fresh { OFTEN } else { SELDOM });
        let next = earliest.map_or(next, |earliest| next.max(earliest));
        // The last one is at the very end, so that nothing falls between.
        let last = self.until.saturating_sub(MARGIN).unwrap_or(self.until);
        self.next = if now < last { Some(next.min(last)) } else { None };
    }

    /// Whether its time has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next.is_some_and(|next| next <= now)
    }
}

/// How long before the end the last reading is: a run comes every fifteen minutes.
const MARGIN: SignedDuration = SignedDuration::from_mins(30);

impl Record for Listening {
    const KIND: RecordKind = RecordKind::Listening;

    fn key(&self, scope: &Scope) -> Key {
        listening_key(scope, self.post)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(later(self.until, TOLD))
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let key = self.key(scope);
        match self.next {
            Some(next) => Some(DueKind::Listen.entry(scope, &self.post.to_string(), next)),
            None => {
                let id = format!("{}#{}", key.pk(), key.sk());
                Some(DueKind::Expiry.entry(scope, &id, later(self.until, TOLD)))
            }
        }
    }
}

/// Where the listening of a post stands.
pub fn listening_key(scope: &Scope, post: EffectId) -> Key {
    scope.key("listening", post.to_string())
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Listening {
        Listening {
            post: EffectId::derived(&["post"]),
            draft: DraftId::derived(&["draft"]),
            network: Network::X,
            connection: None,
            receipt: "1".into(),
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH + LONGEST,
            next: Some(Timestamp::UNIX_EPOCH + OFTEN),
            mark: None,
            heard: None,
            hindered: None,
        }
    }

    #[test]
    fn comments_are_read_each_hour_of_the_first_day_then_every_six_until_the_networks_reach_ends() {
        let mut listening = begun();
        listening.within(Some(SignedDuration::from_hours(24 * 7)));
        let (mut hours, mut last) = (0, Timestamp::UNIX_EPOCH);
        while let Some(next) = listening.next {
            assert!(next > last, "it moves on");
            hours += 1;
            last = next;
            listening.go_on(next, None);
        }
        // 24 in the first day, 4 a day in the six after it.
        assert_eq!(hours, 24 + 24);
        assert!(listening.until.duration_since(last) == MARGIN, "{last}");
        assert!(!listening.is_due(Timestamp::MAX));
    }

    #[test]
    fn who_asked_to_be_left_alone_is_and_the_end_is_not_passed() {
        let mut listening = begun();
        let alone = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(30);
        listening.go_on(Timestamp::UNIX_EPOCH, Some(alone));
        assert_eq!(listening.next, Some(alone));
        listening.go_on(Timestamp::UNIX_EPOCH, Some(Timestamp::MAX));
        assert_eq!(listening.next, Some(listening.until - MARGIN));
    }
}
