use super::*;

fn public(address: &str) -> bool {
    public::Public::default().holds(address.parse().unwrap())
}

#[test]
fn the_edges_of_every_network_that_is_not_public() {
    // The first address, the last one, and what stands before and after them where that is public.
    for (before, first, last, after) in [
        (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
        (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
        (Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0")),
        (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
        (Some("168.63.129.15"), "168.63.129.16", "168.63.129.16", Some("168.63.129.17")),
        (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
        (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
        (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
        (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
        (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
        (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
        (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
        (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
        (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
        (Some("223.255.255.255"), "224.0.0.0", "239.255.255.255", None),
        (None, "240.0.0.0", "255.255.255.255", None),
        (None, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000::")),
        (
            Some("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001::",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("2001:200::"),
        ),
        (
            Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("2001:db9::"),
        ),
        (
            Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2002::",
            "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("2003::"),
        ),
        (
            Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("3fff:1000::"),
        ),
        (
            Some("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "4000::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            None,
        ),
    ] {
        for inside in [first, last] {
            assert!(!public(inside), "{inside} is taken for public");
        }
        for outside in [before, after].into_iter().flatten() {
            assert!(public(outside), "{outside} is public");
        }
    }
}

#[test]
fn every_carrier_of_an_ipv4_address_is_refused_whatever_it_carries() {
    for carrier in [
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "2002:808:808::1",
        "2001:0:808:808::1",
        "2600:1f18::5efe:127.0.0.1",
        "2600:1f18::200:5efe:127.0.0.1",
    ] {
        assert!(!public(carrier), "{carrier}");
    }
    for plain in ["8.8.8.8", "2600:1f18::1", "2a00:1450:4001::1"] {
        assert!(public(plain), "{plain}");
    }
}

fn listed(url: &str, list: &[&str]) -> bool {
    let list: Vec<String> = list.iter().map(|entry| (*entry).to_owned()).collect();
    match Guard::public().permit(url, &list) {
        Ok(_) => true,
        Err(NotAllowed::Unlisted(_)) => false,
        Err(other) => panic!("{url}: {other}"),
    }
}

#[test]
fn n35_a_host_is_on_the_list_in_every_spelling_and_its_look_alikes_are_not() {
    for url in [
        "https://api.example.com/v1",
        "https://API.Example.COM/v1",
        "https://api.example.com./v1",
        "https://api.example.com:8443/v1",
        "https://api%2Eexample.com/v1",
        "https://ａｐｉ.example.com/v1",
    ] {
        assert!(listed(url, &["api.example.com"]), "{url}");
        assert!(listed(url, &["API.example.com."]), "{url}");
    }
    for url in [
        "https://example.com",
        "https://other.example.com",
        "https://x.api.example.com",
        "https://xapi.example.com",
        "https://api.example.com.evil.test",
        "https://api.example.com..",
        "https://api-example.com",
        "https://аpi.example.com",
        "https://1.1.1.1",
    ] {
        assert!(!listed(url, &["api.example.com"]), "{url}");
        assert!(!listed(url, &[]), "{url}: an empty list is none");
    }
    assert!(listed("https://bücher.example", &["xn--bcher-kva.example"]));
    assert!(listed("https://xn--bcher-kva.example", &["Bücher.example"]));
}

#[test]
fn n35_a_leading_dot_is_any_host_below_and_not_the_host_itself() {
    for url in ["https://a.example.com", "https://a.b.EXAMPLE.com."] {
        assert!(listed(url, &[".example.com"]), "{url}");
    }
    for url in ["https://example.com", "https://evilexample.com", "https://a.example.com.evil.test"]
    {
        assert!(!listed(url, &[".example.com"]), "{url}");
    }
    assert!(!listed("https://1.1.1.1", &[".1.1.1", ".1"]), "an address is below nothing");
    assert!(!listed("https://a.example.com", &["."]), "a dot alone is no list of everybody");
    assert!(!listed("https://a.example.com", &["*.example.com", "*"]), "a star is no pattern");
}

#[test]
fn n35_an_address_is_on_the_list_in_every_spelling() {
    for url in ["https://1.1.1.1", "https://0x01010101", "https://1.1.257"] {
        assert!(listed(url, &["1.1.1.1"]), "{url}");
    }
    for list in ["2606:4700::1111", "[2606:4700::1111]", "2606:4700:0::1111"] {
        assert!(listed("https://[2606:4700::1111]", &[list]), "{list}");
    }
}

#[test]
fn what_is_asked_has_no_final_dot() {
    let hosts = ["api.example.com".to_owned()];
    let permitted = Guard::public().permit("https://API.example.com.:8443/v1?a=b", &hosts).unwrap();
    assert_eq!(permitted.url.as_str(), "https://api.example.com:8443/v1?a=b");
    assert_eq!(permitted.way, Way::Secure);
}

#[test]
fn other_schemes_and_user_names_are_refused_without_telling_them() {
    let hosts = ["api.example.com".to_owned()];
    let why = |url: &str| Guard::public().permit(url, &hosts).unwrap_err();
    assert!(matches!(why("http://api.example.com/?key=planted"), NotAllowed::Plain(_)));
    assert!(matches!(why("ftp://api.example.com"), NotAllowed::Scheme(_)));
    assert!(matches!(why("https://planted:planted@api.example.com"), NotAllowed::UserInfo(_)));
    assert!(matches!(why("https://:planted@api.example.com"), NotAllowed::UserInfo(_)));
    for unreadable in
        ["", "api.example.com", "data:text/plain,planted", "https://", "https://.", "https://[::1"]
    {
        assert_eq!(why(unreadable), NotAllowed::Unreadable, "{unreadable}");
    }
    for url in ["http://api.example.com/planted?planted", "https://planted@api.example.com/planted"]
    {
        assert!(!why(url).to_string().contains("planted"));
    }
    let long = format!("https://{}.test", "a".repeat(5_000));
    assert!(why(&long).to_string().len() < 200, "a stranger's name does not fill the log");
}

#[test]
fn what_the_operator_opened_may_be_asked_without_tls_and_nothing_else() {
    let guard = Guard::allowing(["127.0.0.0/8", " 192.168.7.9/24 ", "fd12::1"]).unwrap();
    let hosts: Vec<String> = [
        "127.0.0.1",
        "192.168.7.1",
        "192.168.8.1",
        "1.1.1.1",
        "fd12::1",
        "fd12::2",
        "::ffff:127.0.0.1",
    ]
    .map(str::to_owned)
    .into();
    let way = |url: &str| guard.permit(url, &hosts).map(|permitted| permitted.way);
    assert_eq!(way("http://127.0.0.1:4010/"), Ok(Way::Plain));
    assert_eq!(way("https://127.0.0.1:4010/"), Ok(Way::Secure));
    assert_eq!(way("http://192.168.7.1"), Ok(Way::Plain));
    assert_eq!(way("http://[fd12::1]"), Ok(Way::Plain));
    assert!(matches!(way("https://192.168.8.1"), Err(NotAllowed::NotPublic(_))));
    assert!(matches!(way("https://[fd12::2]"), Err(NotAllowed::NotPublic(_))));
    assert!(matches!(way("https://[::ffff:127.0.0.1]"), Err(NotAllowed::NotPublic(_))));
    assert!(matches!(way("http://1.1.1.1"), Err(NotAllowed::Plain(_))));
    assert_eq!(way("https://1.1.1.1"), Ok(Way::Secure));
}

#[test]
fn a_list_that_is_none_says_which_line() {
    for wrong in ["", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0-10.0.0.9"] {
        let why = Guard::allowing(["127.0.0.0/8", wrong]).unwrap_err();
        assert_eq!(why, NetworkError::Unreadable(wrong.to_owned()));
    }
    for everything in ["0.0.0.0/0", "::/0", "10.0.0.0/0"] {
        let why = Guard::allowing([everything]).unwrap_err();
        assert_eq!(why, NetworkError::Everything(everything.to_owned()));
    }
}

struct Told(Vec<IpAddr>);

#[async_trait::async_trait]
impl Names for Told {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

async fn look_up(guard: Guard, way: Way, addresses: &[&str]) -> Result<usize, String> {
    let told = Told(addresses.iter().map(|a| a.parse().unwrap()).collect());
    let found = guard.with_names(Arc::new(told)).look_up("name.test", way).await;
    found.map(|found| found.len()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn all_addresses_of_a_name_have_to_be_allowed() {
    let opened = || Guard::allowing(["127.0.0.0/8"]).unwrap();
    let refused = |result: Result<usize, String>| result.unwrap_err().contains("not public");
    assert_eq!(look_up(Guard::public(), Way::Secure, &["1.1.1.1", "2606:4700::1111"]).await, Ok(2));
    assert!(refused(look_up(Guard::public(), Way::Secure, &["1.1.1.1", "10.0.0.1"]).await));
    assert!(refused(look_up(Guard::public(), Way::Secure, &["::ffff:127.0.0.1"]).await));
    assert!(refused(look_up(opened(), Way::Secure, &["127.0.0.1", "10.0.0.1"]).await));
    assert_eq!(look_up(opened(), Way::Secure, &["127.0.0.1", "1.1.1.1"]).await, Ok(2));
    assert_eq!(look_up(opened(), Way::Plain, &["127.0.0.1", "127.0.0.2"]).await, Ok(2));
    let plain = look_up(opened(), Way::Plain, &["127.0.0.1", "1.1.1.1"]).await.unwrap_err();
    assert!(plain.contains("without TLS"), "{plain}");
    assert!(look_up(Guard::public(), Way::Secure, &[]).await.is_err(), "no address is none");
}
