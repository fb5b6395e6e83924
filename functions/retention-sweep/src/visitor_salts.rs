//! Destroys the salts of days that are over: from then on nothing leads from a visitor of such a day to an address, or
//! to the same visitor of another day.

use jiff::ToSpan;
use jiff::civil::Date;
use nexus_core::Sweep;
use nexus_core::table::Page;
use nexus_engine::clicks::visitor::{self, DAYS_BACK, SALT_PREFIX, day_of, salt_name};
use nexus_handler::Invocation;
use nexus_kernel::{Failure, Timestamp};

use crate::receipt::Receipt;
use crate::{Fate, MARGIN, PAGE, RetentionSweep};

impl RetentionSweep {
    /// The last days by their names, and every older one of which the vault keeps a row: a sweep that did not run for
    /// weeks leaves none.
    pub(crate) async fn visitor_salts(
        &self,
        sweep: Sweep,
        at: &Invocation,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        let today = day_of(at.now);
        let mut days: Vec<Date> =
            (1..=DAYS_BACK).filter_map(|back| today.checked_sub(back.days()).ok()).collect();
        let query = sweep.house_query("secret").prefix(SALT_PREFIX);
        let mut page = Page::first(PAGE);
        loop {
            let slice = self.0.table.query(&query, &page).await?;
            // A grave, which only says that it was destroyed, expires by itself.
            let standing = slice.items.iter().filter(|item| item.expires.is_none());
            days.extend(standing.filter_map(|item| visitor::is_over(item.key.sk(), at.now)));
            match slice.next {
                Some(next) => page = Page::after(PAGE, Some(next)),
                None => break,
            }
        }
        days.sort_unstable();
        days.dedup();
        for day in days {
            if at.time_left() < MARGIN {
                receipt.complete = false;
                return Ok(());
            }
            match self.forget(day).await {
                Ok(false) => {}
                Ok(true) => receipt.salts.count(Ok(Fate::Removed), ended(day, at.now)),
                Err(failure) => receipt.salts.count(Err(failure), ended(day, at.now)),
            }
        }
        Ok(())
    }

    /// Destroys a day's salt; false where there was none.
    async fn forget(&self, day: Date) -> Result<bool, Failure> {
        Ok(self.0.vault.forget(&salt_name(day)?).await?.found)
    }
}

/// When the day was over.
fn ended(day: Date, now: Timestamp) -> Timestamp {
    let next = day.tomorrow().and_then(|next| next.to_zoned(jiff::tz::TimeZone::UTC));
    next.map_or(now, |midnight| midnight.timestamp())
}
