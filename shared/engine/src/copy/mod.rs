//! Words: captions per network, a description, hashtags, a video prompt and the script that is spoken.

pub mod hashtags;
pub mod limits;
pub mod links;
pub mod weighted;

use std::collections::BTreeMap;

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_kernel::Failure;
use serde::{Deserialize, Serialize};

use crate::catalogue::ProductFacts;
use crate::publishing::Network;
use crate::tagging::Label;

/// All words of a draft in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What stands with the post, per network; without the hashtags.
    pub captions: BTreeMap<Network, String>,
    /// A description for a product page.
    pub description: String,
    /// Hashtags without their `#`.
    pub hashtags: Vec<String>,
    /// What a video engine is asked for.
    pub video_prompt: String,
    /// What is spoken and shown, a sentence each.
    pub script: Vec<String>,
}

impl Copy {
    /// The texts that a translation replaces, in a fixed order: captions by network, the description, the
    /// script. Hashtags stay as they are, the video prompt is for an engine.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<&str> = self.captions.values().map(String::as_str).collect();
        texts.push(&self.description);
        texts.extend(self.script.iter().map(String::as_str));
        texts
    }

    /// The same copy with those texts replaced; `None` where their number differs.
    pub fn with_texts(&self, texts: Vec<String>) -> Option<Self> {
        if texts.len() != self.captions.len() + 1 + self.script.len() {
            return None;
        }
        let mut texts = texts.into_iter();
        let mut copy = self.clone();
        for caption in copy.captions.values_mut() {
            *caption = texts.next()?;
        }
        copy.description = texts.next()?;
        copy.script = texts.collect();
        Some(copy)
    }

    /// What is posted: the caption and the hashtags that fit the network's limit.
    pub fn post_text(&self, network: Network) -> String {
        let caption = self.captions.get(&network).map(String::as_str).unwrap_or_default();
        hashtags::joined(caption, &self.hashtags, network)
    }
}

/// How a tenant speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    /// The business's name.
    pub business_name: String,
    /// What it does.
    pub niche: String,
    /// How it speaks, in its own words.
    pub brand_voice: String,
}

/// What the words are to be about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// How the tenant speaks.
    pub voice: Voice,
    /// The product, where the photo belongs to one.
    pub product: Option<ProductFacts>,
    /// What is known of the picture; no other visual claim may be made.
    pub labels: Vec<Label>,
    /// The description that was embedded in the picture.
    pub embedded_description: Option<String>,
    /// For which networks.
    pub networks: Vec<Network>,
    /// Words that no step may change.
    pub brand_terms: Vec<String>,
    /// Chooses among variants: the same brief with the same seed gives the same words.
    pub seed: u64,
}

/// What a copywriter gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The words in English.
    pub copy: Copy,
    /// The same in Spanish, where the engine writes both at once.
    pub paired: Option<Copy>,
}

/// Writes the words.
#[async_trait]
pub trait Copywriter: Send + Sync {
    /// The engine's name and version, for example `template 1`.
    fn engine(&self) -> String;

    /// All four kinds in one call. The result is checked by [`limits::check`] before it is kept.
    ///
    /// # Errors
    /// `Invalid`: it declines, for the reason given, and will again. `Denied`: the tenant's cap is reached. Any other:
    /// later it may write.
    async fn write(&self, at: &CallContext, brief: &Brief) -> Result<Written, Failure>;
}
