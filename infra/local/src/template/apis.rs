//! `AWS::Serverless::HttpApi`: authorizers and cross-origin rules. Its routes stand with the functions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::functions;
use super::node::Entry;
use super::plan::{Api, Auth, Authorizer, Cors};
use super::problem::Place;
use super::reading::{Reading, Resource};
use super::section::Section;

pub(super) const KIND: &str = "AWS::Serverless::HttpApi";

pub(super) fn read(reading: &Reading<'_>, resource: &Resource) -> Api {
    let mut section = reading.properties(resource, KIND);
    let mut api = Api {
        id: resource.id.clone(),
        authorizers: BTreeMap::new(),
        default_authorizer: None,
        cors: None,
    };
    if let Some(mut auth) = section.section("Auth", "an API's auth") {
        let named = |entry: &Entry| Some((entry.key.clone(), authorizer(reading, entry)?));
        let entries = auth.entries("Authorizers");
        api.authorizers = entries.iter().filter_map(named).collect();
        api.default_authorizer = auth.text("DefaultAuthorizer");
        if let Some(default) = &api.default_authorizer
            && !entries.iter().any(|entry| entry.key == *default)
        {
            unknown_authorizer(reading, auth.place(), default);
        }
    }
    api.cors =
        section.section("CorsConfiguration", "an API's CORS").map(|cors| read_cors(reading, cors));
    if section.text("StageName").is_some_and(|stage| stage != "$default") {
        let remedy =
            "leave it out: with the stage $default the path has no stage in it, as on one machine";
        reading.wrong(section.place(), "the API has a stage of its own", remedy);
    }
    api
}

/// Who may pass on a route that names this authorizer, or none.
pub(super) fn auth(
    reading: &Reading<'_>,
    api: &Resource,
    named: Option<String>,
    place: Place,
) -> Option<Auth> {
    let auth = api.properties.get("Auth");
    let default = || auth?.get("DefaultAuthorizer")?.text().map(str::to_owned);
    let Some(name) = named.or_else(default) else { return Some(Auth::None) };
    if name == "NONE" {
        return Some(Auth::None);
    }
    let authorizer = auth.and_then(|auth| auth.get("Authorizers")?.get(&name));
    match authorizer {
        Some(authorizer) if authorizer.get("FunctionArn").is_some() => Some(Auth::Function(name)),
        Some(_) => Some(Auth::Jwt(name)),
        None => {
            unknown_authorizer(reading, place, &name);
            None
        }
    }
}

fn unknown_authorizer(reading: &Reading<'_>, place: Place, name: &str) {
    let remedy = "name one of the API's Auth.Authorizers, or NONE";
    reading.wrong(place, format!("there is no authorizer `{name}`"), remedy);
}

fn authorizer(reading: &Reading<'_>, entry: &Entry) -> Option<Authorizer> {
    let jwt = entry.node.get("FunctionArn").is_none();
    let kind = if jwt { "a JWT authorizer" } else { "a Lambda authorizer" };
    let mut section = Section::new(reading, kind, entry.place, &entry.node);
    if jwt { token(reading, &mut section) } else { function(reading, &mut section) }
}

fn token(reading: &Reading<'_>, section: &mut Section<'_>) -> Option<Authorizer> {
    if section
        .text("IdentitySource")
        .is_some_and(|source| source != "$request.header.Authorization")
    {
        let remedy = "write `$request.header.Authorization`";
        reading.wrong(
            section.place(),
            "the token comes from elsewhere than the Authorization header",
            remedy,
        );
    }
    let configuration = section.section("JwtConfiguration", "a JWT configuration");
    let mut configuration = section.require("JwtConfiguration", configuration)?;
    let issuer = configuration.text("issuer");
    let issuer = configuration.require("issuer", issuer);
    let audience = configuration.texts("audience");
    configuration.require("audience", audience.first());
    Some(Authorizer::Jwt { issuer: issuer?, audience })
}

fn function(reading: &Reading<'_>, section: &mut Section<'_>) -> Option<Authorizer> {
    let function = section.arn("FunctionArn", functions::KIND);
    let simple = section.boolean("EnableSimpleResponses") == Some(true);
    let version = section.text("AuthorizerPayloadFormatVersion");
    if !simple || version.as_deref() != Some("2.0") {
        let remedy =
            "write `EnableSimpleResponses: true` and `AuthorizerPayloadFormatVersion: \"2.0\"`";
        reading.wrong(
            section.place(),
            "the host speaks payload 2.0 with simple responses only",
            remedy,
        );
    }
    let mut identity = section.section("Identity", "a Lambda authorizer's identity");
    let headers = identity.as_mut().map(|identity| identity.texts("Headers")).unwrap_or_default();
    let cache =
        identity.as_mut().and_then(|identity| identity.seconds("ReauthorizeEvery", 0..=3_600));
    Some(Authorizer::Function {
        function: function?,
        headers,
        cache: cache.unwrap_or(Duration::ZERO),
    })
}

fn read_cors(reading: &Reading<'_>, mut section: Section<'_>) -> Cors {
    if section.boolean("AllowCredentials") == Some(true) {
        reading.wrong(section.place(), "no cookies here (N56)", "leave AllowCredentials out");
    }
    Cors {
        origins: section.texts("AllowOrigins"),
        methods: section.texts("AllowMethods"),
        headers: section.texts("AllowHeaders"),
        exposed: section.texts("ExposeHeaders"),
        max_age: section.seconds("MaxAge", 0..=86_400),
    }
}
