//! What TikTok's limits and the account's own choices say about a post, before anything of it leaves.

use nexus_core::egress::Cost;
use nexus_engine::publishing::{Offers, PlannedMedia, PostPlan, Preflight, Privacy};
use nexus_kernel::FieldProblem;

use super::MEDIA_BASE_SETTING;
use super::response::Creator;

/// The longest text of a video, in units of UTF-16.
pub(super) const VIDEO_TEXT: usize = 2_200;
/// The longest text of a picture, in units of UTF-16.
pub(super) const PHOTO_TEXT: usize = 4_000;
/// The largest video, in bytes.
pub(super) const VIDEO_BYTES: u64 = 4_000_000_000;
/// The largest picture, in bytes.
pub(super) const PHOTO_BYTES: u64 = 20_000_000;

/// What TikTok takes as a video.
pub(super) const VIDEOS: [&str; 3] = ["video/mp4", "video/quicktime", "video/webm"];
/// What TikTok takes as a picture.
const PHOTOS: [&str; 2] = ["image/jpeg", "image/webp"];

#[derive(Default)]
struct Problems(Vec<FieldProblem>);

impl Problems {
    fn tell(&mut self, field: &str, problem: impl Into<String>) {
        self.0.push(FieldProblem { field: field.to_owned(), problem: problem.into() });
    }
}

/// Everything that speaks against a post, what its approver should know, and what they may choose.
pub(super) fn judge(plan: &PostPlan, creator: &Creator, has_media_base: bool) -> Preflight {
    let mut problems = Problems::default();
    let is_photo = plan.media.as_ref().is_some_and(PlannedMedia::is_picture);
    match &plan.media {
        None => problems.tell("media", "TikTok shows a video or a picture; this post has neither"),
        Some(photo) if is_photo => judge_photo(photo, has_media_base, &mut problems),
        Some(video) => judge_video(video, creator, &mut problems),
    }
    let (most, units) =
        (if is_photo { PHOTO_TEXT } else { VIDEO_TEXT }, plan.text.encode_utf16().count());
    if units > most {
        problems.tell(
            "text",
            format!("TikTok takes at most {most} characters here; this text has {units}"),
        );
    }
    judge_choices(plan, creator, is_photo, &mut problems);
    Preflight {
        problems: problems.0,
        notes: notes(plan, creator, is_photo),
        cost: Cost::ZERO,
        offers: Some(Offers {
            nickname: creator.nickname.clone(),
            privacy: creator.privacy.clone(),
            comments: creator.comments,
            // Pictures have neither.
            duets: creator.duets && !is_photo,
            stitches: creator.stitches && !is_photo,
            longest_seconds: creator.longest_seconds,
        }),
    }
}

/// What is told where TikTok says before a post that it would take none.
pub(super) fn closed(why: String) -> Preflight {
    let problem = FieldProblem { field: "connection".to_owned(), problem: why };
    Preflight { problems: vec![problem], ..Preflight::default() }
}

fn judge_video(video: &PlannedMedia, creator: &Creator, problems: &mut Problems) {
    if !VIDEOS.contains(&video.content_type.as_str()) {
        problems.tell("media", "TikTok takes a video as MP4, MOV or WebM");
    }
    if video.size > VIDEO_BYTES {
        problems.tell(
            "media",
            format!("TikTok takes a video of at most 4 GB; this one has {} bytes", video.size),
        );
    }
    let longest = creator.longest_seconds;
    if video.duration_ms > u64::from(longest) * 1_000 {
        let seconds = video.duration_ms.div_ceil(1_000);
        problems.tell(
            "media",
            format!(
                "this TikTok account takes videos of at most {longest} s; this one has {seconds} s"
            ),
        );
    }
}

fn judge_photo(photo: &PlannedMedia, has_media_base: bool, problems: &mut Problems) {
    if !has_media_base {
        problems.tell(
            "media",
            format!(
                "TikTok fetches pictures from an address that is verified in its portal for developers; whoever \
                 operates this sets {MEDIA_BASE_SETTING}. A video can be posted without it"
            ),
        );
    }
    if !PHOTOS.contains(&photo.content_type.as_str()) {
        problems.tell("media", "TikTok takes a picture as JPEG or WebP");
    }
    if photo.size > PHOTO_BYTES {
        problems.tell(
            "media",
            format!("TikTok takes a picture of at most 20 MB; this one has {} bytes", photo.size),
        );
    }
}

fn judge_choices(plan: &PostPlan, creator: &Creator, is_photo: bool, problems: &mut Problems) {
    let choices = &plan.choices;
    let offered: Vec<&str> = creator.privacy.iter().copied().map(audience).collect();
    let offered = offered.join(", ");
    match choices.privacy {
        None => problems.tell("choices.privacy", format!("choose who may see it: {offered}")),
        Some(privacy) if !creator.privacy.contains(&privacy) => problems.tell(
            "choices.privacy",
            format!("this TikTok account does not offer `{}`; it offers {offered}", audience(privacy)),
        ),
        Some(Privacy::OnlyMe) if choices.paid_partnership => problems.tell(
            "choices.paid_partnership",
            "TikTok does not let paid content be seen by the account alone: choose another audience",
        ),
        Some(_) => {}
    }
    for (field, wanted, possible) in [
        ("choices.comments", choices.comments, creator.comments),
        ("choices.duets", choices.duets, creator.duets && !is_photo),
        ("choices.stitches", choices.stitches, creator.stitches && !is_photo),
    ] {
        if wanted && !possible {
            let what = if is_photo && field != "choices.comments" {
                "pictures on TikTok have none: do not allow them"
            } else {
                "this account has switched them off in TikTok's app: do not allow them here"
            };
            problems.tell(field, what);
        }
    }
}

fn audience(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Everyone => "everyone",
        Privacy::Followers => "followers",
        Privacy::Friends => "friends",
        Privacy::OnlyMe => "only_me",
    }
}

fn notes(plan: &PostPlan, creator: &Creator, is_photo: bool) -> Vec<String> {
    let mut notes = Vec::new();
    // TikTok demands that its terms stand beside the approval, in these words.
    notes.push(if plan.choices.paid_partnership {
        "By posting, you agree to TikTok's Branded Content Policy and Music Usage Confirmation."
            .to_owned()
    } else {
        "By posting, you agree to TikTok's Music Usage Confirmation.".to_owned()
    });
    notes.push(
        "After it is sent, TikTok needs a few minutes until the post is to be seen.".to_owned(),
    );
    if !creator.privacy.contains(&Privacy::Everyone) {
        notes.push(
            "This TikTok account is private: nobody but its followers can see its posts. Its owner can change that in \
             TikTok's app. (An application that TikTok has not audited yet can post to private accounts alone.)"
                .to_owned(),
        );
    }
    match (plan.made_by_ai, is_photo) {
        (true, false) => notes.push("TikTok will mark the video as made with AI.".to_owned()),
        (true, true) => notes.push(
            "TikTok's interface cannot mark a picture as made with AI: its owner does that in TikTok's app.".to_owned(),
        ),
        (false, _) => {}
    }
    notes
}
