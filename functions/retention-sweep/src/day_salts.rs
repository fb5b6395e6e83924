//! Destroys the salts of days that are over: from then on nothing leads from a visitor or a source of such a day to an
//! address, or to the same one of another day.

use jiff::civil::Date;
use nexus_core::Sweep;
use nexus_core::table::Page;
use nexus_engine::day_salts::Use;
use nexus_handler::Invocation;
use nexus_kernel::Failure;

use crate::receipt::Receipt;
use crate::{Fate, MARGIN, PAGE, RetentionSweep};

impl RetentionSweep {
    /// The last days by their names, and every older one of which the vault keeps a row: a sweep that did not run for
    /// weeks leaves none.
    pub(crate) async fn day_salts(
        &self,
        of: Use,
        sweep: Sweep,
        at: &Invocation,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        let mut days: Vec<Date> = of.lately_over(at.now).collect();
        let query = sweep.house_query("secret").prefix(of.prefix());
        let mut page = Page::first(PAGE);
        loop {
            let slice = self.0.table.query(&query, &page).await?;
            // A grave, which only says that it was destroyed, expires by itself.
            let standing = slice.items.iter().filter(|item| item.expires.is_none());
            days.extend(standing.filter_map(|item| of.over(item.key.sk(), at.now)));
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
            let since = of.over_since(day).unwrap_or(at.now);
            match self.0.vault.forget(&of.name(day)?).await {
                Ok(forgotten) if !forgotten.found => {}
                Ok(_) => receipt.salts.count(Ok(Fate::Removed), since),
                Err(error) => receipt.salts.count(Err(error.into()), since),
            }
        }
        Ok(())
    }
}
