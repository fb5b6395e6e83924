//! Where a request goes: the base, the path with its values encoded, the closed list of hosts (N35).
//!
//! **Never here:** what a host's name resolves to; that is the guard's, try by try.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::error::{CallError, Misbuilt};
use crate::request::{Piece, Request, To};
use crate::vendor::Vendor;

/// All but what RFC 3986 leaves unreserved: an encoded value is one segment, or one name or value of the query.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address below which a vendor's paths stand: `https://api.example.com`, and a path where a setting gives one.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    url: Url,
    /// Without a slash at its end.
    text: String,
}

impl Base {
    /// Reads a base.
    ///
    /// # Errors
    /// What it should be; the error does not tell what was given, which may be a key in the wrong place.
    pub(crate) fn parse(raw: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "write a whole address, for example https://api.example.com";
        let url = Url::parse(raw).map_err(|_| WANTED)?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            return Err(WANTED);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("write the address without a user and a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("write the address without anything from `?` or `#` on");
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }

    /// Its host, as it stands in addresses: `api.example.com`, `[::1]`.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    fn is_origin_of(&self, other: &Url) -> bool {
        self.url.origin() == other.origin()
    }
}

/// Where one request goes.
#[derive(Clone)]
pub(crate) struct Address {
    /// The whole address, for the wire.
    pub(crate) url: String,
    /// Whether the house's key may go with it.
    pub(crate) takes_the_key: bool,
}

/// The closed list: the base's host, and those that the vendor's description names.
pub(crate) fn hosts(base: &Base, vendor: &Vendor) -> Vec<String> {
    let mut hosts = vec![base.host().to_owned()];
    hosts.extend(vendor.hosts.iter().map(|host| host.to_ascii_lowercase()));
    hosts
}

/// Where a request goes.
pub(crate) fn of(base: &Base, vendor: &Vendor, request: &Request) -> Result<Address, CallError> {
    let query = query(request);
    match &request.to {
        To::Path(pieces) => {
            let path = path(pieces)?;
            let mut text = format!("{}{path}", base.text);
            if let Some(query) = &query {
                text = format!("{text}?{query}");
            }
            let wrong = || Misbuilt::Path { operation: request.operation.name };
            let url = Url::parse(&text).map_err(|_| wrong())?;
            // What the parser reads is what was built: no fixed text walks upwards, ends the path or leaves the host.
            let below = url.path().strip_prefix(base.url.path().trim_end_matches('/'));
            let stands = path.starts_with('/')
                && below == Some(path.as_str())
                && url.query() == query.as_deref()
                && base.is_origin_of(&url);
            if !stands {
                return Err(wrong().into());
            }
            Ok(Address { url: url.into(), takes_the_key: true })
        }
        To::Url(named) => {
            let mut url = Url::parse(named).map_err(|_| Misbuilt::Address)?;
            let ours = base.is_origin_of(&url);
            let plain = url.username().is_empty() && url.password().is_none();
            if !plain || !(ours || url.scheme() == "https") {
                return Err(Misbuilt::Address.into());
            }
            let host = url.host_str().unwrap_or_default().to_owned();
            if !is_listed(&hosts(base, vendor), &host) {
                return Err(Misbuilt::Host { vendor: vendor.name, host }.into());
            }
            url.set_fragment(None);
            if let Some(query) = &query {
                let both =
                    url.query().map_or_else(|| query.clone(), |own| format!("{own}&{query}"));
                url.set_query(Some(&both));
            }
            Ok(Address { url: url.into(), takes_the_key: ours })
        }
    }
}

fn is_listed(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|listed| match listed.strip_prefix('.') {
        Some(_) => host.len() > listed.len() && host.ends_with(listed.as_str()),
        None => host == listed,
    })
}

/// The path of a request, its values percent-encoded.
pub(crate) fn path(pieces: &[Piece]) -> Result<String, CallError> {
    let mut path = String::new();
    for piece in pieces {
        match piece {
            Piece::Fixed(text) => path.push_str(text),
            Piece::Value(name, value) => {
                if matches!(value.as_str(), "" | "." | "..") {
                    let name = name.trim_start_matches(':');
                    return Err(CallError::Refused {
                        code: "path_value".to_owned(),
                        why: format!(
                            "`{name}` is empty, or only dots: there is nothing of that name."
                        ),
                    });
                }
                path.extend(utf8_percent_encode(value, RESERVED));
            }
        }
    }
    Ok(path)
}

/// The query of a request, encoded, if it has one.
pub(crate) fn query(request: &Request) -> Option<String> {
    let pairs = request.query.iter().map(|(name, value)| {
        let name = utf8_percent_encode(name, RESERVED);
        format!("{name}={}", utf8_percent_encode(value, RESERVED))
    });
    let pairs: Vec<String> = pairs.collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use proptest::prelude::*;

    use super::*;
    use crate::vendor::{Auth, Operation, Repeat};

    static VENDOR: Vendor = Vendor {
        name: "acme",
        base: "https://api.acme.example",
        base_setting: "ACME_BASE",
        hosts: &[".cdn.example", "files.example"],
        auth: Auth::None,
        per_second: 1,
        at_once: 1,
    };

    static GET: Operation = Operation {
        name: "get",
        repeat: Repeat::Safe,
        sends: &[":id"],
        try_within: Duration::from_secs(1),
        within: Duration::from_secs(1),
        max_answer: 1,
    };

    fn base(raw: &str) -> Base {
        Base::parse(raw).unwrap()
    }

    fn get(pieces: Vec<Piece>) -> Request {
        Request::new(&GET, Method::GET, pieces)
    }

    fn fetch(url: &str) -> Request {
        Request { to: To::Url(url.to_owned()), ..get(vec![]) }
    }

    fn url(base_at: &str, request: &Request) -> Result<String, CallError> {
        of(&base(base_at), &VENDOR, request).map(|address| address.url)
    }

    #[test]
    fn a_base_is_a_whole_address_and_nothing_more() {
        for fine in ["https://api.acme.example", "http://127.0.0.1:4010/acme/", "https://[::1]:1"] {
            assert!(Base::parse(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "",
            "api.acme.example",
            "ftp://api.acme.example",
            "https://",
            "file:///etc/passwd",
            "https://user@api.acme.example",
            "https://user:secret@api.acme.example",
            "https://api.acme.example?key=secret",
            "https://api.acme.example#x",
        ] {
            let why = Base::parse(wrong).unwrap_err();
            assert!(why.starts_with("write ") && !why.contains("secret"), "{wrong}: {why}");
        }
    }

    #[test]
    fn a_path_stands_below_the_base() {
        let mut one = get(vec![
            Piece::Fixed("/v1/tasks/"),
            Piece::Value(":id", "a b/../ü?#%".into()),
            Piece::Fixed(":run"),
        ]);
        one.query = vec![("page", "2&x=y".into()), ("q", "ü".into())];
        let path = "/v1/tasks/a%20b%2F..%2F%C3%BC%3F%23%25:run?page=2%26x%3Dy&q=%C3%BC";
        for (at, wanted) in [
            ("https://api.acme.example", format!("https://api.acme.example{path}")),
            ("https://api.acme.example/", format!("https://api.acme.example{path}")),
            ("http://127.0.0.1:4010/acme/", format!("http://127.0.0.1:4010/acme{path}")),
        ] {
            assert_eq!(url(at, &one).unwrap(), wanted);
        }
    }

    #[test]
    fn a_value_that_is_empty_or_only_dots_is_refused() {
        for value in ["", ".", ".."] {
            let pieces = vec![Piece::Fixed("/v1/"), Piece::Value(":id", value.into())];
            let error = url("https://api.acme.example", &get(pieces)).unwrap_err();
            assert!(matches!(error, CallError::Refused { .. }), "{value}: {error:?}");
        }
    }

    #[test]
    fn fixed_text_that_leaves_its_place_is_a_bug() {
        for text in
            ["v1", "", "/v1/../v2", "/v1?x=1", "/v1#x", ".evil.example/", "@evil.example/", "/a b"]
        {
            let error =
                url("https://api.acme.example", &get(vec![Piece::Fixed(text)])).unwrap_err();
            assert!(matches!(error, CallError::Bug(_)), "{text}: {error:?}");
        }
    }

    #[test]
    fn n35_a_named_address_is_on_the_closed_list() {
        let at = "https://api.acme.example";
        for fine in [
            "https://api.acme.example/x?y=z",
            "https://a.b.cdn.example/x",
            "https://files.example/x",
            "https://FILES.example/x",
        ] {
            assert!(url(at, &fetch(fine)).is_ok(), "{fine}");
        }
        for wrong in [
            "https://evil.example/x",
            "https://cdn.example/x",
            "https://evilcdn.example/x",
            "https://x.files.example/",
            "https://files.example.evil.example/",
            "https://files.example@evil.example/",
            "https://user:x@files.example/",
            "http://files.example/x",
            "http://api.acme.example/x",
            "file:///etc/passwd",
            "https://127.0.0.1/x",
            "//files.example/x",
            "x",
            "",
        ] {
            let error = url(at, &fetch(wrong)).unwrap_err();
            assert!(matches!(error, CallError::Bug(_)), "{wrong}: {error:?}");
        }
        assert_eq!(
            hosts(&base("https://elsewhere.example"), &VENDOR),
            ["elsewhere.example", ".cdn.example", "files.example"]
        );
    }

    #[test]
    fn n44_the_key_goes_to_the_bases_own_origin_alone() {
        let takes =
            |at: &str, named: &str| of(&base(at), &VENDOR, &fetch(named)).unwrap().takes_the_key;
        let at = "https://api.acme.example";
        assert!(takes(at, "https://api.acme.example/file"));
        assert!(takes(at, "https://api.acme.example:443/file"));
        assert!(!takes(at, "https://api.acme.example:8443/file"));
        assert!(!takes(at, "https://files.example/file"));
        assert!(takes("http://127.0.0.1:9", "http://127.0.0.1:9/file"));
    }

    proptest! {
        /// No value leads to another path: it reads back from its segment as it was.
        #[test]
        fn a_value_is_one_segment_whatever_it_says(value in any::<String>()) {
            let pieces =
                vec![Piece::Fixed("/v1/"), Piece::Value(":id", value.clone()), Piece::Fixed("/x")];
            match url("https://api.acme.example", &get(pieces)) {
                Err(error) => {
                    prop_assert!(matches!(value.as_str(), "" | "." | ".."), "{error:?}");
                }
                Ok(url) => {
                    let url = Url::parse(&url).unwrap();
                    let segments: Vec<&str> = url.path_segments().unwrap().collect();
                    prop_assert_eq!(segments.len(), 3);
                    let read = percent_encoding::percent_decode_str(segments[1]).decode_utf8();
                    prop_assert_eq!(read.unwrap(), value);
                    prop_assert_eq!(url.query(), None);
                }
            }
        }
    }
}
