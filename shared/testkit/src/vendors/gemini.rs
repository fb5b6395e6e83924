//! Gemini's `generateContent`: writes what the schema asks for, of the names that the request has.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Map, Value, json};

use super::{Came, Manner, No, Operation, Shared, google, says};

static MANNER: Manner = Manner { vendor: "gemini", key: Some(("x-goog-api-key", "")), says: no };

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1beta/models/{call}", post(generate_content))
}

fn no(_: Operation, no: &No) -> Response {
    match no {
        No::Refused => says(
            200,
            json!({
                "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" },
                "usageMetadata": { "promptTokenCount": 700, "totalTokenCount": 700 },
            }),
        ),
        other => google(other),
    }
}

async fn generate_content(
    State(house): State<Shared>,
    Path(call): Path<String>,
    came: Came,
) -> Response {
    house.take(&MANNER, Operation::Write, came, |came| {
        let model = call.strip_suffix(":generateContent").ok_or(No::Missing)?;
        if !model.starts_with("gemini-3") {
            return Err(No::Missing);
        }
        written(model, came)
    })
}

fn written(model: &str, came: &Came) -> Result<Response, No> {
    came.text("/systemInstruction/parts/0/text")?;
    came.one_of("/contents/0/role", &["user"])?;
    came.text("/contents/0/parts/0/text")?;
    came.one_of("/generationConfig/responseMimeType", &["application/json"])?;
    let wrong = |field, why| Err(No::Wrong(field, why));
    if came.body.pointer("/store") != Some(&Value::Bool(false)) {
        return wrong("store", "nothing of this house is to be kept");
    }
    let most = came.body.pointer("/generationConfig/maxOutputTokens").and_then(Value::as_u64);
    if most.is_none_or(|most| most < 1_000) {
        return wrong("maxOutputTokens", "the words would be cut off");
    }
    let Some(schema) = came.body.pointer("/generationConfig/responseSchema") else {
        return wrong("responseSchema", "it is missing");
    };
    if !is_schema(schema) {
        return wrong("responseSchema", "it is none that Gemini reads");
    }
    let parts = came.body.pointer("/contents/0/parts").and_then(Value::as_array);
    let document = parts.and_then(|parts| parts.last()?.get("text")?.as_str());
    let document = document.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(document) = document else {
        return wrong("contents", "what the words are about is no document");
    };
    let words = Writer::of(&document).object(schema, "english").to_string();
    let tokens = |text: &str| text.len().div_ceil(4);
    let (asked, told) = (tokens(&came.body.to_string()), tokens(&words));
    let content = json!({ "role": "model", "parts": [{ "text": words }] });
    Ok(says(
        200,
        json!({
            "candidates": [{ "content": content, "finishReason": "STOP", "index": 0 }],
            "usageMetadata": {
                "promptTokenCount": asked, "candidatesTokenCount": told, "thoughtsTokenCount": 40,
                "totalTokenCount": asked + told + 40,
            },
            "modelVersion": model, "responseId": "r",
        }),
    ))
}

/// Whether a schema has only words that Gemini knows; it answers 400 to others.
fn is_schema(schema: &Value) -> bool {
    const KNOWN: [&str; 8] =
        ["type", "required", "properties", "items", "enum", "format", "description", "nullable"];
    const TYPES: [&str; 6] = ["OBJECT", "ARRAY", "STRING", "INTEGER", "NUMBER", "BOOLEAN"];
    let Some(fields) = schema.as_object() else { return false };
    let properties = fields.get("properties").and_then(Value::as_object);
    let mut below = properties.into_iter().flat_map(Map::values).chain(fields.get("items"));
    fields.keys().all(|key| KNOWN.contains(&key.as_str()))
        && fields.get("type").and_then(Value::as_str).is_some_and(|t| TYPES.contains(&t))
        && below.all(is_schema)
}

/// Writes about a product of a business, and says nothing of it but its name.
struct Writer {
    thing: String,
    tags: Vec<String>,
}

impl Writer {
    fn of(document: &Value) -> Self {
        let name = |pointer| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let thing = match (name("/product/name"), name("/business/name")) {
            ("", "") => "Hello".to_owned(),
            ("", business) => business.to_owned(),
            (product, "") => product.to_owned(),
            (product, business) => format!("{product}, {business}"),
        };
        let keywords = document.pointer("/product/keywords").and_then(Value::as_array);
        let keywords = keywords.into_iter().flatten().filter_map(Value::as_str);
        let tags = keywords.filter(|k| k.chars().all(char::is_alphabetic)).map(str::to_owned);
        Self { thing, tags: tags.collect() }
    }

    /// Three sentences in a language of the schema.
    fn sentences(&self, language: &str) -> [String; 3] {
        let thing = &self.thing;
        match language {
            "spanish" => [
                format!("{thing}: lo que te gusta, en un lugar para ti."),
                "Lo hacemos con calma para la gente que se sienta con nosotros.".to_owned(),
                "Ven por la tarde y quédate un rato.".to_owned(),
            ],
            _ => [
                format!("{thing}: what you like, in a place for you."),
                "We make it in our own time for the people that sit with us.".to_owned(),
                "Come by in the afternoon and stay for a while.".to_owned(),
            ],
        }
    }

    fn object(&self, schema: &Value, language: &str) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields = properties.into_iter().flatten();
        let fields =
            fields.map(|(name, schema)| (name.clone(), self.field(name, schema, language)));
        Value::Object(fields.collect())
    }

    fn field(&self, name: &str, schema: &Value, language: &str) -> Value {
        let [first, second, third] = self.sentences(language);
        match (name, schema.get("type").and_then(Value::as_str)) {
            ("english" | "spanish", _) => self.object(schema, name),
            (_, Some("OBJECT")) => self.object(schema, language),
            ("hashtags", _) => json!(self.tags),
            ("video_prompt", _) => {
                json!(format!("{}, on a table; the camera moves slowly towards it.", self.thing))
            }
            ("description", _) => json!(format!("{first} {second} {third}")),
            (_, Some("ARRAY")) => json!([first, second, third]),
            _ => json!(format!("{first} {third}")),
        }
    }
}
