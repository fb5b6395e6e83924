//! Spanish by Amazon Translate.
//!
//! The target is `es-MX`: Translate has no Spanish of the United States, and Mexico's is what most of its speakers
//! there speak. Formality is informal, as the copywriter's own pairs address their reader (*tú*).
//!
//! What is protected stands in Translate's own markup for text that is not translated ([`markup`]). It sees the words,
//! so that the grammar around them is right, which it could not be around stand-ins. Lines go one by one, since line
//! breaks mean nothing in markup; a line that holds nothing to translate is not sent, and one that occurs twice is
//! sent once.
//!
//! **Never here:** deciding whether a translation is good enough. Where a protected part was lost all the same, the
//! text goes back as it came: whoever compares will see what is missing.

mod markup;

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_translate::Client;
use aws_sdk_translate::types::{Formality, TranslationSettings};
use nexus_engine::translation::Translator;
use nexus_kernel::Failure;

use crate::fault::Fault;
use crate::parts;

const SOURCE: &str = "en";
const TARGET: &str = "es-MX";

/// The most bytes of a request's text.
const MOST_BYTES: usize = 10_000;
/// A line is cut below this, so that its markup finds room.
const CUT_AT: usize = 4_000;

/// What the caller reads where there is no translation.
const PUBLIC: &str = "The text could not be translated.";

/// The translator.
#[derive(Debug, Clone)]
pub struct AmazonTranslate {
    client: Client,
}

impl AmazonTranslate {
    /// The translator of this account.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// A line in Spanish.
    async fn line(&self, line: &str, protected: &[String]) -> Result<String, Failure> {
        let mut translated = String::new();
        for part in parts::within(line, CUT_AT, str::len) {
            let (before, core, after) = around(part);
            translated.push_str(before);
            translated.push_str(&self.part(core, protected).await?);
            translated.push_str(after);
        }
        Ok(translated)
    }

    async fn part(&self, text: &str, protected: &[String]) -> Result<String, Failure> {
        let marked = markup::marked(text, protected);
        let Some(marked) = marked else { return Ok(text.to_owned()) };
        if marked.text.len() > MOST_BYTES {
            let problem = format!("has a line with more markup than {MOST_BYTES} bytes hold");
            return Err(Failure::field("text", problem));
        }
        let asked = self
            .client
            .translate_text()
            .source_language_code(SOURCE)
            .target_language_code(TARGET)
            .settings(TranslationSettings::builder().formality(Formality::Informal).build())
            .text(&marked.text);
        let answer = asked.send().await.map_err(|error| failure(Fault::of(&error)))?;
        if answer.translated_text.trim().is_empty() || answer.target_language_code != TARGET {
            return Err(Fault::unreadable("another translation than was asked for").failure(PUBLIC));
        }
        Ok(marked.read(&answer.translated_text))
    }
}

fn failure(fault: Fault) -> Failure {
    match fault.code() {
        "TextSizeLimitExceededException" => {
            Failure::field("text", "is longer than Amazon Translate takes").caused_by(fault)
        }
        _ => fault.failure(PUBLIC),
    }
}

#[async_trait]
impl Translator for AmazonTranslate {
    fn engine(&self) -> String {
        format!("amazon-translate {TARGET}")
    }

    fn is_rough(&self) -> bool {
        false
    }

    async fn translate(
        &self,
        texts: &[&str],
        protected: &[String],
    ) -> Result<Vec<String>, Failure> {
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        for line in texts.iter().flat_map(|text| text.split('\n')) {
            let (_, core, _) = around(line);
            if !known.contains_key(core) {
                known.insert(core, self.line(core, protected).await?);
            }
        }
        let spanish = |line: &str| {
            let (before, core, after) = around(line);
            let core = known.get(core).map_or(core, String::as_str);
            format!("{before}{core}{after}")
        };
        let texts = texts.iter().map(|text| text.split('\n').map(spanish).collect::<Vec<_>>());
        Ok(texts.map(|lines| lines.join("\n")).collect())
    }
}

/// A text and the space before and after it.
fn around(text: &str) -> (&str, &str, &str) {
    let core = text.trim();
    let begins = text.len() - text.trim_start().len();
    let (before, rest) = text.split_at(begins);
    (before, core, rest.get(core.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
