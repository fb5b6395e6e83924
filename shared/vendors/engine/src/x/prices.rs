//! X's price list: each request to post is paid, and each thing that is read. There is no subscription.

use jiff::civil::{Date, date};
use nexus_core::egress::Cost;
use nexus_engine::copy::links::{self, Kind};

/// The day on which these prices were read.
pub const AS_OF: Date = date(2026, 11, 21);
/// Where they were read.
pub const SOURCE: &str = "docs.x.com/x-api/getting-started/pricing";

/// A post.
pub const POST: Cost = Cost::micros(15_000);
/// A post with a link in its text.
pub const POST_WITH_LINK: Cost = Cost::micros(200_000);
/// The words for what a post shows.
pub const DESCRIPTION: Cost = Cost::micros(5_000);
/// A post that is read. X asks 0.001 for "owned reads"; whether the posts of an account that is not the application
/// owner's count as such it does not say, so the dearer price is reserved and counted.
pub const POST_READ: Cost = Cost::micros(5_000);
/// An account that is read; the same holds for it.
pub const ACCOUNT_READ: Cost = Cost::micros(10_000);

/// What X takes for links in a text, as they are written.
pub fn links_in(text: &str) -> Vec<&str> {
    let links = links::find(text).into_iter();
    links.filter(|link| matches!(link.kind, Kind::Web | Kind::Ordinal)).map(|l| l.text).collect()
}

/// What X asks for a post of this text, with what it shows described in words or not.
pub fn post(text: &str, is_described: bool) -> Cost {
    beside(of_text(text), is_described)
}

/// The price of a text, with the words for what it shows.
fn beside(text: Cost, is_described: bool) -> Cost {
    let description = if is_described { DESCRIPTION } else { Cost::ZERO };
    Cost::micros(text.as_micros().saturating_add(description.as_micros()))
}

/// What X asks for the text alone.
pub fn of_text(text: &str) -> Cost {
    if links_in(text).is_empty() { POST } else { POST_WITH_LINK }
}

/// What so many posts cost that are read.
pub fn reads(posts: usize) -> Cost {
    let posts = i64::try_from(posts).unwrap_or(i64::MAX);
    Cost::micros(POST_READ.as_micros().saturating_mul(posts))
}

/// What the approver is told about the price.
pub fn note(text: &str, is_described: bool) -> String {
    let (plain, linked) = (beside(POST, is_described), beside(POST_WITH_LINK, is_described));
    let words = match is_described {
        true => format!(" Of it {} is for the words on what it shows.", DESCRIPTION.in_dollars()),
        false => String::new(),
    };
    let found = links_in(text);
    if found.is_empty() {
        return format!(
            "X charges {} dollars for this post; with a link in its text it would be {}.{words}",
            plain.in_dollars(),
            linked.in_dollars()
        );
    }
    let times = linked.as_micros() / plain.as_micros();
    format!(
        "X charges {} dollars for this post, because it takes {} for a link. Without a link it is {}: {times} times \
         cheaper.{words}",
        linked.in_dollars(),
        found.join(", "),
        plain.in_dollars()
    )
}
