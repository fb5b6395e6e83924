//! Photos made in code (and the demonstration photos) go in; what comes out is decoded again and compared.

use std::borrow::Cow;

use proptest::prelude::*;
use turbojpeg::{Colorspace, Compressor, Image, PixelFormat, Subsamp};

use super::*;

const COFFEE: &[u8] = include_bytes!("../../../../events/photos/coffee.png");
const CHELSEA: &[u8] = include_bytes!("../../../../events/photos/chelsea.png");
const FRAMES: [Frame; 3] = [Frame::VERTICAL, Frame::SQUARE, Frame::WIDE];
const SMALL: [Frame; 2] = [Frame { width: 60, height: 96 }, Frame { width: 82, height: 45 }];

fn limits() -> Limits {
    Limits::default()
}

/// A picture in which no two corners look alike: gradients, and a bright block at the top left.
fn scene(width: usize, height: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let block = x < width / 3 && y < height / 4;
            let red = 40 + 180 * x / width;
            let green = 30 + 160 * y / height;
            pixels.extend(if block { [250, 240, 60] } else { [red as u8, green as u8, 90] });
        }
    }
    pixels
}

fn jpeg_of(pixels: &[u8], width: usize, subsamp: Subsamp) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(95).unwrap();
    compressor.set_subsamp(subsamp).unwrap();
    let height = pixels.len() / 3 / width;
    let format = PixelFormat::RGB;
    compressor.compress_to_vec(Image { pixels, width, pitch: 3 * width, height, format }).unwrap()
}

fn jpeg(width: usize, height: usize) -> Vec<u8> {
    jpeg_of(&scene(width, height), width, Subsamp::Sub2x2)
}

fn png_with(
    width: u32,
    height: u32,
    edit: impl FnOnce(&mut ::png::Info<'_>),
    data: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut info = ::png::Info::with_size(width, height);
    info.color_type = ::png::ColorType::Rgb;
    edit(&mut info);
    let mut writer = ::png::Encoder::with_info(&mut out, info).unwrap().write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

fn png(width: usize, height: usize) -> Vec<u8> {
    png_with(width as u32, height as u32, |_| {}, &scene(width, height))
}

fn webp(width: usize, height: usize, lossless: bool) -> Vec<u8> {
    let pixels = scene(width, height);
    let encoder = webpx::Encoder::new_rgb(&pixels, width as u32, height as u32);
    encoder.quality(95.0).lossless(lossless).encode(webpx::Unstoppable).unwrap()
}

fn gif(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let pixels = scene(width.into(), height.into());
    let mut out = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut out, width, height, &[]).unwrap();
    for _ in 0..frames {
        encoder.write_frame(&::gif::Frame::from_rgb_speed(width, height, &pixels, 30)).unwrap();
    }
    drop(encoder);
    out
}

/// Every kind of file that is taken, of one size.
fn all_kinds(width: usize, height: usize) -> Vec<(&'static str, Vec<u8>)> {
    let pixels = scene(width, height);
    let progressive = {
        let mut compressor = Compressor::new().unwrap();
        compressor.set_progressive(true).unwrap();
        let (pixels, format) = (pixels.as_slice(), PixelFormat::RGB);
        compressor
            .compress_to_vec(Image { pixels, width, pitch: 3 * width, height, format })
            .unwrap()
    };
    vec![
        ("jpeg 4:2:0", jpeg(width, height)),
        ("jpeg 4:2:2", jpeg_of(&pixels, width, Subsamp::Sub2x1)),
        ("jpeg 4:4:0", jpeg_of(&pixels, width, Subsamp::Sub1x2)),
        ("jpeg 4:1:1", jpeg_of(&pixels, width, Subsamp::Sub4x1)),
        ("jpeg 4:4:1", jpeg_of(&pixels, width, Subsamp::Sub1x4)),
        ("jpeg 4:4:4, progressive", progressive),
        ("png", png(width, height)),
        ("webp", webp(width, height, false)),
        ("webp, lossless", webp(width, height, true)),
        ("gif", gif(width as u16, height as u16, 1)),
    ]
}

fn decoded(jpeg: &[u8]) -> Rgb {
    let image = turbojpeg::decompress(jpeg, PixelFormat::RGB).unwrap();
    Rgb { width: image.width as u32, height: image.height as u32, pixels: image.pixels }
}

/// Mean difference of all channels, of 255.
fn apart(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

fn pixel(image: &Rgb, x: u32, y: u32) -> [u8; 3] {
    let at = 3 * (y * image.width + x) as usize;
    image.pixels[at..at + 3].try_into().unwrap()
}

fn near(a: [u8; 3], b: [u8; 3], by: u8) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= by)
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A TIFF structure with orientation, a description, Windows' keywords and a GPS directory.
fn exif(orientation: u16) -> Vec<u8> {
    let description = b"A cup, seen from above\0\0";
    let keywords: Vec<u8> = "espresso;wood\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let entries = 4u16;
    let data_at = 8 + 2 + 12 * u32::from(entries) + 4;
    let gps_at = data_at + (description.len() + keywords.len()) as u32;
    let mut tiff = [&b"II*\0"[..], &8u32.to_le_bytes(), &entries.to_le_bytes()].concat();
    let mut entry = |tag: u16, kind: u16, count: usize, value: u32| {
        tiff.extend(tag.to_le_bytes());
        tiff.extend(kind.to_le_bytes());
        tiff.extend((count as u32).to_le_bytes());
        tiff.extend(value.to_le_bytes());
    };
    entry(0x010e, 2, description.len(), data_at);
    entry(0x0112, 3, 1, orientation.into());
    entry(0x8825, 4, 1, gps_at);
    entry(0x9c9e, 1, keywords.len(), data_at + description.len() as u32);
    tiff.extend(0u32.to_le_bytes());
    tiff.extend_from_slice(description);
    tiff.extend_from_slice(&keywords);
    // One entry: GPSLatitudeRef, "N".
    tiff.extend([1, 0, 1, 0, 2, 0, 2, 0, 0, 0, b'N', 0, 0, 0, 0, 0, 0, 0]);
    tiff
}

fn xmp() -> Vec<u8> {
    br#"<x:xmpmeta><rdf:RDF><rdf:Description><dc:subject><rdf:Bag><rdf:li>latte</rdf:li></rdf:Bag></dc:subject>
        <dc:title><rdf:Alt><rdf:li>Morning</rdf:li></rdf:Alt></dc:title><secret>XMP-SECRET</secret>
        </rdf:Description></rdf:RDF></x:xmpmeta>"#
        .to_vec()
}

fn iptc() -> Vec<u8> {
    let sets = b"\x1c\x02\x19\0\x04milk\x1c\x02\x78\0\x0bIPTC-SECRET";
    let length = (sets.len() as u32).to_be_bytes();
    [b"Photoshop 3.0\0", &b"8BIM\x04\x04\0\0"[..], &length, sets, &[0]].concat()
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat()
}

/// Puts segments behind the start-of-image marker.
fn with_segments(jpeg: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

fn with_orientation(jpeg: &[u8], orientation: u16) -> Vec<u8> {
    with_segments(jpeg, &[segment(0xe1, &[b"Exif\0\0", &exif(orientation)[..]].concat())])
}

fn png_chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = 0xffff_ffffu32;
    for byte in kind.iter().chain(body) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    [&(body.len() as u32).to_be_bytes()[..], kind, body, &(!crc).to_be_bytes()].concat()
}

/// Puts chunks behind the header chunk.
fn with_chunks(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    [&png[..33], &chunks.concat(), &png[33..]].concat()
}

/// A WebP in the extended format with the given chunks behind the picture.
fn with_riff_chunks(
    webp: &[u8],
    (width, height): (u32, u32),
    extra: &[(&[u8; 4], &[u8])],
) -> Vec<u8> {
    let mut head = vec![0x0c, 0, 0, 0];
    head.extend(&(width - 1).to_le_bytes()[..3]);
    head.extend(&(height - 1).to_le_bytes()[..3]);
    let chunk = |kind: &[u8], body: &[u8]| {
        let padding = vec![0; body.len() % 2];
        [kind, &(body.len() as u32).to_le_bytes(), body, &padding].concat()
    };
    let mut body = [b"WEBP".to_vec(), chunk(b"VP8X", &head), webp[12..].to_vec()].concat();
    extra.iter().for_each(|(kind, part)| body.extend(chunk(*kind, part)));
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

#[test]
fn the_demonstration_photos_say_what_they_are() {
    let facts = inspect(COFFEE, &limits()).unwrap();
    assert_eq!((facts.format, facts.width, facts.height), (MediaType::Png, 600, 400));
    assert_eq!(facts.orientation, Orientation::UPRIGHT);
    let facts = inspect(CHELSEA, &limits()).unwrap();
    assert_eq!((facts.width, facts.height), (451, 300));
    let cleaned = clean(COFFEE, &limits()).unwrap();
    assert_eq!(inspect(&cleaned, &limits()).unwrap().width, 600);
}

#[test]
fn n14_renditions_have_the_networks_sizes_whatever_goes_in() {
    for (kind, photo) in all_kinds(1300, 2000).into_iter().chain(all_kinds(301, 97)) {
        let made = renditions(&photo, &limits(), &FRAMES, 2).unwrap();
        assert_eq!(made.len(), 3);
        for (rendition, frame) in made.iter().zip(FRAMES) {
            assert_eq!(rendition.frame, frame);
            let header = turbojpeg::read_header(&rendition.jpeg).unwrap();
            assert_eq!(
                (header.width as u32, header.height as u32),
                (frame.width, frame.height),
                "{kind}"
            );
            assert_eq!((header.subsamp, header.colorspace), (Subsamp::Sub2x2, Colorspace::YCbCr));
            assert!(rendition.jpeg.len() < 1_000_000, "{kind}: {} bytes", rendition.jpeg.len());
            assert!(!has(&rendition.jpeg, b"Exif"));
            decoded(&rendition.jpeg);
        }
        let small = photo.len() < 100_000 && inspect(&photo, &limits()).unwrap().width == 301;
        assert!(made.iter().all(|rendition| rendition.fitted == small), "{kind}");
    }
}

#[test]
fn a_small_photo_stands_whole_over_a_blurred_cover_of_itself() {
    let made = renditions(COFFEE, &limits(), &FRAMES, 1).unwrap();
    let original = thumbnail(COFFEE, &limits(), 600).unwrap();
    for rendition in made {
        assert!(rendition.fitted);
        let image = decoded(&rendition.jpeg);
        // 1.5 times enlarged: 900x600 in the middle.
        let (left, top) = ((image.width - 900) / 2 / 2 * 2, (image.height - 600) / 2 / 2 * 2);
        for (x, y) in [(300, 200), (150, 100), (450, 300), (220, 310)] {
            let (mut here, mut there) = ([0u32; 3], [0u32; 3]);
            for (dx, dy) in (0..64).map(|n| (n % 8, n / 8)) {
                let a = pixel(&original, x + dx, y + dy);
                let b = pixel(&image, left + (x + dx) * 3 / 2, top + (y + dy) * 3 / 2);
                (0..3).for_each(|c| {
                    here[c] += u32::from(a[c]);
                    there[c] += u32::from(b[c]);
                });
            }
            let near = here.iter().zip(there).all(|(a, b)| a.abs_diff(b) < 64 * 8);
            assert!(near, "the photo itself at {x},{y}: {here:?} {there:?}");
        }
        // The surroundings have no edges: neighbouring pixels hardly differ.
        let band = 0..image.width - 1;
        let steepest = band.map(|x| {
            let (a, b) = (pixel(&image, x, 6), pixel(&image, x + 1, 6));
            a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap()
        });
        if rendition.frame == Frame::VERTICAL {
            assert!(steepest.max().unwrap() <= 16);
        }
    }
}

#[test]
fn a_large_photo_fills_the_frame_with_its_middle() {
    let photo = jpeg(1920, 1440);
    let made = renditions(&photo, &limits(), &[Frame::WIDE, Frame { width: 200, height: 360 }], 1);
    let made = made.unwrap();
    assert!(!made[0].fitted);
    // 16:9 of 1920x1440 are the rows 180 to 1260; green tells the row.
    let image = decoded(&made[0].jpeg);
    let expected = |y: f64| (30.0 + 160.0 * y / 1440.0) as u8;
    assert!(
        near(pixel(&image, 1000, 2), [190, expected(183.0), 90], 4),
        "{:?}",
        pixel(&image, 1000, 2)
    );
    assert!(near(pixel(&image, 1000, 672), [190, expected(1255.0), 90], 4));
    // 5:9 of it are the columns 560 to 1360; red tells the column.
    let image = decoded(&made[1].jpeg);
    assert!(near(pixel(&image, 198, 300), [40 + (180 * 1352 / 1920) as u8, 163, 90], 4));
}

#[test]
fn any_number_of_threads_makes_the_same_renditions() {
    for (kind, photo) in all_kinds(700, 900) {
        let frames =
            [Frame { width: 600, height: 800 }, Frame { width: 100, height: 100 }, Frame::WIDE];
        let one = renditions(&photo, &limits(), &frames, 1).unwrap();
        for threads in [0, 2, 3, 8] {
            assert_eq!(renditions(&photo, &limits(), &frames, threads).unwrap(), one, "{kind}");
        }
    }
    assert_eq!(renditions(COFFEE, &limits(), &[], 2).unwrap(), []);
    for frame in [Frame { width: 0, height: 9 }, Frame { width: 9, height: 65_501 }] {
        assert_eq!(renditions(COFFEE, &limits(), &[frame], 1).unwrap_err().code(), "engine_failed");
    }
}

#[test]
fn photos_come_out_upright_however_the_camera_was_held() {
    // 96x64 is whole blocks in every colour resolution; 101x67 in none.
    for (width, height) in [(96usize, 64usize), (101, 67)] {
        for (kind, photo) in all_kinds(width, height).into_iter().take(6) {
            for number in 1..=8u16 {
                let orientation = Orientation::from_exif(number.into());
                let photo = with_orientation(&photo, number);
                let upright = orientation.turn::<3>(&scene(width, height), width);
                let (upright_width, upright_height) =
                    orientation.turned((width as u32, height as u32));

                let facts = inspect(&photo, &limits()).unwrap();
                assert_eq!(facts.orientation.number(), number as u8);
                assert_eq!((facts.width, facts.height), (upright_width, upright_height));

                let cleaned = clean(&photo, &limits()).unwrap();
                assert!(!has(&cleaned, b"Exif"));
                let image = decoded(&cleaned);
                assert_eq!(
                    (image.width, image.height),
                    (upright_width, upright_height),
                    "{kind} {number}"
                );
                let difference = apart(&image.pixels, &upright);
                assert!(difference < 4.0, "{kind}, orientation {number}: {difference}");

                let seen = thumbnail(&photo, &limits(), 1000).unwrap();
                assert!(apart(&seen.pixels, &upright) < 4.0, "{kind}, orientation {number}");

                for rendition in renditions(&photo, &limits(), &SMALL, 1).unwrap() {
                    let straight = jpeg_of(&upright, upright_width as usize, Subsamp::None);
                    let expected = renditions(&straight, &limits(), &[rendition.frame], 1).unwrap();
                    let (a, b) = (decoded(&rendition.jpeg), decoded(&expected[0].jpeg));
                    let difference = apart(&a.pixels, &b.pixels);
                    assert!(difference < 3.0, "{kind}, orientation {number}: {difference}");
                }
            }
        }
    }
}

#[test]
fn turning_whole_blocks_loses_nothing() {
    let photo = jpeg(96, 64);
    let before = turbojpeg::decompress_to_yuv(&photo).unwrap();
    let there = clean(&with_orientation(&photo, 6), &limits()).unwrap();
    let back = clean(&with_orientation(&there, 8), &limits()).unwrap();
    let after = turbojpeg::decompress_to_yuv(&back).unwrap();
    assert!(before.pixels == after.pixels);
}

#[test]
fn png_and_webp_are_turned_too() {
    let (width, height) = (101u32, 67u32);
    for number in [2u16, 6, 7] {
        let orientation = Orientation::from_exif(number.into());
        let upright = orientation.turn::<3>(&scene(101, 67), 101);
        let size = orientation.turned((width, height));
        let photos = [
            ("png", with_chunks(&png(101, 67), &[png_chunk(b"eXIf", &exif(number))]), 0.0),
            (
                "webp",
                with_riff_chunks(
                    &webp(101, 67, false),
                    (width, height),
                    &[(b"EXIF", &exif(number))],
                ),
                4.0,
            ),
            (
                "lossless",
                with_riff_chunks(
                    &webp(101, 67, true),
                    (width, height),
                    &[(b"EXIF", &exif(number))],
                ),
                0.0,
            ),
        ];
        for (kind, photo, tolerated) in photos {
            let cleaned = clean(&photo, &limits()).unwrap();
            let facts = inspect(&cleaned, &limits()).unwrap();
            assert_eq!((facts.width, facts.height), size, "{kind}");
            assert_eq!(facts.orientation, Orientation::UPRIGHT);
            let image = thumbnail(&cleaned, &limits(), 1000).unwrap();
            assert!(apart(&image.pixels, &upright) <= tolerated, "{kind}, orientation {number}");
            assert_eq!(
                thumbnail(&photo, &limits(), 1000).unwrap().pixels.len(),
                image.pixels.len()
            );
        }
    }
}

#[test]
fn a_lossless_webp_too_large_to_encode_anew_is_not_turned() {
    let flat = vec![90; 3 * 4100 * 4000];
    let encoder = webpx::Encoder::new_rgb(&flat, 4100, 4000).lossless(true).method(0);
    let photo = encoder.encode(webpx::Unstoppable).unwrap();
    let exif = exif(6);
    let photo = with_riff_chunks(&photo, (4100, 4000), &[(b"EXIF", &exif)]);
    assert_eq!(clean(&photo, &limits()).unwrap_err().code(), "too_many_pixels");
    assert!(renditions(&photo, &limits(), &SMALL, 1).is_ok());
}

#[test]
fn nothing_but_the_picture_and_its_profile_survives_cleaning() {
    let plain = jpeg(64, 48);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let icc = [b"ICC_PROFILE\0\x01\x01", &profile[..]].concat();
    let dressed = with_segments(
        &plain,
        &[
            segment(0xe1, &[b"Exif\0\0", &exif(1)[..]].concat()),
            segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", &xmp()[..]].concat()),
            segment(0xed, &iptc()),
            segment(0xe2, &icc),
            segment(0xe2, b"MPF\0SECRET"),
            segment(0xfe, b"COM-SECRET"),
            segment(0xe0, b"JFXX\0\x10SECRET"),
            segment(0xef, b"SECRET"),
        ],
    );
    let dressed = [&dressed[..], b"trailer: SECRET film"].concat();
    let cleaned = clean(&dressed, &limits()).unwrap();
    for gone in
        [&b"SECRET"[..], b"Exif", b"xap", b"8BIM", b"MPF", b"GPS", b"latte", b"seen from above"]
    {
        assert!(!has(&cleaned, gone), "{}", String::from_utf8_lossy(gone));
    }
    assert!(has(&cleaned, &icc), "the profile stays");
    assert_eq!(decoded(&cleaned), decoded(&plain));
    assert_eq!(clean(&cleaned, &limits()).unwrap(), cleaned, "cleaning twice is cleaning once");

    let turned = clean(
        &with_segments(&dressed, &[segment(0xe1, &[b"Exif\0\0", &exif(6)[..]].concat())]),
        &limits(),
    );
    let turned = turned.unwrap();
    assert!(has(&turned, &icc) && !has(&turned, b"SECRET"));

    let text = b"Description\0SECRET";
    let png = with_chunks(
        &png(40, 30),
        &[png_chunk(b"tEXt", text), png_chunk(b"eXIf", &exif(1)), png_chunk(b"prVt", text)],
    );
    let png = [&png[..], b"SECRET"].concat();
    let cleaned = clean(&png, &limits()).unwrap();
    assert!(!has(&cleaned, b"SECRET") && !has(&cleaned, b"eXIf"));
    assert_eq!(thumbnail(&cleaned, &limits(), 100), thumbnail(&png, &limits(), 100));

    let webp = with_riff_chunks(
        &webp(40, 30, false),
        (40, 30),
        &[(b"EXIF", &exif(1)), (b"XMP ", &xmp()), (b"JUNK", text)],
    );
    let cleaned = clean(&webp, &limits()).unwrap();
    assert!(!has(&cleaned, b"SECRET") && !has(&cleaned, b"EXIF") && !has(&cleaned, b"XMP "));
    assert_eq!(thumbnail(&cleaned, &limits(), 100), thumbnail(&webp, &limits(), 100));

    let gif = gif(40, 30, 1);
    let comment = [&gif[..gif.len() - 1], b"\x21\xfe\x06SECRET\0\x3bSECRET"].concat();
    let cleaned = clean(&comment, &limits()).unwrap();
    assert!(!has(&cleaned, b"SECRET"));
    assert_eq!(thumbnail(&cleaned, &limits(), 100), thumbnail(&gif, &limits(), 100));
}

#[test]
fn words_are_kept_for_tagging() {
    let photo = with_segments(
        &jpeg(64, 48),
        &[
            segment(0xe1, &[b"Exif\0\0", &exif(1)[..]].concat()),
            segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", &xmp()[..]].concat()),
            segment(0xed, &iptc()),
        ],
    );
    let facts = inspect(&photo, &limits()).unwrap();
    assert_eq!(facts.keywords, ["latte", "milk", "espresso", "wood"]);
    assert_eq!(facts.title.as_deref(), Some("Morning"));
    assert_eq!(facts.description.as_deref(), Some("IPTC-SECRET"));

    let itxt = [&b"Title\0\0\0es\0T\xc3\xadtulo\0Ma\xc3\xb1ana"[..]].concat();
    let ztxt = [&b"Description\0\0"[..], &miniz_oxide::deflate::compress_to_vec_zlib(b"A cup", 6)]
        .concat();
    let packet = [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], &xmp()].concat();
    let png = png(40, 30);
    let png = with_chunks(
        &png,
        &[
            png_chunk(b"iTXt", &itxt),
            png_chunk(b"zTXt", &ztxt),
            png_chunk(b"tEXt", b"Keywords\0a, b"),
        ],
    );
    let facts = inspect(&png, &limits()).unwrap();
    assert_eq!(facts.title.as_deref(), Some("Mañana"));
    assert_eq!(facts.description.as_deref(), Some("A cup"));
    assert_eq!(facts.keywords, ["a", "b"]);
    let facts = inspect(&with_chunks(&png, &[png_chunk(b"iTXt", &packet)]), &limits()).unwrap();
    assert_eq!(facts.keywords, ["latte", "a", "b"]);

    let webp =
        with_riff_chunks(&webp(40, 30, false), (40, 30), &[(b"EXIF", &exif(1)), (b"XMP ", &xmp())]);
    let facts = inspect(&webp, &limits()).unwrap();
    assert_eq!(facts.keywords, ["latte", "espresso", "wood"]);
    assert_eq!(facts.description.as_deref(), Some("A cup, seen from above"));
}

#[test]
fn what_cannot_be_taken_is_refused_with_a_reason() {
    let code = |bytes: &[u8]| inspect(bytes, &limits()).map_err(|why| why.code());
    assert_eq!(code(b""), Err("empty"));
    assert_eq!(code(b"%PDF-1.7 and so on"), Err("unknown_type"));
    assert_eq!(code(b"\0\0\0\x14ftypisom\0\0\0\0isom"), Err("not_a_photo"));
    assert_eq!(code(b"\0\0\0\x14ftypheic\0\0\0\0heic"), Err("unsupported"));
    assert_eq!(code(b"\0\0\0\x14ftypavif\0\0\0\0avif"), Err("unsupported"));
    assert_eq!(code(&gif(40, 30, 2)), Err("animated"));
    let animated = with_chunks(&png(40, 30), &[png_chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0])]);
    assert_eq!(code(&animated), Err("animated"));
    let mut animated = with_riff_chunks(&webp(40, 30, false), (40, 30), &[]);
    animated[20] |= 0x02;
    assert_eq!(code(&animated), Err("animated"));

    let tight = Limits { max_bytes: 100, max_pixels: 100 };
    let why = inspect(&jpeg(64, 48), &tight).unwrap_err();
    assert_eq!(why.code(), "too_many_bytes");
    let tight = Limits { max_pixels: 64 * 48 - 1, ..limits() };
    let why = inspect(&jpeg(64, 48), &tight).unwrap_err();
    assert_eq!(why, Rejection::TooManyPixels { width: 64, height: 48, limit: 3071 });
    assert!(why.to_string().ends_with("Scale it down first."), "{why}");
}

#[test]
fn promises_of_huge_pictures_are_refused_before_anything_is_decoded() {
    let mut bomb = jpeg(64, 48);
    let at = bomb.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bomb[at + 5..at + 9].copy_from_slice(&[0xff; 4]);
    let png = png_chunk(b"IHDR", &[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 8, 2, 0, 0, 0]);
    let png =
        [b"\x89PNG\r\n\x1a\n", &png[..], &png_chunk(b"IDAT", &[0; 40]), &png_chunk(b"IEND", &[])]
            .concat();
    let mut gif = gif(40, 30, 1);
    gif[6..10].fill(0xff);
    let mut webp = webp(40, 30, false);
    webp[26..30].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    for bomb in [bomb, png, gif, webp] {
        for refused in [
            inspect(&bomb, &limits()).map(drop),
            clean(&bomb, &limits()).map(drop),
            renditions(&bomb, &limits(), &FRAMES, 2).map(drop),
            thumbnail(&bomb, &limits(), 100).map(drop),
        ] {
            assert_eq!(refused.map_err(|why| why.code()), Err("too_many_pixels"));
        }
    }
}

#[test]
fn texts_that_unfold_without_end_are_passed_over() {
    let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b'x'; 5 << 20], 9);
    let bomb = png_chunk(b"zTXt", &[&b"Description\0\0"[..], &zeros].concat());
    let photo = with_chunks(&png(40, 30), &vec![bomb; 100]);
    assert_eq!(inspect(&photo, &limits()).unwrap().description, None);
    let wide = png_chunk(b"IHDR", &[0, 1, 0x86, 0xa0, 0, 0, 0, 9, 8, 2, 0, 0, 0]);
    let wide =
        [b"\x89PNG\r\n\x1a\n", &wide[..], &png_chunk(b"IDAT", &[0; 40]), &png_chunk(b"IEND", &[])]
            .concat();
    assert_eq!(inspect(&wide, &limits()).unwrap_err().code(), "unsupported");
}

#[test]
fn a_missing_end_is_noticed_wherever_it_is_missing() {
    for (kind, photo) in all_kinds(200, 150) {
        for part in [4, 10, 25, 50, 75, 90, 99] {
            let cut = &photo[..photo.len() * part / 100];
            for refused in [
                inspect(cut, &limits()).map(drop),
                clean(cut, &limits()).map(drop),
                renditions(cut, &limits(), &SMALL, 2).map(drop),
            ] {
                let code = refused.map_err(|why| why.code());
                assert!(
                    matches!(code, Err("truncated" | "unknown_type")),
                    "{kind} at {part} %: {code:?}"
                );
            }
        }
    }
}

#[test]
fn damage_inside_is_noticed_when_pixels_are_decoded() {
    let mut png = png(200, 150);
    let middle = png.len() / 2;
    png[middle] ^= 0x55;
    assert_eq!(renditions(&png, &limits(), &SMALL, 1).unwrap_err().code(), "corrupt");
    // A header that promises more rows than the data has.
    let mut lying = jpeg(200, 150);
    let at = lying.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    lying[at + 5..at + 7].copy_from_slice(&2000u16.to_be_bytes());
    let code = renditions(&lying, &limits(), &SMALL, 1).unwrap_err().code();
    assert!(matches!(code, "truncated" | "corrupt"), "{code}");
}

#[test]
fn stray_bytes_that_cameras_write_are_passed_over() {
    let plain = jpeg(64, 48);
    let stray = [&plain[..plain.len() - 2], &[0, 0, 0], &plain[plain.len() - 2..]].concat();
    let (a, b) =
        (renditions(&plain, &limits(), &SMALL, 1), renditions(&stray, &limits(), &SMALL, 1));
    assert_eq!(a.unwrap(), b.unwrap());
}

#[test]
fn the_smallest_and_the_oddest_photos_are_framed() {
    for (width, height) in [(1, 1), (2, 1), (1, 3), (7, 5), (16, 17), (900, 3), (3, 900)] {
        for (kind, photo) in all_kinds(width, height) {
            let made = renditions(&photo, &limits(), &[Frame::WIDE, SMALL[1], SMALL[0]], 2);
            let made = made.unwrap_or_else(|why| panic!("{kind} {width}x{height}: {why}"));
            made.iter().for_each(|rendition| {
                decoded(&rendition.jpeg);
            });
            let small = thumbnail(&photo, &limits(), 5).unwrap();
            assert!(small.width <= 5 && small.height <= 5 && small.width * small.height > 0);
        }
    }
}

#[test]
fn every_png_colour_type_shows_its_colours() {
    use ::png::{BitDepth, ColorType};
    let of = |color, depth, data: &[u8]| {
        let edit = |info: &mut ::png::Info<'_>| {
            info.color_type = color;
            info.bit_depth = depth;
            if color == ColorType::Indexed {
                info.palette = Some(Cow::Borrowed(&[200, 100, 50, 0, 0, 0]));
                info.trns = Some(Cow::Borrowed(&[255, 0]));
            }
        };
        let photo = png_with(2, 1, edit, data);
        thumbnail(&photo, &limits(), 10).unwrap().pixels
    };
    assert_eq!(of(ColorType::Grayscale, BitDepth::Eight, &[7, 200]), [7, 7, 7, 200, 200, 200]);
    assert_eq!(of(ColorType::Grayscale, BitDepth::One, &[0b0100_0000]), [0, 0, 0, 255, 255, 255]);
    assert_eq!(
        of(ColorType::GrayscaleAlpha, BitDepth::Eight, &[7, 255, 7, 0]),
        [7, 7, 7, 255, 255, 255]
    );
    assert_eq!(of(ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        of(ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 255, 4, 5, 6, 0]),
        [1, 2, 3, 255, 255, 255]
    );
    assert_eq!(of(ColorType::Indexed, BitDepth::Eight, &[0, 1]), [200, 100, 50, 255, 255, 255]);
    // Interlaced: the first pass has the left pixel, the sixth the right one.
    let scanlines = miniz_oxide::deflate::compress_to_vec_zlib(&[0, 1, 2, 3, 0, 4, 5, 6], 6);
    let head = png_chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 1, 8, 2, 0, 0, 1]);
    let laced = [
        b"\x89PNG\r\n\x1a\n",
        &head[..],
        &png_chunk(b"IDAT", &scanlines),
        &png_chunk(b"IEND", &[]),
    ];
    let laced = thumbnail(&laced.concat(), &limits(), 10).unwrap();
    assert_eq!(laced.pixels, [1, 2, 3, 4, 5, 6]);
    let deep = [9, 99, 8, 88, 7, 77, 6, 66, 5, 55, 4, 44];
    assert_eq!(of(ColorType::Rgb, BitDepth::Sixteen, &deep), [9, 8, 7, 6, 5, 4]);
}

#[test]
fn embedded_profiles_are_brought_into_srgb() {
    let pixels = [200u8, 60, 50].repeat(64 * 64);
    let plain = jpeg_of(&pixels, 64, Subsamp::None);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let icc = |profile: &[u8]| segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", profile].concat());
    let wide = with_segments(&plain, &[icc(&profile)]);
    let colour = |photo: &[u8]| {
        let made = renditions(photo, &limits(), &[Frame { width: 32, height: 32 }], 1).unwrap();
        assert!(!has(&made[0].jpeg, b"ICC_PROFILE"));
        let framed = pixel(&decoded(&made[0].jpeg), 16, 16);
        assert!(near(framed, pixel(&thumbnail(photo, &limits(), 32).unwrap(), 16, 16), 3));
        framed
    };
    assert!(near(colour(&plain), [200, 60, 50], 3));
    assert!(near(colour(&wide), [218, 41, 39], 4), "{:?}", colour(&wide));
    let srgb = moxcms::ColorProfile::new_srgb().encode().unwrap();
    assert_eq!(colour(&with_segments(&plain, &[icc(&srgb)])), colour(&plain));
    let png =
        png_with(64, 64, |info| info.icc_profile = Some(Cow::Owned(profile.clone())), &pixels);
    assert!(near(colour(&png), colour(&wide), 3));
}

#[test]
fn cmyk_and_grey_jpegs_are_framed() {
    // Inverted, as Photoshop stores it: a red without black.
    let inks = [255u8, 40, 40, 255].repeat(64 * 64);
    let mut compressor = Compressor::new().unwrap();
    compressor.set_colorspace(Colorspace::YCCK).unwrap();
    let pixels = inks.as_slice();
    let image = Image { pixels, width: 64, pitch: 256, height: 64, format: PixelFormat::CMYK };
    let cmyk = compressor.compress_to_vec(image).unwrap();
    let made = renditions(&cmyk, &limits(), &SMALL, 1).unwrap();
    assert!(near(pixel(&decoded(&made[0].jpeg), 30, 48), [255, 40, 40], 4));
    let upright = clean(&with_orientation(&cmyk, 6), &limits()).unwrap();
    assert_eq!(turbojpeg::read_header(&upright).unwrap().colorspace, Colorspace::YCCK);

    let grey = jpeg_of(&scene(101, 67), 101, Subsamp::Gray);
    let made = renditions(&grey, &limits(), &SMALL, 1).unwrap();
    let [red, green, blue] = pixel(&decoded(&made[0].jpeg), 30, 48);
    assert!(red.abs_diff(green) <= 1 && green.abs_diff(blue) <= 1);
    let upright = clean(&with_orientation(&grey, 6), &limits()).unwrap();
    let header = turbojpeg::read_header(&upright).unwrap();
    assert_eq!((header.width, header.height, header.colorspace), (67, 101, Colorspace::Gray));
}

#[test]
fn transparency_is_laid_over_white() {
    let pixels = [10u8, 20, 30, 0].repeat(40 * 40);
    for lossless in [true, false] {
        let encoder = webpx::Encoder::new_rgba(&pixels, 40, 40).lossless(lossless);
        let photo = encoder.encode(webpx::Unstoppable).unwrap();
        let made = renditions(&photo, &limits(), &[Frame { width: 20, height: 20 }], 1).unwrap();
        assert!(near(pixel(&decoded(&made[0].jpeg), 10, 10), [255; 3], 1));
        let turned = with_riff_chunks(&photo, (40, 40), &[]);
        assert_eq!(inspect(&turned, &limits()).unwrap().width, 40);
    }
}

/// Everything that takes bytes; none of it may panic.
fn handle(bytes: &[u8]) {
    let tight = Limits { max_bytes: 1 << 20, max_pixels: 1 << 18 };
    drop(inspect(bytes, &tight));
    if let Ok(cleaned) = clean(bytes, &tight) {
        inspect(&cleaned, &tight).unwrap();
    }
    drop(renditions(bytes, &tight, &SMALL[..1], 1));
    drop(thumbnail(bytes, &tight, 16));
}

/// Small photos with everything that a file can carry.
fn dressed(kind: usize) -> Vec<u8> {
    let exif = exif(6);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let (small, lossless) = (webp(33, 20, false), webp(33, 20, true));
    match kind {
        0 => with_segments(
            &with_orientation(&jpeg(33, 20), 6),
            &[
                segment(0xed, &iptc()),
                segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", &xmp()[..]].concat()),
                segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", &profile[..]].concat()),
            ],
        ),
        1 => all_kinds(33, 20).swap_remove(5).1,
        2 => {
            let folded = miniz_oxide::deflate::compress_to_vec_zlib(&profile, 1);
            let profile = png_chunk(b"iCCP", &[&b"p3\0\0"[..], &folded].concat());
            let text = png_chunk(b"tEXt", b"Title\0x");
            with_chunks(&png(33, 20), &[profile, png_chunk(b"eXIf", &exif), text])
        }
        3 => {
            let chunks: [(&[u8; 4], &[u8]); 3] =
                [(b"EXIF", &exif), (b"XMP ", &xmp()), (b"ICCP", &profile)];
            with_riff_chunks(&small, (33, 20), &chunks)
        }
        4 => with_riff_chunks(&lossless, (33, 20), &[(b"EXIF", &exif)]),
        _ => gif(33, 20, 1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_270_301),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_damaged_photo_panics(
        kind in 0..6usize,
        cut in proptest::option::of(0.0..1.0f64),
        flips in proptest::collection::vec((0.0..1.0f64, any::<u8>()), 0..12),
    ) {
        let mut photo = dressed(kind);
        let length = photo.len();
        flips.iter().for_each(|(at, byte)| photo[(at * length as f64) as usize] = *byte);
        photo.truncate(cut.map_or(length, |cut| (cut * length as f64) as usize));
        handle(&photo);
    }

    #[test]
    fn no_random_bytes_panic(
        head in 0..5usize,
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let heads: [&[u8]; 5] =
            [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x90\x01\0\0WEBP", b"GIF89a"];
        handle(&[heads[head], &bytes].concat());
    }
}
