//! A click as a row: nothing that follows from its key stands in it again, and its agent stands in a row of its own.
//!
//! The sort key is the time of day in milliseconds and the id, in the digits of base32hex, whose order is that of the
//! bits: so the clicks of an hour can be asked for, and neither stands in the body.

use std::borrow::Cow;

use data_encoding::{BASE32_DNSSEC, BASE64URL_NOPAD};
use nexus_core::effect::EffectId;
use nexus_core::table::{Condition, Item, Op, StoreError};
use nexus_core::{Key, RecordKind, Scope};
use nexus_kernel::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::agents::{AgentId, Agents};
use super::keys::{self, Day, SHARDS, begin, millis_of_day};
use crate::clicks::{Agent, BotReason, Click, ClickId, Place, Referrer, Spot, Visitor};
use crate::days::day_of;

/// The body: letters for names, since there are as many of these rows as clicks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    /// The visitor.
    v: Cow<'a, str>,
    /// The agent's short digest; absent where nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
    /// The post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    /// Country, region, city, and the tenths of a degree; absent where unlocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<PlaceBody<'a>>,
    /// The referrer's host and path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// Why it is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<BotReason>,
    /// Only the head was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    h: u8,
    /// It did not say what it can read.
    #[serde(default, skip_serializing_if = "is_zero")]
    n: u8,
}

type PlaceBody<'a> =
    (Option<Cow<'a, str>>, Option<Cow<'a, str>>, Option<Cow<'a, str>>, Option<[i16; 2]>);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(flag: &u8) -> bool {
    *flag == 0
}

/// The sort key of a click.
pub(super) fn sort_key(click: &Click) -> String {
    sort_of(millis_of_day(click.at), click.id.bits())
}

/// The first sort key that a click of this millisecond of the day could have.
pub(super) fn first_sort(millis: i64) -> String {
    sort_of(millis, 0)
}

fn sort_of(millis: i64, id: u128) -> String {
    let mut bytes = [0; 20];
    let (time, rest) = bytes.split_at_mut(4);
    time.copy_from_slice(&u32::try_from(millis).unwrap_or(u32::MAX).to_be_bytes());
    rest.copy_from_slice(&id.to_be_bytes());
    BASE32_DNSSEC.encode(&bytes)
}

fn read_sort(raw: &str) -> Option<(i64, ClickId)> {
    let bytes: [u8; 20] = BASE32_DNSSEC.decode(raw.as_bytes()).ok()?.try_into().ok()?;
    let (time, id) = bytes.split_first_chunk::<4>()?;
    let id = u128::from_be_bytes(*id.first_chunk()?);
    Some((i64::from(u32::from_be_bytes(*time)), ClickId::from_bits(id)))
}

/// In which shard of its day a click stands: by the last bits of its id, which are drawn by chance.
pub(super) fn shard_of(id: ClickId) -> u8 {
    (id.bits() % u128::from(SHARDS)) as u8
}

/// A post's id in the 22 characters in which it stands in rows and tallies.
pub(super) fn post_code(post: EffectId) -> String {
    BASE64URL_NOPAD.encode(&post.bits().to_be_bytes())
}

/// Reads [`post_code`].
pub(super) fn read_post(raw: &str) -> Option<EffectId> {
    let bytes: [u8; 16] = BASE64URL_NOPAD.decode(raw.as_bytes()).ok()?.try_into().ok()?;
    Some(EffectId::from_bits(u128::from_be_bytes(bytes)))
}

/// Where a click stands.
pub(super) fn key(scope: &Scope, click: &Click) -> Key {
    key_at(scope, &click.link, day_of(click.at), click.id, sort_key(click))
}

fn key_at(scope: &Scope, link: &str, day: Day, id: ClickId, sort: String) -> Key {
    let partition = format!("clk#{link}#{}#{}", keys::date(day), shard_of(id));
    scope.key(&partition, sort)
}

/// The key of a click of a link's day whose sort key is known.
pub(super) fn key_by_sort(scope: &Scope, link: &str, day: Day, sort: &str) -> Option<Key> {
    let (_, id) = read_sort(sort)?;
    Some(key_at(scope, link, day, id, sort.to_owned()))
}

/// The operation that writes a click where it does not stand yet.
pub(super) fn create(scope: &Scope, click: &Click, agent: Option<AgentId>) -> Op {
    let item = item(key(scope, click), click, agent, 1);
    Op::Put { item, when: Condition::Absent }
}

fn item(key: Key, click: &Click, agent: Option<AgentId>, version: u64) -> Item {
    let body = Body {
        v: BASE64URL_NOPAD.encode(&click.visitor.0).into(),
        g: agent.map(|id| BASE64URL_NOPAD.encode(&id)),
        p: click.post.map(post_code),
        l: match &click.place {
            Place::Unlocated => None,
            Place::Spot(spot) => Some(place_body(spot)),
        },
        r: click.referrer.as_ref().map(|r| (r.host.as_str().into(), r.path.as_str().into())),
        b: click.bot,
        h: u8::from(click.head),
        n: u8::from(click.no_accept),
    };
    Item {
        key,
        kind: RecordKind::Click,
        version,
        expires: None,
        due: None,
        list: None,
        counter: 0,
        // Plain data: it can be written.
        body: serde_json::to_string(&body).unwrap_or_default(),
    }
}

fn place_body(spot: &Spot) -> PlaceBody<'_> {
    fn part(text: &Option<String>) -> Option<Cow<'_, str>> {
        text.as_deref().map(Cow::Borrowed)
    }
    (part(&spot.country), part(&spot.region), part(&spot.city), spot.tenths)
}

/// A click's row, of which all is read but its agent.
#[derive(Debug)]
pub(super) struct Row {
    click: Click,
    agent: Option<AgentId>,
    key: Key,
    version: u64,
}

impl Row {
    /// Reads a row.
    ///
    /// # Errors
    /// It holds something else.
    pub(super) fn read(item: Item) -> Result<Self, StoreError> {
        let corrupt = |why: &str| StoreError::Corrupt(why.to_owned().into());
        if item.kind != RecordKind::Click {
            return Err(corrupt("a row of another kind was read as a click"));
        }
        let (link, day) = place_of(item.key.pk()).ok_or_else(|| corrupt("no key of a click"))?;
        let (millis, id) =
            read_sort(item.key.sk()).ok_or_else(|| corrupt("no sort key of a click"))?;
        let at = begin(day).as_millisecond().saturating_add(millis);
        let at = Timestamp::from_millisecond(at).map_err(|e| StoreError::Corrupt(Box::new(e)))?;
        let link = link.to_owned();
        let body: Body<'_> =
            serde_json::from_str(&item.body).map_err(|e| StoreError::Corrupt(Box::new(e)))?;
        let eight = |raw: &str| -> Option<[u8; 8]> {
            BASE64URL_NOPAD.decode(raw.as_bytes()).ok()?.try_into().ok()
        };
        let visitor = eight(&body.v).ok_or_else(|| corrupt("no visitor"))?;
        let agent = body.g.map(|raw| eight(&raw).ok_or_else(|| corrupt("no agent"))).transpose()?;
        let post =
            body.p.map(|raw| read_post(&raw).ok_or_else(|| corrupt("no post"))).transpose()?;
        let place = body.l.map_or(Place::Unlocated, |(country, region, city, tenths)| {
            let owned = |part: Option<Cow<'_, str>>| part.map(Cow::into_owned);
            Place::Spot(Spot {
                country: owned(country),
                region: owned(region),
                city: owned(city),
                tenths,
            })
        });
        let referrer = body
            .r
            .map(|(host, path)| Referrer { host: host.into_owned(), path: path.into_owned() });
        let click = Click {
            id,
            at,
            link,
            post,
            place,
            agent: Agent::default(),
            referrer,
            visitor: Visitor(visitor),
            bot: body.b,
            head: body.h != 0,
            no_accept: body.n != 0,
        };
        Ok(Self { click, agent, key: item.key, version: item.version })
    }

    /// Whose agent has to be learned before [`click`](Self::click).
    pub(super) fn agent(&self) -> Option<AgentId> {
        self.agent
    }

    /// The click without its agent.
    pub(super) fn without_agent(&self) -> &Click {
        &self.click
    }

    /// The click, exactly as it came.
    ///
    /// # Errors
    /// Its agent was not learned.
    pub(super) fn click(&self, agents: &Agents) -> Result<Click, Failure> {
        let agent = match self.agent {
            None => Agent::default(),
            Some(id) => agents
                .get(id)
                .cloned()
                .ok_or_else(|| Failure::bug("a click was read before its agent was learned"))?,
        };
        Ok(Click { agent, ..self.click.clone() })
    }

    /// The operation that writes another reason, if nobody changed the row.
    pub(super) fn judged(&self, bot: Option<BotReason>) -> Op {
        let click = Click { bot, ..self.click.clone() };
        let item = item(self.key.clone(), &click, self.agent, self.version.saturating_add(1));
        Op::Put { item, when: Condition::Version(self.version) }
    }
}

/// The link and the day in a click's partition.
fn place_of(partition: &str) -> Option<(&str, Day)> {
    let (_, rest) = partition.split_once("#clk#")?;
    let mut parts = rest.split('#');
    let (link, day) = (parts.next()?, parts.next()?);
    Some((link, keys::read_date(day)?))
}
