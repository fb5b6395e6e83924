//! Clicks written with the tallies that they add to, in the same commits.
//!
//! A click's row is put only where it does not stand, in the commit that adds it to its counters. So it counts once,
//! however batches are cut, reordered and repeated: what stands there already is taken out with its additions, and the
//! rest is committed again. A commit whose answer was lost needs no token for that: repeated, it finds its rows.
//!
//! Robots' clicks are written and not counted.
//!
//! A link that many follow at once has many who write its clicks. So each begins at a shard by chance, and goes to another
//! where it meets somebody; and browsers' names, which all of them share, are kept before and apart.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use nexus_core::table::{CommitError, MAX_OPS, Op};
use nexus_core::{Item, Scope, Table, records};
use nexus_kernel::{Ambient, Failure, Timestamp};

use super::agents::{self, AgentId, KeptAgent, id_of};
use super::keys::{DAY_MS, Day, TALLY_SHARDS, begin, is_code};
use super::live::Live;
use super::recounting::{Recount, first_due, next_run};
use super::row::{self, sort_key};
use super::side::Counter;
use crate::clicks::{Agent, Click};
use crate::days::day_of;

/// How many links' days are written at once.
const GROUPS_AT_ONCE: usize = 64;
/// How often one commit is tried again, where others were at the same rows or its answer was lost.
const TRIES: u32 = 12;
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
        if let Err(why) = self.keep_agents(groups.values()).await {
            let mut letters: Vec<usize> = groups.into_values().flat_map(|g| g.letters).collect();
            letters.sort_unstable();
            letters.dedup();
            unwritten.push(Unwritten { letters, why });
            return unwritten;
        }
        let groups: Vec<_> = groups.into_values().map(|group| self.group(group)).collect();
        let mut written = stream::iter(groups).buffer_unordered(GROUPS_AT_ONCE);
        while let Some(outcome) = written.next().await {
            unwritten.extend(outcome);
        }
        unwritten
    }

    /// Keeps the agents that no one kept before, ahead of the clicks that name them.
    async fn keep_agents<'a>(
        &self,
        groups: impl Iterator<Item = &'a Group<'a>>,
    ) -> Result<(), Failure> {
        let mut open: HashMap<(Scope, AgentId), &Agent> = HashMap::new();
        for group in groups {
            let agents = group.clicks.values().map(|click| &click.agent);
            let agents: HashSet<&Agent> = agents.filter(|a| **a != Agent::default()).collect();
            open.extend(agents.into_iter().map(|agent| ((group.scope, id_of(agent)), agent)));
        }
        open.retain(|of, _| !self.known().agents.contains(of));
        let mut open: Vec<_> = open.into_iter().collect();
        let all: Vec<_> = open.iter().map(|(of, _)| *of).collect();
        let mut tries = 0;
        while !open.is_empty() {
            let keys: Vec<_> =
                open.iter().map(|((scope, id), _)| agents::key(scope, *id)).collect();
            let mut found = self.table.get_many(&keys).await?.into_iter();
            open.retain(|_| found.next().flatten().is_none());
            let Some(some) = open.chunks(MAX_OPS).next() else { break };
            let ops =
                some.iter().map(|((scope, _), a)| records::write(scope, &KeptAgent::from(*a)));
            match self.table.commit(ops.collect(), None).await {
                Ok(()) => {}
                // Others keep the same: what they kept is found.
                Err(CommitError::Contended | CommitError::Unknown(_)) if tries < TRIES => {
                    tries += 1
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut known = self.known();
        if known.agents.len() > REMEMBERED {
            known.agents.clear();
        }
        known.agents.extend(all);
        Ok(())
    }

    async fn group(&self, group: Group<'_>) -> Option<Unwritten> {
        // Parts that are written at once begin at different shards.
        let first = self.some_shard();
        let parts = parts(&group).into_iter().zip((0..TALLY_SHARDS).cycle());
        let parts = parts.map(|(part, n)| self.part(&group, part, (first + n) % TALLY_SHARDS));
        let parts: Vec<_> = parts.collect();
        // As many at once as a tally has shards: each adds to another one.
        let mut parts = stream::iter(parts).buffer_unordered(usize::from(TALLY_SHARDS));
        let mut failed = None;
        while let Some(outcome) = parts.next().await {
            failed = failed.or(outcome.err());
        }
        drop(parts);
        failed.map(|why| Unwritten { letters: group.letters, why })
    }

    /// Commits a part, without what turns out to stand there already.
    async fn part(
        &self,
        group: &Group<'_>,
        mut clicks: Vec<Going<'_>>,
        mut shard: u8,
    ) -> Result<(), Failure> {
        let mut tries = 0;
        while !clicks.is_empty() {
            let (ops, marked) = self.ops(group, &clicks, shard);
            match self.table.commit(ops, None).await {
                Ok(()) => {
                    self.remember(group, marked);
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
                // Nothing was changed: another shard may be free.
                Err(CommitError::Contended) if tries < TRIES => {
                    shard = self.some_shard();
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
    fn ops(&self, group: &Group<'_>, clicks: &[Going<'_>], shard: u8) -> (Vec<Op>, bool) {
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

    fn remember(&self, group: &Group<'_>, marked: bool) {
        let mut known = self.known();
        if known.days.len() > REMEMBERED {
            known.days.clear();
        }
        if marked {
            known.days.insert((group.scope, group.link.to_owned(), group.day));
        }
    }

    fn some_shard(&self) -> u8 {
        let mut drawn = [0];
        self.ambient.chance.fill(&mut drawn);
        drawn[0] % TALLY_SHARDS
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts a group into commits: of clicks, of what they add to, and two rows that say what was written.
fn parts<'a>(group: &Group<'a>) -> Vec<Vec<Going<'a>>> {
    let mut ids: HashMap<&Agent, Option<AgentId>> = HashMap::new();
    let mut parts: Vec<Vec<Going<'a>>> = Vec::new();
    let mut part: Vec<Going<'a>> = Vec::new();
    let mut counters: HashSet<Counter<'a>> = HashSet::new();
    for click in group.clicks.values().copied() {
        let agent = *ids
            .entry(&click.agent)
            .or_insert_with(|| (click.agent != Agent::default()).then(|| id_of(&click.agent)));
        let mine = if click.bot.is_some() { None } else { Some(Counter::of(click)) };
        let mine = || mine.iter().flatten();
        let more = 1 + mine().filter(|counter| !counters.contains(counter)).count();
        if part.len() + counters.len() + 2 + more > MAX_OPS {
            parts.push(std::mem::take(&mut part));
            counters.clear();
        }
        counters.extend(mine().cloned());
        part.push((click, agent));
    }
    parts.push(part);
    parts
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
