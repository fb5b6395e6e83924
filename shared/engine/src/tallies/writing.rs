//! Clicks written with the tallies that they add to, in the same commits.
//!
//! A click's row is put only where it does not stand, in the commit that adds it to its counters. So it counts once,
//! however batches are cut, reordered and repeated: what stands there already is taken out with its additions, and the
//! rest is committed again. A commit whose answer was lost needs no token for that: repeated, it finds its rows.
//!
//! Robots' clicks are written and not counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use nexus_core::table::{CommitError, MAX_OPS, Op};
use nexus_core::{Item, Scope, Table, records};
use nexus_kernel::{Ambient, Failure, Timestamp};

use super::agents::{AgentId, KeptAgent, id_of};
use super::keys::{DAY_MS, Day, TALLY_SHARDS, begin, day_of, is_code};
use super::live::Live;
use super::recounting::{Recount, first_due, next_run};
use super::row::{self, sort_key};
use super::side::Counter;
use crate::clicks::{Agent, Click};

/// How many links' days are written at once.
const GROUPS_AT_ONCE: usize = 16;
/// How often one commit is tried again, where others were at the same rows or its answer was lost.
const TRIES: u32 = 6;
/// So many rows that need not be written again are remembered; then it begins anew.
const REMEMBERED: usize = 50_000;
/// So long before a day may be counted anew, the row that says so is put with every commit: the clocks of two machines
/// may differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// Clicks of one tenant that came together: they are written together or told as not written.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub clicks: &'a [Click],
}

/// Letters of which not every click is written, and why.
#[derive(Debug)]
pub struct Unwritten {
    /// Which, by their place among those that were handed over.
    pub letters: Vec<usize>,
    /// Why.
    pub why: Failure,
}

/// Writes clicks and adds them up.
pub struct ClickWriter {
    table: Arc<dyn Table>,
    ambient: Ambient,
    known: Mutex<Known>,
}

/// What this process has written and need not write again.
#[derive(Default)]
struct Known {
    agents: HashSet<(Scope, AgentId)>,
    days: HashSet<(Scope, String, Day)>,
}

/// The clicks of one link on one day, by their sort keys.
struct Group<'a> {
    scope: Scope,
    link: &'a str,
    day: Day,
    clicks: BTreeMap<String, &'a Click>,
    letters: Vec<usize>,
}

/// A click on its way, with its agent's short digest.
type Going<'a> = (&'a Click, Option<AgentId>);

/// A part of a group that fits one commit.
struct Part<'a> {
    clicks: Vec<Going<'a>>,
    /// Agents that may not be kept yet.
    agents: Vec<(AgentId, &'a Agent)>,
}

impl ClickWriter {
    /// On this table.
    pub fn new(table: Arc<dyn Table>, ambient: Ambient) -> Self {
        Self { table, ambient, known: Mutex::default() }
    }

    /// Writes every click that is not written yet and adds it up. Letters that are told may be handed over again; so
    /// may all others.
    pub async fn write(&self, letters: &[Letter<'_>]) -> Vec<Unwritten> {
        let mut groups: HashMap<(Scope, &str, Day), Group<'_>> = HashMap::new();
        let mut unwritten = Vec::new();
        for (number, letter) in letters.iter().enumerate() {
            if let Err(why) = check(letter) {
                unwritten.push(Unwritten { letters: vec![number], why });
                continue;
            }
            for click in letter.clicks {
                let (scope, link, day) = (letter.scope, click.link.as_str(), day_of(click.at));
                let group = groups.entry((scope, link, day)).or_insert_with(|| Group {
                    scope,
                    link,
                    day,
                    clicks: BTreeMap::new(),
                    letters: Vec::new(),
                });
                group.clicks.entry(sort_key(click)).or_insert(click);
                if group.letters.last() != Some(&number) {
                    group.letters.push(number);
                }
            }
        }
        let groups: Vec<_> = groups.into_values().map(|group| self.group(group)).collect();
        let mut written = stream::iter(groups).buffer_unordered(GROUPS_AT_ONCE);
        while let Some(outcome) = written.next().await {
            unwritten.extend(outcome);
        }
        unwritten
    }

    async fn group(&self, group: Group<'_>) -> Option<Unwritten> {
        let parts = self.parts(&group).into_iter().enumerate();
        let parts: Vec<_> = parts.map(|(number, part)| self.part(&group, part, number)).collect();
        // As many at once as a tally has shards: each adds to another one.
        let mut parts = stream::iter(parts).buffer_unordered(usize::from(TALLY_SHARDS));
        let mut failed = None;
        while let Some(outcome) = parts.next().await {
            failed = failed.or(outcome.err());
        }
        drop(parts);
        failed.map(|why| Unwritten { letters: group.letters, why })
    }

    /// Cuts a group into commits: of clicks, of what they add to, of agents, and two rows that say what was written.
    fn parts<'a>(&self, group: &Group<'a>) -> Vec<Part<'a>> {
        let mut ids: HashMap<&Agent, Option<AgentId>> = HashMap::new();
        let mut parts: Vec<Part<'a>> = Vec::new();
        let mut part = Part { clicks: Vec::new(), agents: Vec::new() };
        let mut counters: HashSet<Counter<'a>> = HashSet::new();
        for click in group.clicks.values().copied() {
            let agent = *ids
                .entry(&click.agent)
                .or_insert_with(|| (click.agent != Agent::default()).then(|| id_of(&click.agent)));
            let mine = if click.bot.is_some() { None } else { Some(Counter::of(click)) };
            let mine = mine.into_iter().flatten();
            let new_counters: Vec<_> = mine.filter(|c| !counters.contains(c)).collect();
            let new_agent = agent.filter(|id| {
                !part.agents.iter().any(|(known, _)| known == id)
                    && !self.known().agents.contains(&(group.scope, *id))
            });
            let used = part.clicks.len() + counters.len() + part.agents.len() + 2;
            let more = 1 + new_counters.len() + usize::from(new_agent.is_some());
            if used + more > MAX_OPS {
                let next = Part { clicks: Vec::new(), agents: Vec::new() };
                parts.push(std::mem::replace(&mut part, next));
                counters.clear();
                if click.bot.is_none() {
                    counters.extend(Counter::of(click));
                }
                let new = agent.filter(|id| !self.known().agents.contains(&(group.scope, *id)));
                part.agents.extend(new.map(|id| (id, &click.agent)));
            } else {
                counters.extend(new_counters);
                part.agents.extend(new_agent.map(|id| (id, &click.agent)));
            }
            part.clicks.push((click, agent));
        }
        parts.push(part);
        parts
    }

    /// Commits a part, without what turns out to stand there already.
    async fn part(&self, group: &Group<'_>, part: Part<'_>, number: usize) -> Result<(), Failure> {
        let Part { mut clicks, agents } = part;
        let mut shard = u8::try_from(number % usize::from(TALLY_SHARDS)).unwrap_or(0);
        let mut tries = 0;
        while !clicks.is_empty() {
            let (ops, marked) = self.ops(group, &clicks, &agents, shard);
            match self.table.commit(ops, None).await {
                Ok(()) => {
                    self.remember(group, &agents, marked);
                    return Ok(());
                }
                Err(CommitError::Conditions(failed)) => {
                    let before = clicks.len();
                    let stands: HashSet<usize> = failed.into_iter().collect();
                    let mut number = 0;
                    clicks.retain(|_| {
                        number += 1;
                        !stands.contains(&(number - 1))
                    });
                    if clicks.len() == before {
                        return Err(Failure::bug("a commit of clicks failed on none of them"));
                    }
                }
                // Nothing was changed: the next shard may be free.
                Err(CommitError::Contended) if tries < TRIES => {
                    shard = (shard + 1) % TALLY_SHARDS;
                    tries += 1;
                }
                // What it wrote is found standing there.
                Err(CommitError::Unknown(_)) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The commit of these clicks; the first operations are theirs, one each. And whether it puts the row for the
    /// recount so that it need not be put again.
    fn ops(
        &self,
        group: &Group<'_>,
        clicks: &[Going<'_>],
        agents: &[(AgentId, &Agent)],
        shard: u8,
    ) -> (Vec<Op>, bool) {
        let Group { scope, link, day, .. } = group;
        let now = self.ambient.now();
        let mut ops = Vec::with_capacity(MAX_OPS);
        let mut counters: HashMap<Counter<'_>, i64> = HashMap::new();
        for (click, agent) in clicks {
            ops.push(row::create(scope, click, *agent));
            if click.bot.is_none() {
                for counter in Counter::of(click) {
                    *counters.entry(counter).or_default() += 1;
                }
            }
        }
        ops.extend(counters.iter().map(|(c, delta)| c.add(scope, link, *day, shard, *delta)));
        let agents = agents.iter().filter(|(id, _)| clicks.iter().any(|(_, a)| a == &Some(*id)));
        ops.extend(agents.map(|(_, agent)| records::write(scope, &KeptAgent::from(*agent))));
        let (recount, marked) = self.recount(group, now);
        ops.extend(recount);
        let sorts = clicks.iter().map(|(click, _)| sort_key(click)).collect();
        ops.push(records::write(
            scope,
            &Live { at: now, link: (*link).to_owned(), day: *day, sorts },
        ));
        (ops, marked)
    }

    /// The row that lets the day be counted anew. Before it may run it is the same each time and is put once by a
    /// process; from then on each commit puts it in another version, so that who counts at that moment notices.
    fn recount(&self, group: &Group<'_>, now: Timestamp) -> (Option<Op>, bool) {
        let Group { scope, link, day, .. } = group;
        let first = first_due(*day);
        let early = first.saturating_sub(CLOCKS_DIFFER).is_ok_and(|limit| now < limit);
        let due = if early { first } else { next_run(now).max(first) };
        if early && self.known().days.contains(&(*scope, (*link).to_owned(), *day)) {
            return (None, false);
        }
        let recount = Recount { day: *day, link: (*link).to_owned(), due, corrected: 0 };
        let version = if early { 1 } else { drawn_version(&self.ambient) };
        let op = match records::write(scope, &recount) {
            Op::Put { item, when } => Op::Put { item: Item { version, ..item }, when },
            other => other,
        };
        (Some(op), early)
    }

    fn remember(&self, group: &Group<'_>, agents: &[(AgentId, &Agent)], marked: bool) {
        let mut known = self.known();
        if known.agents.len() > REMEMBERED {
            known.agents.clear();
        }
        if known.days.len() > REMEMBERED {
            known.days.clear();
        }
        known.agents.extend(agents.iter().map(|(id, _)| (group.scope, *id)));
        if marked {
            known.days.insert((group.scope, group.link.to_owned(), group.day));
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A version that no other put of the row has: 62 bits by chance, and none of the small ones.
pub(super) fn drawn_version(ambient: &Ambient) -> u64 {
    let mut drawn = [0; 8];
    ambient.chance.fill(&mut drawn);
    (u64::from_be_bytes(drawn) >> 2) | (1 << 60)
}

/// Whether a letter's clicks can stand in keys.
fn check(letter: &Letter<'_>) -> Result<(), Failure> {
    for click in letter.clicks {
        if !is_code(&click.link) {
            return Err(Failure::field("link", "a link's code has 1 to 128 bytes and no `#`"));
        }
        let day = day_of(click.at);
        let whole = begin(day).as_millisecond().checked_add(DAY_MS).is_some();
        if !whole || !(2000..=9998).contains(&day.year()) {
            return Err(Failure::field("at", "a click's year is 2000 to 9998"));
        }
    }
    Ok(())
}
