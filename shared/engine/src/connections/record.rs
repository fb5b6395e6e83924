//! What is kept of a connected account.

use nexus_core::effect::ClaimId;
use nexus_core::sweep::DueKind;
use nexus_core::table::{Index, IndexEntry, Query};
use nexus_core::vault::{BadSecretName, SecretName};
use nexus_core::{Key, Record, RecordKind, Scope};
use nexus_kernel::{Digest, Language, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::publishing::Network;

nexus_kernel::id!(
    /// An account at a network, as we know it.
    ConnectionId,
    "con_"
);

/// Whether posts can go through a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    /// They can.
    Connected,
    /// Its tokens do not serve any more; a person has to connect it anew. Posts for it wait or are refused.
    ReconnectNeeded {
        /// Why, as its owner should read it.
        why: String,
    },
    /// Its owner disconnected it here or at the network; its tokens are gone.
    Revoked {
        /// A person's id, or the function that noticed.
        by: String,
        /// Why, as its owner should read it.
        why: String,
    },
}

/// Until when an account is left alone, because its network asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Until then.
    pub until: Timestamp,
    /// Why, as its owner should read it.
    pub why: String,
}

/// Somebody is refreshing the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshing {
    /// Who: of two only one can have written this.
    pub holder: ClaimId,
    /// After that they count as gone.
    pub until: Timestamp,
}

/// An account at a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Which.
    pub id: ConnectionId,
    /// At which network.
    pub network: Network,
    /// At which server, where the network has several: `https://social.example`, without a slash at its end.
    pub server: Option<String>,
    /// What the tenant calls it.
    pub label: String,
    /// The languages whose posts go there; none named is all.
    pub languages: Vec<Language>,
    /// Whether posts can go through it.
    #[serde(flatten)]
    pub state: ConnectionState,
    /// When it was connected first.
    pub created: Timestamp,
    /// Since when the state is as it is.
    pub since: Timestamp,
    /// SHA-256 over the network, the server and what the network calls the account: to know it again, and nothing
    /// that tells who it is.
    pub outside: Option<Digest>,
    /// Until when its access token serves; `None` where the network sets no end.
    pub access_until: Option<Timestamp>,
    /// When its tokens are due to be refreshed.
    pub refresh_at: Option<Timestamp>,
    /// Who is at that.
    pub refreshing: Option<Refreshing>,
    /// Until when the account is left alone.
    pub quiet: Option<Quiet>,
}

impl Record for Connection {
    const KIND: RecordKind = RecordKind::Connection;

    fn key(&self, scope: &Scope) -> Key {
        connection_key(scope, self.id)
    }

    fn due(&self, scope: &Scope) -> Option<IndexEntry> {
        let is_connected = self.state == ConnectionState::Connected;
        let at = self.refresh_at.filter(|_| is_connected)?;
        Some(DueKind::Refresh.entry(scope, &self.id.to_string(), at))
    }
}

/// Where a connection stands.
pub fn connection_key(scope: &Scope, id: ConnectionId) -> Key {
    scope.key("connection", id.to_string())
}

/// All connections of a tenant.
pub fn connections(scope: &Scope) -> Query {
    Query::of(Index::Base, scope.partition("connection"))
}

impl Connection {
    /// Under which name its tokens stand in the vault.
    ///
    /// # Errors
    /// Never: a network's name and an id are letters, digits and `_`.
    pub fn secret(&self, scope: &Scope) -> Result<SecretName, BadSecretName> {
        SecretName::of(scope, format!("{}-{}", self.network.name(), self.id))
    }

    /// Whether posts in this language go there.
    pub fn takes(&self, language: Language) -> bool {
        self.languages.is_empty() || self.languages.contains(&language)
    }

    /// Whether posts can go through it.
    pub fn is_connected(&self) -> bool {
        self.state == ConnectionState::Connected
    }
}

/// The right to act for one account, for one call or a few.
#[derive(Debug, Clone)]
pub struct Access {
    /// For which.
    pub connection: ConnectionId,
    /// At which server, where the network has several.
    pub server: Option<String>,
    /// The access token.
    pub token: Secret<String>,
}
