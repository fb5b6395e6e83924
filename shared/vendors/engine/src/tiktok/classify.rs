//! Whether it happened, by TikTok's word or, where there is none, by the status. A status of 200 with a word other than
//! `ok` is an error.

use std::time::Duration;

use nexus_outbound::{Answer, CallError};
use serde_json::Value;

/// TikTok counts requests by the minute.
const NEXT_MINUTE: Duration = Duration::from_secs(60);

/// What an account has to do that is not connected any more.
pub(super) const CONNECT_AGAIN: &str =
    "TikTok does not accept this connection any more. Connect the account again.";

/// Reads an answer of the API and lets a success pass: what stands under `data`.
///
/// # Errors
/// What TikTok's word or the status means otherwise.
pub(super) fn data(answer: &Answer) -> Result<Value, CallError> {
    let status = answer.status.as_u16();
    let body: Value = match serde_json::from_slice(&answer.body) {
        Ok(body) => body,
        Err(_) => return Err(by_status(answer, "something that cannot be read")),
    };
    match body.pointer("/error/code").and_then(Value::as_str) {
        Some("ok") if (200..300).contains(&status) => {
            Ok(body.get("data").cloned().unwrap_or_default())
        }
        Some("ok") | None => Err(by_status(answer, "no word for it")),
        Some(word) => Err(by_word(answer, word)),
    }
}

fn refused(code: &str, why: &str) -> CallError {
    CallError::Refused { code: code.to_owned(), why: why.to_owned() }
}

fn by_word(answer: &Answer, word: &str) -> CallError {
    match word {
        "access_token_invalid" => CallError::Login { why: CONNECT_AGAIN.to_owned() },
        "scope_not_authorized" | "scope_permission_missed" => CallError::Login {
            why: "This TikTok account has not allowed posting. Connect it again, and allow posting on TikTok's page."
                .to_owned(),
        },
        "rate_limit_exceeded" => too_often(answer),
        "privacy_level_option_mismatch" => refused(
            "privacy",
            "This TikTok account does not offer the audience that was chosen, or not any more. Choose another one.",
        ),
        "unaudited_client_can_only_post_to_private_accounts" => refused(
            "unaudited",
            "TikTok has not audited this application yet. Until then it takes posts only from accounts that are set to \
             private in TikTok's app, and only for the account alone.",
        ),
        "url_ownership_unverified" => refused(
            "url_ownership",
            "TikTok does not know the address of our pictures as ours. Whoever operates this verifies \
             TIKTOK_MEDIA_BASE in TikTok's portal for developers.",
        ),
        "reached_active_user_cap" => refused(
            "active_user_cap",
            "As many accounts have posted through this application today as TikTok allows before its audit. Post \
             tomorrow; whoever operates this applies for the audit.",
        ),
        "invalid_param" | "invalid_params" => {
            refused("invalid_params", "TikTok cannot make a post of this as it is.")
        }
        "internal_error" => CallError::Unknown { why: "TikTok says that it failed".to_owned() },
        word => match blocked(word) {
            Some(why) => refused("spam_risk", why),
            // An error without a status of one is an error.
            None if answer.status.is_success() => refused("refused", "TikTok refused this."),
            None => by_status(answer, "a word that is not known here"),
        },
    }
}

/// Why TikTok takes no posts of an account, or not this one, for the words that begin with `spam_risk`. None of them
/// passes within the hour in which a post may still be sent, so they are told at once.
pub(super) fn blocked(word: &str) -> Option<&'static str> {
    Some(match word {
        "spam_risk_too_many_posts" => {
            "TikTok takes no more posts of this account today: about 15 within 24 hours, over all applications. Post \
             it tomorrow."
        }
        "spam_risk_user_banned_from_posting" => {
            "TikTok does not let this account post at the moment. Its owner sees why in TikTok's app."
        }
        "spam_risk_text" => {
            "TikTok took the text for spam or for something that it does not allow. Change it and approve it again."
        }
        word if word == "spam_risk" || word.starts_with("spam_risk_") => {
            "TikTok took this post for spam. Look at the account in TikTok's app, change the post, and approve it again."
        }
        _ => return None,
    })
}

/// Why a post that TikTok had came to nothing.
pub(super) enum Failed {
    /// For a reason of TikTok's own: another attempt may go well.
    Internally,
    /// It stays so.
    For(&'static str),
}

/// What the reason of a failed post means.
pub(super) fn failed(reason: &str) -> Failed {
    Failed::For(match reason {
        "internal" => return Failed::Internally,
        "file_format_check_failed" => {
            "TikTok cannot play the file. It takes MP4, MOV and WebM with H.264, H.265, VP8 or VP9."
        }
        "duration_check_failed" => {
            "TikTok found the video too long for this account, or too short. Make it again in another length."
        }
        "frame_rate_check_failed" => {
            "TikTok does not take the video's frame rate. It takes 23 to 60 frames a second."
        }
        "picture_size_check_failed" => {
            "TikTok does not take the size of the picture. A video has 360 to 4096 pixels on each side, a photo at \
             most 1080 on the shorter one."
        }
        "video_pull_failed" | "photo_pull_failed" => {
            "TikTok could not fetch the picture. Whoever operates this checks that TIKTOK_MEDIA_BASE is reachable from \
             outside, without a redirect."
        }
        "publish_cancelled" => "The post was called off at TikTok.",
        "auth_removed" => {
            "The account's owner took away the connection at TikTok before the post was there. Connect it again, then \
             post it again."
        }
        word => blocked(word).unwrap_or(
            "TikTok took the post and then did not let it appear, for a reason that is not known here. Its owner may \
             see it in TikTok's app.",
        ),
    })
}

fn too_often(answer: &Answer) -> CallError {
    CallError::Throttled {
        after: (!answer.asks_to_wait()).then_some(NEXT_MINUTE),
        why: "TikTok is asked too often for this account.".to_owned(),
    }
}

/// What the status alone says. A gateway's word is not TikTok's: whether it happened is not known then.
pub(super) fn by_status(answer: &Answer, with: &str) -> CallError {
    match answer.status.as_u16() {
        401 => CallError::Login { why: CONNECT_AGAIN.to_owned() },
        429 => too_often(answer),
        413 => refused("too_large", "The file is too large for TikTok."),
        408 => CallError::Unknown { why: "TikTok answered 408".to_owned() },
        status @ 400..=499 => refused("refused", &format!("TikTok refused this ({status}).")),
        status => CallError::Unknown { why: format!("TikTok answered {status} with {with}") },
    }
}
