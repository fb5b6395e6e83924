//! A map of the template whose entries are asked for one by one. What nobody asked for and nobody passes over
//! is reported when the section is dropped.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::intrinsics::nearest;
use super::local_values;
use super::node::{Entry, Node, Value};
use super::passed_over;
use super::problem::Place;
use super::reading::Reading;

pub(super) struct Section<'a> {
    reading: &'a Reading<'a>,
    kind: &'static str,
    place: Place,
    entries: &'a [Entry],
    asked: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    /// `kind` is the name under which `passed_over` lists what is not wired here.
    pub(super) fn new(
        reading: &'a Reading<'a>,
        kind: &'static str,
        place: Place,
        node: &'a Node,
    ) -> Self {
        if !matches!(node.value, Value::Map(_)) {
            reading.wrong(
                node.place,
                format!("{kind} is a map, this is {}", node.value),
                "write it out",
            );
        }
        Self { reading, kind, place, entries: node.entries(), asked: BTreeSet::new() }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The entry as it is written.
    pub(super) fn entry(&mut self, name: &'static str) -> Option<&'a Entry> {
        self.asked.insert(name);
        self.entries.iter().find(|entry| entry.key == name)
    }

    /// Reports the entry as missing where it is not there at all.
    pub(super) fn require<T>(&self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.entries.iter().any(|entry| entry.key == name) {
            self.reading.wrong(self.place, format!("{} has no `{name}`", self.kind), "add it");
        }
        value
    }

    /// The map under this name, to be asked in turn.
    pub(super) fn section(
        &mut self,
        name: &'static str,
        kind: &'static str,
    ) -> Option<Section<'a>> {
        let entry = self.entry(name)?;
        Some(Section::new(self.reading, kind, entry.place, &entry.node))
    }

    /// The entries of the map under this name.
    pub(super) fn entries(&mut self, name: &'static str) -> &'a [Entry] {
        let Some(entry) = self.entry(name) else { return &[] };
        if !matches!(entry.node.value, Value::Map(_)) {
            self.reading.wrong(
                entry.place,
                format!("`{name}` is a map, this is {}", entry.node.value),
                "write it out",
            );
        }
        entry.node.entries()
    }

    /// The list under this name.
    pub(super) fn items(&mut self, name: &'static str) -> &'a [Node] {
        match self.entry(name).map(|entry| &entry.node) {
            Some(Node { value: Value::List(items), .. }) => items,
            Some(node) => {
                self.reading.wrong(
                    node.place,
                    format!("`{name}` is a list, this is {}", node.value),
                    "write it out",
                );
                &[]
            }
            None => &[],
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let entry = self.entry(name)?;
        self.reading.text(&entry.node)
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let Some(node) = self.entry(name).and_then(|entry| self.reading.plain(&entry.node)) else {
            return Vec::new();
        };
        match &node.value {
            Value::List(items) => {
                items.iter().filter_map(|item| self.reading.as_text(item)).collect()
            }
            other => {
                self.reading.wrong(
                    node.place,
                    format!("`{name}` is a list, this is {other}"),
                    "write it so",
                );
                Vec::new()
            }
        }
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let node = self.entry(name).and_then(|entry| self.reading.plain(&entry.node))?;
        match (&node.value, node.text()) {
            (Value::Boolean(value), _) => Some(*value),
            (_, Some("true")) => Some(true),
            (_, Some("false")) => Some(false),
            (other, _) => {
                self.reading.wrong(
                    node.place,
                    format!("`{name}` is true or false, this is {other}"),
                    "write one",
                );
                None
            }
        }
    }

    pub(super) fn integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let node = self.entry(name).and_then(|entry| self.reading.plain(&entry.node))?;
        let number = match &node.value {
            Value::Integer(number) => u32::try_from(*number).ok(),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let what = format!("`{name}` is {}", node.value);
            let remedy = format!("AWS takes {} to {}", range.start(), range.end());
            self.reading.wrong(node.place, what, remedy);
        }
        number
    }

    pub(super) fn seconds(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<Duration> {
        self.integer(name, range).map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// The logical id of the resource of this kind that `!Ref` names here.
    pub(super) fn reference(&mut self, name: &'static str, kind: &str) -> Option<String> {
        self.resource(name, kind, |id| Some(id.to_owned()), "!Ref")
    }

    /// The logical id of the resource of this kind whose ARN stands here.
    pub(super) fn arn(&mut self, name: &'static str, kind: &str) -> Option<String> {
        self.resource(name, kind, |id| local_values::attribute(kind, id, "Arn"), "!GetAtt ….Arn")
    }

    /// `form` is what has to stand here for a resource; where the resource is clear but the form is wrong, it is
    /// reported and read all the same, so that nothing else is told because of it.
    fn resource(
        &mut self,
        name: &'static str,
        kind: &str,
        form: impl Fn(&str) -> Option<String>,
        remedy: &str,
    ) -> Option<String> {
        let entry = self.entry(name)?;
        let text = self.reading.text(&entry.node)?;
        let id = text.rsplit([':', '/']).next().unwrap_or(&text);
        let found = self.reading.resource(id).filter(|resource| resource.kind == kind);
        if found.and_then(|resource| form(&resource.id)).is_none_or(|wanted| wanted != text) {
            let what = format!("`{name}` is `{text}`, which is no {kind} of this template");
            self.reading.wrong(entry.node.place, what, format!("refer to one by {remedy}"));
        }
        found.map(|resource| resource.id.clone())
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for entry in self.entries {
            let name = entry.key.as_str();
            if self.asked.contains(name) || passed_over::property(self.kind, name).is_some() {
                continue;
            }
            let known = self.asked.iter().copied().chain(passed_over::properties(self.kind));
            let remedy = match nearest(name, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    "wire it in the host, or add it to passed_over.rs with the reason".to_owned()
                }
            };
            let what =
                format!("{} has `{name}`, which the host neither wires nor passes over", self.kind);
            self.reading.wrong(entry.place, what, remedy);
        }
    }
}
