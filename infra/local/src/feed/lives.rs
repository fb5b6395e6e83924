//! What became of the feed's posts, from the approval to being there, by the clocks of their tenants.
//!
//! **Never here:** anything that the API does not show of a post.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use nexus_core::effect::{self, Effect, Payload as _, State};
use nexus_core::table::{Page, StoreError};
use nexus_core::{Product, RecordKind, Sweep, Table, records};
use nexus_engine::account::Settings;
use nexus_engine::publishing::PostPlan;
use nexus_kernel::Timestamp;

/// How many rows are read at once.
const PAGE: u32 = 500;

/// The life of a post, in steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    /// The tenant's time zone.
    pub(super) zone: String,
    /// What happened, in order; the time that was planned stands first.
    pub(super) steps: Vec<Step>,
    /// Whether nobody changed the history.
    pub(super) is_whole: bool,
}

/// A step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What happened.
    pub(super) what: &'static str,
    /// When, for programs.
    pub(super) at: Timestamp,
    /// When, by the tenant's clocks: `1 March 2027, 09:00:04`.
    pub(super) shown: String,
    /// More about it, in a few words.
    pub(super) more: String,
}

/// The lives of these posts, by the ids under which the feed has them.
///
/// As `nexus status` does, it reads the whole table: whose a post is stands in its row's key alone.
///
/// # Errors
/// The store does not answer, or a row cannot be read.
pub(super) async fn lives(
    table: &dyn Table,
    wanted: &[&str],
    now: Timestamp,
) -> Result<BTreeMap<String, Life>, StoreError> {
    let sweep = Sweep::begin(Product::Engine);
    let (mut zones, mut posts, mut page) = (BTreeMap::new(), Vec::new(), Page::first(PAGE));
    loop {
        let slice = table.scan(&page).await?;
        for item in slice.items.iter().filter(|item| item.is_live(now)) {
            let Some(owner) = sweep.scope_of(&item.key).map(|scope| scope.owner().to_string())
            else {
                continue;
            };
            if item.kind == RecordKind::Settings {
                let settings = records::read::<Settings>(item)?.record;
                zones.insert(owner, settings.time_zone);
            } else if effect::sort_of(item) == Some(PostPlan::SORT)
                && wanted.iter().any(|id| *id == item.key.sk())
            {
                posts.push((owner, records::read::<Effect<PostPlan>>(item)?.record));
            }
        }
        match slice.next {
            Some(next) => page = Page::after(PAGE, Some(next)),
            None => break,
        }
    }
    let of = |(owner, post): (String, Effect<PostPlan>)| {
        let zone = zones.get(&owner).and_then(|name| TimeZone::get(name).ok());
        (post.id.to_string(), life(&post, zone.unwrap_or(TimeZone::UTC)))
    };
    Ok(posts.into_iter().map(of).collect())
}

fn life(post: &Effect<PostPlan>, zone: TimeZone) -> Life {
    let due = post.payload().due_at();
    let step = |what, at: Timestamp, more: String| {
        let shown = at.to_zoned(zone.clone()).strftime("%-d %B %Y, %H:%M:%S").to_string();
        Step { what, at, shown, more }
    };
    let mut steps = vec![step("Planned", due, String::new())];
    for moved in post.history() {
        let more = match moved.to {
            State::Approved if moved.reason == "approved" => format!("by {}", moved.by),
            State::Proposed => continue,
            State::Sending | State::Accepted | State::Done => after(moved.at, due),
            _ => moved.reason.clone(),
        };
        steps.push(step(named(moved.to), moved.at, more));
    }
    Life {
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        steps,
        is_whole: post.history_is_whole(),
    }
}

fn named(state: State) -> &'static str {
    match state {
        State::Proposed => "Proposed",
        State::Approved => "Approved",
        State::Sending => "Sending",
        State::Accepted => "Accepted",
        State::Done => "Live",
        State::Refused => "Refused",
        State::Unknown => "Looked up",
        State::AskAPerson => "Needs a person",
        State::Rejected => "Rejected",
        State::Cancelled => "Called off",
    }
}

/// How long after its time something was: `0.4 s after its time`.
fn after(at: Timestamp, due: Timestamp) -> String {
    let late = at.duration_since(due);
    match late.as_secs() {
        ..0 => "before its time".to_owned(),
        0..=59 => format!("{:.1} s after its time", late.as_secs_f64()),
        60..=3_599 => format!("{} min after its time", late.as_secs() / 60),
        _ => format!("{} h after its time", late.as_secs() / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::approval::{self, Approver};
    use nexus_core::effect::{EffectId, Outcome};
    use nexus_engine::DraftId;
    use nexus_engine::publishing::{Choices, Network};
    use nexus_kernel::Language;
    use nexus_testkit::{MemoryPlatform, people};

    use super::*;

    #[tokio::test]
    async fn a_posts_life_is_told_by_its_tenants_clocks() {
        let platform = MemoryPlatform::new();
        let ada = people::caller(&people::approver(people::tenant(1)));
        let (scope, now) = (*ada.scope(), platform.now());
        let madrid = Settings { time_zone: "Europe/Madrid".into(), ..Settings::default() };
        platform.put(&scope, &madrid).await;
        let due = now + jiff::SignedDuration::from_mins(5);
        let plan = PostPlan {
            draft: DraftId::derived(&["d"]),
            revision: 1,
            language: Language::En,
            network: Network::Feed,
            account: "feed".into(),
            connection: None,
            text: "Hello".into(),
            link: None,
            media: None,
            made_by_ai: false,
            choices: Choices::default(),
            send_at: due,
        };
        let (id, digest) = (EffectId::derived(&["e"]), plan.digest());
        let mut post = Effect::proposed(id, plan, ada.subject(), now);
        approval::approve(&mut post, Approver::of(&ada).unwrap(), digest, now).unwrap();
        platform.put(&scope, &post).await;
        platform.advance(jiff::SignedDuration::from_millis(300_400));
        let lease = jiff::SignedDuration::from_secs(30);
        let claimed = platform.redeem::<PostPlan>(&scope, id, "publish", lease).await.unwrap();
        let approval::Redeemed::Send(approved) = claimed else { panic!("{claimed:?}") };
        platform.advance(jiff::SignedDuration::from_secs(2));
        let done = Outcome::Done { receipt: "r".into(), url: None };
        approval::settle(approved, done, "publish", platform.now()).await.unwrap();

        let key = id.to_string();
        let found = lives(&platform.table, &[&key], platform.now()).await.unwrap();
        let life = &found[&key];
        assert!(life.is_whole && life.zone == "Europe/Madrid", "{life:?}");
        let by = format!("by {}", ada.subject());
        let told: Vec<_> = life.steps.iter().map(|s| (s.what, s.at, s.more.as_str())).collect();
        let claimed = due + jiff::SignedDuration::from_millis(400);
        assert_eq!(
            told,
            [
                ("Planned", due, ""),
                ("Approved", now, by.as_str()),
                ("Sending", claimed, "0.4 s after its time"),
                ("Live", platform.now(), "2.4 s after its time"),
            ]
        );
        let madrid = TimeZone::get("Europe/Madrid").unwrap();
        let shown = due.to_zoned(madrid).strftime("%-d %B %Y, %H:%M:%S").to_string();
        assert_eq!(life.steps[0].shown, shown);
        assert!(lives(&platform.table, &["other"], now).await.unwrap().is_empty());
    }
}
