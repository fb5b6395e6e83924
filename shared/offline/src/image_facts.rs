//! Tells of a picture what can be measured or read in it, and nothing else.
//!
//! Dominant colours by name, embedded keywords, QR codes, portrait or landscape, sharp or soft, photo or graphic.
//!
//! **Never here:** a guess at what the picture shows. No thing is recognised, no text is read, no face is looked for.

mod codes;
mod colours;
mod medium;
mod sharpness;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_engine::media::MediaFacts;
use nexus_engine::tagging::{Label, LabelKind, Labeller, Labels, embedded};
use nexus_kernel::Failure;
use nexus_media::photo::{Limits, Rejection, Rgb, thumbnail};
use tokio::task::spawn_blocking;

/// The source of what was measured.
const MEASURED: &str = "image-facts";

/// Colours are counted at this size.
const COLOUR_SIDE: u32 = 256;
/// Codes, sharpness and the medium need more detail.
const DETAIL_SIDE: u32 = 1_000;

/// Less sure than this, nothing is said.
const LEAST_CONFIDENCE: f64 = 0.6;

/// The labeller of one machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImageFacts;

#[async_trait]
impl Labeller for ImageFacts {
    fn engine(&self) -> String {
        "image-facts 1".to_owned()
    }

    async fn label(&self, preview: Bytes, facts: &MediaFacts) -> Result<Labels, Failure> {
        let measured = spawn_blocking(move || measured(&preview)).await.map_err(Failure::bug)?;
        let (mut labels, detail) = measured.map_err(Failure::bug)?;
        labels.extend(embedded::labels(facts));
        if !labels.iter().any(|label| label.kind == LabelKind::Orientation) {
            let orientation = embedded::orientation(detail.width, detail.height);
            labels.extend(orientation.map(|name| label(name, LabelKind::Orientation, 1.0)));
        }
        // A reader of codes meets whatever a picture holds: should it stumble, the rest is told all the same.
        match spawn_blocking(move || codes::read(&detail)).await {
            Ok(codes) => {
                labels.extend(codes.into_iter().map(|code| label(code, LabelKind::Code, 1.0)))
            }
            Err(error) => {
                tracing::warn!(%error, "the reader of codes failed; the picture is labelled without")
            }
        }
        labels.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(Labels { labels, engine: self.engine() })
    }
}

/// What the pixels tell, and the picture in detail.
fn measured(preview: &[u8]) -> Result<(Vec<Label>, Rgb), Rejection> {
    let limits = Limits::default();
    let small = thumbnail(preview, &limits, COLOUR_SIDE)?;
    let detail = thumbnail(preview, &limits, DETAIL_SIDE)?;
    let grey = Grey::of(&detail);
    let colours = colours::dominant(&small).into_iter();
    let mut labels: Vec<Label> =
        colours.map(|(name, share)| label(name, LabelKind::Colour, share)).collect();
    let sharpness = sharpness::sharpness(&grey).map(|found| (found, LabelKind::Sharpness));
    let medium = medium::medium(&detail).map(|found| (found, LabelKind::Medium));
    for ((name, confidence), kind) in sharpness.into_iter().chain(medium) {
        if confidence >= LEAST_CONFIDENCE {
            labels.push(label(name, kind, confidence));
        }
    }
    Ok((labels, detail))
}

/// Something that was measured. Confidences are told to the hundredth: they are not known better.
fn label(name: impl Into<String>, kind: LabelKind, confidence: f64) -> Label {
    let confidence = (confidence.clamp(0.0, 1.0) * 100.0).round() / 100.0;
    Label { name: name.into(), kind, confidence, source: MEASURED.to_owned() }
}

/// A picture's brightness.
struct Grey {
    width: usize,
    height: usize,
    /// Row after row from the top.
    levels: Vec<u8>,
}

impl Grey {
    /// Luma as ITU-R BT.601 weighs it.
    fn of(picture: &Rgb) -> Self {
        let luma = |&[red, green, blue]: &[u8; 3]| {
            let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
            u8::try_from(sum / 1000).unwrap_or(u8::MAX)
        };
        let levels = picture.pixels.as_chunks::<3>().0.iter().map(luma).collect();
        Self { width: picture.width as usize, height: picture.height as usize, levels }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use image::{DynamicImage, ImageFormat, RgbImage, imageops};
    use nexus_media::photo::{Frame, inspect, renditions};
    use qrcode::{Color, QrCode};

    use super::*;

    /// As ingest makes it: a JPEG of at most 1,600 pixels a side.
    fn preview(picture: &[u8]) -> Bytes {
        let facts = inspect(picture, &Limits::default()).unwrap();
        let frame = Frame { width: facts.width, height: facts.height };
        let made = renditions(picture, &Limits::default(), &[frame], 1).unwrap();
        Bytes::from(made.into_iter().next().unwrap().jpeg)
    }

    async fn labels_with(picture: &[u8], facts: &MediaFacts) -> Vec<Label> {
        ImageFacts.label(preview(picture), facts).await.unwrap().labels
    }

    fn png(picture: RgbImage) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        DynamicImage::from(picture).write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    fn demonstration(name: &str) -> Vec<u8> {
        let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/photos");
        std::fs::read(photos.join(name)).unwrap()
    }

    fn blurred(picture: &[u8], sigma: f32) -> Vec<u8> {
        let picture = image::load_from_memory(picture).unwrap().to_rgb8();
        png(imageops::blur(&picture, sigma))
    }

    /// The names of one kind, surest first.
    fn named(labels: &[Label], kind: LabelKind) -> Vec<&str> {
        labels.iter().filter(|label| label.kind == kind).map(|label| label.name.as_str()).collect()
    }

    /// A picture with a QR code in it, turned and not too large.
    fn with_code(content: &str) -> RgbImage {
        let code = QrCode::new(content).unwrap();
        let (side, colours) = (code.width(), code.to_colors());
        RgbImage::from_fn(1_200, 900, |x, y| {
            let (column, row) =
                ((x as usize).wrapping_sub(500) / 8, (y as usize).wrapping_sub(300) / 8);
            match colours.get(row.wrapping_mul(side).wrapping_add(column)) {
                Some(Color::Dark) if column < side && row < side => image::Rgb([20, 20, 30]),
                _ => image::Rgb([235, 225, 210]),
            }
        })
    }

    #[tokio::test]
    async fn the_coffee_is_told_as_a_person_would_see_it() {
        let labels = labels_with(&demonstration("coffee.png"), &MediaFacts::default()).await;
        // The table, the light on it and the coffee, the saucer, the dark corner.
        assert_eq!(named(&labels, LabelKind::Colour), ["brown", "tan", "red", "black"]);
        assert_eq!(named(&labels, LabelKind::Orientation), ["landscape"]);
        assert_eq!(named(&labels, LabelKind::Sharpness), ["sharp"]);
        assert_eq!(named(&labels, LabelKind::Medium), ["photo"]);
        assert_eq!(named(&labels, LabelKind::Object), [""; 0]);
        assert!(labels.iter().all(|label| label.source == "image-facts"));
        assert!(labels.is_sorted_by(|a, b| a.confidence >= b.confidence));
    }

    #[tokio::test]
    async fn the_cat_is_told_as_a_person_would_see_it() {
        let labels = labels_with(&demonstration("chelsea.png"), &MediaFacts::default()).await;
        assert_eq!(named(&labels, LabelKind::Colour)[..2], ["brown", "tan"]);
        assert_eq!(named(&labels, LabelKind::Medium), ["photo"]);
        assert_eq!(named(&labels, LabelKind::Sharpness), ["sharp"]);
    }

    #[tokio::test]
    async fn what_is_out_of_focus_is_soft_and_what_is_empty_is_neither() {
        for name in ["coffee.png", "chelsea.png"] {
            let soft = blurred(&demonstration(name), 4.0);
            let labels = labels_with(&soft, &MediaFacts::default()).await;
            assert_eq!(named(&labels, LabelKind::Sharpness), ["soft"], "{name}");
        }
        let wall = png(RgbImage::from_pixel(400, 400, image::Rgb([90, 120, 200])));
        let labels = labels_with(&wall, &MediaFacts::default()).await;
        assert_eq!(named(&labels, LabelKind::Sharpness), [""; 0]);
        assert_eq!(named(&labels, LabelKind::Colour), ["blue"]);
        assert_eq!(named(&labels, LabelKind::Orientation), ["square"]);
    }

    #[tokio::test]
    async fn a_drawing_is_a_graphic_and_a_grey_photo_is_a_photo() {
        let flag = RgbImage::from_fn(900, 600, |x, y| match (x, y) {
            (400..650, 100..500) if (x / 50 + y / 50) % 2 == 0 => image::Rgb([20, 20, 20]),
            (0..400, _) => image::Rgb([0, 110, 60]),
            (400..650, _) => image::Rgb([250, 250, 250]),
            _ => image::Rgb([200, 20, 40]),
        });
        let labels = labels_with(&png(flag), &MediaFacts::default()).await;
        assert_eq!(named(&labels, LabelKind::Medium), ["graphic"]);
        assert_eq!(named(&labels, LabelKind::Colour), ["green", "red", "white", "black"]);

        let grey = image::load_from_memory(&demonstration("coffee.png")).unwrap().grayscale();
        let labels = labels_with(&png(grey.to_rgb8()), &MediaFacts::default()).await;
        assert_eq!(named(&labels, LabelKind::Medium), ["photo"]);
        assert_eq!(named(&labels, LabelKind::Colour), ["grey", "black"]);
    }

    #[tokio::test]
    async fn a_code_is_read_and_told_as_it_stands() {
        let link = "https://example.com/Menu?table=7&x=ñ";
        let labels = labels_with(&png(with_code(link)), &MediaFacts::default()).await;
        assert_eq!(named(&labels, LabelKind::Code), [link]);
        let turned = imageops::rotate90(&with_code(link));
        let labels = labels_with(&png(turned), &MediaFacts::default()).await;
        assert_eq!(named(&labels, LabelKind::Code), [link]);
    }

    #[tokio::test]
    async fn keywords_stay_what_their_author_wrote_and_the_mediums_size_decides() {
        let facts = MediaFacts {
            width: 3_000,
            height: 4_000,
            keywords: vec!["Espresso".into(), "House Blend".into()],
            ..MediaFacts::default()
        };
        let labels = labels_with(&demonstration("coffee.png"), &facts).await;
        assert_eq!(named(&labels, LabelKind::Keyword), ["Espresso", "House Blend"]);
        let keywords = labels.iter().filter(|label| label.kind == LabelKind::Keyword);
        assert!(keywords.clone().all(|label| label.source == "embedded"));
        assert!(keywords.clone().all(|label| label.confidence == 1.0));
        assert_eq!(named(&labels, LabelKind::Orientation), ["portrait"]);
    }

    #[tokio::test]
    async fn what_is_no_picture_is_an_error() {
        for bytes in [Bytes::new(), Bytes::from_static(b"no picture")] {
            assert!(ImageFacts.label(bytes, &MediaFacts::default()).await.is_err());
        }
    }
}
