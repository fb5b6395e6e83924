//! Mail by Amazon SES.
//!
//! SES knows no key under which a second request would be the first one again. So this client tries once, unlike all
//! others, and a call whose answer was lost, or that ended with the service's own error, is `Unknown`.
//!
//! **Never here:** what a mail says, who is written to.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata as _, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message as Letter, MessageTag,
};
use nexus_core::effect::Outcome;
use nexus_core::mail::{Mail, MailAddress, Message};

/// The tag that carries a mail's purpose into SES's events.
const PURPOSE: &str = "purpose";
/// Seconds to wait after a rate was passed.
const BRIEFLY: u32 = 5;
/// Seconds to wait after the quota of a day was used up: it is counted over the last 24 hours.
const AN_HOUR: u32 = 3_600;

/// The carrier.
#[derive(Debug, Clone)]
pub struct SesMail {
    client: Client,
    from: MailAddress,
    configuration_set: Option<String>,
}

impl SesMail {
    /// Mail comes from this address, whose domain is verified, and its deliveries, bounces and complaints are told by
    /// this configuration set, if by any.
    pub fn new(config: &SdkConfig, from: MailAddress, configuration_set: Option<String>) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(config);
        let config = config.retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), from, configuration_set }
    }

    fn content(message: &Message) -> Result<EmailContent, BuildError> {
        let utf8 = |data: &str| Content::builder().data(data).charset("UTF-8").build();
        let html = message.html().map(|html| utf8(html.reveal())).transpose()?;
        let body = Body::builder().text(utf8(message.text().reveal())?).set_html(html).build();
        let subject = utf8(message.subject().reveal())?;
        let letter = Letter::builder().subject(subject).body(body).build();
        Ok(EmailContent::builder().simple(letter).build())
    }
}

#[async_trait]
impl Mail for SesMail {
    async fn send(&self, message: &Message) -> Outcome {
        let tag = MessageTag::builder().name(PURPOSE).value(message.purpose().as_str()).build();
        let (Ok(content), Ok(tag)) = (Self::content(message), tag) else { return unbuilt() };
        let to = Destination::builder().to_addresses(message.to().reveal()).build();
        let asked = self
            .client
            .send_email()
            .from_email_address(self.from.reveal())
            .destination(to)
            .set_reply_to_addresses(message.reply_to().map(|a| vec![a.reveal().to_owned()]))
            .content(content)
            .email_tags(tag)
            .set_configuration_set_name(self.configuration_set.clone());
        match asked.send().await {
            Ok(answer) => match answer.message_id {
                Some(receipt) if !receipt.is_empty() => Outcome::Done { receipt, url: None },
                _ => unknown("SES took the mail and gave it no id"),
            },
            Err(error) => outcome(&error),
        }
    }
}

fn unbuilt() -> Outcome {
    Outcome::Refused { why: "The mail could not be put into a request.".to_owned() }
}

fn unknown(why: &str) -> Outcome {
    Outcome::Unknown { why: why.to_owned() }
}

/// What an error means. SES's sentences quote addresses, so that only the error's type is told.
fn outcome(error: &SdkError<SendEmailError>) -> Outcome {
    let answer = match error {
        SdkError::ConstructionFailure(_) => return unbuilt(),
        SdkError::TimeoutError(_) => return unknown("SES did not answer in time"),
        SdkError::DispatchFailure(_) => return unknown("the line to SES failed"),
        SdkError::ServiceError(answer) => answer,
        _ => return unknown("SES gave an answer that cannot be read"),
    };
    let status = answer.raw().status().as_u16();
    let code = answer.err().code().unwrap_or_default();
    match code {
        "TooManyRequestsException"
        | "ThrottlingException"
        | "Throttling"
        | "ExpiredTokenException" => Outcome::Throttled { after_seconds: BRIEFLY },
        "LimitExceededException" => Outcome::Throttled { after_seconds: AN_HOUR },
        "AccountSuspendedException"
        | "SendingPausedException"
        | "MailFromDomainNotVerifiedException"
        | "NotFoundException"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId" => Outcome::Login {
            why: format!("Amazon SES does not take mail from this deployment ({code})."),
        },
        _ if status == 429 => Outcome::Throttled { after_seconds: BRIEFLY },
        _ if status == 408 || !(400..500).contains(&status) => {
            let name = if code.is_empty() { "what cannot be read" } else { code };
            unknown(&format!("SES answered {name} (status {status})"))
        }
        _ => Outcome::Refused {
            why: format!(
                "Amazon SES refused the mail ({}).",
                if code.is_empty() { "no reason" } else { code }
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::mail::Purpose;
    use serde_json::{Value, json};

    use super::*;
    use crate::replay::{answering, sent};

    fn address(raw: &str) -> MailAddress {
        MailAddress::parse(raw).unwrap()
    }

    fn message() -> Message {
        let purpose = Purpose::parse("service-notice").unwrap();
        let to = address("ada@example.org");
        Message::new(to, "Café ☕".into(), "Good morning,\nAda".into(), purpose).unwrap()
    }

    async fn send(
        answers: &[(u16, &str)],
        message: &Message,
    ) -> (Outcome, Vec<(String, String, Value)>) {
        let (config, client) = answering(3, answers);
        let mail =
            SesMail::new(&config, address("no-reply@luna.example"), Some("nexus-mail".into()));
        let outcome = mail.send(message).await;
        let sent = sent(&client).into_iter();
        (outcome, sent.map(|(method, path, body)| (method, path, body.parse().unwrap())).collect())
    }

    const DONE: &str = r#"{"MessageId":"0100018f-1"}"#;

    #[tokio::test]
    async fn exactly_the_message_goes_out_to_its_one_address() {
        let (outcome, requests) = send(&[(200, DONE)], &message()).await;
        assert_eq!(outcome, Outcome::Done { receipt: "0100018f-1".into(), url: None });
        let text = |data: &str| json!({"Data": data, "Charset": "UTF-8"});
        let expected = json!({
            "FromEmailAddress": "no-reply@luna.example",
            "Destination": {"ToAddresses": ["ada@example.org"]},
            "Content": {"Simple": {"Subject": text("Café ☕"), "Body": {"Text": text("Good morning,\nAda")}}},
            "EmailTags": [{"Name": "purpose", "Value": "service-notice"}],
            "ConfigurationSetName": "nexus-mail",
        });
        let path = "v2/email/outbound-emails";
        assert_eq!(requests, [("POST".into(), path.into(), expected.clone())]);

        let message = message().with_html("<p>Good morning</p>".into()).unwrap();
        let (_, requests) =
            send(&[(200, DONE)], &message.answered_to(address("help@luna.example"))).await;
        let mut with_all = expected;
        with_all["ReplyToAddresses"] = json!(["help@luna.example"]);
        with_all["Content"]["Simple"]["Body"]["Html"] = text("<p>Good morning</p>");
        assert_eq!(requests[0].2, with_all);
    }

    #[tokio::test]
    async fn outcomes_are_kept_apart_and_nothing_is_sent_twice() {
        let throttled = |after_seconds| Outcome::Throttled { after_seconds };
        let login = |code: &str| Outcome::Login {
            why: format!("Amazon SES does not take mail from this deployment ({code})."),
        };
        let refused =
            |code: &str| Outcome::Refused { why: format!("Amazon SES refused the mail ({code}).") };
        let lost = |why: &str| Outcome::Unknown { why: why.into() };
        let cases = [
            (429, "TooManyRequestsException", throttled(5)),
            (400, "ThrottlingException", throttled(5)),
            (400, "LimitExceededException", throttled(3_600)),
            (400, "MessageRejected", refused("MessageRejected")),
            (400, "BadRequestException", refused("BadRequestException")),
            (400, "AccountSuspendedException", login("AccountSuspendedException")),
            (400, "SendingPausedException", login("SendingPausedException")),
            (
                400,
                "MailFromDomainNotVerifiedException",
                login("MailFromDomainNotVerifiedException"),
            ),
            (404, "NotFoundException", login("NotFoundException")),
            (403, "AccessDeniedException", login("AccessDeniedException")),
            (
                500,
                "InternalServiceErrorException",
                lost("SES answered InternalServiceErrorException (status 500)"),
            ),
            (503, "ServiceUnavailable", lost("SES answered ServiceUnavailable (status 503)")),
        ];
        for (status, code, expected) in cases {
            let error = json!({"__type": code, "message": "ada@example.org is not verified"});
            let (outcome, requests) = send(&[(status, &error.to_string())], &message()).await;
            assert_eq!(outcome, expected, "{code}");
            assert_eq!(requests.len(), 1, "{code}: one attempt");
        }
    }

    #[tokio::test]
    async fn whatever_leaves_a_doubt_is_unknown() {
        let (outcome, _) = send(&[], &message()).await;
        assert_eq!(outcome, unknown("the line to SES failed"));
        for (status, answer) in [(200, "<html>"), (301, ""), (502, "<html>")] {
            let (outcome, requests) = send(&[(status, answer), (200, DONE)], &message()).await;
            assert!(matches!(outcome, Outcome::Unknown { .. }), "{status} {outcome:?}");
            assert_eq!(requests.len(), 1, "and is not tried again");
        }
        for answer in ["{}", r#"{"MessageId":""}"#] {
            let (outcome, _) = send(&[(200, answer)], &message()).await;
            assert_eq!(outcome, unknown("SES took the mail and gave it no id"));
        }
    }
}
