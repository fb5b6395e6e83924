//! Calls the API in-process, through the gateway, with a token of the local issuer.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use nexus_core::Role;
use nexus_kernel::id::TenantId;
use serde_json::Value;
use tower::ServiceExt;

use super::{Complaint, group};
use crate::host::Host;

/// How long the tokens live that the command line makes for its own calls.
const TOKEN_LIFE: Duration = Duration::from_secs(900);

/// Who the command line is in histories.
const SUBJECT: &str = "command-line";

pub(super) struct ApiClient<'h> {
    host: &'h Host,
    router: Router,
    tenant: TenantId,
    role: Role,
}

impl<'h> ApiClient<'h> {
    pub(super) fn new(host: &'h Host, tenant: TenantId, role: Role) -> Self {
        Self { host, router: host.api(), tenant, role }
    }

    pub(super) async fn get(&self, path: &str) -> Result<(StatusCode, Value), Complaint> {
        self.call(Method::GET, path, None).await
    }

    /// # Errors
    /// What the API said, unless it succeeded.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, Complaint> {
        let (status, answer) = self.call(method, path, Some(body)).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let mut text = answer["detail"].as_str().unwrap_or("the API did not say why").to_owned();
        for error in answer["errors"].as_array().into_iter().flatten() {
            let (field, problem) = (error["field"].as_str(), error["problem"].as_str());
            text.push_str(&format!(
                "\n  {}: {}",
                field.unwrap_or_default(),
                problem.unwrap_or_default()
            ));
        }
        Err(Complaint::new(text))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Complaint> {
        let now = self.host.ambient().now();
        let token =
            self.host.issuer().token(SUBJECT, &[group(self.tenant, self.role)], TOKEN_LIFE, now)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |value| Body::from(value.to_string()));
        let (status, bytes) = answer(self.router.clone(), request.body(body)?).await?;
        let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok((status, value))
    }
}

/// A router's whole answer.
pub(super) async fn answer(
    router: Router,
    request: Request<Body>,
) -> Result<(StatusCode, Bytes), Complaint> {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    Ok((status, axum::body::to_bytes(response.into_body(), usize::MAX).await?))
}
