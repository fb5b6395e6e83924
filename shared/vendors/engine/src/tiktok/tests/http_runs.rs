//! The client over real HTTP, against TikTok on loopback.

use std::sync::Arc;

use bytes::Bytes;
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_core::approval::{self, Approved, Approver, Redeemed};
use nexus_core::effect::{Effect, Payload as _, State};
use nexus_core::vault::SecretName;
use nexus_core::{Product, Vault};
use nexus_kernel::Digest;
use nexus_outbound::{Guard, Https, TlsFloor};
use nexus_testkit::networks::tiktok::{
    CLIENT_KEY, CLIENT_SECRET, Fault, MEDIA_BASE, REDIRECT, TikTok as Pretended,
};
use nexus_testkit::people;
use tokio::task::JoinSet;

use super::*;

/// A house, TikTok, and the way between them.
struct Stage {
    platform: MemoryPlatform,
    pretended: Pretended,
    tiktok: TikTok,
    /// The holder of the first claim dies when so many calls have come.
    dies_at: Option<usize>,
}

impl Stage {
    async fn open() -> Self {
        let (platform, pretended) = (MemoryPlatform::new(), Pretended::open().await.unwrap());
        let vault = MemoryVault::new(platform.ambient());
        let name = SecretName::of_house(Product::Engine, VENDOR.name).unwrap();
        vault.rotate(&name, None, &secret(&format!("{CLIENT_SECRET}\n"))).await.unwrap();
        let guard = Guard::allowing(["127.0.0.0/8"]).unwrap();
        let table: MemoryTable = platform.table.clone();
        let parts = Parts {
            product: Product::Engine,
            ambient: platform.ambient(),
            table: Arc::new(table),
            vault: Arc::new(vault),
            transport: Arc::new(Https::new(guard, TlsFloor::Tls12, "").unwrap()),
        };
        let settings = Settings {
            client_key: CLIENT_KEY.to_owned(),
            authorize_base: Some(pretended.base()),
            media_base: Some(MEDIA_BASE.to_owned()),
        };
        let tiktok = TikTok::new(parts, Some(pretended.base()), settings).unwrap();
        Self { platform, pretended, tiktok, dies_at: None }
    }

    fn at(&self) -> CallContext {
        at(&self.platform)
    }

    fn ask() -> Ask {
        Ask { redirect: REDIRECT.to_owned(), ..ask() }
    }

    /// A person opens the page and comes back with a code.
    async fn code(&self) -> Secret<String> {
        let page = self.tiktok.authorize(&self.at(), &Self::ask()).await.unwrap();
        let back = url::Url::parse(&self.pretended.consent(&page).unwrap()).unwrap();
        let says = |name: &str| {
            let found = back.query_pairs().find(|(known, _)| known == name);
            found.unwrap().1.into_owned()
        };
        assert_eq!(says("state"), *Self::ask().state.reveal());
        Secret::new(says("code"))
    }

    async fn connected(&self) -> Access {
        let code = self.code().await;
        let granted = self.tiktok.exchange(&self.at(), &Self::ask(), &code).await.unwrap();
        Access { token: granted.access, ..access() }
    }

    /// Until TikTok has been called so often; never, where no number is given.
    async fn called(&self, calls: Option<usize>) {
        while calls.is_none_or(|calls| self.pretended.calls() < calls) {
            tokio::task::yield_now().await;
        }
    }

    /// Sends a claimed post and writes down what came of it, or dies while it is at it.
    async fn send(&self, access: &Access, mut approved: Approved<PostPlan>, shown: Bytes) {
        let medium = medium(approved.payload(), shown);
        let (at, dies_at) = (self.at(), self.dies_at.filter(|_| approved.attempt() == 1));
        let publish = self.tiktok.publish(&at, Some(access), &mut approved, medium);
        let sent = tokio::select! {
            sent = publish => sent,
            () = self.called(dies_at), if dies_at.is_some() => {
                self.platform.advance(LEASE);
                return;
            }
        };
        approval::settle(approved, sent, "publish", self.platform.now()).await.unwrap();
    }

    /// Approves a post and carries it, with time passing as it has to, until nothing is left to do.
    async fn carry(&self, access: &Access, plan: PostPlan, shown: Bytes) -> Effect<PostPlan> {
        let ada = people::caller(&people::approver(people::tenant(1)));
        let (platform, digest) = (&self.platform, plan.digest());
        let id = EffectId::derived(&["carried", &plan.text]);
        let mut effect = Effect::proposed(id, plan, ada.subject(), platform.now());
        let approver = Approver::of(&ada).unwrap();
        approval::approve(&mut effect, approver, digest, platform.now()).unwrap();
        platform.put(&scope(), &effect).await;
        for _ in 0..200 {
            match platform.redeem(&scope(), id, "publish", LEASE).await.unwrap() {
                Redeemed::Send(approved) => self.send(access, approved, shown.clone()).await,
                Redeemed::LookUp(unsure) => {
                    let found = self.tiktok.look_up(&self.at(), Some(access), &unsure).await;
                    let now = platform.now();
                    approval::settle_looked_up(unsure, found, "publish", now).await.unwrap();
                }
                Redeemed::TooEarly(then) => {
                    platform.advance(then.duration_since(platform.now()));
                    self.pretended.a_minute_passes();
                }
                Redeemed::Nothing(_) => return platform.load(&scope(), &effect).await.unwrap(),
                other => panic!("{other:?}"),
            }
        }
        panic!("it does not end: {:?}", platform.load(&scope(), &effect).await);
    }

    fn nothing_is_wrong(&self) {
        assert_eq!(self.pretended.wrong(), Vec::<String>::new());
    }
}

/// A video whose bytes differ from place to place, so that a piece in the wrong place shows.
fn video(bytes: usize) -> Bytes {
    (0..bytes).map(|n| (n ^ (n >> 8) ^ (n >> 16)).to_le_bytes()[0]).collect::<Vec<u8>>().into()
}

#[tokio::test]
async fn n36_n39_an_account_is_connected_and_a_video_goes_live() {
    let stage = Stage::open().await;
    stage.pretended.change(|rules| (rules.polls, rules.unmoderated) = (2, 2));
    let access = stage.connected().await;
    let shown = video(25_000_003);
    let plan = plan(&stage.platform, &shown);
    let judged = stage.tiktok.preflight(&stage.at(), Some(&access), &plan).await.unwrap();
    assert_eq!(judged.problems, []);
    assert_eq!(judged.offers.unwrap().nickname, "Ada's Shop");
    let effect = stage.carry(&access, plan, shown.clone()).await;
    assert_eq!(effect.state(), State::Done, "{:#?}", effect.history());
    let [post] = stage.pretended.posts().try_into().unwrap();
    assert_eq!((post.digest, post.text.as_str()), (Digest::of(&shown), "Fresh honey #market"));
    assert_eq!((post.privacy.as_str(), post.is_aigc), ("PUBLIC_TO_EVERYONE", true));
    let Some(Outcome::Done { receipt, url }) = effect.outcome() else { panic!("{effect:?}") };
    assert_eq!(*receipt, post.id.to_string());
    assert!(url.as_ref().unwrap().ends_with(receipt));
    // Two pieces, and five looks: two while it was worked on, two before it was seen.
    let puts = stage.pretended.asked().iter().filter(|asked| asked.method == "PUT").count();
    assert_eq!(puts, 2);
    stage.nothing_is_wrong();
    let rows = format!("{:?}", stage.platform.rows().await);
    for kept_from_the_house in ["act.", "rft.", CLIENT_SECRET, "canary-username", "upload_token"] {
        assert!(!rows.contains(kept_from_the_house), "{kept_from_the_house}");
    }
}

#[tokio::test]
async fn a_picture_and_a_small_video_for_the_account_alone_go_live() {
    let stage = Stage::open().await;
    let access = stage.connected().await;
    let picture = photo(&stage.platform);
    let effect = stage.carry(&access, picture, Bytes::from_static(b"a jpeg")).await;
    assert_eq!(effect.state(), State::Done, "{:#?}", effect.history());
    let mut own = plan(&stage.platform, b"a small video");
    own.text = "Only for me".to_owned();
    own.choices.privacy = Some(Privacy::OnlyMe);
    let effect = stage.carry(&access, own, Bytes::from_static(b"a small video")).await;
    assert_eq!(effect.state(), State::Done, "{:#?}", effect.history());
    let [picture, own] = stage.pretended.posts().try_into().unwrap();
    assert_eq!((picture.text.as_str(), own.text.as_str()), ("Fresh honey #market", "Only for me"));
    let Some(Outcome::Done { receipt, url: None }) = effect.outcome() else { panic!("{effect:?}") };
    assert_eq!(*receipt, own.publish_id);
    stage.nothing_is_wrong();
}

#[tokio::test]
async fn what_moderation_turns_down_later_is_refused_with_its_reason() {
    let stage = Stage::open().await;
    let access = stage.connected().await;
    stage.pretended.change(|rules| rules.moderation = Some("spam_risk_text".into()));
    let plan = plan(&stage.platform, b"a video");
    let effect = stage.carry(&access, plan, Bytes::from_static(b"a video")).await;
    assert_eq!(effect.state(), State::Refused);
    assert!(effect.history().last().unwrap().reason.contains("took the text"));
    assert_eq!(stage.pretended.posts(), []);
    stage.nothing_is_wrong();
}

/// What goes wrong with a post.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// A call fails.
    Fails(Fault),
    /// Its holder dies while a call is under way.
    Dies,
}

/// Carries one post that runs into this at a call: there has to be exactly one in the end.
async fn carried_through(call: usize, trouble: Trouble, shown: Bytes) {
    let mut stage = Stage::open().await;
    let access = stage.connected().await;
    match trouble {
        Trouble::Fails(fault) => stage.pretended.fail_in(call, fault),
        Trouble::Dies => stage.dies_at = Some(stage.pretended.calls() + call),
    }
    let plan = plan(&stage.platform, &shown);
    let effect = stage.carry(&access, plan, shown.clone()).await;
    let what = format!("{trouble:?} at {call}: {:#?}", effect.history());
    let posts = stage.pretended.posts();
    assert_eq!((effect.state(), posts.len()), (State::Done, 1), "{what}");
    assert_eq!(posts[0].digest, Digest::of(&shown), "{what}");
    assert!(stage.pretended.named() <= 2, "{what}");
    // A piece that is sent again after its answer was lost is told that it is there.
    let wrong = stage.pretended.wrong();
    assert!(wrong.iter().all(|wrong| wrong.contains("does not follow")), "{wrong:?}");
}

async fn carried_through_all(calls: usize, troubles: &[Trouble]) {
    let (shown, mut runs) = (video(20_000_001), JoinSet::new());
    for trouble in troubles {
        for call in 1..=calls {
            runs.spawn(carried_through(call, *trouble, shown.clone()));
        }
    }
    runs.join_all().await;
}

#[tokio::test]
async fn wherever_a_call_fails_exactly_one_post_is_there() {
    let troubles = [Fault::Status(500), Fault::Status(429)].map(Trouble::Fails);
    // The name, two pieces, and looks.
    carried_through_all(5, &troubles).await;
}

#[tokio::test]
async fn wherever_an_answer_is_lost_exactly_one_post_is_there() {
    let troubles = [Fault::Before, Fault::After, Fault::Lost].map(Trouble::Fails);
    // The name, two pieces, and looks.
    carried_through_all(5, &troubles).await;
}

#[tokio::test]
async fn wherever_its_holder_dies_exactly_one_post_is_there() {
    // It looks at nothing.
    carried_through_all(3, &[Trouble::Dies]).await;
}

#[tokio::test]
async fn a_picture_whose_answer_was_lost_is_there_at_most_once_and_left_to_a_person() {
    for (fault, there) in [(Fault::Before, 0), (Fault::After, 1), (Fault::Lost, 1)] {
        let stage = Stage::open().await;
        let access = stage.connected().await;
        stage.pretended.fail_in(1, fault);
        let plan = photo(&stage.platform);
        let effect = stage.carry(&access, plan, Bytes::from_static(b"a jpeg")).await;
        assert_eq!(effect.state(), State::AskAPerson, "{fault:?}");
        assert_eq!(stage.pretended.posts().len(), there, "{fault:?}");
        stage.nothing_is_wrong();
    }
}

#[tokio::test]
async fn n41_a_token_that_ended_is_told_and_nothing_is_named() {
    let stage = Stage::open().await;
    let access = stage.connected().await;
    let plan = plan(&stage.platform, b"a video");
    stage.pretended.owner_removes_the_application();
    let asked = stage.tiktok.preflight(&stage.at(), Some(&access), &plan).await.unwrap_err();
    assert_eq!(asked.kind(), FailureKind::Conflict);
    let effect = stage.carry(&access, plan, Bytes::from_static(b"a video")).await;
    assert_eq!(effect.state(), State::AskAPerson);
    assert!(effect.history().last().unwrap().reason.contains("Connect the account again"));
    assert_eq!(stage.pretended.named(), 0);
}

#[tokio::test]
async fn n36_a_code_serves_once_for_who_asked_and_every_other_is_refused() {
    let stage = Stage::open().await;
    let (login, at) = (&stage.tiktok, stage.at());
    let code = stage.code().await;
    login.exchange(&at, &Stage::ask(), &code).await.unwrap();
    let used = login.exchange(&at, &Stage::ask(), &code).await.unwrap_err();
    assert!(matches!(used, LoginError::Gone { .. }), "{used:?}");
    let verifier = Ask { verifier: secret(&"v".repeat(43)), ..Stage::ask() };
    let redirect = Ask { redirect: "https://nexus.example/oauth/other".into(), ..Stage::ask() };
    for other in [verifier, redirect] {
        let refused = login.exchange(&at, &other, &stage.code().await).await.unwrap_err();
        assert!(matches!(refused, LoginError::Gone { .. }), "{refused:?}");
        let page = login.authorize(&at, &other).await.unwrap();
        let elsewhere = other.redirect != REDIRECT;
        assert_eq!(stage.pretended.consent(&page).is_err(), elsewhere);
    }
}

#[tokio::test]
async fn n38_what_the_person_did_not_grant_is_told() {
    let stage = Stage::open().await;
    stage.pretended.change(|rules| rules.scopes = vec!["user.info.basic".into()]);
    let code = stage.code().await;
    let granted = stage.tiktok.exchange(&stage.at(), &Stage::ask(), &code).await.unwrap();
    assert_eq!(granted.scopes.unwrap(), BTreeSet::from(["user.info.basic".to_owned()]));
    let access = Access { token: granted.access, ..access() };
    let plan = plan(&stage.platform, b"a video");
    let asked = stage.tiktok.preflight(&stage.at(), Some(&access), &plan).await.unwrap_err();
    assert_eq!(asked.kind(), FailureKind::Conflict);
    assert!(asked.public().contains("allow posting"), "{}", asked.public());
}

#[tokio::test]
async fn tokens_are_refreshed_with_and_without_rotation_and_revoked() {
    for rotate in [false, true] {
        let stage = Stage::open().await;
        stage.pretended.change(|rules| rules.rotate = rotate);
        let (login, at) = (&stage.tiktok, stage.at());
        let first = login.exchange(&at, &Stage::ask(), &stage.code().await).await.unwrap();
        let old = first.refresh.unwrap();
        stage.pretended.access_tokens_expire();
        let second = login.refresh(&at, None, &old).await.unwrap();
        let new = second.refresh.unwrap();
        assert_eq!(new.reveal() != old.reveal(), rotate);
        assert_eq!(second.lives, Some(SignedDuration::from_hours(24)));
        let again = login.refresh(&at, None, &old).await;
        assert_eq!(matches!(again, Err(LoginError::Gone { .. })), rotate, "{again:?}");
        login.revoke(&at, None, &new).await.unwrap();
        login.revoke(&at, None, &new).await.unwrap();
        let gone = login.refresh(&at, None, &new).await;
        assert!(matches!(gone, Err(LoginError::Gone { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn limits_of_a_minute_and_of_a_day_are_waited_for_or_told() {
    let stage = Stage::open().await;
    let access = stage.connected().await;
    stage.pretended.change(|rules| (rules.posts_a_day, rules.polls) = (7, 0));
    for nth in 1..=8 {
        let text = format!("Honey {nth}");
        let plan = PostPlan { text, ..plan(&stage.platform, b"a video") };
        let effect = stage.carry(&access, plan, Bytes::from_static(b"a video")).await;
        // The seventh within a minute waits, the eighth of the day is told to come back.
        let expected = if nth <= 7 { State::Done } else { State::Refused };
        assert_eq!(effect.state(), expected, "{nth}: {:#?}", effect.history());
    }
    assert_eq!(stage.pretended.posts().len(), 7);
    stage.nothing_is_wrong();
}
