//! What X takes of a post.
//!
//! Sources: docs.x.com, media best practices and counting characters. Sizes are binary megabytes, as in X's own errors.

use nexus_engine::copy::{limits, weighted};
use nexus_engine::publishing::{Network, PlannedMedia, PostPlan};
use nexus_kernel::FieldProblem;

const MEGABYTE: u64 = 1024 * 1024;

/// The shortest video, in milliseconds.
pub const SHORTEST_VIDEO_MS: u64 = 500;
/// The longest video of an account without a subscription, in milliseconds.
pub const LONGEST_VIDEO_MS: u64 = 140_000;
/// The most characters of the words for what a post shows.
pub const DESCRIPTION_CHARS: usize = 1_000;

/// A sort of media.
#[derive(Debug, PartialEq, Eq)]
pub struct Sort {
    /// X's word for it.
    pub category: &'static str,
    /// The content types.
    pub types: &'static [&'static str],
    /// The most bytes.
    pub bytes: u64,
    /// Our word for it.
    pub word: &'static str,
}

/// All of them.
pub static SORTS: [Sort; 3] = [
    Sort {
        category: "tweet_image",
        types: &["image/jpeg", "image/png", "image/webp"],
        bytes: 5 * MEGABYTE,
        word: "picture",
    },
    Sort {
        category: "tweet_gif",
        types: &["image/gif"],
        bytes: 15 * MEGABYTE,
        word: "moving picture",
    },
    Sort {
        category: "tweet_video",
        types: &["video/mp4", "video/quicktime"],
        bytes: 512 * MEGABYTE,
        word: "video",
    },
];

impl Sort {
    /// The sort of this content type, if X takes it.
    pub fn of(content_type: &str) -> Option<&'static Self> {
        SORTS.iter().find(|sort| sort.types.contains(&content_type))
    }
}

/// Why X would refuse a post, by the field that has to change.
pub fn problems(plan: &PostPlan) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, problem: String| {
        problems.push(FieldProblem { field: field.to_owned(), problem });
    };
    let length = weighted::weighted_length(&plan.text);
    if !limits::fits(&plan.text, Network::X) {
        refuse(
            "text",
            format!(
                "X takes at most {} characters, a link counting {} and an emoji two; these are {length}",
                weighted::LIMIT,
                weighted::LINK
            ),
        );
    }
    match &plan.media {
        None if plan.text.trim().is_empty() => {
            refuse("text", "a post on X has a text, or shows something".to_owned());
        }
        None => {}
        Some(media) => in_media(media, &mut refuse),
    }
    problems
}

fn in_media(media: &PlannedMedia, refuse: &mut impl FnMut(&str, String)) {
    let Some(sort) = Sort::of(&media.content_type) else {
        let known: Vec<&str> = SORTS.iter().flat_map(|sort| sort.types).copied().collect();
        let told = format!("X takes {}; this is something else", known.join(", "));
        return refuse("media.content_type", told);
    };
    if media.size == 0 || media.size > sort.bytes {
        let told = format!(
            "X takes a {} of at most {} MB; this one has {} bytes",
            sort.word,
            sort.bytes / MEGABYTE,
            media.size
        );
        refuse("media.size", told);
    }
    if sort.word == "video" && !(SHORTEST_VIDEO_MS..=LONGEST_VIDEO_MS).contains(&media.duration_ms)
    {
        let told = format!(
            "X takes a video of 0.5 to 140 seconds; this one has {}.{:03}",
            media.duration_ms / 1_000,
            media.duration_ms % 1_000
        );
        refuse("media.duration_ms", told);
    }
    let described = media.alt.as_deref().map_or(0, |alt| alt.chars().count());
    if described > DESCRIPTION_CHARS {
        let told = format!(
            "X takes at most {DESCRIPTION_CHARS} characters for what is to be seen; these are {described}"
        );
        refuse("media.alt", told);
    }
}
