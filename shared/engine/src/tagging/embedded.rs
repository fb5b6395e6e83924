//! What a medium's own file tells of it, whoever looks at the picture: the keywords of its author, and by its size
//! whether it stands or lies.
//!
//! **Never here:** looking at pixels.

use super::{Label, LabelKind};
use crate::media::MediaFacts;

/// The source of what the file itself tells.
const SOURCE: &str = "embedded";

/// Longer by less than this part, a side is as long as the other.
const SQUARE_WITHIN: f64 = 0.02;

/// The labels that need no picture: orientation where the size is known, and every keyword to the letter.
pub fn labels(facts: &MediaFacts) -> Vec<Label> {
    let sure = |name: &str, kind| Label {
        name: name.to_owned(),
        kind,
        confidence: 1.0,
        source: SOURCE.to_owned(),
    };
    let orientation = orientation(facts.width, facts.height);
    let orientation = orientation.map(|name| sure(name, LabelKind::Orientation));
    let keywords = facts.keywords.iter().map(|keyword| sure(keyword, LabelKind::Keyword));
    orientation.into_iter().chain(keywords).collect()
}

/// Portrait, landscape or square; `None` where a side is 0, which is a size that is not known.
pub fn orientation(width: u32, height: u32) -> Option<&'static str> {
    if width == 0 || height == 0 {
        return None;
    }
    Some(match f64::from(width) / f64::from(height) {
        ratio if ratio > 1.0 + SQUARE_WITHIN => "landscape",
        ratio if ratio < 1.0 / (1.0 + SQUARE_WITHIN) => "portrait",
        _ => "square",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n30_the_file_tells_its_keywords_and_how_it_stands() {
        let facts = MediaFacts {
            width: 3_000,
            height: 4_000,
            keywords: vec!["Espresso".into(), "House Blend".into()],
            ..MediaFacts::default()
        };
        let labels = labels(&facts);
        let told: Vec<_> = labels.iter().map(|l| (l.name.as_str(), l.kind)).collect();
        let expected = [
            ("portrait", LabelKind::Orientation),
            ("Espresso", LabelKind::Keyword),
            ("House Blend", LabelKind::Keyword),
        ];
        assert_eq!(told, expected);
        assert!(labels.iter().all(|l| l.confidence == 1.0 && l.source == "embedded"));
        assert_eq!(super::labels(&MediaFacts::default()), []);
    }

    #[test]
    fn a_side_is_longer_from_two_percent_on() {
        let cases = [
            ((1_021, 1_000), "landscape"),
            ((1_020, 1_000), "square"),
            ((1_000, 1_020), "square"),
            ((1_000, 1_021), "portrait"),
        ];
        for ((width, height), name) in cases {
            assert_eq!(orientation(width, height), Some(name), "{width} × {height}");
        }
        assert_eq!(orientation(0, 5), None);
        assert_eq!(orientation(5, 0), None);
    }
}
