//! Which fields a request sends, and whether its operation may send them (N34).
//!
//! A field is a name, never a value: `:id` of the path, `?model` of the query, `contents[].parts[].text` of the body,
//! `body` for a body of bytes, `header:x-title` for an extra header whose value is no constant of the program.
//!
//! **Never here:** what a field says, and exceptions for a vendor.

use std::borrow::Cow;
use std::collections::BTreeSet;

use nexus_core::egress::MAX_FIELDS;
use serde_json::Value;

use crate::error::Misbuilt;
use crate::request::{Body, Piece, Request, To};

/// The most characters of a field's name in an error: a name that should not be there may be somebody's text.
const TOLD_CHARS: usize = 120;

/// The fields that a request sends, all of them on its operation's list.
pub(crate) fn fields(request: &Request) -> Result<BTreeSet<String>, Misbuilt> {
    let operation = request.operation;
    let mut found = Found::default();
    found.in_request(request);
    let listed = |field: &&String| operation.sends.contains(&field.as_str());
    let under_listed = |field: &&String| operation.sends.iter().any(|name| is_below(name, field));
    let stranger = found
        .values
        .iter()
        .find(|field| !listed(field))
        .or_else(|| found.empty.iter().find(|field| !listed(field) && !under_listed(field)));
    if let Some(stranger) = stranger {
        let field = stranger.chars().take(TOLD_CHARS).collect();
        return Err(Misbuilt::Field { operation: operation.name, field });
    }
    let fields = found.all();
    if fields.len() > MAX_FIELDS {
        return Err(Misbuilt::TooManyFields { operation: operation.name, fields: fields.len() });
    }
    Ok(fields)
}

/// The fields that a request sends, on the list or not.
pub(crate) fn sent(request: &Request) -> BTreeSet<String> {
    let mut found = Found::default();
    found.in_request(request);
    found.all()
}

/// Whether a listed name is of something within this object or list.
fn is_below(listed: &str, container: &str) -> bool {
    listed.strip_prefix(container).is_some_and(|rest| rest.starts_with(['.', '[']))
}

#[derive(Default)]
struct Found {
    /// Where something stands.
    values: BTreeSet<String>,
    /// Objects and lists that hold nothing.
    empty: BTreeSet<String>,
}

impl Found {
    fn in_request(&mut self, request: &Request) {
        if let To::Path(pieces) = &request.to {
            for piece in pieces {
                if let Piece::Value(name, _) = piece {
                    self.values.insert(format!(":{}", name.trim_start_matches(':')));
                }
            }
        }
        self.values.extend(request.query.iter().map(|(name, _)| format!("?{name}")));
        for (name, value) in &request.headers {
            // A borrowed value is a constant of the program, which cannot be anybody's data.
            if matches!(value, Cow::Owned(_)) {
                self.values.insert(format!("header:{name}"));
            }
        }
        match &request.body {
            Body::Empty => {}
            Body::Json(value) => self.in_json("", value),
            Body::Form(fields) => {
                self.values.extend(fields.iter().map(|field| written(field.name).into_owned()));
            }
            Body::Multipart(parts) => {
                self.values.extend(parts.iter().map(|part| written(part.name).into_owned()));
            }
            Body::Bytes { .. } => drop(self.values.insert("body".to_owned())),
        }
    }

    fn in_json(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(members) if members.is_empty() => {
                // An empty body of braces says nothing at all.
                if !path.is_empty() {
                    self.empty.insert(path.to_owned());
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    let key = written(key);
                    let below =
                        if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") };
                    self.in_json(&below, value);
                }
            }
            Value::Array(members) if members.is_empty() => {
                self.empty.insert(format!("{path}[]"));
            }
            Value::Array(members) => {
                let below = format!("{path}[]");
                members.iter().for_each(|member| self.in_json(&below, member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let name = if path.is_empty() { "body" } else { path };
                self.values.insert(name.to_owned());
            }
        }
    }

    fn all(self) -> BTreeSet<String> {
        let Self { mut values, empty } = self;
        values.extend(empty);
        values
    }
}

/// A key as it stands in a path: in quotes, where it could be taken for a path of several, or for another sort of
/// field.
fn written(key: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
    if !key.is_empty() && key.chars().all(plain) {
        return Cow::Borrowed(key);
    }
    Cow::Owned(Value::from(key).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::Method;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::vendor::{Operation, Repeat};

    static ASK: Operation = Operation {
        name: "ask",
        repeat: Repeat::Safe,
        sends: &[
            ":id",
            "?model",
            "header:x-title",
            "contents[].parts[].text",
            "config.temperature",
            "tags[]",
            "key",
            "a.b",
        ],
        try_within: Duration::from_secs(1),
        within: Duration::from_secs(1),
        max_answer: 1,
    };

    fn ask(body: Value) -> Request {
        Request::new(&ASK, Method::POST, vec![Piece::Fixed("/ask")]).json(body)
    }

    fn told(request: &Request) -> Result<Vec<String>, String> {
        fields(request).map(|all| all.into_iter().collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn n34_every_field_has_the_name_of_its_path() {
        let mut request = ask(json!({
            "contents": [{"parts": [{"text": "a"}, {"text": "b"}]}, {"parts": []}],
            "config": {"temperature": 1},
            "tags": ["x"],
            "key": null,
        }));
        request.to = To::Path(vec![Piece::Fixed("/v1/"), Piece::Value(":id", "x".into())]);
        request.query = vec![("model", "m".into())];
        request.headers = vec![
            ("x-version", Cow::Borrowed("2024-11-06")),
            ("x-title", Cow::Owned("hers".to_owned())),
        ];
        assert_eq!(
            told(&request).unwrap(),
            [
                ":id",
                "?model",
                "config.temperature",
                "contents[].parts[]",
                "contents[].parts[].text",
                "header:x-title",
                "key",
                "tags[]",
            ]
        );
    }

    #[test]
    fn n34_a_field_that_is_not_on_the_list_is_named_and_its_value_is_not() {
        for (body, field) in [
            (json!({"key": "canary", "customer": "canary"}), "`customer`"),
            (json!({"contents": [{"parts": [{"text": "a", "file": "canary"}]}]}), "parts[].file`"),
            (json!({"key": {"of": "canary"}}), "`key.of`"),
            (json!({"key": ["canary"]}), "`key[]`"),
            (json!({"contents": "canary"}), "`contents`"),
            (json!({"other": {}}), "`other`"),
            (json!(["canary"]), "`[]`"),
            (json!("canary"), "`body`"),
        ] {
            let why = told(&ask(body)).unwrap_err();
            assert!(why.contains(field) && !why.contains("canary"), "{why}");
        }
        let mut by_query = ask(json!({}));
        by_query.query = vec![("key", "canary".into())];
        assert!(told(&by_query).unwrap_err().contains("`?key`"));
        let mut by_path = ask(json!({}));
        by_path.to = To::Path(vec![Piece::Value("key", "canary".into())]);
        assert!(told(&by_path).unwrap_err().contains("`:key`"));
        let mut by_header = ask(json!({}));
        by_header.headers = vec![("key", Cow::Owned("canary".into()))];
        assert!(told(&by_header).unwrap_err().contains("`header:key`"));
        let mut by_bytes = ask(json!({}));
        let bytes = Bytes::from_static(b"canary");
        by_bytes.body = Body::Bytes { content_type: "text/plain", bytes };
        assert!(told(&by_bytes).unwrap_err().contains("`body`"));
    }

    #[test]
    fn n34_a_key_cannot_pass_for_a_listed_path() {
        for body in [
            json!({"a.b": 1}),
            json!({"tags[]": 1}),
            json!({"?model": 1}),
            json!({":id": 1}),
            json!({"header:x-title": 1}),
            json!({"": 1}),
            json!({"config": {"temperature.x": 1}}),
        ] {
            assert!(told(&ask(body.clone())).is_err(), "{body}");
        }
        assert_eq!(told(&ask(json!({"a": {"b": 1}}))).unwrap(), ["a.b"]);
    }

    #[test]
    fn n34_what_is_empty_passes_only_where_something_below_it_may_stand() {
        let empty = json!({"config": {}, "contents": [{"parts": []}], "tags": []});
        assert!(told(&ask(empty)).is_ok());
        assert_eq!(told(&ask(json!({}))).unwrap(), Vec::<String>::new());
        for body in [json!({"conf": {}}), json!({"config": []}), json!({"key": []})] {
            assert!(told(&ask(body.clone())).is_err(), "{body}");
        }
    }

    #[test]
    fn n34_more_fields_than_the_ledger_counts_are_refused() {
        let names: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("f{n}")).collect();
        let sends: Vec<&'static str> =
            names.iter().map(|name| &*Box::leak(name.clone().into_boxed_str())).collect();
        let operation = Box::leak(Box::new(Operation {
            name: "wide",
            repeat: Repeat::Safe,
            sends: Box::leak(sends.into_boxed_slice()),
            ..ASK
        }));
        let body: serde_json::Map<String, Value> =
            names.iter().map(|name| (name.clone(), Value::from(1))).collect();
        let wide = Request::new(operation, Method::POST, vec![]).json(Value::Object(body));
        assert!(matches!(fields(&wide), Err(Misbuilt::TooManyFields { .. })));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab.\\[\\]:?\"]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever a body is: hidden somewhere in it, a name that nobody listed is found.
        #[test]
        fn n34_no_shape_of_a_body_hides_a_field(body in any_json(), depth in 0..5_usize) {
            let mut hidden = json!({"stowaway": 1});
            for level in 0..depth {
                hidden = if level % 2 == 0 { json!({"key": hidden}) } else { json!([hidden]) };
            }
            let whole = json!({"a": body, "key": hidden});
            let found = sent(&ask(whole));
            prop_assert!(found.iter().any(|field| field.ends_with("stowaway")), "{found:?}");
            let refused = told(&ask(json!({"contents": [hidden]}))).is_err();
            prop_assert!(refused);
        }
    }
}
