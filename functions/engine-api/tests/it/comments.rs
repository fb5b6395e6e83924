//! What people wrote under posts, and how it sounded.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_core::records;
use nexus_engine::account::Settings;
use nexus_engine::comments::{Comment, Remark};
use nexus_engine::judging;
use nexus_engine::publishing::Network;
use nexus_engine::sentiment::{Label, Verdict};
use nexus_kernel::{Pii, Timestamp};
use nexus_testkit::{build, people};
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

fn comment(post: EffectId, number: u32, at: Timestamp) -> Comment {
    let remark = Remark { id: number.to_string(), at, text: Pii::new(format!("Said {number}.")) };
    Comment::of(remark, post, Some(build::product_id(1)), Network::Mastodon)
}

fn verdict(label: Label, at: Timestamp) -> Verdict {
    let (language, engine) = ("en".to_owned(), "pretended".to_owned());
    Verdict { label, score: Some(0.9), language, known: None, engine, at, cut: false }
}

/// Puts a comment, and judges it.
async fn judged(api: &Api, comment: &Comment, label: Label) {
    api.platform.put(&scope(), comment).await;
    let now = api.platform.now();
    let key = nexus_engine::comments::comment_key(&scope(), comment.id);
    let stored = records::load(&api.platform.table, &key, now).await.unwrap().unwrap();
    judging::keep::<Comment>(&api.platform.table, &scope(), stored, verdict(label, now), None)
        .await
        .unwrap();
}

async fn get(api: &Api, path: &str) -> Value {
    let answer = api.get(path).by(&ada()).send().await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[tokio::test]
async fn n25_n39_n48_comments_stand_newest_first_without_anybody_s_name_for_their_tenant_alone() {
    let api = Api::new();
    let (_, draft) = api.finished(&scope()).await;
    let posts = api.approved(&draft).await;
    let id = posts[0]["id"].as_str().unwrap();
    let (path, post) = (format!("/v1/posts/{id}/comments"), EffectId::parse(id).unwrap());
    let none = get(&api, &path).await;
    let reading = json!({ "possible": false, "note": "The feed has no comments." });
    assert_eq!(none, json!({ "items": [], "reading": reading }));

    let now = api.platform.now();
    judged(&api, &comment(post, 1, now), Label::Positive).await;
    let later = comment(post, 2, now + SignedDuration::from_secs(1));
    api.platform.put(&scope(), &later).await;
    let told = get(&api, &path).await;
    let texts: Vec<&str> =
        told["items"].as_array().unwrap().iter().map(|c| c["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Said 2.", "Said 1."]);
    assert_eq!(told["items"][0].get("sentiment"), None, "it was not judged yet");
    assert_eq!(
        told["items"][1]["sentiment"],
        json!({ "label": "positive", "score": 0.9, "language": "en", "engine": "pretended", "at": now, "cut": false })
    );
    let names: BTreeSet<&str> =
        told["items"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["at", "id", "text"]));
    let first = get(&api, &format!("{path}?limit=1")).await;
    let next = first["next"].as_str().unwrap();
    let rest = get(&api, &format!("{path}?limit=1&after={next}")).await;
    assert_eq!(rest["items"][0]["text"], "Said 1.");

    let stranger = people::operator(people::tenant(2));
    assert_eq!(api.get(&path).by(&stranger).send().await.status, 404);
}

#[tokio::test]
async fn n24_n25_trends_are_told_by_the_days_of_the_tenant_s_zone() {
    let api = Api::new();
    let zone = Settings { time_zone: "Asia/Kathmandu".into(), ..Settings::default() };
    api.platform.put(&scope(), &zone).await;
    let post = EffectId::derived(&["post"]);
    // 05:45 ahead: the day begins at 18:15 in UTC.
    for (number, at, label) in [
        (1, "2027-03-01T18:14:59Z", Label::Positive),
        (2, "2027-03-01T18:15:00Z", Label::Negative),
        (3, "2027-03-02T18:14:59Z", Label::Negative),
        (4, "2027-03-02T18:15:00Z", Label::Unsupported),
    ] {
        judged(&api, &comment(post, number, at.parse().unwrap()), label).await;
    }
    let all = get(&api, "/v1/reports/sentiment?from=2027-03-01&to=2027-03-03").await;
    let day = |date: &str, positive: u64, negative: u64, unsupported: u64| {
        json!({
            "date": date, "positive": positive, "negative": negative, "neutral": 0, "mixed": 0,
            "unsupported": unsupported,
        })
    };
    let days = [day("2027-03-01", 1, 0, 0), day("2027-03-02", 0, 2, 0), day("2027-03-03", 0, 0, 1)];
    assert_eq!(all, json!({ "time_zone": "Asia/Kathmandu", "days": days }));
    let range = "from=2027-03-01&to=2027-03-03";
    let product = build::product_id(1);
    for about in [format!("product={product}"), format!("post={post}")] {
        assert_eq!(get(&api, &format!("/v1/reports/sentiment?{about}&{range}")).await, all);
    }
    let other = format!("/v1/reports/sentiment?product={}&{range}", build::product_id(2));
    assert_eq!(get(&api, &other).await["days"][1], day("2027-03-02", 0, 0, 0));

    let answer = api.get(&format!("/v1/reports/sentiment.csv?{range}")).by(&ada()).send().await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(
        std::str::from_utf8(&answer.body).unwrap(),
        "date,positive,negative,neutral,mixed,unsupported\r\n2027-03-01,1,0,0,0,0\r\n\
         2027-03-02,0,2,0,0,0\r\n2027-03-03,0,0,0,0,1\r\n"
    );
    let stranger = people::operator(people::tenant(2));
    let theirs = api.get(&format!("/v1/reports/sentiment?{range}")).by(&stranger).send().await;
    assert_eq!(theirs.json()["days"][1]["negative"], 0);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_by_its_field() {
    let api = Api::new();
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=2027-13-01", "to"),
        ("from=2027-03-02&to=2027-03-01", "to"),
        ("from=2020-01-01&to=2027-03-01", "from"),
        (&format!("product={}&post=eff_1", build::product_id(1)), "post"),
    ] {
        let answer = api.get(&format!("/v1/reports/sentiment?{query}")).by(&ada()).send().await;
        answer.refused(422, &[field]);
    }
    for query in ["product=canary", "post=canary"] {
        let answer = api.get(&format!("/v1/reports/sentiment?{query}")).by(&ada()).send().await;
        assert_eq!(answer.status, 404, "{query}");
    }
    let days = get(&api, "/v1/reports/sentiment").await;
    assert_eq!(days["days"].as_array().unwrap().len(), 30);
}
