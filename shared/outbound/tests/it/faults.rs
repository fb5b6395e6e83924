//! Whatever the other side does, a try ends within its time, is sent once, and says truly whether it was sent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::{DataFormat, MZFlush};
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Https, Transport, TransportError};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::fault_server::{Fault, FaultServer, response};
use crate::{AMPLE, Told, class, get, https, send};

/// Where a test expects the time to run out.
const SHORT: Duration = Duration::from_millis(300);

/// How much later than its time a try may be seen to end: far more than a busy machine holds a task up, and less than a
/// client that forgot its time would wait.
const SLACK: Duration = Duration::from_secs(15);

/// Planted wherever a secret may be, and never to be seen in an error.
const PLANTED: &str = "planted";

fn to_loopback() -> Https {
    https(&["127.0.0.1"], Told::default())
}

/// A request that may not be sent twice, with planted secrets.
fn post(server: &FaultServer, path: &str) -> WireRequest {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer planted"));
    WireRequest {
        method: Method::POST,
        headers,
        body: Bytes::from_static(b"{\"prompt\":\"planted\"}"),
        ..get(&server.url(&format!("{path}?key={PLANTED}")), &["127.0.0.1"])
    }
}

/// Sends it, and checks what holds for every end.
async fn ends(https: &Https, request: WireRequest, within: Duration) -> Result<Answer, String> {
    // A hang is a failure, not a build that never ends; and so is a try that takes more than its time.
    let (began, latest) = (Instant::now(), within + SLACK);
    let ended = timeout(latest, https.send(request, within)).await.expect("it ends in its time");
    assert!(began.elapsed() < latest, "{:?} of {within:?}", began.elapsed());
    let class = class(&ended);
    ended.map_err(|error| {
        for printed in [error.to_string(), format!("{error:?}")] {
            assert!(!printed.contains(PLANTED), "{printed}");
        }
        format!("{class}: {error}")
    })
}

/// That this fault ends like that, for a request that reads and for one that may not be sent twice; and that neither
/// was sent twice.
async fn assert_lost(name: &str, fault: Fault, within: Duration) {
    let https = to_loopback();
    for method in [Method::GET, Method::POST] {
        let server = FaultServer::start().await;
        server.on("/fault", fault.clone());
        let request = WireRequest { method: method.clone(), ..post(&server, "/fault") };
        let ended = ends(&https, request, within).await;
        let Err(why) = &ended else { panic!("{name}, {method}: {ended:?}") };
        assert!(why.starts_with("lost: "), "{name}, {method}: {why}");
        let timed_out = why.contains("no whole answer within");
        assert_eq!(timed_out, within == SHORT, "{name}, {method}: {why}");
        assert!(server.asked().len() <= 1, "{name}, {method}: sent twice");
        assert!(server.connections() <= 1, "{name}, {method}: connected twice");
    }
}

async fn answer_to(fault: Fault) -> Result<Answer, String> {
    let server = FaultServer::start().await;
    server.on("/fault", fault);
    ends(&to_loopback(), post(&server, "/fault"), AMPLE).await
}

#[tokio::test]
async fn what_breaks_after_connecting_is_lost() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":";
    let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for (name, fault) in [
        ("reset before it is read", Fault::ResetUnread),
        ("reset after it was taken", Fault::ResetTaken),
        ("closed after it was taken", Fault::CloseTaken),
        ("half a head", Fault::Close(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())),
        ("half a body", Fault::Close(half.to_vec())),
        ("half a body, reset", Fault::Reset(half.to_vec())),
        ("a whole head, reset before the body", Fault::Reset(head.to_vec())),
        ("no last chunk", Fault::Close(chunk.to_vec())),
        ("a chunk of no length", Fault::Close([&chunk[..], b"zz\r\n"].concat())),
        ("no HTTP", Fault::Close(b"220 mail.example ESMTP planted\r\n".to_vec())),
        ("no status", Fault::Close(b"HTTP/1.1 planted OK\r\n\r\n".to_vec())),
        ("an old protocol", Fault::Close(b"HTTP/0.9 200 OK\r\n\r\n".to_vec())),
        (
            "two lengths",
            Fault::Close(
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc".to_vec(),
            ),
        ),
        (
            "a length below nothing",
            Fault::Close(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nplanted".to_vec()),
        ),
        (
            "a length that no number holds",
            Fault::Close(
                b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nabc".to_vec(),
            ),
        ),
        (
            "a header with a line's end in it",
            Fault::Close(b"HTTP/1.1 200 OK\r\nx: a\0planted\r\n\r\n".to_vec()),
        ),
        ("an enormous header", {
            let value = "a".repeat(1024 * 1024);
            Fault::Close(format!("HTTP/1.1 200 OK\r\nx: {value}\r\n\r\n").into_bytes())
        }),
    ] {
        assert_lost(name, fault, AMPLE).await;
    }
}

#[tokio::test]
async fn what_never_ends_is_lost_when_the_time_is_over() {
    let endless = |first: &[u8], again: &[u8], every| Fault::Endless {
        first: first.to_vec(),
        again: again.to_vec(),
        every: Duration::from_millis(every),
    };
    let faults = [
        ("silence", Fault::Silence),
        ("a head by drops", endless(b"HTTP/1.1 200 OK\r\nx: ", b"a", 20)),
        ("a body by drops", endless(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", b"a", 20)),
        ("a head and no body", Fault::Keep(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".into())),
        ("100 again and again", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 5)),
        (
            "no final chunk",
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n", 20),
        ),
    ];
    // All at once: each takes its whole time.
    let ends = faults.map(|(name, fault)| assert_lost(name, fault, SHORT));
    futures::future::join_all(ends).await;
    // This one is ended before that: what a head may take is bounded.
    let header = format!("x-another: {}\r\n", "a".repeat(8192));
    let headers = endless(b"HTTP/1.1 200 OK\r\n", header.as_bytes(), 1);
    assert_lost("headers that never end", headers, AMPLE).await;
}

#[tokio::test]
async fn what_was_never_connected_was_not_sent() {
    let https = https(&["127.0.0.1"], Told::default().name("closed.test", &["127.0.0.1"]));
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for scheme in ["http", "https"] {
        for host in ["127.0.0.1", "closed.test", "unknown.test"] {
            for method in [Method::GET, Method::POST] {
                let url = format!("{scheme}://{host}:{closed}/?key={PLANTED}");
                let ended = ends(&https, WireRequest { method, ..get(&url, &[host]) }, AMPLE).await;
                assert!(ended.as_ref().unwrap_err().starts_with("not sent: "), "{url}: {ended:?}");
            }
        }
    }
    let server = FaultServer::start().await;
    let ended = ends(&https, post(&server, "/"), Duration::ZERO).await;
    assert_eq!(ended.unwrap_err(), "not sent: no connection: there is no time left");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_comes_whole_is_an_answer_whatever_it_says() {
    for (status, headers, body) in [
        ("500 Internal Server Error", &[][..], &b"oops"[..]),
        ("503 Service Unavailable", &[("retry-after", "3")], b""),
        ("429 Too Many Requests", &[("retry-after", "99999999999999999999")], b"{}"),
        ("429 Too Many Requests", &[("retry-after", "-1")], b"{}"),
        ("429 Too Many Requests", &[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], b"{}"),
        ("429 Too Many Requests", &[("retry-after", "soon \u{fc}")], b"{}"),
        ("200 OK", &[("content-type", "application/json")], b"{\"candidates\":\"not a list\"}"),
        ("200 OK", &[("content-type", "application/json")], b"{\"text\":\"\xff\xfe\x80\"}"),
        ("200 OK", &[("content-type", "application/json")], b""),
        ("200 OK", &[("content-encoding", "br")], b"not asked for, so not read"),
        ("201 Created", &[("location", "https://elsewhere.test/")], b"made"),
        ("299 Odd", &[], b"odd"),
        ("999 Odder", &[], b"odder"),
    ] {
        let answer = answer_to(Fault::answer(status, headers, body)).await.unwrap();
        assert!(status.starts_with(answer.status.as_str()), "{status}");
        assert_eq!(answer.body, body, "{status}");
        for (name, value) in headers {
            assert_eq!(answer.headers.get(*name).unwrap().as_bytes(), value.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_length_that_is_too_short_ends_the_body() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef".to_vec();
    assert_eq!(answer_to(Fault::Close(bytes)).await.unwrap().body, "abc");
    // What is left over is not taken for the answer to the next request.
    let (server, https) = (FaultServer::start().await, to_loopback());
    let smuggled = [&response("200 OK", &[], b"first")[..], &response("200 OK", &[], b"smuggled")];
    server.on_each("/", [Fault::Keep(smuggled.concat()), Fault::answer("200 OK", &[], b"second")]);
    for expected in ["first", "second"] {
        let ended = ends(&https, get(&server.url("/"), &["127.0.0.1"]), AMPLE).await;
        assert_eq!(ended.unwrap().body, expected);
    }
}

#[tokio::test]
async fn answers_before_the_answer_are_passed_over() {
    let ok = response("200 OK", &[], b"hello");
    for before in [
        &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let answer = answer_to(Fault::Close([before, &ok].concat())).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"hello"[..]));
    }
    let nothing_after = Fault::Close(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    assert_lost("100 and nothing after it", nothing_after, AMPLE).await;
    // Nobody asked for another protocol.
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    assert_lost("101", Fault::Close([&switch[..], &ok].concat()), AMPLE).await;
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_was_said_and_no_larger() {
    let chunked = |length: usize| {
        let body = "a".repeat(length);
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        )
    };
    let plain = |length| response("200 OK", &[], &vec![b'a'; length]);
    let until_closed = |length| [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b'a'; length]].concat();
    for body in [&plain as &dyn Fn(usize) -> Vec<u8>, &|n| chunked(n).into_bytes(), &until_closed] {
        let answer = answer_to(Fault::Close(body(64 * 1024))).await.unwrap();
        assert_eq!(answer.body.len(), 64 * 1024);
        let why = answer_to(Fault::Close(body(64 * 1024 + 1))).await.unwrap_err();
        assert_eq!(why, "lost: the answer was lost: the answer is larger than 65536 bytes");
    }
    let endless = Fault::Endless {
        first: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        again: vec![b'a'; 4096],
        every: Duration::from_millis(1),
    };
    assert!(answer_to(endless).await.unwrap_err().contains("larger"));
}

/// The data, deflated so that this piece can be repeated.
fn deflated(data: &[u8]) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(9, DataFormat::Raw.to_window_bits(), 0);
    let mut compressor = CompressorOxide::new(flags);
    let mut out = vec![0; data.len() + 1024];
    let done =
        miniz_oxide::deflate::stream::deflate(&mut compressor, data, &mut out, MZFlush::Full);
    assert_eq!(done.bytes_consumed, data.len());
    out.truncate(done.bytes_written);
    out
}

const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

fn gzipped(data: &[u8]) -> Vec<u8> {
    let crc = !data.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    });
    let length = u32::try_from(data.len()).unwrap();
    // The last block of all, which is empty.
    let end = [3, 0];
    [GZIP, &deflated(data), &end, &crc.to_le_bytes(), &length.to_le_bytes()].concat()
}

#[tokio::test]
async fn a_compressed_answer_is_read_and_a_bomb_is_not() {
    let gzip =
        |bytes: &[u8]| Fault::Close(response("200 OK", &[("content-encoding", "gzip")], bytes));
    let answer = answer_to(gzip(&gzipped(b"{\"hello\":1}"))).await.unwrap();
    assert_eq!(answer.body, "{\"hello\":1}");
    assert!(answer.headers.get("content-encoding").is_none(), "it is decompressed");

    let zeros = deflated(&vec![0; 1024 * 1024]).repeat(1024);
    let bomb = [GZIP, &zeros].concat();
    assert!(bomb.len() < 2 * 1024 * 1024, "1 GiB in {} bytes", bomb.len());
    let why = answer_to(gzip(&bomb)).await.unwrap_err();
    assert_eq!(why, "lost: the answer was lost: the answer is larger than 65536 bytes");

    let whole = gzipped(&[7; 5000]);
    let (half, _) = whole.split_at(whole.len() - 9);
    assert_lost("half of it", gzip(half), AMPLE).await;
    assert_lost("not compressed at all", gzip(b"{\"hello\":\"planted\"}"), AMPLE).await;
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_lost("another length than it says", gzip(&wrong), AMPLE).await;
}

#[tokio::test]
async fn an_answer_without_a_body_is_not_waited_for() {
    let (server, https) = (FaultServer::start().await, to_loopback());
    for (method, status) in [
        (Method::HEAD, "200 OK"),
        (Method::GET, "204 No Content"),
        (Method::GET, "304 Not Modified"),
    ] {
        for headers in [&[("content-encoding", "gzip")][..], &[]] {
            let mut head = format!("HTTP/1.1 {status}\r\n");
            if method == Method::HEAD {
                head.push_str("content-length: 99999999\r\n");
            }
            headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
            server.on("/", Fault::Keep(format!("{head}\r\n").into_bytes()));
            let request =
                WireRequest { method: method.clone(), ..get(&server.url("/"), &["127.0.0.1"]) };
            let answer = ends(&https, request, AMPLE).await.unwrap();
            assert!(answer.body.is_empty() && status.starts_with(answer.status.as_str()));
        }
    }
}

#[tokio::test]
async fn what_may_not_be_sent_twice_gets_a_connection_of_its_own() {
    let (server, https) = (FaultServer::start().await, to_loopback());
    server.on("/", Fault::answer("200 OK", &[], b"hello"));
    let read = || get(&server.url("/"), &["127.0.0.1"]);
    for _ in 0..3 {
        ends(&https, read(), AMPLE).await.unwrap();
    }
    assert_eq!(server.connections(), 1, "what reads shares one");
    for _ in 0..3 {
        ends(&https, post(&server, "/"), AMPLE).await.unwrap();
    }
    assert_eq!(server.connections(), 4);

    // A kept connection that the server gives up just when something is written to it.
    server.on_each(
        "/tired",
        [
            Fault::KeepThenReset(response("200 OK", &[], b"hello")),
            Fault::answer("200 OK", &[], b"again"),
        ],
    );
    let tired = || WireRequest { url: server.url("/tired"), ..read() };
    ends(&https, tired(), AMPLE).await.unwrap();
    let answer = ends(&https, post(&server, "/tired"), AMPLE).await.unwrap();
    assert_eq!(answer.body, "again", "the stale connection is not the one that it goes by");
    let why = ends(&https, read(), AMPLE).await.unwrap_err();
    assert!(why.starts_with("lost: "), "nobody knows whether it was read: {why}");
    // One of which the server said that it closes it is not written to.
    let closing = response("200 OK", &[("connection", "close")], b"hello");
    server.on("/closing", Fault::Close(closing));
    for _ in 0..3 {
        ends(&https, WireRequest { url: server.url("/closing"), ..read() }, AMPLE).await.unwrap();
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_only_by_what_reads() {
    let (server, https) = (FaultServer::start().await, to_loopback());
    let statuses = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"];
    for (number, status) in statuses.iter().enumerate() {
        let to = if number == 0 { "/end".to_owned() } else { format!("/{}", number - 1) };
        server.on(&format!("/{number}"), Fault::redirect(status, &to));
    }
    server.on("/end", Fault::answer("200 OK", &[], b"there"));
    let ask = |method: Method, path: &str| {
        let request = WireRequest { method, ..get(&server.url(path), &["127.0.0.1"]) };
        ends(&https, request, AMPLE)
    };
    for path in ["/0", "/1", "/2"] {
        assert_eq!(ask(Method::GET, path).await.unwrap().body, "there", "{path}");
        assert_eq!(ask(Method::HEAD, path).await.unwrap().status, StatusCode::OK, "{path}");
    }
    let why = ask(Method::GET, "/3").await.unwrap_err();
    assert_eq!(why, "lost: the answer was lost: more than 3 redirects");
    server.on("/round", Fault::redirect("302 Found", "/round"));
    assert!(ask(Method::GET, "/round").await.is_err());

    let before = server.asked().len();
    for (number, status) in statuses.iter().enumerate() {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = ask(method, &format!("/{number}")).await.unwrap();
            assert!(status.starts_with(answer.status.as_str()), "an answer to be judged: {status}");
        }
    }
    assert_eq!(server.asked().len() - before, 15, "and none was followed");

    server.on("/nowhere", Fault::answer("302 Found", &[], b"but where to"));
    assert_eq!(ask(Method::GET, "/nowhere").await.unwrap().status, StatusCode::FOUND);
    server.on("/choice", Fault::answer("300 Multiple Choices", &[("location", "/end")], b"either"));
    assert_eq!(ask(Method::GET, "/choice").await.unwrap().body, "either");
    for unreadable in ["http://[planted", "https://", "http://\u{0}"] {
        server.on("/unreadable", Fault::redirect("302 Found", unreadable));
        assert!(ask(Method::GET, "/unreadable").await.is_err(), "{unreadable}");
    }
}

#[tokio::test]
async fn a_redirect_does_not_leave_tls() {
    let plain = FaultServer::start().await;
    let secure = FaultServer::start_tls(crate::tls::any_version()).await;
    secure.on("/", Fault::redirect("302 Found", &plain.url("/")));
    let ended = ends(&to_loopback(), get(&secure.url("/"), &["127.0.0.1"]), AMPLE).await;
    assert_eq!(ended.unwrap_err(), "forbidden: not allowed: a redirect leaves TLS");
    assert_eq!((secure.asked().len(), plain.connections()), (1, 0));

    plain.on("/up", Fault::redirect("302 Found", &secure.url("/end")));
    secure.on("/end", Fault::answer("200 OK", &[], b"there"));
    let ended = ends(&to_loopback(), get(&plain.url("/up"), &["127.0.0.1"]), AMPLE).await;
    assert_eq!(ended.unwrap().body, "there");
}

#[tokio::test]
async fn keys_do_not_travel_to_another_host() {
    let names = Told::default().name("one.test", &["127.0.0.1"]).name("two.test", &["127.0.0.1"]);
    let https = https(&["127.0.0.1"], names);
    let (one, two) = (FaultServer::start().await, FaultServer::start().await);
    let keys = [
        "authorization",
        "cookie",
        "x-goog-api-key",
        "xi-api-key",
        "x-whatever",
        "accept-language",
    ];
    let mut headers = HeaderMap::new();
    for key in keys {
        headers.insert(key, HeaderValue::from_static(PLANTED));
    }
    // A name that may follow does not help a value that is marked.
    headers.get_mut("accept-language").unwrap().set_sensitive(true);
    headers.insert("accept", HeaderValue::from_static("video/mp4"));
    headers.insert("range", HeaderValue::from_static("bytes=0-9"));
    let ask = |url: String| WireRequest {
        headers: headers.clone(),
        body: Bytes::from_static(b"planted"),
        ..get(&url, &["one.test", "two.test"])
    };
    let ok = || Fault::answer("200 OK", &[], b"there");

    // The same host: everything.
    one.on("/same", Fault::redirect("302 Found", "/end"));
    one.on("/end", ok());
    ends(&https, ask(one.url_at("one.test", "/same")), AMPLE).await.unwrap();
    assert!(keys.iter().all(|key| one.asked()[1].headers[*key] == PLANTED));

    // Another host, the same host by another port, and back again: none of it.
    two.on("/back", Fault::redirect("302 Found", &one.url_at("one.test", "/home")));
    one.on("/home", ok());
    for host in ["two.test", "one.test"] {
        one.on("/away", Fault::redirect("302 Found", &two.url_at(host, "/back")));
        ends(&https, ask(one.url_at("one.test", "/away?key=planted")), AMPLE).await.unwrap();
        for asked in [two.asked().pop().unwrap(), one.asked().pop().unwrap()] {
            let printed = format!("{asked:?} {}", String::from_utf8_lossy(&asked.body));
            assert!(!printed.contains(PLANTED), "{printed}");
            assert!(asked.body.is_empty());
            assert_eq!(asked.headers["accept"], "video/mp4");
            assert_eq!(asked.headers["range"], "bytes=0-9");
        }
    }
}

#[tokio::test]
async fn n35_a_host_that_is_not_on_the_list_is_never_reached() {
    let names = Told::default()
        .name("listed.test", &["127.0.0.1"])
        .name("a.below.test", &["127.0.0.1"])
        .name("stranger.test", &["127.0.0.1"]);
    let https = https(&["127.0.0.1"], names);
    let (server, stranger) = (FaultServer::start().await, FaultServer::start().await);
    let list = ["listed.test", ".below.test"];
    stranger.on("/", Fault::answer("200 OK", &[], b"hello"));
    server.on("/", Fault::answer("200 OK", &[], b"hello"));
    for host in ["stranger.test", "127.0.0.1", "below.test", "listed.test.stranger.test"] {
        let url = stranger.url_at(host, &format!("/?key={PLANTED}"));
        for method in [Method::GET, Method::POST] {
            let ended = ends(&https, WireRequest { method, ..get(&url, &list) }, AMPLE).await;
            assert!(ended.unwrap_err().ends_with("is not on the list of hosts"), "{url}");
        }
        // And by way of a host that is on it.
        server.on("/away", Fault::redirect("302 Found", &url));
        let ended = ends(&https, get(&server.url_at("listed.test", "/away"), &list), AMPLE).await;
        assert!(ended.unwrap_err().ends_with("is not on the list of hosts"), "{url}");
    }
    assert_eq!((stranger.connections(), server.asked().len()), (0, 4));

    // The list is what refuses: with it, the same servers are reached, directly and from one to the other.
    server.on("/away", Fault::redirect("302 Found", &stranger.url_at("a.below.test", "/")));
    let ended = ends(&https, get(&server.url_at("listed.test", "/away"), &list), AMPLE).await;
    assert_eq!(ended.unwrap().body, "hello");
    assert_eq!(stranger.connections(), 1);

    // Nor is one host asked by the name of another.
    let mut fronted = get(&server.url_at("listed.test", "/"), &list);
    fronted.headers.insert("host", HeaderValue::from_static("stranger.test"));
    assert!(ends(&https, fronted, AMPLE).await.unwrap_err().starts_with("forbidden: "));
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked_for_and_little_else() {
    let (server, https) = (FaultServer::start().await, to_loopback());
    server.on("/", Fault::answer("200 OK", &[("set-cookie", "a=planted")], b"hello"));
    ends(&https, get(&server.url("/"), &["127.0.0.1"]), AMPLE).await.unwrap();
    ends(&https, post(&server, "/"), AMPLE).await.unwrap();
    server.on("/away", Fault::redirect("302 Found", "/"));
    ends(&https, get(&server.url("/away"), &["127.0.0.1"]), AMPLE).await.unwrap();
    let asked = server.asked();
    let names = |at: usize| asked[at].headers.keys().map(String::as_str).collect::<Vec<_>>();
    let of_all = ["accept", "accept-encoding", "host", "user-agent"];
    assert_eq!(names(0), of_all);
    assert_eq!(names(3), of_all, "no cookie, no referer");
    let of_post =
        ["accept", "accept-encoding", "authorization", "content-length", "host", "user-agent"];
    assert_eq!(names(1), of_post);
    assert_eq!(asked[1].method, "POST");
    assert_eq!(asked[1].target, "/?key=planted");
    assert_eq!(asked[1].body, b"{\"prompt\":\"planted\"}");
    assert_eq!(asked[0].headers["accept-encoding"], "gzip");
}

/// The names under which programs look for a proxy.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[tokio::test]
async fn no_proxy_of_the_environment_is_used() {
    let proxy = FaultServer::start().await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "faults::asked_in_an_environment_with_a_proxy", "--ignored"]);
    child.envs(PROXIES.map(|name| (name, proxy.url(""))));
    let output = child.kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn asked_in_an_environment_with_a_proxy() {
    let server = FaultServer::start().await;
    server.on("/", Fault::answer("200 OK", &[], b"hello"));
    ends(&to_loopback(), post(&server, "/"), AMPLE).await.unwrap();
    assert_eq!(server.asked()[0].target, "/?key=planted", "as one asks the server itself");
}

#[tokio::test]
async fn the_class_of_an_error_is_in_its_sentence() {
    let server = FaultServer::start().await;
    server.on("/", Fault::ResetTaken);
    let ended = send(&to_loopback(), post(&server, "/")).await;
    let Err(TransportError::Lost(_)) = &ended else { panic!("{ended:?}") };
    assert!(ended.unwrap_err().to_string().starts_with("the answer was lost: "));
}
