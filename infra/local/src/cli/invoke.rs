//! `nexus invoke`

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::{Complaint, Ended, Where};

#[derive(Debug, Args)]
pub(super) struct Invoke {
    /// The function: its name, or its logical id in the template
    function: String,
    /// A file with the event, as AWS would send it; `-` reads standard input
    event: PathBuf,
    #[command(flatten)]
    at: Where,
}

impl Invoke {
    pub(super) async fn run(self) -> Ended {
        let event = match self.event.to_str() {
            Some("-") => std::io::read_to_string(std::io::stdin())?,
            _ => fs::read_to_string(&self.event).map_err(|e| {
                Complaint::new(format!("{} cannot be read: {e}", self.event.display()))
            })?,
        };
        let host = self.at.host().await?;
        let function = host.function(&self.function).ok_or_else(|| {
            let known: Vec<&str> = crate::functions::ALL.iter().map(|(name, _)| *name).collect();
            Complaint::new(format!(
                "there is no function `{}`; there are: {}",
                self.function,
                known.join(", ")
            ))
        })?;
        let reply = function.call(event.as_bytes(), None).await?;
        anstream::println!("{}", reply.get());
        Ok(())
    }
}
