//! `nexus` as a person at a terminal meets it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::sources;

fn nexus(data: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nexus-under-test"))
        .current_dir(sources::root())
        .args(args)
        .args(if args.contains(&"--help") {
            vec![]
        } else {
            vec!["--data", data.to_str().unwrap()]
        })
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_names_every_command_and_mistakes_end_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let help = nexus(folder.path(), &["--help"]);
    assert!(help.status.success());
    for command in ["serve", "demo", "invoke", "token", "approve", "status", "redrive", "doctor"] {
        assert!(out(&help).contains(command), "{command}");
    }
    assert_eq!(nexus(folder.path(), &["dance"]).status.code(), Some(2));
    let wrong = nexus(folder.path(), &["approve", "no-draft"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("`drf_` and 32 hexadecimal digits"), "{}", err(&wrong));
}

#[test]
fn errors_go_to_standard_error_and_end_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let missing = nexus(folder.path(), &["approve", "drf_00000000000000000000000000000000"]);
    assert_eq!((missing.status.code(), out(&missing)), (Some(1), String::new()));
    assert!(err(&missing).contains("there is no draft"), "{}", err(&missing));
    let unknown = nexus(folder.path(), &["invoke", "dance", "events/tag.sqs.json"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("retention-sweep"), "it names what there is: {}", err(&unknown));
    let template = folder.path().join("broken.yaml");
    std::fs::write(&template, "Resources:\n  X:\n    Type: AWS::Nothing::Known\n").unwrap();
    let broken = nexus(folder.path(), &["status", "--template", template.to_str().unwrap()]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(err(&broken).contains("3:"), "the line is told: {}", err(&broken));
}

#[test]
fn functions_can_be_called_with_the_sample_events() {
    let folder = tempfile::tempdir().unwrap();
    for (function, event) in
        [("retention-sweep", "retention-sweep.schedule.json"), ("relay", "relay.schedule.json")]
    {
        let called = nexus(folder.path(), &["invoke", function, &format!("events/{event}")]);
        assert!(called.status.success(), "{}", err(&called));
        serde_json::from_str::<Value>(&out(&called)).unwrap();
    }
}

#[test]
fn the_demonstration_prints_one_json_object_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let demo = nexus(folder.path(), &["demo", "--once", "--json", "--video", "tiny"]);
    assert!(demo.status.success(), "{}", err(&demo));
    let shown: Value = serde_json::from_str(&out(&demo)).unwrap();
    assert_eq!(shown["stage"], "awaiting_approval");
    assert!(out(&demo).lines().count() == 1 && !out(&demo).contains('\u{1b}'));
    for (name, path) in shown["artefacts"].as_object().unwrap() {
        let size = std::fs::metadata(sources::root().join(path.as_str().unwrap())).unwrap().len();
        assert!(size > 1_000, "{name}");
    }
    assert_eq!(shown["artefacts"].as_object().unwrap().len(), 9, "{}", shown["artefacts"]);
    assert_eq!(shown["engines"]["labels"], "image-facts 1");

    // The same photo again finds the draft that is there.
    let again = nexus(folder.path(), &["demo", "--once", "--json", "--video", "tiny"]);
    let again: Value = serde_json::from_str(&out(&again)).unwrap();
    assert_eq!(again["draft"], shown["draft"]);

    let approved = nexus(folder.path(), &["approve", shown["draft"].as_str().unwrap()]);
    assert!(approved.status.success(), "{}", err(&approved));
    assert_eq!(
        out(&approved).lines().filter(|l| l.ends_with("done")).count(),
        2,
        "{}",
        out(&approved)
    );
    let status = nexus(folder.path(), &["status"]);
    assert!(out(&status).contains("No dead letters."), "{}", out(&status));
}
