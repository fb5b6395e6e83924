//! X behind the port of connections.

use async_trait::async_trait;
use nexus_core::CallContext;
use nexus_core::egress::Cost;
use nexus_core::vault::Freshness;
use nexus_engine::connections::{Ask, Granted, Login, LoginError};
use nexus_engine::publishing::Network;
use nexus_kernel::{Failure, Secret};

use super::port::X;
use super::request::{self, Application};
use super::{prices, response};
use crate::oauth::login_error;

impl X {
    /// The application, its secret as it stands now: X knows an old one no more from the moment it is replaced, and
    /// tokens are asked for seldom.
    async fn application(&self) -> Result<Application, LoginError> {
        let secret = self.parts.vault.read(&self.secret, Freshness::Fresh).await;
        let secret = secret.map_err(|error| LoginError::Later {
            after_seconds: None,
            why: Failure::from(error).public().to_owned(),
        })?;
        let client_id = self.client_id.clone();
        Ok(Application { client_id, secret: secret.map(|held| held.value) })
    }

    fn is_named(&self) -> Result<(), LoginError> {
        if self.client_id.is_empty() {
            return Err(LoginError::Refused { why: "This house has no application at X.".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl Login for X {
    fn network(&self) -> Network {
        Network::X
    }

    async fn is_set_up(&self) -> Result<bool, Failure> {
        // Without a secret it is a public client, which X allows.
        Ok(!self.client_id.is_empty())
    }

    fn scopes(&self) -> &'static [&'static str] {
        &request::SCOPES
    }

    async fn authorize(&self, _: &CallContext, ask: &Ask) -> Result<String, LoginError> {
        self.is_named()?;
        Ok(request::authorize(&self.authorize_base, &self.client_id, ask))
    }

    async fn exchange(
        &self,
        at: &CallContext,
        ask: &Ask,
        code: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        self.is_named()?;
        let request = request::exchange(&self.application().await?, ask, code);
        let granted = self.api.call(at, request, Cost::ZERO, response::granted).await;
        let granted = granted.map_err(login_error)?;
        match self.account(at, &granted.access).await {
            Ok(account) => Ok(Granted { account: Some(account), ..granted }),
            Err(error) => {
                // Tokens of nobody knows whom are kept for nobody: X may have been logged in with another account.
                tracing::warn!(%error, "X gave tokens and did not say of which account");
                for token in [Some(granted.access), granted.refresh].into_iter().flatten() {
                    if let Err(error) = self.revoke(at, None, &token).await {
                        tracing::warn!(%error, "a token that is not kept was not revoked");
                    }
                }
                let why = "X did not say whose account this is. Begin again.".to_owned();
                Err(LoginError::Later { after_seconds: None, why })
            }
        }
    }

    async fn refresh(
        &self,
        at: &CallContext,
        _: Option<&str>,
        refresh: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        self.is_named()?;
        let request = request::refresh(&self.application().await?, refresh);
        self.api.call(at, request, Cost::ZERO, response::granted).await.map_err(login_error)
    }

    async fn revoke(
        &self,
        at: &CallContext,
        _: Option<&str>,
        token: &Secret<String>,
    ) -> Result<(), LoginError> {
        self.is_named()?;
        let request = request::revoke(&self.application().await?, token);
        let now = self.now();
        let read = |answer: &_| response::revoked(answer, now);
        self.api.call(at, request, Cost::ZERO, read).await.map_err(login_error)
    }
}

impl X {
    /// Which account a token is of.
    pub(super) async fn account(
        &self,
        at: &CallContext,
        token: &Secret<String>,
    ) -> Result<Secret<String>, nexus_outbound::CallError> {
        let now = self.now();
        let read = |answer: &_| response::account(answer, now);
        self.api.call(at, request::me(token), prices::ACCOUNT_READ, read).await
    }
}
