//! What went to third parties, what it cost, and what it may.

use std::collections::BTreeSet;

use nexus_core::Scope;
use nexus_core::egress::{self, Cost, Ended, EntryId, Leaving, Settled};
use nexus_engine::EnginePlatform;
use nexus_engine::platform::Access;
use nexus_kernel::{Failure, FailureKind};
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

/// Enters a call, and settles it where a cost is said.
async fn call(
    api: &Api,
    scope: &Scope,
    (vendor, operation): (&str, &str),
    fields: &[&str],
    (estimate, cost): (i64, Option<i64>),
) -> Result<(), Failure> {
    let (table, now) = (api.platform.table(Access::Write), api.platform.now());
    let fields: BTreeSet<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    let leaving = Leaving { vendor, operation, fields: &fields, estimate: Cost::micros(estimate) };
    let id = EntryId::draw(&*api.platform.ambient().ids);
    let entry = egress::enter_as(&*table, scope, leaving, id, now).await?;
    if let Some(cost) = cost {
        let (ended, cost) = (Ended::Done, Cost::micros(cost));
        let settled = Settled { ended, tries: 2, tokens_in: 700, tokens_out: 90, units: 0, cost };
        egress::settle(&*table, scope, entry, settled, now).await?;
    }
    Ok(())
}

/// The tenant 1 had something written, twice, and something spoken, of which nobody came back to tell.
pub(crate) async fn some_calls(api: &Api) {
    let write = ("muse", "write");
    call(api, &scope(), write, &["model", "parts[].text"], (5_000, Some(2_100))).await.unwrap();
    call(api, &scope(), write, &["model"], (5_000, Some(9_000))).await.unwrap();
    call(api, &scope(), ("echo", "speak"), &[":voice"], (30_000, None)).await.unwrap();
}

#[tokio::test]
async fn n34_a_month_of_the_ledger_shows_fields_and_counts_and_never_content() {
    let api = Api::new();
    some_calls(&api).await;
    let month = api.get("/v1/egress").by(&people::operator(people::tenant(1))).send().await;
    assert_eq!(month.status, 200);
    let expected = json!({ "month": "2027-03", "lines": [
        {
            "vendor": "echo", "operation": "speak", "calls": 1, "tries": 0,
            "ended": { "done": 0, "refused": 0, "throttled": 0, "login": 0, "unknown": 0, "open": 1 },
            "tokens_in": 0, "tokens_out": 0, "units": 0, "cost_micros": 0,
            "fields": [{ "path": ":voice", "calls": 1 }],
        },
        {
            "vendor": "muse", "operation": "write", "calls": 2, "tries": 4,
            "ended": { "done": 2, "refused": 0, "throttled": 0, "login": 0, "unknown": 0, "open": 0 },
            "tokens_in": 1_400, "tokens_out": 180, "units": 0, "cost_micros": 11_100,
            "fields": [{ "path": "model", "calls": 2 }, { "path": "parts[].text", "calls": 1 }],
        },
    ]});
    assert_eq!(month.json(), expected);
    let named = api.get("/v1/egress?month=2027-03").by(&ada()).send().await;
    assert_eq!(named.body, month.body);
    let other = api.get("/v1/egress?month=2026-11").by(&ada()).send().await;
    assert_eq!(other.json(), json!({ "month": "2026-11", "lines": [] }));
    let stranger = people::approver(people::tenant(2));
    let theirs = api.get("/v1/egress").by(&stranger).send().await;
    assert_eq!(theirs.json()["lines"], json!([]));
}

#[tokio::test]
async fn n34_a_month_of_the_ledger_is_had_as_a_table() {
    let api = Api::new();
    some_calls(&api).await;
    let answer = api.get("/v1/egress.csv?month=2027-03").by(&ada()).send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/csv"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"egress-2027-03.csv\"");
    let lines = [
        "month,vendor,operation,calls,done,refused,throttled,login,unknown,open,tries,tokens_in,tokens_out,units,\
         cost_usd,fields",
        "2027-03,echo,speak,1,0,0,0,0,0,1,0,0,0,0,0.00,:voice (1)",
        "2027-03,muse,write,2,2,0,0,0,0,0,4,1400,180,0,0.0111,model (2); parts[].text (1)",
        "",
    ];
    assert_eq!(String::from_utf8_lossy(&answer.body), lines.join("\r\n"));
}

#[tokio::test]
async fn a_month_is_a_month() {
    let api = Api::new();
    for path in ["egress", "egress.csv", "spending"] {
        for month in ["", "2026", "2026-13", "2026-11-01", "%23"] {
            let answer = api.get(&format!("/v1/{path}?month={month}")).by(&ada()).send().await;
            answer.refused(422, &["month"]);
        }
        let typo = api.get(&format!("/v1/{path}?months=2026-11")).by(&ada()).send().await;
        assert_eq!(typo.status, 422);
    }
}

#[tokio::test]
async fn an_approver_sets_a_cap_and_it_holds_from_the_next_call_on() {
    let api = Api::new();
    some_calls(&api).await;
    let usd = |minor: i64| json!({ "minor": minor, "currency": "USD" });
    let before = api.get("/v1/spending").by(&people::operator(people::tenant(1))).send().await;
    let expected = json!({ "month": "2027-03", "default_cap": usd(2_000), "vendors": [
        { "vendor": "echo", "cap": usd(2_000), "cap_is_set": false, "spent": usd(0), "reserved": usd(3) },
        // 1.11 cents are told as two: what costs never looks cheaper than it is.
        { "vendor": "muse", "cap": usd(2_000), "cap_is_set": false, "spent": usd(2), "reserved": usd(0) },
    ]});
    assert_eq!((before.status, before.json()), (200, expected));

    let body = json!({ "cap": usd(2) });
    let operator = people::operator(people::tenant(1));
    let denied = api.put("/v1/spending/muse", body.clone()).by(&operator).send().await;
    assert_eq!(denied.status, 403);
    let set = api.put("/v1/spending/muse", body).by(&ada()).send().await;
    let now = json!({
        "vendor": "muse", "cap": usd(2), "cap_is_set": true, "spent": usd(2), "reserved": usd(0),
    });
    assert_eq!((set.status, set.json()), (200, now.clone()));
    let vendors = api.get("/v1/spending").by(&ada()).send().await.json()["vendors"].clone();
    assert_eq!(vendors[1], now);

    let held = call(&api, &scope(), ("muse", "write"), &["model"], (9_000, None)).await;
    assert_eq!(held.unwrap_err().kind(), FailureKind::Denied);
    call(&api, &scope(), ("muse", "write"), &["model"], (8_900, None)).await.unwrap();
    // The cap is this tenant's.
    let other = people::scope(people::tenant(2));
    call(&api, &other, ("muse", "write"), &["model"], (9_000, None)).await.unwrap();

    // One for a vendor that was never called is kept and told.
    let set = api.put("/v1/spending/film", json!({ "cap": usd(0) })).by(&ada()).send().await;
    assert_eq!(set.json()["cap"], usd(0));
    let vendors = api.get("/v1/spending").by(&ada()).send().await.json()["vendors"].clone();
    assert_eq!(vendors.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn what_is_no_cap_is_refused_with_its_field() {
    let api = Api::new();
    let cap =
        |minor: Value, currency: &str| json!({ "cap": { "minor": minor, "currency": currency } });
    for (body, field) in [
        (cap(json!(-1), "USD"), "cap"),
        (cap(json!(100_000_001), "USD"), "cap"),
        (cap(json!(i64::MAX), "USD"), "cap"),
        (cap(json!(100), "EUR"), "cap.currency"),
        (cap(json!(1.5), "USD"), "cap.minor"),
        (json!({}), "cap"),
        (json!({ "cap": { "minor": 1, "currency": "USD" }, "until": 1 }), "until"),
    ] {
        let answer = api.put("/v1/spending/muse", body).by(&ada()).send().await;
        answer.refused(422, &[field]);
    }
    for vendor in ["Muse", "mu%23se", "%ff", "m%2Fx", &"m".repeat(41)] {
        let path = format!("/v1/spending/{vendor}");
        let answer = api.put(&path, cap(json!(100), "USD")).by(&ada()).send().await;
        answer.refused(422, &["vendor"]);
    }
    assert!(api.platform.rows().await.is_empty());
    assert_eq!(api.get("/v1/spending").send().await.status, 401);
}
