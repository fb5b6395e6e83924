//! Runway behind the Engine's port.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_engine::footage::{FootageBrief, Progress, Quote};
use nexus_kernel::Failure;
use nexus_outbound::{Answer, CallError, Reading, Request, Vendor};

use super::models::Model;
use super::request::{self, VENDOR};
use super::response;
use crate::footage::{self, Dialect, Job, Maker};

/// Footage by Runway.
pub type Runway = Maker<RunwayApi>;

/// Runway, by its API.
#[derive(Debug)]
pub struct RunwayApi;

#[async_trait]
impl Dialect for RunwayApi {
    type Model = Model;

    const VENDOR: &'static Vendor = &VENDOR;
    const NOT_LISTED: &'static str =
        "Runway has no list of tasks; its console shows the account's generations";
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
        request::submit(model, brief, seconds)
    }

    fn submitted(answer: &Answer, quote: &Quote) -> Result<Reading<String>, CallError> {
        response::submitted(answer, quote)
    }

    fn ask(job: &str) -> Request {
        request::get_task(job)
    }

    fn told(answer: &Answer) -> Result<Reading<Job>, CallError> {
        response::task(answer)
    }

    fn download(output: &str) -> Request {
        request::download(output.to_owned())
    }

    async fn cancel(maker: &Maker<Self>, at: &CallContext, job: &str) -> Result<(), Failure> {
        // Of a finished task the same request deletes the output. One that finishes between the two is lost, as it
        // was given up.
        if !matches!(maker.job(at, job).await?.progress, Progress::Waiting { .. }) {
            return Ok(());
        }
        let request = request::delete_task(job);
        maker.api.call(at, request, Cost::ZERO, response::deleted).await.map_err(footage::failure)
    }
}
