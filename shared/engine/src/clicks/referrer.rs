//! From which page somebody came: its host and path, and nothing that was asked of it.

use url::Url;

use super::click::Referrer;
use super::scrub::{Told, bounded};
use super::spellings::Spellings;

/// The most characters of a host, as DNS has it.
const MAX_HOST: usize = 253;
/// The most characters of a path that are kept.
const MAX_PATH: usize = 200;

/// From which page somebody came, before its name was scrubbed. Of the same page the same is kept.
#[derive(Hash)]
pub struct Page {
    host: Told,
    path: Told,
}

impl Page {
    /// What the header `Referer` tells, without the client's own address; `None` where it names no page of the web or
    /// application.
    pub fn of(raw: &str, own: &Spellings) -> Option<Self> {
        let page = raw.trim().split(['?', '#']).next().unwrap_or_default();
        let url = Url::parse(bounded(page)).ok()?;
        // Android tells by which application: `android-app://org.example.mail/`.
        if !matches!(url.scheme(), "https" | "http" | "android-app") {
            return None;
        }
        let host = Told::of(&url.host_str()?.to_lowercase(), own);
        Some(Self { host, path: Told::of(url.path(), own) })
    }

    /// What is kept of it: host and path, without the shapes of addresses.
    pub fn kept(&self) -> Referrer {
        Referrer {
            host: cut(self.host.scrubbed_host(), MAX_HOST),
            path: cut(self.path.scrubbed(), MAX_PATH),
        }
    }
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.char_indices().nth(most).map_or(text.len(), |(end, _)| end));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<(String, String)> {
        let page = Page::of(raw, &Spellings::default())?;
        let Referrer { host, path } = page.kept();
        Some((host, path))
    }

    #[test]
    fn n8_a_referrer_is_a_host_and_a_path() {
        for (raw, host, path) in [
            (
                "https://www.TikTok.com/@bakery/video/1?lang=en&u=ada#x",
                "www.tiktok.com",
                "/@bakery/video/1",
            ),
            ("https://ada:secret@x.com/home", "x.com", "/home"),
            ("http://t.co", "t.co", "/"),
            ("android-app://com.google.android.gm/", "com.google.android.gm", "/"),
            ("https://203.0.113.9/p/203.0.113.9/q", "0.0.0.0", "/p/0.0.0.0/q"),
            ("https://0xcb007109/p", "0.0.0.0", "/p"),
            ("https://[2001:db8::7]:8443/p", "[::]", "/p"),
            ("https://203-0-113-9.dyn.example.net/", "0.0.0.0.dyn.example.net", "/"),
            ("https://p4fc1a2b3.dip0.example/", "0.0.0.0.dip0.example", "/"),
            ("https://a.example/visits/203%2E0%2E113%2E9", "a.example", "/visits/0.0.0.0"),
            ("https://a.example/ada@example.org/x", "a.example", "/@/x"),
        ] {
            assert_eq!(read(raw), Some((host.to_owned(), path.to_owned())), "{raw}");
        }
        for none in [
            "",
            "about:blank",
            "javascript:alert(1)",
            "data:text/html,x",
            "/p",
            "file:///etc/passwd",
            "https://",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        let long = format!("https://a.example/{}", "x/".repeat(2_500));
        assert_eq!(read(&long).unwrap().1.len(), MAX_PATH);
        let endless = format!("https://a.example/{}?q", "%25".repeat(50_000));
        assert_eq!(read(&endless), Some(("a.example".to_owned(), "/".to_owned())));
        let asked = format!("https://a.example/p?{}", "q".repeat(50_000));
        assert_eq!(read(&asked), Some(("a.example".to_owned(), "/p".to_owned())));
    }
}
