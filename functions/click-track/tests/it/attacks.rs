//! Requests that want a link to lead elsewhere.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Uri};

use crate::world::{SHOP, World};

/// Where an attacker wants somebody to be led, in every spelling that some redirect somewhere believed.
const WISHES: &[&str] = &[
    "https://evil.example/",
    "http://evil.example",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://evil.example/",
    "spring\r\nLocation: https://evil.example/",
    "spring\nSet-Cookie: a=b",
    "spring%0d%0aLocation:%20https://evil.example/",
    "spring%250d%250aX: y",
    "https://shop.example.com@evil.example/",
    "https://shop.example.com.evil.example/",
    "https://evil.example#shop.example.com",
    "https://evil.example?shop.example.com",
    "https://еvil.example/",
    "https://evil。example/",
    "https://xn--vil-8cd.example/",
    "https://[::1]/",
    "http://0x7f000001/",
    "%68%74%74%70%73%3a%2f%2fevil.example",
    "%2f%2fevil.example",
    "%5cevil.example",
    "..//evil.example",
    "spring/../../evil.example",
    "spring;https://evil.example",
    "spring\0",
    "\u{202e}elpmaxe.live//:sptth",
];

/// Every byte that may not stand in an address, written so that it may.
fn escaped(raw: &str) -> String {
    raw.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[tokio::test]
async fn n56_only_registered_targets_and_no_cookie_whatever_is_asked() {
    let world = World::new();
    world.make(&world.link("spring")).await;
    let mut tried = 0;
    let mut check = async |request: Request<Body>, what: String| {
        let answer = world.send(request).await;
        match answer.status {
            302 => assert_eq!(answer.location(), Some(SHOP), "{what}"),
            404 => assert!(answer.location().is_none() && !answer.body.contains("evil"), "{what}"),
            other => panic!("{what}: {other}"),
        }
        for (name, value) in &answer.headers {
            let value = value.to_str().unwrap();
            assert!(!value.contains("evil") && !value.contains("alert"), "{what}: {name}: {value}");
        }
        tried += 1;
    };
    for wish in WISHES {
        let paths = [
            format!("/c/{}", escaped(wish)),
            format!("/c/spring/{}", escaped(wish)),
            format!("/c/spring?{}", escaped(wish)),
            format!("/c/spring?url={0}&next={0}&utm_source={0}", escaped(wish)),
            format!("/c/{wish}"),
            format!("/c/spring?to={wish}"),
            format!("/{wish}"),
        ];
        for path in paths {
            // What is no address at all gets no further than the server.
            let Ok(uri) = path.parse::<Uri>() else { continue };
            check(Request::get(uri).body(Body::empty()).unwrap(), path).await;
        }
        for name in [
            "host",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-original-url",
            "x-rewrite-url",
            "forwarded",
            "referer",
            "origin",
            "user-agent",
            "accept-language",
            "location",
            "cookie",
        ] {
            for value in [(*wish).to_owned(), escaped(wish)] {
                let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
                let mut request = Request::get("/c/spring").body(Body::empty()).unwrap();
                request.headers_mut().insert(HeaderName::from_static(name), value);
                check(request, format!("{name}: {wish}")).await;
            }
        }
    }
    assert!(tried > 900, "{tried}");
}
