//! The contracts of the ports, tried on the AWS adapters against an emulator of AWS.
//!
//! They are ignored in a plain `cargo test`; `infra/aws/check/contract.sh` starts the emulator and runs them.
//! Which sentence is not tried and why stands in [`EXCUSED`]; `every_sentence_is_tried_or_excused` keeps it whole.
#![expect(clippy::unwrap_used, reason = "what cannot go on panics: that is its report")]

mod blobs;
mod bus;
mod differential;
mod emulator;
mod queues;
mod table;
mod vault;

/// Makes a test of each sentence of a contract.
#[macro_export]
macro_rules! sentences {
    ($contract:ident, $open:path: $($sentence:ident)*) => {
        pub(crate) const TRIED: &[&str] = &[$(stringify!($sentence)),*];
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs the emulator: infra/aws/check/contract.sh"]
            async fn $sentence() {
                nexus_contract::$contract::$sentence(&$open().await).await;
            }
        )*
    };
}

/// Sentences that AWS keeps and its emulator does not, and why. What is sent to AWS for them is tried in
/// `nexus_aws::sqs` with a client that replays its answers.
const EXCUSED: &[(&str, &str)] = &[
    (
        "s03_a_message_visible_again_cannot_be_put_off",
        "the emulator hides it; SQS answers that the message is not in flight",
    ),
    ("s07_a_thousand_messages_keep_no_other_group_waiting", "the emulator knows no fair queues"),
    ("s07_groups_take_turns", "the emulator knows no fair queues"),
];

#[test]
fn every_sentence_is_tried_or_excused() {
    let sources = [
        (include_str!("../../../contract/src/table.rs"), table::TRIED),
        (include_str!("../../../contract/src/queues.rs"), queues::TRIED),
        (include_str!("../../../contract/src/blobs.rs"), blobs::TRIED),
        (include_str!("../../../contract/src/bus.rs"), bus::TRIED),
        (include_str!("../../../contract/src/vault.rs"), vault::parameters::TRIED),
        (include_str!("../../../contract/src/vault.rs"), vault::envelope::TRIED),
    ];
    let mut excused: Vec<&str> = EXCUSED.iter().map(|(name, _)| *name).collect();
    for (source, tried) in sources {
        let sentences: Vec<_> = source
            .lines()
            .filter_map(|line| {
                let name = line.strip_prefix("pub async fn ")?.split('(').next()?;
                name.strip_prefix('s')?.starts_with(|c: char| c.is_ascii_digit()).then_some(name)
            })
            .collect();
        let missing: Vec<_> =
            sentences.iter().filter(|s| !tried.contains(s) && !excused.contains(s)).collect();
        assert!(missing.is_empty(), "neither tried nor excused: {missing:?}");
        excused.retain(|e| !sentences.contains(e) || tried.contains(e));
    }
    assert!(excused.is_empty(), "excused without need: {excused:?}");
}
