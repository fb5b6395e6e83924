//! Google behind the Engine's port.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, Quote};
use nexus_kernel::Failure;
use nexus_outbound::{Answer, CallError, Reading, Request, Vendor};

use super::models::Model;
use super::request::{self, VENDOR};
use super::response;
use crate::footage::{self, Dialect, Job, Maker};

/// Footage by Google.
pub type Veo = Maker<Interactions>;

/// Google, by its interactions.
#[derive(Debug)]
pub struct Interactions;

#[async_trait]
impl Dialect for Interactions {
    type Model = Model;

    const VENDOR: &'static Vendor = &VENDOR;
    const NOT_LISTED: &'static str =
        "Google has no list of interactions; the account's usage is shown in its console";
    const CAN_CANCEL: bool = true;

    fn model(name: &str) -> Result<&'static Model, Failure> {
        Model::named(name)
    }

    fn engine(model: &Model) -> String {
        model.engine()
    }

    fn quote(model: &Model, brief: &FootageBrief) -> Result<Quote, Failure> {
        model.quote(brief)
    }

    fn submit(model: &Model, brief: &FootageBrief, seconds: u32) -> Request {
        request::create(model, brief, seconds)
    }

    fn submitted(answer: &Answer, quote: &Quote) -> Result<Reading<String>, CallError> {
        response::created(answer, quote)
    }

    fn ask(job: &str) -> Request {
        request::get(job)
    }

    fn told(answer: &Answer) -> Result<Reading<Job>, CallError> {
        response::interaction(answer)
    }

    fn download(output: &str) -> Request {
        request::download(output)
    }

    async fn cancel(maker: &Maker<Self>, at: &CallContext, job: &str) -> Result<(), Failure> {
        let request = request::cancel(job);
        maker.api.call(at, request, Cost::ZERO, response::cancelled).await.map_err(footage::failure)
    }
}
