//! Clients that are answered from a list instead of by AWS.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_types::body::SdkBody;

/// A client's settings and the record of what it sent. It is given these answers (status and body), one for each
/// attempt; then the line is dead. It tries each call so often.
pub(crate) fn answering(attempts: u32, answers: &[(u16, &str)]) -> (SdkConfig, StaticReplayClient) {
    let answer = |(status, body): &(u16, &str)| {
        http::Response::builder().status(*status).body(SdkBody::from(*body)).unwrap()
    };
    replaying(attempts, answers.iter().map(answer).collect())
}

/// As [`answering`], with answers that have headers or are no text.
pub(crate) fn replaying(
    attempts: u32,
    answers: Vec<http::Response<SdkBody>>,
) -> (SdkConfig, StaticReplayClient) {
    let events = answers.into_iter().map(|answer| {
        let request = http::Request::builder().uri("https://aws.example").body(SdkBody::empty());
        ReplayEvent::new(request.unwrap(), answer)
    });
    let client = StaticReplayClient::new(events.collect());
    let retries = RetryConfig::standard().with_max_attempts(attempts);
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(crate::REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries.with_initial_backoff(Duration::from_millis(1)))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(client.clone())
        .build();
    (config, client)
}

/// What was sent: method, path with query, and body.
pub(crate) fn sent(client: &StaticReplayClient) -> Vec<(String, String, String)> {
    let text =
        |body: &SdkBody| String::from_utf8_lossy(body.bytes().unwrap_or_default()).into_owned();
    let path = |uri: &str| uri.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
    client
        .actual_requests()
        .map(|r| (r.method().to_owned(), path(r.uri()), text(r.body())))
        .collect()
}
