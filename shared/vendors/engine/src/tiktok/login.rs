//! Accounts by TikTok's Login Kit.

use async_trait::async_trait;
use nexus_core::egress::Cost;
use nexus_core::vault::Freshness;
use nexus_core::{CallContext, SecretName};
use nexus_engine::connections::{Ask, Granted, Login, LoginError};
use nexus_engine::publishing::Network;
use nexus_kernel::{Failure, Secret};
use nexus_outbound::{Answer, CallError, Reading, Request};

use super::port::TikTok;
use super::request::{self, Application, VENDOR};
use super::{CLIENT_KEY_SETTING, response};
use crate::oauth::{granted, login_error};

/// See the head of [`tiktok`](super) for what is left out, and why.
const SCOPES: [&str; 2] = ["user.info.basic", "video.publish"];

impl TikTok {
    async fn secret(&self) -> Result<Option<Secret<String>>, Failure> {
        let name = SecretName::of_house(self.product, VENDOR.name)?;
        let held = self.vault.read(&name, Freshness::Cached).await?;
        // A secret that was pasted or piped ends in a line break.
        let trimmed = held.map(|held| held.value.reveal().trim().to_owned());
        Ok(trimmed.filter(|secret: &String| !secret.is_empty()).map(Secret::new))
    }

    async fn ask_as_application<T>(
        &self,
        at: &CallContext,
        build: impl FnOnce(&Application<'_>) -> Request,
        read: impl Fn(&Answer) -> Result<Reading<T>, CallError>,
    ) -> Result<T, LoginError> {
        let key = self.client_key()?;
        let secret = self.secret().await.map_err(|failure| LoginError::Later {
            after_seconds: None,
            why: failure.public().to_owned(),
        })?;
        let secret = secret.ok_or_else(|| LoginError::Refused {
            why: "There is no client secret of TikTok in the vault. Whoever operates this gives it with `nexus secret \
                  set tiktok`."
                .to_owned(),
        })?;
        let request = build(&Application { key, secret: &secret });
        self.api.call(at, request, Cost::ZERO, read).await.map_err(login_error)
    }

    fn client_key(&self) -> Result<&str, LoginError> {
        let key = self.settings.client_key.as_str();
        if key.is_empty() {
            let why = format!(
                "TikTok is not set up here. Whoever operates this sets {CLIENT_KEY_SETTING}."
            );
            return Err(LoginError::Refused { why });
        }
        Ok(key)
    }
}

#[async_trait]
impl Login for TikTok {
    fn network(&self) -> Network {
        Network::TikTok
    }

    async fn is_set_up(&self) -> Result<bool, Failure> {
        Ok(self.client_key().is_ok() && self.secret().await?.is_some())
    }

    fn scopes(&self) -> &'static [&'static str] {
        &SCOPES
    }

    async fn authorize(&self, _: &CallContext, ask: &Ask) -> Result<String, LoginError> {
        let query = [
            ("client_key", self.client_key()?),
            ("response_type", "code"),
            ("scope", &SCOPES.join(",")),
            ("redirect_uri", &ask.redirect),
            ("state", ask.state.reveal()),
            ("code_challenge", &request::challenge(&ask.verifier)),
            ("code_challenge_method", "S256"),
            // Whoever is logged in there sees which account it is, instead of being sent back at once.
            ("disable_auto_auth", "1"),
        ];
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        Ok(format!("{}/v2/auth/authorize/?{query}", self.authorize_base))
    }

    async fn exchange(
        &self,
        at: &CallContext,
        ask: &Ask,
        code: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        let read = |answer: &Answer| granted(answer, "TikTok");
        self.ask_as_application(at, |application| application.exchange(ask, code), read).await
    }

    async fn refresh(
        &self,
        at: &CallContext,
        _: Option<&str>,
        refresh: &Secret<String>,
    ) -> Result<Granted, LoginError> {
        let read = |answer: &Answer| granted(answer, "TikTok");
        self.ask_as_application(at, |application| application.refresh(refresh), read).await
    }

    async fn revoke(
        &self,
        at: &CallContext,
        _: Option<&str>,
        token: &Secret<String>,
    ) -> Result<(), LoginError> {
        self.ask_as_application(at, |application| application.revoke(token), response::revoked)
            .await
    }
}
