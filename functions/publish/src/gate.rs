//! What has to hold of an account before a post may be claimed for it: it is connected, it is not left alone, and its
//! day is not full.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use nexus_core::approval::{self, Standing};
use nexus_core::effect::EffectId;
use nexus_core::{Condition, Op, RecordKind, Scope, records};
use nexus_engine::connections::{Connection, ConnectionState, connection_key};
use nexus_engine::publishing::PostPlan;
use nexus_handler::QueueFunction as _;
use nexus_kernel::{Failure, Timestamp};

use crate::{Deps, Publish, told};

/// How long a day's count is kept: longer than the day lasts anywhere.
const COUNTED: SignedDuration = SignedDuration::from_hours(48);
/// The place of the day's count among the gate's operations.
const DAY: usize = 1;

/// Whether a post may be claimed now.
pub(crate) enum Passage {
    /// It may, if this holds when it is.
    Open(Box<Standing<PostPlan>>, Gate),
    /// It may not; what there was to do is done.
    Closed,
}

/// What is committed with a claim.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) ops: Vec<Op>,
    /// When the account's next day begins, where its days can be full.
    pub(crate) full_until: Option<Timestamp>,
}

/// Looks at the account of a post whose time has come; others need no gate.
pub(crate) async fn at(
    deps: &Deps,
    scope: &Scope,
    post: Standing<PostPlan>,
    now: Timestamp,
) -> Result<Passage, Failure> {
    let plan = post.payload();
    if !post.is_due(now) || !plan.network.has_accounts() {
        return Ok(Passage::Open(Box::new(post), Gate::default()));
    }
    let (network, mut connection) = (plan.network, None);
    if let Some(id) = plan.connection {
        let key = connection_key(scope, id);
        connection = records::load::<Connection>(&*deps.table, &key, now).await?;
    }
    let ended = match connection.as_ref().map(|c| &c.record.state) {
        Some(ConnectionState::Connected) => None,
        Some(ConnectionState::ReconnectNeeded { why } | ConnectionState::Revoked { why, .. }) => {
            Some(why.clone())
        }
        None => Some("the account was removed".to_owned()),
    };
    let Some(connection) = connection.filter(|_| ended.is_none()) else {
        let why = ended.unwrap_or_default();
        post.call_off_and(&why, Publish::NAME, now, |post| told(deps, scope, post)).await?;
        return Ok(Passage::Closed);
    };
    if let Some(quiet) = connection.record.quiet.as_ref().filter(|quiet| quiet.until > now) {
        post.postpone(quiet.until, &quiet.why, Publish::NAME, now).await?;
        return Ok(Passage::Closed);
    }
    let mut gate = Gate { ops: vec![connection.unchanged(scope)], full_until: None };
    if let Some(most) = network.posts_a_day() {
        let day = now.to_zoned(TimeZone::UTC).date();
        gate.ops.push(Op::Add {
            key: scope.key("pace", format!("{}#{day}", connection.record.id)),
            kind: RecordKind::Pace,
            delta: 1,
            expires: now.checked_add(COUNTED).ok(),
            when: Condition::CounterAtMost(i64::from(most) - 1),
        });
        let tomorrow = day.tomorrow().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
        gate.full_until = tomorrow.map(|midnight| midnight.timestamp());
    }
    Ok(Passage::Open(Box::new(post), gate))
}

/// The gate closed between looking and claiming, at these of its operations. A full day is waited for; an account
/// that changed is looked at when the message comes again.
pub(crate) async fn held(
    deps: &Deps,
    scope: &Scope,
    id: EffectId,
    which: &[usize],
    full_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Failure> {
    let full_until = full_until.filter(|_| which.contains(&DAY));
    let (Some(until), Some(post)) =
        (full_until, approval::open::<PostPlan>(&deps.table, scope, id).await?)
    else {
        return Err(Failure::conflict("The account was changed meanwhile."));
    };
    let why = "the account has had as many posts today as its network takes";
    post.postpone(until, why, Publish::NAME, now).await
}
