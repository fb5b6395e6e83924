//! Which engines this machine has: programs that are found once at the start, each named for what it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use nexus_engine::copy::Copywriter;
use nexus_engine::narration::{Speech, Spoken};
use nexus_engine::tagging::Labeller;
use nexus_engine::translation::Translator;
use nexus_kernel::{Failure, Language};
use nexus_media::av::{FONT_FILE, Ffmpeg};
use nexus_offline::apertium::Apertium;
use nexus_offline::image_facts::ImageFacts;
use nexus_offline::speech::OfflineSpeech;
use nexus_offline::template_copy::TemplateCopywriter;

/// The engines of one machine.
#[derive(Clone)]
pub struct Engines {
    /// Tells what a photo shows.
    pub labeller: Arc<dyn Labeller>,
    /// Writes words.
    pub copywriter: Arc<dyn Copywriter>,
    /// Translates, where installed.
    pub translator: Option<Arc<dyn Translator>>,
    /// Speaks, in the languages whose voices are installed.
    pub speech: Arc<dyn Speech>,
    /// Works on sound and moving pictures, where installed.
    pub ffmpeg: Option<Ffmpeg>,
    /// Where the captions' font lies.
    pub fonts: PathBuf,
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
            copywriter: Arc::new(TemplateCopywriter::new()),
            translator: Apertium::locate(None, &path)
                .await
                .map(|a| Arc::new(a) as Arc<dyn Translator>),
            speech: Arc::new(OfflineSpeech::locate(None, None, &path).await),
            ffmpeg: Ffmpeg::locate(None, &search),
            fonts: places.fonts.clone(),
        }
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
        let voice =
            |language| self.speech.engine(language).ok_or_else(|| self.speech.absence(language));
        let font = self.fonts.join(FONT_FILE);
        let translator = self
            .translator
            .as_ref()
            .map(|t| format!("{} (rough; used where no pair was written)", t.engine()));
        vec![
            Found { purpose: "labels", engine: Ok(self.labeller.engine()) },
            Found { purpose: "words", engine: Ok(self.copywriter.engine()) },
            Found {
                purpose: "Spanish",
                engine: Ok(translator.unwrap_or_else(|| "paired templates".to_owned())),
            },
            Found { purpose: "English voice", engine: voice(Language::En) },
            Found { purpose: "Spanish voice", engine: voice(Language::Es) },
            Found { purpose: "sound and video", engine: ffmpeg },
            Found {
                purpose: "captions' font",
                engine: if font.is_file() {
                    Ok(FONT_FILE.to_owned())
                } else {
                    Err(format!("{} is missing", font.display()))
                },
            },
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

    async fn say(&self, _: Language, _: &str) -> Result<Spoken, Failure> {
        Err(Failure::unavailable("No voice is installed."))
    }
}
