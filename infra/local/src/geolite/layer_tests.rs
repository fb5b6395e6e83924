//! `infra/layers/geolite/publish.sh` against a stand-in for `aws`: what it would do, what it does, and that no old copy
//! stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An account with a stack whose layer has the versions 4 and 5, of which functions use some.
struct Account(tempfile::TempDir);

fn layers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../layers/geolite")
}

const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:nexus-geolite";

impl Account {
    fn new() -> Self {
        let account = Self(tempfile::tempdir().unwrap());
        let stand_in = fs::read_to_string(layers().join("stand_in.sh")).unwrap();
        account.program("aws", &stand_in);
        // `nexus geo install --into FOLDER FILE`: takes what begins like a database.
        account.program(
            "nexus",
            "#!/bin/sh\n[ \"$1 $2 $3\" = 'geo install --into' ] && grep -q '^mmdb' \"$5\" || exit 1\n\
             cp \"$5\" \"$4/GeoLite2-City.mmdb\"\n",
        );
        account.answers("cloudformation.describe-stacks", "Stage\tGeoLiteLayer\tLinkBase\n");
        account.answers("lambda.publish-layer-version", &format!("{LAYER}:6\n"));
        account.answers("lambda.list-layer-versions", "6\t5\t4\n");
        account.answers("cloudformation.list-stack-resources", "nexus-click\tnexus-tag\n");
        let versions = format!("$LATEST\t{LAYER}:6\n7\t{LAYER}:5\n6\t{LAYER}:4\n");
        account.answers("lambda.list-versions-by-function.nexus-click", &versions);
        account.answers("database", "mmdb and so on");
        account
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn answers(&self, question: &str, answer: &str) {
        fs::write(self.file(question), answer).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
        fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the script finds its programs as its caller does"
    )]
    fn publish(&self, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new(layers().join("publish.sh"))
            .args(arguments)
            .env("PATH", format!("{}:{path}", self.0.path().display()))
            .env("NEXUS", self.file("nexus"))
            .output()
            .unwrap()
    }

    fn database(&self) -> String {
        self.file("database").to_str().unwrap().to_owned()
    }

    /// What it was asked that changes something, in order.
    fn changes(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.file("asked")).unwrap_or_default();
        let changes = asked.lines().filter(|line| {
            let deed = line.split(' ').nth(1).unwrap_or_default();
            ["publish", "update", "delete"].iter().any(|verb| deed.starts_with(verb))
        });
        changes.map(str::to_owned).collect()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_new_layer_goes_into_the_stack_and_every_old_copy_goes() {
    let account = Account::new();
    let output = account.publish(&["nexus", &account.database()]);
    assert!(output.status.success(), "{}", told(&output));
    let changes = account.changes();
    let begins = [
        "lambda publish-layer-version --layer-name nexus-geolite",
        "cloudformation update-stack --stack-name nexus --use-previous-template",
        "lambda delete-function --function-name nexus-click --qualifier 7",
        "lambda delete-function --function-name nexus-click --qualifier 6",
        "lambda delete-layer-version --layer-name nexus-geolite --version-number 5",
        "lambda delete-layer-version --layer-name nexus-geolite --version-number 4",
    ];
    assert_eq!(changes.len(), begins.len(), "{changes:#?}");
    for (change, begin) in changes.iter().zip(begins) {
        assert!(change.starts_with(begin) && change.contains("--region us-east-1"), "{change}");
    }
    // The other parameters stay as they are.
    let update = &changes[1];
    let all = [
        &*format!("ParameterKey=GeoLiteLayer,ParameterValue={LAYER}:6"),
        "ParameterKey=Stage,UsePreviousValue=true",
        "ParameterKey=LinkBase,UsePreviousValue=true",
    ];
    assert!(all.iter().all(|one| update.contains(one)), "{update}");
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let account = Account::new();
    let output = account.publish(&["--dry-run", "nexus", "--license-key"]);
    let told = told(&output);
    assert!(output.status.success(), "{told}");
    assert!(account.changes().is_empty(), "{:?}", account.changes());
    for wanted in
        ["version 7 of nexus-click goes", "version 6 of nexus-click", "version 4 of nexus-geolite"]
    {
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn a_version_that_an_alias_leads_to_is_left_and_told() {
    let account = Account::new();
    account.answers("lambda.list-aliases.nexus-click.7", "live\n");
    let output = account.publish(&["nexus", &account.database()]);
    let told = told(&output);
    assert!(!output.status.success() && told.contains("the alias live leads there"), "{told}");
    let changes = account.changes();
    assert!(!changes.iter().any(|change| change.contains("--qualifier 7")), "{changes:#?}");
    assert!(changes.iter().any(|change| change.contains("--qualifier 6")), "{changes:#?}");
}

#[test]
fn what_is_no_database_is_not_published() {
    let account = Account::new();
    account.answers("database", "something else");
    let output = account.publish(&["nexus", &account.database()]);
    assert!(!output.status.success() && account.changes().is_empty(), "{}", told(&output));
}

#[test]
fn an_update_that_fails_leaves_the_old_layers() {
    let account = Account::new();
    account.answers("cloudformation.update-stack.fails", "no permission");
    let output = account.publish(&["nexus", &account.database()]);
    assert!(!output.status.success(), "{}", told(&output));
    let changes = account.changes();
    assert!(!changes.iter().any(|change| change.contains(" delete-")), "{changes:#?}");
}

#[test]
fn a_stack_of_an_older_template_is_told_what_to_do() {
    let account = Account::new();
    account.answers("cloudformation.describe-stacks", "Stage\tLinkBase\n");
    let output = account.publish(&["nexus", &account.database()]);
    assert!(!output.status.success() && account.changes().is_empty());
    assert!(told(&output).contains("no parameter GeoLiteLayer"), "{}", told(&output));
}
