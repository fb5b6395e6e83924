//! The bus's contract on EventBridge, heard by a queue of SQS that a rule feeds.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use nexus_aws::eventbridge::EventBridgeBus;
use nexus_contract::Pair;
use nexus_contract::bus::{Listener, Stand};
use nexus_core::QueueAddress;
use nexus_core::bus::Event;
use nexus_core::queues::Queues;

use crate::emulator::Emulator;
use crate::queues::{create, handle};

struct Ear {
    queues: Arc<dyn Queues>,
    queue: QueueAddress,
}

#[async_trait]
impl Listener for Ear {
    async fn heard(&self, at_least: usize) -> Vec<Event> {
        let mut heard = Vec::new();
        // The emulator hands on before it answers; so what is not there now will not come.
        while heard.len() < at_least {
            let taken =
                self.queues.receive(&self.queue, 10, Duration::from_secs(60)).await.unwrap();
            assert!(!taken.is_empty(), "{} of {at_least} were heard", heard.len());
            for message in taken {
                let told: serde_json::Value = serde_json::from_str(&message.body).unwrap();
                let event: Event = serde_json::from_value(told["detail"].clone()).unwrap();
                assert_eq!(told["source"], format!("nexus.{}", event.product().name()));
                assert_eq!(told["detail-type"], event.kind());
                heard.push(event);
                self.queues.delete(&self.queue, &[message.receipt]).await.unwrap();
            }
        }
        heard
    }
}

async fn open() -> Stand {
    let emulator = Emulator::anew().await;
    let config = emulator.config().await;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let (queue, _) = create(&sqs, "heard", 100).await;
    let asked = sqs.get_queue_attributes().queue_url(&queue.0);
    let asked = asked.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
    let arn = asked.attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    let events = Client::new(&config);
    events.create_event_bus().name("nexus").send().await.unwrap();
    let rule = events.put_rule().name("all").event_bus_name("nexus");
    rule.event_pattern(r#"{"source":[{"prefix":"nexus."}]}"#).send().await.unwrap();
    let target = Target::builder().id("heard").arn(arn).build().unwrap();
    let targets = events.put_targets().rule("all").event_bus_name("nexus");
    targets.targets(target).send().await.unwrap();
    let (one, other) = (
        EventBridgeBus::new(&config, "nexus"),
        EventBridgeBus::new(&emulator.config().await, "nexus"),
    );
    let listener = Arc::new(Ear { queues: handle(&config), queue });
    let clock = emulator.clock.clone();
    let pair = Pair::new(Arc::new(one) as _, Arc::new(other) as _, clock).keeping(emulator);
    Stand { pair, listener }
}

crate::sentences! {
    bus, open:
    s01_what_was_told_is_heard_whole
    s02_any_number_is_told
    s02_concurrent_tellers_lose_nothing
    s03_the_limits_hold
}
