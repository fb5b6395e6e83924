//! Words without a model: phrases that people wrote, in English and Spanish side by side, filled with what the tenant
//! told of the business and the product.
//!
//! A phrase is chosen by line of business, tone and the brief's seed: the same brief with the same seed gives the same
//! words, in both languages. A tenant's words are values: they are set into phrases and never read as one.
//!
//! **Never here:** a claim that nobody made. Of the product stands only what the merchant wrote, of the picture only
//! what its labels carry. Phrases hold no digits, and no article or verb that would depend on a name's gender or number.

mod dictionary;
mod merchant;
mod niche;
mod phrases;
mod post;
mod tone;

use std::sync::LazyLock;

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_engine::copy::{Brief, Copy, Copywriter, Written};
use nexus_kernel::Failure;

use dictionary::Dictionary;
use phrases::Phrases;
use post::Post;

/// The templates that were compiled in, read when they are first needed.
static TEMPLATES: LazyLock<(Phrases, Dictionary)> = LazyLock::new(|| {
    let phrases = Phrases::read().expect("the built-in phrases are well formed");
    (phrases, Dictionary::read().expect("the built-in dictionary is well formed"))
});

/// Writes from templates.
#[derive(Debug, Clone, Copy)]
pub struct TemplateCopywriter;

impl TemplateCopywriter {
    /// The words for a brief; nothing leaves this machine.
    pub fn compose(&self, brief: &Brief) -> Written {
        let (phrases, dictionary) = &*TEMPLATES;
        let post = Post::about(brief, phrases, dictionary);
        let (mut english, mut spanish) = (Copy::default(), Copy::default());
        english.hashtags = post.hashtags();
        english.video_prompt = post.video_prompt();
        spanish.hashtags.clone_from(&english.hashtags);
        spanish.video_prompt.clone_from(&english.video_prompt);
        for network in &brief.networks {
            let caption = post.caption(*network, &english.hashtags);
            english.captions.insert(*network, caption.en);
            spanish.captions.insert(*network, caption.es);
        }
        let description = post.description();
        (english.description, spanish.description) = (description.en, description.es);
        (english.script, spanish.script) = post.script().into_iter().map(|s| (s.en, s.es)).unzip();
        Written { copy: english, paired: Some(spanish) }
    }
}

#[async_trait]
impl Copywriter for TemplateCopywriter {
    fn engine(&self) -> String {
        "template 1".to_owned()
    }

    async fn write(&self, _: &CallContext, brief: &Brief) -> Result<Written, Failure> {
        Ok(self.compose(brief))
    }
}

#[cfg(test)]
mod tests;
