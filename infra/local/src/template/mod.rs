//! Reads `template.yaml`, the one description of the wiring: AWS deploys it, the one-machine host wires what
//! this module finds in it.
//!
//! Whatever stands in the template is wired, or passed over knowingly ([`passed_over`] has the list, with
//! reasons), or an error with its line: so the two worlds cannot drift apart. All problems are told at once.
//!
//! Where AWS hands out names at deployment, the host uses the logical id: `!Ref TagQueue` is `TagQueue`, and
//! `!GetAtt TagQueue.Arn` is `arn:aws:sqs:us-east-1:000000000000:TagQueue`.
//!
//! **Never here:** opening files, starting anything, the clock.

mod apis;
mod buckets;
mod checks;
mod functions;
mod globals;
mod intrinsics;
mod local_values;
mod node;
pub mod passed_over;
pub mod plan;
mod problem;
mod queues;
mod reading;
mod section;
mod tables;
#[cfg(test)]
mod tests;
mod triggers;
mod user_pools;

use std::collections::BTreeMap;

pub use plan::Plan;
pub use problem::{Place, Problem, Problems};

use reading::Reading;

/// Reads a template into what the host has to wire.
///
/// `parameters` stand in for the template's defaults, as on deployment.
///
/// # Errors
/// Everything that is wrong with the template, in the order of its lines.
pub fn read(text: &str, parameters: &BTreeMap<String, String>) -> Result<Plan, Problems> {
    let root = node::parse(text)?;
    let reading = Reading::new(&root, parameters);
    let mut plan = Plan::default();
    for resource in reading.resources() {
        match resource.kind.as_str() {
            functions::KIND => plan.functions.push(functions::read(&reading, resource)),
            apis::KIND => plan.apis.push(apis::read(&reading, resource)),
            queues::KIND => plan.queues.push(queues::read(&reading, resource)),
            buckets::KIND => plan.buckets.push(buckets::read(&reading, resource)),
            tables::KIND => plan.tables.push(tables::read(&reading, resource)),
            user_pools::KIND => plan.user_pools.push(user_pools::read(&reading, resource)),
            user_pools::CLIENT_KIND => {
                plan.clients.extend(user_pools::read_client(&reading, resource))
            }
            other => reading.pass_over_resource(other, resource),
        }
    }
    checks::all(&reading, &plan);
    reading.finish(plan)
}
