//! What a vendor said, and what was read out of it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use jiff::fmt::rfc2822;
use nexus_core::egress::Cost;
use nexus_kernel::Timestamp;

/// HTTP's dates. Who names the wrong day of the week still names a moment.
static DATES: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new().relaxed_weekday(true);

/// An answer that came whole. Its `Debug` tells no header's value and no body.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Answer {
    /// Whether it says when to ask again. A classification that names no wait of its own leaves it to the stack to read.
    pub fn asks_to_wait(&self) -> bool {
        self.headers.contains_key(header::RETRY_AFTER)
    }

    /// When it asks to be asked again, by its `Retry-After`: seconds, or a moment. A moment that is over is at once;
    /// what cannot be read is nothing. However absurd, it is told as it stands: whoever waits caps it.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let said = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Duration::from_secs(said.parse().unwrap_or(u64::MAX)));
        }
        let moment = DATES.parse_timestamp(said).ok()?;
        Some(Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status.as_u16())
            .field(
                "headers",
                &self.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(),
            )
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// A value that was read out of an answer, with what the call used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// What was used.
    pub usage: Usage,
}

/// What a call used, for the ledger and the cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that went in.
    pub tokens_in: u64,
    /// Tokens that came out, thinking included.
    pub tokens_out: u64,
    /// What else the vendor counts: characters spoken, seconds of video.
    pub units: u64,
    /// What it costs by the price list.
    pub cost: Cost,
}

impl Usage {
    /// This and that together.
    pub(crate) fn and(self, other: Self) -> Self {
        let cost = self.cost.as_micros().saturating_add(other.cost.as_micros());
        Self {
            tokens_in: self.tokens_in.saturating_add(other.tokens_in),
            tokens_out: self.tokens_out.saturating_add(other.tokens_out),
            units: self.units.saturating_add(other.units),
            cost: Cost::micros(cost),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked_to_wait(said: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(said).unwrap());
        let answer = Answer { status: StatusCode::OK, headers, body: Bytes::new() };
        answer.retry_after("2026-11-20T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_moment() {
        for (said, seconds) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Fri, 20 Nov 2026 10:01:00 GMT", Some(60)),
            ("Fri, 20 Nov 2026 09:59:00 GMT", Some(0)),
            ("Mon, 20 Nov 2026 10:01:00 GMT", Some(60)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(asked_to_wait(said), seconds.map(Duration::from_secs), "{said}");
        }
    }

    #[test]
    fn its_debug_tells_neither_values_nor_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", HeaderValue::from_static("canary"));
        let body = Bytes::from_static(b"canary");
        let told = format!("{:?}", Answer { status: StatusCode::OK, headers, body });
        assert!(told.contains("set-cookie") && !told.contains("canary"), "{told}");
    }
}
