//! What is kept of a connected account.

use nexus_core::effect::ClaimId;
use nexus_core::sweep::DueKind;
use nexus_core::table::{Index, IndexEntry, Page, Query, StoreError};
use nexus_core::vault::{BadSecretName, Generation, SecretName};
use nexus_core::{Key, Record, RecordKind, Scope, Stored, Table, records};
use nexus_kernel::{Digest, Language, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::publishing::Network;

nexus_kernel::id!(
    /// An account at a network, as we know it.
    ConnectionId,
    "con_"
);

/// The most accounts of a tenant, those that were disconnected among them: they are read at once.
pub const MAX_CONNECTIONS: u32 = 100;

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
    /// The generation of the tokens that they show to the network: where the vault has another, new ones are stored
    /// already.
    pub follows: Option<Generation>,
    /// Somebody may have shown the same refresh token to the network before them, and nobody knows what came of it:
    /// if it can be used once, it may be used up.
    pub unsure: bool,
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
    /// When its tokens are due to be refreshed; of an account that was disconnected, since when that is to be carried
    /// to its end (posts called off, tokens deleted). `None` where nothing is due.
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
        let at = self.refresh_at?;
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
        Self::secret_of(scope, self.network, self.id)
    }

    pub(super) fn secret_of(
        scope: &Scope,
        network: Network,
        id: ConnectionId,
    ) -> Result<SecretName, BadSecretName> {
        SecretName::of(scope, format!("{}-{id}", network.name()))
    }

    /// Where the account is, as a person calls it: `TikTok`, or the server.
    pub fn place(&self) -> String {
        place(self.network, self.server.as_deref())
    }

    /// What the directory knows the account by, so that it is connected once among all tenants.
    pub(crate) fn outside_id(&self) -> Option<String> {
        self.outside.map(|digest| digest.to_hex())
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

/// A network as a person calls it, or its server where there are several.
pub(crate) fn place(network: Network, server: Option<&str>) -> String {
    match (network, server) {
        (_, Some(server)) => server.split("://").last().unwrap_or(server).to_owned(),
        (Network::TikTok, None) => "TikTok".to_owned(),
        (Network::X, None) => "X".to_owned(),
        (Network::Mastodon, None) => "Mastodon".to_owned(),
        (Network::Feed, None) => "the feed".to_owned(),
    }
}

/// The digest by which an account is known again.
pub(crate) fn outside_digest(
    network: Network,
    server: Option<&str>,
    account: &Secret<String>,
) -> Digest {
    let parts = [network.name(), server.unwrap_or_default(), account.reveal()];
    Digest::of_parts(parts.map(str::as_bytes))
}

/// The connections of a tenant, in the order in which they were made.
///
/// # Errors
/// The store does not answer.
pub async fn all_connections(
    table: &dyn Table,
    scope: &Scope,
    now: Timestamp,
) -> Result<Vec<Stored<Connection>>, StoreError> {
    let page = Page::first(MAX_CONNECTIONS);
    let mut found =
        records::list::<Connection>(table, &connections(scope), &page, now).await?.records;
    found.sort_by_key(|stored| (stored.record.created, stored.record.id));
    Ok(found)
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
