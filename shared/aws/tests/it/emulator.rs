//! The emulator: where it is, its clock, and a store made anew for each sentence.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::TimeSource;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nexus_contract::START;
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Clock, Timestamp};
use tokio::sync::OwnedMutexGuard;

/// One sentence at a time: there is one emulator, and one clock in it.
static ALONE: LazyLock<Arc<tokio::sync::Mutex<()>>> = LazyLock::new(Arc::default);

/// An emulator that holds nothing and whose clock shows [`START`].
#[derive(Clone)]
pub(crate) struct Emulator {
    /// `http://127.0.0.1:…`
    pub(crate) endpoint: String,
    /// The clock of the trial, which the emulator's follows.
    pub(crate) clock: ManualClock,
    follower: Follower,
    client: Client<HttpConnector, Full<Bytes>>,
    _alone: Arc<OwnedMutexGuard<()>>,
}

impl Emulator {
    /// Waits for the emulator to be free, and empties it.
    pub(crate) async fn anew() -> Self {
        let alone = Arc::new(Arc::clone(&ALONE).lock_owned().await);
        let clock = ManualClock::at(START);
        let follower = Follower {
            control: setting("NEXUS_AWS_CLOCK"),
            clock: clock.clone(),
            shown: Arc::default(),
        };
        let client = Client::builder(TokioExecutor::new()).build_http();
        let endpoint = setting("NEXUS_AWS_ENDPOINT");
        let this = Self { endpoint, clock, follower, client, _alone: alone };
        let reset = format!("{}/_ministack/reset", this.endpoint);
        assert!(
            this.request("POST", &reset, &[], Bytes::new()).await.is_some(),
            "it empties itself"
        );
        this
    }

    /// The settings of a client of its own.
    pub(crate) async fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("test", "test", None, None, "emulator");
        let config = nexus_aws::start(Some(nexus_aws::REGION)).await.unwrap().into_builder();
        config
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .time_source(self.follower.clone())
            .build()
    }

    /// What is answered with 200; `None` for anything else.
    pub(crate) async fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Option<Bytes> {
        // Another host is not ours to ask.
        let path = url.strip_prefix(&self.endpoint).filter(|path| path.starts_with('/'))?;
        self.follower.show();
        let mut request =
            http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = self.client.request(request.body(Full::new(body)).ok()?).await.ok()?;
        let is_ok = answer.status() == http::StatusCode::OK;
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        is_ok.then_some(body)
    }
}

#[expect(clippy::disallowed_methods, reason = "where the emulator is stands in the environment")]
fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run infra/aws/check/contract.sh"))
}

/// Tells the emulator the time before each request: the SDK asks for the time to sign it.
#[derive(Debug, Clone)]
struct Follower {
    control: String,
    clock: ManualClock,
    shown: Arc<Mutex<Option<Timestamp>>>,
}

impl Follower {
    fn show(&self) {
        let now = self.clock.now();
        let mut shown = self.shown.lock().unwrap();
        if *shown == Some(now) {
            return;
        }
        let mut line = TcpStream::connect(&self.control).unwrap();
        writeln!(line, "{}", now.as_millisecond()).unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "ok\n");
        *shown = Some(now);
    }
}

impl TimeSource for Follower {
    fn now(&self) -> SystemTime {
        self.show();
        self.clock.now().into()
    }
}
