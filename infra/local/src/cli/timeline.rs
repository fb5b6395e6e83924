//! What became of posts, for a person to read: when each was claimed, accepted, live.

use nexus_core::effect::{Effect, Outcome, Payload as _, State};
use nexus_engine::publishing::PostPlan;
use nexus_kernel::Timestamp;
use serde::Serialize;

/// The life of one post, in moments.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    id: String,
    network: &'static str,
    account: String,
    language: &'static str,
    state: State,
    due: String,
    claimed: Option<String>,
    accepted: Option<String>,
    live: Option<String>,
    /// What was said last, where it is not live.
    said: Option<String>,
    url: Option<String>,
    #[serde(skip)]
    at: Timestamp,
    #[serde(skip)]
    moments: Vec<(&'static str, f64)>,
}

impl Timeline {
    pub(super) fn of(post: &Effect<PostPlan>) -> Self {
        let (plan, due) = (post.payload(), post.payload().due_at());
        let at = |state: State| post.moved_at(state);
        let word = |moment: Option<Timestamp>| moment.map(|at| at.to_string());
        let (claimed, accepted, live) = (at(State::Sending), at(State::Accepted), at(State::Done));
        let named = [("claimed", claimed), ("accepted", accepted), ("live", live)];
        let after = |moment: Timestamp| moment.duration_since(due).as_secs_f64();
        let moments = named.into_iter().filter_map(|(name, at)| Some((name, after(at?))));
        let url = match post.outcome() {
            Some(Outcome::Done { url, .. }) => url.clone(),
            _ => None,
        };
        let said = post.history().last().map(|moved| moved.reason.clone());
        Self {
            id: post.id.to_string(),
            network: plan.network.name(),
            account: plan.account.clone(),
            language: plan.language.code(),
            state: post.state(),
            due: due.to_string(),
            claimed: word(claimed),
            accepted: word(accepted),
            live: word(live),
            said: said.filter(|_| post.state() != State::Done),
            url,
            at: due,
            moments: moments.collect(),
        }
    }

    /// The moment it is due, for ordering.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// One line: `feed en  live  2027-03-01 09:00 UTC  claimed +0.1 s, live +0.4 s`.
    pub(super) fn line(&self) -> String {
        let state = match self.state {
            State::Proposed => "proposed",
            State::Approved => "waits",
            State::Sending => "is being sent",
            State::Accepted => "accepted, not live yet",
            State::Done => "live",
            State::Refused => "refused",
            State::Unknown => "unknown, being looked up",
            State::AskAPerson => "needs a person",
            State::Rejected => "rejected",
            State::Cancelled => "called off",
        };
        let due = self.at.strftime("%Y-%m-%d %H:%M UTC");
        let place = match self.network == self.account {
            true => self.network.to_owned(),
            false => format!("{} ({})", self.network, self.account),
        };
        let moments: Vec<String> =
            self.moments.iter().map(|(name, after)| format!("{name} {after:+.1} s")).collect();
        let said = self.said.iter().filter(|_| self.state != State::Approved || moments.is_empty());
        let rest: Vec<&str> = moments.iter().chain(said).map(String::as_str).collect();
        format!("{place} {}  {state}  {due}  {}", self.language, rest.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::effect::EffectId;
    use nexus_engine::DraftId;
    use nexus_engine::publishing::{Choices, Network};
    use nexus_kernel::Language;

    use super::*;

    #[test]
    fn a_post_that_waits_tells_when_and_that_somebody_approved_it() {
        let due: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
        let plan = PostPlan {
            draft: DraftId::derived(&["d"]),
            revision: 1,
            language: Language::En,
            network: Network::X,
            account: "Ada's shop".into(),
            connection: None,
            text: "Hello".into(),
            link: None,
            media: None,
            made_by_ai: false,
            choices: Choices::default(),
            send_at: due,
        };
        let post = Effect::proposed(EffectId::derived(&["e"]), plan, "ada", due);
        let timeline = Timeline::of(&post);
        assert_eq!(timeline.line(), "x (Ada's shop) en  proposed  2027-03-01 09:00 UTC  proposed");
        assert_eq!(serde_json::to_value(&timeline).unwrap()["claimed"], serde_json::Value::Null);
    }
}
