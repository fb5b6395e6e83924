use std::collections::BTreeSet;

use jiff::SignedDuration;
use nexus_core::approval::{self, Approver};
use nexus_core::effect::{Effect, EffectId, Payload};
use nexus_engine::EnginePlatform;
use nexus_engine::hops::Publish;
use nexus_engine::publishing::{Ground, PostPlan, propose};
use nexus_testkit::{MemoryPlatform, build, people};

use super::*;

fn relay(platform: &MemoryPlatform, most: usize) -> Relay {
    let wired: &dyn EnginePlatform = platform;
    Relay::reading(<Relay as Wire<dyn EnginePlatform>>::wire(wired, &platform.env()).unwrap(), most)
}

#[tokio::test]
async fn what_is_beyond_a_runs_share_is_woken_by_the_next_runs() {
    let platform = MemoryPlatform::new();
    let (person, now) = (people::caller(&people::approver(people::tenant(1))), platform.now());
    let scope = *person.scope();
    let (_, draft) = build::finished(&platform, &scope, build::media_id(1)).await;
    let plan = propose(&draft, &Ground::default()).posts.swap_remove(0);
    let mut posts = Vec::new();
    for number in 0..60 {
        let plan = PostPlan { send_at: now, ..plan.clone() };
        let (id, digest) = (EffectId::derived(&[&number.to_string()]), plan.digest());
        let mut post = Effect::proposed(id, plan, "usr", now);
        approval::approve(&mut post, Approver::of(&person).unwrap(), digest, now).unwrap();
        platform.put(&scope, &post).await;
        posts.push(post);
    }
    // One row of each shard.
    let relay = relay(&platform, 20);
    let mut runs = 0;
    let woken = loop {
        let done = relay.handle(Scheduled, platform.invocation()).await.unwrap();
        runs += 1;
        assert!(done.effects <= 16, "{done:?}");
        let letters = platform.letters::<Publish>(Hop::Publish).into_iter();
        let woken: BTreeSet<EffectId> = letters.map(|(_, message)| message.effect).collect();
        if !done.left {
            break woken;
        }
        assert!(runs < 60, "it comes to an end");
        // What was woken is claimed before the next run.
        for post in posts.iter_mut().filter(|post| woken.contains(&post.id)) {
            if post.cancel("usr", "done with", now).is_ok() {
                platform.put(&scope, post).await;
            }
        }
        platform.advance(SignedDuration::from_secs(1));
    };
    assert_eq!(woken, posts.iter().map(|post| post.id).collect::<BTreeSet<EffectId>>());
    assert!(runs > 1);
}
