//! The sides by which clicks are counted, and the counters of them.
//!
//! A counter's sort key begins with its side, so that one side of some days is one range: totals are read without
//! countries. Its value comes last, so that it may hold anything.

use std::borrow::Cow;

use nexus_core::table::{Condition, Item, Op};
use nexus_core::{RecordKind, Scope};

use super::keys::{self, Day, quarter_of};
use super::row::post_code;
use crate::clicks::{Click, Place};

/// The most characters of a referrer's host or a device in a counter's key.
const LONGEST: usize = 120;

/// A side of a click by which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The click itself, by the quarter of an hour; its value is the post.
    Total,
    /// From which country, as ISO 3166-1 has it; empty where unknown.
    Country,
    /// From which host's pages; empty where it was not told.
    Referrer,
    /// On which device.
    Device,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Total, Self::Country, Self::Referrer, Self::Device];

    const fn letter(self) -> char {
        match self {
            Self::Total => 't',
            Self::Country => 'c',
            Self::Referrer => 'r',
            Self::Device => 'd',
        }
    }

    /// The value of this side of a click.
    pub(super) fn of(self, click: &Click) -> Cow<'_, str> {
        match self {
            Self::Total => click.post.map_or(Cow::Borrowed(""), |post| post_code(post).into()),
            Self::Country => match &click.place {
                Place::Spot(spot) => spot.country.as_deref().unwrap_or_default().into(),
                Place::Unlocated => "".into(),
            },
            Self::Referrer => {
                cut(click.referrer.as_ref().map_or("", |referrer| referrer.host.as_str()))
            }
            Self::Device => cut(&click.agent.device),
        }
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return text.into();
    }
    text.chars().take(LONGEST).collect::<String>().into()
}

/// Which counter of one link's day: a side, the quarter in which its time begins, and a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Counter<'a> {
    pub(super) side: Side,
    /// Of totals the quarter; of everything else the first quarter of the hour.
    pub(super) quarter: u8,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Counter<'a> {
    /// Those that a click adds one to.
    pub(super) fn of(click: &'a Click) -> [Self; 4] {
        let quarter = quarter_of(click.at);
        Side::ALL.map(|side| Self {
            side,
            quarter: if side == Side::Total { quarter } else { quarter - quarter % 4 },
            value: side.of(click),
        })
    }

    /// The operation that adds to it.
    pub(super) fn add(&self, scope: &Scope, link: &str, day: Day, shard: u8, delta: i64) -> Op {
        let partition = format!("roll#{link}#{}", keys::month(day));
        let sort = format!("{}{shard}#{}", self.prefix(day), self.value);
        Op::Add {
            key: scope.key(&partition, sort),
            kind: RecordKind::Tally,
            delta,
            expires: None,
            when: Condition::Always,
        }
    }

    fn prefix(&self, day: Day) -> String {
        let (hour, quarter) = (self.quarter / 4, self.quarter % 4);
        let head = format!("{}{hour:02}", of_day(self.side, day));
        match self.side {
            Side::Total => format!("{head}{quarter}#"),
            _ => format!("{head}#"),
        }
    }

    /// Reads a counter's row: which it is a shard of.
    pub(super) fn read(row: &Item) -> Option<Counter<'static>> {
        let mut parts = row.key.sk().splitn(4, '#');
        let (letter, time) = (parts.next()?, parts.next()?);
        let (_shard, value) = (parts.next()?, parts.next()?);
        let side = Side::ALL.into_iter().find(|side| letter.chars().eq([side.letter()]))?;
        let hour: u8 = time.get(2..4)?.parse().ok()?;
        let within: u8 = if side == Side::Total { time.get(4..)?.parse().ok()? } else { 0 };
        let quarter = hour * 4 + within;
        Some(Counter { side, quarter, value: Cow::Owned(value.to_owned()) })
    }
}

/// What the sort keys of all counters of one side on one day of the month begin with.
pub(super) fn of_day(side: Side, day: Day) -> String {
    format!("{}#{:02}", side.letter(), day.day())
}
