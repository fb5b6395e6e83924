//! What holds for the house as a whole: its architecture, its promises, and journeys through the one-machine host.

mod architecture;
mod command_line;
mod journeys;
mod kill;
mod promises;
mod sources;
mod stage;
