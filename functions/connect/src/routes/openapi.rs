//! The description of these routes, made from the routes themselves.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use nexus_handler::http::{PROBLEM_JSON, TENANT_HEADER};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
};
use utoipa::{PartialSchema, ToSchema};

/// The description, as it is sent.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = whole(super::all().into_openapi());
    // Plain data: it can be written.
    document.to_json().unwrap_or_default()
});

const TOKEN: &str = "token";

/// Routes that ask for no token.
const OPEN: [&str; 2] = ["/v1/connections/callback", "/v1/connections/openapi.json"];

/// How every failure is told (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only the shape: the handler crate writes the problems")]
struct ProblemShape {
    /// Always `about:blank`: the status tells the type.
    r#type: String,
    title: String,
    /// As the answer's own.
    status: u16,
    /// What went wrong, and what would help.
    detail: String,
}

/// This description
#[utoipa::path(
    get, path = "/v1/connections/openapi.json", operation_id = "read_connections_openapi", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn read() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// What there is to say before any route.
pub(super) fn about() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Nexus Engine: connections")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A tenant's accounts at networks. They are connected by OAuth 2.0 at the network itself: no field takes a \
             password, and no answer holds a token.",
        ));
    OpenApiBuilder::new().info(info.build()).build()
}

/// The routes' own description with what holds for all of them.
fn whole(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let open = OPEN.contains(&path.as_str());
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            complete(operation, open);
        }
    }
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            "An access token of the identity provider; its groups say whose accounts these are.",
        ));
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let refused = ResponseBuilder::new()
        .description(
            "It was refused or could not be done; the problem says why and what would help.",
        )
        .content(PROBLEM_JSON, problem);
    let components = document.components.take().unwrap_or_default();
    let components = ComponentsBuilder::from(components)
        .schema("Problem", ProblemShape::schema())
        .security_scheme(TOKEN, SecurityScheme::Http(bearer.build()))
        .response("Refused", refused.build());
    document.components = Some(components.build());
    document
}

fn complete(operation: &mut Operation, open: bool) {
    if open {
        operation.security = Some(Vec::new());
        return;
    }
    operation.security = Some(vec![SecurityRequirement::new(TOKEN, [] as [&str; 0])]);
    let tenant = ParameterBuilder::new()
        .name(TENANT_HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Which of the caller's tenants is meant, for somebody of several."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(36))))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(tenant));
    let refused = Ref::from_response_name("Refused");
    operation.responses.responses.insert("default".to_owned(), refused.into());
}
