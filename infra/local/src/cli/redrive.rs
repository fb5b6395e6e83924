//! `nexus redrive`

use clap::Args;

use super::{Complaint, Ended, Where};

#[derive(Debug, Args)]
pub(super) struct Redrive {
    /// The queue, or its dead-letter queue, by its name in `nexus status`
    queue: String,
    /// At most so many messages
    #[arg(long, default_value_t = 10_000)]
    max: u32,
    #[command(flatten)]
    at: Where,
}

impl Redrive {
    pub(super) async fn run(self) -> Ended {
        let host = self.at.host().await?;
        let (queue, dead) = host.queue_and_dead_letters(&self.queue).ok_or_else(|| {
            Complaint::new(format!(
                "there is no queue `{}` with dead letters; see `nexus status`",
                self.queue
            ))
        })?;
        let moved = host.queues().redrive(&dead, &queue, self.max).await?;
        anstream::println!("{moved} messages went back to {queue}.");
        Ok(())
    }
}
