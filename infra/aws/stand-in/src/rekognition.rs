//! Amazon Rekognition's `DetectLabels`, from what can be measured in a picture: colours and sharpness. No thing is
//! recognised, so the list of things is empty.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use nexus_engine::media::MediaFacts;
use nexus_engine::tagging::{LabelKind, Labeller as _, Labels};
use nexus_offline::image_facts::ImageFacts;
use serde::{Deserialize, Serialize};

use crate::door::Refusal;

/// Bytes of a picture, at most.
const MOST_BYTES: usize = 5_242_880;
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];
const PNG: [u8; 4] = [0x89, b'P', b'N', b'G'];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DetectLabels {
    image: Image,
    max_labels: Option<u32>,
    min_confidence: Option<f32>,
    features: Vec<Feature>,
    settings: Option<Settings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Image {
    bytes: String,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Feature {
    GeneralLabels,
    ImageProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Settings {
    image_properties: Option<PropertySettings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PropertySettings {
    max_dominant_colors: Option<usize>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Detected {
    /// What is seen: nothing is recognised here.
    labels: [(); 0],
    label_model_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_properties: Option<Properties>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    quality: Quality,
    dominant_colors: Vec<Colour>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Quality {
    sharpness: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Colour {
    simplified_color: String,
    pixel_percent: f64,
}

/// What is measured in the picture.
///
/// # Errors
/// As Rekognition.
pub(crate) async fn detect_labels(asked: DetectLabels) -> Result<Detected, Refusal> {
    let DetectLabels { image, max_labels, min_confidence, features, settings } = asked;
    let invalid = |what: &str| Refusal::new("InvalidParameterException", what);
    if max_labels == Some(0) || min_confidence.is_some_and(|c| !(0.0..=100.0).contains(&c)) {
        return Err(invalid("MaxLabels or MinConfidence is out of its range"));
    }
    let most = settings.and_then(|s| s.image_properties).and_then(|p| p.max_dominant_colors);
    let most = most.unwrap_or(10);
    if !(1..=12).contains(&most) {
        return Err(invalid("MaxDominantColors is out of its range"));
    }
    let picture = BASE64_STANDARD
        .decode(image.bytes)
        .map_err(|_| Refusal::new("SerializationException", "Bytes is no base64"))?;
    if picture.len() > MOST_BYTES {
        return Err(Refusal::new("ImageTooLargeException", "Image size is too large"));
    }
    let unreadable =
        || Refusal::new("InvalidImageFormatException", "Request has invalid image format");
    if !picture.starts_with(&JPEG) && !picture.starts_with(&PNG) {
        return Err(unreadable());
    }
    let measured = ImageFacts.label(Bytes::from(picture), &MediaFacts::default()).await;
    let measured = measured.map_err(|_| unreadable())?;
    let asked = features.contains(&Feature::ImageProperties);
    Ok(Detected {
        labels: [],
        label_model_version: "0.0",
        image_properties: asked.then(|| properties(&measured, most)),
    })
}

fn properties(measured: &Labels, most: usize) -> Properties {
    let of = |kind| measured.labels.iter().filter(move |l| l.kind == kind);
    let colours = of(LabelKind::Colour).map(|label| Colour {
        simplified_color: label.name.clone(),
        pixel_percent: label.confidence * 100.0,
    });
    // From soft at 0 to sharp at 100; in the middle where neither is sure.
    let sharpness =
        of(LabelKind::Sharpness).next().map_or(0.5, |label| match label.name.as_str() {
            "sharp" => label.confidence,
            _ => 1.0 - label.confidence,
        });
    Properties {
        quality: Quality { sharpness: sharpness * 100.0 },
        dominant_colors: colours.take(most).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PHOTO: &[u8] = include_bytes!("../../../../events/photos/coffee.png");

    async fn detect(request: Value) -> Result<Value, &'static str> {
        let asked = serde_json::from_value(request).map_err(|_| "SerializationException")?;
        let detected = detect_labels(asked).await.map_err(|refusal| refusal.code)?;
        Ok(serde_json::to_value(detected).unwrap())
    }

    fn request(picture: &[u8]) -> Value {
        json!({
            "Image": {"Bytes": BASE64_STANDARD.encode(picture)},
            "Features": ["GENERAL_LABELS", "IMAGE_PROPERTIES"],
            "Settings": {"ImageProperties": {"MaxDominantColors": 2}},
        })
    }

    #[tokio::test]
    async fn a_photo_has_colours_and_nothing_is_recognised_in_it() {
        let detected = detect(request(PHOTO)).await.unwrap();
        assert_eq!(detected["Labels"], json!([]));
        assert_eq!(detected["ImageProperties"]["DominantColors"].as_array().unwrap().len(), 2);
        let sharpness = detected["ImageProperties"]["Quality"]["Sharpness"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&sharpness), "{sharpness}");
    }

    #[tokio::test]
    async fn what_rekognition_refuses_is_refused() {
        assert_eq!(detect(request(b"GIF89a")).await, Err("InvalidImageFormatException"));
        assert_eq!(
            detect(request(b"\xff\xd8\xff\xe0 no picture")).await,
            Err("InvalidImageFormatException")
        );
        assert_eq!(
            detect(request(&vec![0xff; MOST_BYTES + 1])).await,
            Err("ImageTooLargeException")
        );
        let mut unknown = request(PHOTO);
        unknown["Image"]["Url"] = json!("https://example.com");
        assert_eq!(detect(unknown).await, Err("SerializationException"));
        let mut many = request(PHOTO);
        many["Settings"]["ImageProperties"]["MaxDominantColors"] = json!(13);
        assert_eq!(detect(many).await, Err("InvalidParameterException"));
    }
}
