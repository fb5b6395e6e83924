//! A person looks at when a draft would go out, and approves just that.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use nexus_core::RecordKind;
use nexus_core::effect::{Effect, EffectId, Payload as _};
use nexus_engine::Draft;
use nexus_engine::publishing::PostPlan;
use nexus_testkit::{build, people};
use serde_json::{Value, json};

use crate::api::{Answer, Api, ada, at, scope};

/// An API whose tenant posts in Madrid on Mondays at 10:30 and at 18:00, on a Monday at 10:00 there.
async fn in_madrid() -> Api {
    let api = Api::new();
    assert_eq!(api.platform.now().to_string(), "2027-03-01T09:00:00Z");
    let slots = [("monday", "10:30"), ("monday", "18:00")];
    let slots = slots.map(|(day, at)| json!({ "day": day, "at": at }));
    let settings = json!({ "time_zone": "Europe/Madrid", "slots": slots });
    assert_eq!(api.put("/v1/settings", settings).by(&ada()).send().await.status, 200);
    api
}

/// The draft of the medium of that number.
async fn draft(api: &Api, number: u32) -> Draft {
    build::finished(&api.platform, &scope(), build::media_id(number)).await.1
}

async fn plan(api: &Api, draft: &Draft, wish: Value) -> Answer {
    let call = api.post(&format!("{}/times", at(draft)), wish);
    call.by(&people::operator(people::tenant(1))).send().await
}

fn moments(shown: &Value) -> Vec<String> {
    let times = shown["times"].as_array().unwrap().iter();
    times.map(|time| time["at"].as_str().unwrap().to_owned()).collect()
}

async fn approve(api: &Api, draft: &Draft, mut body: Value) -> Answer {
    body["digest"] = api.digest(draft).await.into();
    api.post(&format!("{}/approve", at(draft)), body).by(&ada()).send().await
}

fn send_ats(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let posts = answer.json()["posts"].as_array().unwrap().clone();
    posts.iter().map(|post| post["send_at"].as_str().unwrap().to_owned()).collect()
}

/// Two Sundays, on the second of which the clocks jump over half past two.
fn fortnightly() -> Value {
    let rhythm = json!({ "weeks": { "every": 2, "on": ["sunday"] } });
    json!({ "recurrence": {
        "from": "2027-03-14", "at": "02:30", "rhythm": rhythm, "ends": { "times": 2 },
    } })
}

#[tokio::test]
async fn n17_a_moment_alone_is_held_to_the_calendars_rules() {
    let api = Api::new();
    let draft = draft(&api, 1).await;
    let before = api.platform.rows().await;
    for wrong in ["2027-03-01T08:01:00Z", "2099-01-01T00:00:00Z"] {
        approve(&api, &draft, json!({ "at": wrong })).await.refused(422, &["at"]);
        assert_eq!(api.platform.rows().await, before, "{wrong}");
    }
    let a_moment_ago = json!({ "at": "2027-03-01T08:56:00Z" });
    let approved = approve(&api, &draft, a_moment_ago.clone()).await;
    assert_eq!(send_ats(&approved), ["2027-03-01T08:56:00Z"; 2]);
    api.platform.advance(SignedDuration::from_hours(2));
    let again = approve(&api, &draft, a_moment_ago).await;
    assert_eq!(again.json(), approved.json(), "twice is once, also when that time has passed");
}

#[tokio::test]
async fn n17_a_person_sees_the_times_of_a_draft_by_both_clocks_and_nothing_changes() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    let before = api.platform.rows().await;
    for (wish, times, local) in [
        (json!({}), vec!["2027-03-01T09:00:00Z"], "2027-03-01T10:00:00+01:00"),
        (
            json!({ "at": "2027-04-01T00:00:00Z" }),
            vec!["2027-04-01T00:00:00Z"],
            "2027-04-01T02:00:00+02:00",
        ),
        (
            json!({ "when": { "civil": "2027-03-28T02:30" } }),
            vec!["2027-03-28T01:30:00Z"],
            "2027-03-28T03:30:00+02:00",
        ),
        (json!({ "when": "next_slot" }), vec!["2027-03-01T09:30:00Z"], "2027-03-01T10:30:00+01:00"),
        (
            json!({ "when": fortnightly() }),
            vec!["2027-03-14T01:30:00Z", "2027-03-28T01:30:00Z"],
            "2027-03-14T02:30:00+01:00",
        ),
    ] {
        let answer = plan(&api, &draft, wish).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = answer.json();
        assert_eq!(moments(&shown), times);
        assert_eq!(
            (&shown["times"][0]["local"], &shown["time_zone"]),
            (&json!(local), &json!("Europe/Madrid"))
        );
        assert_eq!(shown["posts"], json!(times.len() * 2), "in two languages");
        assert_eq!(shown["digest"], json!(api.digest(&draft).await));
    }
    assert_eq!(api.platform.rows().await, before);
}

#[tokio::test]
async fn a_civil_time_is_approved_by_the_tenants_own_clocks() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    let wish = json!({ "when": { "civil": "2027-07-01T09:00:00" } });
    let answer = approve(&api, &draft, wish.clone()).await;
    assert_eq!(send_ats(&answer), ["2027-07-01T07:00:00Z"; 2]);
    // Long after, when it could not be planned any more: twice is one approval.
    api.platform.advance(SignedDuration::from_hours(24 * 200));
    assert_eq!(approve(&api, &draft, wish).await.json(), answer.json());
    let other = json!({ "when": { "civil": "2027-07-01T09:01" } });
    approve(&api, &draft, other).await.refused(409, &[]);
}

#[tokio::test]
async fn n15_n17_the_next_slot_is_approved_only_as_it_was_seen() {
    let api = in_madrid().await;
    let (one, other) = (draft(&api, 1).await, draft(&api, 2).await);
    let before = api.platform.rows().await;
    approve(&api, &one, json!({ "when": "next_slot" })).await.refused(422, &["times"]);
    let seen = moments(&plan(&api, &one, json!({ "when": "next_slot" })).await.json());
    let as_seen = json!({ "when": "next_slot", "times": seen });
    let wrong = json!({ "when": "next_slot", "times": ["2027-03-01T17:00:00Z"] });
    approve(&api, &one, wrong).await.refused(409, &[]);
    assert_eq!(api.platform.rows().await, before);

    let approved = approve(&api, &one, as_seen.clone()).await;
    assert_eq!(send_ats(&approved), ["2027-03-01T09:30:00Z"; 2]);
    assert_eq!(approve(&api, &one, as_seen.clone()).await.json(), approved.json(), "twice is once");

    // The slot is taken now, whoever saw it free.
    approve(&api, &other, as_seen).await.refused(409, &[]);
    let seen = moments(&plan(&api, &other, json!({ "when": "next_slot" })).await.json());
    assert_eq!(seen, ["2027-03-01T17:00:00Z"]);
    let answer = approve(&api, &other, json!({ "when": "next_slot", "times": seen })).await;
    assert_eq!(send_ats(&answer), ["2027-03-01T17:00:00Z"; 2]);
}

#[tokio::test]
async fn n15_n17_each_occurrence_that_was_seen_is_approved_on_its_own() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    approve(&api, &draft, json!({ "when": fortnightly() })).await.refused(422, &["times"]);
    let seen = moments(&plan(&api, &draft, json!({ "when": fortnightly() })).await.json());
    for wrong in [&seen[..1], &[seen[0].clone(), "2027-03-29T01:30:00Z".into()]] {
        let body = json!({ "when": fortnightly(), "times": wrong });
        approve(&api, &draft, body).await.refused(409, &[]);
    }
    let body = json!({ "when": fortnightly(), "times": seen });
    let answer = approve(&api, &draft, body.clone()).await;
    let expected = ["2027-03-14T01:30:00Z"; 2].into_iter().chain(["2027-03-28T01:30:00Z"; 2]);
    assert_eq!(send_ats(&answer), expected.collect::<Vec<_>>());
    let posts = answer.json()["posts"].as_array().unwrap().clone();
    let digests: BTreeSet<&str> =
        posts.iter().map(|p| p["approval"]["digest"].as_str().unwrap()).collect();
    assert_eq!(digests.len(), 4, "each approval names its own moment");
    for post in &posts {
        assert_eq!(
            (&post["state"], &post["digest"]),
            (&json!("approved"), &post["approval"]["digest"])
        );
    }
    let shown = api.get(&at(&draft)).by(&ada()).send().await.json();
    assert_eq!(shown["posts"].as_array().unwrap().len(), 4);

    let rows = api.platform.rows().await;
    assert_eq!(approve(&api, &draft, body).await.json(), answer.json(), "twice is once");
    assert_eq!(api.platform.rows().await, rows);
    // The first alone is something else.
    approve(&api, &draft, json!({ "at": seen[0] })).await.refused(409, &[]);
}

#[tokio::test]
async fn a_draft_has_80_posts_at_most_and_one_more_is_refused_before_any_is_made() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    let daily = |times: u32| {
        json!({ "when": { "recurrence": {
            "from": "2027-03-02", "at": "09:00", "rhythm": { "days": { "every": 1 } },
            "ends": { "times": times },
        } } })
    };
    let answer = plan(&api, &draft, daily(41)).await;
    answer.refused(422, &["when.recurrence.ends.times"]);
    assert!(answer.json()["errors"][0]["problem"].as_str().unwrap().contains("80 are the most"));
    let mut body = daily(41);
    body["times"] = json!(["2027-03-02T08:00:00Z"]);
    approve(&api, &draft, body).await.refused(422, &["when.recurrence.ends.times"]);
    let effects = async || {
        let rows = api.platform.rows().await;
        rows.iter().filter(|row| row.kind == RecordKind::Effect).count()
    };
    assert_eq!(effects().await, 0);

    let shown = plan(&api, &draft, daily(40)).await.json();
    assert_eq!(shown["posts"], 80);
    assert_eq!(shown["warnings"][0]["code"], "identical", "every day the same");
    let mut body = daily(40);
    body["times"] = json!(moments(&shown));
    assert_eq!(send_ats(&approve(&api, &draft, body).await).len(), 80);
    // All of them are withdrawn at once.
    let path = format!("{}/reject", at(&draft));
    assert_eq!(api.call("POST", &path).by(&ada()).send().await.status, 200);
    let rows = api.platform.rows().await;
    assert!(rows.iter().all(|row| row.kind != RecordKind::Effect || row.due.is_none()));
    assert_eq!(effects().await, 80);
}

#[tokio::test]
async fn what_cannot_be_planned_is_refused_by_its_place_in_the_request() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    let recurring = |rhythm: Value, ends: Value| {
        json!({ "when": { "recurrence": {
            "from": "2027-03-02", "at": "09:00", "rhythm": rhythm, "ends": ends,
        } } })
    };
    let days = |every: u32| json!({ "days": { "every": every } });
    for (wish, field) in [
        (json!({ "at": "2027-03-02T09:00:00Z", "when": "next_slot" }), "when"),
        (json!({ "at": "2027-03-01T08:00:00Z" }), "at"),
        (json!({ "at": "2030-03-01T08:00:00Z" }), "at"),
        (json!({ "when": { "civil": "2027-03-01T09:00" } }), "when.civil"),
        (json!({ "when": { "civil": "2027-03-02T09:00Z" } }), "when.civil"),
        (json!({ "when": { "civil": "2027-03-02T09:00+01:00" } }), "when.civil"),
        (json!({ "when": { "civil": "tomorrow" } }), "when.civil"),
        (json!({ "when": "someday" }), "when"),
        (json!({ "whenever": "next_slot" }), "whenever"),
        (recurring(days(0), json!({ "times": 2 })), "when.recurrence.rhythm.days.every"),
        (
            recurring(json!({ "weeks": { "every": 1, "on": [] } }), json!({ "times": 2 })),
            "when.recurrence.rhythm.weeks.on",
        ),
        (recurring(days(1), json!({ "times": 367 })), "when.recurrence.ends.times"),
        (recurring(days(1), json!({ "until": "2027-03-01" })), "when.recurrence.ends.until"),
    ] {
        plan(&api, &draft, wish.clone()).await.refused(422, &[field]);
        // A moment by itself is approved up to an hour late, and however far ahead.
        if field != "at" {
            approve(&api, &draft, wish).await.refused(422, &[field]);
        }
    }
    let no_slots = json!({ "time_zone": "Europe/Madrid" });
    assert_eq!(api.put("/v1/settings", no_slots).by(&ada()).send().await.status, 200);
    plan(&api, &draft, json!({ "when": "next_slot" })).await.refused(422, &["slots"]);
}

#[tokio::test]
async fn only_what_waits_for_approval_is_planned() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    api.approved(&draft).await;
    plan(&api, &draft, json!({})).await.refused(409, &[]);
}

/// A post of another draft that stands for the feed, with the English words of this one.
async fn neighbour(api: &Api, draft: &Draft, send_at: &str) {
    let proposed = nexus_engine::publishing::propose(draft, &Default::default()).posts.remove(0);
    let draft = nexus_engine::DraftId::derived(&["another"]);
    let plan = PostPlan { draft, send_at: send_at.parse().unwrap(), ..proposed };
    let digest = plan.digest();
    let id = EffectId::derived(&["neighbour", send_at]);
    let mut effect = Effect::proposed(id, plan, "usr", api.platform.now());
    let caller = people::caller(&ada());
    let approver = nexus_core::Approver::of(&caller).unwrap();
    nexus_core::approval::approve(&mut effect, approver, digest, api.platform.now()).unwrap();
    api.platform.put(&scope(), &effect).await;
}

#[tokio::test]
async fn a_person_is_warned_of_the_same_words_and_of_posts_close_by() {
    let api = in_madrid().await;
    let draft = draft(&api, 1).await;
    neighbour(&api, &draft, "2027-03-03T09:00:00Z").await;
    let codes = |notes: &Value, language: &str| -> Vec<String> {
        let of = notes.as_array().unwrap().iter().filter(|n| n["language"] == language);
        of.map(|n| n["code"].as_str().unwrap().to_owned()).collect()
    };
    let shown = plan(&api, &draft, json!({ "at": "2027-03-03T09:10:00Z" })).await.json();
    let warned = &shown["times"][0]["warnings"];
    assert_eq!(codes(warned, "en"), ["identical", "clashing"]);
    assert_eq!(codes(warned, "es"), ["clashing"]);
    assert_eq!((&warned[0]["place"], &warned[0]["network"]), (&json!("feed"), &json!("feed")));
    let shown = plan(&api, &draft, json!({ "at": "2027-03-10T09:00:01Z" })).await.json();
    assert_eq!(shown["times"][0]["warnings"], json!([]));

    let preflight = async |query: &str| {
        let path = format!("{}/preflight{query}", at(&draft));
        let answer = api.get(&path).by(&ada()).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let posts = answer.json()["posts"].as_array().unwrap().clone();
        let codes = |post: &Value| -> Vec<String> {
            let notes = post["warnings"].as_array().unwrap().iter();
            notes.map(|note| note["code"].as_str().unwrap().to_owned()).collect()
        };
        posts.iter().map(codes).collect::<Vec<_>>()
    };
    assert_eq!(preflight("").await, [vec!["identical"], vec![]], "now, two days before");
    let near = preflight("?at=2027-03-03T08:50:00Z").await;
    assert_eq!(near, [vec!["identical", "clashing"], vec!["clashing"]]);
    assert_eq!(preflight("?at=2027-03-11T09:00:00Z").await, [Vec::<String>::new(), vec![]]);
    let path = format!("{}/preflight?at=soon", at(&draft));
    api.get(&path).by(&ada()).send().await.refused(422, &["at"]);

    // What stands of the draft itself is no neighbour of it.
    let approved = json!({ "at": "2027-03-20T09:00:00Z" });
    assert_eq!(approve(&api, &draft, approved).await.status, 200);
    assert_eq!(preflight("?at=2027-03-20T09:00:00Z").await, [Vec::<String>::new(), vec![]]);
}
