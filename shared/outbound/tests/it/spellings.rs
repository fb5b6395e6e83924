//! No internal address is reached, however it is written, named or redirected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nexus_outbound::guard::SystemNames;
use nexus_outbound::{Guard, Https, TlsFloor, TransportError};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use crate::fault_server::{Fault, FaultServer};
use crate::{Told, class, get, https, send, tls};

/// Spellings of addresses at which this machine's loopback listens: what comes after `https:` and before the path,
/// `{port}` for the port. Each reaches the listener where the operator opened loopback, so each would otherwise.
const HERE: &[&str] = &[
    "//127.0.0.1:{port}",
    "//127.0.0.1.:{port}",
    "//2130706433:{port}",
    "//0x7f000001:{port}",
    "//0X7F000001:{port}",
    "//017700000001:{port}",
    "//0x7f.0.0.1:{port}",
    "//0x7F.0x0.0x0.0x1:{port}",
    "//0x0000007f.0.0.1:{port}",
    "//0177.0.0.1:{port}",
    "//0177.00.00.01:{port}",
    "//00000177.0.0.1:{port}",
    "//127.1:{port}",
    "//127.0.1:{port}",
    "//127.0x1:{port}",
    "//0177.1:{port}",
    "//0x7f.1:{port}",
    "//0x7f.1.:{port}",
    "//127.000.000.001:{port}",
    "//127.0.0.0x1:{port}",
    "//%31%32%37.0.0.1:{port}",
    "//127%2e0%2E0%2e1:{port}",
    "//127.0.0.%31%2e:{port}",
    "//１２７.０.０.１:{port}",
    "//𝟏𝟐𝟕.𝟎.𝟎.𝟏:{port}",
    "//⑫⑦.0.0.1:{port}",
    "//127。0。0。1:{port}",
    "//127．0．0．1:{port}",
    "//127｡0｡0｡1:{port}",
    "//127.0.0\u{ad}.1:{port}",
    "//%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1:{port}",
    "//127.0.\t0.1:{port}",
    "//127.0.0.1\n:{port}",
    "\\\\127.0.0.1:{port}",
    "/127.0.0.1:{port}",
    "127.0.0.1:{port}",
    "///127.0.0.1:{port}",
    "/\\127.0.0.1:{port}",
    "//127.0.0.1:{port}\\@public.example",
    "//127.0.0.1:{port}#@public.example",
    "//127.0.0.1:{port}?@public.example",
    "//0.0.0.0:{port}",
    "//0:{port}",
    "//0x0:{port}",
    "//000.000.000.000:{port}",
    "//[::ffff:127.0.0.1]:{port}",
    "//[::ffff:7f00:1]:{port}",
    "//[::FFFF:7F00:0001]:{port}",
    "//[0:0:0:0:0:ffff:127.0.0.1]:{port}",
    "//[0000:0000:0000:0000:0000:ffff:7f00:0001]:{port}",
    "//localhost:{port}",
    "//LocalHost.:{port}",
    "//loc%61lhost:{port}",
    "//ｌｏｃａｌｈｏｓｔ:{port}",
    "//ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}",
];

/// Of IPv6's own loopback, for machines that have it.
const HERE_IPV6: &[&str] = &[
    "//[::1]:{port}",
    "//[0:0:0:0:0:0:0:1]:{port}",
    "//[0000:0000:0000:0000:0000:0000:0000:0001]:{port}",
    "//[0::0001]:{port}",
    "//[::0.0.0.1]:{port}",
    "//[::]:{port}",
    "//[0:0:0:0:0:0:0.0.0.0]:{port}",
];

/// Other addresses that are not public, or no addresses at all.
const ELSEWHERE: &[&str] = &[
    "//user@127.0.0.1:{port}",
    "//public.example@127.0.0.1:{port}",
    "//public.example:443@127.0.0.1:{port}",
    "//public.example%40127.0.0.1:{port}",
    "//127.0.0.1%00.public.example:{port}",
    "//127.0.0.1%20:{port}",
    "//127.0.0.1%09:{port}",
    "//256.0.0.1:{port}",
    "//127.0.0.1.1:{port}",
    "//4294967296:{port}",
    "//[::127.0.0.1]:{port}",
    "//[::7f00:1]:{port}",
    "//[::ffff:0:127.0.0.1]:{port}",
    "//[64:ff9b::127.0.0.1]:{port}",
    "//[64:ff9b::7f00:1]:{port}",
    "//[64:ff9b:1::7f00:1]:{port}",
    "//[2002:7f00:1::]:{port}",
    "//[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}",
    "//[2600:1f18::5efe:127.0.0.1]:{port}",
    "//[fe80::1]:{port}",
    "//[fe80::1%25lo]:{port}",
    "//[::1%25lo]:{port}",
    "//[fc00::1]:{port}",
    "//[fd00:ec2::254]:{port}",
    "//[fec0::1]:{port}",
    "//[ff01::1]:{port}",
    "//[ff02::1]:{port}",
    "//[100::1]:{port}",
    "//[2001:db8::1]:{port}",
    "//[3fff::1]:{port}",
    "//[5f00::1]:{port}",
    "//[2001:20::1]:{port}",
    "//[v1.127.0.0.1]:{port}",
    "//169.254.169.254",
    "//2852039166",
    "//0xa9fea9fe",
    "//0251.0376.0251.0376",
    "//169.254.43518",
    "//[::ffff:169.254.169.254]",
    "//[::ffff:a9fe:a9fe]",
    "//[64:ff9b::a9fe:a9fe]",
    "//10.0.0.1",
    "//012.1",
    "//172.16.0.1",
    "//172.31.255.255",
    "//192.168.1.1",
    "//0300.0250.1.1",
    "//100.64.0.1",
    "//100.100.100.200",
    "//168.63.129.16",
    "//192.0.0.192",
    "//192.0.2.1",
    "//192.88.99.1",
    "//198.18.0.1",
    "//198.51.100.1",
    "//203.0.113.1",
    "//224.0.0.1",
    "//239.255.255.250",
    "//240.0.0.1",
    "//255.255.255.255",
    "//0xffffffff",
];

/// Counts the connections to one port of loopback, IPv4's and IPv6's.
struct Counter {
    port: u16,
    has_ipv6: bool,
    connections: Arc<AtomicUsize>,
    accepting: Vec<JoinHandle<()>>,
}

impl Counter {
    async fn start() -> Self {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = v4.local_addr().unwrap().port();
        // There are machines without IPv6.
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        let has_ipv6 = v6.is_some();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepting = [Some(v4), v6].into_iter().flatten();
        let accepting = accepting
            .map(|listener| {
                let connections = Arc::clone(&connections);
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        connections.fetch_add(1, Ordering::SeqCst);
                        drop(stream);
                    }
                })
            })
            .collect();
        Self { port, has_ipv6, connections, accepting }
    }

    /// How many there were since the last time. Connections are accepted in their order: once one of our own is
    /// counted, all before it are.
    async fn count(&self) -> usize {
        let mut ours = 0;
        for loopback in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            if loopback.is_ipv4() || self.has_ipv6 {
                let mut marker =
                    TcpStream::connect(SocketAddr::new(loopback, self.port)).await.unwrap();
                // Dropped by the listener after it was counted.
                let end = tokio::io::AsyncReadExt::read(&mut marker, &mut [0]).await;
                assert_eq!(end.unwrap(), 0);
                ours += 1;
            }
        }
        self.connections.swap(0, Ordering::SeqCst) - ours
    }

    fn spelled<'a>(&self, spellings: &'a [&'a str]) -> impl Iterator<Item = String> + use<'a> {
        let port = self.port.to_string();
        spellings.iter().map(move |spelling| format!("https:{spelling}/").replace("{port}", &port))
    }

    /// Of this machine, as far as it has them.
    fn here(&self) -> Vec<String> {
        let ipv6 = if self.has_ipv6 { HERE_IPV6 } else { &[] };
        self.spelled(HERE).chain(self.spelled(ipv6)).collect()
    }

    /// All of them.
    fn all(&self) -> Vec<String> {
        let spellings = [HERE, HERE_IPV6, ELSEWHERE];
        spellings.into_iter().flat_map(|these| self.spelled(these).collect::<Vec<_>>()).collect()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

/// The list that has this address's own host, so that it is not the list that refuses it.
fn own_host(url: &str) -> Vec<String> {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.into_iter().collect()
}

/// A way out to the internet alone, with the machine's own names.
fn outside() -> Https {
    Https::new(Guard::public(), TlsFloor::Tls12, &tls::certificate().pem).unwrap()
}

fn assert_refused_by_address(url: &str, ended: &Result<nexus_outbound::Answer, TransportError>) {
    let Err(TransportError::Forbidden(why)) = ended else { panic!("{url}: {ended:?}") };
    assert!(!why.contains("list of hosts") && !why.contains("TLS"), "{url} for itself: {why}");
}

#[tokio::test]
async fn no_spelling_of_an_internal_address_is_reached() {
    let counter = Counter::start().await;
    let https = outside();
    let all = counter.all();
    assert!(all.len() >= 60);
    for url in &all {
        let mut request = get(url, &[]);
        request.hosts = own_host(url);
        assert_refused_by_address(url, &send(&https, request).await);
    }
    assert_eq!(counter.count().await, 0);
}

#[tokio::test]
async fn every_spelling_of_this_machine_is_reached_once_the_operator_opened_it() {
    let counter = Counter::start().await;
    let opened = ["127.0.0.0/8", "0.0.0.0/32", "::1", "::", "::ffff:127.0.0.0/104"];
    let guard = Guard::allowing(opened).unwrap().with_names(Arc::new(SystemNames));
    let https = Https::new(guard, TlsFloor::Tls12, &tls::certificate().pem).unwrap();
    for url in counter.here() {
        let mut request = get(&url, &[]);
        request.hosts = own_host(&url);
        let ended = send(&https, request).await;
        // The listener speaks no TLS.
        assert_eq!(class(&ended), "not sent", "{url}: {ended:?}");
        let count = counter.count().await;
        // A name may have two addresses here, and each is tried.
        assert!(count >= 1, "{url} is no spelling of this machine");
    }
}

#[tokio::test]
async fn no_redirect_leads_to_an_internal_address() {
    let counter = Counter::start().await;
    // The server has an address of loopback for itself, and the operator opened that one alone.
    let server = FaultServer::start_at(Ipv4Addr::new(127, 0, 0, 2).into(), None).await;
    let guard = Guard::allowing(["127.0.0.2"]).unwrap();
    let https = Https::new(guard, TlsFloor::Tls12, &tls::certificate().pem).unwrap();
    // No header carries a line's end; those spellings are only asked directly.
    let all = counter.all();
    let all: Vec<&String> = all.iter().filter(|url| !url.contains(['\n', '\t'])).collect();
    assert!(all.len() >= 60);
    for (number, url) in all.into_iter().enumerate() {
        server.on("/away", Fault::redirect("302 Found", url));
        let mut request = get(&server.url("/away"), &["127.0.0.2"]);
        request.hosts.extend(own_host(url));
        assert_refused_by_address(url, &send(&https, request).await);
        assert_eq!(server.asked().len(), number + 1, "{url}: the redirect was asked for");
    }
    assert_eq!(counter.count().await, 0);
}

#[tokio::test]
async fn no_name_leads_to_an_internal_address() {
    let counter = Counter::start().await;
    let names = Told::default()
        .name("four.test", &["127.0.0.1"])
        .name("six.test", &["::1"])
        .name("mapped.test", &["::ffff:127.0.0.1"])
        .name("last.test", &["1.1.1.1", "2606:4700::1111", "127.0.0.1"])
        .name("metadata.test", &["169.254.169.254"])
        .name("unspecified.test", &["0.0.0.0"]);
    let told: Vec<String> = names.0.keys().cloned().collect();
    let https = https(&[], names);
    for name in told {
        for spelled in [name.clone(), name.to_uppercase(), format!("{name}.")] {
            let url = format!("https://{spelled}:{}/", counter.port);
            assert_refused_by_address(&url, &send(&https, get(&url, &[&name])).await);
        }
    }
    assert_eq!(counter.count().await, 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_when_it_is_connected_to() {
    /// Public when asked for the first time, inside from then on.
    #[derive(Default)]
    struct Fickle(AtomicUsize);

    #[async_trait::async_trait]
    impl nexus_outbound::guard::Names for Fickle {
        async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
            // One that this test opens stands for a public one: no test connects outside.
            Ok(vec![if first { [127, 0, 0, 1] } else { [127, 0, 0, 2] }.into()])
        }
    }

    let counter = Counter::start().await;
    let guard = Guard::allowing(["127.0.0.1"]).unwrap().with_names(Arc::new(Fickle::default()));
    let https = Https::new(guard, TlsFloor::Tls12, &tls::certificate().pem).unwrap();
    let url = format!("https://fickle.test:{}/", counter.port);
    assert_eq!(class(&send(&https, get(&url, &["fickle.test"])).await), "not sent");
    assert_eq!(counter.count().await, 1, "the first time it is the address that was judged");
    assert_refused_by_address(&url, &send(&https, get(&url, &["fickle.test"])).await);
    assert_eq!(counter.count().await, 0);
}

#[tokio::test]
async fn without_tls_only_what_the_operator_opened_is_asked() {
    let server = FaultServer::start().await;
    server.on("/", Fault::answer("200 OK", &[], b"hello"));
    let names = || {
        Told::default()
            .name("open.test", &["127.0.0.1"])
            .name("both.test", &["127.0.0.1", "1.1.1.1"])
    };
    let ask = |opened: &'static [&'static str], host: &'static str| {
        let (https, url) = (https(opened, names()), server.url_at(host, "/"));
        async move { class(&send(&https, get(&url, &[host])).await) }
    };
    assert_eq!(ask(&["127.0.0.1"], "127.0.0.1").await, "answer");
    assert_eq!(ask(&["127.0.0.1"], "open.test").await, "answer");
    assert_eq!(server.asked().len(), 2);
    assert_eq!(ask(&[], "127.0.0.1").await, "forbidden");
    assert_eq!(ask(&[], "open.test").await, "forbidden");
    assert_eq!(ask(&["10.0.0.0/8"], "127.0.0.1").await, "forbidden");
    assert_eq!(ask(&["10.0.0.0/8"], "open.test").await, "forbidden");
    assert_eq!(
        ask(&["127.0.0.1"], "both.test").await,
        "forbidden",
        "a public address, without TLS"
    );
    assert_eq!(ask(&["127.0.0.1"], "1.1.1.1").await, "forbidden");
    assert_eq!(server.connections(), 2, "those that were answered, and no other");
}
