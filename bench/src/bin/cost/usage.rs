//! How much of what is used: while nobody does anything, and for photos.
//!
//! A call's time on Lambda is not measured here: it is put together from the processor time of the measured run, the
//! share of a processor that the function's memory buys, and what its calls of other services are assumed to take.

use std::collections::{BTreeMap, BTreeSet};

use nexus_bench::measured::{Measured, PhotoRun, Step};
use nexus_bench::template::{Function, Template, runs_a_month};
use serde::Deserialize;

use crate::Outcome;

/// Hours of a month, as AWS counts.
pub(crate) const HOURS: f64 = 730.0;

/// A number that could not be measured, and why.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumption {
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) because: String,
}

/// What could not be measured, by name.
pub(crate) struct Assumed(pub(crate) BTreeMap<String, Assumption>);

impl Assumed {
    /// The number of that name.
    pub(crate) fn get(&self, name: &str) -> Outcome<f64> {
        let found = self.0.get(name).ok_or_else(|| format!("assumed.json has no `{name}`"))?;
        Ok(found.value)
    }
}

/// So much of something that has a price.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Usage {
    /// The price's name.
    pub(crate) price: &'static str,
    /// How much.
    pub(crate) quantity: f64,
}

/// What is used, summed by price.
#[derive(Debug, Default)]
pub(crate) struct Uses(BTreeMap<&'static str, f64>);

impl Uses {
    pub(crate) fn add(&mut self, price: &'static str, quantity: f64) {
        if quantity > 0.0 {
            *self.0.entry(price).or_default() += quantity;
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = Usage> + '_ {
        self.0.iter().map(|(price, quantity)| Usage { price, quantity: *quantity })
    }
}

/// From what everything is computed.
pub(crate) struct Basis {
    pub(crate) template: Template,
    pub(crate) measured: Measured,
    pub(crate) assumed: Assumed,
}

/// How the queues' pollers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pollers {
    /// As the template has it.
    AsWritten,
    /// As if no queue had a maximum concurrency.
    NoneCapped,
    /// As if every queue had one.
    AllCapped,
}

impl Basis {
    fn photo(&self) -> Outcome<&PhotoRun> {
        Ok(self
            .measured
            .photo
            .as_ref()
            .ok_or("measured.json has no photo: run `measure --write` first")?)
    }

    /// What a month takes in which nobody does anything.
    pub(crate) fn idle(&self) -> Outcome<Uses> {
        let (assumed, mut uses) = (&self.assumed, Uses::default());
        for function in self.template.functions() {
            for schedule in &function.schedules {
                let runs = runs_a_month(schedule)?;
                let steps = &self.photo()?.idle;
                let step = steps.get(&function.binary).ok_or_else(|| {
                    format!("measured.json has no idle run of `{}`", function.binary)
                })?;
                uses.add("eventbridge_rule", runs);
                self.calls(&mut uses, &function, step, runs, self.cold_share(runs))?;
            }
        }
        uses.add("sqs_request", self.polls(Pollers::AsWritten)?);
        uses.add("kms_key", self.template.count("AWS::KMS::Key") as f64);
        uses.add("kms_request", assumed.get("idle_kms_a_hour")? * HOURS);
        uses.add("cloudwatch_alarm", self.template.count("AWS::CloudWatch::Alarm") as f64);
        uses.add("cloudwatch_metric", assumed.get("idle_metrics")?);
        Ok(uses)
    }

    /// What so many photos take, from the upload to the approval, with the month in which they are kept.
    pub(crate) fn photos(&self, count: f64) -> Outcome<Uses> {
        let (assumed, run, mut uses) = (&self.assumed, self.photo()?, Uses::default());
        let functions = self.template.functions();
        for (name, step) in &run.steps {
            let function = functions.iter().find(|f| f.binary == *name);
            let function = function.ok_or_else(|| format!("the template has no `{name}`"))?;
            let calls = if name == "engine-api" { run.api_requests as f64 } else { 1.0 };
            let each = divided(step, calls);
            self.calls(&mut uses, function, &each, calls * count, assumed.get("cold_share")?)?;
            if !function.queues.is_empty() {
                // Received and deleted; the sending is the sender's. The first message is the bucket's.
                uses.add("sqs_request", 2.0 * count);
                uses.add("sqs_fair", 2.0 * count);
            }
        }
        uses.add("sqs_request", count);
        uses.add("http_api_request", run.api_requests as f64 * count);
        uses.add("kms_request", assumed.get("photo_kms")? * count);
        uses.add("dynamodb_gb_month", gigabytes(run.row_bytes) * count);
        uses.add("dynamodb_backup_gb_month", gigabytes(run.row_bytes) * count);
        uses.add("s3_gb_month", gigabytes(run.blob_bytes) * count);
        uses.add("egress_gb", gigabytes(run.video_bytes) * assumed.get("views")? * count);
        uses.add("rekognition_image", assumed.get("labels_a_photo")? * count);
        uses.add(
            "polly_character",
            run.spoken_characters as f64 * assumed.get("speech_asks")? * count,
        );
        uses.add("translate_character", run.translated_characters as f64 * count);
        let metrics = self.metrics() - assumed.get("idle_metrics")?;
        uses.add("cloudwatch_metric", metrics.max(0.0));
        uses.add("cognito_user", assumed.get("users")?);
        Ok(uses)
    }

    /// How many metrics of our own the alarms stand over.
    fn metrics(&self) -> f64 {
        let alarms = self.template.of_type("AWS::CloudWatch::Alarm");
        let own = alarms.filter(|(_, alarm)| alarm["Namespace"] == "Nexus");
        own.filter_map(|(_, alarm)| alarm["MetricName"].as_str()).collect::<BTreeSet<_>>().len()
            as f64
    }

    /// How many requests the queues' pollers make in a month in which the queues are empty.
    pub(crate) fn polls(&self, counted: Pollers) -> Outcome<f64> {
        let each = HOURS * 3600.0 / self.assumed.get("poll_seconds")?;
        let mut pollers = 0.0;
        for function in self.template.functions() {
            for (_, concurrency) in &function.queues {
                let capped = match counted {
                    Pollers::AsWritten => concurrency.is_some(),
                    Pollers::NoneCapped => false,
                    Pollers::AllCapped => true,
                };
                let name = if capped { "pollers_capped" } else { "pollers_idle" };
                pollers += self.assumed.get(name)?;
            }
        }
        Ok(pollers * each)
    }

    /// A function that runs so often a month stays warm where its runs are a few minutes apart.
    fn cold_share(&self, runs: f64) -> f64 {
        const WARM_FOR_MINUTES: f64 = 5.0;
        if HOURS * 60.0 / runs <= WARM_FOR_MINUTES { 0.0 } else { 1.0 }
    }

    /// Calls of a function, so many like this one.
    fn calls(
        &self,
        uses: &mut Uses,
        function: &Function,
        step: &Step,
        calls: f64,
        cold: f64,
    ) -> Outcome<()> {
        let start = self.measured.starts.get(&function.binary);
        let start_ms = start.map_or(0.0, |s| s.next_ms.median) * cold;
        let seconds = (self.call_ms(function, step)? + start_ms) / 1e3;
        uses.add("lambda_request", calls);
        uses.add("lambda_gb_second", calls * seconds * f64::from(function.memory_mb) / 1024.0);
        let more = f64::from(function.storage_mb.saturating_sub(512)) / 1024.0;
        uses.add("lambda_storage_gb_second", calls * seconds * more);
        let asked = &step.asked;
        uses.add("dynamodb_read", calls * asked.read_units);
        uses.add("dynamodb_write", calls * asked.write_units);
        uses.add("s3_put", calls * asked.blob_puts as f64);
        uses.add("s3_get", calls * asked.blob_gets as f64);
        uses.add("sqs_request", calls * asked.queue_calls as f64);
        uses.add("sqs_fair", calls * asked.messages as f64);
        uses.add("cloudwatch_log_gb", calls * self.assumed.get("log_bytes_a_call")? / 1e9);
        Ok(())
    }

    /// Milliseconds that a warm call takes on Lambda.
    pub(crate) fn call_ms(&self, function: &Function, step: &Step) -> Outcome<f64> {
        let (assumed, asked) = (&self.assumed, &step.asked);
        let share = f64::from(function.memory_mb) / assumed.get("mb_a_processor")?;
        let at_once = if step.wall_ms > 0.0 { step.processor_ms / step.wall_ms } else { 1.0 };
        let work = step.processor_ms * assumed.get("arm_factor")? / share.min(at_once.max(1.0));
        let blobs = (asked.blob_puts + asked.blob_gets) as f64 * assumed.get("blob_ms")?
            + asked.blob_bytes as f64 / 1e3 / assumed.get("blob_mb_a_second")?;
        let waiting = asked.table_calls as f64 * assumed.get("table_ms")?
            + blobs
            + asked.queue_calls as f64 * assumed.get("queue_ms")?;
        let engines = match function.binary.as_str() {
            "tag" => assumed.get("labels_a_photo")? * assumed.get("labels_ms")?,
            "narrate" => {
                let sentences = self.photo().map_or(0, |photo| photo.sentences);
                sentences as f64 * assumed.get("speech_ms")?
            }
            _ => 0.0,
        };
        Ok((work + waiting + engines).min(f64::from(function.timeout) * 1e3))
    }
}

/// One of so many calls alike.
fn divided(step: &Step, calls: f64) -> Step {
    let mut each = step.clone();
    if calls > 1.0 {
        let share = |whole: u64| (whole as f64 / calls).round() as u64;
        each.wall_ms /= calls;
        each.processor_ms /= calls;
        each.asked.read_units /= calls;
        each.asked.write_units /= calls;
        let counts = [
            &mut each.asked.table_calls,
            &mut each.asked.blob_puts,
            &mut each.asked.blob_gets,
            &mut each.asked.blob_bytes,
            &mut each.asked.queue_calls,
            &mut each.asked.messages,
        ];
        counts.into_iter().for_each(|count| *count = share(*count));
    }
    each
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
pub(crate) mod tests {
    use nexus_bench::measured::{Asked, Start};
    use nexus_bench::spread::Spread;

    use super::*;

    const TEMPLATE: &str = "
Resources:
  Key: {Type: AWS::KMS::Key}
  Letters: {Type: AWS::SQS::Queue}
  Parcels: {Type: AWS::SQS::Queue}
  Quiet: {Type: AWS::CloudWatch::Alarm, Properties: {Namespace: Nexus, MetricName: DeadLetters}}
  Again: {Type: AWS::CloudWatch::Alarm, Properties: {Namespace: Nexus, MetricName: DeadLetters}}
  Late: {Type: AWS::CloudWatch::Alarm, Properties: {Namespace: Nexus, MetricName: MessageAge}}
  Post:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: post}}
    Properties:
      MemorySize: 1024
      Timeout: 60
      Events: {Mail: {Type: SQS, Properties: {Queue: !GetAtt Letters.Arn, ScalingConfig: {MaximumConcurrency: 2}}}}
  Pack:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: pack}}
    Properties:
      MemorySize: 2048
      EphemeralStorage: {Size: 1536}
      Timeout: 60
      Events: {Mail: {Type: SQS, Properties: {Queue: !GetAtt Parcels.Arn}}}
  ClickTrack:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: click-track}}
    Properties: {MemorySize: 256, Timeout: 29}
  Attribute:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: attribute}}
    Properties: {MemorySize: 256, Timeout: 60}
  Look:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: look}}
    Properties: {MemorySize: 512, Timeout: 30, Events: {Clock: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}}}
";

    pub(crate) fn basis() -> Basis {
        let assumption = |value| Assumption { value, unit: "u".into(), because: "b".into() };
        let values = [
            ("arm_factor", 2.0),
            ("mb_a_processor", 2048.0),
            ("table_ms", 10.0),
            ("blob_ms", 50.0),
            ("blob_mb_a_second", 100.0),
            ("queue_ms", 20.0),
            ("labels_ms", 700.0),
            ("speech_ms", 400.0),
            ("speech_asks", 2.0),
            ("labels_a_photo", 1.0),
            ("cold_share", 1.0),
            ("pollers_capped", 5.0),
            ("pollers_idle", 2.0),
            ("poll_seconds", 20.0),
            ("idle_metrics", 1.0),
            ("idle_kms_a_hour", 10.0),
            ("photo_kms", 4.0),
            ("log_bytes_a_call", 500.0),
            ("users", 3.0),
            ("views", 2.0),
            ("click_ms", 2.0),
            ("click_batch", 100.0),
            ("click_batch_ms", 200.0),
            ("click_row_units", 2.0),
            ("click_batch_tally_units", 40.0),
            ("click_read_units", 0.1),
            ("click_log_bytes", 0.0),
            ("click_access_log_bytes", 300.0),
            ("click_sent_together", 10.0),
            ("sqs_at_once", 10.0),
            ("task_count", 2.0),
            ("task_vcpu", 0.5),
            ("task_gb", 1.0),
            ("task_addresses", 4.0),
            ("alb_lcu", 1.0),
        ];
        let asked = Asked {
            table_calls: 3,
            read_units: 2.5,
            write_units: 12.0,
            blob_puts: 1,
            blob_gets: 1,
            blob_bytes: 5_000_000,
            queue_calls: 1,
            messages: 1,
        };
        let step = Step { wall_ms: 100.0, processor_ms: 100.0, peak_mb: 20.0, asked };
        let look = Asked { table_calls: 2, read_units: 1.0, ..Asked::default() };
        let look = Step { wall_ms: 1.0, processor_ms: 1.0, peak_mb: 9.0, asked: look };
        let spread = Spread { min: 40.0, median: 60.0 };
        let start = Start { runs: 1, next_ms: spread, answer_ms: spread, calls: 1, peak_mb: 9.0 };
        let photo = PhotoRun {
            of: "a photo".into(),
            steps: BTreeMap::from([("post".into(), step)]),
            idle: BTreeMap::from([("look".into(), look)]),
            api_requests: 4,
            sentences: 6,
            spoken_characters: 300,
            translated_characters: 0,
            row_bytes: 20_000,
            blob_bytes: 10_000_000,
            video_bytes: 5_000_000,
        };
        Basis {
            template: Template::parse(TEMPLATE).unwrap(),
            measured: Measured {
                machine: "a machine".into(),
                starts: BTreeMap::from([("post".into(), start)]),
                photo: Some(photo),
            },
            assumed: Assumed(values.map(|(n, v)| (n.to_owned(), assumption(v))).into()),
        }
    }

    fn quantity(uses: &Uses, price: &str) -> f64 {
        uses.all().find(|u| u.price == price).map_or(0.0, |u| u.quantity)
    }

    #[track_caller]
    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= wanted.abs() * 1e-9, "{found} is not {wanted}");
    }

    #[test]
    fn a_call_takes_its_share_of_a_processor_and_waits_for_what_it_calls() {
        let basis = basis();
        let post = basis.template.functions().into_iter().find(|f| f.binary == "post").unwrap();
        let step = &basis.measured.photo.as_ref().unwrap().steps["post"];
        // Half a processor, twice as slow: 100 ms are 400. 3 calls of the table, 2 of blobs with 5 MB, 1 of a queue.
        close(basis.call_ms(&post, step).unwrap(), 400.0 + 30.0 + 150.0 + 20.0);
        // Two threads, of which memory for half a processor makes nothing, but for two processors twice the speed.
        let two = Step { wall_ms: 50.0, asked: Asked::default(), ..step.clone() };
        close(basis.call_ms(&post, &two).unwrap(), 400.0);
        close(basis.call_ms(&Function { memory_mb: 8192, ..post.clone() }, &two).unwrap(), 100.0);
        let endless = Step { processor_ms: 1e9, ..two };
        close(basis.call_ms(&post, &endless).unwrap(), 60_000.0);
    }

    #[test]
    fn pollers_ask_three_times_a_minute_and_five_where_concurrency_is_capped() {
        let basis = basis();
        close(basis.polls(Pollers::AsWritten).unwrap(), 7.0 * 131_400.0);
        close(basis.polls(Pollers::NoneCapped).unwrap(), 4.0 * 131_400.0);
        close(basis.polls(Pollers::AllCapped).unwrap(), 10.0 * 131_400.0);
    }

    #[test]
    fn a_month_of_nothing_is_schedules_pollers_keys_and_alarms() {
        let uses = basis().idle().unwrap();
        close(quantity(&uses, "eventbridge_rule"), 43_800.0);
        close(quantity(&uses, "lambda_request"), 43_800.0);
        // 1 ms of work on a quarter of a processor, twice as slow, and two calls of the table; warm, with half a GB.
        close(quantity(&uses, "lambda_gb_second"), 43_800.0 * 0.028 / 2.0);
        close(quantity(&uses, "dynamodb_read"), 43_800.0);
        close(quantity(&uses, "sqs_request"), 7.0 * 131_400.0);
        close(quantity(&uses, "kms_key"), 1.0);
        close(quantity(&uses, "kms_request"), 7_300.0);
        close(quantity(&uses, "cloudwatch_alarm"), 3.0);
        close(quantity(&uses, "cloudwatch_metric"), 1.0);
        assert_eq!(quantity(&uses, "dynamodb_write"), 0.0);
    }

    #[test]
    fn photos_are_paid_by_the_step_the_byte_and_the_character() {
        let uses = basis().photos(1_000.0).unwrap();
        close(quantity(&uses, "lambda_request"), 1_000.0);
        // 600 ms of the call and 60 of the cold start, with 1 GB.
        close(quantity(&uses, "lambda_gb_second"), 660.0);
        close(quantity(&uses, "dynamodb_write"), 12_000.0);
        close(quantity(&uses, "s3_put"), 1_000.0);
        // Sent, received, deleted, and the bucket's own message.
        close(quantity(&uses, "sqs_request"), 4_000.0);
        close(quantity(&uses, "sqs_fair"), 3_000.0);
        close(quantity(&uses, "http_api_request"), 4_000.0);
        close(quantity(&uses, "polly_character"), 600_000.0);
        close(quantity(&uses, "s3_gb_month"), 10.0);
        close(quantity(&uses, "egress_gb"), 10.0);
        close(quantity(&uses, "dynamodb_gb_month"), 0.02);
        close(quantity(&uses, "cloudwatch_metric"), 1.0);
        assert_eq!(quantity(&uses, "translate_character"), 0.0);
    }

    #[test]
    fn of_several_calls_each_is_a_share() {
        let asked = Asked { table_calls: 6, write_units: 5.0, ..Asked::default() };
        let step = Step { processor_ms: 8.0, asked, ..Step::default() };
        let each = divided(&step, 4.0);
        assert_eq!(
            (each.processor_ms, each.asked.table_calls, each.asked.write_units),
            (2.0, 2, 1.25)
        );
    }
}
