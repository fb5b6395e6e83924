//! From what the model wrote to words that may be kept.
//!
//! The prompt names limits that leave room. What is too long all the same is cut at the end of a sentence or word, so
//! that a draft does not fail for some characters; what cannot be mended so is a [`Refusal`].

use std::collections::{BTreeMap, BTreeSet};

use nexus_engine::copy::{Brief, Copy, Written, hashtags, limits};
use nexus_engine::narration::sentences;
use nexus_engine::publishing::Network;
use nexus_engine::translation::protected;
use nexus_kernel::Language;

use super::facts::{self, Facts};
use super::response::{self, Raw, Refusal};

/// The words, mended and checked.
///
/// # Errors
/// The English half breaks a rule that cutting does not mend. A Spanish half that does is left out.
pub(super) fn finished(raw: &Raw, brief: &Brief) -> Result<Written, Refusal> {
    let facts = Facts::of(brief);
    let english = &raw.english;
    let tags = hashtags::from_words(english.hashtags.iter().map(String::as_str));
    let tags: Vec<String> = tags.into_iter().filter(|tag| facts.bear(tag).is_ok()).collect();
    let video_prompt = shortened(&on_a_line(&english.video_prompt), limits::VIDEO_PROMPT);
    let half = |captions: &BTreeMap<String, String>, description: &str, script: &[String]| {
        let captions = response::by_network(captions, &brief.networks);
        let captions = captions.into_iter().map(|(network, text)| {
            let caption = caption(&text, &tags, network, brief);
            (network, caption)
        });
        Copy {
            captions: captions.collect(),
            description: shortened(&clean(description), limits::DESCRIPTION),
            hashtags: tags.clone(),
            video_prompt: video_prompt.clone(),
            script: self::script(script),
        }
    };
    let copy = half(&english.captions, &english.description, &english.script);
    check(&copy, brief, &facts, Language::En)?;
    let paired = raw.spanish.as_ref().map(|s| half(&s.captions, &s.description, &s.script));
    let checked = |spanish: &Copy| {
        check(spanish, brief, &facts, Language::Es)?;
        says_the_same(&copy, spanish, brief)
    };
    let paired = paired.filter(|spanish| match checked(spanish) {
        Ok(()) => true,
        Err(refusal) => {
            tracing::info!(code = refusal.code, "the Spanish half of Gemini's words is left out");
            false
        }
    });
    Ok(Written { copy, paired })
}

fn check(copy: &Copy, brief: &Brief, facts: &Facts, language: Language) -> Result<(), Refusal> {
    limits::check(copy, &brief.networks).map_err(|failure| {
        let fields: Vec<&str> = failure.fields().iter().map(|f| f.field.as_str()).collect();
        Refusal::new(
            "rules",
            format!("Gemini's words break a rule of length or form: {}.", fields.join(", ")),
        )
    })?;
    let unfounded = |what: &str| {
        Refusal::new("unfounded", format!("Gemini's words have {what}, so they were not taken."))
    };
    // The address under a caption is ours.
    let captions = copy.captions.values().map(|caption| without_address(caption, brief));
    let texts: Vec<&str> = captions
        .chain(std::iter::once(copy.description.as_str()))
        .chain(copy.script.iter().map(String::as_str))
        .collect();
    for text in &texts {
        facts.bear(text).map_err(unfounded)?;
    }
    facts.bear_contacts(&copy.video_prompt).map_err(unfounded)?;
    if !facts::is_in(language, &texts.join("\n")) {
        return Err(Refusal::new(
            "language",
            "Gemini's words are in another language than was asked for.",
        ));
    }
    Ok(())
}

/// Whether the Spanish half has the same links, names, numbers and amounts, to the byte. It may say them more or less
/// often: it is written, not translated.
fn says_the_same(english: &Copy, spanish: &Copy, brief: &Brief) -> Result<(), Refusal> {
    let mut terms = brief.brand_terms.clone();
    terms.extend(brief.product.iter().map(|product| product.name.clone()));
    let texts = |copy: &Copy| {
        let mut texts: Vec<String> = copy.captions.values().cloned().collect();
        texts.extend([copy.description.clone(), copy.script.join("\n")]);
        texts
    };
    let protected = |text: &String| BTreeSet::from_iter(protected::find(text, &terms));
    let same = texts(english).iter().map(protected).eq(texts(spanish).iter().map(protected));
    let why = "Gemini's Spanish words have other names or numbers than the English ones.";
    if same { Ok(()) } else { Err(Refusal::new("unfounded", why)) }
}

/// A caption with the product's address under it, as long as the network takes it with two hashtags; without the
/// address where there is no room for both.
fn caption(text: &str, tags: &[String], network: Network, brief: &Brief) -> String {
    let text = without_hashtags(&clean(text));
    let fits = |text: &str| limits::fits_with_hashtags(text, tags, network);
    let with_address = |text: &str| match address(brief) {
        Some(url) => format!("{text}\n\n{url}"),
        None => text.to_owned(),
    };
    let short = limits::shortened(&text, &|text| fits(&with_address(text)));
    if short.is_empty() { limits::shortened(&text, &fits) } else { with_address(&short) }
}

fn address(brief: &Brief) -> Option<&str> {
    brief.product.as_ref().and_then(|product| product.url.as_deref())
}

fn without_address<'a>(caption: &'a str, brief: &Brief) -> &'a str {
    let under = address(brief).and_then(|url| caption.strip_suffix(url));
    under.and_then(|caption| caption.strip_suffix("\n\n")).unwrap_or(caption)
}

/// The script in its sentences, each as long as can be read while it is heard.
fn script(raw: &[String]) -> Vec<String> {
    let lines: Vec<String> = raw.iter().map(|line| without_hashtags(&on_a_line(line))).collect();
    let sentences = lines.iter().flat_map(|line| sentences::split(line));
    let sentences = sentences.map(|sentence| shortened(sentence, limits::SENTENCE));
    sentences.filter(|sentence| !sentence.is_empty()).take(*limits::SCRIPT.end()).collect()
}

fn shortened(text: &str, most: usize) -> String {
    limits::shortened(text, &|text| text.chars().count() <= most)
}

/// Without what no text for people holds.
fn clean(text: &str) -> String {
    let kept = text.chars().filter(|c| *c == '\n' || !limits::is_unprintable(*c));
    kept.collect::<String>().trim().to_owned()
}

fn on_a_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Hashtags are set under a caption by us: lines of them go, and one within a sentence becomes a word.
fn without_hashtags(text: &str) -> String {
    let is_tags = |line: &&str| {
        let mut words = line.split_whitespace().peekable();
        words.peek().is_some() && words.all(|word| word.starts_with('#'))
    };
    let lines: Vec<&str> = text.lines().filter(|line| !is_tags(line)).collect();
    lines.join("\n").replace('#', "").trim().to_owned()
}
