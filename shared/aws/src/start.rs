//! What all clients share: the region, the credentials, the time limits, the retries.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// The one region in which data is kept (N43).
pub const REGION: &str = "us-east-1";

/// The function was started somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("all data stays in {REGION}, but this runs in {}", .0.as_deref().unwrap_or("no region that is named"))]
pub struct WrongRegion(pub Option<String>);

/// What the clients are built from: credentials and endpoints as the SDK finds them in the process's environment.
///
/// # Errors
/// `region`, which is where the function runs, is not [`REGION`].
pub async fn start(region: Option<&str>) -> Result<SdkConfig, WrongRegion> {
    if region != Some(REGION) {
        return Err(WrongRegion(region.map(str::to_owned)));
    }
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(REGION)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(limits(Duration::from_secs(5), Duration::from_secs(15)));
    Ok(config.load().await)
}

/// Time limits: for one attempt, and for the whole call with its retries.
pub(crate) fn limits(attempt: Duration, call: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(attempt)
        .operation_timeout(call)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn n43_another_region_is_refused_at_the_start() {
        assert_eq!(start(Some(REGION)).await.unwrap().region().unwrap().as_ref(), REGION);
        let elsewhere = start(Some("eu-west-1")).await.unwrap_err();
        assert_eq!(
            elsewhere.to_string(),
            "all data stays in us-east-1, but this runs in eu-west-1"
        );
        assert!(start(None).await.is_err());
    }
}
