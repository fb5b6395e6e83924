//! Mails to a tenant what it has to be told.
//!
//! Runs on messages of its queue, one notice each:
//!
//! ```text
//! open ─ write ─ claim ─ send ─ settle
//! ```
//! What can fail without a mail having left fails before the claim. From the claim on there is one try: a mail whose
//! answer is lost is never sent again ([`mailing`]). Where there is nobody to write to or nobody who carries mail, the
//! notice says so and stays.
//!
//! **Never here:** what is worth a notice, the words of a mail, SMTP, a vendor.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::effect::Outcome;
use nexus_core::mail::{Mail, Message};
use nexus_core::{Scope, Table, records};
use nexus_engine::EnginePlatform;
use nexus_engine::account::{Account, Settings, account_key, settings_key};
use nexus_engine::hops::Notify as Told;
use nexus_engine::mailing::letter;
use nexus_engine::mailing::{self, Mailing, Place};
use nexus_engine::notices::Notice;
use nexus_engine::platform::Access;
use nexus_handler::{Env, Enveloped, Invocation, QueueFunction, SettingsError, Wire};
use nexus_kernel::{Ambient, Failure, Timestamp};

/// How much of a call's time is left over for writing down what a carrier said.
const MARGIN: Duration = Duration::from_secs(5);

/// What notifying needs.
pub struct Deps {
    ambient: Ambient,
    table: Arc<dyn Table>,
    mail: Option<Arc<dyn Mail>>,
}

/// The function.
pub struct Notify(Deps);

impl<P: EnginePlatform + ?Sized> Wire<P> for Notify {
    type Deps = Deps;

    fn wire(platform: &P, _: &Env) -> Result<Deps, SettingsError> {
        let (ambient, table) = (platform.ambient(), platform.table(Access::Write));
        Ok(Deps { ambient, table, mail: platform.mail() })
    }
}

impl QueueFunction for Notify {
    const NAME: &'static str = "notify";
    type Deps = Deps;
    type Letter = Enveloped<Told>;

    fn new(deps: Deps) -> Self {
        Self(deps)
    }

    async fn handle(&self, letter: Enveloped<Told>, at: &Invocation) -> Result<(), Failure> {
        let Self(Deps { ambient, table, mail }) = self;
        let (scope, id) = (letter.envelope.scope(), letter.message.notice);
        let place = Place { table: &**table, scope, ambient };
        let Some(waiting) = mailing::open(place, id).await? else { return Ok(()) };
        let Some(carrier) = mail else {
            return waiting.not_sent("Nobody carries mail for this deployment.").await;
        };
        let message = match self.message(scope, waiting.notice(), at.now).await? {
            Ok(message) => message,
            Err(why) => return waiting.not_sent(&why).await,
        };
        let claimed = waiting.claim(at.lease()).await?;
        let within = at.time_left().saturating_sub(MARGIN);
        let outcome = match tokio::time::timeout(within, carrier.send(&message)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Unknown { why: "Its carrier did not answer in time.".to_owned() },
        };
        if let Outcome::Login { why } = &outcome {
            tracing::error!(notice = %id, %why, "mail cannot be sent before an operator mends this");
        }
        match claimed.settle(outcome).await? {
            Mailing::Unknown { why } => {
                tracing::warn!(notice = %id, %why, "nobody knows whether a mail left");
            }
            Mailing::NotSent { why } => tracing::warn!(notice = %id, %why, "a mail did not leave"),
            Mailing::Waiting | Mailing::Sending { .. } | Mailing::Sent { .. } => {}
        }
        Ok(())
    }
}

impl Notify {
    /// The mail about a notice, or why there is none.
    async fn message(
        &self,
        scope: &Scope,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Result<Message, String>, Failure> {
        let table = &*self.0.table;
        let account = records::load::<Account>(table, &account_key(scope), now).await?;
        let Some(account) = account else {
            return Ok(Err("There is no account yet, and so no address.".to_owned()));
        };
        let settings = records::load::<Settings>(table, &settings_key(scope), now).await?;
        let settings = settings.map(|stored| stored.record).unwrap_or_default();
        Ok(letter::about(notice, &account.record, &settings).map_err(|refused| {
            let problems = refused.fields().iter().map(|p| format!("{}: {}", p.field, p.problem));
            format!("It cannot be written: {}", problems.collect::<Vec<_>>().join("; "))
        }))
    }
}
