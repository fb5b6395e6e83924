//! The words that people put into photos: keywords, titles and descriptions, from EXIF, IPTC, XMP and text chunks.
//! They are kept for tagging when everything else is stripped. Places, times and devices are never read.

use exif::{Exif, In, Reader, Tag, Value};
use quick_xml::events::Event;

use super::anatomy::Anatomy;
use super::orientation::Orientation;

/// A block of metadata longer than this is passed over.
const LONGEST_BLOCK: usize = 4 << 20;
/// At most so many keywords are kept.
const MOST_KEYWORDS: usize = 64;
/// At most so many characters of a keyword.
const LONGEST_KEYWORD: usize = 64;
/// At most so many characters of a title.
const LONGEST_TITLE: usize = 300;
/// At most so many characters of a description.
const LONGEST_DESCRIPTION: usize = 4000;

/// What some cameras write where a description should be.
const CAMERA_TALK: [&str; 7] = [
    "olympus digital camera",
    "minolta digital camera",
    "konica minolta digital camera",
    "sony dsc",
    "dcim",
    "exif_jpeg_picture",
    "samsung",
];

const XP_TITLE: Tag = Tag(exif::Context::Tiff, 0x9c9b);
const XP_KEYWORDS: Tag = Tag(exif::Context::Tiff, 0x9c9e);

/// What a photo says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) keywords: Vec<String>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
}

impl Words {
    fn keyword(&mut self, text: &str) {
        let Some(word) = tidy(text, LONGEST_KEYWORD) else { return };
        let known = self.keywords.iter().any(|old| old.to_lowercase() == word.to_lowercase());
        if !known && self.keywords.len() < MOST_KEYWORDS {
            self.keywords.push(word);
        }
    }

    fn keywords(&mut self, list: &str) {
        list.split([';', ',']).for_each(|word| self.keyword(word));
    }

    fn title(&mut self, text: &str) {
        self.title = self.title.take().or_else(|| tidy(text, LONGEST_TITLE));
    }

    fn description(&mut self, text: &str) {
        let talk = |text: &String| {
            let text = text.to_lowercase();
            CAMERA_TALK.iter().any(|talk| text.starts_with(talk))
        };
        let found = tidy(text, LONGEST_DESCRIPTION).filter(|text| !talk(text));
        self.description = self.description.take().or(found);
    }
}

/// One line without control characters, trimmed and cut; `None` if nothing is left.
fn tidy(text: &str, longest: usize) -> Option<String> {
    let printable: String =
        text.chars().map(|c| if c.is_control() || c == '\u{fffd}' { ' ' } else { c }).collect();
    let words: Vec<&str> = printable.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(longest).collect();
    (!line.is_empty()).then_some(line)
}

/// All words of a photo. Where several places tell the same thing, XMP comes first, as the newest standard; then IPTC,
/// EXIF and text chunks.
pub(super) fn read(anatomy: &Anatomy<'_>) -> Words {
    let mut words = Words::default();
    if let Some(xmp) = anatomy.xmp.as_ref().filter(|xmp| xmp.len() <= LONGEST_BLOCK) {
        read_xmp(&String::from_utf8_lossy(xmp), &mut words);
    }
    if let Some(iptc) = anatomy.iptc {
        read_iptc(iptc, &mut words);
    }
    if let Some(exif) = anatomy.exif.and_then(parse_exif) {
        read_exif(&exif, &mut words);
    }
    for (key, text) in &anatomy.texts {
        match *key {
            "title" => words.title(text),
            "description" => words.description(text),
            "keywords" => words.keywords(text),
            _ => {}
        }
    }
    words
}

/// The orientation that EXIF tells; upright if it tells none.
pub(super) fn orientation(tiff: &[u8]) -> Orientation {
    let exif = parse_exif(tiff);
    let field = exif.as_ref().and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY));
    let value = field.and_then(|field| field.value.get_uint(0));
    value.map_or(Orientation::UPRIGHT, Orientation::from_exif)
}

fn parse_exif(tiff: &[u8]) -> Option<Exif> {
    if tiff.len() > LONGEST_BLOCK {
        return None;
    }
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    let result = reader.read_raw(tiff.to_vec());
    result.or_else(|error| error.distill_partial_result(|_| ())).ok()
}

fn read_exif(exif: &Exif, words: &mut Words) {
    let value = |tag| exif.get_field(tag, In::PRIMARY).map(|field| &field.value);
    if let Some(Value::Byte(utf16)) = value(XP_KEYWORDS) {
        words.keywords(&from_utf16(utf16));
    }
    if let Some(Value::Byte(utf16)) = value(XP_TITLE) {
        words.title(&from_utf16(utf16));
    }
    if let Some(Value::Ascii(lines)) = value(Tag::ImageDescription)
        && let Some(line) = lines.first()
    {
        words.description(&text(line));
    }
}

/// Windows writes its fields as UTF-16, little-endian, with an end mark.
fn from_utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).map_while(Result::ok).collect()
}

/// UTF-8 if it is that, else Latin-1, as older programs wrote.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// Data sets of the application record (IPTC-IIM 4.2): 2:05 object name, 2:25 keyword, 2:120 caption.
fn read_iptc(mut bytes: &[u8], words: &mut Words) {
    while let Some((&[0x1c, record, dataset, high, low], rest)) = bytes.split_first_chunk() {
        let length = usize::from(high) << 8 | usize::from(low);
        let Some((value, next)) = rest.split_at_checked(length) else { return };
        match (record, dataset) {
            (2, 5) => words.title(&text(value)),
            (2, 25) => words.keyword(&text(value)),
            (2, 120) => words.description(&text(value)),
            _ => {}
        }
        bytes = next;
    }
}

/// Dublin Core in XMP: `dc:subject` is a bag of keywords, `dc:title` and `dc:description` are one text in several
/// languages, of which the first is taken.
fn read_xmp(xml: &str, words: &mut Words) {
    let mut reader = quick_xml::Reader::from_str(xml.trim_start_matches('\u{feff}'));
    reader.config_mut().check_end_names = false;
    let mut inside: Option<&str> = None;
    let mut text = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                if let Some(known) = known_property(tag.name().as_ref()) {
                    inside = Some(known);
                }
                text.clear();
            }
            Ok(Event::Text(part)) if inside.is_some() => text.push_str(&part),
            Ok(Event::CData(part)) if inside.is_some() => text.push_str(&part),
            Ok(Event::GeneralRef(entity)) if inside.is_some() => {
                if let Ok(Some(c)) = entity.resolve_char_ref() {
                    text.push(c);
                } else if let Some(known) = quick_xml::escape::resolve_predefined_entity(&entity) {
                    text.push_str(known);
                }
            }
            Ok(Event::End(tag)) => {
                match inside {
                    Some("dc:subject") => words.keyword(&text),
                    Some("dc:title") => words.title(&text),
                    Some(_) => words.description(&text),
                    None => {}
                }
                text.clear();
                if known_property(tag.name().as_ref()).is_some() {
                    inside = None;
                }
            }
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn known_property(name: &str) -> Option<&'static str> {
    ["dc:subject", "dc:title", "dc:description"].into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_tells_keywords_title_and_description() {
        let xml = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
            <x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about="">
            <dc:subject><rdf:Bag><rdf:li>coffee</rdf:li><rdf:li>Latte &amp; art</rdf:li>
            <rdf:li>COFFEE</rdf:li></rdf:Bag></dc:subject>
            <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Morning</rdf:li>
            <rdf:li xml:lang="es">Ma&#241;ana</rdf:li></rdf:Alt></dc:title>
            <dc:description><rdf:Alt><rdf:li xml:lang="x-default">A cup,
              steaming</rdf:li></rdf:Alt></dc:description>
            <exif:GPSLatitude>51,30.0N</exif:GPSLatitude>
            </rdf:Description></rdf:RDF></x:xmpmeta>"#;
        let mut words = Words::default();
        read_xmp(xml, &mut words);
        assert_eq!(words.keywords, ["coffee", "Latte & art"]);
        assert_eq!(words.title.as_deref(), Some("Morning"));
        assert_eq!(words.description.as_deref(), Some("A cup, steaming"));
    }

    #[test]
    fn iptc_tells_them_too_in_utf8_or_latin1() {
        let mut words = Words::default();
        read_iptc(
            b"\x1c\x02\x19\0\x05Kaf\xe9s\x1c\x02\x19\0\x06Caf\xc3\xa9s\x1c\x02\x78\0\x02ok",
            &mut words,
        );
        assert_eq!(words.keywords, ["Kafés", "Cafés"]);
        assert_eq!(words.description.as_deref(), Some("ok"));
        read_iptc(b"\x1c\x02\x19\xff\xffshort", &mut words);
        assert_eq!(words.keywords.len(), 2, "a set longer than the data is passed over");
    }

    #[test]
    fn words_are_bounded_and_tidy() {
        let mut words = Words::default();
        words.keywords(
            &(0..500).map(|n| format!("{n} {}", "x".repeat(200))).collect::<Vec<_>>().join(";"),
        );
        assert_eq!(words.keywords.len(), MOST_KEYWORDS);
        assert!(words.keywords.iter().all(|word| word.chars().count() <= LONGEST_KEYWORD));
        words.description("OLYMPUS DIGITAL CAMERA         ");
        assert_eq!(words.description, None, "a camera's own words describe nothing");
        words.description("a\0b\n\tc ");
        assert_eq!(words.description.as_deref(), Some("a b c"));
    }
}
