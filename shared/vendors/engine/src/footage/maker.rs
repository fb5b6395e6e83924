//! A vendor of footage behind the Engine's port: what every one of them does in the same way, over what each of them
//! says in its own.

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::CallContext;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_engine::footage::{Charge, FootageBrief, FootageMaker, Looked, Quote, Submitted};
use nexus_kernel::{Failure, Timestamp};
use nexus_outbound::{Answer, CallError, Outbound, Parts, Reading, Request, Vendor};

use super::{Download, Job};

/// What a vendor makes, and how it is spoken to.
#[async_trait]
pub trait Dialect: Send + Sync + 'static {
    /// A model of the vendor's.
    type Model: Send + Sync;

    /// The vendor.
    const VENDOR: &'static Vendor;
    /// Why a submission whose answer was lost cannot be looked up, in a sentence for whoever is asked about it.
    const NOT_LISTED: &'static str;
    /// Whether a job can be given up.
    const CAN_CANCEL: bool;

    /// The model of this name.
    ///
    /// # Errors
    /// It is not known here: which are.
    fn model(name: &str) -> Result<&'static Self::Model, Failure>;

    /// The engine's name and model, as it stands on what it made.
    fn engine(model: &Self::Model) -> String;

    /// What the model would make of a brief.
    ///
    /// # Errors
    /// It cannot: the field and the remedy.
    fn quote(model: &Self::Model, brief: &FootageBrief) -> Result<Quote, Failure>;

    /// Asks for footage of so many seconds.
    fn submit(model: &Self::Model, brief: &FootageBrief, seconds: u32) -> Request;

    /// The job's id.
    ///
    /// # Errors
    /// It was not taken, or nobody can know.
    fn submitted(answer: &Answer, quote: &Quote) -> Result<Reading<String>, CallError>;

    /// Asks how far a job is.
    fn ask(job: &str) -> Request;

    /// How far it is.
    ///
    /// # Errors
    /// The answer does not tell.
    fn told(answer: &Answer) -> Result<Reading<Job>, CallError>;

    /// Fetches what a job that is ready named as its output.
    fn download(output: &str) -> Request;

    /// Gives a job up. One that is over, or not known, is no error.
    ///
    /// # Errors
    /// The vendor cannot be asked now.
    async fn cancel(maker: &Maker<Self>, at: &CallContext, job: &str) -> Result<(), Failure>
    where
        Self: Sized;
}

/// A vendor's model behind the port.
pub struct Maker<D: Dialect> {
    pub(crate) api: Outbound,
    model: &'static D::Model,
}

impl<D: Dialect> Maker<D> {
    /// The vendor with this model; `base` is the setting that the vendor names, where there is one.
    ///
    /// # Errors
    /// The model is not known here, or the base is no address: the setting, and what it may say.
    pub fn new(parts: Parts, base: Option<String>, model: &str) -> Result<Self, Failure> {
        let api = Outbound::new(D::VENDOR, base, parts)
            .map_err(|error| Failure::field(D::VENDOR.base_setting, error.to_string()))?;
        Ok(Self { api, model: D::model(model)? })
    }

    /// How far a job is.
    pub(crate) async fn job(&self, at: &CallContext, job: &str) -> Result<Job, Failure> {
        self.api.call(at, D::ask(job), Cost::ZERO, D::told).await.map_err(super::failure)
    }
}

#[async_trait]
impl<D: Dialect> FootageMaker for Maker<D> {
    fn name(&self) -> &'static str {
        D::VENDOR.name
    }

    fn engine(&self) -> String {
        D::engine(self.model)
    }

    fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure> {
        D::quote(self.model, brief)
    }

    async fn submit(&self, at: &CallContext, brief: &FootageBrief) -> Submitted {
        let quote = match self.quote(brief) {
            Ok(quote) => quote,
            Err(failure) => {
                let outcome = Outcome::Refused { why: failure.public().to_owned() };
                return Submitted { outcome, charge: None };
            }
        };
        let request = D::submit(self.model, brief, quote.seconds);
        let operation = request.operation.name;
        let read = |answer: &_| {
            D::submitted(answer, &quote)
                .map(|told| Reading { value: (told.value, told.usage.cost), usage: told.usage })
        };
        match self.api.call(at, request, quote.cost, read).await {
            Ok((job, cost)) => Submitted {
                outcome: Outcome::Done { receipt: job, url: None },
                charge: Some(Charge { operation, cost }),
            },
            Err(error) => Submitted { outcome: error.into_outcome(), charge: None },
        }
    }

    async fn status(&self, at: &CallContext, job: &str) -> Result<Looked, Failure> {
        self.job(at, job).await.map(|job| Looked { progress: job.progress, used: job.used })
    }

    /// An output that is gone is asked for once more: addresses expire.
    async fn fetch(&self, at: &CallContext, job: &str) -> Result<Bytes, Failure> {
        for _ in 0..2 {
            let job = self.job(at, job).await?;
            let Some(output) = job.output else {
                return Err(super::nothing_to_fetch(job.progress));
            };
            let request = D::download(output.reveal());
            match self.api.call(at, request, Cost::ZERO, super::downloaded).await {
                Ok(Download::Bytes(bytes)) => return Ok(bytes),
                Ok(Download::Gone) => {}
                Err(error) => return Err(super::failure(error)),
            }
        }
        Err(super::gone())
    }

    fn can_cancel(&self) -> bool {
        D::CAN_CANCEL
    }

    async fn cancel(&self, at: &CallContext, job: &str) -> Result<(), Failure> {
        D::cancel(self, at, job).await
    }

    async fn look_up(&self, _: &CallContext, _: &FootageBrief, _: Timestamp) -> Found {
        Found::StillUnknown { why: D::NOT_LISTED.into() }
    }
}
