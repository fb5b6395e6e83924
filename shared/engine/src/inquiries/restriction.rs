//! People whose data may be kept and not worked on (N69).
//!
//! What a restricted person wrote is kept and shown to the tenant, and nothing else is done with it: from then on nobody
//! judges how it sounds, it raises no event and is added to no trend. What was judged and counted before stays: a trend
//! holds numbers, no words and nobody's. Every worker asks [`unrestricted`] before it works on somebody's words, and
//! commits what came of it with the check that this still holds. To lift a restriction lets the work go on that waited.
//!
//! A restriction's id follows from the tenant and the address, by a digest without a key. A key would hide nothing more:
//! the row names the address, for the tenant to see whom it restricted, and so does every inquiry beside it; nobody who
//! cannot read them can read the id. Since the tenant is part of it, two tenants' ids of one person have nothing in common.
//!
//! **Never here:** who may restrict; erasing anything.

use nexus_core::outbox::Outgoing;
use nexus_core::table::{Cursor, Page, Query, StoreError};
use nexus_core::{Condition, Item, Key, Op, Record, RecordKind, Scope, Sender, Table, records};
use nexus_kernel::{Failure, Pii, Timestamp};
use serde::{Deserialize, Serialize};

use super::email::{self, Email};
use super::inquiry::{INQUIRIES, Inquiry};
use crate::desk::{Desk, TRIES};
use crate::hops::{Hop, ToJudge};

nexus_kernel::id!(
    /// A restriction: follows from whose it is and whom it is about.
    RestrictionId,
    "rst_"
);

const RESTRICTIONS: &str = "restriction";
/// How many inquiries are looked through at once when a restriction is lifted.
const PAGE: u32 = 500;
/// How many such pages one request looks through.
const PAGES: u32 = 20;
/// How many messages one commit takes along.
const AT_ONCE: usize = 25;

/// A person whose data may be kept and not worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// Which.
    pub id: RestrictionId,
    /// Whose, as the tenant wrote it.
    #[serde(with = "nexus_kernel::private::stored")]
    pub email: Pii<String>,
    /// Since when.
    pub since: Timestamp,
    /// Who restricted it: the person's id at the identity provider.
    pub by: String,
    /// That it is lifted, and how far the work that waited was looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifting: Option<Lifting>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lifting {
    /// Where to go on.
    after: Option<Cursor>,
}

impl Record for Restriction {
    const KIND: RecordKind = RecordKind::Restriction;

    fn key(&self, scope: &Scope) -> Key {
        at(scope, self.id)
    }
}

impl Restriction {
    /// Whether it is lifted, and the work that waited is still being looked through.
    pub fn is_lifting(&self) -> bool {
        self.lifting.is_some()
    }
}

/// Where the restriction of whoever has this address stands, however it is written.
pub(super) fn key_of(scope: &Scope, email: &Pii<String>) -> Key {
    at(scope, id_of(scope, email))
}

fn id_of(scope: &Scope, email: &Pii<String>) -> RestrictionId {
    let normal = email::normal(email.reveal());
    RestrictionId::derived(&["restriction", &scope.owner().to_string(), normal.reveal()])
}

fn at(scope: &Scope, id: RestrictionId) -> Key {
    scope.key(RESTRICTIONS, id.to_string())
}

/// Whether what stands at such a key restricts.
pub(super) fn holds(found: Option<&Item>) -> Result<bool, StoreError> {
    let read = found.map(records::read::<Restriction>).transpose()?;
    Ok(read.is_some_and(|stored| !stored.record.is_lifting()))
}

/// A tenant's restrictions, for [`records::list`].
pub fn restrictions(scope: &Scope) -> Query {
    Query::base(scope.partition(RESTRICTIONS))
}

/// The check that whatever was found at such a key still stands there.
pub(super) fn unchanged(key: Key, found: Option<&Item>) -> Op {
    let when = found.map_or(Condition::Absent, |row| Condition::Version(row.version));
    Op::Check { key, when }
}

/// That the data of whoever has this address may be worked on: the check for the commit of what comes of it, that they
/// were not restricted meanwhile. `None` where it may only be kept.
///
/// # Errors
/// The store does not answer.
pub async fn unrestricted(
    table: &dyn Table,
    scope: &Scope,
    email: &Pii<String>,
) -> Result<Option<Op>, Failure> {
    let key = key_of(scope, email);
    let found = table.get(&key).await?;
    Ok((!holds(found.as_ref())?).then(|| unchanged(key, found.as_ref())))
}

/// Whether the data of whoever has this address may only be kept.
///
/// # Errors
/// The store does not answer.
pub async fn restricted(
    table: &dyn Table,
    scope: &Scope,
    email: &Pii<String>,
) -> Result<bool, Failure> {
    Ok(holds(table.get(&key_of(scope, email)).await?.as_ref())?)
}

/// The same of several, in order.
///
/// # Errors
/// The store does not answer.
pub async fn restricted_among<'e>(
    table: &dyn Table,
    scope: &Scope,
    emails: impl IntoIterator<Item = &'e Pii<String>>,
) -> Result<Vec<bool>, Failure> {
    let keys: Vec<Key> = emails.into_iter().map(|email| key_of(scope, email)).collect();
    let found = table.get_many(&keys).await?;
    Ok(found.iter().map(|row| holds(row.as_ref())).collect::<Result<_, _>>()?)
}

/// Restricts the processing of a person's data. Doing it twice is once, and keeps the first moment.
///
/// # Errors
/// It is no address; others keep writing.
pub async fn restrict(desk: &Desk<'_>, address: &str) -> Result<Restriction, Failure> {
    let Desk { table, scope, .. } = *desk;
    let problem = "write an address such as ada@example.com";
    let email = Email::parse(address).ok_or_else(|| Failure::field("email", problem))?;
    let id = id_of(scope, email.written());
    let fresh = || Restriction {
        id,
        email: email.written().clone(),
        since: desk.now(),
        by: desk.by.to_owned(),
        lifting: None,
    };
    for _ in 0..TRIES {
        let op = match records::load::<Restriction>(table, &at(scope, id), desk.now()).await? {
            Some(stored) if !stored.record.is_lifting() => return Ok(stored.record),
            Some(mut lifted) => {
                lifted.record = fresh();
                lifted.update(scope)
            }
            None => records::create(scope, &fresh()),
        };
        if desk.commit(vec![op]).await? {
            return Ok(fresh());
        }
    }
    Err(Desk::crowded())
}

/// What a lifting came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifted {
    /// How many texts that waited were passed on.
    pub passed_on: usize,
    /// Whether all were looked through. Where not, lift it again: it goes on where it ended.
    pub done: bool,
}

/// Lifts a restriction, and passes on what waited. Its first commit ends the restriction; what follows is found again by
/// whoever lifts it again, so that a crash loses nothing.
///
/// # Errors
/// There is no such restriction; the store does not answer.
pub async fn lift(desk: &Desk<'_>, sender: &Sender, id: RestrictionId) -> Result<Lifted, Failure> {
    let Desk { table, scope, .. } = *desk;
    let key = at(scope, id);
    let (mut seen, mut passed_on) = (false, 0);
    for _ in 0..PAGES {
        let stored = records::load::<Restriction>(table, &key, desk.now()).await?;
        let Some(mut stored) = stored else {
            // It was finished: by somebody else, or here, and the answer was lost.
            return match seen {
                true => Ok(Lifted { passed_on, done: true }),
                false => Err(Failure::not_found("restriction")),
            };
        };
        seen = true;
        let normal = email::normal(stored.record.email.reveal());
        let Some(Lifting { after }) = stored.record.lifting.clone() else {
            stored.record.lifting = Some(Lifting::default());
            desk.commit(vec![stored.update(scope)]).await?;
            continue;
        };
        let all = Query::base(scope.partition(INQUIRIES));
        let page = Page::after(PAGE, after);
        let found = records::list::<Inquiry>(table, &all, &page, desk.now()).await?;
        let waiting = found.records.iter().map(|stored| &stored.record).filter(|inquiry| {
            inquiry.sentiment.is_none() && email::normal(inquiry.email.reveal()) == normal
        });
        let messages = waiting.map(|inquiry| {
            let message = ToJudge::Inquiry(inquiry.id);
            Outgoing::new(scope, Hop::Sentiment.name(), &message, desk.trace, desk.ambient)
        });
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        for some in messages.chunks(AT_ONCE) {
            // Only while it is being lifted: whoever restricted it anew stops this.
            let still = Op::Check { key: key.clone(), when: Condition::Version(stored.version) };
            let ops = some.iter().map(|message| message.op(scope)).chain([still]).collect();
            if !desk.commit(ops).await? {
                return Ok(Lifted { passed_on, done: false });
            }
            desk.pass_on(some, sender).await;
            passed_on += some.len();
        }
        let over = found.next.is_none();
        let op = if over {
            stored.delete(scope)
        } else {
            stored.record.lifting = Some(Lifting { after: found.next });
            stored.update(scope)
        };
        if desk.commit(vec![op]).await? && over {
            return Ok(Lifted { passed_on, done: true });
        }
    }
    Ok(Lifted { passed_on, done: false })
}
