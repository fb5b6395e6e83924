//! `nexus token`

use std::time::Duration;

use clap::Args;
use nexus_kernel::Ambient;
use nexus_kernel::id::TenantId;

use super::{Complaint, Ended, RoleName, Where, group, tenant};
use crate::issuer::Issuer;
use crate::template;

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    at: Where,
    /// The tenant, `ten_…` or `demo`
    #[arg(long, value_parser = tenant)]
    tenant: TenantId,
    /// What its bearer may do
    #[arg(long, value_enum, default_value_t = RoleName::Operator)]
    role: RoleName,
    /// Who its bearer is, as histories tell it
    #[arg(long, default_value = "local-user")]
    subject: String,
    /// How many minutes it lives
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=1440))]
    minutes: u64,
}

impl Token {
    pub(super) fn run(self) -> Ended {
        let plan = template::read(&self.at.template()?, &std::collections::BTreeMap::new())?;
        let (Some(pool), Some(client)) = (plan.user_pools.first(), plan.clients.first()) else {
            return Err(Complaint::new("the template names no user pool with a client"));
        };
        let issuer = Issuer::open(&self.at.data.join("keys/issuer.pem"), &pool.issuer, &client.id)?;
        let groups = [group(self.tenant, self.role.into())];
        let life = Duration::from_secs(self.minutes * 60);
        let token = issuer.token(&self.subject, &groups, life, Ambient::system().now())?;
        anstream::println!("{token}");
        Ok(())
    }
}
