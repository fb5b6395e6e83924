//! The description of the API.

use std::collections::BTreeSet;

use nexus_engine::EnginePlatform;
use nexus_testkit::build;
use serde_json::Value;

use crate::api::{Api, ada, at, scope};

async fn document(api: &Api) -> Value {
    let answer = api.get("/openapi.json").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()
}

/// Every operation that the description names: method and path.
pub(crate) async fn operations(api: &Api) -> Vec<(String, String)> {
    let document = document(api).await;
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path.clone()))
    });
    operations.collect()
}

/// Every value in a document, with the document itself.
fn every(value: &Value) -> Vec<&Value> {
    let mut all = vec![value];
    match value {
        Value::Array(items) => all.extend(items.iter().flat_map(every)),
        Value::Object(fields) => all.extend(fields.values().flat_map(every)),
        _ => {}
    }
    all
}

#[tokio::test]
async fn the_description_names_every_route() {
    let api = Api::new();
    let mut routes: Vec<String> =
        operations(&api).await.iter().map(|(method, path)| format!("{path} {method}")).collect();
    routes.sort();
    insta::assert_snapshot!(routes.join("\n"), @r"
    /openapi.json GET
    /v1/account GET
    /v1/account PUT
    /v1/clicks/live GET
    /v1/drafts GET
    /v1/drafts/{id} GET
    /v1/drafts/{id} PATCH
    /v1/drafts/{id}/approve POST
    /v1/drafts/{id}/duplicate POST
    /v1/drafts/{id}/footage POST
    /v1/drafts/{id}/preflight GET
    /v1/drafts/{id}/reject POST
    /v1/drafts/{id}/reviews GET
    /v1/drafts/{id}/reviews POST
    /v1/drafts/{id}/reviews/end POST
    /v1/drafts/{id}/times POST
    /v1/egress GET
    /v1/egress.csv GET
    /v1/footage/{id} GET
    /v1/footage/{id}/approve POST
    /v1/footage/{id}/cancel POST
    /v1/footage/{id}/reject POST
    /v1/inquiries GET
    /v1/inquiries/{id} GET
    /v1/inquiries/{id}/assign POST
    /v1/inquiries/{id}/notes POST
    /v1/inquiries/{id}/state POST
    /v1/links GET
    /v1/links POST
    /v1/links/{id} GET
    /v1/links/{id} PUT
    /v1/links/{id}/qr.png GET
    /v1/links/{id}/qr.svg GET
    /v1/links/{id}/revoke POST
    /v1/media GET
    /v1/media POST
    /v1/media/{id} DELETE
    /v1/media/{id} GET
    /v1/media/{id}/parts/join POST
    /v1/notices GET
    /v1/posts GET
    /v1/posts/{id} GET
    /v1/posts/{id}/cancel POST
    /v1/posts/{id}/comments GET
    /v1/posts/{id}/reschedule POST
    /v1/posts/{id}/retry POST
    /v1/posts/{id}/times POST
    /v1/products GET
    /v1/products POST
    /v1/products/{id} DELETE
    /v1/products/{id} GET
    /v1/products/{id} PUT
    /v1/products/{id}/page POST
    /v1/questions GET
    /v1/questions/{id}/answer POST
    /v1/reports/clicks GET
    /v1/reports/clicks/recount POST
    /v1/reports/clicks/top GET
    /v1/reports/sentiment GET
    /v1/reports/sentiment.csv GET
    /v1/restrictions GET
    /v1/restrictions POST
    /v1/restrictions/{id} DELETE
    /v1/settings GET
    /v1/settings PUT
    /v1/spending GET
    /v1/spending/{vendor} PUT
    ");
}

#[tokio::test]
async fn the_description_is_whole() {
    let api = Api::new();
    let document = document(&api).await;
    assert_eq!(document["openapi"], "3.1.0");
    for value in every(&document) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("a place in the document");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{what}");
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{what}");
            let tagged = operation["tags"].as_array().unwrap();
            assert!(tagged.len() == 1 && tags.contains(tagged[0].as_str().unwrap()), "{what}");

            let responses = operation["responses"].as_object().unwrap();
            let statuses: BTreeSet<&str> = responses.keys().map(String::as_str).collect();
            assert!(
                statuses.iter().any(|s| s.starts_with('2')) && statuses.contains("500"),
                "{what}"
            );
            for (status, response) in responses {
                if status.starts_with('2') {
                    assert!(
                        response["description"].as_str().is_some_and(|d| !d.is_empty()),
                        "{what}"
                    );
                    let content = response.get("content").is_some();
                    assert_eq!(content, status != "204", "{what} {status}");
                } else {
                    let pointer = response["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
                    let problem =
                        &document.pointer(pointer).unwrap()["content"]["application/problem+json"];
                    assert_eq!(
                        problem["schema"]["$ref"], "#/components/schemas/Problem",
                        "{what} {status}"
                    );
                }
            }
            let secured = operation["security"] == serde_json::json!([{ "token": [] }]);
            assert_eq!(secured, path.starts_with("/v1/"), "{what}");
            assert_eq!(statuses.contains("401") && statuses.contains("403"), secured, "{what}");
            assert_eq!(operation.get("requestBody").is_some(), statuses.contains("415"), "{what}");

            let parameters = operation["parameters"].to_string();
            assert_eq!(parameters.contains("IdempotencyKey"), method != "get", "{what}");
            assert_eq!(parameters.contains("Tenant"), secured, "{what}");
            assert_eq!(parameters.contains("\"path\""), path.contains('{'), "{what}");
            assert!(!path.contains("{id}") || statuses.contains("404"), "{what}");
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    assert_eq!(document["components"]["schemas"]["Account"]["additionalProperties"], false);
}

/// Whether a value is as a schema says: its type, its fields, its words.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return fits(document, schema, value, at);
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        return all.iter().for_each(|schema| fits(document, schema, value, at));
    }
    if let Some(any) = schema.get("oneOf").and_then(Value::as_array) {
        let other = any.iter().find(|s| s["type"] != "null").unwrap();
        if !value.is_null() {
            fits(document, other, value, at);
        }
        return;
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(
        types.iter().any(|t| t == is || (t == "number" && is == "integer")),
        "{at}: {value} is not {types:?}"
    );
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        assert!(words.contains(value), "{at}: {value}");
    }
    match value {
        Value::Array(items) => {
            items.iter().for_each(|item| fits(document, &schema["items"], item, at))
        }
        Value::Object(fields) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(name.as_str().unwrap()), "{at}: {name} is missing");
            }
            for (name, value) in fields {
                let at = format!("{at}.{name}");
                match properties.and_then(|p| p.get(name)) {
                    Some(schema) => fits(document, schema, value, &at),
                    None if schema["additionalProperties"].is_object() => {
                        fits(document, &schema["additionalProperties"], value, &at);
                    }
                    None => {}
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn answers_are_as_the_description_says() {
    let api = Api::new();
    let document = document(&api).await;
    let (medium, draft) = api.finished(&scope()).await;
    let added = api.post("/v1/products", crate::products::loaf()).by(&ada()).send().await;
    let product = added.header("location").to_owned();
    let ask = api.post(&format!("{}/footage", at(&draft)), serde_json::json!({}));
    let footage = ask.by(&ada()).send().await.header("location").to_owned();
    let posts = api.approved(&draft).await;
    let post = format!("/v1/posts/{}", posts[0]["id"].as_str().unwrap());
    crate::spending::some_calls(&api).await;
    let ambient = api.platform.ambient();
    let notice = nexus_engine::notices::NoticeCode::ReconnectNeeded;
    let told = nexus_engine::notices::tell(&scope(), &ambient, notice, "Connect it anew.", None);
    api.platform.commit(told.unwrap()).await;
    let (_, other) = build::finished(&api.platform, &scope(), build::media_id(2)).await;
    let plans = [
        ("/v1/drafts/{id}/times", format!("{}/times", at(&other))),
        ("/v1/posts/{id}/times", format!("{post}/times")),
    ];
    for (route, path) in plans {
        let answer = api.post(&path, serde_json::json!({})).by(&ada()).send().await;
        assert_eq!(answer.status, 200, "{path}");
        let warned = &answer.json()["times"][0]["warnings"];
        assert!(warned.as_array().is_some_and(|warned| !warned.is_empty()), "{route}: {answer:?}");
        let schema = &document["paths"][route]["post"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        fits(&document, schema, &answer.json(), route);
    }
    let link = api.post("/v1/links", crate::short_links::plain()).by(&ada()).send().await;
    let link = link.header("location").to_owned();
    let asked = crate::inquiries::ask(&api, &scope(), "grace@example.org", "Is it vegan?").await;
    let grace = serde_json::json!({ "email": "grace@example.org" });
    assert_eq!(api.post("/v1/restrictions", grace).by(&ada()).send().await.status, 201);
    let reads = [
        ("/v1/links", "/v1/links".to_owned()),
        ("/v1/links/{id}", link),
        ("/v1/inquiries", "/v1/inquiries".to_owned()),
        ("/v1/inquiries/{id}", format!("/v1/inquiries/{}", asked.id)),
        ("/v1/restrictions", "/v1/restrictions".to_owned()),
        ("/v1/egress", "/v1/egress".to_owned()),
        ("/v1/spending", "/v1/spending".to_owned()),
        ("/v1/settings", "/v1/settings".to_owned()),
        ("/v1/products", "/v1/products".to_owned()),
        ("/v1/products/{id}", product),
        ("/v1/media", "/v1/media".to_owned()),
        ("/v1/media/{id}", format!("/v1/media/{}", medium.id)),
        ("/v1/drafts", "/v1/drafts?limit=1".to_owned()),
        ("/v1/drafts/{id}", at(&draft)),
        ("/v1/drafts/{id}/preflight", format!("{}/preflight", at(&draft))),
        ("/v1/drafts/{id}/reviews", format!("{}/reviews", at(&draft))),
        ("/v1/notices", "/v1/notices".to_owned()),
        ("/v1/questions", "/v1/questions".to_owned()),
        ("/v1/footage/{id}", footage),
        ("/v1/reports/clicks", "/v1/reports/clicks".to_owned()),
        ("/v1/reports/clicks/top", "/v1/reports/clicks/top?by=link".to_owned()),
        ("/v1/clicks/live", "/v1/clicks/live".to_owned()),
        ("/v1/posts", "/v1/posts?limit=1".to_owned()),
        ("/v1/posts/{id}/comments", format!("{post}/comments")),
        ("/v1/reports/sentiment", "/v1/reports/sentiment".to_owned()),
        ("/v1/posts/{id}", post),
    ];
    for (route, path) in reads {
        let answer = api.get(&path).by(&ada()).send().await;
        assert_eq!(answer.status, 200, "{path}");
        let schema = &document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{route}");
        fits(&document, schema, &answer.json(), route);
    }
    let refused = api.post("/v1/products", serde_json::json!({})).by(&ada()).send().await;
    fits(&document, &document["components"]["schemas"]["Problem"], &refused.json(), "problem");
}
