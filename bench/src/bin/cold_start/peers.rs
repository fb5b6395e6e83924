//! Python with boto3 and Node with the SDK: each reads one row of the table for its event.
//!
//! Lambda's own runtime clients for them are not installed; a loop of a few lines speaks the Runtime API in their
//! place (`bench/cold_start/peer.py`, `peer.mjs`), which is quicker than they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::contender::{Contender, Told};

fn folder() -> PathBuf {
    nexus_bench::root().join("bench/cold_start")
}

fn peer(name: String, program: PathBuf, arguments: Vec<PathBuf>) -> Contender {
    Contender {
        name,
        program,
        arguments,
        settings: BTreeMap::from([("TABLE".to_owned(), Told::Text("EngineTable".to_owned()))]),
        event: b"{}".to_vec(),
        memory_mb: 512,
        ours: false,
    }
}

/// Python with boto3, which goes into `bench/cold_start/.venv`.
pub(crate) fn python() -> Outcome<Contender> {
    let packages = folder().join(".venv/python");
    // A shim that picks the version would be measured too: the program itself is asked for.
    let ask = |words: &[&str]| -> Outcome<String> {
        let python = Command::new("python3").args(words).env("PYTHONPATH", &packages).output();
        let output = python.map_err(|e| format!("Python does not start: {e}"))?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?.trim().to_owned());
        }
        Err(format!("Python: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
    };
    let program = ask(&["-c", "import sys; print(sys.executable)"])?;
    if !packages.join("boto3").is_dir() {
        let wanted = folder().join("requirements.txt");
        let (packages, wanted) = (packages.to_string_lossy(), wanted.to_string_lossy());
        let install = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet"];
        ask(&[&install[..], &["--target", &packages, "-r", &wanted]].concat())?;
    }
    let version = "import boto3, platform; print(platform.python_version(), boto3.__version__)";
    let versions = ask(&["-c", version])?;
    let (python, boto3) = versions.split_once(' ').ok_or("no version")?;
    let name = format!("Python {python}, boto3 {boto3}");
    let mut peer = peer(name, program.into(), vec![folder().join("peer.py")]);
    let packages = packages.to_string_lossy().into_owned();
    peer.settings.insert("PYTHONPATH".to_owned(), Told::Text(packages));
    Ok(peer)
}

/// Node with the SDK, as installed or bundled into one file by esbuild.
pub(crate) fn node(bundled: bool) -> Outcome<Contender> {
    let about = ["-p", "process.execPath + ' ' + process.version"];
    let node = Command::new("node").args(about).output();
    let node = String::from_utf8(node.map_err(|e| format!("Node does not start: {e}"))?.stdout)?;
    let (program, version) = node.trim().split_once(' ').ok_or("no version of Node")?;
    if !folder().join("node_modules").is_dir() {
        run("npm", &["ci", "--no-audit", "--no-fund"])?;
    }
    if !bundled {
        let name = format!("Node {version}, SDK v3");
        return Ok(peer(name, program.into(), vec![folder().join("peer.mjs")]));
    }
    let out = Path::new("node_modules/.bundle/peer.cjs");
    let into = format!("--outfile={}", out.display());
    let esbuild = folder().join("node_modules/.bin/esbuild");
    let words = ["peer.mjs", "--bundle", "--minify", "--platform=node", "--format=cjs", &into];
    run(&esbuild.to_string_lossy(), &words)?;
    Ok(peer(format!("Node {version}, bundled"), program.into(), vec![folder().join(out)]))
}

fn run(program: &str, words: &[&str]) -> Outcome<()> {
    let output = Command::new(program).args(words).current_dir(folder()).output();
    let output = output.map_err(|e| format!("`{program}` does not start: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("`{program} {}` failed in bench/cold_start: {told}", words.join(" ")).into())
}
