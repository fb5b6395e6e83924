//! Gemini behind the Engine's port for words.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::copy::{Brief, Copywriter, Written};
use nexus_kernel::{Failure, Timestamp};
use nexus_outbound::{Answer, Body, CallError, Outbound, Request};

use super::prices;
use super::request::{MAX_OUTPUT_TOKENS, generate_content};
use super::response::{self, Asked};
use super::words;
use crate::failure;

/// The revision of the prompt: it is a part of the engine's name, so that words of an older one are not taken from
/// the cache.
const PROMPT: u32 = 1;
/// How often a brief is asked about: a model that slipped (words that cannot be read, or that say more than the
/// facts) gets a second chance with another choice of words.
const CHANCES: u64 = 2;

/// Writes words with Gemini.
pub struct Gemini {
    outbound: Outbound,
    model: String,
    spanish: bool,
}

impl Gemini {
    /// Writes with this model, in both languages; `outbound` leads to [`VENDOR`](super::VENDOR). A name that is
    /// written as a resource (`models/gemini-3.8-flash`) is taken too.
    pub fn new(outbound: Outbound, model: impl Into<String>) -> Self {
        let model = model.into();
        let model = model.strip_prefix("models/").map(str::to_owned).unwrap_or(model);
        Self { outbound, model, spanish: true }
    }

    /// Without Spanish: for a platform whose translator is preferred to a pair.
    #[must_use]
    pub fn english_only(self) -> Self {
        Self { spanish: false, ..self }
    }

    /// Asks once. `slip` is how often the model slipped before.
    async fn ask(&self, at: &CallContext, brief: &Brief, slip: u64) -> Result<Written, CallError> {
        let request = generate_content(&self.model, brief, self.spanish, slip);
        let estimate = estimate(&self.model, at.until, &request);
        let asked = Asked { model: &self.model, at: at.until, estimate };
        let read = |answer: &Answer| response::words(answer, asked);
        let raw = self.outbound.call_billed(at, request, estimate, read).await?;
        Ok(words::finished(&raw, brief)?)
    }
}

/// What a request costs at most: a token is a byte at least, and no more come out than are allowed to.
pub(super) fn estimate(model: &str, at: Timestamp, request: &Request) -> Cost {
    let bytes = match &request.body {
        Body::Json(body) => u64::try_from(body.to_string().len()).unwrap_or(u64::MAX),
        Body::Empty | Body::Form(_) | Body::Multipart(_) | Body::Bytes { .. } => 0,
    };
    prices::cost(model, at, bytes, MAX_OUTPUT_TOKENS)
}

#[async_trait]
impl Copywriter for Gemini {
    fn engine(&self) -> String {
        format!("gemini {}, prompt {PROMPT}", self.model)
    }

    async fn write(&self, at: &CallContext, brief: &Brief) -> Result<Written, Failure> {
        let mut slip = 0;
        loop {
            match self.ask(at, brief, slip).await {
                Ok(written) => return Ok(written),
                Err(error) if response::is_slip(&error) && slip + 1 < CHANCES => slip += 1,
                Err(error) => return Err(failure::of_a_question(error)),
            }
        }
    }
}
