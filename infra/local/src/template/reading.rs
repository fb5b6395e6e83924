//! One reading of one template: its names, and the problems found so far.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::globals;
use super::node::{Entry, Node, Value};
use super::passed_over;
use super::plan::Plan;
use super::problem::{Place, Problem, Problems};
use super::section::Section;

const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// Everything known while a template is read.
///
/// Whoever gets `None` from here or from a [`Section`] may go on: either nothing stands there, or it has been
/// reported.
pub(super) struct Reading<'t> {
    root: &'t Node,
    parameters: BTreeMap<String, Node>,
    resources: Vec<Resource>,
    claims: RefCell<BTreeMap<String, Place>>,
    problems: RefCell<Vec<Problem>>,
}

/// A resource, globals merged in.
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) place: Place,
    pub(super) kind: String,
    pub(super) properties: Node,
    pub(super) metadata: Option<Node>,
}

impl<'t> Reading<'t> {
    pub(super) fn new(root: &'t Node, overrides: &BTreeMap<String, String>) -> Self {
        let mut reading = Self {
            root,
            parameters: BTreeMap::new(),
            resources: Vec::new(),
            claims: RefCell::default(),
            problems: RefCell::default(),
        };
        let (parameters, resources) = reading.outline(overrides);
        reading.parameters = parameters;
        reading.resources = resources;
        reading.check_references(root);
        reading
    }

    /// The resources in the order of the template.
    pub(super) fn resources(&self) -> &[Resource] {
        &self.resources
    }

    pub(super) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Node> {
        self.parameters.get(name)
    }

    /// Whether the template has such a parameter, even one without a usable value.
    pub(super) fn declares_parameter(&self, name: &str) -> bool {
        self.root.get("Parameters").is_some_and(|parameters| parameters.get(name).is_some())
    }

    /// A resource's properties, to be asked for one by one.
    pub(super) fn properties<'a>(
        &'a self,
        resource: &'a Resource,
        kind: &'static str,
    ) -> Section<'a> {
        Section::new(self, kind, resource.place, &resource.properties)
    }

    /// Where a resource's property stands; the resource, where it is not written.
    pub(super) fn place_of(&self, id: &str, property: &str) -> Place {
        self.resource(id)
            .map(|resource| {
                resource.properties.get(property).map_or(resource.place, |node| node.place)
            })
            .unwrap_or_default()
    }

    /// Reports something wrong.
    pub(super) fn wrong(&self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            place,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// Reports a second claim to what only one may have.
    pub(super) fn claim(&self, what: String, place: Place) {
        let first = *self.claims.borrow_mut().entry(what.clone()).or_insert(place);
        if first != place {
            self.wrong(
                place,
                format!("{what} is already taken in line {}", first.line),
                "keep one",
            );
        }
    }

    pub(super) fn pass_over_resource(&self, kind: &str, resource: &Resource) {
        if passed_over::resource(kind).is_none() {
            self.wrong(
                resource.place,
                format!(
                    "`{}` is an {kind}, which the host neither wires nor passes over",
                    resource.id
                ),
                "wire it in the host, or add it to passed_over.rs with the reason",
            );
        }
    }

    /// The plan, if nothing was wrong.
    pub(super) fn finish(self, plan: Plan) -> Result<Plan, Problems> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(plan) } else { Err(Problems(problems)) }
    }

    /// The sections of the template.
    fn outline(
        &self,
        overrides: &BTreeMap<String, String>,
    ) -> (BTreeMap<String, Node>, Vec<Resource>) {
        let mut top = Section::new(self, "a template", self.root.place, self.root);
        if top.entry("Transform").and_then(|entry| entry.node.text()) != Some(TRANSFORM) {
            self.wrong(
                self.root.place,
                "this is no SAM template",
                format!("write `Transform: {TRANSFORM}`"),
            );
        }
        let parameters = self.read_parameters(top.entries("Parameters"), overrides);
        let globals = top.section("Globals", "Globals").map(|mut globals| {
            ["Function", "HttpApi"].map(|kind| globals.entry(kind).map(|entry| &entry.node))
        });
        let [function, http_api] = globals.unwrap_or_default();
        let resources = top.entries("Resources");
        if resources.is_empty() {
            self.wrong(self.root.place, "the template has no resources", "write `Resources:`");
        }
        let resources = resources
            .iter()
            .filter_map(|entry| {
                let mut resource = self.read_resource(entry)?;
                let global = match resource.kind.as_str() {
                    super::functions::KIND => function,
                    super::apis::KIND => http_api,
                    _ => None,
                };
                if let Some(global) = global {
                    resource.properties = globals::merge(global, resource.properties);
                }
                Some(resource)
            })
            .collect();
        (parameters, resources)
    }

    fn read_parameters(
        &self,
        entries: &[Entry],
        overrides: &BTreeMap<String, String>,
    ) -> BTreeMap<String, Node> {
        for name in overrides.keys().filter(|name| !entries.iter().any(|entry| entry.key == **name))
        {
            self.wrong(
                self.root.place,
                format!("the template has no parameter `{name}`"),
                "do not set it",
            );
        }
        let read = |entry: &Entry| {
            let mut section = Section::new(self, "a parameter", entry.place, &entry.node);
            let kind = section.entry("Type").and_then(|kind| kind.node.text());
            let default = section.entry("Default");
            let text = match (overrides.get(&entry.key), default) {
                (Some(given), _) => given.clone(),
                (None, Some(default)) => self.as_text(&default.node)?,
                (None, None) => {
                    let what = format!("the parameter `{}` has no value", entry.key);
                    self.wrong(entry.place, what, "give it a default, or hand one over");
                    return None;
                }
            };
            let value = match kind {
                Some("String" | "Number") => Value::Text(text),
                Some("CommaDelimitedList" | "List<Number>") => Value::List(
                    text.split(',')
                        .map(|item| Node {
                            place: entry.place,
                            value: Value::Text(item.trim().to_owned()),
                        })
                        .collect(),
                ),
                _ => {
                    let what = format!(
                        "the parameter `{}` is neither text, number nor a list of them",
                        entry.key
                    );
                    self.wrong(
                        entry.place,
                        what,
                        "the host looks nothing up; write `Type: String`",
                    );
                    return None;
                }
            };
            Some((entry.key.clone(), Node { place: entry.place, value }))
        };
        entries.iter().filter_map(read).collect()
    }

    fn read_resource(&self, entry: &Entry) -> Option<Resource> {
        let mut section = Section::new(self, "a resource", entry.place, &entry.node);
        let kind = section.text("Type");
        let kind = section.require("Type", kind);
        let properties = section.entry("Properties").map(|entry| entry.node.clone());
        let metadata = section.entry("Metadata").map(|entry| entry.node.clone());
        let empty = Node { place: entry.place, value: Value::Map(Vec::new()) };
        Some(Resource {
            id: entry.key.clone(),
            place: entry.place,
            kind: kind?,
            properties: properties.unwrap_or(empty),
            metadata,
        })
    }
}
