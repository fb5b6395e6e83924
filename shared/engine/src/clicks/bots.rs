//! Which clicks are no person's: a robot's, or that of a program which makes the preview of a link.
//!
//! They are served like any other, kept with the reason, and not counted. What is decided follows from fields that are
//! kept, so that clicks are judged by the rules of today whenever their day is counted anew.

use super::click::{Agent, BotReason};

/// Programs that make previews of links, by a piece of what they say, in small letters, and where that is written.
const PREVIEWERS: &[(&str, &str)] = &[
    ("facebookexternalhit", "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers"),
    ("facebookcatalog", "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers"),
    (
        "meta-externalfetcher",
        "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers",
    ),
    ("twitterbot", "https://developer.x.com/en/docs/x-for-websites/cards/guides/getting-started"),
    ("linkedinbot", "https://www.linkedin.com/help/linkedin/answer/a6233775"),
    ("slackbot", "https://api.slack.com/robots"),
    ("slack-imgproxy", "https://api.slack.com/robots"),
    ("discordbot", "https://discord.com/developers/docs/reference#user-agent"),
    ("telegrambot", "https://core.telegram.org/bots/webhooks"),
    ("whatsapp/", "https://developers.facebook.com/docs/whatsapp/link-previews"),
    ("skypeuripreview", "https://learn.microsoft.com/en-us/skype-sdk/skypeuris/skypeuriwebpreview"),
    ("pinterestbot", "https://help.pinterest.com/en/business/article/pinterest-crawler"),
    ("redditbot", "https://support.reddithelp.com/hc/en-us"),
    ("vkshare", "https://dev.vk.com/en/api/pages-scripts/share"),
    ("bluesky cardyb", "https://github.com/bluesky-social/social-app"),
    ("mastodon/", "https://docs.joinmastodon.org/"),
    ("pleroma ", "https://docs.pleroma.social/"),
    ("misskey/", "https://misskey-hub.net/"),
    ("embedly", "https://docs.embed.ly/"),
    ("iframely", "https://iframely.com/docs/about"),
    (
        "google-pagerenderer",
        "https://developers.google.com/search/docs/crawling-indexing/google-special-case-crawlers",
    ),
    (
        "googlemessages",
        "https://developers.google.com/search/docs/crawling-indexing/google-user-triggered-fetchers",
    ),
    ("snap url preview service", "https://developers.snap.com/robots"),
    ("tiktokspider", "https://developers.tiktok.com/"),
    (
        "microsoftpreview",
        "https://www.bing.com/webmasters/help/which-crawlers-does-bing-use-8c184ec0",
    ),
];

/// Libraries and tools that no person looks through, by a piece of what they say, in small letters. uap-core tells
/// of most other robots itself.
const TOOLS: &[&str] = &[
    "curl/",
    "wget/",
    "python-requests/",
    "python-urllib/",
    "python-httpx/",
    "aiohttp/",
    "go-http-client/",
    "java/",
    "apache-httpclient/",
    "libwww-perl/",
    "http.rb/",
    "axios/",
    "node-fetch",
    "undici",
    "headlesschrome",
    "phantomjs",
    "scrapy/",
    "postmanruntime/",
];

/// Why a click is not counted; `None` where it is taken for a person's. It follows from what is kept of a click: the
/// text of its program, and the two facts of its request.
pub fn reason(agent_text: &str, head: bool, no_accept: bool) -> Option<BotReason> {
    by_program(&Agent::read(agent_text.to_owned())).or_else(|| by_request(head, no_accept))
}

/// What the program alone tells.
pub fn by_program(agent: &Agent) -> Option<BotReason> {
    let said = agent.text.to_ascii_lowercase();
    if said.is_empty() {
        return Some(BotReason::NoAgent);
    }
    if PREVIEWERS.iter().any(|(piece, _)| said.contains(piece)) {
        return Some(BotReason::Preview);
    }
    // uap-core's word for every robot that it knows.
    if agent.device == "Spider" || TOOLS.iter().any(|piece| said.contains(piece)) {
        return Some(BotReason::Robot);
    }
    None
}

/// What the request tells of a program that tells nothing.
pub fn by_request(head: bool, no_accept: bool) -> Option<BotReason> {
    if head {
        return Some(BotReason::Head);
    }
    no_accept.then_some(BotReason::NoAccept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1";

    #[test]
    fn robots_and_previews_are_told_from_people() {
        use BotReason::{Head, NoAccept, NoAgent, Preview, Robot};
        for (text, head, no_accept, why) in [
            (IPHONE, false, false, None),
            (IPHONE, true, false, Some(Head)),
            (IPHONE, false, true, Some(NoAccept)),
            (IPHONE, true, true, Some(Head)),
            ("", false, false, Some(NoAgent)),
            ("", true, true, Some(NoAgent)),
            (
                "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
                false,
                false,
                Some(Preview),
            ),
            (
                "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
                true,
                false,
                Some(Preview),
            ),
            ("WhatsApp/2.23.20.0 A", false, false, Some(Preview)),
            (
                "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
                false,
                true,
                Some(Preview),
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                false,
                false,
                Some(Robot),
            ),
            (
                "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
                false,
                false,
                Some(Robot),
            ),
            ("curl/8.5.0", false, false, Some(Robot)),
            ("python-requests/2.31.0", false, false, Some(Robot)),
            // A person, in the browser within an application.
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 309.1.1.28.108 (iPhone14,5; iOS 17_2; en_US; en; scale=3.00; 1170x2532; 537288535)",
                false,
                false,
                None,
            ),
        ] {
            assert_eq!(reason(&Agent::of(text).text, head, no_accept), why, "{text}");
        }
    }

    #[test]
    fn pieces_are_in_small_letters_and_each_preview_has_its_source() {
        for (piece, source) in PREVIEWERS {
            assert_eq!(*piece, piece.to_lowercase());
            assert!(source.starts_with("https://"), "{piece}");
        }
        for piece in TOOLS {
            assert_eq!(*piece, piece.to_lowercase());
        }
    }
}
