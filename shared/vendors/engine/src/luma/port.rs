//! Luma behind the Engine's port.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_engine::footage::{FootageBrief, Quote};
use nexus_kernel::Failure;
use nexus_outbound::{Answer, CallError, Reading, Request, Vendor};

use super::models::Model;
use super::request::{self, VENDOR};
use super::response;
use crate::footage::{Dialect, Job, Maker};

/// Footage by Luma.
pub type Luma = Maker<AgentsApi>;

/// Luma, by its Agents API.
#[derive(Debug)]
pub struct AgentsApi;

#[async_trait]
impl Dialect for AgentsApi {
    type Model = Model;

    const VENDOR: &'static Vendor = &VENDOR;
    const NOT_LISTED: &'static str =
        "Luma has no list of generations; its dashboard shows the account's usage";
    const CAN_CANCEL: bool = false;

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
        response::generation(answer)
    }

    fn download(output: &str) -> Request {
        request::download(output.to_owned())
    }

    async fn cancel(_: &Maker<Self>, _: &CallContext, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}
