//! Asking: what is kept, what is refused, what is told.

use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;
use nexus_core::effect::EffectId;
use nexus_core::{Record, RecordKind};
use nexus_engine::Hop;
use nexus_engine::hops::ToJudge;
use nexus_engine::inquiries::{self, InquiryState, Origin};
use nexus_engine::links::{Link, LinkCode};
use nexus_handler::{Function, Wire};
use nexus_retention_sweep::RetentionSweep;
use nexus_testkit::{build, people};

use crate::house::{House, filled, form, scope};

#[tokio::test]
async fn n12_what_is_kept_of_an_inquiry_is_exactly_what_was_promised() {
    let house = House::new().await;
    let code = LinkCode::parse("BCDFGHJKMN").unwrap();
    let link = Link::to(code, "https://bakery.example/loaf", house.platform.now());
    let link = Link { post: Some(EffectId::derived(&["post"])), ..link };
    house.platform.put(&scope(), &link).await;
    let opened = house.get("?from=BCDFGHJKMN").await;
    assert!(opened.text.contains("name=\"from\" value=\"BCDFGHJKMN\""));
    house.platform.advance(SignedDuration::from_secs(5));
    let stamp = opened.opened();
    let mut fields = filled("Is it <b>vegan</b>?\r\nBcc: all@example.org", &stamp).to_vec();
    fields.push(("from", "BCDFGHJKMN"));
    let answer = house.post(&fields, Some("203.0.113.9")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text.contains("Thank you") && answer.text.contains("grace@example.org"));

    let rows = house.platform.rows().await;
    let row = rows.iter().find(|row| row.kind == RecordKind::Inquiry).unwrap();
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap();
    let kept: std::collections::BTreeSet<&str> =
        body.as_object().unwrap().keys().map(String::as_str).collect();
    // Name, address, message; product, time, the post or link; and how far the tenant's people came.
    let promised = ["at", "email", "from", "id", "message", "name", "product", "state"];
    assert_eq!(kept, promised.into());
    let [inquiry] = house.inquiries().await.try_into().unwrap();
    assert_eq!(inquiry.message.reveal(), "Is it <b>vegan</b>?\nBcc: all@example.org");
    assert_eq!((inquiry.product, inquiry.state), (build::product_id(1), InquiryState::New));
    assert_eq!(inquiry.from, Some(Origin { link: link.code.to_string(), post: link.post }));
    assert!(!format!("{inquiry:?}").contains("Grace"));
    let kinds: std::collections::BTreeSet<_> = rows.iter().map(|row| row.kind.name()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["account", "claim", "inquiry", "inquiry-trace", "link", "product"]
    );

    // n24, its first half: it is handed to whoever tells how it sounds, as an id.
    let letters = house.platform.letters::<ToJudge>(Hop::Sentiment);
    assert_eq!(letters, [(scope(), ToJudge::Inquiry(inquiry.id))]);
    assert!(!house.platform.waiting(Hop::Sentiment)[0].body.to_lowercase().contains("grace"));
}

#[tokio::test]
async fn a_link_that_is_not_the_tenants_own_is_dropped() {
    let house = House::new().await;
    let code = LinkCode::parse("BCDFGHJKMN").unwrap();
    let link = Link::to(code, "https://bakery.example/loaf", house.platform.now());
    let link = Link { post: Some(EffectId::derived(&["post"])), ..link };
    house.platform.put(&people::scope(people::tenant(2)), &link).await;
    for (number, from) in ["BCDFGHJKMN", "../x", "", "<b>", &"B".repeat(65)].into_iter().enumerate()
    {
        let (opened, message) = (house.opened().await, format!("Question {number}"));
        let mut fields = filled(&message, &opened).to_vec();
        fields.push(("from", from));
        assert_eq!(house.post(&fields, None).await.status, 200, "{from}");
    }
    let kept = house.inquiries().await;
    assert!(kept.len() == 5 && kept.iter().all(|inquiry| inquiry.from.is_none()));
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_each_field_and_what_was_typed_stays() {
    let house = House::new().await;
    let opened = house.opened().await;
    let fields = [
        ("name", "Ada\r\nBcc: all@example.org"),
        ("email", "ada@\"><script>"),
        ("message", "</textarea><script>alert(1)</script>"),
        ("opened", &opened),
        ("lang", "es"),
    ];
    let answer = house.post(&fields, None).await;
    assert_eq!((answer.status, answer.header("content-language")), (422, "es"));
    for shown in [
        "<title>Error: Sourdough",
        "role=\"alert\"",
        "href=\"#name\"",
        "href=\"#email\"",
        "href=\"#consent\"",
        "id=\"name-said\"",
        "aria-describedby=\"email-said email-hint\"",
        "aria-invalid=\"true\"",
        "Escribe una dirección",
        "&#60;/textarea&#62;&#60;script&#62;alert(1)",
    ] {
        assert!(answer.text.contains(shown), "{shown}: {}", answer.text);
    }
    assert!(!answer.text.contains("message-said"), "nothing is wrong with the message");
    assert_eq!(answer.opened(), opened, "nobody waits again for a mistake");
    assert!(house.inquiries().await.is_empty());
    assert!(house.platform.waiting(Hop::Sentiment).is_empty());
}

#[tokio::test]
async fn a_program_that_fills_in_every_field_or_sends_at_once_is_asked_again() {
    let house = House::new().await;
    let opened = house.opened().await;
    let mut fields = filled("Buy now", &opened);
    fields[4].1 = "https://spam.example";
    let answer = house.post(&fields, None).await;
    assert_eq!(answer.status, 422);
    assert!(!answer.text.contains("spam.example") && answer.text.contains("people do not see"));

    // Too quick; a person presses once more.
    let opened = house.get("").await.opened();
    house.platform.advance(SignedDuration::from_millis(2_999));
    let answer = house.post(&filled("Quick", &opened), None).await;
    assert!(answer.status == 422 && answer.text.contains("very quick"), "{answer:?}");
    house.platform.advance(SignedDuration::from_millis(1));
    assert_eq!(house.post(&filled("Quick", &answer.opened()), None).await.status, 200);

    // A form holds for twelve hours, over midnight too.
    house.platform.advance(SignedDuration::from_hours(14));
    let opened = house.get("").await.opened();
    house.platform.advance(SignedDuration::from_hours(12));
    assert_eq!(house.post(&filled("Late", &opened), None).await.status, 200);
    house.platform.advance(SignedDuration::from_millis(1));
    let stale = house.post(&filled("Later", &opened), None).await;
    assert!(stale.status == 422 && stale.text.contains("open for a long time"), "{stale:?}");
    assert_ne!(stale.opened(), opened, "the form that comes back can be sent");
    house.platform.advance(SignedDuration::from_secs(3));
    assert_eq!(house.post(&filled("Later", &stale.opened()), None).await.status, 200);
    assert_eq!(house.inquiries().await.len(), 3);
}

#[tokio::test]
async fn the_moment_of_opening_cannot_be_made_up() {
    let house = House::new().await;
    let real = house.opened().await;
    let (millis, mac) = real.split_once('.').unwrap();
    let earlier = millis.parse::<i64>().unwrap() - 1;
    let mut bent = mac.to_owned();
    bent.replace_range(0..1, if mac.starts_with('0') { "1" } else { "0" });
    let other = people::scope(people::tenant(2));
    let code = crate::house::settle(&house.platform, &other).await;
    let elsewhere = House { code, router: house.router.clone(), platform: house.platform.clone() };
    let of_another_page = elsewhere.opened().await;
    for forged in [
        "",
        ".",
        "x",
        millis,
        &format!("{earlier}.{mac}"),
        &format!("{millis}.{bent}"),
        &format!("{millis}."),
        &format!("{}.{mac}", i64::MAX),
        &format!("-{millis}.{mac}"),
        &of_another_page,
    ] {
        let answer = house.post(&filled("Forged", forged), None).await;
        assert_eq!(answer.status, 422, "{forged}");
    }
    assert!(house.inquiries().await.is_empty());
    assert_eq!(house.post(&filled("Real", &real), None).await.status, 200);
}

#[tokio::test]
async fn a_body_beyond_its_bound_is_refused_in_a_sentence() {
    let house = House::new().await;
    let opened = house.opened().await;
    let longest = "🍞".repeat(2_000);
    let body = form(&filled(&longest, &opened));
    assert!(body.len() < nexus_inquire::MAX_FORM_BYTES, "{}", body.len());
    assert_eq!(house.send(house.posting(body, None)).await.status, 200);
    for bytes in [nexus_inquire::MAX_FORM_BYTES + 1, 10 * 1024 * 1024] {
        let answer = house.send(house.posting("a".repeat(bytes), None)).await;
        assert!(answer.status == 413 && answer.text.contains("too long"), "{bytes}");
        let request = Request::post(house.at()).header("content-type", "application/json");
        let request = request.header("accept", "application/json");
        let answer = house.send(request.body(Body::from(vec![b'['; bytes])).unwrap()).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (413, "application/problem+json")
        );
        assert_eq!(answer.json()["status"], 413);
    }
    for kind in ["multipart/form-data; boundary=x", "text/plain", ""] {
        let request = Request::post(house.at()).header("content-type", kind);
        assert_eq!(house.send(request.body(Body::from("x")).unwrap()).await.status, 415, "{kind}");
    }
    assert_eq!(house.inquiries().await.len(), 1);
}

#[tokio::test]
async fn the_same_question_within_an_hour_is_one() {
    let house = House::new().await;
    let opened = house.opened().await;
    for email in ["grace@example.org", " GRACE@example.ORG "] {
        let mut fields = filled("Is it vegan?", &opened);
        fields[1].1 = email;
        let answer = house.post(&fields, Some("203.0.113.9")).await;
        assert!(answer.status == 200 && answer.text.contains("Thank you"));
    }
    assert_eq!(house.inquiries().await.len(), 1);
    assert_eq!(house.platform.waiting(Hop::Sentiment).len(), 1);
    let mut other = filled("Is it vegan?", &opened);
    other[1].1 = "ada@example.org";
    house.post(&other, Some("203.0.113.9")).await;
    assert_eq!(house.inquiries().await.len(), 2, "somebody else asks the same");

    house.platform.advance(SignedDuration::from_mins(60) - SignedDuration::from_millis(1));
    house.post(&filled("Is it vegan?", &opened), None).await;
    assert_eq!(house.inquiries().await.len(), 2);
    house.platform.advance(SignedDuration::from_millis(1));
    house.post(&filled("Is it vegan?", &opened), None).await;
    assert_eq!(house.inquiries().await.len(), 3, "what was asked an hour ago may be asked again");
}

#[tokio::test]
async fn n51_an_inquiry_is_kept_for_a_year_and_then_gone_at_once_and_swept() {
    // The testkit's clock begins on 1 March 2027: the year that follows has a 29 February, and 366 days.
    let house = House::new().await;
    house.ask("Is it vegan?").await;
    let [inquiry] = house.inquiries().await.try_into().unwrap();
    let find = async || {
        let (table, now) = (&house.platform.table, house.platform.now());
        inquiries::find(table, &scope(), inquiry.id, now).await.is_ok()
    };
    let sweep = async || {
        let deps = RetentionSweep::wire(&house.platform, &house.platform.env()).unwrap();
        let event = serde_json::from_str("{}").unwrap();
        RetentionSweep::new(deps).handle(event, house.platform.invocation()).await.unwrap()
    };
    let until = inquiry.expires().unwrap();
    assert_eq!(until.duration_since(inquiry.at).as_hours(), 366 * 24);
    house.platform.advance(SignedDuration::from_hours(364 * 24));
    sweep().await;
    assert!(find().await, "kept at day 364");
    let left = until.duration_since(house.platform.now());
    house.platform.advance(left - SignedDuration::from_millis(1));
    sweep().await;
    assert!(find().await, "kept until the last millisecond");
    house.platform.advance(SignedDuration::from_millis(1));
    assert!(!find().await, "gone at once");
    assert_eq!(house.inquiries().await.len(), 1, "though the row still stands");
    sweep().await;
    assert!(house.inquiries().await.is_empty());
    let rows = house.platform.rows().await;
    assert!(rows.iter().all(|row| row.kind != RecordKind::InquiryTrace), "{rows:?}");
}
