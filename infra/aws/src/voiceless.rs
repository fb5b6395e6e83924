//! Nobody speaks on Lambda yet: the programs of the one machine are not in its image.

use async_trait::async_trait;
use nexus_engine::narration::{Speech, Spoken};
use nexus_kernel::{Failure, Language};

/// No voice in any language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voiceless;

#[async_trait]
impl Speech for Voiceless {
    fn engine(&self, _: Language) -> Option<String> {
        None
    }

    fn absence(&self, language: Language) -> String {
        let language = match language {
            Language::En => "English",
            Language::Es => "Spanish",
        };
        format!(
            "No speech service is connected on AWS: the {language} video has captions and no voice."
        )
    }

    async fn say(&self, language: Language, _: &str) -> Result<Spoken, Failure> {
        Err(Failure::unavailable(self.absence(language)))
    }
}
