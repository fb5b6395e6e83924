//! Where a link leads whom, and until when.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_engine::account::Settings;
use nexus_engine::clicks::{BotReason, DeviceClass, Place};
use nexus_engine::links::{Country, Link, LinkCode, LinkDefaults, Rule, Spoken, Target, Utm};
use nexus_testkit::{MemoryPlatform, people};
use serde_json::{Value, json};

use crate::world::{Atlas, Broken, IPHONE, SHOP, World, scope};

#[tokio::test]
async fn n8_a_click_is_these_fields_and_no_other() {
    let world = World::locating(Arc::new(Atlas));
    let post = nexus_core::effect::EffectId::derived(&["post"]);
    world.make(&Link { post: Some(post), ..world.link("spring") }).await;
    let headers = [
        ("user-agent", IPHONE),
        ("accept", "text/html"),
        ("accept-language", "es"),
        ("referer", "https://www.TikTok.com/@bakery/video/1?lang=en&who=ada"),
        ("cookie", "id=ada"),
        ("authorization", "Bearer ada"),
        ("x-forwarded-for", "198.51.100.7"),
    ];
    let answer =
        world.ask("GET", "/c/spring?email=ada%40example.org", Some("81.2.69.142"), &headers).await;
    assert_eq!((answer.status, answer.location(), answer.body.as_str()), (302, Some(SHOP), ""));

    let waiting = world.platform.waiting(nexus_engine::Hop::Attribute);
    assert_eq!(waiting.len(), 1);
    let message: Value = serde_json::from_str(&waiting[0].body).unwrap();
    let click = &message["message"]["clicks"][0];
    let told = json!({
        "id": click["id"], "at": world.platform.now().to_string(), "link": 0, "program": 0, "page": 0,
        "place": { "spot": { "country": "GB", "region": "ENG", "city": "London", "tenths": [515, -1] } },
        "visitor": click["visitor"],
    });
    assert_eq!(
        message["message"],
        json!({
            "links": [{ "code": "spring", "post": post }],
            "programs": [IPHONE],
            "pages": [{ "host": "www.tiktok.com", "path": "/@bakery/video/1" }],
            "clicks": [told],
        })
    );
    let read = world.clicks().remove(0).1;
    assert_eq!(
        serde_json::to_value(&read).unwrap(),
        json!({
            "id": click["id"], "at": world.platform.now().to_string(), "link": "spring", "post": post,
            "place": { "spot": { "country": "GB", "region": "ENG", "city": "London", "tenths": [515, -1] } },
            "agent": { "text": IPHONE, "family": "Mobile Safari", "device": "iPhone", "system": "iOS" },
            "referrer": { "host": "www.tiktok.com", "path": "/@bakery/video/1" },
            "visitor": click["visitor"],
        })
    );
    assert_eq!(click["visitor"].as_str().map(str::len), Some(16));
    assert!(click["id"].as_str().is_some_and(|id| id.starts_with("clk_")));
    assert_eq!(message["owner"], scope().owner().to_string());
    let mut keys: Vec<&String> = message.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["message", "owner", "product", "trace"]);
}

#[tokio::test]
async fn a_products_page_is_told_by_which_link_somebody_comes() {
    let world = World::new();
    for (number, (target, led)) in [
        (
            "https://go.example.com/p/2345cdfhjknprt",
            "https://go.example.com/p/2345cdfhjknprt?from=l0",
        ),
        (
            "https://go.example.com/p/2345cdfhjknprt?a=b",
            "https://go.example.com/p/2345cdfhjknprt?a=b&from=l1",
        ),
        (
            "https://go.example.com/p/2345cdfhjknprt?from=x",
            "https://go.example.com/p/2345cdfhjknprt?from=x",
        ),
        ("https://go.example.com/p/2345cdfhjknpr", "https://go.example.com/p/2345cdfhjknpr"),
        ("https://go.example.com/q/2345cdfhjknprt", "https://go.example.com/q/2345cdfhjknprt"),
    ]
    .into_iter()
    .enumerate()
    {
        let code = format!("l{number}--x");
        let led = led.replace(&format!("l{number}"), &code);
        world.make(&Link::to(LinkCode::parse(&code).unwrap(), target, world.platform.now())).await;
        let answer = world.follow(&format!("/c/{code}")).await;
        assert_eq!(answer.location(), Some(&*led));
    }
}

#[tokio::test]
async fn n9_without_a_place_the_click_is_kept() {
    let without = World::new();
    let unknown = World::locating(Arc::new(Atlas));
    let broken = World::locating(Arc::new(Broken));
    for world in [without, unknown, broken] {
        world.make(&world.link("spring")).await;
        assert_eq!(world.follow("/c/spring").await.status, 302);
        let clicks = world.clicks();
        assert_eq!(clicks.len(), 1);
        assert_eq!(clicks[0].1.place, Place::Unlocated);
    }
    let located = World::locating(Arc::new(Atlas));
    located.make(&located.link("spring")).await;
    located.ask("GET", "/c/spring", Some("81.2.69.142"), &[]).await;
    let Place::Spot(spot) = located.clicks()[0].1.place.clone() else { panic!("a place") };
    assert_eq!(spot.city.as_deref(), Some("London"));
    // N11: tenths of a degree are all that there is room for.
    assert_eq!(spot.tenths, Some([515, -1]));
    // An entrance that tells no address is served too.
    assert_eq!(located.ask("GET", "/c/spring", None, &[]).await.status, 302);
}

#[tokio::test]
async fn robots_and_previews_are_served_and_told_apart() {
    let world = World::new();
    world.make(&world.link("spring")).await;
    let plain = ("accept", "*/*");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<BotReason>);
    let cases: [Case<'_>; 6] = [
        ("GET", &[("user-agent", IPHONE), plain], None),
        ("HEAD", &[("user-agent", IPHONE), plain], Some(BotReason::Head)),
        ("GET", &[("user-agent", IPHONE)], Some(BotReason::NoAccept)),
        ("GET", &[plain], Some(BotReason::NoAgent)),
        ("GET", &[("user-agent", "facebookexternalhit/1.1"), plain], Some(BotReason::Preview)),
        (
            "GET",
            &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)"), plain],
            Some(BotReason::Robot),
        ),
    ];
    for (method, headers, _) in cases {
        let answer = world.ask(method, "/c/spring", Some("192.0.2.44"), headers).await;
        assert_eq!((answer.status, answer.location()), (302, Some(SHOP)), "{method} {headers:?}");
    }
    let clicks = world.clicks();
    for ((_, click), (method, headers, bot)) in clicks.iter().zip(cases) {
        assert_eq!(click.bot, bot, "{method} {headers:?}");
        assert_eq!(click.head, method == "HEAD");
        assert_eq!(click.no_accept, !headers.contains(&plain));
        let again =
            nexus_engine::clicks::bots::reason(&click.agent.text, click.head, click.no_accept);
        assert_eq!(again, click.bot, "it follows from what is kept");
    }
    assert_eq!(clicks.len(), cases.len());
}

#[tokio::test]
async fn parameters_come_from_the_link_or_the_settings() {
    let world = World::new();
    let utm = |source: &str| Utm { source: Some(source.into()), ..Utm::default() };
    let links = LinkDefaults { utm: Some(utm("nexus")), fallback: None };
    world.platform.put(&scope(), &Settings { links, ..Settings::default() }).await;
    let plain = world.link("plain");
    let own = Link { utm: Some(utm("tiktok")), ..world.link("own-one") };
    let none = Link { utm: Some(Utm::default()), ..world.link("none") };
    for link in [&plain, &own, &none] {
        world.make(link).await;
    }
    let led = async |path: &str| world.follow(path).await.location().unwrap().to_owned();
    assert_eq!(led("/c/plain").await, format!("{SHOP}?utm_source=nexus"));
    assert_eq!(led("/c/own-one?utm_source=forged&x=1").await, format!("{SHOP}?utm_source=tiktok"));
    assert_eq!(led("/c/none").await, SHOP);
}

#[tokio::test]
async fn rules_and_weights_lead_people_apart() {
    let world = World::locating(Arc::new(Atlas));
    let rule = |address: &str| Rule {
        countries: Vec::new(),
        devices: Vec::new(),
        languages: Vec::new(),
        address: format!("https://shop.example.com/{address}"),
    };
    let rules = vec![
        Rule { countries: vec![Country::parse("GB").unwrap()], ..rule("gb") },
        Rule {
            devices: vec![DeviceClass::Phone],
            languages: vec![Spoken::parse("es").unwrap()],
            ..rule("es-phone")
        },
    ];
    let target =
        |name: &str| Target { address: format!("https://shop.example.com/{name}"), weight: 1 };
    world
        .make(&Link { rules, targets: vec![target("a"), target("b")], ..world.link("spring") })
        .await;
    let led = async |address: &str, language: &str| {
        let headers = [("user-agent", IPHONE), ("accept", "*/*"), ("accept-language", language)];
        let answer = world.ask("GET", "/c/spring", Some(address), &headers).await;
        answer.location().unwrap().trim_start_matches("https://shop.example.com/").to_owned()
    };
    assert_eq!(led("81.2.69.142", "es").await, "gb");
    assert_eq!(led("192.0.2.1", "es-MX,en;q=0.5").await, "es-phone");
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..40 {
        let address = format!("192.0.2.{n}");
        let first = led(&address, "en").await;
        assert_eq!(
            led(&address, "en").await,
            first,
            "a visitor of a day stays where they were led"
        );
        seen.insert(first);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn a_link_that_has_ended_leads_to_its_fallback_or_nowhere() {
    let world = World::new();
    let later = world.platform.now().saturating_add(SignedDuration::from_mins(10)).unwrap();
    let ends = Link { expires: Some(later), ..world.link("ends") };
    let own = Link {
        expires: Some(later),
        fallback: Some("https://shop.example.com/all".into()),
        ..world.link("with-own")
    };
    world.make(&ends).await;
    world.make(&own).await;
    assert_eq!(world.follow("/c/ends").await.status, 302);
    world.platform.advance(SignedDuration::from_mins(10));
    for path in
        ["/c/ends", "/c/nobody", "/c/x", "/c/", "/c", "/", "/c/ends/more", "/c/%00", "/c/ends%2f"]
    {
        assert_eq!(world.follow(path).await.status, 404, "{path}");
    }
    assert_eq!(world.follow("/c/with-own").await.location(), Some("https://shop.example.com/all"));
    let links = LinkDefaults { utm: None, fallback: Some("https://shop.example.com/home".into()) };
    world.platform.put(&scope(), &Settings { links, ..Settings::default() }).await;
    world.platform.advance(SignedDuration::from_mins(1));
    assert_eq!(world.follow("/c/ends").await.location(), Some("https://shop.example.com/home"));
    assert_eq!(
        world.follow("/c/nobody").await.status,
        404,
        "what nobody has is nobody's to lead on"
    );
    assert_eq!(world.clicks().len(), 1, "only what leads to a target counts");
    assert_eq!(world.ask("POST", "/c/ends", None, &[]).await.status, 405);
}

#[tokio::test]
async fn a_revocation_reaches_everyone_within_half_a_minute() {
    let world = World::new();
    let link = world.link("spring");
    world.make(&link).await;
    assert_eq!(world.follow("/c/spring").await.status, 302);
    world.platform.put(&scope(), &Link { revoked: Some(world.platform.now()), ..link }).await;
    world.platform.advance(SignedDuration::from_secs(29));
    assert_eq!(world.follow("/c/spring").await.status, 302, "remembered");
    world.platform.advance(SignedDuration::from_secs(1));
    assert_eq!(world.follow("/c/spring").await.status, 404);
    // Who tries a code and then makes it waits a few seconds at most.
    assert_eq!(world.follow("/c/summer").await.status, 404);
    world.make(&world.link("summer")).await;
    world.platform.advance(SignedDuration::from_secs(5));
    assert_eq!(world.follow("/c/summer").await.status, 302);
}

#[tokio::test]
async fn a_link_is_read_once_in_half_a_minute() {
    let faults = Faults::none();
    let platform = MemoryPlatform::new();
    let count = faults.clone();
    let platform = platform.with_table(|table| Arc::new(Flaky::new(table, count)));
    let world = World::on(platform, "commit");
    world.make(&world.link("spring")).await;
    world.follow("/c/spring").await;
    let calls = faults.calls();
    for _ in 0..100 {
        world.follow("/c/spring").await;
    }
    assert_eq!(faults.calls(), calls);
    assert_eq!(world.clicks().len(), 101);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_and_leads_nowhere() {
    let platform = MemoryPlatform::new();
    let faults = Faults::script([Fault::Before]);
    let platform = platform.with_table(|table| Arc::new(Flaky::new(table, faults)));
    let world = World::on(platform, "commit");
    world.make(&world.link("spring")).await;
    let answer = world.follow("/c/spring").await;
    assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (503, "2"));
    assert_eq!(world.follow("/c/spring").await.status, 302);
}

#[tokio::test]
async fn n48_a_click_belongs_to_whoever_has_the_code() {
    let world = World::new();
    let (one, two) = (scope(), people::scope(people::tenant(2)));
    world.make(&world.link("ours")).await;
    let theirs = world.link("theirs");
    world.platform.commit(theirs.ops(&two).into()).await;
    // The same visitor at two tenants' links is not the same visitor.
    world.follow("/c/ours").await;
    world.follow("/c/theirs").await;
    let clicks = world.clicks();
    assert_eq!(clicks.iter().map(|(scope, _)| *scope).collect::<Vec<_>>(), [one, two]);
    assert_ne!(clicks[0].1.visitor, clicks[1].1.visitor);
}
