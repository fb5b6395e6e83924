//! What Luma's models make. From Luma's pages and the descriptions of its Python SDK of 2026-06-09.

use nexus_engine::footage::{FootageBrief, Quote, Shape};
use nexus_kernel::Failure;

use super::prices;
use crate::footage;

/// The model where no setting names one: the only one for video.
pub const DEFAULT_MODEL: &str = "ray-3.2";

/// The setting that names the model.
pub const MODEL_SETTING: &str = "LUMA_MODEL";

/// The longest prompt, in characters.
pub const PROMPT_MOST: usize = 6_000;

/// The largest picture, in bytes. Luma refuses more than 50 MB; a rendition is never that large, and all of it stands
/// in memory twice while it is sent.
pub const PICTURE_MOST: usize = 20_000_000;

/// The only resolution that is ordered: enough for a phone, and half the price of the next.
pub const RESOLUTION: &str = "720p";

/// A model, and what it makes.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Luma's name for it.
    pub name: &'static str,
    /// The lengths that it makes from a prompt, in seconds.
    pub from_text: &'static [u32],
    /// The lengths that it makes from a picture, in seconds.
    pub from_picture: &'static [u32],
}

/// The models that can be set.
pub static MODELS: [Model; 1] =
    [Model { name: "ray-3.2", from_text: &[5, 10], from_picture: &[5] }];

/// Luma's word for a shape. Where there is a picture, Luma takes the picture's shape.
pub fn aspect_ratio(shape: Shape) -> &'static str {
    match shape {
        Shape::Vertical => "9:16",
        Shape::Horizontal => "16:9",
    }
}

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

    /// The engine's name and model: `luma ray-3.2`.
    pub fn engine(&self) -> String {
        format!("luma {}", self.name)
    }

    /// What it would make of a brief.
    ///
    /// # Errors
    /// It cannot: the field and the remedy.
    pub fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure> {
        footage::check("Luma", brief, brief.prompt.chars().count(), PROMPT_MOST, PICTURE_MOST)?;
        let (lengths, engine) = match &brief.picture {
            None => (self.from_text, self.engine()),
            Some(_) => (self.from_picture, format!("{} from a picture", self.engine())),
        };
        let seconds = footage::length(&engine, lengths, brief.seconds)?;
        Ok(Quote { seconds, cost: prices::of(self, seconds) })
    }
}
