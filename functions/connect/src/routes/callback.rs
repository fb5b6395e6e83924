//! A person comes back from a network, in a browser that shows no token of ours: what ties them to who began is the
//! state alone (`nexus_engine::connections::connecting`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use nexus_core::Product;
use nexus_engine::connections::connecting::{self, Brings, CameBack};
use nexus_handler::outcome;
use nexus_kernel::{FailureKind, Secret};

use crate::Deps;
use crate::asking::until;
use crate::page::page;

/// The most bytes of anything that is read out of the address.
const MAX_BYTES: usize = 4_096;

/// Come back from a network
///
/// Answers a page for the person. A state can be used once, within 15 minutes.
#[utoipa::path(
    get, path = "/v1/connections/callback", operation_id = "come_back", tag = "connections",
    params(
        ("state" = String, Query, description = "What was sent with the person."),
        ("code" = Option<String>, Query, description = "What is exchanged for tokens."),
        ("error" = Option<String>, Query, description = "The network's word for why there is no code."),
        ("iss" = Option<String>, Query, description = "Who sent the person, where the network says so."),
    ),
    responses(
        (status = 200, description = "It is connected", content_type = "text/html", body = String),
        (status = "4XX", description = "It is not", content_type = "text/html", body = String),
        (status = "5XX", description = "It is not, for now", content_type = "text/html", body = String),
    )
)]
pub(crate) async fn come_back(State(deps): State<Arc<Deps>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let Some(back) = came_back(parts.uri.query().unwrap_or_default()) else {
        let text =
            "The address lacks what a network sends along. Begin again where you connect accounts.";
        return page(StatusCode::BAD_REQUEST, "Nothing was connected", text);
    };
    let until = until(&parts, &deps);
    match connecting::finish(&deps.accounts, Product::Engine, until, back).await {
        Ok(done) => {
            let (label, place) = (&done.connection.label, done.connection.place());
            let how = if done.again { "connected again" } else { "connected" };
            let text =
                format!("“{label}” at {place} is {how}. Posts that you approve can go there now.");
            page(StatusCode::OK, "Connected", &text)
        }
        Err(failure) => {
            let outcome = outcome::of(failure.kind());
            if outcome.status >= 500 {
                outcome::log("http", &failure);
            }
            let status = match failure.kind() {
                // What is wrong with an address is the address.
                FailureKind::Invalid => StatusCode::BAD_REQUEST,
                _ => StatusCode::from_u16(outcome.status)
                    .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            };
            page(status, "Nothing was connected", failure.public())
        }
    }
}

/// What stands in the address. Networks add words of their own, which are passed over; of one that stands twice the
/// first is read.
fn came_back(query: &str) -> Option<CameBack> {
    let named = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let value = pairs.find(|(key, _)| key == name)?.1.into_owned();
        (1..=MAX_BYTES).contains(&value.len()).then_some(value)
    };
    let brings = match (named("code"), named("error")) {
        (_, Some(word)) => Brings::Refusal(word),
        (Some(code), None) => Brings::Code(Secret::new(code)),
        (None, None) => return None,
    };
    Some(CameBack { state: Secret::new(named("state")?), brings, issuer: named("iss") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_read_and_its_secrets_are_not_shown() {
        let back = came_back("scopes=a%2Cb&code=canary%2B1&state=canary-s&state=other").unwrap();
        assert_eq!(back.state.reveal(), "canary-s");
        assert!(matches!(&back.brings, Brings::Code(code) if code.reveal() == "canary+1"));
        assert!(!format!("{back:?}").contains("canary"));
        let refused = came_back("state=s&error=access_denied&code=c").unwrap();
        assert!(matches!(refused.brings, Brings::Refusal(word) if word == "access_denied"));
        let long = format!("state=s&code={}", "x".repeat(MAX_BYTES + 1));
        for nothing in ["", "state=s", "code=c", "state=&code=c", "state=s&code=", &long] {
            assert!(came_back(nothing).is_none(), "{nothing}");
        }
    }
}
