//! The arrows between the rooms, and what each room never holds. Most of it the crates make impossible; this walks
//! the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::sources;

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(sources::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}

/// The workspace crates that a workspace crate depends on, without the optional ones and without tests'.
fn arrows(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let ours: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|p| p.name.to_string()).collect();
    let of = |p: &&cargo_metadata::Package| {
        let deps =
            p.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal && !d.optional);
        (p.name.to_string(), deps.map(|d| d.name.clone()).filter(|n| ours.contains(n)).collect())
    };
    metadata.workspace_packages().iter().map(of).collect()
}

#[test]
fn each_room_depends_only_on_the_rooms_it_may() {
    let metadata = metadata();
    let arrows = arrows(&metadata);
    let functions: BTreeSet<String> = metadata
        .workspace_packages()
        .iter()
        .filter(|p| p.manifest_path.as_str().contains("/functions/"))
        .map(|p| p.name.to_string())
        .collect();
    let allowed = |room: &str| -> Option<Vec<&str>> {
        Some(match room {
            "nexus-kernel" => vec![],
            "nexus-core" => vec!["nexus-kernel"],
            "nexus-engine" | "nexus-handler" | "nexus-contract" | "nexus-vault" => {
                vec!["nexus-kernel", "nexus-core"]
            }
            // The ledger is a part of the way out, and stands in the table.
            "nexus-outbound" => vec!["nexus-kernel", "nexus-core"],
            "nexus-vendors-engine" => {
                vec!["nexus-kernel", "nexus-core", "nexus-engine", "nexus-outbound"]
            }
            "nexus-embedded" => vec!["nexus-kernel", "nexus-core", "nexus-vault"],
            // The products' ports, never their rules.
            "nexus-aws" => vec!["nexus-kernel", "nexus-core", "nexus-engine", "nexus-vault"],
            "nexus-media" => vec![],
            "nexus-geo" => vec!["nexus-kernel", "nexus-engine"],
            "nexus-stand-in" => vec!["nexus-kernel", "nexus-engine", "nexus-offline"],
            "nexus-offline" => vec!["nexus-kernel", "nexus-core", "nexus-engine", "nexus-media"],
            "nexus-lambda" => vec!["nexus-kernel", "nexus-core", "nexus-handler"],
            "nexus-testkit" => vec![
                "nexus-kernel",
                "nexus-core",
                "nexus-engine",
                "nexus-handler",
                "nexus-contract",
            ],
            name if functions.contains(name) => {
                vec!["nexus-kernel", "nexus-core", "nexus-engine", "nexus-handler", "nexus-media"]
            }
            _ => return None,
        })
    };
    let mut wrong = Vec::new();
    for (room, to) in &arrows {
        let Some(allowed) = allowed(room) else { continue };
        wrong.extend(
            to.iter().filter(|t| !allowed.contains(&t.as_str())).map(|t| format!("{room} → {t}")),
        );
    }
    assert!(wrong.is_empty(), "arrows that must not be: {wrong:?}");
}

/// All crates that a crate needs to be built, as cargo resolves them.
fn tree(package: &str, more: &[&str]) -> String {
    let out = Command::new(env!("CARGO"))
        .current_dir(sources::root())
        .args(["tree", "--offline", "-p", package, "-e", "normal", "--prefix", "none"])
        .args(more)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn has(tree: &str, name: &str) -> bool {
    tree.lines().any(|line| line.split(' ').next() == Some(name))
}

#[test]
fn the_host_compiles_no_aws_sdk() {
    let tree = tree("nexus-local", &[]);
    let sdk: Vec<&str> =
        tree.lines().filter(|l| l.starts_with("aws-sdk") || l.starts_with("aws-config")).collect();
    assert!(sdk.is_empty(), "{sdk:?}");
    assert!(has(&tree, "rusqlite"), "the question is asked of the right crate");
}

#[test]
fn the_rules_know_no_runtime_no_http_and_no_sdk() {
    for room in ["nexus-kernel", "nexus-core", "nexus-engine"] {
        let tree = tree(room, &[]);
        for stranger in
            ["tokio", "reqwest", "axum", "hyper", "lambda_runtime", "rusqlite", "aws-config"]
        {
            assert!(!has(&tree, stranger), "{room} needs {stranger}");
        }
    }
}

#[test]
fn functions_know_no_adapter() {
    for package in metadata()
        .workspace_packages()
        .iter()
        .filter(|p| p.manifest_path.as_str().contains("/functions/"))
    {
        let tree = tree(&package.name, &["--no-default-features"]);
        for stranger in [
            "nexus-embedded",
            "nexus-aws",
            "nexus-offline",
            "nexus-lambda",
            "nexus-outbound",
            "nexus-vendors-engine",
            "reqwest",
            "rusqlite",
            "lambda_runtime",
        ] {
            assert!(!has(&tree, stranger), "{} needs {stranger}", package.name);
        }
    }
}

#[test]
fn n35_one_room_speaks_http_to_third_parties() {
    let metadata = metadata();
    let knows = |package: &&&cargo_metadata::Package| {
        let direct = |d: &cargo_metadata::Dependency| d.kind == DependencyKind::Normal;
        package.dependencies.iter().any(|d| d.name == "reqwest" && direct(d))
    };
    let packages = metadata.workspace_packages();
    let rooms: Vec<&str> = packages.iter().filter(knows).map(|p| p.name.as_str()).collect();
    assert_eq!(rooms, ["nexus-outbound"]);
}

/// Where a word may stand outside tests: a prefix of the file's path.
const WORDS: &[(&str, &[&str])] = &[
    // Keys are formed from a scope, the directory or a sweep.
    ("Key::stored(", &["shared/core/", "shared/embedded/", "shared/aws/", "shared/contract/"]),
    (
        "BlobKey::stored(",
        &[
            "shared/core/",
            "shared/embedded/",
            "shared/aws/",
            "shared/contract/",
            "shared/handler/src/s3_notice.rs",
            "infra/local/src/",
        ],
    ),
    // Claims are made by an entrance that has checked a token.
    (
        "Claims {",
        &[
            "shared/core/src/scope.rs",
            "shared/lambda/src/claims.rs",
            "infra/local/src/issuer.rs",
            // The suites need somebody whose secrets they are.
            "shared/contract/",
            "shared/testkit/",
            // Rooms below the testkit.
            "shared/core/tests/",
            "shared/outbound/src/outbound/tests.rs",
        ],
    ),
    // A message is opened where batches are read.
    (
        "Envelope::open",
        &["shared/core/src/envelope.rs", "shared/handler/src/batch.rs", "shared/testkit/"],
    ),
    // Only functions that sweep begin a sweep.
    (
        "Sweep::begin",
        &[
            "shared/core/src/sweep.rs",
            "functions/listen/",
            "functions/recount/",
            "functions/refresh/",
            "functions/relay/",
            "functions/retention-sweep/",
            // The feed shows what became of all posts of its machine.
            "infra/local/src/feed/lives.rs",
        ],
    ),
    // The process's environment is read where a process begins.
    ("std::env::var", &["infra/local/src/cli/mod.rs", "shared/lambda/src/start.rs"]),
];

#[test]
fn some_words_stand_only_in_their_rooms() {
    let mut wrong = Vec::new();
    for (file, text) in sources::rust_files() {
        let is_test = file.contains("/tests/")
            || file.ends_with("tests.rs")
            || file.starts_with("tests/")
            || file.starts_with("bench/");
        if is_test {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (word, rooms) in WORDS {
            let word_is_there = code.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//")
                    && line.match_indices(word).any(|(at, _)| {
                        // `BlobKey::stored` is not `Key::stored`.
                        !line.split_at(at).0.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    })
            });
            if word_is_there && !rooms.iter().any(|room| file.starts_with(room)) {
                wrong.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_says_what_it_is_for() {
    for package in metadata().workspace_packages() {
        let description = package.description.clone().unwrap_or_default();
        assert!(!description.is_empty(), "{} has no description", package.name);
        let lib = package.targets.iter().find(|t| t.is_lib());
        let Some(lib) = lib else { continue };
        let text = std::fs::read_to_string(&lib.src_path).unwrap();
        assert!(
            text.starts_with("//! "),
            "{} does not say in its first line what it is for",
            package.name
        );
    }
}

#[test]
fn n4_uploaded_media_is_read_by_the_content_line_alone() {
    let mut readers = BTreeSet::new();
    for (file, text) in sources::rust_files() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let asks = ["Area::In", "Area::Media", "Area::ALL"].iter().any(|area| code.contains(area));
        if let (true, Some(function)) =
            (asks && !file.contains("/tests/"), file.strip_prefix("functions/"))
        {
            readers.insert(function.split('/').next().unwrap_or_default().to_owned());
        }
    }
    // What makes and schedules content (`footage` and `publish`: of the one rendition that a person approved), what a
    // person asks of their own media, and what forgets them.
    let line = ["animate", "engine-api", "footage", "ingest", "publish", "retention-sweep", "tag"];
    assert_eq!(readers.iter().map(String::as_str).collect::<Vec<_>>(), line);
}

/// What MaxMind licenses is destroyed when it is old, and a repository forgets nothing. Its test's database is given away.
#[test]
fn the_repository_holds_no_geographic_database_but_the_tests_own() {
    let mut git = Command::new("git");
    let listed = git.args(["ls-files", "-z", "--", ":(icase)*.mmdb*"]);
    let listed = listed.current_dir(sources::root()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let listed: Vec<&str> = listed.split_terminator('\0').collect();
    assert_eq!(listed, ["shared/geo/tests/data/GeoLite2-City-Test.mmdb"]);
}
