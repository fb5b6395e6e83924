//! How many come from one source, and to one page.

use jiff::SignedDuration;
use nexus_core::RecordKind;
use nexus_engine::EnginePlatform;
use nexus_engine::day_salts::Use;
use nexus_engine::days::day_of;
use nexus_engine::inquiries::{FROM_ONE_SOURCE, ON_ONE_PAGE, Salts};
use nexus_engine::platform::Access;
use nexus_kernel::ClientIp;
use nexus_testkit::{MemoryPlatform, build};

use crate::house::{House, filled, scope};

#[tokio::test]
async fn one_source_is_bounded_and_others_are_not() {
    let house = House::new().await;
    let opened = house.opened().await;
    let send = async |number: i64, from: Option<&str>| {
        let message = format!("Question {number} of {from:?}");
        house.post(&filled(&message, &opened), from).await
    };
    for number in 0..FROM_ONE_SOURCE {
        assert_eq!(send(number, Some("203.0.113.9")).await.status, 200);
    }
    let refused = send(99, Some("203.0.113.9")).await;
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 429 && (1..=600).contains(&wait), "{refused:?}");
    assert!(
        refused.text.contains("Question 99") && refused.text.contains("not kept"),
        "{refused:?}"
    );
    // The same machine by another spelling; another machine; another machine of one household's network.
    assert_eq!(send(99, Some("::ffff:203.0.113.9")).await.status, 429);
    assert_eq!(send(99, Some("203.0.113.10")).await.status, 200);
    for number in 0..FROM_ONE_SOURCE {
        let one_of_many = format!("2001:db8:1:2::{number:x}");
        assert_eq!(send(number, Some(&one_of_many)).await.status, 200);
    }
    assert_eq!(send(99, Some("2001:db8:1:2:ffff::1")).await.status, 429);
    assert_eq!(send(99, Some("2001:db8:1:3::1")).await.status, 200);
    // Those of whom nothing is known are one source.
    for number in 0..FROM_ONE_SOURCE {
        assert_eq!(send(number, None).await.status, 200);
    }
    assert_eq!(send(99, None).await.status, 429);

    house.platform.advance(SignedDuration::from_secs(wait));
    assert_eq!(send(99, Some("203.0.113.9")).await.status, 200, "after the wait there is room");
}

#[tokio::test]
async fn a_thousand_in_a_minute_are_bounded_and_what_was_accepted_is_there() {
    let house = House::new().await;
    let opened = house.opened().await;
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for number in 0..1_000 {
        let message = format!("Question {number}");
        let from = format!("198.51.{}.{}", number / 250, number % 250);
        let answer = house.post(&filled(&message, &opened), Some(&from)).await;
        match answer.status {
            200 => accepted.push(message),
            429 => {
                let wait: u64 = answer.header("retry-after").parse().unwrap();
                assert!((1..=60).contains(&wait), "{wait}");
                refused += 1;
            }
            other => panic!("{other}"),
        }
        // 1,000 of them within 55 seconds, of one minute by the clock.
        house.platform.advance(SignedDuration::from_millis(if number % 2 == 0 { 50 } else { 49 }));
    }
    assert_eq!(i64::try_from(accepted.len()).unwrap(), ON_ONE_PAGE);
    assert_eq!(refused, 1_000 - accepted.len());
    let mut kept: Vec<_> =
        house.inquiries().await.iter().map(|inquiry| inquiry.message.reveal().clone()).collect();
    kept.sort();
    accepted.sort();
    assert_eq!(kept, accepted);
}

#[tokio::test]
async fn every_trace_is_gone_within_the_hour() {
    let house = House::new().await;
    house.ask("Is it vegan?").await;
    let rows = house.platform.rows().await;
    let traces: Vec<_> = rows.iter().filter(|row| row.kind == RecordKind::InquiryTrace).collect();
    assert_eq!(traces.len(), 3);
    for trace in traces {
        let lives = trace.expires.unwrap().duration_since(house.platform.now());
        assert!(lives <= SignedDuration::from_hours(1), "{trace:?}");
        assert!(trace.due.is_some(), "the sweep finds it: {trace:?}");
    }
}

#[tokio::test]
async fn n10_a_source_is_another_word_on_the_next_day() {
    let platform = MemoryPlatform::new();
    let vault = platform.vault(Access::Write);
    let process = || Salts::new(platform.vault(Access::Write), platform.ambient());
    let address = ClientIp::new([203, 0, 113, 9].into());
    let (one, other) = (process(), process());
    let today = one.source(Some(address)).await.unwrap();
    assert_eq!(other.source(Some(address)).await.unwrap(), today, "every process knows the same");
    let name = Use::Inquiries.name(day_of(platform.now())).unwrap();
    let held = vault.read(&name, nexus_core::vault::Freshness::Fresh).await.unwrap();
    assert!(held.is_some(), "the sweep destroys it by this name");
    let day = SignedDuration::from_hours(24);
    platform.advance(day);
    let tomorrow = one.source(Some(address)).await.unwrap();
    assert_ne!(tomorrow, today);
    assert_eq!(other.source(Some(address)).await.unwrap(), tomorrow);
    platform.advance(day);
    assert_ne!(one.source(Some(address)).await.unwrap(), tomorrow);
}

#[tokio::test]
async fn n10_a_question_is_known_again_by_a_keyed_digest_alone() {
    let house = House::new().await;
    house.ask("Is it vegan?").await;
    let bare = {
        let owner = scope().owner().to_string();
        let product = build::product_id(1).to_string();
        let parts = [&*owner, &product, "grace@example.org", "Is it vegan?"];
        nexus_kernel::Digest::of_parts(parts.map(str::as_bytes)).to_hex()
    };
    let names = async || -> Vec<String> {
        let rows = house.platform.rows().await;
        let traces = rows.iter().filter(|row| row.kind == RecordKind::InquiryTrace);
        let same = traces.filter(|row| row.key.sk().starts_with("same#"));
        same.map(|row| row.key.sk().to_owned()).collect()
    };
    let [name] = names().await.try_into().unwrap();
    assert!(!name.contains(&bare), "whoever has the table could try what somebody asked");
    house.platform.advance(SignedDuration::from_hours(24));
    house.ask("Is it vegan?").await;
    let names = names().await;
    assert!(names.len() == 2 && names.iter().any(|other| *other != name), "{names:?}");
}

#[tokio::test]
async fn the_same_question_before_and_after_midnight_is_one_for_an_hour() {
    let house = House::new().await;
    // It is 09:00.
    house.platform.advance(SignedDuration::from_mins(14 * 60 + 50));
    house.ask("Is it vegan?").await;
    house.platform.advance(SignedDuration::from_mins(20));
    house.ask("Is it vegan?").await;
    assert_eq!(house.inquiries().await.len(), 1);
    house.platform.advance(SignedDuration::from_mins(45));
    house.ask("Is it vegan?").await;
    assert_eq!(house.inquiries().await.len(), 2, "an hour later it is another question");
}
