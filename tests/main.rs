//! What holds for the house as a whole: its architecture, its promises, and journeys through the one-machine host.

#![expect(clippy::unwrap_used, reason = "a test fails where it expected otherwise")]

mod architecture;
mod command_line;
mod from_click_to_customer;
mod journeys;
mod kill;
mod networks;
mod promises;
mod sources;
mod stage;
mod template;
mod uploads;
mod vendors;
