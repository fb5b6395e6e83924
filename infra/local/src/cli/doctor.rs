//! `nexus doctor`

use clap::Args;

use super::{Complaint, Ended, Where};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    at: Where,
}

impl Doctor {
    pub(super) async fn run(self) -> Ended {
        let mut ill = 0;
        let mut tell = |what: &str, found: Result<String, String>| match found {
            Ok(text) => anstream::println!("ok       {what:<16} {text}"),
            Err(text) => {
                ill += 1;
                anstream::println!("MISSING  {what:<16} {text}");
            }
        };
        for found in self.at.engines().await?.report().await {
            tell(found.purpose, found.engine);
        }
        let host = self.at.host().await;
        let data = self.at.data.display();
        match host {
            Ok(host) => {
                let functions = crate::functions::ALL.len();
                tell(
                    "template",
                    Ok(format!(
                        "{functions} functions, {} queues",
                        host.queue_status().await?.len()
                    )),
                );
                tell("data directory", Ok(format!("{data} can be read and written")));
            }
            Err(Complaint(why)) => tell("host", Err(why)),
        }
        anstream::println!(
            "\nOn one machine the disk's encryption and a reverse proxy's TLS are yours to provide; the data stays in {data}."
        );
        match ill {
            0 => Ok(()),
            _ => Err(Complaint::new(format!("{ill} of these need care"))),
        }
    }
}
