//! Labels of photos by Amazon Rekognition.
//!
//! It is sent the preview's bytes and nothing else: no name, no address of a blob, no word of the merchant. What the
//! file itself tells (keywords, orientation) is known without it and stands beside, as it does with every labeller.
//!
//! A colour's confidence is the part of the picture that has it, in Rekognition's own simplified names, as the offline
//! labeller tells its own. Sharpness comes on a scale from 0 to 100 whose meaning is not documented, so only its ends
//! are told. Brightness and contrast are no labels. It reads no QR code and does not say whether it saw a photo.
//!
//! **Never here:** which product a label belongs to, moderation, faces.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_rekognition::Client;
use aws_sdk_rekognition::operation::detect_labels::DetectLabelsOutput;
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{
    DetectLabelsFeatureName, DetectLabelsImageProperties, DetectLabelsImagePropertiesSettings,
    DetectLabelsSettings, Image,
};
use bytes::Bytes;
use nexus_engine::media::MediaFacts;
use nexus_engine::tagging::{Label, LabelKind, Labeller, Labels, embedded};
use nexus_kernel::Failure;

use crate::fault::Fault;

/// The name of the engine and the source of its labels. The model's version comes with an answer only, and is added
/// there: this name is part of a kept answer's key and has to be known before.
const NAME: &str = "rekognition";

/// The most bytes of a picture in a request.
const MOST_BYTES: usize = 5 * 1024 * 1024;
/// The beginning of every JPEG.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Percent. Less sure than this, nothing is said.
const LEAST_CONFIDENCE: f32 = 60.0;
/// Things told, at most.
const MOST_LABELS: i32 = 30;
/// Colours told, at most.
const MOST_COLOURS: i32 = 4;
/// Parts of the picture below this are not told as a colour.
const LEAST_SHARE: f64 = 0.06;
/// From here to an end of the scale of sharpness, it is told.
const SHARP_FROM: f64 = 0.75;

/// What the caller reads where there is no answer.
const PUBLIC: &str = "The picture could not be looked at.";

/// The labeller.
#[derive(Debug, Clone)]
pub struct RekognitionLabels {
    client: Client,
}

impl RekognitionLabels {
    /// The labeller of this account.
    pub fn new(config: &SdkConfig) -> Self {
        // Megabytes go up, and a model looks at them.
        let limits = crate::start::limits(Duration::from_secs(10), Duration::from_secs(25));
        let config =
            aws_sdk_rekognition::config::Builder::from(config).timeout_config(limits).build();
        Self { client: Client::from_conf(config) }
    }
}

#[async_trait]
impl Labeller for RekognitionLabels {
    fn engine(&self) -> String {
        NAME.to_owned()
    }

    async fn label(&self, preview: Bytes, facts: &MediaFacts) -> Result<Labels, Failure> {
        check(&preview)?;
        let properties = DetectLabelsImagePropertiesSettings::builder();
        let properties = properties.max_dominant_colors(MOST_COLOURS).build();
        let asked = self
            .client
            .detect_labels()
            .image(Image::builder().bytes(Blob::new(preview)).build())
            .min_confidence(LEAST_CONFIDENCE)
            .max_labels(MOST_LABELS)
            .features(DetectLabelsFeatureName::GeneralLabels)
            .features(DetectLabelsFeatureName::ImageProperties)
            .settings(DetectLabelsSettings::builder().image_properties(properties).build());
        let answer = asked.send().await.map_err(|error| failure(Fault::of(&error)))?;
        // All three are always there, be the lists empty: what lacks them is another service's answer.
        let (Some(_), Some(properties), Some(version)) =
            (&answer.labels, &answer.image_properties, &answer.label_model_version)
        else {
            return Err(Fault::unreadable("no labels, properties or version").failure(PUBLIC));
        };
        let mut labels = things(&answer);
        labels.extend(colours(properties));
        labels.extend(sharpness(properties));
        labels.extend(embedded::labels(facts));
        labels.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(Labels { labels, engine: format!("{NAME} {version}") })
    }
}

fn check(preview: &[u8]) -> Result<(), Failure> {
    if preview.len() > MOST_BYTES {
        let size = preview.len();
        let problem = format!("has {size} bytes; Rekognition takes at most {MOST_BYTES}");
        return Err(Failure::field("preview", problem));
    }
    if !preview.starts_with(&JPEG) {
        return Err(Failure::field("preview", "is no JPEG"));
    }
    Ok(())
}

fn failure(fault: Fault) -> Failure {
    match fault.code() {
        "ImageTooLargeException" => {
            Failure::field("preview", "is larger than Rekognition takes").caused_by(fault)
        }
        "InvalidImageFormatException" => {
            Failure::field("preview", "is no JPEG that Rekognition can read").caused_by(fault)
        }
        _ => fault.failure(PUBLIC),
    }
}

/// Something that was seen. Confidences are told to the hundredth: they are not known better.
fn label(name: String, kind: LabelKind, confidence: f64) -> Label {
    let confidence = (confidence.clamp(0.0, 1.0) * 100.0).round() / 100.0;
    Label { name, kind, confidence, source: NAME.to_owned() }
}

/// A number in percent; `None` where it is missing or none.
fn part(percent: Option<f32>) -> Option<f64> {
    percent.map(|p| f64::from(p) / 100.0).filter(|part| part.is_finite())
}

fn things(answer: &DetectLabelsOutput) -> Vec<Label> {
    let things = answer.labels().iter().filter_map(|thing| {
        let name = thing.name()?.trim().to_lowercase();
        let confidence = part(thing.confidence())?;
        (!name.is_empty()).then(|| label(name, LabelKind::Object, confidence))
    });
    things.collect()
}

/// The picture's main colours: several of one simplified name are one.
fn colours(properties: &DetectLabelsImageProperties) -> Vec<Label> {
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for colour in properties.dominant_colors() {
        if let (Some(name), Some(share)) = (colour.simplified_color(), part(colour.pixel_percent()))
        {
            let name = name.trim().to_lowercase().replace("gray", "grey");
            *shares.entry(name).or_default() += share;
        }
    }
    shares
        .into_iter()
        .filter(|(name, share)| !name.is_empty() && *share >= LEAST_SHARE)
        .map(|(name, share)| label(name, LabelKind::Colour, share))
        .collect()
}

fn sharpness(properties: &DetectLabelsImageProperties) -> Option<Label> {
    let sharpness = part(properties.quality()?.sharpness())?;
    let (name, confidence) = match sharpness {
        sharp if sharp >= SHARP_FROM => ("sharp", sharp),
        soft if soft <= 1.0 - SHARP_FROM => ("soft", 1.0 - soft),
        _ => return None,
    };
    Some(label(name.to_owned(), LabelKind::Sharpness, confidence))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use nexus_kernel::FailureKind;
    use serde_json::{Value, json};

    use super::*;
    use crate::replay::{answering, sent};

    const PICTURE: &[u8] = b"\xff\xd8\xff\xe0a photo";

    fn answer() -> String {
        let colour = |name: &str, share: f64| {
            json!({"Red": 100, "Green": 60, "Blue": 30, "HexCode": "#643c1e", "CSSColor": "sienna",
                   "SimplifiedColor": name, "PixelPercent": share})
        };
        json!({
            "Labels": [
                {"Name": "Coffee Cup", "Confidence": 99.312, "Instances": [{"BoundingBox":
                    {"Width": 0.5, "Height": 0.5, "Left": 0.1, "Top": 0.2}, "Confidence": 98.0}],
                 "Parents": [{"Name": "Cup"}], "Aliases": [{"Name": "Mug"}],
                 "Categories": [{"Name": "Food and Beverage"}]},
                {"Name": "Cup", "Confidence": 61.5, "Instances": [], "Parents": []},
                {"Name": "Nameless", "Instances": []},
            ],
            "LabelModelVersion": "3.0",
            "ImageProperties": {
                "Quality": {"Brightness": 48.5, "Sharpness": 88.25, "Contrast": 79.0},
                "DominantColors": [colour("brown", 31.5), colour("gray", 12.0), colour("brown", 20.0),
                    colour("pink", 3.0)],
            },
        })
        .to_string()
    }

    async fn label(
        answers: &[(u16, &str)],
        preview: &[u8],
    ) -> (Result<Labels, Failure>, Vec<Value>) {
        let (config, client) = answering(1, answers);
        let facts = MediaFacts {
            width: 1_600,
            height: 1_200,
            keywords: vec!["House Blend".into()],
            description: Some("our cup".into()),
            ..MediaFacts::default()
        };
        let labelled =
            RekognitionLabels::new(&config).label(Bytes::copy_from_slice(preview), &facts).await;
        let bodies = sent(&client).into_iter().map(|(_, _, body)| body.parse().unwrap());
        (labelled, bodies.collect())
    }

    #[tokio::test]
    async fn n30_things_colours_sharpness_and_what_is_embedded_are_told_with_their_confidence() {
        let (labelled, _) = label(&[(200, &answer())], PICTURE).await;
        let labels = labelled.unwrap();
        assert_eq!(labels.engine, "rekognition 3.0");
        let told: Vec<_> = labels
            .labels
            .iter()
            .map(|l| (l.name.as_str(), l.kind, l.confidence, l.source.as_str()))
            .collect();
        let expected = [
            ("landscape", LabelKind::Orientation, 1.0, "embedded"),
            ("House Blend", LabelKind::Keyword, 1.0, "embedded"),
            ("coffee cup", LabelKind::Object, 0.99, "rekognition"),
            ("sharp", LabelKind::Sharpness, 0.88, "rekognition"),
            ("cup", LabelKind::Object, 0.62, "rekognition"),
            ("brown", LabelKind::Colour, 0.52, "rekognition"),
            ("grey", LabelKind::Colour, 0.12, "rekognition"),
        ];
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn n34_rekognition_is_sent_the_picture_and_nothing_else() {
        let (_, bodies) = label(&[(200, &answer())], PICTURE).await;
        let expected = json!({
            "Image": {"Bytes": "/9j/4GEgcGhvdG8="},
            "MaxLabels": 30,
            "MinConfidence": 60.0,
            "Features": ["GENERAL_LABELS", "IMAGE_PROPERTIES"],
            "Settings": {"ImageProperties": {"MaxDominantColors": 4}},
        });
        assert_eq!(bodies, [expected]);
    }

    #[tokio::test]
    async fn only_the_ends_of_the_scale_of_sharpness_are_told() {
        let cases = [
            (76.0, Some(("sharp", 0.76))),
            (74.9, None),
            (25.1, None),
            (20.0, Some(("soft", 0.8))),
        ];
        for (sharpness, expected) in cases {
            let answer = answer().replace("88.25", &sharpness.to_string());
            let labels = label(&[(200, &answer)], PICTURE).await.0.unwrap().labels;
            let told = labels.iter().find(|l| l.kind == LabelKind::Sharpness);
            assert_eq!(told.map(|l| (l.name.as_str(), l.confidence)), expected, "{sharpness}");
        }
    }

    #[tokio::test]
    async fn a_picture_of_nothing_known_has_what_is_embedded() {
        let nothing = r#"{"Labels":[],"LabelModelVersion":"3.0","ImageProperties":{}}"#;
        let labels = label(&[(200, nothing)], PICTURE).await.0.unwrap();
        assert!(labels.labels.iter().all(|l| l.source == "embedded") && labels.labels.len() == 2);
    }

    #[tokio::test]
    async fn what_is_too_large_or_no_jpeg_is_never_sent() {
        let mut large = PICTURE.to_vec();
        large.resize(MOST_BYTES + 1, 0);
        let (refused, bodies) = label(&[], &large).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Invalid);
        let told = "`preview`: has 5242881 bytes; Rekognition takes at most 5242880";
        assert_eq!((refused.public(), bodies.len()), (told, 0));
        for preview in [&b""[..], b"\x89PNG\r\n\x1a\n"] {
            let (refused, bodies) = label(&[], preview).await;
            assert_eq!((refused.unwrap_err().kind(), bodies.len()), (FailureKind::Invalid, 0));
        }
        large.pop();
        assert!(label(&[(200, &answer())], &large).await.0.is_ok());
    }

    #[tokio::test]
    async fn errors_are_told_apart_by_their_type() {
        let cases = [
            (400, "ThrottlingException", FailureKind::Throttled),
            (400, "ProvisionedThroughputExceededException", FailureKind::Throttled),
            (400, "ImageTooLargeException", FailureKind::Invalid),
            (400, "InvalidImageFormatException", FailureKind::Invalid),
            (400, "InvalidParameterException", FailureKind::Bug),
            (400, "AccessDeniedException", FailureKind::Bug),
            (500, "InternalServerError", FailureKind::Unavailable),
            (503, "SomethingNew", FailureKind::Unavailable),
            (418, "SomethingNew", FailureKind::Bug),
        ];
        for (status, code, kind) in cases {
            let error = json!({"__type": code, "message": "about the photo"}).to_string();
            let failure = label(&[(status, &error)], PICTURE).await.0.unwrap_err();
            assert_eq!(failure.kind(), kind, "{code}");
            let cause = failure.source().unwrap().to_string();
            assert!(cause.contains(code), "{cause}");
            assert_eq!(
                cause.contains("about the photo"),
                code == "AccessDeniedException",
                "{cause}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_unavailable() {
        for answers in [&[(200, "{}")][..], &[(200, "<html>")], &[(200, r#"{"Labels":7}"#)], &[]] {
            let failure = label(answers, PICTURE).await.0.unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Unavailable, "{answers:?}");
            assert_eq!(failure.public(), PUBLIC);
        }
    }

    #[tokio::test]
    async fn a_throttled_call_is_repeated_by_the_sdk_alone() {
        let throttled = r#"{"__type":"ThrottlingException"}"#;
        let (config, client) =
            answering(3, &[(400, throttled), (400, throttled), (200, &answer())]);
        let labeller = RekognitionLabels::new(&config);
        let labelled =
            labeller.label(Bytes::from_static(PICTURE), &MediaFacts::default()).await.unwrap();
        assert_eq!((labelled.labels.len(), sent(&client).len()), (5, 3));
    }
}
