//! What a scope allows, in words that a person reads before they are sent to a network.
//!
//! **Never here:** which scopes are asked for: each network's `Login` says that.

/// What a scope allows; `None` of one that has no words yet.
pub fn allows(scope: &str) -> Option<&'static str> {
    Some(match scope {
        // TikTok.
        "user.info.basic" => "tell the account from others, and see what it may post",
        "video.publish" => "post videos and photos to the account",
        "video.upload" => "upload videos as drafts to the account",
        // X.
        "tweet.read" => "look whether a post is there",
        "tweet.write" => "post to the account",
        "users.read" => "tell the account from others",
        "media.write" => "upload videos and photos",
        "offline.access" => {
            "go on posting while nobody is there, until the account is disconnected"
        }
        // Mastodon's API.
        "write:statuses" => "post to the account",
        "write:media" => "upload videos and photos",
        "read:statuses" => "look whether a post is there",
        "read:accounts" | "profile" => "tell the account from others",
        _ => return None,
    })
}
