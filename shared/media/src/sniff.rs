//! Tells what a file is from its first bytes.
//!
//! The name and the declared type are claims of whoever uploads; [`Claim::check`] holds them against what was found.
//!
//! **Never here:** decoding, or any judgement whether the file is whole.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many bytes from the start of a file [`sniff`] ever looks at.
pub const HEAD: usize = 4096;

/// What kind of medium a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A still picture.
    Photo,
    /// Moving pictures, with or without sound.
    Video,
    /// Sound alone.
    Audio,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Audio => "audio",
        })
    }
}

/// The file types that are known here; known does not yet mean taken (see [`crate::photo::Rejection`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    /// JPEG.
    Jpeg,
    /// PNG, APNG included.
    Png,
    /// WebP, still or animated.
    WebP,
    /// GIF, still or animated.
    Gif,
    /// HEIF with HEVC inside, as phones write it.
    Heic,
    /// HEIF with AV1 inside.
    Avif,
    /// MPEG-4 video.
    Mp4,
    /// QuickTime video.
    Mov,
    /// WebM video.
    WebM,
    /// MPEG layer III sound.
    Mp3,
    /// RIFF WAVE sound.
    Wav,
    /// MPEG-4 sound.
    M4a,
}

impl MediaType {
    /// Photo, video or audio.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Jpeg | Self::Png | Self::WebP | Self::Gif | Self::Heic | Self::Avif => {
                Class::Photo
            }
            Self::Mp4 | Self::Mov | Self::WebM => Class::Video,
            Self::Mp3 | Self::Wav | Self::M4a => Class::Audio,
        }
    }

    /// The media type as HTTP writes it.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::WebM => "video/webm",
            Self::Mp3 => "audio/mpeg",
            Self::Wav => "audio/wav",
            Self::M4a => "audio/mp4",
        }
    }

    /// The usual file extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Heic => "heic",
            Self::Avif => "avif",
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::WebM => "webm",
            Self::Mp3 => "mp3",
            Self::Wav => "wav",
            Self::M4a => "m4a",
        }
    }
}

/// The type of a file from its first bytes ([`HEAD`] of them are enough); `None` for anything not in [`MediaType`].
///
/// The MPEG-4 family is told apart by its brands, WebM from other Matroska by its document type. An MPEG-4 file
/// with a general brand counts as [`MediaType::Mp4`] even if it holds only sound: that shows no earlier than its tracks.
#[must_use]
pub fn sniff(head: &[u8]) -> Option<MediaType> {
    if infer::image::is_jpeg(head) {
        Some(MediaType::Jpeg)
    } else if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(MediaType::Png)
    } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        Some(MediaType::Gif)
    } else if let Some(form) = riff_form(head) {
        match form {
            b"WEBP" => Some(MediaType::WebP),
            b"WAVE" => Some(MediaType::Wav),
            _ => None,
        }
    } else if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        (ebml_doc_type(head)? == b"webm").then_some(MediaType::WebM)
    } else if head.starts_with(b"ID3") || is_mpeg_audio(head) {
        Some(MediaType::Mp3)
    } else {
        iso_media(head)
    }
}

fn riff_form(head: &[u8]) -> Option<&[u8; 4]> {
    head.starts_with(b"RIFF").then(|| head.get(8..)?.first_chunk()).flatten()
}

/// ISO base media (ISO/IEC 14496-12): the `ftyp` box lists a major brand and those it is compatible with.
/// QuickTime files from before `ftyp` begin with one of QuickTime's own boxes.
fn iso_media(head: &[u8]) -> Option<MediaType> {
    let size = u32::from_be_bytes(*head.first_chunk()?) as usize;
    let kind: &[u8; 4] = head.get(4..)?.first_chunk()?;
    if matches!(kind, b"moov" | b"mdat" | b"wide" | b"pnot") {
        return (size == 1 || size >= 8).then_some(MediaType::Mov);
    }
    if kind != b"ftyp" || size < 16 {
        return None;
    }
    let brands: Vec<&[u8; 4]> = head
        .get(8..size.min(head.len()))?
        .as_chunks::<4>()
        .0
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != 1) // the second word is the minor version
        .map(|(_, brand)| brand)
        .collect();
    let major = *brands.first()?;
    let any = |wanted: &[&[u8; 4]]| brands.iter().any(|brand| wanted.contains(brand));
    match major {
        b"qt  " => Some(MediaType::Mov),
        b"M4A " | b"M4B " | b"M4P " => Some(MediaType::M4a),
        b"avif" | b"avis" => Some(MediaType::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(MediaType::Heic),
        b"mif1" | b"msf1" if any(&[b"avif", b"avis"]) => Some(MediaType::Avif),
        b"mif1" | b"msf1" => Some(MediaType::Heic),
        _ if any(&[
            b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1",
            b"dash", b"M4V ", b"MSNV", b"mmp4", b"f4v ",
        ]) =>
        {
            Some(MediaType::Mp4)
        }
        _ => None,
    }
}

/// The DocType (0x4282) of an EBML header (RFC 8794).
fn ebml_doc_type(head: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = ebml_number(head.get(4..)?)?;
    rest = rest.get(..usize::try_from(header).ok()?.min(rest.len()))?;
    while !rest.is_empty() {
        let id_bytes = (rest.first()?.leading_zeros() as usize + 1).min(4);
        let (id, after) = rest.split_at_checked(id_bytes)?;
        let (length, body) = ebml_number(after)?;
        let (value, next) = body.split_at_checked(usize::try_from(length).ok()?)?;
        if id == [0x42, 0x82] {
            return Some(value.trim_ascii_end().split(|b| *b == 0).next().unwrap_or(value));
        }
        rest = next;
    }
    None
}

/// A variable-length EBML number and what follows it.
fn ebml_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    Some((value & !(1u64 << (7 * length)), rest))
}

/// Two MPEG layer III frames in a row, or one if the head ends before the second.
fn is_mpeg_audio(head: &[u8]) -> bool {
    mpeg_frame_length(head).is_some_and(|length| {
        head.get(length..).is_none_or(|next| next.len() < 4 || mpeg_frame_length(next).is_some())
    })
}

/// The length in bytes of the MPEG layer III frame at the start (ISO/IEC 11172-3, 13818-3).
fn mpeg_frame_length(head: &[u8]) -> Option<usize> {
    const V1: [usize; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const V2: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let word = u32::from_be_bytes(*head.first_chunk()?);
    let (sync, version, layer) = (word >> 21, word >> 19 & 3, word >> 17 & 3);
    if sync != 0x7ff || version == 1 || layer != 1 {
        return None;
    }
    let rate_at = (word >> 12 & 15).checked_sub(1)? as usize;
    let kilobits = if version == 3 { V1.get(rate_at) } else { V2.get(rate_at) }?;
    let hertz = [44_100, 48_000, 32_000].get((word >> 10 & 3) as usize)?
        / match version {
            3 => 1,
            2 => 2,
            _ => 4,
        };
    let samples = if version == 3 { 144_000 } else { 72_000 };
    Some(samples * kilobits / hertz + (word >> 9 & 1) as usize)
}

/// What the sender said about a file before its bytes were seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claim<'a> {
    /// The file's name, as far as one was given; only its extension counts.
    pub name: Option<&'a str>,
    /// The declared media type, as far as one was given.
    pub mime: Option<&'a str>,
    /// The declared length in bytes, as far as one was given.
    pub bytes: Option<u64>,
}

/// A claim that the bytes disprove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// The declared length is not the length.
    #[error(
        "The upload was announced with {declared} bytes but has {actual}. Upload the file again."
    )]
    Size {
        /// As announced.
        declared: u64,
        /// As counted.
        actual: u64,
    },
    /// Name or declared type say photo, video or audio, and the bytes are another of these.
    #[error(
        "The file's name or declared type says {claimed}, but its content is {} ({}). Upload it under its own type.",
        .found.class(),
        .found.extension()
    )]
    Kind {
        /// As named or declared.
        claimed: Class,
        /// As the bytes show.
        found: MediaType,
    },
}

impl Claim<'_> {
    /// Holds the claim against what was found.
    ///
    /// A wrong extension within one class (a WebP called `.jpg`, as messengers write) is no lie: the bytes decide.
    /// Unknown extensions and types claim nothing.
    ///
    /// # Errors
    /// The first part of the claim that the bytes disprove.
    pub fn check(&self, found: MediaType, actual: u64) -> Result<(), Lie> {
        if let Some(declared) = self.bytes
            && declared != actual
        {
            return Err(Lie::Size { declared, actual });
        }
        let extension = self.name.and_then(|name| name.rsplit_once('.')).map(|(_, ext)| ext);
        let classes = [extension.and_then(class_of_extension), self.mime.and_then(class_of_mime)];
        match classes.into_iter().flatten().find(|class| *class != found.class()) {
            Some(claimed) => Err(Lie::Kind { claimed, found }),
            None => Ok(()),
        }
    }
}

fn class_of_extension(extension: &str) -> Option<Class> {
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jfif" | "png" | "apng" | "webp" | "gif" | "heic" | "heif" | "avif"
        | "bmp" | "tif" | "tiff" => Some(Class::Photo),
        "mp4" | "m4v" | "mov" | "qt" | "webm" | "mkv" | "avi" => Some(Class::Video),
        "mp3" | "wav" | "m4a" | "m4b" | "aac" | "flac" | "ogg" | "opus" => Some(Class::Audio),
        _ => None,
    }
}

fn class_of_mime(mime: &str) -> Option<Class> {
    match mime.split('/').next()?.trim().to_ascii_lowercase().as_str() {
        "image" => Some(Class::Photo),
        "video" => Some(Class::Video),
        "audio" => Some(Class::Audio),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(major: &[u8; 4], compatible: &[&[u8; 4]]) -> Vec<u8> {
        let size = 16 + 4 * compatible.len() as u32;
        let mut head = [&size.to_be_bytes()[..], b"ftyp", major, &[0, 0, 2, 0]].concat();
        compatible.iter().for_each(|brand| head.extend_from_slice(*brand));
        head
    }

    fn ebml(doc_type: &[u8]) -> Vec<u8> {
        let body = [&[0x42, 0x86, 0x81, 1, 0x42, 0x82, 0x80 | doc_type.len() as u8][..], doc_type];
        let body = body.concat();
        [&[0x1a, 0x45, 0xdf, 0xa3, 0x80 | body.len() as u8][..], &body, &[0x18, 0x53]].concat()
    }

    #[test]
    fn each_type_is_known_by_its_bytes() {
        let mp3 = {
            let mut frames = vec![0u8; 417 * 2];
            frames[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
            frames[417..421].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
            frames
        };
        let cases: Vec<(Vec<u8>, Option<MediaType>)> = vec![
            (b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), Some(MediaType::Jpeg)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), Some(MediaType::Png)),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), Some(MediaType::WebP)),
            (b"RIFF\x10\0\0\0WAVEfmt ".to_vec(), Some(MediaType::Wav)),
            (b"RIFF\x10\0\0\0AVI LIST".to_vec(), None),
            (b"GIF89a\x01\0\x01\0".to_vec(), Some(MediaType::Gif)),
            (b"GIF90a\x01\0\x01\0".to_vec(), None),
            (ftyp(b"heic", &[b"mif1", b"heic"]), Some(MediaType::Heic)),
            (ftyp(b"mif1", &[b"mif1", b"heic"]), Some(MediaType::Heic)),
            (ftyp(b"mif1", &[b"mif1", b"avif"]), Some(MediaType::Avif)),
            (ftyp(b"avif", &[b"avif"]), Some(MediaType::Avif)),
            (ftyp(b"isom", &[b"isom", b"avc1"]), Some(MediaType::Mp4)),
            (ftyp(b"3gp4", &[b"isom"]), Some(MediaType::Mp4)),
            (ftyp(b"M4A ", &[b"isom"]), Some(MediaType::M4a)),
            (ftyp(b"qt  ", &[]), Some(MediaType::Mov)),
            (ftyp(b"crx ", &[]), None),
            (b"\0\0\0\x08wide\0\0\0\0mdat".to_vec(), Some(MediaType::Mov)),
            (ebml(b"webm"), Some(MediaType::WebM)),
            (ebml(b"webm\0\0"), Some(MediaType::WebM)),
            (ebml(b"matroska"), None),
            (b"ID3\x04\0\0\0\0\0\0".to_vec(), Some(MediaType::Mp3)),
            (mp3, Some(MediaType::Mp3)),
            (vec![0xff, 0xf1, 0x50, 0x80, 0, 0, 0, 0], None), // AAC in ADTS
            (b"<svg xmlns".to_vec(), None),
            (b"%PDF-1.7".to_vec(), None),
            (vec![], None),
        ];
        for (head, expected) in cases {
            assert_eq!(sniff(&head), expected, "{head:02x?}");
        }
    }

    #[test]
    fn no_prefix_of_anything_panics() {
        for whole in [ftyp(b"heic", &[b"mif1"]), ebml(b"webm"), vec![0xff; 64], vec![0x1a; 64]] {
            assert!((0..8).all(|end| sniff(&whole[..end]).is_none()));
            assert!((0..whole.len()).filter(|end| sniff(&whole[..*end]).is_some()).count() < 64);
        }
    }

    #[test]
    fn a_claim_is_held_against_the_bytes() {
        let claim = Claim { name: Some("cup.JPG"), mime: Some("image/jpeg"), bytes: Some(10) };
        assert_eq!(claim.check(MediaType::WebP, 10), Ok(()), "within one class the bytes decide");
        assert_eq!(claim.check(MediaType::Jpeg, 9), Err(Lie::Size { declared: 10, actual: 9 }));
        let lie = claim.check(MediaType::Mp4, 10).unwrap_err();
        assert_eq!(lie, Lie::Kind { claimed: Class::Photo, found: MediaType::Mp4 });
        assert_eq!(
            lie.to_string(),
            "The file's name or declared type says photo, but its content is video (mp4). Upload it under its own type."
        );
        let vague = Claim { name: Some("upload.bin"), mime: Some("application/x"), bytes: None };
        assert_eq!(vague.check(MediaType::Mp3, 1), Ok(()));
    }
}
