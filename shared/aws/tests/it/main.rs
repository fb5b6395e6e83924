//! The contracts of the ports, tried on the AWS adapters against an emulator of AWS.
//!
//! They are ignored in a plain `cargo test`; `infra/aws/check/contract.sh` starts the emulator and runs them.
//! Which sentence is not tried and why stands in [`EXCUSED`]; `every_sentence_is_tried_or_excused` keeps it whole.
#![expect(clippy::unwrap_used, reason = "what cannot go on panics: that is its report")]

mod blobs;
mod emulator;
mod queues;
mod table;

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

/// Sentences that AWS or its emulator cannot keep to the letter, and why. What of them can be kept is tried by the
/// tests beside the adapters' sentences.
const EXCUSED: &[(&str, &str)] = &[
    ("s01_a_message_is_received_as_it_was_sent", "sends an empty body, which SQS refuses"),
    (
        "s03_a_message_visible_again_cannot_be_put_off",
        "the emulator hides it; SQS answers that the message is not in flight",
    ),
    (
        "s05_a_message_received_too_often_moves_to_the_dead_letters",
        "asks that receives are counted anew among the dead letters, which SQS does not promise",
    ),
    ("s07_a_thousand_messages_keep_no_other_group_waiting", "the emulator knows no fair queues"),
    ("s07_groups_take_turns", "the emulator knows no fair queues"),
    (
        "s09_depth_tells_where_the_messages_are",
        "nothing in SQS tells when the oldest message was sent",
    ),
    (
        "s06_a_signed_upload_takes_what_it_was_signed_for",
        "asks for milliseconds, S3 counts seconds",
    ),
    (
        "s06_a_changed_address_is_refused",
        "the emulator serves an address that names no algorithm; S3 refuses it",
    ),
];

#[test]
fn every_sentence_is_tried_or_excused() {
    let sources = [
        (include_str!("../../../contract/src/table.rs"), table::TRIED),
        (include_str!("../../../contract/src/queues.rs"), queues::TRIED),
        (include_str!("../../../contract/src/blobs.rs"), blobs::TRIED),
    ];
    for (source, tried) in sources {
        let sentences = source.lines().filter_map(|line| {
            let name = line.strip_prefix("pub async fn s")?.split('(').next()?;
            name.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("s{name}"))
        });
        let missing: Vec<_> = sentences
            .filter(|s| !tried.contains(&s.as_str()) && !EXCUSED.iter().any(|(name, _)| name == s))
            .collect();
        assert!(missing.is_empty(), "neither tried nor excused: {missing:?}");
    }
}
