//! What Gemini said: words, or why there are none.
//!
//! An answer that was made is paid for, whatever is in it: a blocked prompt, half an answer, thinking without words.
//! So a refusal that came with a success says what was used for it.

use std::collections::BTreeMap;

use nexus_core::egress::Cost;
use nexus_engine::publishing::Network;
use nexus_kernel::Timestamp;
use nexus_outbound::{Answer, Billed, CallError, Reading, Usage};
use serde::Deserialize;

use super::{classify, prices};

/// Why there are no words. The code is stable: `blocked`, `safety`, `recitation`, `truncated`, `unfinished`,
/// `unreadable`, `rules`, `unfounded`, `language`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    /// As a person should read it; never the model's words.
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

impl From<Refusal> for CallError {
    fn from(Refusal { code, why }: Refusal) -> Self {
        Self::Refused { code: code.to_owned(), why }
    }
}

/// Whether the model slipped, so that another choice of words may be better; a decision of Google's stands.
pub(super) fn is_slip(error: &CallError) -> bool {
    let slips = ["unfinished", "unreadable", "rules", "unfounded", "language"];
    matches!(error, CallError::Refused { code, .. } if slips.contains(&code.as_str()))
}

/// Both languages as the model wrote them: not checked, not shortened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Raw {
    pub(super) english: English,
    pub(super) spanish: Option<Spanish>,
}

/// The English half.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct English {
    #[serde(default)]
    pub(super) captions: BTreeMap<String, String>,
    pub(super) description: String,
    pub(super) hashtags: Vec<String>,
    pub(super) video_prompt: String,
    pub(super) script: Vec<String>,
}

/// The Spanish half.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Spanish {
    #[serde(default)]
    pub(super) captions: BTreeMap<String, String>,
    pub(super) description: String,
    pub(super) script: Vec<String>,
}

/// What was asked, as far as reading the answer needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) model: &'a str,
    /// The day whose prices count.
    pub(super) at: Timestamp,
    /// What counts where the answer does not say what it used.
    pub(super) estimate: Cost,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<UsageMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata {
    prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

/// Reads an answer to `generateContent`.
///
/// # Errors
/// It is no answer of the model ([`classify`] says what it means), or the model did not write (a [`Refusal`]).
pub(super) fn words(answer: &Answer, asked: Asked<'_>) -> Result<Reading<Raw>, Billed> {
    classify::failed(answer)?;
    let whole: Whole =
        serde_json::from_slice(&answer.body).map_err(|_| classify::unreadable(answer))?;
    let usage = used(whole.usage_metadata.as_ref(), asked);
    match verdict(whole) {
        Ok(value) => Ok(Reading { value, usage }),
        Err(refusal) => Err(CallError::from(refusal).billed(usage)),
    }
}

/// What was used; the estimate where the answer does not tell.
fn used(told: Option<&UsageMetadata>, asked: Asked<'_>) -> Usage {
    let Some(UsageMetadata { prompt_token_count: Some(tokens_in), .. }) = told else {
        return Usage { cost: asked.estimate, ..Usage::default() };
    };
    let words = told.and_then(|told| told.candidates_token_count).unwrap_or_default();
    let thoughts = told.and_then(|told| told.thoughts_token_count).unwrap_or_default();
    // Thinking is paid for like words.
    let tokens_out = words.saturating_add(thoughts);
    let cost = prices::cost(asked.model, asked.at, *tokens_in, tokens_out);
    Usage { tokens_in: *tokens_in, tokens_out, units: 0, cost }
}

fn verdict(whole: Whole) -> Result<Raw, Refusal> {
    let Some(candidate) = whole.candidates.into_iter().flatten().next() else {
        let reason = whole.prompt_feedback.and_then(|feedback| feedback.block_reason);
        return Err(match reason.as_deref() {
            Some("BLOCKLIST" | "PROHIBITED_CONTENT" | "SAFETY" | "IMAGE_SAFETY") => Refusal::new(
                "blocked",
                "Gemini does not write about this product: its filters stopped the texts that describe it. \
                 Change the product's description or the brand voice.",
            ),
            Some(_) => {
                Refusal::new("blocked", "Gemini did not take the texts, and gave no reason.")
            }
            None => Refusal::new("unreadable", "Gemini answered without any words."),
        });
    };
    match candidate.finish_reason.as_deref() {
        Some("STOP") => {}
        Some("MAX_TOKENS") => {
            return Err(Refusal::new(
                "truncated",
                "Gemini used up its room before the words were complete.",
            ));
        }
        Some("SAFETY" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII") => {
            return Err(Refusal::new(
                "safety",
                "Gemini's filters stopped the words that it began to write. Change the product's description or the \
                 brand voice.",
            ));
        }
        Some("RECITATION") => {
            return Err(Refusal::new(
                "recitation",
                "Gemini stopped because its words came too close to a text of somebody else's.",
            ));
        }
        Some("LANGUAGE") => {
            return Err(Refusal::new(
                "language",
                "Gemini stopped: it took the texts for a language it cannot write.",
            ));
        }
        _ => {
            return Err(Refusal::new(
                "unfinished",
                "Gemini stopped before the words were complete.",
            ));
        }
    }
    let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
    let said = parts.into_iter().filter(|part| part.thought != Some(true));
    let text: String = said.filter_map(|part| part.text).collect();
    serde_json::from_str(&text).map_err(|_| {
        Refusal::new("unreadable", "Gemini's words did not come in the shape that was asked for.")
    })
}

/// The captions by network; a name that no wanted network has is left out.
pub(super) fn by_network(
    captions: &BTreeMap<String, String>,
    networks: &[Network],
) -> BTreeMap<Network, String> {
    let wanted = networks.iter().filter_map(|n| captions.get(n.name()).map(|text| (*n, text)));
    wanted.map(|(network, text)| (network, text.clone())).collect()
}
