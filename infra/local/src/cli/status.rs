//! `nexus status`

use std::cmp::Reverse;

use clap::Args;
use nexus_core::effect::{self, Effect, Payload as _};
use nexus_core::table::Page;
use nexus_core::{RecordKind, records};
use nexus_engine::media::{Media, MediaState};
use nexus_engine::publishing::PostPlan;
use nexus_kernel::Timestamp;

use super::timeline::Timeline;
use super::{Ended, Where};
use crate::host::Host;

/// How many posts are shown.
const POSTS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    at: Where,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) async fn run(self) -> Ended {
        let host = self.at.host().await?;
        let now = host.ambient().now();
        let queues = host.queue_status().await?;
        let Found { rejected, posts, open } = found(&host, now).await?;
        if self.json {
            let queues: Vec<_> = queues
                .iter()
                .map(|q| {
                    serde_json::json!({
                        "queue": q.queue, "dead_letters": q.is_dead_letter, "visible": q.depth.visible,
                        "in_flight": q.depth.in_flight, "delayed": q.depth.delayed,
                        "oldest": q.depth.oldest.map(|t| t.to_string()),
                    })
                })
                .collect();
            let schedules: Vec<_> = host
                .schedule_status()
                .map(|(function, expression, next)| {
                    serde_json::json!({
                        "function": function, "expression": expression, "next": next.map(|t| t.to_string()),
                    })
                })
                .collect();
            let rejected: Vec<_> = rejected
                .iter()
                .map(|(id, code, reason)| serde_json::json!({ "media": id, "code": code, "reason": reason }))
                .collect();
            let all = serde_json::json!({
                "queues": queues, "schedules": schedules, "rejected": rejected, "posts": posts, "questions": open });
            anstream::println!("{all}");
            return Ok(());
        }
        anstream::println!(
            "{:<24} {:>8} {:>9} {:>8}  oldest",
            "queue",
            "waiting",
            "in hand",
            "delayed"
        );
        for status in queues.iter().filter(|q| !q.is_dead_letter) {
            let d = &status.depth;
            let oldest = d.oldest.map(|at| age(at, now)).unwrap_or_default();
            anstream::println!(
                "{:<24} {:>8} {:>9} {:>8}  {oldest}",
                status.queue,
                d.visible,
                d.in_flight,
                d.delayed
            );
        }
        let dead: Vec<_> =
            queues.iter().filter(|q| q.is_dead_letter && q.depth != Default::default()).collect();
        anstream::println!();
        if dead.is_empty() {
            anstream::println!("No dead letters.");
        }
        for status in dead {
            let oldest = status.depth.oldest.map(|at| age(at, now)).unwrap_or_default();
            let count = status.depth.visible + status.depth.in_flight;
            let letters = if count == 1 { "dead letter" } else { "dead letters" };
            anstream::println!(
                "{count} {letters} in {} (oldest {oldest}). Repair the cause, then: nexus redrive {} --data {}",
                status.queue,
                status.queue,
                self.at.data.display()
            );
        }
        anstream::println!();
        for (function, expression, next) in host.schedule_status() {
            let next =
                next.map_or_else(|| "never".to_owned(), |t| t.strftime("%H:%M:%S UTC").to_string());
            anstream::println!("{function:<24} {expression:<16} next {next}");
        }
        if !posts.is_empty() {
            anstream::println!();
        }
        for post in &posts {
            anstream::println!("{}", post.line());
        }
        if open > 0 {
            anstream::println!();
            let word = if open == 1 { "post or purchase" } else { "posts or purchases" };
            anstream::println!(
                "{open} {word} of which nobody knows yet what became of it: GET /v1/questions"
            );
        }
        if !rejected.is_empty() {
            anstream::println!();
        }
        for (id, code, reason) in rejected {
            anstream::println!("rejected {id} ({code}): {reason}");
        }
        Ok(())
    }
}

/// How long ago, in a word.
fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

/// What the table tells of.
#[derive(Default)]
struct Found {
    /// Media that cannot be used: id, code, reason.
    rejected: Vec<(String, String, String)>,
    /// The latest posts, newest first.
    posts: Vec<Timeline>,
    /// How many questions are open.
    open: usize,
}

async fn found(host: &Host, now: Timestamp) -> Result<Found, super::Complaint> {
    let (mut found, mut page) = (Found::default(), Page::first(500));
    loop {
        let slice = host.table().scan(&page).await?;
        for item in slice.items.iter().filter(|i| i.is_live(now)) {
            match item.kind {
                RecordKind::Media => {
                    let media = records::read::<Media>(item)?.record;
                    if let MediaState::Rejected { code, reason } = media.state {
                        found.rejected.push((media.id.to_string(), code, reason));
                    }
                }
                RecordKind::Effect if effect::sort_of(item) == Some(PostPlan::SORT) => {
                    let post = records::read::<Effect<PostPlan>>(item)?.record;
                    found.posts.push(Timeline::of(&post));
                }
                RecordKind::Question => found.open += 1,
                _ => {}
            }
        }
        found.posts.sort_by_key(|post| Reverse(post.at()));
        found.posts.truncate(POSTS);
        match slice.next {
            Some(next) => page = Page::after(500, Some(next)),
            None => return Ok(found),
        }
    }
}
