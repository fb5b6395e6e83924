//! The verified claims, as API Gateway's JWT authorizer hands them over.
//!
//! The authorizer has checked signature, issuer, expiry and client. It turns claims into texts, so that groups
//! read `"[a b]"`. Whether the token is an access token it does not check.

use std::collections::HashMap;

use axum::extract::Request;
use lambda_http::request::RequestContext;
use nexus_core::Claims;

/// Puts the claims into the request's extensions, where there are any.
pub(crate) fn into_extensions(mut request: Request) -> Request {
    let claims = request.extensions().get::<RequestContext>().and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => {
            let jwt = context.authorizer.as_ref()?.jwt.as_ref()?;
            of(&jwt.claims)
        }
        _ => None,
    });
    if let Some(claims) = claims {
        request.extensions_mut().insert(claims);
    }
    request
}

fn of(claims: &HashMap<String, String>) -> Option<Claims> {
    if claims.get("token_use").map(String::as_str) != Some("access") {
        return None;
    }
    let groups = claims.get("cognito:groups").map(String::as_str).unwrap_or_default();
    let groups = groups.trim_start_matches('[').trim_end_matches(']');
    Some(Claims {
        subject: claims.get("sub")?.clone(),
        groups: groups.split([' ', ',']).filter(|g| !g.is_empty()).map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn groups_come_as_one_text_in_brackets() {
        let claims = of(&texts(&[
            ("sub", "u1"),
            ("token_use", "access"),
            ("cognito:groups", "[ten_a/operator ten_b/approver]"),
        ]));
        assert_eq!(claims.unwrap().groups, ["ten_a/operator", "ten_b/approver"]);
        let none = of(&texts(&[("sub", "u1"), ("token_use", "access")]));
        assert_eq!(none.unwrap().groups, Vec::<String>::new());
    }

    #[test]
    fn n47_an_id_token_is_no_access_token() {
        assert_eq!(of(&texts(&[("sub", "u1"), ("token_use", "id")])), None);
        assert_eq!(of(&texts(&[("sub", "u1")])), None);
    }
}
