//! X behind the port of comments: the search on a conversation, of the last seven days, each answer paid.
//!
//! The search gives the newest first. So where there are more than are read at once, the mark remembers both ends of
//! what is still missing, and the next reading goes on there: nothing is skipped, and nothing is paid twice.

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::comments::{Heard, Listener};
use nexus_engine::connections::Access;
use nexus_engine::publishing::Network;
use nexus_kernel::Failure;
use nexus_outbound::CallError;

use super::port::X;
use super::request::{self, REPLIES_PAGE};
use super::{prices, response};

/// How long X's search reaches back. An hour less, since it refuses a mark from before.
const REACH: SignedDuration = SignedDuration::from_hours(7 * 24 - 1);
/// How many pages are read at once: what they may cost has to be reserved.
const PAGES: u32 = 3;

/// From where to go on reading: numbers of posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// What comes after this one is new.
    pub(super) since: String,
    /// What is missing ends before this one, where a reading did not come to its end; and the newest that it saw.
    pub(super) missing: Option<(String, String)>,
}

impl Mark {
    /// The mark as it was written; anything else begins at the post.
    pub(super) fn parse(written: Option<&str>, post: &str) -> Self {
        let parts: Vec<&str> = written.unwrap_or_default().split('-').collect();
        let number = |part: &str| response::is_id(part);
        match parts.as_slice() {
            [since, until, newest] if number(since) && number(until) && number(newest) => {
                let missing = Some(((*until).to_owned(), (*newest).to_owned()));
                Self { since: (*since).to_owned(), missing }
            }
            [since] if number(since) => Self { since: (*since).to_owned(), missing: None },
            _ => Self { since: post.to_owned(), missing: None },
        }
    }

    pub(super) fn written(&self) -> String {
        match &self.missing {
            Some((until, newest)) => format!("{}-{until}-{newest}", self.since),
            None => self.since.clone(),
        }
    }
}

/// Numbers of posts by age: X's grow, and have no zeros before them.
fn age(id: &str) -> (usize, &str) {
    (id.len(), id)
}

#[async_trait]
impl Listener for X {
    fn network(&self) -> Network {
        Network::X
    }

    fn reach(&self) -> Option<SignedDuration> {
        Some(REACH)
    }

    async fn hear(
        &self,
        at: &CallContext,
        access: Option<&Access>,
        post: &str,
        since: Option<&str>,
    ) -> Result<Heard, Failure> {
        let token =
            &access.ok_or_else(|| Failure::conflict("Connect an account at X first."))?.token;
        if !response::is_id(post) {
            return Err(Failure::field("post", "is not known to X"));
        }
        let mark = Mark::parse(since, post);
        let (until, newest) = match &mark.missing {
            Some((until, newest)) => (Some(until.as_str()), Some(newest.clone())),
            None => (None, None),
        };
        let (mut remarks, mut page, mut cost) = (Vec::new(), None::<String>, Cost::ZERO);
        for _ in 0..PAGES {
            let request = request::replies(token, post, &mark.since, until, page.as_deref());
            let now = self.now();
            let read = |answer: &_| response::replies(answer, now);
            let most = prices::reads(REPLIES_PAGE as usize);
            let replies = self.api.call(at, request, most, read).await;
            let replies = match replies {
                Ok(replies) => replies,
                // What was read was paid: it is kept, and the rest is read another time.
                Err(_) if !remarks.is_empty() => break,
                Err(error) => return Err(unheard(error)),
            };
            let paid = replies.cost.as_micros();
            cost = Cost::micros(cost.as_micros().saturating_add(paid));
            remarks.extend(replies.remarks);
            page = replies.next;
            if page.is_none() {
                break;
            }
        }
        let newest = remarks.iter().map(|remark| remark.id.clone()).chain(newest);
        let newest = newest.max_by(|a, b| age(a).cmp(&age(b)));
        let oldest = remarks.iter().map(|remark| &remark.id).min_by(|a, b| age(a).cmp(&age(b)));
        let next = match (newest, oldest, page) {
            (Some(newest), Some(oldest), Some(_)) => {
                Mark { since: mark.since, missing: Some((oldest.clone(), newest)) }
            }
            (Some(newest), _, None) => Mark { since: newest, missing: None },
            _ => mark,
        };
        remarks.retain(|remark| remark.id != post);
        remarks.sort_by(|a, b| age(&a.id).cmp(&age(&b.id)));
        Ok(Heard { remarks, mark: Some(next.written()), cost })
    }
}

/// Why nothing was heard.
fn unheard(error: CallError) -> Failure {
    match error {
        CallError::Login { why } => Failure::conflict(why),
        CallError::Refused { code, .. } if code == "credits" => {
            Failure::invalid("The house's credits at X are used up.")
        }
        CallError::Unknown { why } => {
            Failure::unavailable("X gives no answer that can be read.").caused_by(why)
        }
        other => other.into(),
    }
}
