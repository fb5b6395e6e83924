//! Clicks on their way from the redirect to who counts them. What many of them share is told once, and what follows
//! from a program's text is read where nobody waits for it.

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexSet;
use nexus_core::effect::EffectId;
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::agent::Program;
use super::bots;
use super::click::{Click, ClickId, Referrer, Visitor};
use super::place::Place;

/// A click as it was seen.
#[derive(Debug, Clone)]
pub struct Followed<'c> {
    /// Its id.
    pub id: ClickId,
    /// When.
    pub at: Timestamp,
    /// The code of the link.
    pub link: &'c str,
    /// The post that the link was made for.
    pub post: Option<EffectId>,
    /// Where, roughly.
    pub place: &'c Place,
    /// How its program presents itself, scrubbed.
    pub program: &'c str,
    /// From which page.
    pub page: Option<&'c Referrer>,
    /// Tells the clicks of one visitor of one day from those of others.
    pub visitor: Visitor,
    /// It only asked for the head of the answer.
    pub head: bool,
    /// It did not say what it can read.
    pub no_accept: bool,
}

impl<'c> From<&'c Click> for Followed<'c> {
    fn from(click: &'c Click) -> Self {
        let Click { id, at, link, post, place, agent, referrer, visitor, .. } = click;
        Self {
            id: *id,
            at: *at,
            link,
            post: *post,
            place,
            program: &agent.text,
            page: referrer.as_ref(),
            visitor: *visitor,
            head: click.head,
            no_accept: click.no_accept,
        }
    }
}

/// The message to `attribute`: clicks of one tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clicks<'c> {
    links: Vec<Link<'c>>,
    programs: Vec<Cow<'c, str>>,
    pages: Vec<Cow<'c, Referrer>>,
    clicks: Vec<One<'c>>,
}

/// Which link, and for which post.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Link<'c> {
    code: Cow<'c, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post: Option<EffectId>,
}

/// A click, with the places of what it shares with others.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct One<'c> {
    id: ClickId,
    at: Timestamp,
    link: usize,
    #[serde(skip_serializing_if = "is_unlocated")]
    #[serde(default)]
    place: Cow<'c, Place>,
    program: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<usize>,
    visitor: Visitor,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    head: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_accept: bool,
}

fn is_unlocated(place: &Cow<'_, Place>) -> bool {
    place.is_unlocated()
}

/// Where a thing stands among those that are told; it is put behind them where it is the first of its sort.
fn told<T: Hash + Eq>(all: &mut IndexSet<T>, one: T) -> usize {
    all.insert_full(one).0
}

impl<'c> Clicks<'c> {
    /// The message that tells of these.
    pub fn of(followed: impl IntoIterator<Item = Followed<'c>>) -> Self {
        let (mut links, mut programs, mut pages) =
            (IndexSet::new(), IndexSet::new(), IndexSet::new());
        let one = |click: Followed<'c>| One {
            id: click.id,
            at: click.at,
            link: told(&mut links, Link { code: Cow::Borrowed(click.link), post: click.post }),
            place: Cow::Borrowed(click.place),
            program: told(&mut programs, click.program),
            page: click.page.map(|page| told(&mut pages, page)),
            visitor: click.visitor,
            head: click.head,
            no_accept: click.no_accept,
        };
        let clicks = followed.into_iter().map(one).collect();
        Self {
            links: links.into_iter().collect(),
            programs: programs.into_iter().map(Cow::Borrowed).collect(),
            pages: pages.into_iter().map(Cow::Borrowed).collect(),
            clicks,
        }
    }

    /// How many it tells of.
    pub fn count(&self) -> usize {
        self.clicks.len()
    }

    /// The clicks as they are kept, each with its program read and judged. `program` is asked once for each text, so
    /// that it may remember those that it has read.
    ///
    /// # Errors
    /// The message tells of something that is not in it: it is none of ours.
    pub fn read(
        &self,
        mut program: impl FnMut(&str) -> Arc<Program>,
    ) -> Result<Vec<Click>, Failure> {
        let programs: Vec<_> = self.programs.iter().map(|text| program(text)).collect();
        let not_ours = || Failure::invalid("this is not a message about clicks of ours");
        let one = |click: &One<'_>| {
            let link = self.links.get(click.link).ok_or_else(not_ours)?;
            let program = programs.get(click.program).ok_or_else(not_ours)?;
            let page = click.page.map(|page| self.pages.get(page).ok_or_else(not_ours));
            let referrer = page.transpose()?.map(|page| page.clone().into_owned());
            Ok(Click {
                id: click.id,
                at: click.at,
                link: link.code.clone().into_owned(),
                post: link.post,
                place: click.place.clone().into_owned(),
                agent: program.agent().clone(),
                referrer,
                visitor: click.visitor,
                bot: program.bot().or_else(|| bots::by_request(click.head, click.no_accept)),
                head: click.head,
                no_accept: click.no_accept,
            })
        };
        self.clicks.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicks::{Agent, Spot};

    fn click(n: u8) -> Click {
        let texts =
            ["", "facebookexternalhit/1.1", "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0"];
        let agent = Agent::of(texts[usize::from(n % 3)]);
        let (head, no_accept) = (n.is_multiple_of(5), n.is_multiple_of(7));
        Click {
            id: ClickId::derived(&["click", &n.to_string()]),
            at: Timestamp::UNIX_EPOCH,
            link: format!("link-{}", n % 2),
            post: n.is_multiple_of(4).then(|| EffectId::derived(&["post"])),
            place: match n % 2 {
                0 => Place::Unlocated,
                _ => Place::Spot(Spot { country: Some("GB".into()), ..Spot::default() }),
            },
            bot: bots::reason(&agent.text, head, no_accept),
            agent,
            referrer: n
                .is_multiple_of(3)
                .then(|| Referrer { host: "a.example".into(), path: "/".into() }),
            visitor: Visitor([n; 8]),
            head,
            no_accept,
        }
    }

    #[test]
    fn what_is_told_is_read_as_it_was_and_what_is_shared_is_told_once() {
        let clicks: Vec<Click> = (0..60).map(click).collect();
        let message = Clicks::of(clicks.iter().map(Followed::from));
        let written = serde_json::to_string(&message).unwrap();
        assert_eq!(written.matches("facebookexternalhit").count(), 1);
        let read: Clicks<'static> = serde_json::from_str(&written).unwrap();
        let mut asked = 0;
        let program = |text: &str| {
            asked += 1;
            Arc::new(Program::of_kept(text.to_owned()))
        };
        assert_eq!(read.read(program).unwrap(), clicks);
        assert_eq!((asked, read.count()), (3, 60));
    }

    #[test]
    fn a_message_that_tells_of_what_is_not_in_it_is_refused() {
        let clicks = [click(3)];
        let mut value =
            serde_json::to_value(Clicks::of(clicks.iter().map(Followed::from))).unwrap();
        for list in ["links", "programs", "pages"] {
            let kept = value[list].take();
            value[list] = serde_json::json!([]);
            let message: Clicks<'static> = serde_json::from_value(value.clone()).unwrap();
            assert!(
                message.read(|text| Arc::new(Program::of_kept(text.to_owned()))).is_err(),
                "{list}"
            );
            value[list] = kept;
        }
    }
}
