//! What Google's models make. From Google's pages as of November 2026 and its Python SDK of 2026-08-21.

use nexus_engine::footage::{FootageBrief, Quote, Shape};
use nexus_kernel::Failure;

use super::prices;
use crate::footage;

/// The model where no setting names one: the one that is longest in general use.
pub const DEFAULT_MODEL: &str = "gemini-omni-1.1-flash";

/// The setting that names the model.
pub const MODEL_SETTING: &str = "VEO_MODEL";

/// The longest prompt, in characters. Google names none below what its models read at all; more than this is no
/// description of a few seconds.
pub const PROMPT_MOST: usize = 6_000;

/// The largest picture, in bytes: as base64 it has to fit into a request of 20 MB with everything else.
pub const PICTURE_MOST: usize = 14_000_000;

/// The only resolution that is ordered.
pub const RESOLUTION: &str = "720p";

/// A model, and what it makes.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Google's name for it.
    pub name: &'static str,
    /// The lengths that it makes, in seconds.
    pub lengths: &'static [u32],
}

/// The models that can be set.
pub static MODELS: [Model; 2] = [
    Model { name: "gemini-omni-1.1-flash", lengths: &[3, 4, 5, 6, 7, 8, 9, 10] },
    Model {
        name: "gemini-omni-1.2-flash",
        lengths: &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    },
];

/// Google's word for a shape.
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

    /// Who made it, as a person reads it: `google gemini-omni-1.1-flash`.
    pub fn engine(&self) -> String {
        format!("google {}", self.name)
    }

    /// What it would make of a brief.
    ///
    /// # Errors
    /// It cannot: the field and the remedy.
    pub fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure> {
        footage::check("Google", brief, brief.prompt.chars().count(), PROMPT_MOST, PICTURE_MOST)?;
        let seconds = footage::length(&self.engine(), self.lengths, brief.seconds)?;
        Ok(Quote { seconds, cost: prices::of(self, seconds) })
    }
}
