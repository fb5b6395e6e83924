//! A person wants a post that stands already at another time: which one that is.

use std::collections::BTreeSet;

use nexus_core::effect::EffectId;
use nexus_core::records;
use nexus_kernel::{Digest, Failure, Timestamp};

use super::standing::taken;
use super::wish::{When, as_seen, not_seen, plan_times};
use crate::account::{Settings, settings_key};
use crate::desk::Desk;
use crate::rescheduling::{self, Read};

/// The one time of a wish for a post, for [`crate::rescheduling::reschedule`] and [`crate::retrying::retry`]. `seen` is
/// the digest of the post as the person saw it, `times` the time that they saw, where it is one that they could not
/// know. A post that was moved there already is to be moved there, whatever the time is now.
///
/// # Errors
/// There is no such post; it is not what was seen; it stands anew at yet another time; as
/// [`plan_times`](super::plan_times); the time is not the one that was seen, or was not looked at; it recurs.
pub async fn another_time(
    desk: &Desk<'_>,
    id: EffectId,
    seen: Digest,
    wish: &When,
    times: &[Timestamp],
) -> Result<Timestamp, Failure> {
    let Desk { table, scope, .. } = *desk;
    if matches!(wish, When::Recurring(_)) {
        let problem = "one post goes out at one time: choose `civil` or `next_slot`";
        return Err(Failure::field("when", problem));
    }
    let now = desk.now();
    let settings = records::load::<Settings>(table, &settings_key(scope), now).await?;
    let settings = settings.map(|stored| stored.record).unwrap_or_default();
    let meant = times.first().copied().or_else(|| wish.named(&settings));
    let post = match rescheduling::read(desk, id, seen, meant.unwrap_or(now)).await? {
        Read::Followed(next) => return Ok(next.payload().send_at),
        Read::Last(post) => post.record,
    };
    if times.is_empty() && wish.has_to_be_seen() {
        return Err(not_seen());
    }
    let taken = match wish {
        When::NextSlot => taken(table, scope, &post.payload().place(), now).await?,
        _ => BTreeSet::new(),
    };
    let planned = plan_times(&settings, wish, &taken, now)?;
    as_seen(wish, times, &planned)?;
    planned.first().copied().ok_or_else(not_seen)
}
