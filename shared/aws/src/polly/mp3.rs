//! MP3 as Polly gives it: frames of MPEG-2 Layer III at 24 kHz, 24 ms each, with tags around them or without.
//!
//! Frames of two files, one after the other, are a file again, if nothing stands between them: tags, and the silent
//! frame at a file's head in which an encoder tells its length (`Xing`, `Info`), which would be that of one part.
//!
//! **Never here:** decoding.

use std::ops::Add;

use bytes::{Bytes, BytesMut};

use crate::fault::Fault;

/// Kilobits a second by their number in a frame's head.
const BITRATES: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/// Hertz; a frame has 576 samples, which are 24 ms.
const RATE: usize = 24_000;
const FRAME_MS: u64 = 24;

/// How long a sound lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Length {
    frames: u64,
}

impl Length {
    pub(super) fn millis(self) -> u64 {
        self.frames * FRAME_MS
    }
}

impl Add for Length {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { frames: self.frames + other.frames }
    }
}

/// How long a file lasts.
///
/// # Errors
/// There is no frame of sound in it.
pub(super) fn length(file: &[u8]) -> Result<Length, Fault> {
    match frames(file).count() {
        0 => Err(Fault::unreadable("something else than MP3 at 24 kHz")),
        frames => Ok(Length { frames: frames as u64 }),
    }
}

/// One file of several; a single one stays as it is.
pub(super) fn joined(files: Vec<Bytes>) -> Bytes {
    if let [one] = files.as_slice() {
        return one.clone();
    }
    let mut all = BytesMut::new();
    for frame in files.iter().flat_map(|file| frames(file)) {
        all.extend_from_slice(frame);
    }
    all.freeze()
}

/// The frames of sound in a file. What is none is passed over, as every player does it.
fn frames(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_tag(file);
    std::iter::from_fn(move || {
        loop {
            let at = rest.iter().position(|byte| *byte == 0xff)?;
            rest = rest.get(at..)?;
            match frame_length(rest).and_then(|length| rest.split_at_checked(length)) {
                Some((frame, after)) => {
                    rest = after;
                    if !tells_of_the_file(frame) {
                        return Some(frame);
                    }
                }
                None => rest = rest.get(1..)?,
            }
        }
    })
}

/// What follows an ID3v2 tag: ten bytes of head, the last four of which are the tag's size, seven bits each.
fn after_tag(file: &[u8]) -> &[u8] {
    let Some((head, rest)) = file.split_at_checked(10).filter(|(head, _)| head.starts_with(b"ID3"))
    else {
        return file;
    };
    let size = head.iter().skip(6).fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
    rest.get(size..).unwrap_or_default()
}

/// The bytes of the frame that begins here, by its head.
fn frame_length(from: &[u8]) -> Option<usize> {
    let [0xff, version, rates, ..] = from else { return None };
    // Eleven bits of sync, MPEG-2, Layer III; whether a checksum follows makes no difference here.
    let is_layer_3 = version & 0xfe == 0xf2;
    let is_24_khz = rates >> 2 & 0b11 == 0b01;
    let bitrate = BITRATES.get(usize::from(rates >> 4)).filter(|rate| **rate > 0)?;
    let padding = usize::from(rates >> 1 & 1);
    (is_layer_3 && is_24_khz).then_some(72 * bitrate * 1_000 / RATE + padding)
}

/// Whether it holds the file's length instead of sound.
fn tells_of_the_file(frame: &[u8]) -> bool {
    // After the head of 4 bytes, perhaps a checksum of 2, and 9 bytes for one channel or 17 for two.
    let at = |place: usize, mark: &[u8]| frame.get(place..).is_some_and(|f| f.starts_with(mark));
    let xing = [13, 15, 21, 23].into_iter().any(|place| at(place, b"Xing") || at(place, b"Info"));
    xing || at(36, b"VBRI")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A silent frame: 48 kbit/s, one channel, no checksum, 144 bytes.
    pub(crate) fn frame() -> Vec<u8> {
        let mut frame = vec![0xff, 0xf3, 0x64, 0xc4];
        frame.resize(144, 0);
        frame
    }

    /// A file of so many frames, with an ID3 tag that holds what looks like a frame, and with a frame of facts.
    pub(crate) fn file(frames: usize) -> Bytes {
        let mut file = b"ID3\x04\0\0\0\0\x01\x0a".to_vec();
        file.extend([&[0xff, 0xf3, 0x64, 0xc4][..], &[0; 134]].concat());
        let mut facts = frame();
        facts[13..17].copy_from_slice(b"Info");
        file.extend(facts);
        file.extend(frame().repeat(frames));
        file.into()
    }

    #[test]
    fn a_files_length_is_that_of_its_frames() {
        assert_eq!(length(&file(5)).unwrap().millis(), 120);
        assert_eq!(length(&frame().repeat(3)).unwrap().millis(), 72);
        let damaged = [&frame()[..], b"\xff\xfbrubbish", &frame(), &frame()[..100]].concat();
        assert_eq!(length(&damaged).unwrap().millis(), 48);
        for nothing in [&b""[..], b"{}", b"ID3\x04\0\0\0\0\x7f\x7f", &[0xff; 200], &file(0)] {
            assert!(length(nothing).is_err());
        }
    }

    #[test]
    fn an_encoders_file_is_read_past_its_tag_and_its_facts() {
        // Half a second of a tone by libmp3lame, at Polly's rate, with an ID3 tag and an `Info` frame.
        let tone = Bytes::from_static(include_bytes!("tone.mp3"));
        let one = length(&tone).unwrap();
        assert!((500..600).contains(&one.millis()), "{one:?}");
        let twice = joined(vec![tone.clone(), tone]);
        assert_eq!(length(&twice).unwrap(), one + one);
        assert!(twice.starts_with(&[0xff, 0xf3]) && !twice.windows(4).any(|w| w == b"Info"));
    }

    #[test]
    fn other_forms_of_mp3_are_not_taken_for_it() {
        // MPEG-1, Layer II, 22,050 Hz, free and forbidden bitrates.
        for (version, rates) in
            [(0xfb, 0x64), (0xf5, 0x64), (0xf3, 0x60), (0xf3, 0x04), (0xf3, 0xf4)]
        {
            assert_eq!(frame_length(&[0xff, version, rates, 0xc4]), None);
        }
        assert_eq!(frame_length(&[0xff, 0xf3, 0x66, 0xc4]), Some(145), "padded");
        assert_eq!(frame_length(&[0xff, 0xf2, 0xe4, 0xc4]), Some(480), "160 kbit/s, with checksum");
    }

    #[test]
    fn joined_files_are_their_frames_alone() {
        let all = joined(vec![file(2), frame().into(), file(3)]);
        assert_eq!(all, Bytes::from(frame().repeat(6)));
        assert_eq!(joined(vec![file(2)]), file(2), "a single one stays as it is");
        assert_eq!(joined(vec![]), Bytes::new());
    }
}
