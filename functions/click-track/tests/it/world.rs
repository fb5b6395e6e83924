//! The function on a platform, and somebody who follows links.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use nexus_click_track::{ClickTrack, Losses};
use nexus_core::Scope;
use nexus_engine::clicks::{Click, Clicks, Locator, Place, Program, Spot};
use nexus_engine::links::{Link, LinkCode};
use nexus_engine::{EnginePlatform, Hop};
use nexus_handler::{Env, HttpFunction, Measure, Wire};
use nexus_kernel::ClientIp;
use nexus_testkit::{MemoryPlatform, people};
use tower::ServiceExt;

pub(crate) const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1";
pub(crate) const SHOP: &str = "https://shop.example.com/loaf";

pub(crate) struct World {
    pub(crate) platform: MemoryPlatform,
    router: Router,
    pub(crate) losses: Losses,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// How many lost clicks the call told of.
    pub(crate) lost: Option<u64>,
}

impl Answer {
    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get("location").map(|value| value.to_str().unwrap())
    }
}

/// Knows one country.
pub(crate) struct Atlas;

impl Locator for Atlas {
    fn locate(&self, address: ClientIp) -> Place {
        match address.reveal().to_string().as_str() {
            "81.2.69.142" => Place::Spot(Spot {
                country: Some("GB".into()),
                region: Some("ENG".into()),
                city: Some("London".into()),
                tenths: Some([515, -1]),
            }),
            _ => Place::Unlocated,
        }
    }

    fn attribution(&self) -> Option<String> {
        None
    }
}

/// Tells the address that it was asked for while it breaks.
pub(crate) struct Broken;

impl Locator for Broken {
    fn locate(&self, address: ClientIp) -> Place {
        panic!("the database is broken at {}", address.reveal())
    }

    fn attribution(&self) -> Option<String> {
        None
    }
}

pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

pub(crate) fn code(code: &str) -> LinkCode {
    LinkCode::parse(code).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(MemoryPlatform::new(), "commit")
    }

    pub(crate) fn on(platform: MemoryPlatform, ack: &str) -> Self {
        let settings = Hop::ALL.map(|hop| (hop.setting(), hop.name()));
        let env = Env::from_pairs(settings.into_iter().chain([("ACK", ack)]));
        let wired: &dyn EnginePlatform = &platform;
        let deps = ClickTrack::wire(wired, &env).unwrap();
        let losses = deps.losses();
        Self { router: ClickTrack::router(deps), platform, losses }
    }

    pub(crate) fn locating(locator: Arc<dyn Locator>) -> Self {
        let mut platform = MemoryPlatform::new();
        platform.locator = locator;
        Self::on(platform, "commit")
    }

    /// A link of the tenant 1.
    pub(crate) fn link(&self, named: &str) -> Link {
        Link::to(code(named), SHOP, self.platform.now())
    }

    pub(crate) async fn make(&self, link: &Link) {
        self.platform.commit(link.ops(&scope()).into()).await;
    }

    /// Somebody with an iPhone follows a link.
    pub(crate) async fn follow(&self, path: &str) -> Answer {
        self.ask("GET", path, Some("192.0.2.44"), &[("user-agent", IPHONE), ("accept", "*/*")])
            .await
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        address: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        if let Some(address) = address {
            let address: IpAddr = address.parse().unwrap();
            request.extensions_mut().insert(ClientIp::new(address));
        }
        self.send(request).await
    }

    /// Sends it. What holds for every answer is looked at here.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let at = self.platform.invocation();
        let measures = Arc::clone(&at.measures);
        request.extensions_mut().insert(at);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        assert!(!parts.headers.contains_key("set-cookie"), "n56: no cookie");
        assert_eq!(parts.headers["cache-control"], "private, no-store");
        assert_eq!(parts.headers["referrer-policy"], "no-referrer");
        assert_eq!(parts.headers.contains_key("location"), parts.status == 302);
        let lost = measures.get(Measure::LostClicks);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, lost }
    }

    /// What was handed on to be counted: whose, and which.
    pub(crate) fn clicks(&self) -> Vec<(Scope, Click)> {
        let letters = self.platform.letters::<Clicks<'static>>(Hop::Attribute).into_iter();
        let read = |told: Clicks<'_>| {
            told.read(|text| Arc::new(Program::of_kept(text.to_owned()))).unwrap()
        };
        letters.flat_map(|(scope, told)| read(told).into_iter().map(move |c| (scope, c))).collect()
    }
}
