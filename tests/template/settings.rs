//! Every setting that a function reads is set in the template, and every one that is set is read.
//!
//! What has to be there, a function tells itself when it is wired with nothing. What may be left out it reads in
//! silence, so the names are taken from its source. What a part of the platform reads, or a vendor that stands behind it,
//! whoever takes that part has to be told.

use std::collections::BTreeSet;

use nexus_handler::Env;
use nexus_local::functions;
use nexus_local::template::plan::Plan;
use nexus_testkit::RecordingPlatform;
use nexus_testkit::recording::Taken;
use nexus_vendors_engine::suite;

use super::policies::taken;
use super::{binaries, plan};
use crate::sources;

/// What is read and not set in the template: in which function (`*`: in each), which, and why that is right.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    ("*", "AWS_REGION", "Lambda sets it"),
    ("*", "SCRATCH", "a function's only place for files is /tmp, which is the default"),
    ("*", "THREADS", "the default suits the memory that the functions have"),
    ("*", "BUS", "the account's own bus is the default"),
    ("*", "OUTBOUND_OPEN", "a function on AWS reaches public addresses alone"),
    ("*", "TIKTOK_AUTHORIZE_BASE", "the page on which people agree is TikTok's own"),
    ("*", "X_AUTHORIZE_BASE", "the page on which people agree is X's own"),
    ("EngineApiFunction", "PUT_AT_ONCE_BYTES", "the default is S3's measure; less is for trials"),
    ("IngestFunction", "FFMPEG", "photos need none; recordings go to a function of their own"),
];

/// The settings that the sources below a folder read, by name.
fn named_in(folder: &str) -> BTreeSet<String> {
    let files = sources::rust_files();
    let below = files.iter().filter(|(file, _)| file.starts_with(&format!("{folder}/src/")));
    below.flat_map(|(_, text)| named(text)).collect()
}

/// The settings that a source reads: words in capitals beside a reader of settings.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let reading = lines.split(';').filter(|s| s.contains("settings.") || s.contains("env.get("));
    let words = reading.flat_map(|statement| statement.split('"').skip(1).step_by(2));
    let capitals = |word: &&str| {
        word.len() > 2
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    words.filter(capitals).map(str::to_owned).collect()
}

/// What a function says that it misses when nothing is set.
fn missed(name: &str) -> BTreeSet<String> {
    let make = functions::named(name).unwrap();
    match make(&RecordingPlatform::new(), &Env::default()) {
        Ok(_) => BTreeSet::new(),
        Err(error) => error
            .0
            .iter()
            .map(|problem| problem.strip_suffix(" is not set").unwrap_or(problem).to_owned())
            .collect(),
    }
}

/// The vendors that stand behind a part of the platform, by the beginnings of their settings.
fn behind(part: &Taken) -> &'static [&'static str] {
    match part {
        Taken::Copywriters => &["GEMINI_"],
        Taken::Voices => &["ELEVENLABS_"],
        Taken::FootageMakers => &["VEO_", "RUNWAY_", "LUMA_"],
        Taken::Logins | Taken::Publishers | Taken::Listeners => &["TIKTOK_", "X_"],
        _ => &[],
    }
}

/// What the vendors behind a part of the platform read.
fn of_vendors(part: &Taken) -> impl Iterator<Item = &'static str> {
    let vendors = behind(part);
    let of_all = (!vendors.is_empty()).then_some(suite::OPEN_SETTING);
    let theirs = suite::names().filter(move |name| vendors.iter().any(|v| name.starts_with(*v)));
    theirs.chain(of_all)
}

/// What the platform itself reads for a part. The rest of its settings it reads in every function.
fn of_platform(part: &Taken) -> &'static [&'static str] {
    match part {
        Taken::Vault(_) => &["TOKENS"],
        Taken::Logins | Taken::Publishers | Taken::Listeners => &["KEYS", "TOKENS"],
        Taken::Copywriters => &["KEYS", "COPYWRITER"],
        Taken::Voices => &["KEYS", "VOICE_EN", "VOICE_ES"],
        Taken::FootageMakers => &["KEYS", "FOOTAGE"],
        Taken::Mail => &["MAIL_FROM", "MAIL_EVENTS"],
        Taken::Locator => &["GEO_DATABASE"],
        _ => &[],
    }
}

/// The settings of parts.
const OF_PARTS: &[&str] = &[
    "TOKENS",
    "KEYS",
    "COPYWRITER",
    "VOICE_EN",
    "VOICE_ES",
    "FOOTAGE",
    "MAIL_FROM",
    "MAIL_EVENTS",
    "GEO_DATABASE",
];

/// What is read and not set, set and not read, or read by nobody: a line each.
fn wrong(plan: &Plan) -> Vec<String> {
    let (binaries, mut platform) = (binaries(), named_in("infra/aws"));
    assert!(platform.contains("TABLE"), "the platform's settings are found: {platform:?}");
    for name in OF_PARTS {
        assert!(platform.remove(*name), "nobody reads {name}");
    }
    let (mut wrong, mut somewhere) = (Vec::new(), BTreeSet::<&str>::new());
    for function in &plan.functions {
        let mut read = missed(&function.name);
        read.extend(named_in(&binaries[&function.name]));
        read.extend(platform.iter().cloned());
        let taken = taken(function);
        let of_parts = taken.iter().flat_map(of_platform);
        read.extend(of_parts.map(|name| (*name).to_owned()));
        let vendors: BTreeSet<&str> = taken.iter().flat_map(of_vendors).collect();
        read.extend(vendors.iter().map(|name| (*name).to_owned()));
        somewhere.extend(vendors);
        let set: BTreeSet<String> = function.env.keys().cloned().collect();
        let left_out = |name: &&String| {
            LEFT_OUT.iter().any(|(f, n, _)| (*f == "*" || *f == function.id) && n == name)
        };
        let unset = read.difference(&set).filter(|name| !left_out(name));
        wrong.extend(unset.map(|name| format!("{} reads {name}, which is not set", function.id)));
        let unread = set.difference(&read);
        wrong.extend(unread.map(|name| format!("{} does not read {name}", function.id)));
    }
    let nowhere = suite::names().filter(|name| !somewhere.contains(name));
    wrong.extend(nowhere.map(|name| format!("no part of the platform reads {name}")));
    wrong
}

#[test]
fn every_setting_that_is_read_is_set_and_every_one_that_is_set_is_read() {
    let wrong = wrong(&plan());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_setting_of_a_part_that_is_missing_or_too_much_is_told() {
    for name in OF_PARTS {
        let mut plan = plan();
        let mut wanted = BTreeSet::new();
        for function in &mut plan.functions {
            if function.env.remove(*name).is_some() {
                wanted.insert(format!("{} reads {name}, which is not set", function.id));
            } else {
                function.env.insert((*name).to_owned(), String::new());
                wanted.insert(format!("{} does not read {name}", function.id));
            }
        }
        assert_eq!(wrong(&plan).into_iter().collect::<BTreeSet<_>>(), wanted);
    }
}

#[test]
fn settings_are_found_in_a_source() {
    let source = r#"
        let tag = settings.queue("TAG_QUEUE");
        let [a, b] = ["ONE", "TWO2"].map(|name| settings.text(name));
        // settings.text("NOT_THIS")
        let method = "POST";
        Deps { tool: env.get("TOOL").and_then(|p| find(p, "lower")) }
        #[cfg(test)]
        fn test() { env.get("NOR_THIS"); }
    "#;
    assert_eq!(named(source), ["ONE", "TAG_QUEUE", "TOOL", "TWO2"].map(str::to_owned).into());
}
