//! What the measurements stand on: a database, addresses, links, and requests as browsers send them. All of it follows
//! from a seed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufWriter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use maxminddb_writer::Database;
use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;
use nexus_core::{Scope, Table};
use nexus_engine::clicks::{Agent, Click, ClickId, Place, Referrer, Spot, Visitor};
use nexus_engine::links::{Link, LinkCode};
use nexus_kernel::Timestamp;
use serde::Serialize;

use crate::Outcome;

/// How many addresses are looked up in a round.
const ADDRESSES: u32 = 100_000;
/// How many networks the generated database has, and how many places.
const NETWORKS: u32 = 200_000;
const PLACES: u32 = 20_000;
/// How many links are followed.
const LINKS: u32 = 50;

/// Where the tests' database stands.
pub(crate) fn test_database() -> PathBuf {
    nexus_bench::root().join("shared/geo/tests/data/GeoLite2-City-Test.mmdb")
}

/// A number that follows from another: splitmix64.
pub(crate) fn drawn(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The IPv4 network, a /24, of that number in the generated database.
fn network(number: u32) -> Ipv4Addr {
    // Spread over the first half of the addresses, without meeting.
    Ipv4Addr::from_bits((number * 41) << 8)
}

#[derive(Serialize)]
struct Named {
    geoname_id: u32,
    names: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Country {
    geoname_id: u32,
    iso_code: String,
    names: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Location {
    accuracy_radius: u16,
    latitude: f64,
    longitude: f64,
    time_zone: String,
}

#[derive(Serialize)]
struct Row {
    city: Named,
    continent: Named,
    country: Country,
    location: Location,
    registered_country: Country,
    subdivisions: Vec<Country>,
}

const LANGUAGES: [&str; 8] = ["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"];

fn row(number: u32) -> Row {
    let names = |of: &str, number: u32| -> BTreeMap<&'static str, String> {
        LANGUAGES
            .iter()
            .map(|language| (*language, format!("{of} {number} ({language})")))
            .collect()
    };
    let letter = |n: u32| char::from(b'A' + u8::try_from(n % 26).unwrap_or_default());
    let country = |number: u32, of: &str| Country {
        geoname_id: number,
        iso_code: [letter(number), letter(number / 26)].iter().collect(),
        names: names(of, number),
    };
    Row {
        city: Named { geoname_id: number, names: names("Town", number) },
        continent: Named { geoname_id: number % 7, names: names("Continent", number % 7) },
        country: country(number % 240, "Country"),
        location: Location {
            accuracy_radius: 20,
            latitude: f64::from(number % 1_700) / 10.0 - 85.0,
            longitude: f64::from(number % 3_500) / 10.0 - 175.0,
            time_zone: "Europe/London".to_owned(),
        },
        registered_country: country(number % 240, "Country"),
        subdivisions: vec![country(number % 3_000, "Part")],
    }
}

/// Writes a database of the shape of GeoLite2 City, as large as a test wants to wait for. Its records share nothing, where
/// MaxMind's point to names that they have in common.
pub(crate) fn write_database(to: &Path) -> Outcome<()> {
    let mut database = Database::default();
    database.metadata.ip_version = IpVersion::V6;
    database.metadata.database_type = "GeoLite2-City".to_owned();
    database.metadata.languages = LANGUAGES.map(str::to_owned).into();
    database.metadata.binary_format_major_version = 2;
    database.metadata.build_epoch = 1;
    database.metadata.description = HashMap::from([("en".to_owned(), "made up".to_owned())]);
    let mut places = Vec::new();
    for number in 0..PLACES {
        places.push(database.insert_value(row(number))?);
    }
    for number in 0..NETWORKS {
        let at = usize::try_from(drawn(u64::from(number)) % u64::from(PLACES))?;
        let address = IpAddr::V6(Ipv6Addr::from_bits(u128::from(network(number).to_bits())));
        let place = *places.get(at).ok_or("a place of this number")?;
        database.insert_node(IpAddrWithMask::new(address, 96 + 24), place);
    }
    database.write_to(BufWriter::new(File::create(to)?))?;
    Ok(())
}

/// Addresses of which most are in the database, and some are not.
pub(crate) fn addresses(database: &Path) -> Outcome<Vec<IpAddr>> {
    let reader = Reader::open_readfile(database)?;
    let mut networks = Vec::new();
    for found in reader.networks(Default::default())? {
        networks.push(found?.network()?);
    }
    let count = u64::try_from(networks.len())?;
    let mut addresses = Vec::new();
    for number in 0..u64::from(ADDRESSES) {
        let chance = drawn(number);
        let network = networks.get(usize::try_from(chance % count)?).ok_or("a network")?;
        let within = drawn(chance);
        addresses.push(match (number % 10, network.network()) {
            #[expect(clippy::cast_possible_truncation, reason = "half of a drawn number")]
            (0, _) => IpAddr::V4(Ipv4Addr::from_bits(within as u32)),
            (_, IpAddr::V4(first)) => {
                let size = 1_u64 << (32 - u32::from(network.prefix()));
                let bits = u64::from(first.to_bits()) + within % size;
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits)?))
            }
            (_, IpAddr::V6(first)) => {
                IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | u128::from(within >> 16)))
            }
        });
    }
    Ok(addresses)
}

/// The addresses as `geo_peer.c` reads them.
pub(crate) fn for_the_peer(addresses: &[IpAddr]) -> Vec<u8> {
    let mut all = Vec::with_capacity(addresses.len() * 17);
    for address in addresses {
        let mut one = [0; 17];
        match address {
            IpAddr::V4(four) => {
                one[0] = 4;
                one[1..5].copy_from_slice(&four.octets());
            }
            IpAddr::V6(six) => {
                one[0] = 6;
                one[1..].copy_from_slice(&six.octets());
            }
        }
        all.extend(one);
    }
    all
}

/// The code of that number: of letters that codes are made of.
pub(crate) fn code(number: u32) -> String {
    const LETTERS: &[u8; 10] = b"cdfhjknprt";
    let digits = format!("{:010}", number % LINKS);
    let letter = |digit: u8| char::from(LETTERS[usize::from(digit - b'0') % LETTERS.len()]);
    digits.bytes().map(letter).collect()
}

/// Writes the links.
pub(crate) async fn write_links(table: &dyn Table, scope: &Scope, now: Timestamp) -> Outcome<()> {
    for number in 0..LINKS {
        let code = LinkCode::parse(&code(number)).ok_or("a code of letters")?;
        let link = Link::to(code, format!("https://shop.example.com/goods/{number}"), now);
        table.commit(link.ops(scope).into(), None).await?;
    }
    Ok(())
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
];
const REFERRERS: [&str; 4] = [
    "https://www.tiktok.com/",
    "https://t.co/abc",
    "https://mastodon.social/@shop/1",
    "https://news.example.com/a",
];

/// Requests as browsers send them, in turn: one of a link, from one of these addresses.
pub(crate) fn requests(addresses: &[IpAddr]) -> Vec<Vec<u8>> {
    let request = |(number, address): (u32, &IpAddr)| {
        let chance = drawn(u64::from(number));
        let agent = AGENTS[(chance % 6) as usize];
        let referrer = REFERRERS[(chance / 6 % 4) as usize];
        format!(
            "GET /c/{} HTTP/1.1\r\nHost: l.example.com\r\nUser-Agent: {agent}\r\nAccept: text/html,*/*;q=0.8\r\n\
             Accept-Language: en-GB,en;q=0.9\r\nReferer: {referrer}\r\nX-Forwarded-For: {address}\r\n\r\n",
            code(number)
        )
        .into_bytes()
    };
    (0..).zip(addresses.iter().take(5_000)).map(request).collect()
}

/// The click of that number, as `click-track` tells of it: by which program is read from its text.
pub(crate) fn click(id: ClickId, number: u32, at: Timestamp) -> Click {
    let chance = drawn(u64::from(number));
    let pick = |most: u64, of: u64| chance / of % most;
    Click {
        id,
        at,
        link: code(number),
        post: None,
        place: Place::Spot(Spot {
            country: Some(["GB", "ES", "US", "MX"][pick(4, 1) as usize].to_owned()),
            region: Some(format!("R{}", pick(20, 4))),
            city: Some(format!("Town {}", pick(500, 80))),
            tenths: Some([515, -1]),
        }),
        agent: Agent { text: AGENTS[pick(6, 7) as usize].to_owned(), ..Agent::default() },
        referrer: Some(Referrer { host: "www.tiktok.com".to_owned(), path: "/".to_owned() }),
        visitor: Visitor(chance.to_be_bytes()),
        bot: None,
        head: false,
        no_accept: false,
    }
}
