//! YAML into a tree in which every value knows its place and `!Ref X` is the same as `Ref: X`.
//!
//! saphyr parses; what it would follow to the end of the stack (nesting without end) and what CloudFormation
//! does not read (anchors, aliases, several documents) is refused before.

use std::fmt;

use saphyr::{LoadableYamlNode, MarkedYaml, Marker, ScanError, YamlData};
use saphyr_parser::{Event, Parser};

use super::problem::{Place, Problem};

/// As CloudFormation: a template has at most 1 MB.
const MAX_BYTES: usize = 1_000_000;
/// The deepest template of the AWS examples has 17 levels.
const MAX_DEPTH: usize = 64;

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Only ever named in an error: nothing that is wired is a fraction.
    Fraction,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// `Ref`, `Condition` or `Fn::…` with its argument.
    Call(String, Box<Node>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Node {
    /// The value under a key, where this is a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries, where this is a map.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text, where this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Boolean(value) => write!(f, "`{value}`"),
            Self::Integer(value) => write!(f, "`{value}`"),
            Self::Fraction => f.write_str("a fraction"),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a map"),
            Self::Call(name, _) => write!(f, "`{name}`"),
        }
    }
}

/// Parses a template.
///
/// # Errors
/// Where the YAML breaks off.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    if text.len() > MAX_BYTES {
        return Err(problem(
            Place { line: 1, column: 1 },
            "the template is too long",
            "CloudFormation takes 1 MB",
        ));
    }
    check_shape(text)?;
    let documents = MarkedYaml::load_from_str(text).map_err(|error| unreadable(text, &error))?;
    match documents.as_slice() {
        [document] => convert(document, place(&document.span.start)),
        [] => Err(problem(
            Place { line: 1, column: 1 },
            "the template is empty",
            "write `Resources:`",
        )),
        [_, second, ..] => {
            Err(problem(place(&second.span.start), "a second document begins here", "keep one"))
        }
    }
}

/// Walks the events, which takes no stack, before the loader walks the tree, which does.
fn check_shape(text: &str) -> Result<(), Problem> {
    let mut depth = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| unreadable(text, &error))?;
        let anchor = match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                depth += 1;
                anchor
            }
            Event::SequenceEnd | Event::MappingEnd => {
                depth = depth.saturating_sub(1);
                0
            }
            Event::Scalar(_, _, anchor, _) | Event::Alias(anchor) => anchor,
            _ => 0,
        };
        if anchor > 0 {
            let remedy = "write the value out, CloudFormation reads neither anchors nor aliases";
            return Err(problem(place(&span.start), "an anchor or alias", remedy));
        }
        if depth > MAX_DEPTH {
            let what = format!("more than {MAX_DEPTH} levels of nesting");
            return Err(problem(place(&span.start), what, "flatten it"));
        }
    }
    Ok(())
}

/// `at` is the node's place: saphyr keeps it outside of a tagged scalar.
fn convert(yaml: &MarkedYaml<'_>, at: Place) -> Result<Node, Problem> {
    let value = match &yaml.data {
        YamlData::Value(scalar) => match scalar {
            saphyr::Scalar::Null => Value::Null,
            saphyr::Scalar::Boolean(value) => Value::Boolean(*value),
            saphyr::Scalar::Integer(value) => Value::Integer(*value),
            saphyr::Scalar::FloatingPoint(_) => Value::Fraction,
            saphyr::Scalar::String(text) => Value::Text(text.to_string()),
        },
        YamlData::Sequence(items) => Value::List(
            items
                .iter()
                .map(|item| convert(item, place(&item.span.start)))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(entries) => {
            map(entries.iter().map(|(key, value)| entry(key, value)).collect::<Result<_, _>>()?)
        }
        YamlData::Tagged(tag, inner) => {
            let inner = convert(inner, at)?;
            match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => Value::Call(name.to_owned(), Box::new(inner)),
                name => Value::Call(format!("Fn::{name}"), Box::new(inner)),
            }
        }
        YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
            return Err(problem(
                at,
                "a value that does not fit its tag",
                "correct the tag or the value",
            ));
        }
    };
    Ok(Node { place: at, value })
}

fn entry(key: &MarkedYaml<'_>, value: &MarkedYaml<'_>) -> Result<Entry, Problem> {
    let at = place(&key.span.start);
    let key = match convert(key, at)?.value {
        Value::Text(text) => text,
        Value::Integer(number) => number.to_string(),
        other => return Err(problem(at, format!("{other} is no key"), "write a name")),
    };
    Ok(Entry { key, place: at, node: convert(value, place(&value.span.start))? })
}

/// A map, or the long form of a call.
fn map(mut entries: Vec<Entry>) -> Value {
    let call =
        matches!(entries.as_slice(), [only] if only.key == "Ref" || only.key.starts_with("Fn::"));
    match entries.pop() {
        Some(only) if call => Value::Call(only.key, Box::new(only.node)),
        Some(last) => {
            entries.push(last);
            Value::Map(entries)
        }
        None => Value::Map(entries),
    }
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn unreadable(text: &str, error: &ScanError) -> Problem {
    let mut place = place(error.marker());
    // What breaks off at the end is told one line too far.
    place.line = place.line.min(text.lines().count().max(1));
    problem(place, format!("this is no YAML ({})", error.info()), "correct it")
}

fn problem(place: Place, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem { place, what: what.into(), remedy: remedy.into() }
}
