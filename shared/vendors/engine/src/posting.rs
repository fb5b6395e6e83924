//! What the tests of networks stand on: posts that a person approved, claimed as `publish` claims them.

use jiff::SignedDuration;
use nexus_core::Scope;
use nexus_core::approval::{self, Approved, Approver, Redeemed, Unsure};
use nexus_core::effect::{Effect, EffectId, Payload as _};
use nexus_engine::DraftId;
use nexus_engine::connections::ConnectionId;
use nexus_engine::publishing::{Choices, Network, PlannedMedia, PostPlan};
use nexus_kernel::{Digest, Language};
use nexus_testkit::{MemoryPlatform, people};

/// How long a claim holds.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(100);

/// Whose posts they are.
pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

/// A post of a video of so many bytes, due now.
pub(crate) fn plan(
    platform: &MemoryPlatform,
    network: Network,
    text: &str,
    video: &[u8],
) -> PostPlan {
    PostPlan {
        draft: DraftId::derived(&["draft"]),
        revision: 1,
        language: Language::En,
        network,
        account: "Ada's shop".to_owned(),
        connection: Some(ConnectionId::derived(&["account"])),
        text: text.to_owned(),
        link: None,
        media: Some(PlannedMedia {
            blob: scope().blob("made", "film.mp4"),
            digest: Digest::of(video),
            content_type: "video/mp4".to_owned(),
            size: video.len() as u64,
            duration_ms: 6_000,
            alt: Some("A cup of coffee on a table.".to_owned()),
        }),
        made_by_ai: false,
        choices: Choices::default(),
        send_at: platform.now(),
    }
}

/// The post, approved by a person and claimed.
pub(crate) async fn claimed(platform: &MemoryPlatform, plan: PostPlan) -> Approved<PostPlan> {
    let ada = people::caller(&people::approver(people::tenant(1)));
    let id = EffectId::derived(&["post", &plan.text]);
    let digest = plan.digest();
    let mut effect = Effect::proposed(id, plan, ada.subject(), platform.now());
    let approver = Approver::of(&ada).unwrap();
    approval::approve(&mut effect, approver, digest, platform.now()).unwrap();
    platform.put(&scope(), &effect).await;
    match platform.redeem(&scope(), id, "publish", LEASE).await.unwrap() {
        Redeemed::Send(approved) => approved,
        other => panic!("it is due: {other:?}"),
    }
}

/// The same post after its holder died.
pub(crate) async fn orphaned(platform: &MemoryPlatform, id: EffectId) -> Unsure<PostPlan> {
    platform.advance(LEASE);
    match platform.redeem(&scope(), id, "publish", LEASE).await.unwrap() {
        Redeemed::LookUp(unsure) => unsure,
        other => panic!("nobody holds it: {other:?}"),
    }
}
