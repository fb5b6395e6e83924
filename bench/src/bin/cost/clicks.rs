//! What a million clicks cost on AWS: as deployed, and where the same router runs always on. From which number of clicks a
//! month the second is cheaper.
//!
//! The requests of each service per click are data (`assumed.json`, `click_…`), with where each comes from.

use std::fmt::Write;

use crate::Outcome;
use crate::page::{Prices, dollars};
use crate::usage::{Basis, HOURS, Uses};

/// How many clicks the line is for.
const MILLION: f64 = 1e6;

impl Basis {
    /// What is used by so many clicks whatever answers them: rows and roll-ups, and the function that writes them.
    fn counting(&self, uses: &mut Uses, clicks: f64) -> Outcome<()> {
        let get = |name| self.assumed.get(name);
        let batches = clicks / get("click_batch")?;
        uses.add("lambda_request", batches);
        let seconds = get("click_batch_ms")? / 1e3;
        uses.add("lambda_gb_second", batches * seconds * self.memory_gb("attribute")?);
        let rows = clicks * get("click_row_units")?;
        uses.add("dynamodb_write", rows + batches * get("click_batch_tally_units")?);
        uses.add("cloudwatch_log_gb", batches * get("log_bytes_a_call")? / 1e9);
        Ok(())
    }

    /// Messages that are received and deleted, ten at a time as SQS hands them out.
    fn receiving(&self, uses: &mut Uses, messages: f64) -> Outcome<()> {
        let requests = 2.0 * messages / self.assumed.get("sqs_at_once")?;
        uses.add("sqs_request", requests);
        uses.add("sqs_fair", requests);
        Ok(())
    }

    /// As the template has it: API Gateway asks `click-track` for each, which sends one message before it answers.
    pub(crate) fn clicks(&self, clicks: f64) -> Outcome<Uses> {
        let (mut uses, get) = (Uses::default(), |name| self.assumed.get(name));
        uses.add("http_api_request", clicks);
        uses.add("lambda_request", clicks);
        let seconds = (get("click_ms")? + get("queue_ms")?) / 1e3;
        uses.add("lambda_gb_second", clicks * seconds * self.memory_gb("click-track")?);
        uses.add("sqs_request", clicks);
        uses.add("sqs_fair", clicks);
        self.receiving(&mut uses, clicks)?;
        uses.add("dynamodb_read", clicks * get("click_read_units")?);
        let logged = get("click_log_bytes")? + get("click_access_log_bytes")?;
        uses.add("cloudwatch_log_gb", clicks * logged / 1e9);
        self.counting(&mut uses, clicks)?;
        Ok(uses)
    }

    /// Two small tasks behind a load balancer, which send their clicks together: what each million takes.
    pub(crate) fn clicks_always_on(&self, clicks: f64) -> Outcome<Uses> {
        let mut uses = Uses::default();
        let messages = clicks / self.assumed.get("click_sent_together")?;
        uses.add("sqs_request", messages);
        uses.add("sqs_fair", messages);
        self.receiving(&mut uses, messages)?;
        self.counting(&mut uses, clicks)?;
        Ok(uses)
    }

    /// What those take in a month in which nobody clicks.
    pub(crate) fn always_on(&self) -> Outcome<Uses> {
        let (mut uses, get) = (Uses::default(), |name| self.assumed.get(name));
        let hours = get("task_count")? * HOURS;
        uses.add("fargate_vcpu_hour", hours * get("task_vcpu")?);
        uses.add("fargate_gb_hour", hours * get("task_gb")?);
        uses.add("alb_hour", HOURS);
        uses.add("alb_lcu_hour", HOURS * get("alb_lcu")?);
        uses.add("ipv4_hour", HOURS * get("task_addresses")?);
        Ok(uses)
    }

    /// GB of memory of the function in the template.
    fn memory_gb(&self, binary: &str) -> Outcome<f64> {
        let functions = self.template.functions();
        let found = functions.iter().find(|function| function.binary == binary);
        let function = found.ok_or_else(|| format!("the template has no `{binary}`"))?;
        Ok(f64::from(function.memory_mb) / 1024.0)
    }
}

/// Above how many clicks a month what is always on is cheaper; `None` where it never is.
fn break_even(deployed: f64, always_on: f64, fixed: f64) -> Option<f64> {
    let saved = (deployed - always_on) / MILLION;
    (saved > 0.0).then(|| fixed / saved)
}

/// The section of the page.
pub(crate) fn write(page: &mut String, basis: &Basis, prices: &Prices) -> Outcome<()> {
    let deployed = prices.bill(&basis.clicks(MILLION)?)?;
    let other = prices.bill(&basis.clicks_always_on(MILLION)?)?;
    let fixed = prices.bill(&basis.always_on()?)?.whole;
    writeln!(page, "**A million clicks** cost {}, nothing free:", dollars(deployed.whole))?;
    writeln!(page)?;
    writeln!(page, "| service | dollars | of what, for a million clicks |")?;
    writeln!(page, "|---|--:|---|")?;
    for (service, (amount, what)) in &deployed.services {
        writeln!(page, "| {service} | {} | {} |", dollars(*amount), what.join("; "))?;
    }
    writeln!(page)?;
    let each = dollars(other.whole);
    match break_even(deployed.whole, other.whole, fixed) {
        Some(clicks) => writeln!(
            page,
            "Above {:.0} million clicks a month it is cheaper to let the same router answer from {} small tasks that are \
             always on, behind a load balancer, and send clicks {} at a time: {} a month, and {each} for each million.",
            clicks / MILLION,
            basis.assumed.get("task_count")?,
            basis.assumed.get("click_sent_together")?,
            dollars(fixed),
        )?,
        None => {
            writeln!(page, "Tasks that are always on would never be cheaper ({each} a million).")?
        }
    }
    writeln!(page)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::basis;

    fn quantity(uses: &Uses, price: &str) -> f64 {
        uses.all().find(|usage| usage.price == price).map_or(0.0, |usage| usage.quantity)
    }

    #[track_caller]
    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= wanted.abs() * 1e-9, "{found} is not {wanted}");
    }

    #[test]
    fn a_click_is_asked_sent_received_and_written() {
        let uses = basis().clicks(1_000.0).unwrap();
        close(quantity(&uses, "http_api_request"), 1_000.0);
        // Each click, and one batch of every hundred.
        close(quantity(&uses, "lambda_request"), 1_010.0);
        // 2 ms of work and 20 of a queue with a quarter of a GB; 200 ms for each batch with as much.
        close(quantity(&uses, "lambda_gb_second"), 0.25 * (1_000.0 * 0.022 + 10.0 * 0.2));
        // Sent one by one, received and deleted by tens.
        close(quantity(&uses, "sqs_request"), 1_200.0);
        close(quantity(&uses, "sqs_fair"), 1_200.0);
        close(quantity(&uses, "dynamodb_write"), 2_000.0 + 10.0 * 40.0);
        close(quantity(&uses, "dynamodb_read"), 100.0);
        close(quantity(&uses, "cloudwatch_log_gb"), (1_000.0 * 300.0 + 10.0 * 500.0) / 1e9);
    }

    #[test]
    fn what_is_always_on_has_neither_a_gateway_nor_a_call_per_click() {
        let uses = basis().clicks_always_on(1_000.0).unwrap();
        assert_eq!(quantity(&uses, "http_api_request"), 0.0);
        close(quantity(&uses, "lambda_request"), 10.0);
        close(quantity(&uses, "sqs_request"), 120.0);
        close(quantity(&uses, "dynamodb_write"), 2_400.0);
        let fixed = basis().always_on().unwrap();
        close(quantity(&fixed, "fargate_vcpu_hour"), 730.0);
        close(quantity(&fixed, "fargate_gb_hour"), 1_460.0);
        close(quantity(&fixed, "ipv4_hour"), 2_920.0);
    }

    #[test]
    fn what_is_always_on_is_worth_it_once_what_it_saves_is_what_it_costs() {
        close(break_even(3.3, 1.4, 66.5).unwrap(), 35e6);
        assert_eq!(break_even(1.0, 1.0, 66.5), None);
    }
}
