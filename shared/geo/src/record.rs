//! What is read of a record. Every field of MaxMind's may be missing; the others are passed over without being read.

use maxminddb::geoip2;
use nexus_engine::clicks::{Place, Spot};
use serde::Deserialize;

/// The parts of a record that a place is made of, as they lie in the database.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Record<'d> {
    #[serde(borrow)]
    city: Named<'d>,
    country: Coded<'d>,
    location: Location,
    /// The largest first.
    subdivisions: Largest<'d>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'d> {
    #[serde(borrow)]
    names: English<'d>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct English<'d> {
    en: Option<&'d str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Coded<'d> {
    iso_code: Option<&'d str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// The code of the first in a list of parts of a country; the others are passed over.
#[derive(Debug, Default)]
struct Largest<'d>(Option<&'d str>);

impl<'de: 'd, 'd> Deserialize<'de> for Largest<'d> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> serde::de::Visitor<'de> for First {
            type Value = Option<&'de str>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of the parts of a country")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut parts: A,
            ) -> Result<Self::Value, A::Error> {
                let first = parts.next_element::<Coded<'de>>()?;
                while parts.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(first.and_then(|first| first.iso_code))
            }
        }
        d.deserialize_seq(First).map(Self)
    }
}

impl Record<'_> {
    /// Whether the town has no English name: it may have one in another language.
    pub(crate) fn lacks_english(&self) -> bool {
        self.city.names.en.is_none()
    }

    /// The place, with this name of the town where it has no English one.
    pub(crate) fn place(&self, other_name: Option<&str>) -> Place {
        let said = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
        let spot = Spot {
            country: said(self.country.iso_code),
            region: said(self.subdivisions.0),
            city: said(self.city.names.en.or(other_name)),
            tenths: self.location.tenths(),
        };
        if spot == Spot::default() { Place::Unlocated } else { Place::Spot(spot) }
    }
}

impl Location {
    /// Both coordinates in tenths of a degree, where both are there and on the globe.
    fn tenths(&self) -> Option<[i16; 2]> {
        Some([tenths(self.latitude?, 90.0)?, tenths(self.longitude?, 180.0)?])
    }
}

/// Degrees in whole tenths (N11); nothing where they lie beyond `most` to either side.
fn tenths(degrees: f64, most: f64) -> Option<i16> {
    if !(-most..=most).contains(&degrees) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 1,800 to either side")]
    let tenths = (degrees * 10.0).round() as i16;
    Some(tenths)
}

/// The name in the first language that there is one in: Spanish before the others, since the house speaks it.
pub(crate) fn any_name<'d>(names: &geoip2::Names<'d>) -> Option<&'d str> {
    let all = [
        names.spanish,
        names.french,
        names.german,
        names.brazilian_portuguese,
        names.russian,
        names.japanese,
        names.simplified_chinese,
    ];
    all.into_iter().flatten().find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn n11_a_tenth_of_a_degree_is_the_finest_that_is_told() {
        for (degrees, told) in [
            (51.5142, Some(515)),
            (-0.0931, Some(-1)),
            (0.049, Some(0)),
            (-0.05, Some(-1)),
            (180.0, Some(1_800)),
            (-180.0, Some(-1_800)),
            (180.1, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(tenths(degrees, 180.0), told, "{degrees}");
        }
        assert_eq!(tenths(90.1, 90.0), None);
    }

    #[test]
    fn one_coordinate_alone_is_no_place() {
        let half = Location { latitude: Some(51.5), longitude: None };
        assert_eq!(half.tenths(), None);
        assert!(Record::default().place(None).is_unlocated());
    }

    #[test]
    fn a_town_without_an_english_name_has_another() {
        let names = geoip2::Names { german: Some("Köln"), ..Default::default() };
        assert_eq!(any_name(&names), Some("Köln"));
        let names = geoip2::Names { german: Some("Köln"), spanish: Some("Colonia"), ..names };
        assert_eq!(any_name(&names), Some("Colonia"));
        let Place::Spot(spot) = Record::default().place(Some("Colonia")) else { unreachable!() };
        assert_eq!(spot.city.as_deref(), Some("Colonia"));
    }

    proptest! {
        #[test]
        fn n11_what_is_told_is_never_further_than_half_a_tenth_from_what_was_read(
            latitude in -90.0..=90.0_f64,
            longitude in -180.0..=180.0_f64,
        ) {
            let read = Location { latitude: Some(latitude), longitude: Some(longitude) };
            let [north, east] = read.tenths().unwrap();
            for (told, degrees) in [(north, latitude), (east, longitude)] {
                prop_assert!((f64::from(told) / 10.0 - degrees).abs() <= 0.05 + 1e-9);
            }
        }
    }
}
