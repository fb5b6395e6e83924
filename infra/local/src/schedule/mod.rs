//! What AWS's schedule expressions mean, and when each is due next.
//!
//! `rate(…)` and `cron(…)` as EventBridge rules and EventBridge Scheduler read them, `at(…)` as Scheduler
//! does. What AWS would refuse is refused here too, with the reason, so that a template that runs on one
//! machine also deploys.
//!
//! **Never here:** a clock, waiting, calling a function. Who asks brings the moment.

mod cron;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// When something is due: a period, calendar fields, or one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Expression {
    text: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Rate(SignedDuration),
    Cron(Box<croner::Cron>),
    At(DateTime),
}

/// An expression that AWS would refuse, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` is no schedule: {why}")]
pub struct ScheduleError {
    expression: String,
    why: String,
}

impl Expression {
    /// Reads `rate(1 hour)`, `cron(0 3 * * ? *)` or `at(2027-01-01T00:00:00)`.
    ///
    /// # Errors
    /// Whatever AWS refuses, among it `rate(1 hours)`, six stars in a cron, and two or no `?` in it.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let inside = |opening| text.strip_prefix(opening)?.strip_suffix(')');
        let kind = if let Some(rate) = inside("rate(") {
            period(rate).map(Kind::Rate)
        } else if let Some(fields) = inside("cron(") {
            cron::parse(fields).map(|cron| Kind::Cron(Box::new(cron)))
        } else if let Some(moment) = inside("at(") {
            wall_time(moment).map(Kind::At)
        } else {
            Err("write rate(…), cron(…) or at(…)".to_owned())
        };
        match kind {
            Ok(kind) => Ok(Self { text: text.to_owned(), kind }),
            Err(why) => Err(ScheduleError { expression: text.to_owned(), why }),
        }
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it comes once: `at(…)`, which only EventBridge Scheduler knows.
    pub fn is_once(&self) -> bool {
        matches!(self.kind, Kind::At(_))
    }

    /// The first moment strictly after `after` at which it is due; `None` when it is never due again.
    ///
    /// A rate counts from `after`, so hand it the moment when it was last due (at first, the start); `zone` does
    /// not touch it, a day is always 24 hours. `cron` and `at` are read on `zone`'s wall clock (UTC for an
    /// EventBridge rule): a wall time that spring skips is left out, one that autumn repeats is due at its first
    /// coming only. <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.kind {
            Kind::Rate(period) => after.checked_add(*period).ok(),
            Kind::Cron(cron) => cron::next_after(cron, after, zone),
            Kind::At(wall) => on_the_clock(*wall, zone).filter(|due| *due > after),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `5 minutes`: a positive whole number and a unit that agrees with it.
fn period(rate: &str) -> Result<SignedDuration, String> {
    let (number, unit) = rate
        .split_once(' ')
        .ok_or("a rate is a number, one space and a unit, as in `5 minutes`")?;
    let digits = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 =
        number.parse().ok().filter(|_| digits).ok_or("its number is whole and at least 1")?;
    let (singular, hours_or_minutes): (&str, fn(i64) -> SignedDuration) =
        match unit.strip_suffix('s').unwrap_or(unit) {
            "minute" => ("minute", SignedDuration::from_mins),
            "hour" => ("hour", SignedDuration::from_hours),
            "day" => ("day", |days| SignedDuration::from_hours(24 * days)),
            _ => return Err("its unit is minute, hour or day, or the plural of these".to_owned()),
        };
    if (number == 1) == unit.ends_with('s') {
        let plural = if number == 1 { "" } else { "s" };
        return Err(format!("AWS wants `rate({number} {singular}{plural})`"));
    }
    Ok(hours_or_minutes(i64::from(number)))
}

/// `2027-01-01T00:00:00`, exactly so.
fn wall_time(text: &str) -> Result<DateTime, String> {
    const FORM: &str = "%Y-%m-%dT%H:%M:%S";
    DateTime::strptime(FORM, text)
        .ok()
        .filter(|wall| wall.strftime(FORM).to_string() == text)
        .ok_or_else(|| "a moment is written as in `at(2027-01-31T08:00:00)`".to_owned())
}

/// When a zone's clock shows this time first; `None` where spring skips it.
fn on_the_clock(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let moment = zone.to_ambiguous_timestamp(wall);
    match moment.offset() {
        AmbiguousOffset::Gap { .. } => None,
        _ => moment.earlier().ok(),
    }
}
