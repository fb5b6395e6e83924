//! What is told of a panic: where it was. What it says may quote an address, a person's words or a secret, and the
//! standard library prints that.
//!
//! **Never here:** what becomes of the call that panicked.

use std::panic::{PanicHookInfo, set_hook};

/// From now on a panic is told by its place in the sources alone. For the beginning of a process, once its log is there.
pub fn tell_only_where() {
    set_hook(Box::new(|panic: &PanicHookInfo<'_>| match panic.location() {
        Some(place) => tracing::error!("a panic at {}:{}", place.file(), place.line()),
        None => tracing::error!("a panic"),
    }));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Whose address it is that no log may hold.
    const SOMEBODY: &str = "203.0.113.137";

    #[test]
    #[ignore = "the other test runs it, in a process of its own"]
    fn breaks() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        super::tell_only_where();
        panic!("the database is broken at {SOMEBODY}");
    }

    #[test]
    fn n10_a_panic_is_told_by_its_place_alone() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let told = child
            .args(["--ignored", "--exact", "panics::tests::breaks", "--nocapture"])
            .output()
            .unwrap();
        let told = [told.stdout, told.stderr].map(|text| String::from_utf8(text).unwrap()).join("");
        assert!(told.contains("a panic at ") && told.contains("panics.rs:"), "{told}");
        assert!(!told.contains(SOMEBODY), "{told}");
    }
}
