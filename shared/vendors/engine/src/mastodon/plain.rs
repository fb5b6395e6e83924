//! What a status says, whatever its server made of it.
//!
//! Servers turn a text into HTML: lines into paragraphs, links into anchors whose text may be shortened or hidden in
//! parts, names at other servers into names without their server. So texts are compared by what is left without white
//! space, tags and that. A server may also read marks into a text (`*so*`), which no comparison undoes: what is much
//! alike and not the same is told apart from what is something else, so that nobody takes it for the one or the other.
//!
//! What people write under a status is read in the same way: without its HTML.
//!
//! **Never here:** showing HTML: what is shown of a status is plain text.

use std::collections::BTreeSet;

/// What HTML says, as plain text: lines where it has lines, without empty ones at its ends and in rows.
pub(super) fn text(html: &str) -> String {
    let (seen, _) = readings(html);
    let mut text = String::with_capacity(seen.len());
    for line in seen.lines().map(str::trim) {
        if line.is_empty() && (text.is_empty() || text.ends_with("\n\n")) {
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// How a status stands to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It says that.
    Same,
    /// It may say that: most of the text's words stand in it.
    Alike,
    /// It says something else.
    Other,
}

/// How a status of this HTML, or of this source where its server keeps one, stands to a text.
pub(super) fn likeness(content: &str, source: Option<&str>, text: &str) -> Likeness {
    let wanted = squeezed(text);
    let (seen, linked) = readings(content);
    if source.is_some_and(|source| squeezed(source) == wanted)
        || [&seen, &linked].into_iter().any(|reading| squeezed(reading) == wanted)
    {
        return Likeness::Same;
    }
    let (ours, theirs) = (words(text), words(&format!("{seen} {linked}")));
    let common = ours.intersection(&theirs).count();
    // Three of four: a post of the same shop about something else shares its hashtags, and few words beside.
    if !ours.is_empty() && common * 4 >= ours.len() * 3 { Likeness::Alike } else { Likeness::Other }
}

/// Without white space, what cannot be seen, and the servers of names.
fn squeezed(text: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut squeezed = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let (_, after) = rest.split_at(c.len_utf8());
        rest = after;
        if c == '@' && !is_name(before) {
            let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            if let Some(server) = after.strip_prefix('@').filter(|_| !name.is_empty()) {
                let end = server.find(|c: char| !is_name(c) && !matches!(c, '.' | '-'));
                let (host, _) = server.split_at(end.unwrap_or(server.len()));
                // A full stop behind it ends the sentence.
                let host = host.trim_end_matches(['.', '-']);
                if !host.is_empty() {
                    squeezed.push('@');
                    squeezed.push_str(name);
                    rest = server.split_at(host.len()).1;
                    before = 'x';
                    continue;
                }
            }
        }
        if !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{feff}' | '\u{2060}') {
            squeezed.push(c);
        }
        before = c;
    }
    squeezed
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// What HTML says, read in two ways: as it is seen, and with what links lead to in the place of what they say.
fn readings(html: &str) -> (String, String) {
    let (mut seen, mut linked) = (String::new(), String::new());
    // Where a link leads, and from where on its text stands in what is seen.
    let mut link: Option<(String, usize)> = None;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        push(&mut seen, &mut linked, link.is_some(), before);
        let Some((tag, after)) = tag(from) else {
            let (angle, after) = from.split_at(1);
            push(&mut seen, &mut linked, link.is_some(), angle);
            rest = after;
            continue;
        };
        rest = after;
        if link.is_some() && (tag.name == "a" || tag.name == "/a") {
            end_link(&mut link, &seen, &mut linked);
        }
        match tag.name.as_str() {
            "a" => link = tag.href.map(|href| (href, seen.len())),
            // Marks within a line do not part words; everything else does.
            "/a" | "span" | "/span" | "b" | "/b" | "i" | "/i" | "u" | "/u" | "em" | "/em"
            | "strong" | "/strong" | "bdi" | "/bdi" => {}
            _ => push(&mut seen, &mut linked, link.is_some(), "\n"),
        }
    }
    push(&mut seen, &mut linked, link.is_some(), rest);
    end_link(&mut link, &seen, &mut linked);
    (seen, linked)
}

fn push(seen: &mut String, linked: &mut String, in_link: bool, html: &str) {
    let text = decoded(html);
    if !in_link {
        linked.push_str(&text);
    }
    seen.push_str(&text);
}

/// A link ends. The text of names and hashtags stays: they lead to pages of the server.
fn end_link(link: &mut Option<(String, usize)>, seen: &str, linked: &mut String) {
    let Some((href, from)) = link.take() else { return };
    let text = seen.get(from..).unwrap_or_default();
    linked.push_str(if text.trim_start().starts_with(['#', '@']) { text } else { &href });
}

struct Tag {
    /// In small letters, with the slash of one that ends something.
    name: String,
    href: Option<String>,
}

/// The tag with which this begins, and what follows it.
fn tag(html: &str) -> Option<(Tag, &str)> {
    if let Some(comment) = html.strip_prefix("<!--") {
        let (_, after) = comment.split_once("-->")?;
        return Some((Tag { name: String::new(), href: None }, after));
    }
    let inner = html.strip_prefix('<')?;
    let begins = inner.strip_prefix('/').unwrap_or(inner);
    if !begins.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut quote = None;
    let end = inner.char_indices().find(|(_, c)| match (quote, *c) {
        (None, '>') => true,
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (Some(open), c) if c == open => {
            quote = None;
            false
        }
        _ => false,
    });
    let (whole, after) = inner.split_at(end?.0);
    let after = after.strip_prefix('>')?;
    let whole = whole.trim_end_matches('/');
    let name_ends = whole.find(char::is_whitespace).unwrap_or(whole.len());
    let (name, attributes) = whole.split_at(name_ends);
    Some((Tag { name: name.to_ascii_lowercase(), href: href(attributes) }, after))
}

fn href(attributes: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        let (name, after) = rest.split_once('=')?;
        let value = after.trim_start();
        let (value, after) = match value.chars().next()? {
            quote @ ('"' | '\'') => value.split_at(1).1.split_once(quote)?,
            _ => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        if name.trim().eq_ignore_ascii_case("href") {
            return Some(decoded(value));
        }
        rest = after;
    }
}

/// The longest name of a character that is looked for.
const LONGEST_NAME: usize = 10;

/// With characters in the place of their names.
fn decoded(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, from)) = rest.split_once('&') {
        text.push_str(before);
        match from.split_once(';').and_then(|(name, after)| Some((named(name)?, after))) {
            Some((c, after)) => {
                text.push(c);
                rest = after;
            }
            None => {
                text.push('&');
                rest = from;
            }
        }
    }
    text.push_str(rest);
    text
}

fn named(name: &str) -> Option<char> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']);
        let number = match hexadecimal {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(number.ok()?);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(content: &str, text: &str) -> Likeness {
        likeness(content, None, text)
    }

    #[test]
    fn what_mastodon_makes_of_a_text_says_the_same() {
        let text = "Two cups & a view: 3 < 4 \"really\".\n\nAsk @ada@other.example, or @bob.\r\n\
                    https://shop.example/l/abc?a=1&b=2 #Coffee #Café";
        let content = "<p>Two cups &amp; a view: 3 &lt; 4 &quot;really&quot;.</p><p>Ask <span class=\"h-card\" \
                       translate=\"no\"><a href=\"https://other.example/@ada\" class=\"u-url mention\">@<span>ada\
                       </span></a></span>, or @bob.<br /><a href=\"https://shop.example/l/abc?a=1&amp;b=2\" \
                       rel=\"nofollow\"><span class=\"invisible\">https://</span><span class=\"ellipsis\">\
                       shop.example/l/</span><span class=\"invisible\">abc?a=1&amp;b=2</span></a> <a \
                       href=\"https://social.example/tags/Coffee\" class=\"mention hashtag\" rel=\"tag\">#<span>\
                       Coffee</span></a> <a href=\"https://social.example/tags/Caf%C3%A9\">#<span>Café</span></a></p>";
        assert_eq!(of(content, text), Likeness::Same);
    }

    #[test]
    fn a_link_whose_text_a_server_shortened_says_where_it_leads() {
        let content =
            "See <a href='https://shop.example/a-long-way'>shop.example/a-lo…</a>.<br>Soon";
        assert_eq!(of(content, "See https://shop.example/a-long-way.\nSoon"), Likeness::Same);
    }

    #[test]
    fn what_snac_makes_of_a_text_says_the_same_by_its_source_and_is_alike_without() {
        let text = "The *best* coffee in town, today from nine to five :-)";
        let content = "The <i>best</i> coffee in town, today from nine to five &#128578;<br>";
        assert_eq!(likeness(content, Some(text), text), Likeness::Same);
        assert_eq!(of(content, text), Likeness::Alike);
    }

    #[test]
    fn another_post_is_another_though_it_shares_its_hashtags() {
        let content = "<p>Tea, green and fresh, all of Monday. #Luna #Coffee</p>";
        assert_eq!(
            of(content, "Espresso at noon for everyone who asks. #Luna #Coffee"),
            Likeness::Other
        );
        assert_eq!(of("", "Espresso"), Likeness::Other);
        assert_eq!(of("<p></p>", "?!"), Likeness::Other);
    }

    #[test]
    fn broken_html_is_read_as_far_as_it_goes() {
        for (content, text) in [
            ("a < b", "a < b"),
            ("a <3 you", "a <3 you"),
            ("a <b", "a <b"),
            ("&nope; &#xZZ; &#1114112; &", "&nope; &#xZZ; &#1114112; &"),
            ("<!-- x -->a", "a"),
            ("<!-- x a", "<!-- x a"),
            ("<a href=https://a.example >here", "https://a.example"),
            (
                "<a href=\"https://a.example\">a<a href='https://b.example'>b</a>",
                "https://a.examplehttps://b.example",
            ),
            ("<img alt='>' src=x>a", "a"),
        ] {
            assert_eq!(of(content, text), Likeness::Same, "{content}");
        }
    }

    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    }

    proptest! {
        #[test]
        fn nothing_panics_and_an_escaped_text_says_itself(text in "\\PC{0,60}", odd in "[<>/a-z\"'=&;#@. é\n]{0,60}") {
            of(&odd, &text);
            of(&text, &odd);
            likeness(&odd, Some(&text), &odd);
            let lines: Vec<String> = text.split(' ').map(|part| format!("<p>{}</p>", escaped(part))).collect();
            prop_assert_eq!(of(&lines.concat(), &text), Likeness::Same);
        }
    }
}
