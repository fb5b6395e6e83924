//! The description of the API, made from the routes themselves.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use nexus_handler::http::{MAX_BODY_BYTES, PROBLEM_JSON, TENANT_HEADER, idempotency};
use utoipa::openapi::path::{
    HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Required,
};
use utoipa::{PartialSchema, ToSchema};

/// The description, as it is sent.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = whole(super::all().into_openapi());
    // Plain data: it can be written.
    document.to_json().unwrap_or_default()
});

const TOKEN: &str = "token";

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
    /// The fields at fault, if the request was.
    #[schema(required = false)]
    errors: Vec<FieldProblemShape>,
}

/// A field of the request, and what is wrong with it.
#[derive(ToSchema)]
#[schema(as = FieldProblem)]
#[expect(dead_code, reason = "only the shape: the handler crate writes the problems")]
struct FieldProblemShape {
    /// Its path, for example `words.en.script[2]`, or a header's name.
    field: String,
    /// What is wrong and what would be right.
    problem: String,
}

/// This description
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "read_openapi", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn read() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// What there is to say before any route.
pub(super) fn about() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Nexus Engine")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Photos and product facts become narrated, bilingual posts, which are sent once a person approved \
             them. Everything belongs to the tenant that the token's groups name; what is another tenant's is \
             answered like what is missing.",
        ));
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    OpenApiBuilder::new()
        .info(info.build())
        .tags(Some([
            tag("tenant", "Who the tenant is, and how they want things done."),
            tag("products", "What the tenant sells."),
            tag("media", "What the tenant uploads."),
            tag("drafts", "Content on its way to an approval."),
            tag("posts", "What was approved, and what became of it."),
            tag("links", "Short links: where a code leads, for whom, until when."),
            tag("reports", "What became of it, in numbers."),
            tag("notices", "What the tenant has to be told."),
            tag("questions", "What left the house and of which nobody knows what became of it."),
            tag(
                "inquiries",
                "What people asked on products' pages, and whose data may only be kept.",
            ),
            tag("footage", "Moving pictures that a person buys for a draft."),
            tag("spending", "What went to third parties, what it cost, and what it may."),
            tag("reports", "Clicks on the links of posts, counted."),
            tag("about", "This API."),
        ]))
        .build()
}

/// The routes' own description with what holds for all of them: the token, the headers, the failures.
fn whole(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let public = !path.starts_with("/v1/");
        for (method, operation) in operations(item) {
            complete(operation, method, public, path.contains("{id}"));
        }
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
        "An access token of the identity provider; its groups, `ten_…/operator` or `ten_…/approver`, say whose \
         things these are and what the caller may do.",
    ));
    let components = document.components.take().unwrap_or_default();
    let mut components = ComponentsBuilder::from(components)
        .schema("Problem", ProblemShape::schema())
        .schema("FieldProblem", FieldProblemShape::schema())
        .security_scheme(TOKEN, SecurityScheme::Http(bearer.build()));
    for failure in FAILURES {
        components = components.response(failure.name, failure.response());
    }
    let mut components = components.build();
    for (name, parameter) in [("Tenant", tenant()), ("IdempotencyKey", idempotency_key())] {
        components.parameters.insert(name.to_owned(), RefOr::T(parameter));
    }
    document.components = Some(components);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete(operation: &mut Operation, method: HttpMethod, public: bool, names_a_thing: bool) {
    let writes = method != HttpMethod::Get;
    let parameters = operation.parameters.get_or_insert_default();
    let mut refer = |name: &str| {
        parameters.push(RefOr::Ref(Ref::new(format!("#/components/parameters/{name}"))));
    };
    if public {
        operation.security = Some(Vec::new());
    } else {
        operation.security = Some(vec![SecurityRequirement::new(TOKEN, [] as [&str; 0])]);
        refer("Tenant");
    }
    if writes {
        refer("IdempotencyKey");
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = said(status).to_owned();
        }
    }
    let sends = operation.request_body.is_some();
    for failure in FAILURES {
        let may = match failure.when {
            When::Always => true,
            When::Secured => !public,
            When::NamesAThing => names_a_thing,
            When::Writes => writes,
            When::Sends => sends,
        };
        let declared = operation.responses.responses.get(failure.status);
        // A route that names the bare status means the failure of that status.
        if may || declared.is_some() {
            let response = Ref::from_response_name(failure.name);
            operation.responses.responses.insert(failure.status.to_owned(), response.into());
        }
    }
}

fn text(max: u64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(usize::try_from(max).ok())
}

fn tenant() -> Parameter {
    ParameterBuilder::new()
        .name(TENANT_HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Which of the caller's tenants is meant, for somebody who belongs to several.",
        ))
        .schema(Some(text(36)))
        .build()
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name(idempotency::KEY_HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Names this request, so that it may be sent again: for 24 hours the same request under the same key is \
             done once, and later ones are answered with what was answered then (`Idempotency-Replayed: true`). \
             Another request under the key is refused with 422; while the first is running, 409 says when to ask \
             again.",
        ))
        .schema(Some(text(idempotency::MAX_KEY_CHARS as u64).min_length(Some(1))))
        .build()
}

/// What a success means, where its route does not say more.
fn said(status: &str) -> &'static str {
    match status {
        "201" => "It was made, and stands at `Location`.",
        "204" => "It is gone.",
        _ => "This is how it stands now.",
    }
}

/// To which routes a failure can happen.
enum When {
    Always,
    Secured,
    NamesAThing,
    Writes,
    Sends,
}

struct Told {
    status: &'static str,
    name: &'static str,
    when: When,
    text: &'static str,
}

impl Told {
    fn response(&self) -> Response {
        let schema = Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let mut text = self.text.to_owned();
        if self.status == "413" {
            text = format!("{text} A body has at most {MAX_BODY_BYTES} bytes.");
        }
        let response = ResponseBuilder::new().description(text).content(PROBLEM_JSON, content);
        if !matches!(self.status, "409" | "429" | "503") {
            return response.build();
        }
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some(
            "After how many seconds asking again makes sense, where that is known.",
        ));
        response.header("Retry-After", header.build()).build()
    }
}

const FAILURES: [Told; 10] = [
    Told {
        status: "401",
        name: "Unauthenticated",
        when: When::Secured,
        text: "No valid access token came with the request.",
    },
    Told {
        status: "403",
        name: "Denied",
        when: When::Secured,
        text: "The caller belongs to no tenant, or lacks the role.",
    },
    Told {
        status: "404",
        name: "NotFound",
        when: When::NamesAThing,
        text: "There is no such thing among those of the caller's tenant.",
    },
    Told {
        status: "409",
        name: "Conflict",
        when: When::Writes,
        text: "The thing's state does not allow this, it was changed meanwhile, or the first request under the key \
               is still running.",
    },
    Told { status: "413", name: "TooLarge", when: When::Sends, text: "The body is too long." },
    Told {
        status: "415",
        name: "NotJson",
        when: When::Sends,
        text: "The body is not said to be JSON.",
    },
    Told {
        status: "422",
        name: "Invalid",
        when: When::Secured,
        text: "The request breaks a rule; `errors` names the fields.",
    },
    Told { status: "429", name: "Throttled", when: When::Secured, text: "Asked too often." },
    Told {
        status: "500",
        name: "OurMistake",
        when: When::Always,
        text: "Ours to repair; it has been recorded.",
    },
    Told {
        status: "503",
        name: "Unavailable",
        when: When::Secured,
        text: "Something needed is not there now; asking again later may work.",
    },
];
