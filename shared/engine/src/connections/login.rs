//! The port to a network's OAuth 2.0 (RFC 6749, with PKCE, RFC 7636).

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::SignedDuration;
use nexus_core::CallContext;
use nexus_kernel::{Failure, FailureKind, Secret};

use crate::publishing::Network;

/// What a person is sent to the network with.
#[derive(Debug, Clone)]
pub struct Ask {
    /// At which server, where the network has several.
    pub server: Option<String>,
    /// Where the network sends the person back to, to the letter.
    pub redirect: String,
    /// What has to come back with them: it ties the answer to who asked.
    pub state: Secret<String>,
    /// The secret behind the PKCE challenge: 43 to 128 unreserved characters.
    pub verifier: Secret<String>,
}

/// What a network granted. All of it lives in memory; the two tokens are kept in the vault, the times in the record.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The access token.
    pub access: Secret<String>,
    /// The refresh token, where the network gives one.
    pub refresh: Option<Secret<String>>,
    /// For how long the access token serves; `None` where the network sets no end.
    pub lives: Option<SignedDuration>,
    /// The scopes that were granted, where the network says.
    pub scopes: Option<BTreeSet<String>>,
    /// What the network calls the account, where it says: it is kept as a digest alone.
    pub account: Option<Secret<String>>,
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The request cannot succeed as it is: a wrong code, a server that is none.
    #[error("{why}")]
    Refused {
        /// Why, as a person should read it.
        why: String,
    },
    /// The network says that what we hold is of no use any more (`invalid_grant`, 401): a person has to connect anew.
    #[error("{why}")]
    Gone {
        /// Why, as a person should read it.
        why: String,
    },
    /// It did not happen; later it may.
    #[error("{why}")]
    Later {
        /// Seconds to wait, where the network says.
        after_seconds: Option<u32>,
        /// Why, as a person should read it.
        why: String,
    },
    /// It may have happened. A refresh token that can be used once may be used up.
    #[error("{why}")]
    Unknown {
        /// What was seen, for the operator.
        why: String,
    },
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused { why } => Self::invalid(why),
            LoginError::Gone { why } => Self::conflict(why),
            LoginError::Later { why, .. } => Self::unavailable(why),
            LoginError::Unknown { .. } => {
                Self::new(FailureKind::Unavailable, "The network did not answer. Connect it again.")
                    .caused_by(error)
            }
        }
    }
}

/// Connects accounts of one network. Each call leaves the house at most as often as it is made, but for
/// [`refresh`](Self::refresh) where the network's refresh tokens may be used again.
#[async_trait]
pub trait Login: Send + Sync {
    /// Of which network.
    fn network(&self) -> Network;

    /// Whether this house is set up to connect accounts there: it has an application's name and secret.
    async fn is_set_up(&self) -> Result<bool, Failure>;

    /// The scopes that are asked for, and without which an account is not connected.
    fn scopes(&self) -> &'static [&'static str];

    /// The address that a person opens to grant them. Only a network with several servers is asked anything here.
    ///
    /// # Errors
    /// The server is none, or not allowed.
    async fn authorize(&self, at: &CallContext, ask: &Ask) -> Result<String, LoginError>;

    /// Exchanges the code that the person came back with. X's code lives 30 seconds.
    ///
    /// # Errors
    /// No tokens; nothing was granted.
    async fn exchange(
        &self,
        at: &CallContext,
        ask: &Ask,
        code: &Secret<String>,
    ) -> Result<Granted, LoginError>;

    /// New tokens for an old refresh token. What the network does not say anew stays as it was.
    ///
    /// # Errors
    /// No new tokens.
    async fn refresh(
        &self,
        at: &CallContext,
        server: Option<&str>,
        refresh: &Secret<String>,
    ) -> Result<Granted, LoginError>;

    /// Makes a token worthless at the network. One that is worthless already is no error.
    ///
    /// # Errors
    /// The network did not say that it is done.
    async fn revoke(
        &self,
        at: &CallContext,
        server: Option<&str>,
        token: &Secret<String>,
    ) -> Result<(), LoginError>;
}
