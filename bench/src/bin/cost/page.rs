//! The table for the README.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use crate::Outcome;
use crate::usage::{Basis, HOURS, Pollers, Uses};

/// A published price in us-east-1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    /// The service that is paid.
    service: String,
    /// Dollars for so many of the unit.
    dollars: f64,
    per: f64,
    unit: String,
    /// How many a month are free for ever, on any account.
    free: f64,
    /// Where it was read, and of when that is.
    source: String,
    date: String,
    /// Whether the source was at hand, and had this number.
    checked: bool,
}

/// The prices by name.
pub(crate) struct Prices(pub(crate) BTreeMap<String, Price>);

impl Prices {
    fn get(&self, name: &str) -> Outcome<&Price> {
        Ok(self.0.get(name).ok_or_else(|| format!("prices.json has no `{name}`"))?)
    }

    /// What this costs: by service, without and with what is free.
    pub(crate) fn bill(&self, uses: &Uses) -> Outcome<Bill> {
        let mut bill = Bill::default();
        for usage in uses.all() {
            let price = self.get(usage.price)?;
            let each = price.dollars / price.per;
            let entry = bill.services.entry(price.service.clone()).or_default();
            entry.0 += usage.quantity * each;
            entry.1.push(format!("{} {}", counted(usage.quantity), price.unit));
            bill.whole += usage.quantity * each;
            bill.after_free += (usage.quantity - price.free).max(0.0) * each;
        }
        Ok(bill)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Bill {
    pub(crate) services: BTreeMap<String, (f64, Vec<String>)>,
    pub(crate) whole: f64,
    after_free: f64,
}

/// A count for people: `4.07 million`, `43,800`, `0.02`.
fn counted(quantity: f64) -> String {
    if quantity >= 1e6 {
        return format!("{:.2} million", quantity / 1e6);
    }
    if quantity < 10.0 {
        let text = format!("{quantity:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let whole = format!("{quantity:.0}");
    let (head, tail) = whole.split_at(whole.len().saturating_sub(3));
    if head.is_empty() { tail.to_owned() } else { format!("{head},{tail}") }
}

pub(crate) fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.005 { "< $0.01".to_owned() } else { format!("${amount:.2}") }
}

/// How many photos the second column is for.
const PHOTOS: f64 = 1_000.0;

/// The page between the markers.
pub(crate) fn page(basis: &Basis, prices: &Prices) -> Outcome<String> {
    let (idle, photos) = (prices.bill(&basis.idle()?)?, prices.bill(&basis.photos(PHOTOS)?)?);
    let mut page = String::new();
    writeln!(page, "| service | idle, a month | 1,000 photos | idle: what is paid |")?;
    writeln!(page, "|---|--:|--:|---|")?;
    let services: std::collections::BTreeSet<&String> =
        idle.services.keys().chain(photos.services.keys()).collect();
    for service in services {
        let amount = |bill: &Bill| bill.services.get(service).map_or(0.0, |(amount, _)| *amount);
        let what = idle.services.get(service).map_or(String::new(), |(_, what)| what.join("; "));
        let (nothing, busy) = (dollars(amount(&idle)), dollars(amount(&photos)));
        writeln!(page, "| {service} | {nothing} | {busy} | {what} |")?;
    }
    let (nothing, busy) = (dollars(idle.whole), dollars(photos.whole));
    writeln!(page, "| **all, nothing free** | **{nothing}** | **{busy}** | |")?;
    let (nothing, busy) = (dollars(idle.after_free), dollars(photos.after_free));
    writeln!(page, "| after what is free for ever, each column alone | {nothing} | {busy} | |")?;
    writeln!(page)?;
    crate::clicks::write(&mut page, basis, prices)?;
    notes(&mut page, basis, prices)?;
    Ok(page)
}

fn notes(page: &mut String, basis: &Basis, prices: &Prices) -> Outcome<()> {
    let photo = basis.measured.photo.as_ref().ok_or("measured.json has no photo")?;
    writeln!(
        page,
        "Computed by `bench/src/bin/cost` for us-east-1, from `template.yaml`, from `bench/measured.json` ({}; {}) \
         and from `bench/prices.json`. Nothing of this was ever billed.",
        basis.measured.machine, photo.of
    )?;
    writeln!(page)?;
    let request = prices.get("sqs_request")?;
    let polling = |counted| -> Outcome<String> {
        Ok(dollars(basis.polls(counted)? * request.dollars / request.per))
    };
    writeln!(
        page,
        "* **Polling.** Lambda asks empty queues. As the template has it that is {} a month; {} if every queue had a \
         maximum concurrency, {} if none had.",
        polling(Pollers::AsWritten)?,
        polling(Pollers::AllCapped)?,
        polling(Pollers::NoneCapped)?
    )?;
    writeln!(
        page,
        "* **The key** is rotated every year: each of the first two rotations adds {} a month.",
        dollars(prices.get("kms_key")?.dollars)
    )?;
    writeln!(page, "* **What photos take on Lambda**, warm, computed:")?;
    for (name, step) in &photo.steps {
        let functions = basis.template.functions();
        let Some(function) = functions.iter().find(|f| f.binary == *name) else { continue };
        let calls = if name == "engine-api" { photo.api_requests.max(1) as f64 } else { 1.0 };
        let (ms, mb) = (basis.call_ms(function, step)?, function.memory_mb);
        let of = if calls > 1.0 { format!(" for {calls:.0} calls") } else { String::new() };
        writeln!(page, "  `{name}` {:.2} s of {mb} MB{of};", ms / 1e3)?;
    }
    writeln!(
        page,
        "  measured: {:.0} write units and {:.0} read units of the table, {} sentences with {} characters spoken.",
        photo.steps.values().map(|s| s.asked.write_units).sum::<f64>(),
        photo.steps.values().map(|s| s.asked.read_units).sum::<f64>(),
        photo.sentences,
        photo.spoken_characters
    )?;
    writeln!(page, "* **Assumed, not measured:**")?;
    for assumption in basis.assumed.0.values() {
        let value = counted(assumption.value);
        writeln!(page, "  {value} {} ({});", assumption.unit, assumption.because)?;
    }
    writeln!(page, "  a month has {HOURS:.0} hours.")?;
    let unchecked: Vec<&str> =
        prices.0.values().filter(|p| !p.checked).map(|p| p.unit.as_str()).collect();
    let dates = prices.0.values().filter(|p| p.checked).map(|p| p.date.as_str());
    let (oldest, newest) = (dates.clone().min(), dates.max());
    writeln!(
        page,
        "* **Prices** were read on pages of {} to {}, not on AWS's own page of the day. From memory, and to be \
         checked: {}.",
        oldest.unwrap_or("no date"),
        newest.unwrap_or("no date"),
        unchecked.join(", ")
    )?;
    Ok(())
}

/// Where the page begins and ends in a text.
const MARKS: (&str, &str) = ("<!-- cost -->", "<!-- /cost -->");

/// The text with this page between the markers.
pub(crate) fn put(text: &str, page: &str) -> Outcome<String> {
    let missing = || format!("there is no `{}` … `{}`", MARKS.0, MARKS.1);
    let (before, rest) = text.split_once(MARKS.0).ok_or_else(missing)?;
    let (_, after) = rest.split_once(MARKS.1).ok_or_else(missing)?;
    Ok(format!("{before}{}\n{page}{}{after}", MARKS.0, MARKS.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::basis;

    fn price(service: &str, dollars: f64, per: f64, free: f64) -> Price {
        let (source, date) = ("a page".into(), "2026".into());
        Price {
            service: service.into(),
            dollars,
            per,
            unit: "things".into(),
            free,
            source,
            date,
            checked: true,
        }
    }

    #[test]
    fn a_bill_sums_by_service_and_takes_off_what_is_free() {
        let prices: BTreeMap<String, Price> = basis()
            .idle()
            .unwrap()
            .all()
            .map(|usage| {
                let price = match usage.price {
                    "kms_key" => price("KMS", 1.0, 1.0, 0.0),
                    "cloudwatch_alarm" => price("CloudWatch", 0.1, 1.0, 10.0),
                    "sqs_request" => price("SQS", 0.4, 1e6, 500_000.0),
                    _ => price("Others", 0.0, 1.0, 0.0),
                };
                (usage.price.to_owned(), price)
            })
            .collect();
        let bill = Prices(prices).bill(&basis().idle().unwrap()).unwrap();
        let amount = |service: &str| (bill.services[service].0 * 1e4).round() / 1e4;
        assert_eq!((amount("KMS"), amount("CloudWatch"), amount("SQS")), (1.0, 0.3, 0.3679));
        assert_eq!((bill.whole * 1e4).round(), 16_679.0);
        assert_eq!((bill.after_free * 1e4).round(), 11_679.0);
    }

    #[test]
    fn numbers_are_for_people() {
        let counts = [4_073_400.0, 43_800.0, 730.0, 8.0, 0.025, 0.0].map(counted);
        assert_eq!(counts, ["4.07 million", "43,800", "730", "8", "0.03", "0"]);
        assert_eq!([1.0, 0.001, 0.0, 1.635].map(dollars), ["$1.00", "< $0.01", "$0.00", "$1.64"]);
    }

    #[test]
    fn the_page_stands_between_its_marks() {
        let text = "a\n<!-- cost -->\nold\n<!-- /cost -->\nb\n";
        let put = put(text, "new\n").unwrap();
        assert_eq!(put, "a\n<!-- cost -->\nnew\n<!-- /cost -->\nb\n");
        assert_eq!(super::put(&put, "new\n").unwrap(), put, "twice is once");
        assert!(super::put("no marks", "new").is_err());
        assert!(super::put("<!-- /cost --><!-- cost -->", "new").is_err());
    }
}
