//! The notices that a bucket sends to a queue when something was put.

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

/// The few fields that are needed of what S3 writes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
#[derive(Deserialize)]
struct Written {
    /// `s3:TestEvent`, in the event that has no records.
    #[serde(rename = "Event", default)]
    event: Option<String>,
    #[serde(rename = "Records", default)]
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    size: u64,
}

impl FromQueue for S3Notice {
    fn from_queue(body: &str) -> Result<Self, Failure> {
        let refuse = || Failure::invalid("this is not a notice of our bucket");
        let written: Written = serde_json::from_str(body).map_err(|e| refuse().caused_by(e))?;
        let records = match (written.records, written.event.as_deref()) {
            (Some(records), _) => records,
            (None, Some("s3:TestEvent")) => Vec::new(),
            (None, _) => return Err(refuse()),
        };
        let created = records
            .into_iter()
            .filter(|r| r.event_name.starts_with("ObjectCreated:"))
            // S3 writes keys as HTML forms do: a plus for a space, the rest percent-encoded.
            .map(|r| Created {
                key: BlobKey::stored(form_decoded(&r.s3.object.key)),
                size: r.s3.object.size,
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
