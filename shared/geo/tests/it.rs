//! MaxMind's test database, looked up address by address, and broken in every way.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use nexus_engine::clicks::{Locator, Place, Spot};
use nexus_geo::{Database, Installed, MOST_AGE, OpenError, Status};
use nexus_kernel::ClientIp;
use nexus_kernel::ambient::ManualClock;
use proptest::prelude::*;
use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn bytes() -> Vec<u8> {
    fs::read(data("GeoLite2-City-Test.mmdb")).unwrap()
}

/// A day after the test database was built, by its own word.
fn young() -> Timestamp {
    let built = Database::open(bytes(), Timestamp::UNIX_EPOCH).unwrap().built();
    built.checked_add(SignedDuration::from_hours(24)).unwrap()
}

fn database() -> Database {
    Database::open(bytes(), young()).unwrap()
}

fn locate(locator: &dyn Locator, address: &str) -> Place {
    locator.locate(ClientIp::new(address.parse().unwrap()))
}

fn spot(place: Place) -> Spot {
    match place {
        Place::Spot(spot) => spot,
        Place::Unlocated => panic!("it was found nowhere"),
    }
}

/// A network of the source data: its first and last address, and a few between.
fn addresses(network: &str) -> Vec<IpAddr> {
    let (address, length) = network.split_once('/').unwrap();
    let length: u32 = length.parse().unwrap();
    let spread = |first: u128, width: u32| {
        let last = first | (!0_u128).checked_shr(128 - width).unwrap_or(0);
        let between = [1, 2, 3, 5, 7].map(|n| first + (last - first) / 8 * n);
        [first, last].into_iter().chain(between)
    };
    match address.parse().unwrap() {
        IpAddr::V4(address) => spread(u128::from(address.to_bits()), 32 - length)
            .map(|bits| Ipv4Addr::from_bits(u32::try_from(bits).unwrap()).into())
            .collect(),
        IpAddr::V6(address) => spread(address.to_bits(), 128 - length)
            .map(|bits| Ipv6Addr::from_bits(bits).into())
            .collect(),
    }
}

/// What the source data says of a network, in our words.
fn expected(record: &Value) -> Spot {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let tenths = |value: &Value| {
        #[expect(clippy::cast_possible_truncation, reason = "degrees of the source data")]
        value.as_f64().map(|degrees| (degrees * 10.0).round() as i16)
    };
    let at = &record["location"];
    Spot {
        country: text(&record["country"]["iso_code"]),
        region: text(&record["subdivisions"][0]["iso_code"]),
        city: text(&record["city"]["names"]["en"]),
        tenths: tenths(&at["latitude"]).zip(tenths(&at["longitude"])).map(|(n, e)| [n, e]),
    }
}

#[test]
fn n9_every_network_of_the_test_database_is_where_its_source_says() {
    let source = fs::read(data("GeoLite2-City-Test.json")).unwrap();
    let source: Vec<BTreeMap<String, Value>> = serde_json::from_slice(&source).unwrap();
    let (database, mut looked_up) = (database(), 0);
    for (network, record) in source.iter().flatten() {
        for address in addresses(network) {
            let found = spot(database.locate(ClientIp::new(address)));
            assert_eq!(found, expected(record), "{address} of {network}");
            looked_up += 1;
        }
    }
    assert_eq!((source.len(), looked_up), (242, 242 * 7));
}

#[test]
fn n9_a_known_address_has_its_known_place() {
    let database = database();
    let place = |country: &str, region: Option<&str>, city: Option<&str>, tenths| Spot {
        country: Some(country.to_owned()),
        region: region.map(str::to_owned),
        city: city.map(str::to_owned),
        tenths: Some(tenths),
    };
    for (address, wanted) in [
        ("81.2.69.142", place("GB", Some("ENG"), Some("London"), [515, -1])),
        // The largest of two parts.
        ("2.125.160.216", place("GB", Some("ENG"), Some("Boxford"), [518, -13])),
        ("216.160.83.56", place("US", Some("WA"), Some("Milton"), [473, -1_223])),
        // As an IPv6 socket tells of an IPv4 client.
        ("::ffff:81.2.69.142", place("GB", Some("ENG"), Some("London"), [515, -1])),
    ] {
        assert_eq!(spot(locate(&database, address)), wanted, "{address}");
    }
    for nowhere in ["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "255.255.255.255"] {
        assert!(locate(&database, nowhere).is_unlocated(), "{nowhere}");
    }
}

#[test]
fn n11_what_is_told_of_a_place_has_no_digit_beyond_the_tenth() {
    let told = serde_json::to_value(locate(&database(), "81.2.69.142")).unwrap();
    let all = serde_json::json!({"spot": {
        "country": "GB", "region": "ENG", "city": "London", "tenths": [515, -1],
    }});
    assert_eq!(told, all, "and no postal code, no radius, no network");
}

#[test]
fn who_is_shown_a_place_is_told_whose_data_it_is() {
    let told = database().attribution().unwrap();
    let sentence = "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com";
    assert!(told.starts_with(sentence), "{told}");
}

#[test]
fn a_database_is_used_for_thirty_days_and_no_longer() {
    let built = database().built();
    let last = built.checked_add(MOST_AGE).unwrap();
    assert!(Database::open(bytes(), last).is_ok());
    let after = last.checked_add(SignedDuration::from_millis(1)).unwrap();
    let refused = Database::open(bytes(), after).unwrap_err();
    assert!(matches!(refused, OpenError::Stale(_)), "{refused}");
    assert!(refused.to_string().contains("nexus geo install"), "{refused}");
}

/// The test database with this text of its head replaced by one as long.
fn altered(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes();
    let at = bytes.windows(from.len()).rposition(|window| window == from.as_bytes()).unwrap();
    bytes.splice(at..at + to.len(), to.bytes());
    bytes
}

#[test]
fn every_refusal_says_what_to_do() {
    for (bytes, told) in [
        (b"no database".to_vec(), "no MaxMind database"),
        (Vec::new(), "no MaxMind database"),
        (bytes().split_at(9_000).0.to_vec(), "only a part of one"),
        (altered("GeoLite2-City", "GeoLite2-Town"), "`GeoLite2-Town`"),
    ] {
        let refused = Database::open(bytes, young()).unwrap_err().to_string();
        assert!(refused.contains(told) && refused.contains("download"), "{refused}");
    }
    let sold = Database::open(altered("GeoLite2-City", "GeoLite2-City"), young());
    assert!(sold.unwrap().verify().is_ok());
}

#[test]
fn n9_without_a_database_nobody_is_located_and_a_new_one_is_seen_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(nexus_geo::FILE_NAME);
    let clock = ManualClock::at(young());
    let installed = Installed::at(&file, Arc::new(clock.clone()));
    assert_eq!(installed.status(), Status::Absent);
    assert!(locate(&installed, "81.2.69.142").is_unlocated());
    assert_eq!(installed.attribution(), None);

    // Put there as an installation does it.
    let beside = folder.path().join("new");
    fs::write(&beside, bytes()).unwrap();
    fs::rename(&beside, &file).unwrap();
    let Status::Used(day) = installed.look() else { panic!("{:?}", installed.status()) };
    assert_eq!(spot(locate(&installed, "81.2.69.142")).city.as_deref(), Some("London"));
    assert!(installed.attribution().unwrap().contains(&day.to_string()));

    // Broken by a copy that was cut short: the one in memory is used on.
    fs::write(&file, b"cut short").unwrap();
    assert!(matches!(installed.look(), Status::Unusable(_)));
    assert!(!locate(&installed, "81.2.69.142").is_unlocated());

    // That one grows too old: nobody is located, and the file is still the one that cannot be used.
    clock.move_to(clock_after(young(), MOST_AGE));
    assert!(locate(&installed, "81.2.69.142").is_unlocated());
    assert!(matches!(installed.status(), Status::Unusable(_)), "{:?}", installed.status());
    assert_eq!(installed.attribution(), None);

    fs::remove_file(&file).unwrap();
    assert_eq!(installed.look(), Status::Absent);
}

#[test]
fn n9_a_database_that_grows_too_old_is_not_used_from_that_moment_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(nexus_geo::FILE_NAME);
    fs::write(&file, bytes()).unwrap();
    let clock = ManualClock::at(young());
    let installed = Installed::at(&file, Arc::new(clock.clone()));
    let Status::Used(day) = installed.status() else { panic!("{:?}", installed.status()) };

    // Whether or not anybody has looked at the file since.
    clock.move_to(clock_after(young(), MOST_AGE));
    let stale = (Status::Stale(day), None);
    assert_eq!((installed.status(), installed.attribution()), stale);
    assert!(locate(&installed, "81.2.69.142").is_unlocated());
    assert_eq!((installed.look(), installed.attribution()), stale);
}

fn clock_after(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap()
}

#[test]
fn an_old_file_is_not_used_and_is_not_read_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(nexus_geo::FILE_NAME);
    fs::write(&file, bytes()).unwrap();
    let clock = ManualClock::at(clock_after(young(), MOST_AGE));
    let installed = Installed::at(&file, Arc::new(clock));
    assert!(matches!(installed.status(), Status::Stale(_)), "{:?}", installed.status());
    assert!(locate(&installed, "81.2.69.142").is_unlocated());
}

/// Looks a few addresses up: in the database and not in it, of both sorts.
fn exercise(bytes: Vec<u8>) {
    let Ok(database) = Database::open(bytes, young()) else { return };
    database.verify().ok();
    for address in
        ["81.2.69.142", "2.125.160.216", "214.78.0.1", "2001:218::1", "2a02:cf40::", "1.1.1.1"]
    {
        locate(&database, address);
    }
    database.attribution();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_address_has_a_place_or_none(bits: u128, small: u32) {
        let database = database();
        for address in [IpAddr::from(Ipv6Addr::from_bits(bits)), Ipv4Addr::from_bits(small).into()] {
            if let Place::Spot(spot) = database.locate(ClientIp::new(address)) {
                prop_assert!(spot.tenths.is_none_or(|[n, e]| n.abs() <= 900 && e.abs() <= 1_800));
            }
        }
    }

    #[test]
    fn a_part_of_a_file_never_panics(part in 0.0..1.0_f64) {
        let mut bytes = bytes();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of a length")]
        let length = (bytes.len() as f64 * part) as usize;
        bytes.truncate(length);
        exercise(bytes);
    }

    #[test]
    fn a_part_that_kept_its_head_never_panics(cut in 0_usize..21_000) {
        let bytes = bytes();
        let kept = bytes.get(cut..).unwrap_or_default().to_vec();
        exercise(kept);
    }

    #[test]
    fn flipped_bits_never_panic(flips in proptest::collection::vec((0_usize..21_088, 0_u32..8), 1..40)) {
        let mut bytes = bytes();
        for (at, bit) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        exercise(bytes);
    }

    #[test]
    fn flipped_bits_in_the_head_never_panic(flips in proptest::collection::vec((0_usize..400, 0_u32..8), 1..6)) {
        let mut bytes = bytes();
        let length = bytes.len();
        for (back, bit) in flips {
            if let Some(byte) = bytes.get_mut(length - 1 - back) {
                *byte ^= 1 << bit;
            }
        }
        exercise(bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>) {
        exercise(bytes);
    }
}
