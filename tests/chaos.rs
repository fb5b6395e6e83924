//! Posts through crashes: for every call to the table, the queues, the blobs, the vault and the networks, it is made to
//! fail before it, or its answer is lost, or the process dies there; each message comes up to three times, in any order.
//!
//! The functions are the real ones, `publish` and `relay`; the clients of X and TikTok are the real ones, over a wire
//! that leads into the pretended networks. Beside them stand a network that knows a repetition by its key, and one that
//! can say nothing at all.
//!
//! What has to hold, whatever happened: a network with a key or a look-up has each post exactly once, and the house
//! knows it. The other has it at most once, and where nobody can know, it stands as a question. Nothing is lost.
//!
//! `make chaos SEEDS=n` runs as many as asked for; a seed that fails is printed and runs alone with `SEED=…`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whoever asks for seeds reads which failed"
)]

#[path = "chaos/house.rs"]
mod house;
#[path = "chaos/networks.rs"]
mod networks;

use nexus_core::effect::State;

use crate::house::House;

/// How many seeds run where nobody says.
const SEEDS: u64 = 2_000;
/// The seeds are shared out among so many tests, which run at the same time.
const LANES: u64 = 4;

fn asked_for(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test is told how long to run")]
    let said = std::env::var(name).ok()?;
    Some(said.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn lane(number: u64) {
    let seeds: Vec<u64> = match asked_for("SEED") {
        Some(seed) => vec![seed],
        None => (0..asked_for("SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let mut sent_again = 0;
    for seed in seeds.into_iter().filter(|seed| seed % LANES == number) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let lived =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(live(seed))));
        match lived {
            Ok(attempts) => sent_again += attempts,
            Err(cause) => {
                eprintln!("seed {seed} failed: run it alone with SEED={seed}");
                std::panic::resume_unwind(cause);
            }
        }
    }
    println!("lane {number}: {sent_again} attempts beyond the first");
}

/// One seed: how many attempts there were beyond the first of each post.
async fn live(seed: u64) -> u64 {
    let mut house = House::new(seed).await;
    house.through_faults().await;
    house.until_all_is_known().await;
    let mut again = 0;
    for post in house.posts().await {
        let (state, there) = (post.effect.state(), house.there(&post));
        let told = || format!("seed {seed}: {:?} {there} times, {:#?}", post.place, post.effect);
        assert!(post.effect.history_is_whole(), "{}", told());
        again += u64::from(post.effect.attempt().saturating_sub(1));
        if post.place.can_be_asked() {
            assert_eq!((state, there), (State::Done, 1), "{}", told());
        } else {
            assert!(there <= 1, "{}", told());
            let fits = match state {
                State::Done => there == 1,
                State::AskAPerson => house.is_asked(&post).await,
                State::Cancelled => there == 0,
                _ => false,
            };
            assert!(fits, "{}", told());
        }
    }
    house.nothing_is_left().await;
    again
}

#[test]
fn n15_whatever_fails_every_post_is_there_once_lane_0() {
    lane(0);
}

#[test]
fn n15_whatever_fails_every_post_is_there_once_lane_1() {
    lane(1);
}

#[test]
fn n15_whatever_fails_every_post_is_there_once_lane_2() {
    lane(2);
}

#[test]
fn n15_whatever_fails_every_post_is_there_once_lane_3() {
    lane(3);
}
