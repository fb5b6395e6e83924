//! How texts sounded, day by day: inquiries and comments, of a product, a post, or all.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_core::effect::EffectId;
use nexus_core::records;
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::catalogue::ProductId;
use nexus_engine::moods::{self, About, Day};
use nexus_engine::sentiment::Label;
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::Failure;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::asking::{Asking, missing};

/// How many days are told where nothing is said, today among them.
const USUAL_DAYS: i64 = 30;

/// Of what, and which days.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TrendOf {
    /// Of one product alone.
    product: Option<String>,
    /// Of one post alone.
    post: Option<String>,
    /// The first day, by the clocks of the tenant's zone; thirty days up to the last one, where it is left out.
    #[param(example = "2026-11-01")]
    from: Option<String>,
    /// The last day; today, where it is left out. At most 366 days are told.
    #[param(example = "2026-11-30")]
    to: Option<String>,
}

/// How many texts of a day sounded how.
#[derive(Serialize, ToSchema)]
#[schema(as = SentimentDay)]
pub(crate) struct DayView {
    /// For example `2026-11-21`.
    date: String,
    positive: u64,
    negative: u64,
    neutral: u64,
    mixed: u64,
    /// The engine did not know their language: they are not guessed at.
    unsupported: u64,
}

impl From<&Day> for DayView {
    fn from(day: &Day) -> Self {
        Self {
            date: day.date.to_string(),
            positive: day.of(Label::Positive),
            negative: day.of(Label::Negative),
            neutral: day.of(Label::Neutral),
            mixed: day.of(Label::Mixed),
            unsupported: day.of(Label::Unsupported),
        }
    }
}

/// How texts sounded over time.
#[derive(Serialize, ToSchema)]
#[schema(as = SentimentTrend)]
pub(crate) struct TrendView {
    /// By the clocks of which zone days begin: an IANA name.
    time_zone: String,
    /// Every day, those without texts too. A text counts on the day on which it was written.
    days: Vec<DayView>,
}

/// What was asked for.
struct Trend {
    zone: String,
    days: Vec<Day>,
}

async fn told(deps: &Deps, asking: &Asking, of: TrendOf) -> Result<Trend, Failure> {
    let (table, scope, now) = (&*deps.table, asking.scope(), deps.ambient.now());
    let about = match (of.product, of.post) {
        (None, None) => About::All,
        (Some(product), None) => {
            let id = ProductId::parse(&product);
            About::Product(id.map_err(|_| missing::<ProductId>())?)
        }
        (None, Some(post)) => {
            let id = EffectId::parse(&post);
            About::Post(id.map_err(|_| missing::<EffectId>())?)
        }
        (Some(_), Some(_)) => {
            return Err(Failure::field("post", "name a product or a post, not both"));
        }
    };
    let settings = records::load::<Settings>(table, &settings_key(scope), now).await?;
    let name = settings.map(|settings| settings.record).unwrap_or_default().time_zone;
    let zone = TimeZone::get(&name).unwrap_or(TimeZone::UTC);
    let day = |field: &str, written: &str| {
        let read = written.parse::<Date>();
        read.map_err(|_| Failure::field(field, "write a day such as `2026-11-21`"))
    };
    let last = match &of.to {
        Some(to) => day("to", to)?,
        None => zone.to_datetime(now).date(),
    };
    let first = match &of.from {
        Some(from) => day("from", from)?,
        None => last.saturating_sub(jiff::Span::new().days(USUAL_DAYS - 1)),
    };
    let days = moods::trend(table, scope, about, (first, last), &zone).await?;
    Ok(Trend { zone: zone.iana_name().unwrap_or("UTC").to_owned(), days })
}

/// How inquiries and comments sounded, day by day
#[utoipa::path(
    get, path = "/v1/reports/sentiment", operation_id = "report_sentiment", tag = "reports",
    params(TrendOf),
    responses((status = 200, body = TrendView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(of): Asked<TrendOf>,
) -> Result<Json<TrendView>, Problem> {
    let Trend { zone, days } = told(&deps, &asking, of).await?;
    Ok(Json(TrendView { time_zone: zone, days: days.iter().map(DayView::from).collect() }))
}

/// How inquiries and comments sounded, day by day, as a table for a spreadsheet
#[utoipa::path(
    get, path = "/v1/reports/sentiment.csv", operation_id = "export_sentiment", tag = "reports",
    params(TrendOf),
    responses((status = 200, content_type = "text/csv", body = String))
)]
pub(crate) async fn export(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(of): Asked<TrendOf>,
) -> Result<impl IntoResponse, Problem> {
    let table = table(&told(&deps, &asking, of).await?.days)?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"sentiment.csv\""),
    ];
    Ok((headers, table))
}

/// The days as CSV (RFC 4180).
fn table(days: &[Day]) -> Result<Vec<u8>, Failure> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let columns = ["date", "positive", "negative", "neutral", "mixed", "unsupported"];
    table.write_record(columns).map_err(Failure::bug)?;
    for day in days {
        let DayView { date, positive, negative, neutral, mixed, unsupported } = day.into();
        let counts = [positive, negative, neutral, mixed, unsupported].map(|n| n.to_string());
        table.write_field(date).map_err(Failure::bug)?;
        table.write_record(counts).map_err(Failure::bug)?;
    }
    table.into_inner().map_err(|error| Failure::bug(error.into_error()))
}
