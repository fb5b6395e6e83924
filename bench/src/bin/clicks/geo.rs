//! Look-ups of a country's code and a town's name, beside libmaxminddb's.

use std::fs;
use std::hint::black_box;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use maxminddb::{Reader, path};
use nexus_bench::spread::Spread;
use nexus_engine::clicks::{Locator, Place};
use nexus_geo::Database;
use nexus_kernel::{ClientIp, Timestamp};

use crate::{Outcome, ground, process};

/// How often each is measured, by turns.
const RUNS: usize = 9;

/// Compiles the peer; `None`, with a word about it, where this machine has no libmaxminddb.
fn peer(folder: &Path) -> Option<PathBuf> {
    let (source, program) = (folder.join("geo_peer.c"), folder.join("geo_peer"));
    fs::write(&source, include_str!("geo_peer.c")).ok()?;
    let built = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(&source)
        .arg("-lmaxminddb")
        .output()
        .ok()?;
    built.status.success().then_some(program)
}

pub(crate) fn run(folder: &Path) -> Outcome<()> {
    println!(
        "Geographic look-ups: a country's code and a town's English name, ns of processor time each"
    );
    let peer = peer(folder);
    if peer.is_none() {
        println!(
            "  libmaxminddb is not there to be compared with: apt-get install libmaxminddb-dev"
        );
    }
    let larger = folder.join("larger.mmdb");
    ground::write_database(&larger)?;
    for (name, file) in
        [("MaxMind's test database", ground::test_database()), ("a generated one", larger)]
    {
        let bytes = fs::read(&file)?;
        let size = bytes.len() as f64 / 1e6;
        let addresses = ground::addresses(&file)?;
        compare(
            &format!("{name}, {size:.1} MB"),
            &file,
            bytes,
            &addresses,
            peer.as_deref(),
            folder,
        )?;
    }
    Ok(())
}

fn compare(
    name: &str,
    file: &Path,
    bytes: Vec<u8>,
    addresses: &[IpAddr],
    peer: Option<&Path>,
    folder: &Path,
) -> Outcome<()> {
    let list = folder.join("addresses");
    fs::write(&list, ground::for_the_peer(addresses))?;
    let reader = Reader::from_source(bytes.clone())?;
    let database = Database::open(bytes, Timestamp::UNIX_EPOCH)?;
    let (mut fields, mut places, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ours_found, mut theirs_found) = (0, 0);
    for _ in 0..RUNS {
        let (each, found) = timed(addresses, |address| two_fields(&reader, *address));
        fields.push(each);
        ours_found = found;
        places.push(timed(addresses, |address| located(&database, *address)).0);
        if let Some(peer) = peer {
            // The first round fills the caches, as a run of ours before did for us.
            let (each, found) = their_round(peer, file, &list)?;
            theirs.push(each);
            theirs_found = found;
        }
    }
    println!("  {name}, {} addresses", addresses.len());
    row("country and town (maxminddb, decode_path)", &fields, &theirs);
    row("the whole place (nexus-geo: 5 fields, owned)", &places, &theirs);
    if peer.is_some() {
        row("country and town (libmaxminddb)", &theirs, &[]);
        if ours_found != theirs_found {
            return Err(
                format!("they found {theirs_found} bytes where we found {ours_found}").into()
            );
        }
    }
    Ok(())
}

fn row(what: &str, runs: &[f64], peer: &[f64]) {
    let Some(spread) = Spread::of(runs) else { return };
    let most = runs.iter().copied().fold(0.0, f64::max);
    let ratio = Spread::of(peer).map_or(String::new(), |peer| {
        format!("   {:.0} % of libmaxminddb's speed", 100.0 * peer.median / spread.median)
    });
    println!(
        "    {what:<46} median {:>6.0}  least {:>6.0}  most {most:>6.0}{ratio}",
        spread.median, spread.min
    );
}

/// Nanoseconds of this process for each address, and how many bytes of text were found.
fn timed(addresses: &[IpAddr], look_up: impl Fn(&IpAddr) -> usize) -> (f64, usize) {
    let begun = process::own_seconds();
    let found = addresses.iter().map(|address| black_box(look_up(address))).sum();
    ((process::own_seconds() - begun) * 1e9 / addresses.len() as f64, found)
}

fn two_fields(reader: &Reader<Vec<u8>>, address: IpAddr) -> usize {
    let Ok(found) = reader.lookup(address) else { return 0 };
    let country = found.decode_path::<&str>(&path!["country", "iso_code"]);
    let town = found.decode_path::<&str>(&path!["city", "names", "en"]);
    [country, town].into_iter().flatten().flatten().map(str::len).sum()
}

fn located(database: &Database, address: IpAddr) -> usize {
    match database.locate(ClientIp::new(address)) {
        Place::Spot(spot) => spot.country.map_or(0, |country| country.len()),
        Place::Unlocated => 0,
    }
}

/// Two rounds of the peer: the second one's time, and what it found.
fn their_round(peer: &Path, file: &Path, list: &Path) -> Outcome<(f64, usize)> {
    let out = Command::new(peer).arg(file).arg(list).arg("2").output()?;
    let told = String::from_utf8(out.stdout)?;
    let each = told.lines().nth(1).and_then(|line| line.parse().ok());
    let found = told.lines().nth(2).and_then(|line| line.strip_prefix("found ")?.parse().ok());
    Ok(each.zip(found).ok_or("libmaxminddb's program said nothing")?)
}
