//! The copy of one brief, part by part, always in both languages at once: a part that does not fit in one is left out
//! of the other.

use nexus_engine::copy::{Brief, hashtags, limits};
use nexus_engine::narration::sentences;
use nexus_engine::publishing::Network;
use nexus_engine::tagging::{Label, LabelKind};
use nexus_engine::translation::protected;

use super::dictionary::Dictionary;
use super::merchant::{Quote, Told, clean};
use super::niche::Niche;
use super::phrases::{Dice, Pair, Phrases, Values};
use super::tone::Tone;

/// A colour that takes less of the picture is not spoken of.
const LEAST_COLOUR: f64 = 0.15;
/// A thing that a labeller is less sure of is not spoken of.
const LEAST_THING: f64 = 0.8;
/// The sentences of a script.
const SENTENCES: std::ops::RangeInclusive<usize> = 4..=6;
/// A script of fewer words takes less than a quarter of a minute, so a thought is added while there is room.
const WORDS: usize = 34;
/// The most characters of a sentence that is spoken.
const SPOKEN: usize = 170;
/// The most characters of what stands before and after the merchant's words in a description, each.
const FRAME: usize = 350;
/// Characters that a description keeps for the thought that leads to a list of data.
const THOUGHT: usize = 250;

/// What the copy is about, ready to be put into phrases.
pub(super) struct Post<'a> {
    brief: &'a Brief,
    phrases: &'a Phrases,
    niche: Niche,
    tone: Tone,
    dice: Dice,
    values: Values,
    /// The product's name; empty where the post is about the business alone.
    product: String,
    business: String,
    url: Option<String>,
    told: Told,
    colours: Vec<Pair>,
    things: Vec<Pair>,
}

impl<'a> Post<'a> {
    pub(super) fn about(brief: &'a Brief, phrases: &'a Phrases, dictionary: &Dictionary) -> Self {
        let facts = brief.product.as_ref();
        let product = facts.map(|f| clean(&f.name)).unwrap_or_default();
        let business = clean(&brief.voice.business_name);
        let facts = facts.filter(|_| !product.is_empty());
        let url = facts.and_then(|f| f.url.as_deref()).map(clean).filter(|u| !u.is_empty());
        let price = facts.and_then(|f| f.price).filter(|p| p.minor > 0);

        let mut values = Values::default();
        values.set("product", Pair::same(&product));
        values.set("business", Pair::same(&business));
        values.set("url", Pair::same(url.clone().unwrap_or_default()));
        values.set("price", Pair::same(price.map(|p| p.to_string()).unwrap_or_default()));

        let colours = brief.labels.iter().filter(|l| is_sure_colour(l));
        let things = brief.labels.iter().filter(|l| is_sure_thing(l));
        let vertical = facts.map(|f| f.vertical.as_str()).unwrap_or_default();
        Self {
            brief,
            phrases,
            niche: Niche::of([vertical, &brief.voice.niche]),
            tone: Tone::of(&brief.voice.brand_voice),
            dice: Dice(brief.seed),
            values,
            product,
            business,
            url,
            told: Told::by(brief),
            colours: each_once(colours.filter_map(|l| dictionary.colour(&l.name))),
            things: each_once(things.filter_map(|l| dictionary.thing(&l.name))),
        }
    }

    /// The caption for a network: the fullest of several plans that leaves room for hashtags in both languages.
    pub(super) fn caption(&self, network: Network, tags: &[String]) -> Pair {
        // Each network gets another hook; of the merchant's words, so many characters: a sentence, and in all.
        let (nth, longest, most) = match network {
            Network::Feed => (0, 240, 420),
            Network::TikTok => (1, 200, 200),
            Network::X => (2, 150, 150),
            Network::Mastodon => (3, 200, 260),
        };
        let (hook, body) = ([self.opening(nth)], [self.body(longest, most)]);
        let more = match network {
            Network::TikTok => self.voiced("ask"),
            Network::Feed | Network::X | Network::Mastodon => {
                self.voiced("link").or_else(|| self.voiced("ask"))
            }
        };
        let last = [self.price(), Vec::from_iter(more)].concat();
        let picture = if network == Network::Feed { self.picture() } else { Vec::new() };

        let paragraphs = |plan: [&[Pair]; 4]| {
            Pair::joined(&plan.map(|paragraph| Pair::joined(paragraph, " ")), "\n\n")
        };
        let plans = [
            paragraphs([&hook, &body, &picture, &last]),
            paragraphs([&hook, &body, &[], &last]),
            paragraphs([&hook, &[], &[], &last]),
            paragraphs([&hook, &[], &[], &[]]),
        ];
        let fits = |text: &str| limits::fits_with_hashtags(text, tags, network);
        let full = plans.into_iter().find(|plan| plan.both(|text| !text.is_empty() && fits(text)));
        full.unwrap_or_else(|| self.bare(&fits))
    }

    /// A description for a product page: the merchant's own words, between what it is and where there is more.
    pub(super) fn description(&self) -> Pair {
        let is_short = |text: &str| text.chars().count() <= FRAME;
        let first = self.voiced("about").unwrap_or_else(|| self.opening(0));
        let first = if first.both(is_short) { first } else { self.line(0) };
        let last = Pair::joined(&[self.price(), Vec::from_iter(self.voiced("link"))].concat(), " ");
        let last = if last.both(is_short) { last } else { Pair::same("") };
        let around = Pair::joined(&[first.clone(), last.clone()], "\n\n\n\n");

        let whole = |told: &Option<String>, around: &str| {
            let room = limits::DESCRIPTION.saturating_sub(around.chars().count());
            let told = told.as_deref().unwrap_or_default();
            limits::shortened(told, &|text| text.chars().count() <= room)
        };
        let (en, es) = (whole(&self.told.en, &around.en), whole(&self.told.es, &around.es));
        let body = match (en.is_empty(), es.is_empty()) {
            (false, false) => Pair { en, es },
            (true, true) => Pair::joined(&[vec![self.line(1)], self.picture()].concat(), " "),
            (false, true) => Pair { es: self.instead_of(&en, &around.es).es, en },
            (true, false) => Pair { en: self.instead_of(&es, &around.en).en, es },
        };
        Pair::joined(&[first, body, last], "\n\n")
    }

    /// What stands in a description where the merchant's words are there in the other language only: a sentence that
    /// leads to them, and their numbers and names, since these need no translation.
    fn instead_of(&self, quoted: &str, around: &str) -> Pair {
        let mut data = protected::find(quoted, &self.terms());
        let named = data.iter().position(|part| *part == self.product);
        if let Some(at) = named {
            data.remove(at);
        }
        let thought = self.thought(named.is_some());
        let most = limits::DESCRIPTION.saturating_sub(around.chars().count() + THOUGHT);
        let data = limits::shortened(&data.join(" · "), &|text| text.chars().count() <= most);
        let values = self.values.with("data", Pair::same(data));
        let data = self.phrases.choose("voices/data", 0, self.dice, &values);
        Pair::joined(&[vec![thought], Vec::from_iter(data)].concat(), " ")
    }

    /// Hashtags from the tenant's own words, the same in both languages.
    pub(super) fn hashtags(&self) -> Vec<String> {
        let facts = self.brief.product.as_ref();
        let keywords: Vec<&str> =
            facts.map(|f| f.keywords.iter().map(String::as_str).collect()).unwrap_or_default();
        let things = self.brief.labels.iter().filter(|l| is_sure_thing(l));
        let mut words = keywords.get(..1).unwrap_or_default().to_vec();
        words.push(&self.business);
        words.extend(keywords.iter().skip(1).take(4));
        words.push(&self.product);
        let business = [self.brief.voice.niche.as_str()].into_iter();
        let business = business.chain(facts.map(|f| f.vertical.as_str()));
        words.extend(business.filter(|text| text.split_whitespace().count() <= 3));
        words.extend(things.take(4).map(|l| l.name.as_str()));
        hashtags::from_words(words)
    }

    /// What a video engine is asked for; it may add nothing to the photo.
    pub(super) fn video_prompt(&self) -> String {
        let of = if self.product.is_empty() { &self.business } else { &self.product };
        let of = if of.is_empty() { String::new() } else { format!(" ({of})") };
        let colours: Vec<&str> = self.colours.iter().take(2).map(|c| c.en.as_str()).collect();
        let colours = match colours.as_slice() {
            [] => String::new(),
            colours => format!(" Keep its colors: {}.", colours.join(" and ")),
        };
        let prompt = format!(
            "Vertical 9:16 video of the supplied photo{of}. Keep everything in it exactly as it is; add no objects, \
             people or text. {}{colours}",
            self.tone.motion()
        );
        limits::shortened(&prompt, &|text| text.chars().count() <= limits::VIDEO_PROMPT)
    }

    /// What is spoken: an opening, the merchant's words, a thought, the price, a close; four to six sentences.
    pub(super) fn script(&self) -> Vec<Pair> {
        let opening = in_sentences(self.opening(3));
        let quote = self.quote(SPOKEN, SPOKEN);
        let quoted = quote.en.len().max(quote.es.len()).min(2);
        let quoted = (0..quoted).map(|i| self.quoted(&quote, i));
        let price = self.say("voices/price/spoken", 0);
        let about = if self.product.is_empty() { "bye" } else { "close" };
        let close = self.voiced(about).filter(is_speakable);

        let mut script: Vec<Pair> =
            opening.into_iter().chain(quoted).filter(is_speakable).collect();
        let after: Vec<Pair> = price.into_iter().filter(is_speakable).chain(close).collect();
        let room = SENTENCES.end() - after.len();
        script.truncate(room);
        for (nth, thought) in (0..4).map(|nth| (nth, self.line(nth))) {
            let words = script.iter().chain(&after).map(|s| s.en.split_whitespace().count()).sum();
            let is_short = script.len() + after.len() < *SENTENCES.start() || WORDS > words;
            let is_said = script.iter().any(|s| s.en == thought.en || s.es == thought.es);
            if !is_said && (is_short || nth == 0) && script.len() < room {
                script.push(thought);
            }
        }
        script.extend(after);
        script
    }

    /// The beginning of a text: the product, or a greeting where there is none, or a thought where nobody is named.
    fn opening(&self, nth: u64) -> Pair {
        let (niche, tone) = (self.niche.name(), self.tone.name());
        let greet = || match nth % 2 {
            0 => self.say(&format!("{niche}/greet/{tone}"), nth).or_else(|| self.voiced("greet")),
            _ => self.voiced("greet"),
        };
        let hook = match self.product.is_empty() {
            true => greet(),
            false => self.say(&format!("{niche}/hook/{tone}"), nth),
        };
        hook.unwrap_or_else(|| self.line(3))
    }

    /// The merchant's own sentences, or a thought on the line of business.
    fn body(&self, longest: usize, most: usize) -> Pair {
        let quote = self.quote(longest, most);
        if quote.en.is_empty() && quote.es.is_empty() {
            return self.line(1);
        }
        let stand_in = self.stand_in(&quote, 0);
        let text = |quoted: &[String], instead: String| {
            if quoted.is_empty() { instead } else { quoted.join(" ") }
        };
        Pair { en: text(&quote.en, stand_in.en), es: text(&quote.es, stand_in.es) }
    }

    fn quote(&self, longest: usize, most: usize) -> Quote {
        self.told.quotes(&self.product, &self.brand_terms(), longest, most)
    }

    /// The i-th sentence of a quote in both languages.
    fn quoted(&self, quote: &Quote, i: usize) -> Pair {
        let stand_in = self.stand_in(quote, i);
        Pair {
            en: quote.en.get(i).cloned().unwrap_or(stand_in.en),
            es: quote.es.get(i).cloned().unwrap_or(stand_in.es),
        }
    }

    /// What is said in place of a quote's i-th sentence in the language that does not have it.
    fn stand_in(&self, quote: &Quote, i: usize) -> Pair {
        match i {
            0 => self.thought(quote.names_product),
            _ => self.line(u64::try_from(i).unwrap_or_default() + 1),
        }
    }

    /// What leads to the product where its description cannot: by its name or without; a thought on the line of
    /// business where there is no product.
    fn thought(&self, by_name: bool) -> Pair {
        let part = if by_name { "voices/worth/named" } else { "voices/worth/unnamed" };
        let worth = Some(&self.product).filter(|p| !p.is_empty()).and_then(|_| self.say(part, 0));
        worth.unwrap_or_else(|| self.line(1))
    }

    /// What may be told of the picture, by its labels: its colours, or what it shows where there is no product.
    fn picture(&self) -> Vec<Pair> {
        let about_looks =
            matches!(self.niche, Niche::Fashion | Niche::Beauty | Niche::Home | Niche::General);
        if self.product.is_empty() && !self.things.is_empty() {
            let things = Pair::joined(self.things.get(..4).unwrap_or(&self.things), ", ");
            let values = self.values.with("things", things);
            return Vec::from_iter(self.phrases.choose("voices/seen", 0, self.dice, &values));
        }
        if !self.product.is_empty() && !about_looks {
            return Vec::new();
        }
        let (part, values) = match self.colours.as_slice() {
            [] => return Vec::new(),
            [only] => ("voices/colour/one", self.values.with("first", only.clone())),
            [first, second, ..] => {
                let values = self.values.with("first", first.clone());
                ("voices/colour/two", values.with("second", second.clone()))
            }
        };
        Vec::from_iter(self.phrases.choose(part, 0, self.dice, &values))
    }

    fn price(&self) -> Vec<Pair> {
        let own = self.say(&format!("voices/price/{}", self.tone.name()), 0);
        Vec::from_iter(own.or_else(|| self.say("voices/price", 0)))
    }

    /// A phrase of the tone.
    fn voiced(&self, part: &str) -> Option<Pair> {
        self.say(&format!("voices/{part}/{}", self.tone.name()), 0)
    }

    /// A thought on the line of business that needs no value; `nth` from 0 to 3 are different ones.
    fn line(&self, nth: u64) -> Pair {
        let line = self.say(&format!("{}/line", self.niche.name()), nth);
        line.unwrap_or_else(|| Pair::same(""))
    }

    fn say(&self, part: &str, nth: u64) -> Option<Pair> {
        self.phrases.choose(part, nth, self.dice, &self.values)
    }

    /// As much of the name as fits, with the address where there is room; the same in both languages.
    fn bare(&self, fits: &dyn Fn(&str) -> bool) -> Pair {
        let name = if self.product.is_empty() { &self.business } else { &self.product };
        let linked = |text: &str| match &self.url {
            Some(url) => format!("{text}\n\n{url}"),
            None => text.to_owned(),
        };
        let short = limits::shortened(name, &|text| fits(&linked(text)));
        if !short.is_empty() {
            return Pair::same(linked(&short));
        }
        let short = limits::shortened(name, fits);
        if short.is_empty() { self.line(0) } else { Pair::same(short) }
    }

    fn brand_terms(&self) -> Vec<String> {
        let mut terms = self.brief.brand_terms.clone();
        terms.extend(Some(self.business.clone()).filter(|b| !b.is_empty()));
        terms
    }

    fn terms(&self) -> Vec<String> {
        let mut terms = self.brand_terms();
        terms.extend(Some(self.product.clone()).filter(|p| !p.is_empty()));
        terms
    }
}

/// A hook in its sentences, where both languages have as many.
fn in_sentences(pair: Pair) -> Vec<Pair> {
    let (en, es) = (sentences::split(&pair.en), sentences::split(&pair.es));
    if en.len() != es.len() {
        return vec![pair];
    }
    en.into_iter().zip(es).map(|(en, es)| Pair { en: en.to_owned(), es: es.to_owned() }).collect()
}

fn is_speakable(pair: &Pair) -> bool {
    pair.both(|text| text.chars().count() <= limits::SENTENCE)
}

fn is_sure_colour(label: &Label) -> bool {
    label.kind == LabelKind::Colour && label.confidence >= LEAST_COLOUR
}

fn is_sure_thing(label: &Label) -> bool {
    matches!(label.kind, LabelKind::Keyword | LabelKind::Object) && label.confidence >= LEAST_THING
}

fn each_once(pairs: impl Iterator<Item = Pair>) -> Vec<Pair> {
    pairs.fold(Vec::new(), |mut once, pair| {
        if !once.iter().any(|known| known.en == pair.en || known.es == pair.es) {
            once.push(pair);
        }
        once
    })
}
