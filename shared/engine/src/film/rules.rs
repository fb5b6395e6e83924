//! What networks demand of a video file, as data, and a file held against it.
//!
//! **Never here:** reading a file, or bending a rule. Where a rule may be broken knowingly (tests make videos of
//! 180x320 pixels, which TikTok would refuse), the caller drops exactly that problem:
//! `problems.retain(|problem| problem.rule != Rule::Size)`.

use std::ops::RangeInclusive;

use crate::publishing::Network;

/// What is known of a finished video file.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFacts {
    /// MIME type by its bytes, for example `video/mp4`.
    pub content_type: String,
    /// Pixels across, as shown.
    pub width: u32,
    /// Pixels down, as shown.
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    /// Length in milliseconds.
    pub duration_ms: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The picture's codec as RFC 6381 writes it, for example `avc1.64001F`.
    pub video_codec: String,
    /// The sound, if there is one.
    pub audio: Option<AudioFacts>,
}

/// What is known of a video's sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFacts {
    /// As RFC 6381 writes it: `mp4a.40.2` is AAC-LC.
    pub codec: String,
    /// How many channels.
    pub channels: u32,
}

/// Which rule a file breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The kind of file.
    Container,
    /// How the picture is coded.
    VideoCodec,
    /// How the sound is coded.
    AudioCodec,
    /// How many channels the sound has.
    Channels,
    /// Frames a second.
    Rate,
    /// Pixels a side.
    Size,
    /// How long the longer side is beside the shorter.
    Shape,
    /// Bytes of the file.
    Bytes,
    /// Seconds.
    Length,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub rule: Rule,
    /// What the network takes and what the file has, as a person should read it.
    pub text: String,
}

/// A codec: what people call it, and how its names after RFC 6381 begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    /// What people call it.
    pub name: &'static str,
    /// How its names after RFC 6381 begin.
    pub starts: &'static [&'static str],
}

const H264: Codec = Codec { name: "H.264", starts: &["avc1", "avc3"] };
const H265: Codec = Codec { name: "H.265", starts: &["hvc1", "hev1"] };
const VP8: Codec = Codec { name: "VP8", starts: &["vp8", "vp08"] };
const VP9: Codec = Codec { name: "VP9", starts: &["vp9", "vp09"] };
const AAC_LC: Codec = Codec { name: "AAC-LC", starts: &["mp4a.40.2"] };

/// What a network demands of a video file.
#[derive(Debug, Clone, PartialEq)]
pub struct Demands {
    /// The network's own spelling of its name.
    pub network: &'static str,
    /// MIME types.
    pub containers: &'static [&'static str],
    /// Codecs of the picture.
    pub video: &'static [Codec],
    /// Codecs of the sound; empty where the network names none.
    pub audio: &'static [Codec],
    /// The most channels of the sound.
    pub max_channels: u32,
    /// Frames a second.
    pub fps: RangeInclusive<f64>,
    /// Pixels of the shorter side.
    pub shorter: RangeInclusive<u32>,
    /// Pixels of the longer side.
    pub longer: RangeInclusive<u32>,
    /// The longer side is at most so many times the shorter.
    pub max_ratio: f64,
    /// The most bytes of the file.
    pub max_bytes: u64,
    /// Milliseconds.
    pub duration_ms: RangeInclusive<u64>,
}

/// TikTok's Content Posting API. A creator's own limit (`max_video_post_duration_sec`) may be shorter than its 10
/// minutes. The least of 3 s is what clients of the API report.
pub const TIKTOK: Demands = Demands {
    network: "TikTok",
    containers: &["video/mp4", "video/quicktime", "video/webm"],
    video: &[H264, H265, VP8, VP9],
    audio: &[],
    max_channels: u32::MAX,
    fps: 23.0..=60.0,
    shorter: 360..=4096,
    longer: 360..=4096,
    max_ratio: f64::INFINITY,
    max_bytes: 4_000_000_000,
    duration_ms: 3_000..=600_000,
};

/// X's API v2, for every account. X's own pages disagree: on the length (140 s or 20 minutes) and the bytes (512 MB or
/// 8 GB) the stricter stands here; on the size (1280x1024; 1920x1200 and 1200x1900; 1080p for subscribers) the
/// sides that let 1080x1920 through, which X takes in practice and scales down for accounts without a subscription.
pub const X: Demands = Demands {
    network: "X",
    containers: &["video/mp4", "video/quicktime"],
    video: &[H264],
    audio: &[AAC_LC],
    max_channels: 2,
    fps: 0.0..=60.0,
    shorter: 32..=1200,
    longer: 32..=1920,
    max_ratio: 3.0,
    max_bytes: 512_000_000,
    duration_ms: 500..=140_000,
};

/// What a network demands; `None` for the local feed, which takes anything that a browser plays, and for
/// Mastodon, where each server says for itself.
pub const fn demands(network: Network) -> Option<&'static Demands> {
    match network {
        Network::Feed | Network::Mastodon => None,
        Network::TikTok => Some(&TIKTOK),
        Network::X => Some(&X),
    }
}

/// A measured rate differs from the true one by no more than this.
const RATE_TOLERANCE: f64 = 0.01;

/// Every demand of the network that the file does not meet; empty where it may be sent.
pub fn check(facts: &VideoFacts, network: Network) -> Vec<Problem> {
    demands(network).map_or_else(Vec::new, |demands| demands.check(facts))
}

impl Demands {
    fn check(&self, facts: &VideoFacts) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut demand = |kept: bool, rule: Rule, takes: String, has: String| {
            if !kept {
                let text = format!("{} takes {takes}; the video has {has}.", self.network);
                problems.push(Problem { rule, text });
            }
        };

        let containers = self.containers.contains(&facts.content_type.as_str());
        let types = self.containers.join(", ");
        demand(containers, Rule::Container, types, facts.content_type.clone());

        let video = one_of(self.video, &facts.video_codec);
        demand(video, Rule::VideoCodec, names(self.video), facts.video_codec.clone());
        if let Some(audio) = &facts.audio {
            let known = self.audio.is_empty() || one_of(self.audio, &audio.codec);
            demand(known, Rule::AudioCodec, names(self.audio), audio.codec.clone());
            let (most, channels) = (self.max_channels, audio.channels);
            let takes = format!("at most {most} channels of sound");
            demand(channels <= most, Rule::Channels, takes, channels.to_string());
        }

        let (least, most) = (self.fps.start(), self.fps.end());
        let rate = (least - RATE_TOLERANCE..=most + RATE_TOLERANCE).contains(&facts.fps);
        let takes = format!("{least} to {most} frames a second");
        demand(rate, Rule::Rate, takes, format!("{:.2}", facts.fps));

        let (shorter, longer) = (facts.width.min(facts.height), facts.width.max(facts.height));
        let size = self.shorter.contains(&shorter) && self.longer.contains(&longer);
        let takes = format!(
            "{} to {} pixels on the shorter side and {} to {} on the longer",
            self.shorter.start(),
            self.shorter.end(),
            self.longer.start(),
            self.longer.end()
        );
        demand(size, Rule::Size, takes, format!("{}x{}", facts.width, facts.height));
        let ratio = f64::from(longer) / f64::from(shorter.max(1));
        let takes = format!("pictures at most {} times as long as wide", self.max_ratio);
        demand(ratio <= self.max_ratio, Rule::Shape, takes, format!("{ratio:.2} times"));

        let takes = format!("at most {} MB", self.max_bytes / 1_000_000);
        let has = format!("{} MB", facts.bytes.div_ceil(1_000_000));
        demand(facts.bytes <= self.max_bytes, Rule::Bytes, takes, has);

        let seconds = |ms: u64| Seconds(ms).to_string();
        let (least, most) = (self.duration_ms.start(), self.duration_ms.end());
        let takes = format!("{} to {} s", seconds(*least), seconds(*most));
        let length = self.duration_ms.contains(&facts.duration_ms);
        demand(length, Rule::Length, takes, format!("{} s", seconds(facts.duration_ms)));
        problems
    }
}

fn one_of(codecs: &[Codec], name: &str) -> bool {
    codecs.iter().flat_map(|codec| codec.starts).any(|start| name.starts_with(start))
}

fn names(codecs: &[Codec]) -> String {
    codecs.iter().map(|codec| codec.name).collect::<Vec<_>>().join(", ")
}

/// Milliseconds, written as seconds: `3`, `0.5`, `140.001`.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, rest) => {
                let rest = format!("{rest:03}");
                write!(f, "{whole}.{}", rest.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the line makes.
    fn ours() -> VideoFacts {
        VideoFacts {
            content_type: "video/mp4".into(),
            width: 1080,
            height: 1920,
            fps: 30.0,
            duration_ms: 21_000,
            bytes: 14_000_000,
            video_codec: "avc1.640028".into(),
            audio: Some(AudioFacts { codec: "mp4a.40.2".into(), channels: 2 }),
        }
    }

    fn broken(network: Network, change: impl FnOnce(&mut VideoFacts)) -> Vec<Rule> {
        let mut facts = ours();
        change(&mut facts);
        check(&facts, network).into_iter().map(|problem| problem.rule).collect()
    }

    #[test]
    fn what_the_line_makes_goes_everywhere() {
        for network in Network::ALL {
            assert_eq!(check(&ours(), network), []);
            assert_eq!(broken(network, |v| (v.width, v.height) = (720, 1280)), []);
            assert_eq!(broken(network, |v| v.audio = None), []);
        }
    }

    #[test]
    fn every_border_is_where_the_network_drew_it() {
        use Network::{TikTok, X};
        type Change = fn(&mut VideoFacts);
        let cases: [(Network, Change, &[Rule]); 24] = [
            (TikTok, |v| v.fps = 23.0, &[]),
            (TikTok, |v| v.fps = 24_000.0 / 1001.0, &[]),
            (TikTok, |v| v.fps = 22.9, &[Rule::Rate]),
            (TikTok, |v| v.fps = 60.1, &[Rule::Rate]),
            (TikTok, |v| v.width = 360, &[]),
            (TikTok, |v| v.width = 359, &[Rule::Size]),
            (TikTok, |v| v.height = 4096, &[]),
            (TikTok, |v| v.height = 4097, &[Rule::Size]),
            (TikTok, |v| v.bytes = 4_000_000_000, &[]),
            (TikTok, |v| v.bytes = 4_000_000_001, &[Rule::Bytes]),
            (TikTok, |v| v.duration_ms = 600_000, &[]),
            (TikTok, |v| v.duration_ms = 600_001, &[Rule::Length]),
            (TikTok, |v| v.content_type = "video/webm".into(), &[]),
            (TikTok, |v| v.content_type = "video/x-msvideo".into(), &[Rule::Container]),
            (TikTok, |v| v.video_codec = "vp09.00.10.08".into(), &[]),
            (TikTok, |v| v.video_codec = "av01.0.04M.08".into(), &[Rule::VideoCodec]),
            (X, |v| v.video_codec = "hvc1.1.6.L93.B0".into(), &[Rule::VideoCodec]),
            (X, |v| v.duration_ms = 140_000, &[]),
            (X, |v| v.duration_ms = 140_001, &[Rule::Length]),
            (X, |v| v.duration_ms = 499, &[Rule::Length]),
            (X, |v| v.bytes = 512_000_001, &[Rule::Bytes]),
            (X, |v| (v.width, v.height) = (1920, 1201), &[Rule::Size]),
            (X, |v| (v.width, v.height) = (600, 1801), &[Rule::Shape]),
            (X, |v| v.fps = 60.0, &[]),
        ];
        for (at, (network, change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(broken(network, change), expected, "case {at} on {network}");
        }
        let sound = |codec: &str, channels| Some(AudioFacts { codec: codec.into(), channels });
        assert_eq!(broken(X, |v| v.audio = sound("mp4a.40.5", 2)), [Rule::AudioCodec]);
        assert_eq!(broken(X, |v| v.audio = sound("mp4a.40.2", 6)), [Rule::Channels]);
        assert_eq!(broken(TikTok, |v| v.audio = sound("opus", 6)), []);
    }

    #[test]
    fn a_problem_tells_what_is_taken_and_what_is_there() {
        let mut facts = ours();
        facts.fps = 15.0;
        facts.duration_ms = 2_500;
        let texts: Vec<_> =
            check(&facts, Network::TikTok).into_iter().map(|problem| problem.text).collect();
        assert_eq!(
            texts,
            [
                "TikTok takes 23 to 60 frames a second; the video has 15.00.",
                "TikTok takes 3 to 600 s; the video has 2.5 s.",
            ]
        );
    }

    #[test]
    fn the_feed_takes_anything_and_the_tests_size_breaks_one_rule_only() {
        let odd = |v: &mut VideoFacts| *v = VideoFacts { fps: 1.0, bytes: u64::MAX, ..ours() };
        assert_eq!(broken(Network::Feed, odd), []);
        assert_eq!(broken(Network::TikTok, |v| (v.width, v.height) = (180, 320)), [Rule::Size]);
        assert_eq!(broken(Network::X, |v| (v.width, v.height) = (180, 320)), []);
    }
}
