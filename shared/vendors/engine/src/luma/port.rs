//! Luma behind the Engine's port.

use async_trait::async_trait;
use bytes::Bytes;
use nexus_core::CallContext;
use nexus_core::effect::{Found, Outcome};
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, FootageMaker, Progress, Quote};
use nexus_kernel::{Failure, Timestamp};
use nexus_outbound::{CallError, Outbound, Parts};

use super::models::Model;
use super::request::{self, VENDOR};
use super::response;
use crate::footage::{self, Download, Job};

/// Footage by Luma.
pub struct Luma {
    api: Outbound,
    model: &'static Model,
}

impl Luma {
    /// Luma with this model; `base` is the setting `LUMA_BASE`, where there is one.
    ///
    /// # Errors
    /// The model is not known here, or the base is no address: the setting, and what it may say.
    pub fn new(parts: Parts, base: Option<String>, model: &str) -> Result<Self, Failure> {
        let api = Outbound::new(&VENDOR, base, parts)
            .map_err(|error| Failure::field(VENDOR.base_setting, error.to_string()))?;
        Ok(Self { api, model: Model::named(model)? })
    }

    async fn generation(&self, at: &CallContext, id: &str) -> Result<Job, CallError> {
        self.api.call(at, request::get(id), Cost::ZERO, response::generation).await
    }
}

#[async_trait]
impl FootageMaker for Luma {
    fn name(&self) -> &'static str {
        VENDOR.name
    }

    fn engine(&self) -> String {
        self.model.engine()
    }

    fn quote(&self, brief: &FootageBrief) -> Result<Quote, Failure> {
        self.model.quote(brief)
    }

    async fn submit(&self, at: &CallContext, brief: &FootageBrief) -> Outcome {
        let quote = match self.quote(brief) {
            Ok(quote) => quote,
            Err(failure) => return Outcome::Refused { why: failure.public().to_owned() },
        };
        let request = request::create(self.model, brief, quote.seconds);
        let read = |answer: &_| response::created(answer, &quote);
        match self.api.call(at, request, quote.cost, read).await {
            Ok(job) => Outcome::Done { receipt: job, url: None },
            Err(error) => error.into_outcome(),
        }
    }

    async fn status(&self, at: &CallContext, job: &str) -> Result<Progress, Failure> {
        self.generation(at, job).await.map(|job| job.progress).map_err(footage::failure)
    }

    async fn fetch(&self, at: &CallContext, job: &str) -> Result<Bytes, Failure> {
        for _ in 0..2 {
            let job = self.generation(at, job).await.map_err(footage::failure)?;
            let Some(address) = job.output else {
                return Err(footage::nothing_to_fetch(job.progress));
            };
            let request = request::download(address.reveal().clone());
            match self.api.call(at, request, Cost::ZERO, footage::downloaded).await {
                Ok(Download::Bytes(bytes)) => return Ok(bytes),
                Ok(Download::Gone) => {}
                Err(error) => return Err(footage::failure(error)),
            }
        }
        Err(footage::gone())
    }

    fn can_cancel(&self) -> bool {
        false
    }

    async fn cancel(&self, _: &CallContext, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn look_up(&self, _: &CallContext, _: &FootageBrief, _: Timestamp) -> Found {
        Found::StillUnknown {
            why: "Luma has no list of generations; its dashboard shows the account's usage".into(),
        }
    }
}
