//! What the end of a call means to a step of the line that asked a question: words, a sentence's sound. Such a step
//! changes nothing outside, so what nobody knows is asked again, later, and not looked up.
//!
//! **Never here:** what is bought or published; there an unknown end is looked up first.

use nexus_kernel::Failure;
use nexus_outbound::CallError;

/// The failure, in the kinds of the Engine's ports: `Invalid` declines and will again, `Denied` is the house's own no,
/// anything else may go well later.
pub(crate) fn of_a_question(error: CallError) -> Failure {
    match error {
        // It goes well only after somebody has put another key into the vault; the draft says so.
        CallError::Login { why } => Failure::invalid(why).caused_by("login"),
        CallError::Unknown { why } => {
            Failure::unavailable("The answer was lost; it is asked for again.").caused_by(why)
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::time::Duration;

    use nexus_kernel::FailureKind;

    use super::*;

    #[test]
    fn each_end_has_its_kind() {
        let why = || "Because.".to_owned();
        let ends = [
            (CallError::Refused { code: "safety".into(), why: why() }, FailureKind::Invalid),
            (CallError::Login { why: why() }, FailureKind::Invalid),
            (CallError::Throttled { after: None, why: why() }, FailureKind::Throttled),
            (CallError::Unknown { why: why() }, FailureKind::Unavailable),
            (CallError::Bug("ours".into()), FailureKind::Bug),
            (CallError::Held(Failure::denied("The cap is reached.")), FailureKind::Denied),
        ];
        for (end, kind) in ends {
            assert_eq!(of_a_question(end).kind(), kind);
        }
    }

    #[test]
    fn a_refusal_tells_the_person_why_and_the_operator_its_word() {
        let refused = CallError::Refused { code: "safety".into(), why: "Because.".into() };
        let failure = of_a_question(refused);
        assert_eq!(failure.public(), "Because.");
        assert_eq!(failure.source().unwrap().to_string(), "safety");
    }

    #[test]
    fn a_wait_that_was_told_is_kept() {
        let after = Some(Duration::from_secs(17));
        let failure = of_a_question(CallError::Throttled { after, why: "Later.".into() });
        assert_eq!(failure.wait(), after);
    }
}
