//! `nexus doctor`

mod account;

use clap::Args;

use self::account::{AwsCli, Verdict};
use super::{Complaint, Ended, Where, aws_region, search_path};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    at: Where,
    /// Check the AWS account instead: what a deployment needs and a template cannot set
    ///
    /// Asks by the AWS command line interface (`aws`), with its credentials, and changes nothing.
    #[arg(long)]
    aws: bool,
}

impl Doctor {
    pub(super) async fn run(self) -> Ended {
        if self.aws { look_at_the_account().await } else { self.look_at_the_machine().await }
    }

    async fn look_at_the_machine(self) -> Ended {
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
                tell("mail", Ok(host.mail_goes().to_owned()));
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

async fn look_at_the_account() -> Ended {
    let Some(cli) = AwsCli::locate(&search_path()) else {
        return Err(Complaint::new(
            "the AWS command line interface is not installed: there is no `aws` in the PATH. \
             See https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
        ));
    };
    let (mut ill, mut unasked) = (0, 0);
    for finding in account::look(&cli, aws_region().as_deref()).await {
        let what = finding.what;
        match finding.verdict {
            Verdict::Fine(text) => anstream::println!("ok       {what:<20} {text}"),
            Verdict::Care { found, remedy } => {
                ill += 1;
                anstream::println!("CARE     {what:<20} {found}\n{:30}{remedy}", "");
            }
            Verdict::Unasked { why, remedy } => {
                unasked += 1;
                anstream::println!("UNKNOWN  {what:<20} {why}\n{:30}{remedy}", "");
            }
        }
    }
    match (ill, unasked) {
        (0, 0) => Ok(()),
        (ill, 0) => Err(Complaint::new(format!("{ill} of these need care"))),
        (0, unasked) => Err(Complaint::new(format!("{unasked} of these could not be asked"))),
        (ill, unasked) => Err(Complaint::new(format!(
            "{ill} of these need care, and {unasked} could not be asked"
        ))),
    }
}
