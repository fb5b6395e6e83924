//! AWS's cron on croner: the dialects differ, so every field is read by AWS's rules and handed on as plain
//! numbers.
//!
//! AWS has no seconds, always a year (1970-2199), Sunday as 1, exactly one `?`, steps that begin anywhere
//! (`0/15`), ranges that wrap (`20-2`, `FRI-MON`), and `L`, `W` and `#` only as a field of their own.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html>

use std::collections::BTreeSet;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::on_the_clock;

struct Field {
    name: &'static str,
    low: u16,
    high: u16,
    /// Names of the values from `low` on.
    names: &'static [&'static str],
    steps: bool,
    wraps: bool,
}

const NUMBERS: Field = Field { name: "", low: 0, high: 0, names: &[], steps: true, wraps: true };
const MINUTES: Field = Field { name: "minutes", high: 59, ..NUMBERS };
const HOURS: Field = Field { name: "hours", high: 23, ..NUMBERS };
const DAYS: Field = Field { name: "day-of-month", low: 1, high: 31, ..NUMBERS };
const MONTHS: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    ..NUMBERS
};
const WEEKDAYS: Field = Field {
    name: "day-of-week",
    low: 1,
    high: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    steps: false,
    ..NUMBERS
};
const YEARS: Field = Field { name: "year", low: 1970, high: 2199, wraps: false, ..NUMBERS };

/// Reads what stands between `cron(` and `)`.
pub(super) fn parse(text: &str) -> Result<Cron, String> {
    let fields: Vec<&str> = text.split(' ').collect();
    let &[minutes, hours, day, month, weekday, year] = fields.as_slice() else {
        return Err(format!(
            "cron takes six fields, one space apart (minutes hours day-of-month month day-of-week year), not {}",
            fields.len()
        ));
    };
    if (day == "?") == (weekday == "?") {
        return Err("exactly one of day-of-month and day-of-week is `?`".to_owned());
    }
    let pattern = [
        "0".to_owned(),
        MINUTES.plain(minutes)?,
        HOURS.plain(hours)?,
        day_of_month(day)?,
        MONTHS.plain(month)?,
        day_of_week(weekday)?,
        YEARS.plain(year)?,
    ]
    .join(" ");
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .alternative_weekdays(true)
        .build()
        .parse(&pattern)
        .map_err(|error| error.to_string())
}

/// The first moment after `after`, on the zone's clock. Croner searches the calendar only: it would run a
/// skipped time late and a repeated one twice, AWS does neither.
pub(super) fn next_after(cron: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut wall = zone.to_datetime(after);
    loop {
        wall = cron.find_next_occurrence(&wall, false).ok()?;
        if wall.year() > YEARS.high.cast_signed() {
            return None;
        }
        if let Some(due) = on_the_clock(wall, zone)
            && due > after
        {
            return Some(due);
        }
    }
}

fn day_of_month(text: &str) -> Result<String, String> {
    match text {
        "?" | "L" | "LW" => Ok(text.to_owned()),
        _ => match text.strip_suffix('W') {
            Some(day) => Ok(format!("{}W", DAYS.value(day)?)),
            None => DAYS.plain(text),
        },
    }
}

fn day_of_week(text: &str) -> Result<String, String> {
    if text == "?" {
        return Ok(text.to_owned());
    }
    if text == "L" {
        return Ok(WEEKDAYS.high.to_string());
    }
    if let Some(last) = text.strip_suffix('L') {
        return Ok(format!("{}L", WEEKDAYS.value(last)?));
    }
    match text.split_once('#') {
        Some((day, nth @ ("1" | "2" | "3" | "4" | "5"))) => {
            Ok(format!("{}#{nth}", WEEKDAYS.value(day)?))
        }
        Some(_) => Err("after `#` stands 1 to 5, and nothing else in the field".to_owned()),
        None => WEEKDAYS.plain(text),
    }
}

impl Field {
    /// The field as croner reads it: `*`, or every value written out.
    fn plain(&self, text: &str) -> Result<String, String> {
        if text == "*" {
            return Ok(text.to_owned());
        }
        let mut values = BTreeSet::new();
        for item in text.split(',') {
            values.extend(self.values(item)?);
        }
        Ok(values.iter().map(u16::to_string).collect::<Vec<_>>().join(","))
    }

    /// `5`, `MON`, `20-2`, `0/15`, `8-17/2`, `*/5`.
    fn values(&self, item: &str) -> Result<Vec<u16>, String> {
        let (range, step) = match item.split_once('/') {
            Some(_) if !self.steps => return Err(format!("{} takes no steps", self.name)),
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if range == "*" && step.is_some() => (self.low, self.high),
            None => {
                let from = self.value(range)?;
                (from, if step.is_some() { self.high } else { from })
            }
        };
        if from > to && !self.wraps {
            return Err(format!("{} runs backwards in `{item}`", self.name));
        }
        let span = self.high - self.low + 1;
        let length = (to + span - from) % span;
        Ok((0..=length)
            .step_by(step.unwrap_or(1).into())
            .map(|along| self.low + (from - self.low + along) % span)
            .collect())
    }

    fn step(&self, text: &str) -> Result<u16, String> {
        number(text)
            .filter(|step| (1..=self.high - self.low + 1).contains(step))
            .ok_or_else(|| format!("`{text}` is no step for {}", self.name))
    }

    fn value(&self, text: &str) -> Result<u16, String> {
        let named = (self.low..).zip(self.names).find(|(_, name)| **name == text);
        named
            .map(|(value, _)| value)
            .or_else(|| number(text).filter(|value| (self.low..=self.high).contains(value)))
            .ok_or_else(|| format!("`{text}` is no {} ({} to {})", self.name, self.low, self.high))
    }
}

/// Digits and nothing else: `u16::from_str` would take a sign.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
