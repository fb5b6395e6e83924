//! Clicks counted: over time, and by where they came from. Robots are not among them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nexus_core::effect::EffectId;
use nexus_core::records;
use nexus_engine::account::{Settings, settings_key};
use nexus_engine::clicks::ATTRIBUTION;
use nexus_engine::publishing::Network;
use nexus_engine::tallies::reports::{
    self, By, Filter, MOST_DAYS, MOST_ROWS, Period, Series, Unit, Visitors,
};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::Failure;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::egress::text;
use crate::asking::Asking;
use crate::{Deps, words};

/// How many days a report has where nothing is said.
const USUAL_DAYS: i32 = 30;
/// How many values a list has where nothing is said, and at most.
const USUAL_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1_000;

/// As what a report is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// JSON.
    Json,
    /// CSV, for a spreadsheet; also where `Accept` asks for `text/csv`.
    Csv,
}

/// Into which parts a period is cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Hour,
    #[default]
    Day,
    /// From Monday.
    Week,
    Month,
}

impl From<Step> for Unit {
    fn from(step: Step) -> Self {
        match step {
            Step::Hour => Self::Hour,
            Step::Day => Self::Day,
            Step::Week => Self::Week,
            Step::Month => Self::Month,
        }
    }
}

/// By what clicks are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grouping {
    /// As ISO 3166-1 has it: `GB`.
    Country,
    /// The host of the page that somebody came from.
    Referrer,
    Device,
    /// The link's code.
    Link,
    /// The id of the post that the link stood in.
    Post,
    Network,
}

impl Grouping {
    const fn column(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Referrer => "referrer",
            Self::Device => "device",
            Self::Link => "link",
            Self::Post => "post",
            Self::Network => "network",
        }
    }
}

impl From<Grouping> for By {
    fn from(grouping: Grouping) -> Self {
        match grouping {
            Grouping::Country => Self::Country,
            Grouping::Referrer => Self::Referrer,
            Grouping::Device => Self::Device,
            Grouping::Link => Self::Link,
            Grouping::Post => Self::Post,
            Grouping::Network => Self::Network,
        }
    }
}

/// Clicks of when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesOf {
    /// The first day: `2026-11-01`; thirty days with the last one, where it is left out. At most 397 days.
    #[param(value_type = Option<String>, example = "2026-11-01")]
    from: Option<Date>,
    /// The last day, which still belongs to it; today, where it is left out.
    #[param(value_type = Option<String>, example = "2026-11-30")]
    to: Option<Date>,
    /// An IANA name; the tenant's zone, where it is left out.
    zone: Option<String>,
    /// Only those of this link.
    link: Option<String>,
    /// Only those of links in this post.
    post: Option<String>,
    /// Only those of links in posts on this network.
    #[param(schema_with = words::network)]
    network: Option<Network>,
    #[param(inline)]
    format: Option<Format>,
    /// Into which parts; days, where it is left out.
    by: Option<Step>,
}

/// Clicks from where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TopOf {
    /// The first day: `2026-11-01`; thirty days with the last one, where it is left out. At most 397 days.
    #[param(value_type = Option<String>, example = "2026-11-01")]
    from: Option<Date>,
    /// The last day, which still belongs to it; today, where it is left out.
    #[param(value_type = Option<String>, example = "2026-11-30")]
    to: Option<Date>,
    /// An IANA name; the tenant's zone, where it is left out.
    zone: Option<String>,
    /// Only those of this link.
    link: Option<String>,
    /// Only those of links in this post.
    post: Option<String>,
    /// Only those of links in posts on this network.
    #[param(schema_with = words::network)]
    network: Option<Network>,
    #[param(inline)]
    format: Option<Format>,
    by: Grouping,
    /// How many values at most: 1 to 1,000, else 20.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<usize>,
}

/// The days just before, as many.
#[derive(Serialize, ToSchema)]
#[schema(as = PeriodBefore)]
pub(crate) struct BeforeView {
    from: String,
    to: String,
    clicks: u64,
    /// By how many per cent there are more clicks now; absent where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    change_percent: Option<i64>,
}

/// How many visitors there were. Nobody is known on another day: these are the visitors of each link on each day of UTC,
/// added up.
#[derive(Serialize, ToSchema)]
#[schema(as = Visitors)]
pub(crate) struct VisitorsView {
    /// `null` where they cannot be told.
    count: Option<u64>,
    /// Why they cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    why: Option<String>,
}

impl From<Visitors> for VisitorsView {
    fn from(visitors: Visitors) -> Self {
        if let Visitors::Counted(count) = visitors {
            return Self { count: Some(count), why: None };
        }
        let why = format!(
            "More than {MOST_ROWS} clicks of days that are not counted yet, or that the period cuts, would have to be read. \
             Days are days of UTC and are counted at 02:00 of the next."
        );
        Self { count: None, why: Some(why) }
    }
}

/// A part of the period.
#[derive(Serialize, ToSchema)]
#[schema(as = ClicksPoint)]
pub(crate) struct PointView {
    /// When it begins, as the clocks of the zone show it.
    #[schema(example = "2026-11-01T00:00:00+01:00")]
    start: String,
    clicks: u64,
}

/// Clicks over time.
#[derive(Serialize, ToSchema)]
#[schema(as = ClicksOverTime)]
pub(crate) struct SeriesView {
    from: String,
    to: String,
    zone: String,
    by: Step,
    clicks: u64,
    before: BeforeView,
    visitors: VisitorsView,
    points: Vec<PointView>,
}

/// A value, and how many clicks it has.
#[derive(Serialize, ToSchema)]
#[schema(as = ClicksRow)]
pub(crate) struct RowView {
    /// `null` for the clicks of which it is not known.
    value: Option<String>,
    clicks: u64,
    /// Its clicks of the days just before.
    before: u64,
}

/// The values with the most clicks.
#[derive(Serialize, ToSchema)]
#[schema(as = TopClicks)]
pub(crate) struct TopView {
    from: String,
    to: String,
    zone: String,
    by: Grouping,
    /// All clicks of the period, of values that are not listed too.
    clicks: u64,
    items: Vec<RowView>,
    /// Whose data about places it is; to be shown beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attribution: Option<&'static str>,
}

/// What both reports are asked with.
struct Wish {
    from: Option<Date>,
    to: Option<Date>,
    zone: Option<String>,
    link: Option<String>,
    post: Option<String>,
    network: Option<Network>,
}

impl Wish {
    /// The period with its zone's name, and the filter.
    async fn read(self, deps: &Deps, asking: &Asking) -> Result<(Period, String, Filter), Failure> {
        let now = deps.ambient.now();
        let name = match self.zone {
            Some(zone) => zone,
            None => {
                let key = settings_key(asking.scope());
                let stored = records::load::<Settings>(&*deps.table, &key, now).await?;
                stored.map_or_else(Settings::default, |stored| stored.record).time_zone
            }
        };
        let zone = TimeZone::get(&name)
            .map_err(|_| Failure::field("zone", "write an IANA name such as `Europe/Madrid`"))?;
        let last = self.to.unwrap_or_else(|| now.to_zoned(zone.clone()).date());
        let first = match self.from {
            Some(first) => first,
            None => last.checked_sub((USUAL_DAYS - 1).days()).map_err(|_| {
                Failure::field("to", format!("choose at most {MOST_DAYS} days after the year 2000"))
            })?,
        };
        if self
            .link
            .as_ref()
            .is_some_and(|link| link.is_empty() || link.len() > 128 || link.contains('#'))
        {
            return Err(Failure::field("link", "write a link's code"));
        }
        let post = self.post.map(|post| EffectId::parse(&post));
        let post = post.transpose().map_err(|error| Failure::field("post", error.to_string()))?;
        let filter = Filter { link: self.link, post, network: self.network };
        Ok((Period::new(first, last, zone)?, name, filter))
    }
}

fn shown(period: &Period) -> (String, String) {
    let (first, last) = period.days();
    (first.to_string(), last.to_string())
}

fn wants_csv(format: Option<Format>, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    match format {
        Some(format) => format == Format::Csv,
        None => accepts.is_some_and(|accept| accept.starts_with("text/csv")),
    }
}

/// Clicks over time
///
/// Robots and previews of links are not counted. Today's clicks are there within seconds.
#[utoipa::path(
    get, path = "/v1/reports/clicks", operation_id = "report_clicks", tag = "reports",
    params(SeriesOf),
    responses((status = 200, description = "Clicks over time", content((SeriesView = "application/json"), (String = "text/csv"))))
)]
pub(crate) async fn series(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    headers: HeaderMap,
    Asked(asked): Asked<SeriesOf>,
) -> Result<Response, Problem> {
    let SeriesOf { from, to, zone, link, post, network, format, by } = asked;
    let wish = Wish { from, to, zone, link, post, network };
    let (period, zone, filter) = wish.read(&deps, &asking).await?;
    let by = by.unwrap_or_default();
    let told = reports::series(&*deps.table, asking.scope(), &period, by.into(), &filter).await?;
    let view = series_view(&period, zone, by, told)?;
    if !wants_csv(format, &headers) {
        return Ok(Json(view).into_response());
    }
    let rows = view.points.iter().map(|point| vec![point.start.clone(), point.clicks.to_string()]);
    Ok(as_csv(&period, &["start", "clicks"], rows)?)
}

fn series_view(
    period: &Period,
    zone: String,
    by: Step,
    told: Series,
) -> Result<SeriesView, Failure> {
    let Series { points, clicks, before, visitors } = told;
    let earlier = shown(&period.before()?);
    let change = i128::from(clicks) - i128::from(before);
    let change = (change * 100).checked_div(i128::from(before));
    let point = |(at, clicks): (nexus_kernel::Timestamp, u64)| PointView {
        start: at.to_zoned(period.zone().clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        clicks,
    };
    let (from, to) = shown(period);
    Ok(SeriesView {
        from,
        to,
        zone,
        by,
        clicks,
        before: BeforeView {
            from: earlier.0,
            to: earlier.1,
            clicks: before,
            change_percent: change.and_then(|change| i64::try_from(change).ok()),
        },
        visitors: visitors.into(),
        points: points.into_iter().map(point).collect(),
    })
}

/// Where clicks came from, and of which links
///
/// The values with the most clicks, each beside its clicks of the days just before.
#[utoipa::path(
    get, path = "/v1/reports/clicks/top", operation_id = "report_top_clicks", tag = "reports",
    params(TopOf),
    responses((status = 200, description = "The values with the most clicks", content((TopView = "application/json"), (String = "text/csv"))))
)]
pub(crate) async fn top(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    headers: HeaderMap,
    Asked(asked): Asked<TopOf>,
) -> Result<Response, Problem> {
    let TopOf { from, to, zone, link, post, network, format, by, limit } = asked;
    let wish = Wish { from, to, zone, link, post, network };
    let limit = limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Failure::field("limit", format!("choose 1 to {MAX_LIMIT}")).into());
    }
    let (period, zone, filter) = wish.read(&deps, &asking).await?;
    let told =
        reports::top(&*deps.table, asking.scope(), &period, by.into(), &filter, limit).await?;
    let (from, to) = shown(&period);
    let located = by == Grouping::Country && told.rows.iter().any(|(value, ..)| !value.is_empty());
    let attribution = located.then_some(ATTRIBUTION);
    if wants_csv(format, &headers) {
        let rows = told.rows.iter().map(|(value, clicks, before)| {
            vec![text(value), clicks.to_string(), before.to_string()]
        });
        let mut table = as_csv(&period, &[by.column(), "clicks", "before"], rows)?;
        if let Some(attribution) = attribution {
            let name = HeaderName::from_static("nexus-attribution");
            table.headers_mut().insert(name, HeaderValue::from_static(attribution));
        }
        return Ok(table);
    }
    let row = |(value, clicks, before): (String, u64, u64)| RowView {
        value: (!value.is_empty()).then_some(value),
        clicks,
        before,
    };
    let items = told.rows.into_iter().map(row).collect();
    let view = TopView { from, to, zone, by, clicks: told.clicks, items, attribution };
    Ok(Json(view).into_response())
}

/// A table (RFC 4180), to be saved.
fn as_csv(
    period: &Period,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<Response, Failure> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    table.write_record(columns).map_err(Failure::bug)?;
    for row in rows {
        table.write_record(row).map_err(Failure::bug)?;
    }
    let table = table.into_inner().map_err(|error| Failure::bug(error.into_error()))?;
    let (from, to) = shown(period);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"clicks-{from}-{to}.csv\"")),
    ];
    Ok((headers, table).into_response())
}
