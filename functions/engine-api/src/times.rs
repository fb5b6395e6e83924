//! When something is to go out: as a request wishes it, and as the answer shows it before anybody approves.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use nexus_engine::draft::Note;
use nexus_engine::publishing::{Network, PostPlan};
use nexus_engine::scheduling::{self, Recurrence, Rhythm, When};
use nexus_kernel::{Digest, Failure, FieldProblem, Language, Timestamp};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::NoteView;
use crate::words;

/// By the calendar and the clocks of the tenant's zone.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    #[serde(deserialize_with = "without_zone")]
    Civil(DateTime),
    NextSlot,
    Recurrence(Recurrence),
}

/// When the clocks of the tenant's zone show this, at the tenant's next free slot, or again and again.
#[derive(ToSchema)]
#[schema(as = When, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what `Wish` reads")]
pub(crate) enum WishShape {
    /// A date and a time without a zone: `2027-03-01T09:00`. A time that the clocks jump over comes as much later as
    /// they jump; one that they show twice comes the first time.
    Civil(String),
    /// At the next of the slots in the settings that none of the accounts has.
    NextSlot,
    /// Again and again.
    Recurrence(RecurrenceShape),
}

/// Something that recurs by the calendar.
#[derive(ToSchema)]
#[schema(as = Recurrence)]
#[expect(dead_code, reason = "describes what `Recurrence` reads")]
pub(crate) struct RecurrenceShape {
    /// The first date on which it may happen: `2027-03-01`.
    from: String,
    /// At what time: `09:00`.
    at: String,
    rhythm: RhythmShape,
    ends: EndsShape,
}

/// How often.
#[derive(ToSchema)]
#[schema(as = Rhythm, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what `Rhythm` reads")]
pub(crate) enum RhythmShape {
    /// Every so many days.
    Days {
        #[schema(minimum = 1, maximum = 366)]
        every: u16,
    },
    /// Every so many weeks, on these days; weeks begin on Monday.
    Weeks {
        #[schema(minimum = 1, maximum = 53)]
        every: u16,
        #[schema(schema_with = words::days)]
        on: Vec<String>,
    },
    /// Every so many months.
    Months {
        #[schema(minimum = 1, maximum = 24)]
        every: u16,
        /// `{"day": 31}`, or `last`. A month that is too short has it on its last day.
        #[schema(schema_with = words::day_of_month)]
        on: String,
    },
}

/// When it ends.
#[derive(ToSchema)]
#[schema(as = Ends, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what `Ends` reads")]
pub(crate) enum EndsShape {
    /// After so many times.
    Times(u32),
    /// After this date, which still belongs to it: `2027-06-30`.
    Until(String),
}

/// When something would be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Plan)]
pub(crate) struct PlanBody {
    /// At a moment. At once where neither this nor `when` is said.
    #[serde(default)]
    pub(crate) at: Option<Timestamp>,
    /// By the calendar, instead of `at`.
    #[serde(default)]
    #[schema(value_type = Option<WishShape>)]
    pub(crate) when: Option<Wish>,
}

/// A zone named beside the time would be passed over without a word.
fn without_zone<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime, D::Error> {
    let raw = String::deserialize(from)?;
    let read = |format| DateTime::strptime(format, &raw).ok();
    let shown = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"].into_iter().find_map(read);
    shown.ok_or_else(|| {
        D::Error::custom("write a date and a time without a zone, such as `2027-03-01T09:00`")
    })
}

impl From<Wish> for When {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::Civil(shown) => Self::AtCivil(shown),
            Wish::NextSlot => Self::NextSlot,
            Wish::Recurrence(recurrence) => Self::Recurring(recurrence),
        }
    }
}

/// What a request wishes; at once where it says nothing.
///
/// # Errors
/// It says both.
pub(crate) fn wish(at: Option<Timestamp>, when: Option<Wish>) -> Result<When, Failure> {
    match (at, when) {
        (None, None) => Ok(When::Now),
        (Some(at), None) => Ok(When::At(at)),
        (None, Some(when)) => Ok(when.into()),
        (Some(_), Some(_)) => Err(Failure::field("when", "say either this or `at`, not both")),
    }
}

/// The failure of a wish, its fields named by their place in the request's body.
pub(crate) fn in_body(when: &When, failure: Failure) -> Failure {
    let place = |field: &str| match (when, field) {
        (When::AtCivil(_), "at") => "when.civil".to_owned(),
        (When::Recurring(recurrence), field) => {
            let rhythm = match recurrence.rhythm {
                Rhythm::Days { .. } => "days",
                Rhythm::Weeks { .. } => "weeks",
                Rhythm::Months { .. } => "months",
            };
            match field.strip_prefix("recurrence.") {
                Some(end @ ("times" | "until")) => format!("when.recurrence.ends.{end}"),
                Some(how @ ("every" | "on")) => format!("when.recurrence.rhythm.{rhythm}.{how}"),
                Some(other) => format!("when.recurrence.{other}"),
                None => field.to_owned(),
            }
        }
        (_, field) => field.to_owned(),
    };
    let moved = failure.fields().iter().map(|FieldProblem { field, problem }| FieldProblem {
        field: place(field),
        problem: problem.clone(),
    });
    let moved = moved.collect();
    failure.with_fields(moved)
}

/// Something that speaks against a time for one post.
#[derive(Serialize, ToSchema)]
#[schema(as = TimeWarning)]
pub(crate) struct WarningView {
    #[schema(schema_with = words::network)]
    network: Network,
    /// To which account, as an approval's choices name it.
    place: String,
    /// As the tenant calls it.
    account: String,
    #[schema(schema_with = words::language)]
    language: Language,
    /// `identical`: the account has the same words within a week. `clashing`: it has another post within ten minutes.
    code: String,
    text: String,
}

/// A time, and what speaks against it.
#[derive(Serialize, ToSchema)]
#[schema(as = PlannedTime)]
pub(crate) struct TimeView {
    /// The moment: what an approval names.
    at: Timestamp,
    /// As the clocks of the tenant's zone show it, with how far they are from UTC.
    #[schema(example = "2027-03-01T09:00:00+01:00")]
    local: String,
    warnings: Vec<WarningView>,
}

/// When something would be sent, if it were approved now.
#[derive(Serialize, ToSchema)]
#[schema(as = PlannedTimes)]
pub(crate) struct TimesView {
    /// What would be sent: an approval names this too.
    #[schema(value_type = String)]
    digest: Digest,
    /// The tenant's zone.
    time_zone: String,
    times: Vec<TimeView>,
    /// How many posts these are in all, at all times; at most 80.
    posts: usize,
    /// What speaks against the times together: `identical`, where the same is said again within a week.
    warnings: Vec<NoteView>,
}

impl TimesView {
    /// Of these posts at these times, in order; `warned` has for each post, at each time, what speaks against it.
    pub(crate) fn of(
        digest: Digest,
        time_zone: String,
        times: &[Timestamp],
        warned: Vec<(PostPlan, Vec<Vec<Note>>)>,
    ) -> Self {
        let zone = TimeZone::get(&time_zone).unwrap_or(TimeZone::UTC);
        let shown = |(number, at): (usize, &Timestamp)| {
            let of_post = |(plan, notes): &(PostPlan, Vec<Vec<Note>>)| -> Vec<WarningView> {
                let notes = notes.get(number).into_iter().flatten();
                notes.map(|note| WarningView::of(plan, note.clone())).collect()
            };
            TimeView {
                at: *at,
                local: at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
                warnings: warned.iter().flat_map(of_post).collect(),
            }
        };
        Self {
            digest,
            times: times.iter().enumerate().map(shown).collect(),
            posts: warned.len().saturating_mul(times.len()),
            warnings: scheduling::repetition(times).into_iter().map(NoteView::from).collect(),
            time_zone,
        }
    }
}

impl WarningView {
    fn of(plan: &PostPlan, Note { code, text }: Note) -> Self {
        Self {
            network: plan.network,
            place: plan.place(),
            account: plan.account.clone(),
            language: plan.language,
            code,
            text,
        }
    }
}
