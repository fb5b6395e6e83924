//! Reports of clicks, as people ask for them.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_core::{RecordKind, records};
use nexus_engine::EnginePlatform;
use nexus_engine::account::Settings;
use nexus_engine::clicks::{
    ATTRIBUTION, Agent, BotReason, Click, ClickId, Place, Referrer, Spot, Visitor,
};
use nexus_engine::tallies::{self, AsStored, ClickWriter, Letter, Recount};
use nexus_kernel::Timestamp;
use nexus_testkit::people;
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

fn click(n: u32, at: Timestamp, link: &str, post: Option<EffectId>) -> Click {
    let spot = Spot { country: Some("ES".into()), ..Spot::default() };
    Click {
        id: ClickId::derived(&[&n.to_string(), link]),
        at,
        link: link.into(),
        post,
        place: if n.is_multiple_of(2) { Place::Spot(spot) } else { Place::Unlocated },
        agent: Agent { device: "iPhone".into(), ..Agent::default() },
        referrer: Some(Referrer { host: "=cmd".into(), path: "/".into() }),
        visitor: Visitor([(n % 3) as u8; 8]),
        bot: n.is_multiple_of(10).then_some(BotReason::Robot),
        head: false,
        no_accept: false,
    }
}

async fn write(api: &Api, tenant: u32, clicks: &[Click]) {
    let platform = &api.platform;
    let writer = ClickWriter::new(Arc::new(platform.table.clone()), platform.ambient());
    let scope = people::scope(people::tenant(tenant));
    assert!(writer.write(&[Letter { scope, clicks }]).await.is_empty());
}

/// An API whose tenant has twenty clicks of a link today, every half an hour, two of them by robots.
async fn with_clicks() -> Api {
    let api = Api::new();
    let at = |n: u32| api.platform.now() - SignedDuration::from_mins(i64::from(n) * 30);
    let clicks: Vec<Click> = (0..20).map(|n| click(n, at(n), "BCDFGHJK23", None)).collect();
    write(&api, 1, &clicks).await;
    api
}

async fn get(api: &Api, path: &str) -> Value {
    let answer = api.get(path).by(&ada()).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_series_has_every_day_of_the_tenants_zone_and_the_days_before() {
    let api = with_clicks().await;
    let settings = Settings { time_zone: "Asia/Kathmandu".into(), ..Settings::default() };
    api.platform.put(&scope(), &settings).await;
    let told = get(&api, "/v1/reports/clicks?from=2027-02-28&to=2027-03-01").await;
    // 09:00 UTC is 14:45 in Nepal: midnight there is within the quarters of an hour of UTC.
    assert_eq!(told["zone"], "Asia/Kathmandu");
    assert_eq!(told["clicks"], 18);
    assert_eq!(
        told["points"],
        json!([
            {"start": "2027-02-28T00:00:00+05:45", "clicks": 0},
            {"start": "2027-03-01T00:00:00+05:45", "clicks": 18},
        ])
    );
    assert_eq!(told["before"], json!({"from": "2027-02-26", "to": "2027-02-27", "clicks": 0}));
    // Three of the day of UTC and of the day before.
    assert_eq!(told["visitors"], json!({"count": 4}));
    let hours = get(&api, "/v1/reports/clicks?from=2027-03-01&to=2027-03-01&by=hour").await;
    assert_eq!(hours["points"].as_array().unwrap().len(), 24);
    let next = get(&api, "/v1/reports/clicks?from=2027-03-02&to=2027-03-02").await;
    assert_eq!((&next["clicks"], &next["before"]["change_percent"]), (&json!(0), &json!(-100)));
}

#[tokio::test]
async fn a_list_names_the_most_frequent_first_and_whose_data_about_places_it_is() {
    let api = with_clicks().await;
    let told = get(&api, "/v1/reports/clicks/top?by=country&zone=UTC").await;
    assert_eq!(
        told["items"],
        json!([
            {"value": null, "clicks": 10, "before": 0},
            {"value": "ES", "clicks": 8, "before": 0},
        ])
    );
    assert_eq!((&told["clicks"], &told["attribution"]), (&json!(18), &json!(ATTRIBUTION)));
    let told = get(&api, "/v1/reports/clicks/top?by=device&limit=1").await;
    assert_eq!(told["items"], json!([{"value": "iPhone", "clicks": 18, "before": 0}]));
    assert!(told["attribution"].is_null());
    let table = api.get("/v1/reports/clicks/top?by=country&format=csv").by(&ada()).send().await;
    assert_eq!(table.header("nexus-attribution"), ATTRIBUTION);
}

#[tokio::test]
async fn n19_a_post_and_its_network_have_the_clicks_of_its_link() {
    let api = with_clicks().await;
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let id = posts[0]["id"].as_str().unwrap();
    let post = EffectId::parse(id).unwrap();
    let now = api.platform.now();
    let clicks: Vec<Click> = (1..8).map(|n| click(n, now, "ZZZZZZZZ22", Some(post))).collect();
    write(&api, 1, &clicks).await;
    let told = get(&api, "/v1/reports/clicks/top?by=post").await;
    assert_eq!(told["items"][1], json!({"value": id, "clicks": 7, "before": 0}));
    let told = get(&api, "/v1/reports/clicks/top?by=network").await;
    assert_eq!(told["items"][1], json!({"value": "feed", "clicks": 7, "before": 0}));
    for filter in [format!("post={id}"), "network=feed".into(), "link=ZZZZZZZZ22".into()] {
        let told = get(&api, &format!("/v1/reports/clicks?{filter}")).await;
        assert_eq!(told["clicks"], 7, "{filter}");
        let told = get(&api, &format!("/v1/reports/clicks/top?by=country&{filter}")).await;
        assert_eq!(told["clicks"], 7, "{filter}");
    }
}

#[tokio::test]
async fn a_report_is_a_table_where_it_is_asked_for_and_holds_no_formula() {
    let api = with_clicks().await;
    let path = "/v1/reports/clicks/top?by=referrer&from=2027-03-01&to=2027-03-01&zone=UTC";
    let by_format = api.get(&format!("{path}&format=csv")).by(&ada()).send().await;
    let by_header = api.get(path).by(&ada()).header("accept", "text/csv").send().await;
    for answer in [by_format, by_header] {
        assert!(answer.header("content-type").starts_with("text/csv"));
        let name = "attachment; filename=\"clicks-2027-03-01-2027-03-01.csv\"";
        assert_eq!(answer.header("content-disposition"), name);
        assert_eq!(answer.body, "referrer,clicks,before\r\n'=cmd,17,1\r\n");
    }
    let path = "/v1/reports/clicks?from=2027-03-01&to=2027-03-01&zone=UTC&format=csv";
    let answer = api.get(path).by(&ada()).send().await;
    assert_eq!(answer.body, "start,clicks\r\n2027-03-01T00:00:00+00:00,17\r\n");
}

#[tokio::test]
async fn n48_nobody_sees_another_tenants_clicks() {
    let api = with_clicks().await;
    let other = people::approver(people::tenant(2));
    for path in ["/v1/reports/clicks", "/v1/reports/clicks/top?by=link"] {
        let answer = api.get(path).by(&other).send().await;
        assert_eq!(answer.json()["clicks"], 0, "{path}");
    }
    let live = get(&api, "/v1/clicks/live").await;
    let next = live["next"].as_str().unwrap();
    let answer = api.get(&format!("/v1/clicks/live?after={next}")).by(&other).send().await;
    assert_eq!(answer.status, 422, "a place in another tenant's clicks is none");
}

#[tokio::test]
async fn live_clicks_come_once_and_say_nothing_of_who() {
    let api = with_clicks().await;
    let begun = get(&api, "/v1/clicks/live").await;
    assert_eq!(begun["items"], json!([]));
    let follow = |told: &Value| format!("/v1/clicks/live?after={}", told["next"].as_str().unwrap());
    api.platform.advance(SignedDuration::from_secs(6));
    let told = get(&api, &follow(&begun)).await;
    assert_eq!(told["items"].as_array().unwrap().len(), 20);
    assert_eq!(told["attribution"], ATTRIBUTION, "some of them have a place");
    assert!(!told.to_string().contains("visitor"));
    let told = get(&api, &follow(&told)).await;
    assert_eq!(told["items"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_by_its_field() {
    let api = Api::new();
    for (query, field) in [
        ("from=2027-03-02&to=2027-03-01", "to"),
        ("from=2020-01-01&to=2027-03-01", "from"),
        ("zone=Atlantis", "zone"),
        ("post=eff_1", "post"),
        ("link=a%23b", "link"),
    ] {
        let answer = api.get(&format!("/v1/reports/clicks?{query}")).by(&ada()).send().await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{query}");
    }
    let answer = api.get("/v1/reports/clicks/top?by=link&limit=0").by(&ada()).send().await;
    assert_eq!(answer.json()["errors"][0]["field"], "limit");
    let answer = api.get("/v1/clicks/live?after=00").by(&ada()).send().await;
    assert_eq!(answer.json()["errors"][0]["field"], "after");
}

#[tokio::test]
async fn an_approver_asks_that_days_are_counted_anew_and_only_their_own() {
    let api = with_clicks().await;
    api.platform.advance(SignedDuration::from_hours(48));
    for row in api.platform.rows().await {
        if row.kind == RecordKind::Recount {
            let mut due = records::read::<Recount>(&row).unwrap();
            let table = &api.platform.table;
            tallies::recount(table, &scope(), &mut due, &AsStored).await.unwrap();
        }
    }
    let ask = |from: &str, to: &str| {
        api.post("/v1/reports/clicks/recount", json!({ "from": from, "to": to }))
    };
    let operator = people::operator(people::tenant(1));
    ask("2027-03-01", "2027-03-01").by(&operator).send().await.refused(403, &[]);
    ask("2027-03-02", "2027-03-01").by(&ada()).send().await.refused(422, &["to"]);
    ask("2027-01-01", "2027-03-01").by(&ada()).send().await.refused(422, &["from"]);
    let other = people::approver(people::tenant(2));
    for (who, days) in [(other, 0), (ada(), 2), (ada(), 0)] {
        let answer = ask("2027-02-28", "2027-03-01").by(&who).send().await;
        assert_eq!((answer.status, answer.json()), (202, json!({ "days": days })));
    }
    let rows = api.platform.rows().await;
    assert_eq!(rows.iter().filter(|row| row.kind == RecordKind::Recount).count(), 2);
}
