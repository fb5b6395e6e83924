//! What else stands for an account: which moments are taken, and what an approver should know of a post's neighbours.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use nexus_core::effect::{Effect, Payload as _, State};
use nexus_core::sweep::moment;
use nexus_core::table::{Index, Page, Query};
use nexus_core::{Key, Scope, Table, records};
use nexus_kernel::{Digest, Failure};

use super::wish::HORIZON_DAYS;
use crate::copy::links;
use crate::draft::Note;
use crate::publishing::PostPlan;

/// Within how long of another post of the same account a post clashes with it.
pub const CLASH: SignedDuration = SignedDuration::from_mins(10);
/// Within how long of another post of the same account the same words are said twice.
pub const SAME_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How many rows are read at once.
const PAGE: u32 = 200;

/// The posts for an account ([`PostPlan::place`]) from one moment to another, both included, that stand: that were
/// sent, may have been, or will be unless somebody calls them off. In the order of their times.
///
/// # Errors
/// The store does not answer.
pub async fn standing(
    table: &dyn Table,
    scope: &Scope,
    place: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Effect<PostPlan>>, Failure> {
    let list = scope.partition(&format!("effects#{}", PostPlan::SORT));
    let query = Query::of(Index::List, list).between(moment(from), format!("{}$", moment(to)));
    let (mut posts, mut page) = (Vec::new(), Page::first(PAGE));
    loop {
        let slice = table.query(&query, &page).await?;
        let keys: Vec<Key> = slice.items.into_iter().map(|listed| listed.key).collect();
        // The list may be late: the rows themselves tell what stands.
        for row in table.get_many(&keys).await?.iter().flatten() {
            let post = records::read::<Effect<PostPlan>>(row)?.record;
            if stands(post.state()) && post.payload().place() == place {
                posts.push(post);
            }
        }
        match slice.next {
            Some(next) => page = Page::after(PAGE, Some(next)),
            None => break,
        }
    }
    posts.sort_by_key(|post| (post.payload().send_at, post.id));
    Ok(posts)
}

/// The moments, from now on, at which posts stand for an account: where its next slot is looked for.
///
/// # Errors
/// The store does not answer.
pub async fn taken(
    table: &dyn Table,
    scope: &Scope,
    place: &str,
    now: Timestamp,
) -> Result<BTreeSet<Timestamp>, Failure> {
    let horizon = now.saturating_add(SignedDuration::from_hours(24 * HORIZON_DAYS));
    let until = horizon.unwrap_or(Timestamp::MAX);
    let posts = standing(table, scope, place, now, until).await?;
    Ok(posts.iter().map(|post| post.payload().send_at).collect())
}

/// What an approver should know of a post's neighbours at its account: that one says the same within a week
/// (`identical`), that one goes out within ten minutes (`clashing`). Neighbours of other accounts, and those that do
/// not stand, are passed over; the post itself should not be among them.
pub fn warnings(plan: &PostPlan, neighbours: &[Effect<PostPlan>]) -> Vec<Note> {
    let said = said(&plan.text);
    let apart = |other: &PostPlan| plan.send_at.duration_since(other.send_at).abs();
    let near = |within: SignedDuration| {
        let of_account =
            |n: &&Effect<PostPlan>| stands(n.state()) && n.payload().place() == plan.place();
        neighbours.iter().filter(of_account).filter(move |n| apart(n.payload()) <= within)
    };
    let nearest = |notes: &mut dyn Iterator<Item = &Effect<PostPlan>>| {
        notes.min_by_key(|n| (apart(n.payload()), n.id)).map(|n| (n.id, n.payload().send_at))
    };
    let mut notes = Vec::new();
    let same = |n: &&Effect<PostPlan>| self::said(&n.payload().text) == said;
    if let Some((id, at)) = nearest(&mut near(SAME_WITHIN).filter(same)) {
        let text = format!(
            "{} has the same words within a week ({id}, at {at}): networks show repetitions to fewer people.",
            plan.account
        );
        notes.push(Note { code: "identical".into(), text });
    }
    if let Some((id, at)) = nearest(&mut near(CLASH)) {
        let text = format!(
            "{} has another post within ten minutes ({id}, at {at}): choose a time further away.",
            plan.account
        );
        notes.push(Note { code: "clashing".into(), text });
    }
    notes
}

/// What an approver should know of a post at each of these times, in their order: [`warnings`] of what stands for its
/// account, without what `own` says to be the post itself.
///
/// # Errors
/// The store does not answer.
pub async fn warned(
    table: &dyn Table,
    scope: &Scope,
    plan: &PostPlan,
    times: &[Timestamp],
    own: impl Fn(&Effect<PostPlan>) -> bool,
) -> Result<Vec<Vec<Note>>, Failure> {
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return Ok(Vec::new());
    };
    let from = first.saturating_sub(SAME_WITHIN).unwrap_or(Timestamp::MIN);
    let to = last.saturating_add(SAME_WITHIN).unwrap_or(Timestamp::MAX);
    let mut neighbours = standing(table, scope, &plan.place(), from, to).await?;
    neighbours.retain(|post| !own(post));
    let at = |at: &Timestamp| warnings(&PostPlan { send_at: *at, ..plan.clone() }, &neighbours);
    Ok(times.iter().map(at).collect())
}

/// What an approver should know of times, in order, at which the same is said again and again.
pub fn repetition(times: &[Timestamp]) -> Option<Note> {
    let often = times.windows(2).any(|pair| {
        let [one, next] = pair else { return false };
        next.duration_since(*one) <= SAME_WITHIN
    });
    often.then(|| Note {
        code: "identical".into(),
        text: "It says the same again within a week: networks show repetitions to fewer people."
            .into(),
    })
}

/// Whether a post in this state was sent, may have been, or will be.
const fn stands(state: State) -> bool {
    !matches!(state, State::Proposed | State::Refused | State::Rejected | State::Cancelled)
}

/// The digest of what a text says: its words without its links, which differ from post to post, and whatever spaces
/// stand between them.
fn said(text: &str) -> Digest {
    let (mut words, mut from) = (String::new(), 0);
    for link in links::visible(text) {
        words.push_str(text.get(from..link.range.start).unwrap_or_default());
        from = link.range.end;
    }
    words.push_str(text.get(from..).unwrap_or_default());
    let words: Vec<&str> = words.split_whitespace().collect();
    Digest::of(words.join(" ").as_bytes())
}

#[cfg(test)]
mod tests {
    use nexus_core::effect::EffectId;
    use nexus_kernel::Language;

    use super::*;
    use crate::draft::DraftId;
    use crate::publishing::{Choices, Network};

    const NOON: &str = "2027-03-10T12:00:00Z";

    fn at(moment: &str) -> Timestamp {
        moment.parse().unwrap()
    }

    fn post(text: &str, network: Network, send_at: &str) -> PostPlan {
        PostPlan {
            draft: DraftId::derived(&["draft"]),
            revision: 1,
            language: Language::En,
            network,
            account: network.name().into(),
            connection: None,
            link: None,
            text: text.into(),
            media: None,
            made_by_ai: false,
            choices: Choices::default(),
            send_at: at(send_at),
        }
    }

    #[test]
    fn what_is_said_again_within_a_week_is_told_once_of_all_its_times() {
        let told = |times: &[&str]| {
            let times: Vec<Timestamp> = times.iter().map(|moment| at(moment)).collect();
            repetition(&times).map(|note| note.code)
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[NOON]), None);
        assert_eq!(told(&[NOON, "2027-03-17T12:00:01Z", "2027-03-26T12:00:00Z"]), None);
        let again = told(&[NOON, "2027-03-19T12:00:00Z", "2027-03-26T12:00:00Z"]);
        assert_eq!(again.as_deref(), Some("identical"));
    }

    /// A post that waits for a person, and what becomes of it.
    fn neighbour(plan: PostPlan, state: State) -> Effect<PostPlan> {
        let effect = Effect::proposed(EffectId::derived(&["post"]), plan, "usr", at(NOON));
        let mut row = serde_json::to_value(&effect).unwrap();
        row["state"] = serde_json::to_value(state).unwrap();
        serde_json::from_value(row).unwrap()
    }

    #[track_caller]
    fn warned(of: PostPlan, state: State, codes: &[&str]) {
        let plan = post("Fresh bread. https://bakery.example/a", Network::Feed, NOON);
        let notes = warnings(&plan, &[neighbour(of, state)]);
        let found: Vec<&str> = notes.iter().map(|n| n.code.as_str()).collect();
        assert_eq!(found, codes);
    }

    #[test]
    fn the_same_words_within_a_week_are_told_whatever_their_link() {
        let same = "Fresh  bread.\nhttps://bakery.example/b";
        for (when, codes) in [
            ("2027-03-03T12:00:00Z", vec!["identical"]),
            ("2027-03-17T12:00:00Z", vec!["identical"]),
            ("2027-03-17T12:00:01Z", vec![]),
            ("2027-03-03T11:59:59Z", vec![]),
            ("2027-03-10T12:10:00Z", vec!["identical", "clashing"]),
        ] {
            warned(post(same, Network::Feed, when), State::Done, &codes);
        }
        warned(post("Fresh rolls.", Network::Feed, "2027-03-11T12:00:00Z"), State::Done, &[]);
        warned(post(same, Network::X, NOON), State::Done, &[]);
    }

    #[test]
    fn posts_within_ten_minutes_clash_and_those_that_do_not_stand_do_not() {
        let near = || post("Rolls.", Network::Feed, "2027-03-10T11:50:00Z");
        warned(post("Rolls.", Network::Feed, "2027-03-10T11:49:59Z"), State::Approved, &[]);
        for state in State::ALL {
            let stands = !matches!(
                state,
                State::Proposed | State::Refused | State::Rejected | State::Cancelled
            );
            warned(near(), state, if stands { &["clashing"] } else { &[] });
        }
    }
}
