//! Who starts: the functions as the template deploys them, and the floor.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nexus_bench::template::{Setting, Template};

use crate::Outcome;

/// Somebody who starts.
pub(crate) struct Contender {
    /// Its name in the report.
    pub(crate) name: String,
    /// What is run.
    pub(crate) program: PathBuf,
    /// With which words.
    pub(crate) arguments: Vec<PathBuf>,
    /// What its settings say.
    pub(crate) settings: BTreeMap<String, Told>,
    /// The event that it gets.
    pub(crate) event: Vec<u8>,
    /// Its memory on Lambda, MB.
    pub(crate) memory_mb: u32,
    /// Whether it is a function of the house.
    pub(crate) ours: bool,
}

/// What a setting says.
pub(crate) enum Told {
    /// This.
    Text(String),
    /// Where these queues are, parted by spaces: only the run knows.
    Queues(Vec<String>),
}

/// A hello world on the same runtime: nobody can be sooner.
pub(crate) fn floor(built: &Path) -> Outcome<Contender> {
    Ok(Contender {
        name: "hello world (the floor)".into(),
        program: binary(built, "hello")?,
        arguments: vec![],
        settings: BTreeMap::new(),
        event: b"{}".to_vec(),
        memory_mb: 512,
        ours: false,
    })
}

/// Each function of the template once, with the sample of its event.
pub(crate) fn functions(built: &Path, mark: &str) -> Outcome<Vec<Contender>> {
    let (template, mut found) = (Template::of_repository()?, BTreeMap::new());
    for function in template.functions() {
        // A binary that is deployed twice starts alike.
        if found.contains_key(&function.binary) {
            continue;
        }
        let queues: Vec<&str> = template.of_type("AWS::SQS::Queue").map(|(id, _)| id).collect();
        let told = |setting: &Setting| match setting {
            Setting::Text(text) => Told::Text(text.clone()),
            Setting::Of(ids) if ids.iter().any(|id| queues.contains(&id.as_str())) => {
                Told::Queues(ids.clone())
            }
            Setting::Of(ids) => Told::Text(ids.join(" ")),
        };
        let settings = function.settings.iter().map(|(name, value)| (name.clone(), told(value)));
        let contender = Contender {
            name: format!("{}{mark}", function.binary),
            program: binary(built, &function.binary)?,
            arguments: vec![],
            settings: settings.collect(),
            event: sample(&function.binary)?,
            memory_mb: function.memory_mb,
            ours: mark.is_empty(),
        };
        found.insert(function.binary, contender);
    }
    Ok(found.into_values().collect())
}

fn binary(built: &Path, name: &str) -> Outcome<PathBuf> {
    let program = built.join(name);
    if program.is_file() {
        return Ok(program);
    }
    let place = built.display();
    Err(format!("{place} has no `{name}`: build it first, as the head of main.rs says").into())
}

/// Writes what it has to find again, which the services here do not keep: it is called with a batch of nothing.
const NEEDS_A_MEMORY: &str = "attribute";

/// The sample `events/{function}.{trigger}.json`.
fn sample(function: &str) -> Outcome<Vec<u8>> {
    if function == NEEDS_A_MEMORY {
        return Ok(br#"{"Records":[]}"#.to_vec());
    }
    let folder = nexus_bench::root().join("events");
    let prefix = format!("{function}.");
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(&prefix) && name.ends_with(".json") {
            return Ok(fs::read(path)?);
        }
    }
    Err(format!("events/ has no sample for `{function}`").into())
}
