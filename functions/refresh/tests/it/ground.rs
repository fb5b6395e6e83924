//! A tenant with an account.

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_core::approval;
use nexus_core::effect::{Effect, EffectId, Payload};
use nexus_core::table::Page;
use nexus_core::vault::{Freshness, Vault};
use nexus_core::{Approver, CallContext, Product, Scope, Table, records};
use nexus_engine::connections::connecting::{self, Brings, CameBack, Wish};
use nexus_engine::connections::{
    Accounts, Connection, ConnectionId, ConnectionState, Login, connection_key,
};
use nexus_engine::notices::{Notice, notices};
use nexus_engine::publishing::{Ground as Settings, Network, PostPlan, propose};
use nexus_engine::{Desk, EnginePlatform};
use nexus_kernel::{Secret, Timestamp};
use nexus_testkit::login::{Asked, FakeLogin};
use nexus_testkit::{MemoryPlatform, build, people};

pub(crate) fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

pub(crate) fn scope() -> Scope {
    people::scope(people::tenant(1))
}

/// A platform, and the network at which accounts are.
pub(crate) struct Ground {
    pub(crate) platform: MemoryPlatform,
    pub(crate) login: Arc<FakeLogin>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let login = Arc::new(FakeLogin::of(Network::TikTok));
        let mut platform = MemoryPlatform::new();
        platform.logins = vec![Arc::clone(&login) as Arc<dyn Login>];
        Self { platform, login }
    }

    /// The accounts on the platform's own stores, as they are on a good day.
    pub(crate) fn accounts(&self) -> Accounts {
        self.accounts_on(|table| table, |vault| vault)
    }

    pub(crate) fn accounts_on(
        &self,
        table: impl FnOnce(Arc<dyn Table>) -> Arc<dyn Table>,
        vault: impl FnOnce(Arc<dyn Vault>) -> Arc<dyn Vault>,
    ) -> Accounts {
        Accounts {
            table: table(Arc::new(self.platform.table.clone())),
            vault: vault(Arc::new(self.platform.vault.clone())),
            logins: self.platform.logins.clone(),
            ambient: self.platform.ambient(),
        }
    }

    /// A call that has 30 seconds.
    pub(crate) fn call(&self) -> CallContext {
        CallContext { scope: scope(), until: self.platform.now() + secs(30) }
    }

    /// A person goes to the network and comes back.
    pub(crate) async fn connect(&self) -> ConnectionId {
        let (accounts, scope, ambient) = (self.accounts(), scope(), self.platform.ambient());
        let desk = Desk {
            table: &self.platform.table,
            scope: &scope,
            by: "usr",
            trace: "trace",
            ambient: &ambient,
        };
        let wish = Wish {
            network: Network::TikTok,
            server: None,
            label: "The shop".into(),
            languages: [].into(),
        };
        let redirect = "https://api.example/v1/connections/callback";
        connecting::begin(&accounts, &desk, &self.call(), wish, redirect).await.unwrap();
        let asked = self.login.asked.all();
        let Some(Asked::Authorize { state, .. }) = asked.last() else { panic!("{asked:?}") };
        let back = CameBack {
            state: Secret::new(state.clone()),
            brings: Brings::Code(Secret::new(format!("code-{state}"))),
            issuer: None,
        };
        let until = self.call().until;
        let done = connecting::finish(&accounts, Product::Engine, until, back).await.unwrap();
        done.connection.id
    }

    pub(crate) async fn connection(&self, id: ConnectionId) -> Connection {
        let key = connection_key(&scope(), id);
        let now = self.platform.now();
        records::load(&self.platform.table, &key, now).await.unwrap().unwrap().record
    }

    pub(crate) async fn is_connected(&self, id: ConnectionId) -> bool {
        self.connection(id).await.state == ConnectionState::Connected
    }

    /// What the vault holds for an account.
    pub(crate) async fn kept(&self, id: ConnectionId) -> Option<String> {
        let name = self.connection(id).await.secret(&scope()).unwrap();
        let held = self.platform.vault.read(&name, Freshness::Fresh).await.unwrap();
        held.map(|held| held.value.reveal().clone())
    }

    pub(crate) async fn notices(&self) -> Vec<Notice> {
        let (query, page) = (notices(&scope()), Page::first(100));
        let now = self.platform.now();
        let listed = records::list(&self.platform.table, &query, &page, now).await.unwrap();
        listed.records.into_iter().map(|stored| stored.record).collect()
    }

    /// A post for an account that a person approved.
    pub(crate) async fn post(
        &self,
        id: ConnectionId,
        number: u32,
        at: Timestamp,
    ) -> Effect<PostPlan> {
        let (_, draft) = build::finished(&self.platform, &scope(), build::media_id(number)).await;
        let plan = propose(&draft, &Settings::default()).posts.swap_remove(0);
        let plan = PostPlan { network: Network::TikTok, connection: Some(id), send_at: at, ..plan };
        let (eid, now) = (EffectId::derived(&[&number.to_string()]), self.platform.now());
        let person = people::caller(&people::approver(people::tenant(1)));
        let digest = plan.digest();
        let mut post = Effect::proposed(eid, plan, "usr", now);
        approval::approve(&mut post, Approver::of(&person).unwrap(), digest, now).unwrap();
        self.platform.put(&scope(), &post).await;
        post
    }
}

/// What the vault holds after so many grants.
pub(crate) fn pair(number: u32) -> Option<String> {
    Some(format!(r#"{{"access":"access-{number}","refresh":"refresh-{number}"}}"#))
}
