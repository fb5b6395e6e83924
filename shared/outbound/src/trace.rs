//! What is told of a call: one event when it is over, a span around each try.
//!
//! Only these fields, which are names and numbers of ours and the vendor's status: nothing of an address, a header, a
//! body, an error's text.

use nexus_core::Owner;
use tokio::time::Instant;
use tracing::{Span, field};

use crate::error::CallError;
use crate::vendor::{Operation, Vendor};

/// A call on its way. Dropped, it tells how the call ended; one that nobody waited for any more is `dropped`.
#[derive(Debug)]
pub(crate) struct Told {
    vendor: &'static str,
    operation: &'static str,
    tenant: Owner,
    began: Instant,
    outcome: &'static str,
    /// How many tries were handed to the transport.
    pub(crate) tries: u32,
    /// The last answer's status.
    pub(crate) status: Option<u16>,
    /// The bytes of all answers.
    pub(crate) bytes: u64,
}

impl Told {
    pub(crate) fn begin(vendor: &Vendor, operation: &Operation, tenant: Owner) -> Self {
        Self {
            vendor: vendor.name,
            operation: operation.name,
            tenant,
            began: Instant::now(),
            outcome: "dropped",
            tries: 0,
            status: None,
            bytes: 0,
        }
    }

    /// The next try begins.
    pub(crate) fn begin_try(&mut self) -> Span {
        self.tries += 1;
        tracing::info_span!(
            "try",
            vendor = self.vendor,
            operation = self.operation,
            number = self.tries,
            status = field::Empty,
        )
    }

    /// It is over.
    pub(crate) fn end<T>(mut self, result: &Result<T, CallError>) {
        self.outcome = match result {
            Ok(_) => "done",
            Err(CallError::Refused { .. }) => "refused",
            Err(CallError::Throttled { .. }) => "throttled",
            Err(CallError::Login { .. }) => "login",
            Err(CallError::Unknown { .. }) => "unknown",
            Err(CallError::Bug(_)) => "bug",
            Err(CallError::Held(_)) => "held",
        };
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        tracing::info!(
            vendor = self.vendor,
            operation = self.operation,
            tenant = %self.tenant,
            tries = self.tries,
            outcome = self.outcome,
            milliseconds = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            status = self.status,
            bytes = self.bytes,
            "a call to a vendor ended"
        );
    }
}
