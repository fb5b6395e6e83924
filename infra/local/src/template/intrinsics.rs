//! `!Ref`, `!GetAtt`, `!Sub` and their like: every name that they use is checked, wherever it stands; what is
//! wired is put in their place.

use super::local_values;
use super::node::{Entry, Node, Value};
use super::problem::Place;
use super::reading::Reading;

/// The functions that CloudFormation has; the host evaluates the first six.
const FUNCTIONS: &[&str] = &[
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Contains",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::ToJsonString",
    "Fn::Transform",
];

/// Pseudo parameters without a local value.
const ELSEWHERE: &[&str] = &["AWS::NoValue", "AWS::NotificationARNs"];

impl Reading<'_> {
    /// The value with every call evaluated; `None` once a problem was reported.
    pub(super) fn plain(&self, node: &Node) -> Option<Node> {
        let value = match &node.value {
            Value::Call(name, argument) => return self.call(node.place, name, argument),
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.plain(item)).collect::<Option<_>>()?)
            }
            Value::Map(entries) => {
                let plain =
                    |entry: &Entry| Some(Entry { node: self.plain(&entry.node)?, ..entry.clone() });
                Value::Map(entries.iter().map(plain).collect::<Option<_>>()?)
            }
            leaf => leaf.clone(),
        };
        Some(Node { place: node.place, value })
    }

    /// The value as text, every call evaluated.
    pub(super) fn text(&self, node: &Node) -> Option<String> {
        self.as_text(&self.plain(node)?)
    }

    /// A plain value as text: numbers and truths too, as CloudFormation does.
    pub(super) fn as_text(&self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Boolean(truth) => Some(truth.to_string()),
            other => {
                self.wrong(
                    node.place,
                    format!("text is wanted here, this is {other}"),
                    "write it in quotes",
                );
                None
            }
        }
    }

    fn call(&self, place: Place, name: &str, argument: &Node) -> Option<Node> {
        let value = match (name, &argument.value) {
            ("Ref", Value::Text(target)) => return self.referenced(place, target),
            ("Fn::GetAtt", _) => {
                let (id, attribute) = get_att(argument)?;
                Value::Text(self.attribute(place, id, attribute)?)
            }
            ("Fn::Sub", _) => Value::Text(self.substituted(place, argument)?),
            ("Fn::Join", Value::List(items)) if items.len() == 2 => {
                let parts = self.list(items.get(1)?)?;
                let parts: Vec<String> =
                    parts.iter().map(|part| self.as_text(part)).collect::<Option<_>>()?;
                Value::Text(parts.join(&self.text(items.first()?)?))
            }
            ("Fn::Split", Value::List(items)) if items.len() == 2 => {
                let (separator, text) = (self.text(items.first()?)?, self.text(items.get(1)?)?);
                let part = |part: &str| Node { place, value: Value::Text(part.to_owned()) };
                Value::List(text.split(&separator).map(part).collect())
            }
            ("Fn::Select", Value::List(items)) if items.len() == 2 => {
                let index: Option<usize> = self.text(items.first()?)?.parse().ok();
                let chosen =
                    index.and_then(|index| self.list(items.get(1)?)?.into_iter().nth(index));
                if chosen.is_none() {
                    self.wrong(
                        place,
                        "there is nothing to select at this index",
                        "they count from 0",
                    );
                }
                return chosen;
            }
            _ => {
                let remedy =
                    "the host evaluates Ref, GetAtt, Sub, Join, Select and Split in what it wires";
                self.wrong(place, format!("`{name}` cannot be evaluated here"), remedy);
                return None;
            }
        };
        Some(Node { place, value })
    }

    fn list(&self, node: &Node) -> Option<Vec<Node>> {
        let node = self.plain(node)?;
        match node.value {
            Value::List(items) => Some(items),
            other => {
                self.wrong(
                    node.place,
                    format!("a list is wanted here, this is {other}"),
                    "write one",
                );
                None
            }
        }
    }

    /// What stands for a name; unknown ones are reported by [`Self::check_references`].
    fn referenced(&self, place: Place, name: &str) -> Option<Node> {
        if ELSEWHERE.contains(&name) {
            self.wrong(
                place,
                format!("`{name}` has no value on one machine"),
                "write the value out",
            );
            return None;
        }
        if let Some(parameter) = self.parameter(name) {
            return Some(Node { place, value: parameter.value.clone() });
        }
        let known = local_values::pseudo_parameter(name)
            .or_else(|| Some(self.resource(name)?.id.as_str()))?;
        Some(Node { place, value: Value::Text(known.to_owned()) })
    }

    fn attribute(&self, place: Place, id: &str, attribute: &str) -> Option<String> {
        let resource = self.resource(id)?;
        let value = local_values::attribute(&resource.kind, id, attribute);
        if value.is_none() && local_values::may_have(&resource.kind, attribute) {
            self.wrong(
                place,
                format!("`{id}.{attribute}` has no value on one machine"),
                "use another attribute",
            );
        }
        value
    }

    fn substituted(&self, place: Place, argument: &Node) -> Option<String> {
        let (text, own) = sub(argument)?;
        let mut whole = String::new();
        for part in parts(text) {
            match part {
                Part::Text(text) => whole.push_str(text),
                Part::Name(name) => match own.iter().find(|entry| entry.key == name) {
                    Some(entry) => whole.push_str(&self.text(&entry.node)?),
                    None => match name.split_once('.') {
                        Some((id, attribute)) => {
                            whole.push_str(&self.attribute(place, id, attribute)?)
                        }
                        None => whole.push_str(&self.as_text(&self.referenced(place, name)?)?),
                    },
                },
            }
        }
        Some(whole)
    }

    /// Reports every name in the tree that nothing answers to.
    pub(super) fn check_references(&self, node: &Node) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.check_references(item)),
            Value::Map(entries) => {
                for entry in entries {
                    if entry.key == "DependsOn" {
                        self.check_order(&entry.node);
                    }
                    self.check_references(&entry.node);
                }
            }
            Value::Call(name, argument) => {
                self.check_call(node.place, name, argument);
                self.check_references(argument);
            }
            _ => {}
        }
    }

    fn check_order(&self, node: &Node) {
        let one = std::slice::from_ref(node);
        let items = if let Value::List(items) = &node.value { items } else { one };
        for item in items {
            match item.text() {
                Some(id) if self.resource(id).is_some() => {}
                Some(id) => self.unknown(item.place, id),
                None => self.wrong(
                    item.place,
                    "a resource's name is wanted here",
                    "write its logical id",
                ),
            }
        }
    }

    fn check_call(&self, place: Place, name: &str, argument: &Node) {
        match name {
            "Ref" => match argument.text() {
                Some(target) => self.check_name(place, target),
                None => self.wrong(place, "`Ref` takes a name", "write `!Ref Name`"),
            },
            "Fn::GetAtt" => match get_att(argument) {
                Some((id, attribute)) => self.check_attribute(place, id, attribute),
                None => self.wrong(
                    place,
                    "`Fn::GetAtt` takes a name and an attribute",
                    "write `!GetAtt Name.Arn`",
                ),
            },
            "Fn::Sub" => match sub(argument) {
                Some((text, own)) => {
                    for part in parts(text) {
                        let Part::Name(name) = part else { continue };
                        if own.iter().any(|entry| entry.key == name) {
                            continue;
                        }
                        match name.split_once('.') {
                            Some((id, attribute)) => self.check_attribute(place, id, attribute),
                            None => self.check_name(place, name),
                        }
                    }
                }
                None => self.wrong(
                    place,
                    "`Fn::Sub` takes a text, or a text and a map",
                    "write `!Sub …`",
                ),
            },
            _ if FUNCTIONS.contains(&name) => {}
            _ => self.wrong(
                place,
                format!("CloudFormation has no function `{name}`"),
                suggestion(name, FUNCTIONS.iter().copied()),
            ),
        }
    }

    fn check_name(&self, place: Place, name: &str) {
        let known = self.parameter(name).is_some()
            || self.declares_parameter(name)
            || self.resource(name).is_some()
            || self.is_made_by_sam(name)
            || local_values::pseudo_parameter(name).is_some()
            || ELSEWHERE.contains(&name);
        if !known {
            self.unknown(place, name);
        }
    }

    fn check_attribute(&self, place: Place, id: &str, attribute: &str) {
        match self.resource(id) {
            Some(resource) if !local_values::may_have(&resource.kind, attribute) => {
                let what =
                    format!("`{id}` is an {}, which has no attribute `{attribute}`", resource.kind);
                self.wrong(place, what, "write Arn or another attribute that it has");
            }
            Some(_) => {}
            None if self.is_made_by_sam(id) => {}
            None => self.unknown(place, id),
        }
    }

    /// SAM adds a role to a function without one, and a stage to an API.
    fn is_made_by_sam(&self, id: &str) -> bool {
        let is = |id: Option<&str>, kind| {
            id.and_then(|id| self.resource(id)).is_some_and(|found| found.kind == kind)
        };
        is(id.strip_suffix("Role"), super::functions::KIND)
            || is(id.strip_suffix("ApiGatewayDefaultStage"), super::apis::KIND)
    }

    fn unknown(&self, place: Place, name: &str) {
        let known = self.resources().iter().map(|resource| resource.id.as_str());
        self.wrong(place, format!("nothing is named `{name}`"), suggestion(name, known));
    }
}

fn suggestion<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "declare it, or correct the name".to_owned(),
    }
}

/// The known name that this one may be a misspelling of.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= 2 && *distance * 2 < name.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// `A.B`, or a list of the two.
fn get_att(argument: &Node) -> Option<(&str, &str)> {
    match &argument.value {
        Value::Text(text) => text.split_once('.'),
        Value::List(items) => match items.as_slice() {
            [id, attribute] => Some((id.text()?, attribute.text()?)),
            _ => None,
        },
        _ => None,
    }
}

/// A text, or a text and names of its own.
fn sub(argument: &Node) -> Option<(&str, &[Entry])> {
    match &argument.value {
        Value::Text(text) => Some((text, &[])),
        Value::List(items) => match items.as_slice() {
            [text, own] => Some((text.text()?, own.entries())),
            _ => None,
        },
        _ => None,
    }
}

enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

/// `text ${Name} text ${!literal}`.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once("${") {
        parts.push(Part::Text(before));
        let Some((name, after)) = opened.split_once('}') else {
            parts.push(Part::Text("${"));
            rest = opened;
            continue;
        };
        match name.strip_prefix('!') {
            Some(literal) => parts.extend([Part::Text("${"), Part::Text(literal), Part::Text("}")]),
            None => parts.push(Part::Name(name.trim())),
        }
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}
