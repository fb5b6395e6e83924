use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::Expression;

fn parse(text: &str) -> Expression {
    Expression::parse(text).unwrap()
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next `count` moments after `after`, as the zone's clock shows them.
fn due(expression: &str, after: &str, zone: &str, count: usize) -> Vec<String> {
    let (expression, zone) = (parse(expression), TimeZone::get(zone).unwrap());
    let first = expression.next_after(utc(after), &zone);
    std::iter::successors(first, |moment| expression.next_after(*moment, &zone))
        .take(count)
        .map(|moment| moment.to_zoned(zone.clone()).strftime("%F %a %H:%M %:z").to_string())
        .collect()
}

fn due_in_utc(expression: &str, after: &str, count: usize) -> Vec<String> {
    due(expression, after, "UTC", count)
        .into_iter()
        .map(|line| line.trim_end_matches(" +00:00").to_owned())
        .collect()
}

#[test]
fn what_aws_refuses_is_refused() {
    for refused in [
        "",
        "rate",
        "every hour",
        "rate()",
        "rate(1 hours)",
        "rate(1 days)",
        "rate(2 hour)",
        "rate(0 minutes)",
        "rate(-5 minutes)",
        "rate(+5 minutes)",
        "rate(05 minutes)",
        "rate(1.5 hours)",
        "rate(5  minutes)",
        "rate(5minutes)",
        "rate(5 weeks)",
        "rate(30 seconds)",
        "rate(99999999999 days)",
        "rate(5 minutes",
        " rate(5 minutes)",
        "Rate(5 minutes)",
        "cron()",
        "cron(* * * * * *)",
        "cron(0 3 ? * ? *)",
        "cron(0 3 * * MON *)",
        "cron(0 3 * * ?)",
        "cron(0 0 3 * * ? *)",
        "cron(0  3 * * ? *)",
        "cron(60 3 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 3 0 * ? *)",
        "cron(0 3 32 * ? *)",
        "cron(0 3 * 13 ? *)",
        "cron(0 3 * FOO ? *)",
        "cron(0 3 ? * 0 *)",
        "cron(0 3 ? * 8 *)",
        "cron(0 3 ? * MON/2 *)",
        "cron(0 3 ? * 3#6 *)",
        "cron(0 3 ? * 3#1,6#3 *)",
        "cron(0 3 ? * L,MON *)",
        "cron(0 3 15W,L * ? *)",
        "cron(0 3 * * ? 1969)",
        "cron(0 3 * * ? 2200)",
        "cron(0 3 * * ? 2030-2028)",
        "cron(? 3 * * ? *)",
        "cron(0/0 * * * ? *)",
        "cron(0/61 * * * ? *)",
        "cron(/5 * * * ? *)",
        "cron(5, * * * ? *)",
        "cron(*,5 * * * ? *)",
        "cron(+5 * * * ? *)",
        "cron(5-10-15 * * * ? *)",
        "cron(0 3 L-3 * ? *)",
        "at(2027-01-01)",
        "at(2027-1-1T00:00:00)",
        "at(2027-02-30T00:00:00)",
        "at(2027-01-01T00:00:00Z)",
    ] {
        assert!(Expression::parse(refused).is_err(), "`{refused}` was taken");
    }
}

#[test]
fn a_refusal_says_what_to_write() {
    let told = |text| Expression::parse(text).unwrap_err().to_string();
    assert_eq!(told("rate(1 hours)"), "`rate(1 hours)` is no schedule: AWS wants `rate(1 hour)`");
    assert_eq!(
        told("rate(5 minute)"),
        "`rate(5 minute)` is no schedule: AWS wants `rate(5 minutes)`"
    );
    assert!(told("cron(* * * * * *)").contains("exactly one of day-of-month and day-of-week"));
}

#[test]
fn the_examples_of_the_user_guide_mean_what_it_says() {
    let monday = "2027-03-01T00:00:00Z";
    let cases: &[(&str, &[&str])] = &[
        ("cron(0 10 * * ? *)", &["2027-03-01 Mon 10:00", "2027-03-02 Tue 10:00"]),
        ("cron(15 12 * * ? *)", &["2027-03-01 Mon 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", &["2027-03-01 Mon 18:00", "2027-03-02 Tue 18:00"]),
        ("cron(0 8 1 * ? *)", &["2027-03-01 Mon 08:00", "2027-04-01 Thu 08:00"]),
        ("cron(0/15 * * * ? *)", &["2027-03-01 Mon 00:15", "2027-03-01 Mon 00:30"]),
        ("cron(0/10 * ? * MON-FRI *)", &["2027-03-01 Mon 00:10"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", &["2027-03-01 Mon 08:00", "2027-03-01 Mon 08:05"]),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            &["2027-03-01 Mon 00:30", "2027-03-01 Mon 01:00", "2027-03-01 Mon 01:30"],
        ),
        ("cron(15 10 ? * 6L 2026-2028)", &["2027-03-26 Fri 10:15", "2027-04-30 Fri 10:15"]),
        ("cron(0 9 ? * 2#1 *)", &["2027-03-01 Mon 09:00", "2027-04-05 Mon 09:00"]),
        ("cron(0 9 ? * 3#2 *)", &["2027-03-09 Tue 09:00"]),
        ("cron(0 12 L * ? *)", &["2027-03-31 Wed 12:00", "2027-04-30 Fri 12:00"]),
        (
            "cron(0 12 LW * ? *)",
            &["2027-03-31 Wed 12:00", "2027-04-30 Fri 12:00", "2027-05-31 Mon 12:00"],
        ),
        ("cron(0 12 6W * ? *)", &["2027-03-05 Fri 12:00", "2027-04-06 Tue 12:00"]),
        ("cron(0 12 ? * L *)", &["2027-03-06 Sat 12:00"]),
        ("cron(0 12 ? * 1 *)", &["2027-03-07 Sun 12:00"]),
        ("cron(0 12 ? * FRI-MON *)", &["2027-03-01 Mon 12:00", "2027-03-05 Fri 12:00"]),
        ("cron(0 0 29 FEB ? *)", &["2028-02-29 Tue 00:00", "2032-02-29 Sun 00:00"]),
        ("cron(0 0 1 JAN ? */2)", &["2028-01-01 Sat 00:00", "2030-01-01 Tue 00:00"]),
        ("cron(5/20 6 1,15 3-4 ? 2027)", &["2027-03-01 Mon 06:05", "2027-03-01 Mon 06:25"]),
        ("at(2027-03-04T05:06:07)", &["2027-03-04 Thu 05:06"]),
    ];
    for (expression, expected) in cases {
        assert_eq!(due_in_utc(expression, monday, expected.len()), *expected, "{expression}");
    }
}

#[test]
fn what_is_over_is_never_due_again() {
    for (expression, after) in [
        ("cron(0 0 1 1 ? 2026)", "2026-01-01T00:00:00Z"),
        ("cron(0 0 30 2 ? *)", "2027-01-01T00:00:00Z"),
        ("cron(0 0 1 1 ? *)", "2199-01-01T00:00:00Z"),
        ("at(2027-01-01T00:00:00)", "2027-01-01T00:00:00Z"),
    ] {
        assert_eq!(parse(expression).next_after(utc(after), &TimeZone::UTC), None, "{expression}");
    }
    assert_eq!(parse("rate(1 day)").next_after(Timestamp::MAX, &TimeZone::UTC), None);
}

#[test]
fn spring_leaves_out_what_its_clock_never_shows() {
    assert_eq!(
        due("cron(30 2 * * ? *)", "2027-03-13T12:00:00Z", "America/New_York", 2),
        ["2027-03-15 Mon 02:30 -04:00", "2027-03-16 Tue 02:30 -04:00"],
        "14 March has no 02:30"
    );
    assert_eq!(
        due("cron(0/30 * * * ? *)", "2027-03-28T00:15:00Z", "Europe/Madrid", 3),
        [
            "2027-03-28 Sun 01:30 +01:00",
            "2027-03-28 Sun 03:00 +02:00",
            "2027-03-28 Sun 03:30 +02:00"
        ]
    );
    assert_eq!(
        due("at(2027-03-28T02:30:00)", "2027-03-01T00:00:00Z", "Europe/Madrid", 1),
        Vec::<String>::new()
    );
}

#[test]
fn autumn_repeats_nothing() {
    assert_eq!(
        due("cron(30 1 * * ? *)", "2027-11-07T00:00:00Z", "America/New_York", 2),
        ["2027-11-07 Sun 01:30 -04:00", "2027-11-08 Mon 01:30 -05:00"]
    );
    assert_eq!(
        due("cron(0/30 * * * ? *)", "2027-11-07T05:15:00Z", "America/New_York", 2),
        ["2027-11-07 Sun 01:30 -04:00", "2027-11-07 Sun 02:00 -05:00"]
    );
    assert_eq!(
        due("rate(1 day)", "2027-11-07T04:00:00Z", "America/New_York", 1),
        ["2027-11-07 Sun 23:00 -05:00"],
        "a day of a rate has 24 hours"
    );
}

fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(0x5C4E_D01E),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn moments() -> impl Strategy<Value = Timestamp> {
    // 2000 to 2100, nanoseconds too
    (946_684_800i64..4_102_444_800, 0i32..1_000_000_000)
        .prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

fn zones() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Madrid",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
    ])
    .prop_map(|name| TimeZone::get(name).unwrap())
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_rate_is_exact(after in moments(), count in 1u32..5_000, unit in 0usize..3, zone in zones()) {
        let (name, minutes) = [("minute", 1), ("hour", 60), ("day", 1_440)][unit];
        let plural = if count == 1 { "" } else { "s" };
        let due = parse(&format!("rate({count} {name}{plural})")).next_after(after, &zone).unwrap();
        prop_assert_eq!(due.duration_since(after), SignedDuration::from_mins(minutes * i64::from(count)));
    }

    /// Checked minute by minute: what it names is due on the clock, and nothing between was left out.
    #[test]
    fn cron_is_strictly_after_and_the_first(
        after in moments(),
        minute in 0i8..60,
        step in 1i8..60,
        from in 0i8..24,
        to in 0i8..24,
        zone in zones(),
    ) {
        let matches = |wall: DateTime| {
            let hour = if from <= to { (from..=to).contains(&wall.hour()) } else { wall.hour() >= from || wall.hour() <= to };
            hour && wall.minute() >= minute && (wall.minute() - minute) % step == 0
        };
        let due = parse(&format!("cron({minute}/{step} {from}-{to} * * ? *)")).next_after(after, &zone).unwrap();
        prop_assert!(due > after);
        let wall = zone.to_datetime(due);
        prop_assert!(matches(wall) && wall.second() == 0 && wall.subsec_nanosecond() == 0);

        let mut earlier = due.checked_sub(1.minute()).unwrap();
        while earlier > after {
            let wall = zone.to_datetime(earlier);
            let first_coming = zone.to_ambiguous_timestamp(wall).earlier().unwrap() == earlier;
            prop_assert!(!(matches(wall) && first_coming), "{} was left out", wall);
            earlier = earlier.checked_sub(1.minute()).unwrap();
        }
    }

    #[test]
    fn no_text_panics(text in "(rate|cron|at)?\\(?[0-9A-Z ?*,/#LW:T-]{0,30}\\)?") {
        if let Ok(expression) = Expression::parse(&text) {
            expression.next_after(utc("2027-01-01T00:00:00Z"), &TimeZone::UTC);
        }
    }
}
