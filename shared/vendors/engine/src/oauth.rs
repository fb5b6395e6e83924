//! What the token endpoints of networks answer (RFC 6749, sections 5.1 and 5.2), and what their errors mean for an
//! account.
//!
//! **Never here:** a network's address, its names for things in a request, a stored token.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use nexus_engine::connections::{Granted, LoginError};
use nexus_kernel::{Digest, FailureKind, Secret};
use nexus_outbound::{Answer, CallError, Reading, Usage};
use serde::Deserialize;

/// What stands in a success. Of what else stands there nothing is read.
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<i64>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    open_id: Option<String>,
}

#[derive(Deserialize)]
struct Error {
    error: String,
}

/// The PKCE challenge of RFC 7636, section 4.2: base64url of the verifier's SHA-256.
pub(crate) fn challenge(verifier: &Secret<String>) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(verifier.reveal().as_bytes()).as_bytes())
}

/// Reads a token endpoint's answer; `network` is how a person calls it. An error may come with status 200.
///
/// # Errors
/// [`CallError::Login`] where the grant is of no use (any more); [`CallError::Unknown`] where tokens may have been
/// given that cannot be read.
pub(crate) fn granted(answer: &Answer, network: &str) -> Result<Reading<Granted>, CallError> {
    if let Ok(Error { error }) = serde_json::from_slice::<Error>(&answer.body) {
        return Err(refusal(&error, network));
    }
    match answer.status.as_u16() {
        200..=299 => {}
        400 | 401 | 403 => {
            let why = format!("{network} refused the connection.");
            return Err(CallError::Refused { code: "oauth".to_owned(), why });
        }
        429 => {
            let why = format!("{network} was asked too often.");
            return Err(CallError::Throttled { after: None, why });
        }
        status => {
            let why = format!("{network} answered {status} to a request for tokens");
            return Err(CallError::Unknown { why });
        }
    }
    let unreadable = |_| CallError::Unknown {
        why: format!("{network} answered a request for tokens with something else"),
    };
    let tokens: Tokens = serde_json::from_slice(&answer.body).map_err(unreadable)?;
    if tokens.access_token.is_empty() {
        return Err(CallError::Unknown { why: format!("{network} gave an empty token") });
    }
    // TikTok puts commas between scopes, all others spaces.
    let scopes = tokens.scope.map(|scopes| {
        let each = scopes.split([' ', ',']).filter(|scope| !scope.is_empty());
        each.map(str::to_owned).collect::<BTreeSet<_>>()
    });
    let value = Granted {
        access: Secret::new(tokens.access_token),
        refresh: tokens.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        lives: tokens.expires_in.filter(|seconds| *seconds > 0).map(SignedDuration::from_secs),
        scopes,
        account: tokens.open_id.map(Secret::new),
    };
    Ok(Reading { value, usage: Usage::default() })
}

/// What an error's word means (RFC 6749, section 5.2).
fn refusal(error: &str, network: &str) -> CallError {
    let refused = |code: &str, why: String| CallError::Refused { code: code.to_owned(), why };
    match error {
        "invalid_grant" | "access_denied" => CallError::Login {
            why: format!("{network} does not accept this connection any more. Connect it again."),
        },
        "temporarily_unavailable" | "slow_down" => {
            CallError::Throttled { after: None, why: format!("{network} has no time now.") }
        }
        "server_error" => CallError::Unknown { why: format!("{network} failed at the tokens") },
        "invalid_client" | "unauthorized_client" => refused(
            "client",
            format!(
                "{network} does not know this application. Whoever operates this looks at its name and secret."
            ),
        ),
        "invalid_scope" => refused(
            "scope",
            format!("{network} does not give this application what posting needs."),
        ),
        _ => refused("oauth", format!("{network} refused the connection.")),
    }
}

/// What the end of a call means for a login.
pub(crate) fn login_error(error: CallError) -> LoginError {
    match error {
        CallError::Login { why } => LoginError::Gone { why },
        CallError::Refused { why, .. } => LoginError::Refused { why },
        CallError::Throttled { after, why } => LoginError::Later {
            after_seconds: after
                .map(|after| u32::try_from(after.as_secs() + 1).unwrap_or(u32::MAX)),
            why,
        },
        CallError::Unknown { why } => LoginError::Unknown { why },
        CallError::Held(failure) => match failure.kind() {
            FailureKind::Invalid | FailureKind::Denied => {
                LoginError::Refused { why: failure.public().to_owned() }
            }
            _ => LoginError::Later { after_seconds: None, why: failure.public().to_owned() },
        },
        CallError::Bug(cause) => {
            tracing::error!(cause = %cause, "a request for tokens was held back: it is built wrongly");
            LoginError::Refused {
                why: "This is a mistake of ours; it was written down.".to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        }
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn n37_tokens_scopes_and_times_are_read_and_nothing_else() {
        let body = r#"{"access_token":"act.x","expires_in":86400,"open_id":"o1","refresh_token":"rft.x",
            "refresh_expires_in":31536000,"scope":"user.info.basic,video.publish","token_type":"Bearer","name":"Ada"}"#;
        let granted = granted(&answer(200, body), "TikTok").unwrap().value;
        assert_eq!(granted.access.reveal(), "act.x");
        assert_eq!(granted.refresh.as_ref().unwrap().reveal(), "rft.x");
        assert_eq!(granted.lives, Some(SignedDuration::from_hours(24)));
        assert_eq!(granted.scopes.clone().unwrap().len(), 2);
        let told = format!("{granted:?}");
        assert!(!told.contains("act.x") && !told.contains("o1") && !told.contains("Ada"), "{told}");
    }

    #[test]
    fn n41_an_error_is_an_error_whatever_its_status_and_ends_the_connection_only_where_it_says_so()
    {
        for status in [200, 400, 401] {
            let gone = granted(&answer(status, r#"{"error":"invalid_grant","log_id":"x"}"#), "X");
            assert!(matches!(gone, Err(CallError::Login { .. })), "{status}");
        }
        let kind = |status: u16, body: &str| granted(&answer(status, body), "X").map(drop);
        assert!(matches!(
            kind(401, r#"{"error":"invalid_client"}"#),
            Err(CallError::Refused { .. })
        ));
        assert!(matches!(kind(429, ""), Err(CallError::Throttled { .. })));
        for unknown in [(500, ""), (200, ""), (200, "{}"), (200, r#"{"access_token":""}"#)] {
            assert!(matches!(kind(unknown.0, unknown.1), Err(CallError::Unknown { .. })));
        }
    }
}
