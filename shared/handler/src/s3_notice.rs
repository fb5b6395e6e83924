//! The notices that a bucket sends to a queue when something was put.

use aws_lambda_events::event::s3::S3Event;
use nexus_core::BlobKey;
use nexus_kernel::Failure;
use serde::Deserialize;

use crate::batch::FromQueue;

/// Something was put into the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Where.
    pub key: BlobKey,
    /// How many bytes.
    pub size: u64,
}

/// A notice: usually one object, none in the test event that S3 sends when the wiring is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Notice(pub Vec<Created>);

#[derive(Deserialize)]
struct TestEvent {
    #[serde(rename = "Event")]
    event: String,
}

impl FromQueue for S3Notice {
    fn from_queue(body: &str) -> Result<Self, Failure> {
        if serde_json::from_str::<TestEvent>(body).is_ok_and(|t| t.event == "s3:TestEvent") {
            return Ok(Self::default());
        }
        let event: S3Event = serde_json::from_str(body)
            .map_err(|e| Failure::invalid("this is not a notice of our bucket").caused_by(e))?;
        let created = event
            .records
            .into_iter()
            .filter(|r| r.event_name.as_deref().is_some_and(|n| n.starts_with("ObjectCreated:")))
            .filter_map(|r| {
                // S3 writes keys as HTML forms do: a plus for a space, the rest percent-encoded.
                let raw = r.s3.object.key?;
                let key = form_decoded(&raw);
                let size = r.s3.object.size.and_then(|s| u64::try_from(s).ok()).unwrap_or(0);
                Some(Created { key: BlobKey::stored(key), size })
            })
            .collect();
        Ok(Self(created))
    }

    fn origin(&self) -> (String, String) {
        let key = self.0.first().map(|c| c.key.as_str()).unwrap_or_default();
        let mut parts = key.split('/').skip(1);
        let tenant = parts.next().unwrap_or_default().to_owned();
        (parts.next().unwrap_or_default().to_owned(), tenant)
    }
}

fn form_decoded(raw: &str) -> String {
    form_urlencoded::parse(format!("k={raw}").as_bytes())
        .next()
        .map(|(_, v)| v.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_form_decoded_and_the_test_event_holds_nothing() {
        let body = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1",
            "eventTime":"2026-11-20T09:00:00.000Z","eventName":"ObjectCreated:Put",
            "s3":{"s3SchemaVersion":"1.0","bucket":{"name":"b"},
            "object":{"key":"in/a+b/caf%C3%A9","size":7,"eTag":"e","sequencer":"0"}}}]}"#;
        let notice = S3Notice::from_queue(body).unwrap();
        assert_eq!(notice.0, [Created { key: BlobKey::stored("in/a b/café"), size: 7 }]);
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
        assert_eq!(S3Notice::from_queue(test).unwrap(), S3Notice::default());
        assert!(S3Notice::from_queue("{}").is_err());
    }
}
