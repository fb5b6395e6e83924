//! Which engines this machine has: programs that are found once at the start, each named for what it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_engine::clicks::Locator;
use nexus_engine::copy::Copywriter;
use nexus_engine::footage::FootageMaker;
use nexus_engine::narration::{Speech, Spoken};
use nexus_engine::providers::{Choice, CopyProvider, SpeechProvider};
use nexus_engine::tagging::Labeller;
use nexus_engine::translation::Translator;
use nexus_geo::Installed;
use nexus_kernel::{Ambient, Failure, Language};
use nexus_media::av::{FONT_FILE, Ffmpeg};
use nexus_offline::apertium::Apertium;
use nexus_offline::image_facts::ImageFacts;
use nexus_offline::lexicon::Lexicon;
use nexus_offline::speech::OfflineSpeech;
use nexus_offline::template_copy::TemplateCopywriter;
use nexus_outbound::Parts;
use nexus_vendors_engine::suite::Networks;
use nexus_vendors_engine::{elevenlabs, gemini, suite};

use crate::keys::KeysError;

/// The engines of one machine.
#[derive(Clone)]
pub struct Engines {
    /// Tells what a photo shows.
    pub labeller: Arc<dyn Labeller>,
    /// Writes words.
    pub copywriters: Choice<CopyProvider, dyn Copywriter>,
    /// Translates, where installed.
    pub translator: Option<Arc<dyn Translator>>,
    /// Speaks, in the languages whose voices are installed.
    pub voices: Choice<SpeechProvider, dyn Speech>,
    /// Makes footage for money, where the vault has a vendor's key.
    pub footage_makers: Vec<Arc<dyn FootageMaker>>,
    /// Tells where an address is, where a database is installed.
    pub locator: Arc<dyn Locator>,
    /// Tells how a text sounds.
    pub sentiment: Arc<Lexicon>,
    /// Connects accounts at networks and carries posts there.
    pub networks: Networks,
    /// Works on sound and moving pictures, where installed.
    pub ffmpeg: Option<Ffmpeg>,
    /// Where the captions' font lies.
    pub fonts: PathBuf,
}

/// Why the vendors cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum VendorsError {
    /// The settings are wrong.
    #[error("settings: {0}")]
    Settings(#[from] suite::Problems),
    /// The way out cannot be set up.
    #[error(transparent)]
    NoWay(#[from] suite::NoWay),
    /// The vault does not open.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The folders of the `PATH`.
    pub path: Vec<PathBuf>,
    /// The folder into which the project's set-up puts programs.
    pub tools: PathBuf,
    /// Where the captions' font lies.
    pub fonts: PathBuf,
    /// Where the geographic database is, or will be.
    pub geo: PathBuf,
}

/// An engine for a person to read of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is for.
    pub purpose: &'static str,
    /// Its name and version, or what is missing and what that costs.
    pub engine: Result<String, String>,
}

impl Engines {
    /// Looks for every engine.
    pub async fn locate(places: &Places) -> Self {
        let mut search = vec![places.tools.clone()];
        search.extend(places.path.iter().cloned());
        let joined = std::env::join_paths(&search).unwrap_or_default();
        let path = joined.to_string_lossy().into_owned();
        Self {
            labeller: Arc::new(ImageFacts),
            copywriters: Choice::of(CopyProvider::Template, Arc::new(TemplateCopywriter)),
            translator: Apertium::locate(None, &path)
                .await
                .map(|a| Arc::new(a) as Arc<dyn Translator>),
            voices: Choice::of(
                SpeechProvider::House,
                Arc::new(OfflineSpeech::locate(None, None, &path).await),
            ),
            footage_makers: Vec::new(),
            locator: Arc::new(Installed::at(&places.geo, Ambient::system().clock)),
            sentiment: Arc::new(Lexicon::new(Apertium::locate_back(None, &path).await)),
            networks: Networks::default(),
            ffmpeg: Ffmpeg::locate(None, &search),
            fonts: places.fonts.clone(),
        }
    }

    /// These engines, and beside them the vendors whose keys the vault has. Words are Gemini's then, unless a tenant
    /// chooses the templates; nobody's are ElevenLabs' to speak who did not ask for it (N28).
    pub(crate) async fn with_vendors(
        mut self,
        settings: &suite::Settings,
        parts: &Parts,
    ) -> Result<Self, VendorsError> {
        if suite::has_key(&gemini::VENDOR, parts).await? {
            let (gemini, template) = (settings.gemini(parts)?, self.copywriters.usual());
            let template = Arc::clone(template);
            self.copywriters = Choice::of(CopyProvider::Gemini, Arc::new(gemini) as _)
                .and(CopyProvider::Template, template);
        }
        if suite::has_key(&elevenlabs::VENDOR, parts).await? {
            let elevenlabs = Arc::new(settings.elevenlabs(parts)?);
            self.voices = self.voices.and(SpeechProvider::ElevenLabs, elevenlabs);
        }
        for maker in settings.footage_makers(parts)? {
            let vendor = suite::VENDORS.iter().find(|vendor| vendor.name == maker.name());
            if let Some(vendor) = vendor
                && suite::has_key(vendor, parts).await?
            {
                self.footage_makers.push(maker);
            }
        }
        self.networks = settings.networks(parts, &parts.vault)?;
        Ok(self)
    }

    /// What there is and what is missing, for `nexus doctor`.
    pub async fn report(&self) -> Vec<Found> {
        let ffmpeg = match &self.ffmpeg {
            None => {
                Err("ffmpeg is not installed: no narration and no video. Run `make setup`."
                    .to_owned())
            }
            Some(ffmpeg) => match ffmpeg.version().await {
                Ok(version) => Ok(format!("ffmpeg {version}")),
                Err(error) => Err(error.to_string()),
            },
        };
        let house = self.voices.usual();
        let voice = |language| house.engine(language).ok_or_else(|| house.absence(language));
        let font = self.fonts.join(FONT_FILE);
        let places = self.locator.attribution().unwrap_or_else(|| {
            "none: clicks are kept without a place (`nexus geo install`)".to_owned()
        });
        let prices = suite::prices_as_of().into_iter();
        let prices: Vec<String> = prices.map(|(vendor, day)| format!("{vendor} {day}")).collect();
        let translator = self
            .translator
            .as_ref()
            .map(|t| format!("{} (rough; used where no pair was written)", t.engine()));
        vec![
            Found { purpose: "labels", engine: Ok(self.labeller.engine()) },
            Found { purpose: "words", engine: Ok(self.copywriters.usual().engine()) },
            Found {
                purpose: "Spanish",
                engine: Ok(translator.unwrap_or_else(|| "paired templates".to_owned())),
            },
            Found { purpose: "sentiment", engine: Ok(self.sentiment.told()) },
            Found { purpose: "English voice", engine: voice(Language::En) },
            Found { purpose: "Spanish voice", engine: voice(Language::Es) },
            Found { purpose: "sound and video", engine: ffmpeg },
            Found { purpose: "places of clicks", engine: Ok(places) },
            Found {
                purpose: "captions' font",
                engine: if font.is_file() {
                    Ok(FONT_FILE.to_owned())
                } else {
                    Err(format!("{} is missing", font.display()))
                },
            },
            Found { purpose: "prices as of", engine: Ok(prices.join(", ")) },
        ]
    }

    /// The settings that a function needs to find programs here, instead of those in the template, which name
    /// the places in a Lambda layer.
    pub(crate) fn settings(&self, scratch: &Path) -> BTreeMap<String, String> {
        let text = |p: &Path| p.to_string_lossy().into_owned();
        let mut settings = BTreeMap::from([
            ("SCRATCH".to_owned(), text(scratch)),
            ("FONTS".to_owned(), text(&self.fonts)),
            ("FFMPEG".to_owned(), String::new()),
        ]);
        if let Some(ffmpeg) = &self.ffmpeg {
            settings.insert("FFMPEG".to_owned(), text(ffmpeg.program()));
        }
        settings
    }
}

/// No voice at all: what drafts are like where none is installed.
pub fn silent() -> impl Speech {
    Silent
}

struct Silent;

#[async_trait]
impl Speech for Silent {
    fn engine(&self, _: Language) -> Option<String> {
        None
    }

    fn absence(&self, language: Language) -> String {
        format!(
            "No {} voice is installed: the video has captions and no voice.",
            language.own_name()
        )
    }

    async fn say(&self, _: &CallContext, _: Language, _: &str) -> Result<Spoken, Failure> {
        Err(Failure::unavailable("No voice is installed."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_days_on_which_prices_were_read_are_shown() {
        let report = Engines::locate(&Places::default()).await.report().await;
        let prices = report.into_iter().find(|found| found.purpose == "prices as of");
        let told = prices.unwrap().engine.unwrap();
        assert!(told.contains("runway 2026-11-20") && told.contains("x 2026-11-21"), "{told}");
    }
}
