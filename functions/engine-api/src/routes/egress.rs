//! What went to third parties for the tenant (N34): which fields, how often, at what cost; never their content.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use nexus_core::egress::{self, Ended, Line, Month};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::asking::Asking;

/// Which month.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MonthOf {
    /// A calendar month in UTC; this month, where it is left out. Twenty-five months are kept.
    #[param(pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-11")]
    month: Option<String>,
}

impl MonthOf {
    pub(super) fn read(&self, now: Timestamp) -> Result<Month, Failure> {
        let Some(month) = &self.month else { return Ok(Month::of(now)) };
        Month::parse(month).map_err(|error| Failure::field("month", error.to_string()))
    }
}

/// A field that went out.
#[derive(Serialize, ToSchema)]
#[schema(as = EgressField)]
pub(crate) struct FieldView {
    /// Where it stands in the request: `:name` in the path, `?name` in the query, else in the body.
    path: String,
    /// In how many calls.
    calls: u64,
}

/// How many calls ended how.
#[derive(Serialize, ToSchema)]
#[schema(as = EgressEnds)]
pub(crate) struct EndsView {
    /// They happened.
    done: u64,
    /// They certainly did not.
    refused: u64,
    /// They did not, and later may.
    throttled: u64,
    /// The third party did not know us.
    login: u64,
    /// Nobody knows.
    unknown: u64,
    /// They are on their way, or nobody came back to tell.
    open: u64,
}

impl From<&Line> for EndsView {
    fn from(line: &Line) -> Self {
        let of = |ended| line.ended.get(&ended).copied().unwrap_or(0);
        let settled = line.ended.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
        Self {
            done: of(Ended::Done),
            refused: of(Ended::Refused),
            throttled: of(Ended::Throttled),
            login: of(Ended::Login),
            unknown: of(Ended::Unknown),
            open: line.calls.saturating_sub(settled),
        }
    }
}

/// What one third party was asked in a month by one of its operations.
#[derive(Serialize, ToSchema)]
#[schema(as = EgressLine)]
pub(crate) struct LineView {
    vendor: String,
    operation: String,
    calls: u64,
    ended: EndsView,
    /// How often something was sent: a call may be tried again.
    tries: u64,
    tokens_in: u64,
    tokens_out: u64,
    /// What else the third party counts: characters spoken, seconds of video.
    units: u64,
    /// What it cost, in millionths of a US dollar.
    cost_micros: i64,
    /// What went out, by its names; never what stood in it.
    fields: Vec<FieldView>,
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        let ended = EndsView::from(&line);
        let Line { vendor, operation, calls, tries, tokens_in, tokens_out, units, .. } = line;
        let fields = line.fields.into_iter().map(|(path, calls)| FieldView { path, calls });
        Self {
            vendor,
            operation,
            calls,
            ended,
            tries,
            tokens_in,
            tokens_out,
            units,
            cost_micros: line.cost.as_micros(),
            fields: fields.collect(),
        }
    }
}

/// A month of the ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = Egress)]
pub(crate) struct EgressView {
    /// For example `2026-11`.
    month: String,
    /// By third party and operation.
    lines: Vec<LineView>,
}

async fn lines(deps: &Deps, asking: &Asking, month: Month) -> Result<Vec<Line>, Failure> {
    let now = deps.ambient.now();
    Ok(egress::ledger(&*deps.table, asking.scope(), month, now).await?)
}

/// What went to third parties in a month
#[utoipa::path(
    get, path = "/v1/egress", operation_id = "read_egress", tag = "spending",
    params(MonthOf),
    responses((status = 200, body = EgressView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(month): Asked<MonthOf>,
) -> Result<Json<EgressView>, Problem> {
    let month = month.read(deps.ambient.now())?;
    let lines = lines(&deps, &asking, month).await?.into_iter().map(LineView::from);
    Ok(Json(EgressView { month: month.to_string(), lines: lines.collect() }))
}

/// What went to third parties in a month, as a table for a spreadsheet
///
/// A row for each third party and operation; the column `fields` names each field and in how many calls it went out.
#[utoipa::path(
    get, path = "/v1/egress.csv", operation_id = "export_egress", tag = "spending",
    params(MonthOf),
    responses((status = 200, content_type = "text/csv", body = String))
)]
pub(crate) async fn export(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(month): Asked<MonthOf>,
) -> Result<impl IntoResponse, Problem> {
    let month = month.read(deps.ambient.now())?;
    let table = table(month, &lines(&deps, &asking, month).await?)?;
    let name = format!("attachment; filename=\"egress-{month}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, table))
}

const COLUMNS: [&str; 16] = [
    "month",
    "vendor",
    "operation",
    "calls",
    "done",
    "refused",
    "throttled",
    "login",
    "unknown",
    "open",
    "tries",
    "tokens_in",
    "tokens_out",
    "units",
    "cost_usd",
    "fields",
];

/// The lines as CSV (RFC 4180).
fn table(month: Month, lines: &[Line]) -> Result<Vec<u8>, Failure> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    table.write_record(COLUMNS).map_err(Failure::bug)?;
    for line in lines {
        let EndsView { done, refused, throttled, login, unknown, open } = EndsView::from(line);
        let fields: Vec<String> =
            line.fields.iter().map(|(path, calls)| format!("{path} ({calls})")).collect();
        let counts = [line.calls, done, refused, throttled, login, unknown, open, line.tries];
        let used = [line.tokens_in, line.tokens_out, line.units];
        let mut row = vec![month.to_string(), text(&line.vendor), text(&line.operation)];
        row.extend(counts.iter().chain(&used).map(u64::to_string));
        row.extend([line.cost.in_dollars(), text(&fields.join("; "))]);
        table.write_record(row).map_err(Failure::bug)?;
    }
    table.into_inner().map_err(|error| Failure::bug(error.into_error()))
}

/// A text that no spreadsheet takes for a formula, whatever it begins with.
pub(super) fn text(raw: &str) -> String {
    let formula = raw.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if formula { format!("'{raw}") } else { raw.to_owned() }
}

#[cfg(test)]
mod tests {
    use nexus_core::egress::Cost;

    use super::*;

    #[test]
    fn a_table_reads_back_and_holds_no_formula() {
        let month = Month::parse("2026-11").unwrap();
        let line = Line {
            vendor: "=cmd|' /C calc'!A0".into(),
            operation: "+1, \"two\"\r\n@3".into(),
            calls: 2,
            ended: [(Ended::Done, 1)].into(),
            cost: Cost::micros(2_100),
            fields: [("-1+1".to_owned(), 1), ("@sum".to_owned(), 2)].into(),
            ..Line::default()
        };
        let table = table(month, &[line]).unwrap();
        let mut reader = csv::Reader::from_reader(table.as_slice());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        let row: Vec<&str> = row.iter().collect();
        assert_eq!(row[..3], ["2026-11", "'=cmd|' /C calc'!A0", "'+1, \"two\"\r\n@3"]);
        assert_eq!(row[3..14], ["2", "1", "0", "0", "0", "0", "1", "0", "0", "0", "0"]);
        assert_eq!(row[14..], ["0.0021", "'-1+1 (1); @sum (2)"]);
    }

    #[test]
    fn only_the_beginning_of_a_cell_makes_a_formula() {
        for raw in ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert_eq!(text(raw), format!("'{raw}"));
        }
        for raw in ["", "a=1", "model (3)", ":id (1)", "?a (1)", "contents[].text (2)"] {
            assert_eq!(text(raw), raw);
        }
    }
}
