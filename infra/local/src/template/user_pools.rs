//! `AWS::Cognito::UserPool` and its clients: the names that the local token issuer stands in for.

use super::local_values;
use super::plan::{ClientPlan, UserPoolPlan};
use super::reading::{Reading, Resource};

pub(super) const KIND: &str = "AWS::Cognito::UserPool";
pub(super) const CLIENT_KIND: &str = "AWS::Cognito::UserPoolClient";

pub(super) fn read(reading: &Reading<'_>, resource: &Resource) -> UserPoolPlan {
    drop(reading.properties(resource, KIND));
    UserPoolPlan { id: resource.id.clone(), issuer: local_values::issuer(&resource.id) }
}

pub(super) fn read_client(reading: &Reading<'_>, resource: &Resource) -> Option<ClientPlan> {
    let mut section = reading.properties(resource, CLIENT_KIND);
    let user_pool = section.reference("UserPoolId", KIND);
    let user_pool = section.require("UserPoolId", user_pool)?;
    Some(ClientPlan { id: resource.id.clone(), user_pool })
}
