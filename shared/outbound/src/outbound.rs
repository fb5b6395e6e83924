//! A call to a vendor, from the question to what was read out of the answer.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use nexus_core::call::CallContext;
use nexus_core::egress::{self, Cost, Ended, EntryId, Leaving, Settled};
use nexus_core::vault::{Freshness, Held, VaultError};
use nexus_core::{Owner, Product, Table, Vault};
use nexus_kernel::{Ambient, Failure};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument;

use crate::address::{self, Address, Base};
use crate::allow;
use crate::answer::{Answer, Reading, Usage};
use crate::breaker::{Breaker, Down};
use crate::error::{Billed, CallError, Misbuilt};
use crate::rate::{Asker, TooBusy, Turns};
use crate::request::Request;
use crate::retry::{self, Budget};
use crate::signing::{self, Signing};
use crate::trace::Told;
use crate::transport::{Transport, TransportError, WireRequest};
use crate::vendor::{Auth, Operation, Repeat, Vendor};

/// The least time in which a try is begun; an operation whose tries are shorter needs only their length.
pub const LEAST_TRY: Duration = Duration::from_secs(1);
/// The part of a try's time that the transport does not get, so that it can say itself where it stood when the time
/// was over: whether anything was sent is its knowledge alone.
const LAST_WORD: Duration = Duration::from_millis(50);

/// What the way out is made of; one for all vendors of a product.
#[derive(Clone)]
pub struct Parts {
    /// Whose vendors: the product's name is a part of the names of its secrets.
    pub product: Product,
    /// Time, ids and chance.
    pub ambient: Ambient,
    /// Where the ledger stands.
    pub table: Arc<dyn Table>,
    /// Where the keys are.
    pub vault: Arc<dyn Vault>,
    /// What carries each try.
    pub transport: Arc<dyn Transport>,
}

/// Why there is no way to a vendor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The setting that gives the vendor's address is none. It is not told what it is: it may be a key in the wrong
    /// place.
    #[error("{setting}: {problem}")]
    Base {
        /// The setting's name: `GEMINI_BASE`.
        setting: &'static str,
        /// What it should be.
        problem: &'static str,
    },
    /// The vendor's description is wrong: ours to repair.
    #[error("the vendor `{vendor}` is described wrongly: {problem}")]
    Vendor {
        /// The vendor's name.
        vendor: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// The way to one vendor. Clones are the same way: what limits, budgets and the breaker count, they count together, so
/// a process makes one for each vendor.
#[derive(Clone)]
pub struct Outbound {
    way: Arc<Way>,
}

struct Way {
    vendor: &'static Vendor,
    base: Base,
    hosts: Vec<String>,
    signing: Signing,
    turns: Turns,
    breaker: Breaker,
    budget: Budget,
    parts: Parts,
}

impl Outbound {
    /// The way to this vendor; `base` is the operator's setting, where there is one.
    ///
    /// # Errors
    /// The base is no absolute http(s) address, or has a user, a query or a fragment: the error names the setting. Or
    /// the vendor's description is wrong.
    pub fn new(
        vendor: &'static Vendor,
        base: Option<String>,
        parts: Parts,
    ) -> Result<Self, SetupError> {
        let base = Self::read_base(vendor, base.as_deref().unwrap_or(vendor.base))?;
        let wrong = |problem: String| SetupError::Vendor { vendor: vendor.name, problem };
        let signing = Signing::new(parts.product, vendor).map_err(|e| wrong(e.to_string()))?;
        let per_second = NonZeroU32::new(vendor.per_second)
            .ok_or_else(|| wrong("`per_second` is 0".to_owned()))?;
        if vendor.at_once == 0 {
            return Err(wrong("`at_once` is 0".to_owned()));
        }
        let way = Way {
            vendor,
            hosts: address::hosts(&base, vendor),
            base,
            signing,
            turns: Turns::new(per_second, vendor.at_once),
            breaker: Breaker::new(),
            budget: Budget::new(),
            parts,
        };
        Ok(Self { way: Arc::new(way) })
    }

    /// Whether a setting can be this vendor's base, for a start that makes no way yet.
    ///
    /// # Errors
    /// As [`new`](Self::new): what is wrong with the base.
    pub fn check_base(vendor: &'static Vendor, base: &str) -> Result<(), SetupError> {
        Self::read_base(vendor, base).map(|_| ())
    }

    fn read_base(vendor: &'static Vendor, base: &str) -> Result<Base, SetupError> {
        let setting = vendor.base_setting;
        Base::parse(base).map_err(|problem| SetupError::Base { setting, problem })
    }

    /// The vendor.
    pub fn vendor(&self) -> &'static Vendor {
        self.way.vendor
    }

    /// Whether the vault has a key for this vendor, at most five minutes ago; so too if it needs none.
    ///
    /// # Errors
    /// The vault does not answer.
    pub async fn has_key(&self) -> Result<bool, VaultError> {
        self.way.signing.has_key(&*self.way.parts.vault).await
    }

    /// Asks, within the context's and the operation's time. `estimate` is reserved under the tenant's cap before
    /// anything is sent and settled by what `read` says was used. `read` is asked of every answer that came whole,
    /// whatever its status: what it calls [`CallError::Throttled`] is tried again where there is time, what it calls
    /// [`CallError::Unknown`] only where the operation may be repeated. Where it throttles without a time, that of the
    /// answer's `Retry-After` holds.
    ///
    /// A future that is dropped leaves its estimate reserved: nobody knows whether the vendor did it.
    ///
    /// # Errors
    /// [`CallError`]; its class says whether it may have happened.
    pub async fn call<T>(
        &self,
        at: &CallContext,
        request: Request,
        estimate: Cost,
        read: impl Fn(&Answer) -> Result<Reading<T>, CallError>,
    ) -> Result<T, CallError> {
        self.call_billed(at, request, estimate, |answer| Ok(read(answer)?)).await
    }

    /// Waits for something that the vendor is still at, where the context's time leaves room for the pause and for
    /// `then` after it; says whether it did. Where it does not, nothing is waited for: it is asked later.
    pub async fn wait(&self, at: &CallContext, pause: Duration, then: Duration) -> bool {
        let left = at.until.duration_since(self.way.parts.ambient.now());
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
        let is_time = pause.checked_add(then).is_some_and(|both| both <= left);
        if is_time {
            retry::wait(pause).await;
        }
        is_time
    }

    /// As [`call`](Self::call), for a vendor that also counts what it did not do well: `read` tells the usage of an
    /// error, and the tenant's ledger has it.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_billed<T>(
        &self,
        at: &CallContext,
        request: Request,
        estimate: Cost,
        read: impl Fn(&Answer) -> Result<Reading<T>, Billed>,
    ) -> Result<T, CallError> {
        let mut told = Told::begin(self.way.vendor, request.operation, at.scope.owner());
        let result = self.way.entered(at, request, estimate, read, &mut told).await;
        told.end(&result);
        result
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({} at {})", self.way.vendor.name, self.way.base.host())
    }
}

/// A request that may be sent, in the shape in which every try sends it.
struct Ready {
    operation: &'static Operation,
    asker: Asker,
    method: http::Method,
    address: Address,
    headers: HeaderMap,
    body: Bytes,
}

/// What the tries of a call came to so far.
#[derive(Default)]
struct Course {
    /// What was used, by all answers.
    used: Usage,
    /// Whether something may have happened of which nobody knows.
    unsure: bool,
    /// The key, once it was needed.
    key: Option<Held>,
    /// Whether the vault was asked anew after a refusal.
    key_asked_anew: bool,
}

/// How a try ended, other than well.
enum NoReading {
    /// It was not begun, and the call ends so: waiting here would hold a worker for what can be asked later.
    NotBegun(CallError),
    /// It was handed to the transport.
    Failed(Billed),
}

impl Way {
    /// Checks, enters, asks, settles.
    async fn entered<T>(
        &self,
        at: &CallContext,
        request: Request,
        estimate: Cost,
        read: impl Fn(&Answer) -> Result<Reading<T>, Billed>,
        told: &mut Told,
    ) -> Result<T, CallError> {
        let ambient = &self.parts.ambient;
        self.check_product(at)?;
        let fields = allow::fields(&request)?;
        let ready = self.ready(request, at.scope.owner())?;
        let until = self.deadline(at, ready.operation)?;

        let leaving = Leaving {
            vendor: self.vendor.name,
            operation: ready.operation.name,
            fields: &fields,
            estimate,
        };
        let (table, id) = (&*self.parts.table, EntryId::draw(&*ambient.ids));
        let entry = egress::enter_as(table, &at.scope, leaving, id, ambient.now()).await?;

        let mut course = Course::default();
        let result = self.tries(&ready, until, &read, &mut course, told).await;

        let settled = settled(&result, &course, estimate, told.tries);
        if let Err(error) = egress::settle(table, &at.scope, entry, settled, ambient.now()).await {
            // What was answered stands; the estimate stays reserved until the month is over.
            tracing::error!(
                vendor = self.vendor.name,
                operation = ready.operation.name,
                tenant = %at.scope.owner(),
                error = %error,
                "a call to a vendor was not settled in the ledger"
            );
        }
        result
    }

    fn check_product(&self, at: &CallContext) -> Result<(), Misbuilt> {
        let (ours, theirs) = (self.parts.product, at.scope.product());
        if ours == theirs {
            return Ok(());
        }
        Err(Misbuilt::Product { ours: ours.name(), theirs: theirs.name() })
    }

    /// By the runtime's clock: the earlier of the caller's deadline and the operation's.
    fn deadline(&self, at: &CallContext, operation: &Operation) -> Result<Instant, CallError> {
        let left = at.until.duration_since(self.parts.ambient.now());
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO).min(operation.within);
        let now = Instant::now();
        match now.checked_add(left) {
            Some(until) if left >= least(operation) => Ok(until),
            _ => Err(self.no_time()),
        }
    }

    fn no_time(&self) -> CallError {
        let vendor = self.vendor.name;
        let why = format!("There was no time left to ask {vendor}.");
        CallError::Throttled { after: None, why }
    }

    fn ready(&self, request: Request, tenant: Owner) -> Result<Ready, CallError> {
        let address = address::of(&self.base, self.vendor, &request)?;
        let asker = Asker::of(self.vendor, request.authorization.as_ref(), tenant);
        let Request {
            operation, method, headers: extra, body, idempotency_key, authorization, ..
        } = request;
        let mut headers = HeaderMap::new();
        for (name, value) in extra {
            let wrong = || Misbuilt::Header { name };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            if is_ours(&header) || self.signing.header() == Some(&header) {
                return Err(wrong().into());
            }
            let value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
            headers.append(header, value);
        }
        if let Repeat::Keyed(name) = operation.repeat {
            let missing = || Misbuilt::NoIdempotencyKey { operation: operation.name };
            let key = idempotency_key.filter(|key| !key.is_empty()).ok_or_else(missing)?;
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| missing())?;
            headers.insert(header, HeaderValue::from_str(&key).map_err(|_| missing())?);
        }
        if let Some(authorization) = authorization {
            // To another host goes nobody's token: an answer may name any on the list.
            if self.vendor.auth != Auth::Account {
                return Err(Misbuilt::Header { name: "authorization" }.into());
            }
            if address.takes_the_key {
                headers.insert(header::AUTHORIZATION, signing::authorization(&authorization)?);
            }
        }
        let (content_type, body) = body.encoded(operation)?;
        if let Some(content_type) = content_type {
            let wrong = |_| Misbuilt::Header { name: "content-type" };
            let value = HeaderValue::from_str(&content_type).map_err(wrong)?;
            headers.insert(header::CONTENT_TYPE, value);
        }
        Ok(Ready { operation, asker, method, address, headers, body })
    }

    /// Tries until there is an answer, or no sense in trying again.
    async fn tries<T>(
        &self,
        ready: &Ready,
        until: Instant,
        read: &impl Fn(&Answer) -> Result<Reading<T>, Billed>,
        course: &mut Course,
        told: &mut Told,
    ) -> Result<T, CallError> {
        let operation = ready.operation;
        self.budget.a_call();
        loop {
            let error = match self.one_try(ready, until, read, course, told).await {
                Ok(Reading { value, usage }) => {
                    course.used = course.used.and(usage);
                    return Ok(value);
                }
                Err(NoReading::NotBegun(error)) => return Err(course.sum_up(operation, error)),
                Err(NoReading::Failed(Billed { error, usage })) => {
                    course.used = course.used.and(usage);
                    error
                }
            };
            if told.tries >= retry::MAX_TRIES {
                return Err(course.sum_up(operation, error));
            }
            if matches!(error, CallError::Login { .. }) {
                if self.has_another_key(course, until).await {
                    continue;
                }
                return Err(course.sum_up(operation, error));
            }
            if !retry::may_repeat(operation.repeat, &error) {
                return Err(course.sum_up(operation, error));
            }
            let asked_for = match &error {
                CallError::Throttled { after, .. } => *after,
                _ => None,
            };
            let pause = retry::pause(told.tries, asked_for, &*self.parts.ambient.chance);
            let left = until.saturating_duration_since(Instant::now());
            let in_time = pause.saturating_add(least(operation)) <= left;
            if !in_time || !self.budget.a_retry() {
                return Err(course.sum_up(operation, error));
            }
            retry::wait(pause).await;
        }
    }

    /// A vendor refused the key: whether the vault has another one by now. Asked once in a call.
    async fn has_another_key(&self, course: &mut Course, until: Instant) -> bool {
        let Some(refused) = course.key.as_ref().map(|key| key.generation) else { return false };
        if std::mem::replace(&mut course.key_asked_anew, true) {
            return false;
        }
        let asked = self.signing.key(&*self.parts.vault, Freshness::Fresh);
        match timeout_at(until, asked).await {
            Ok(Ok(Some(key))) if key.generation != refused => {
                course.key = Some(key);
                true
            }
            // That the vault does not answer is not what the caller has to hear: the vendor refused.
            _ => false,
        }
    }

    async fn one_try<T>(
        &self,
        ready: &Ready,
        until: Instant,
        read: &impl Fn(&Answer) -> Result<Reading<T>, Billed>,
        course: &mut Course,
        told: &mut Told,
    ) -> Result<Reading<T>, NoReading> {
        let operation = ready.operation;
        let latest = until.checked_sub(least(operation)).unwrap_or(until);
        // Who would only wait to be told that the vendor is down need not wait.
        self.breaker.look().map_err(|down| self.is_down(&down))?;
        let turn = self.turns.wait_for(ready.asker, latest).await;
        let _turn = turn.map_err(|busy| self.busy(&busy))?;
        let headers = self.signed(ready, latest, course).await.map_err(NoReading::NotBegun)?;
        let left = until.saturating_duration_since(Instant::now());
        if left < least(operation) {
            return Err(NoReading::NotBegun(self.no_time()));
        }
        let permit = self.breaker.pass().map_err(|down| self.is_down(&down))?;

        let share = operation.try_within.min(left);
        let request = WireRequest {
            method: ready.method.clone(),
            url: ready.address.url.clone(),
            headers,
            body: ready.body.clone(),
            hosts: self.hosts.clone(),
            max_answer: operation.max_answer,
        };
        let span = told.begin_try();
        let sending = self.parts.transport.send(request, share - LAST_WORD.min(share / 10));
        let sent = timeout(share, sending).instrument(span.clone()).await;
        let sent = sent.unwrap_or_else(|_| Err(TransportError::Lost("no answer in time".into())));

        let closed = match &sent {
            Ok(answer) if !answer.status.is_server_error() => {
                permit.there();
                false
            }
            Err(TransportError::Forbidden(_)) => false,
            Ok(_) | Err(TransportError::NotSent(_) | TransportError::Lost(_)) => permit.away(),
        };
        if closed {
            let vendor = self.vendor.name;
            tracing::warn!(vendor, "a vendor does not answer and is left alone for a while");
        }
        let answer =
            sent.map_err(|error| NoReading::Failed(self.no_answer(error, course).into()))?;

        told.status = Some(answer.status.as_u16());
        told.bytes = told.bytes.saturating_add(answer.body.len() as u64);
        span.record("status", answer.status.as_u16());
        read(&answer).map_err(|billed| NoReading::Failed(self.judged(billed, &answer, course)))
    }

    /// What a reader said of an answer, and what the stack knows beside it.
    fn judged(&self, billed: Billed, answer: &Answer, course: &mut Course) -> Billed {
        let Billed { error, usage } = billed;
        let error = match error {
            CallError::Throttled { after, why } => {
                let asked_for = after.or_else(|| answer.retry_after(self.parts.ambient.now()));
                let after = asked_for.map(|after| after.min(retry::LONGEST_AFTER));
                CallError::Throttled { after, why }
            }
            settled @ (CallError::Refused { .. } | CallError::Login { .. }) => settled,
            CallError::Unknown { why } => {
                course.unsure = true;
                CallError::Unknown { why }
            }
            // Both say that nothing was sent, and something was.
            ours @ (CallError::Bug(_) | CallError::Held(_)) => {
                course.unsure = true;
                CallError::Unknown { why: format!("the answer could not be read: {ours}") }
            }
        };
        Billed { error, usage }
    }

    /// The headers of a try, with the key in them where it may go.
    async fn signed(
        &self,
        ready: &Ready,
        until: Instant,
        course: &mut Course,
    ) -> Result<HeaderMap, CallError> {
        let mut headers = ready.headers.clone();
        if !self.signing.needs_key() || !ready.address.takes_the_key {
            return Ok(headers);
        }
        if course.key.is_none() {
            let asked = self.signing.key(&*self.parts.vault, Freshness::Cached);
            let found = timeout_at(until, asked).await.map_err(|_| self.no_time())?;
            course.key = found.map_err(Failure::from)?;
        }
        let key = course.key.as_ref().ok_or_else(|| self.signing.no_key())?;
        self.signing.sign(&mut headers, key)?;
        Ok(headers)
    }

    fn no_answer(&self, error: TransportError, course: &mut Course) -> CallError {
        let vendor = self.vendor.name;
        match error {
            TransportError::Forbidden(why) => Misbuilt::Forbidden(why).into(),
            TransportError::NotSent(why) => {
                tracing::debug!(vendor, cause = why, "no connection to a vendor");
                let why = format!("{vendor} cannot be reached now.");
                CallError::Throttled { after: None, why }
            }
            TransportError::Lost(_) => {
                course.unsure = true;
                CallError::Unknown { why: format!("{vendor}: {error}") }
            }
        }
    }

    fn is_down(&self, down: &Down) -> NoReading {
        let why = format!("{} does not answer at the moment.", self.vendor.name);
        NoReading::NotBegun(CallError::Throttled { after: Some(down.after), why })
    }

    fn busy(&self, busy: &TooBusy) -> NoReading {
        let why = format!("Too much is asked of {} at the moment.", self.vendor.name);
        NoReading::NotBegun(CallError::Throttled { after: busy.after, why })
    }
}

impl Course {
    /// What the last error means after what may have happened before it. Where an earlier try may have been carried
    /// out and the operation changes something, nothing that came later says that it did not happen.
    fn sum_up(&self, operation: &Operation, last: CallError) -> CallError {
        match (operation.repeat, last) {
            (_, unknown @ CallError::Unknown { .. }) => unknown,
            (Repeat::Keyed(_), last) if self.unsure => CallError::Unknown {
                why: format!("an earlier answer was lost; the last try ended so: {last}"),
            },
            (Repeat::Safe | Repeat::Never | Repeat::Keyed(_), last) => last,
        }
    }
}

/// What a try needs at least.
fn least(operation: &Operation) -> Duration {
    LEAST_TRY.min(operation.try_within)
}

/// What the ledger has of a call. Where something may have been carried out of which nobody knows the cost, that is
/// the estimate, or what is known if it is more.
fn settled<T>(
    result: &Result<T, CallError>,
    course: &Course,
    estimate: Cost,
    tries: u32,
) -> Settled {
    let ended = match result {
        Ok(_) => Ended::Done,
        Err(CallError::Refused { .. } | CallError::Bug(_)) => Ended::Refused,
        Err(CallError::Throttled { .. } | CallError::Held(_)) => Ended::Throttled,
        Err(CallError::Login { .. }) => Ended::Login,
        Err(CallError::Unknown { .. }) => Ended::Unknown,
    };
    let Usage { tokens_in, tokens_out, units, cost } = course.used;
    let cost = if result.is_err() && course.unsure { cost.max(estimate) } else { cost };
    Settled { ended, tries, tokens_in, tokens_out, units, cost }
}

/// Headers that are made here or by the transport.
fn is_ours(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::COOKIE,
        header::AUTHORIZATION,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests;
