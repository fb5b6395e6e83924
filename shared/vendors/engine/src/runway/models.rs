//! What Runway's models make: lengths, shapes, whether they need a picture.
//!
//! From Runway's description of its API as of 2026-08-08 and its Python SDK of 2026-07-27. Left out, because their
//! price was not found: `gemini_omni_flash`, `seedance2`, `seedance2_fast`, `seedance2_mini`, `happyhorse_1_0`, `veo3`.

use nexus_engine::footage::{FootageBrief, Quote, Shape};
use nexus_kernel::Failure;

use super::prices;
use crate::footage;

/// The model where no setting names one: the cheapest. It needs a picture.
pub const DEFAULT_MODEL: &str = "gen4_turbo";

/// The setting that names the model.
pub const MODEL_SETTING: &str = "RUNWAY_MODEL";

/// The longest prompt, in UTF-16 code units, as Runway counts.
pub const PROMPT_MOST: usize = 1_000;

/// The longest data URI that Runway takes, in bytes.
pub const DATA_URI_MOST: usize = 5_000_000;

/// A model, and what it makes.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Runway's name for it.
    pub name: &'static str,
    /// Whether it makes footage without a picture.
    pub from_text: bool,
    /// The lengths that it makes, in seconds.
    pub lengths: &'static [u32],
    /// Its size for upright footage, in pixels: what Runway calls a ratio.
    pub vertical: &'static str,
    /// And for footage across.
    pub horizontal: &'static str,
    /// Whether it makes sound unless told not to. Narration is the house's own, and sound costs more: it is told not to.
    pub sound: bool,
}

const SECOND_BY_SECOND: &[u32] = &[2, 3, 4, 5, 6, 7, 8, 9, 10];

/// The models that can be set.
pub static MODELS: [Model; 4] = [
    Model {
        name: "gen4_turbo",
        from_text: false,
        lengths: SECOND_BY_SECOND,
        vertical: "720:1280",
        horizontal: "1280:720",
        sound: false,
    },
    Model {
        name: "gen4.5",
        from_text: true,
        lengths: SECOND_BY_SECOND,
        vertical: "720:1280",
        horizontal: "1280:720",
        sound: false,
    },
    Model {
        name: "veo3.1",
        from_text: true,
        lengths: &[4, 6, 8],
        vertical: "720:1280",
        horizontal: "1280:720",
        sound: true,
    },
    Model {
        name: "veo3.1_fast",
        from_text: true,
        lengths: &[4, 6, 8],
        vertical: "720:1280",
        horizontal: "1280:720",
        sound: true,
    },
];

impl Model {
    /// The model of this name.
    ///
    /// # Errors
    /// It is not known here: which are.
    pub fn named(name: &str) -> Result<&'static Self, Failure> {
        MODELS.iter().find(|model| model.name == name).ok_or_else(|| {
            let known: Vec<_> = MODELS.iter().map(|model| model.name).collect();
            Failure::field(MODEL_SETTING, format!("one of {}", known.join(", ")))
        })
    }

    /// The engine's name and model: `runway gen4_turbo`.
    pub fn engine(&self) -> String {
        format!("runway {}", self.name)
    }

    /// The size in pixels for a shape.
    pub fn ratio(&self, shape: Shape) -> &'static str {
        match shape {
            Shape::Vertical => self.vertical,
            Shape::Horizontal => self.horizontal,
        }
    }

    /// What it would make of a brief.
    ///
    /// # Errors
    /// It cannot: the field and the remedy.
    pub fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure> {
        // `data:image/jpeg;base64,` and four characters for three bytes.
        let picture_most = (DATA_URI_MOST - "data:image/jpeg;base64,".len()) / 4 * 3;
        let prompt = brief.prompt.encode_utf16().count();
        footage::check("Runway", brief, prompt, PROMPT_MOST, picture_most)?;
        if brief.picture.is_none() && !self.from_text {
            let others: Vec<_> = MODELS.iter().filter(|m| m.from_text).map(|m| m.name).collect();
            let told =
                format!("{} begins with a picture; without one: {}", self.name, others.join(", "));
            return Err(Failure::field("picture", told));
        }
        let seconds = footage::length(&self.engine(), self.lengths, brief.seconds)?;
        Ok(Quote { seconds, cost: prices::of(self, seconds) })
    }
}
