//! The stack as a whole, before a transport that follows a script, on paused time.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use http::{Method, StatusCode};
use nexus_contract::memory::{MemoryTable, MemoryVault};
use nexus_contract::{Fault, Faults, Flaky, START};
use nexus_core::egress::{Line, Month, ledger, spending};
use nexus_core::vault::{Forgotten, Generation, Remains};
use nexus_core::{Caller, Claims, Scope, SecretName};
use nexus_kernel::ambient::ManualClock;
use nexus_kernel::id::TenantId;
use nexus_kernel::{FailureKind, Secret, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::breaker::{CLOSED_FOR, OUTAGES};
use crate::request::{Body, Piece, To};
use crate::retry::MAX_TRIES;
use crate::vendor::Auth;

static ACME: Vendor = Vendor {
    name: "acme",
    base: "https://api.acme.example",
    base_setting: "ACME_BASE",
    hosts: &["files.acme.example"],
    auth: Auth::Header { name: "x-acme-key", prefix: "Key " },
    per_second: 1_000,
    at_once: 8,
};

const fn operation(name: &'static str, repeat: Repeat) -> Operation {
    Operation {
        name,
        repeat,
        sends: &[":id", "?page", "text", "header:x-title"],
        try_within: Duration::from_secs(10),
        within: Duration::from_secs(60),
        max_answer: 1_000,
    }
}

static READ: Operation = operation("read", Repeat::Safe);
static ORDER: Operation = operation("order", Repeat::Keyed("idempotency-key"));
static BUY: Operation = operation("buy", Repeat::Never);

/// What the transport does with a try.
#[derive(Debug, Clone)]
enum Does {
    /// Answers with this status and body.
    Answers(u16, &'static str),
    /// As well, with a `Retry-After`.
    Asks(u16, &'static str, &'static str),
    NotSent,
    Lost,
    Forbids,
    /// Never comes back, whatever time it was given.
    Hangs,
    /// Takes so many milliseconds before it does it.
    Takes(u64, Box<Does>),
}

/// A transport that does what the script says, and after that answers well.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Does>>,
    seen: Mutex<Vec<Seen>>,
}

struct Seen {
    request: WireRequest,
    at: Instant,
    within: Duration,
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: WireRequest, within: Duration) -> Result<Answer, TransportError> {
        self.seen.lock().unwrap().push(Seen { request, at: Instant::now(), within });
        let mut next = self.script.lock().unwrap().pop_front();
        while let Some(Does::Takes(millis, then)) = next {
            retry::wait(Duration::from_millis(millis)).await;
            next = Some(*then);
        }
        let answer = |status, body: &'static str, after: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert("retry-after", HeaderValue::from_static(after));
            }
            let status = StatusCode::from_u16(status).unwrap();
            Ok(Answer { status, headers, body: Bytes::from_static(body.as_bytes()) })
        };
        match next.unwrap_or(Does::Answers(200, "ok")) {
            Does::Answers(status, body) => answer(status, body, None),
            Does::Asks(status, body, after) => answer(status, body, Some(after)),
            Does::NotSent => Err(TransportError::NotSent("no such host".into())),
            Does::Lost => Err(TransportError::Lost("connection reset".into())),
            Does::Forbids => Err(TransportError::Forbidden("10.0.0.1".into())),
            Does::Hangs => std::future::pending().await,
            Does::Takes(..) => unreachable!("unwrapped above"),
        }
    }
}

/// A reader as a vendor has one: each body is a word for how it ends.
fn reader(answer: &Answer) -> Result<Reading<String>, Billed> {
    let usage = Usage { tokens_in: 3, tokens_out: 5, units: 7, cost: Cost::micros(40) };
    let why = "acme said so".to_owned();
    match std::str::from_utf8(&answer.body).unwrap() {
        "ok" => Ok(Reading { value: "ok".to_owned(), usage }),
        "refused" => Err(CallError::Refused { code: "no".into(), why }.into()),
        "cut off" => Err(CallError::Refused { code: "length".into(), why }.billed(usage)),
        "busy" => Err(CallError::Throttled { after: None, why }.into()),
        "login" => Err(CallError::Login { why }.into()),
        "bug" => Err(CallError::Bug("a reader's own".into()).into()),
        _ => Err(CallError::Unknown { why }.into()),
    }
}

const KEY: &str = "sk-canary-1";
const ESTIMATE: Cost = Cost::micros(100);

struct Stage {
    clock: ManualClock,
    ambient: Ambient,
    table: Arc<dyn Table>,
    ledger: MemoryTable,
    vault: MemoryVault,
    transport: Arc<Scripted>,
}

impl Stage {
    async fn empty() -> Self {
        let clock = ManualClock::at(START);
        let ambient = Ambient::seeded(Arc::new(clock.clone()), 1);
        let ledger = MemoryTable::new(Arc::new(clock.clone()));
        let vault = MemoryVault::new(ambient.clone());
        let table: Arc<dyn Table> = Arc::new(ledger.clone());
        Self { clock, ambient, table, ledger, vault, transport: Arc::default() }
    }

    async fn new(script: impl IntoIterator<Item = Does>) -> Self {
        let stage = Self::empty().await;
        stage.vault.rotate(&name(), None, &Secret::new(KEY.to_owned())).await.unwrap();
        stage.transport.script.lock().unwrap().extend(script);
        stage
    }

    fn parts(&self) -> Parts {
        Parts {
            product: Product::Engine,
            ambient: self.ambient.clone(),
            table: Arc::clone(&self.table),
            vault: Arc::new(self.vault.clone()),
            transport: Arc::clone(&self.transport) as Arc<dyn Transport>,
        }
    }

    fn acme(&self) -> Outbound {
        Outbound::new(&ACME, None, self.parts()).unwrap()
    }

    async fn ask(&self, request: Request) -> Result<String, CallError> {
        self.acme().call_billed(&at(30), request, ESTIMATE, reader).await
    }

    fn sent(&self) -> usize {
        self.transport.seen.lock().unwrap().len()
    }

    async fn lines(&self) -> Vec<Line> {
        ledger(&self.ledger, &scope("a"), Month::of(START), self.ambient.now()).await.unwrap()
    }

    async fn line(&self) -> Line {
        let mut lines = self.lines().await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.pop().unwrap()
    }

    async fn reserved(&self) -> Cost {
        let month = Month::of(START);
        let all = spending(&self.ledger, &scope("a"), month, self.ambient.now()).await.unwrap();
        all.first().map_or(Cost::ZERO, |spending| spending.reserved)
    }
}

fn name() -> SecretName {
    SecretName::of_house(Product::Engine, "acme").unwrap()
}

fn scope_in(product: Product, tenant: &str) -> Scope {
    let group = format!("{}/operator", TenantId::derived(&[tenant]));
    let claims = Claims { subject: "u".into(), groups: vec![group] };
    *Caller::from_claims(&claims, product, None).unwrap().scope()
}

fn scope(tenant: &str) -> Scope {
    scope_in(Product::Engine, tenant)
}

fn at(seconds: i64) -> CallContext {
    CallContext { scope: scope("a"), until: after(seconds) }
}

fn after(seconds: i64) -> Timestamp {
    START + jiff::SignedDuration::from_secs(seconds)
}

fn ask(operation: &'static Operation) -> Request {
    let mut request = Request::new(operation, Method::POST, vec![Piece::Fixed("/v1/ask")])
        .json(json!({"text": "hello"}));
    request.idempotency_key = Some("order-1".to_owned());
    request
}

fn ended(line: &Line) -> (Ended, u64) {
    let mut all: Vec<(Ended, u64)> = line.ended.iter().map(|(k, v)| (*k, *v)).collect();
    assert_eq!(all.len(), 1, "{line:?}");
    all.pop().unwrap()
}

#[tokio::test(start_paused = true)]
async fn n34_what_goes_out_stands_in_the_ledger_by_name_and_in_the_request_by_value() {
    let stage = Stage::new([]).await;
    let mut request = ask(&READ);
    request.to = To::Path(vec![Piece::Fixed("/v1/things/"), Piece::Value(":id", "a/b".into())]);
    request.query = vec![("page", "2".into())];
    request.headers =
        vec![("x-title", Cow::Owned("hers".into())), ("x-version", Cow::Borrowed("1"))];
    assert_eq!(stage.ask(request).await.unwrap(), "ok");

    let seen = stage.transport.seen.lock().unwrap().pop().unwrap();
    let wire = seen.request;
    assert_eq!(wire.url, "https://api.acme.example/v1/things/a%2Fb?page=2");
    assert_eq!(wire.method, Method::POST);
    assert_eq!(wire.hosts, ["api.acme.example", "files.acme.example"]);
    assert_eq!(wire.max_answer, 1_000);
    assert_eq!(serde_json::from_slice::<Value>(&wire.body).unwrap(), json!({"text": "hello"}));
    let mut headers: Vec<&str> = wire.headers.keys().map(HeaderName::as_str).collect();
    headers.sort_unstable();
    assert_eq!(headers, ["content-type", "x-acme-key", "x-title", "x-version"]);
    assert_eq!(wire.headers["x-acme-key"], format!("Key {KEY}").as_str());
    assert_eq!(wire.headers["content-type"], "application/json");

    let line = stage.line().await;
    assert_eq!((line.vendor.as_str(), line.operation.as_str()), ("acme", "read"));
    let fields: Vec<&str> = line.fields.keys().map(String::as_str).collect();
    assert_eq!(fields, [":id", "?page", "header:x-title", "text"]);
    assert_eq!((line.calls, line.tries, ended(&line)), (1, 1, (Ended::Done, 1)));
    assert_eq!((line.tokens_in, line.tokens_out, line.units), (3, 5, 7));
    assert_eq!(line.cost, Cost::micros(40));
    assert_eq!(stage.reserved().await, Cost::ZERO);
}

#[tokio::test(start_paused = true)]
async fn n34_a_field_beyond_the_list_is_neither_entered_nor_sent() {
    let stage = Stage::new([]).await;
    let request = ask(&READ).json(json!({"text": "hello", "customer": "canary"}));
    let error = stage.ask(request).await.unwrap_err();
    let told = error.to_string();
    assert!(matches!(error, CallError::Bug(_)), "{error:?}");
    assert!(told.contains("`customer`") && !told.contains("canary"), "{told}");
    assert_eq!((stage.sent(), stage.lines().await.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn n35_another_host_and_another_products_tenant_are_neither_entered_nor_sent() {
    let stage = Stage::new([]).await;
    let elsewhere = Request { to: To::Url("https://evil.example/".into()), ..ask(&READ) };
    assert!(matches!(stage.ask(elsewhere).await, Err(CallError::Bug(_))));
    let foreign = CallContext { scope: scope_in(Product::Sentry, "a"), until: after(30) };
    let asked = stage.acme().call_billed(&foreign, ask(&READ), ESTIMATE, reader).await;
    assert!(matches!(asked, Err(CallError::Bug(_))));
    assert_eq!((stage.sent(), stage.lines().await.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_would_set_our_headers_or_none_that_is_one_is_a_bug() {
    for (name, value) in [
        ("x-acme-key", "mine"),
        ("authorization", "mine"),
        ("host", "evil.example"),
        ("content-length", "0"),
        ("not a name", "x"),
        ("x-version", "a\r\nb: c"),
    ] {
        let stage = Stage::new([]).await;
        let request = Request { headers: vec![(name, Cow::Borrowed(value))], ..ask(&READ) };
        assert!(matches!(stage.ask(request).await, Err(CallError::Bug(_))), "{name}");
        assert_eq!((stage.sent(), stage.lines().await.len()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_keyed_operation_carries_the_same_key_on_every_try_and_does_not_go_without() {
    for missing in [None, Some(String::new()), Some("a\nb".to_owned())] {
        let stage = Stage::new([]).await;
        let request = Request { idempotency_key: missing, ..ask(&ORDER) };
        assert!(matches!(stage.ask(request).await, Err(CallError::Bug(_))));
        assert_eq!((stage.sent(), stage.lines().await.len()), (0, 0));
    }
    let stage = Stage::new([Does::Lost, Does::NotSent]).await;
    stage.ask(ask(&ORDER)).await.unwrap();
    let seen = stage.transport.seen.lock().unwrap();
    let keys: Vec<&HeaderValue> =
        seen.iter().map(|seen| &seen.request.headers["idempotency-key"]).collect();
    assert_eq!(keys, ["order-1", "order-1", "order-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_only_where_that_does_no_harm() {
    for (operation, sent) in [(&READ, 2), (&ORDER, 2), (&BUY, 1)] {
        let stage = Stage::new([Does::Lost]).await;
        let result = stage.ask(ask(operation)).await;
        assert_eq!(stage.sent(), sent, "{}", operation.name);
        let line = stage.line().await;
        match operation.repeat {
            Repeat::Never => {
                assert!(matches!(result, Err(CallError::Unknown { .. })), "{result:?}");
                assert_eq!((ended(&line), line.cost), ((Ended::Unknown, 1), ESTIMATE));
            }
            _ => assert_eq!((result.unwrap().as_str(), line.cost), ("ok", Cost::micros(40))),
        }
        assert_eq!(stage.reserved().await, Cost::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn what_did_not_happen_is_tried_again_whatever_it_is() {
    for again in [Does::NotSent, Does::Answers(429, "busy")] {
        let stage = Stage::new([again.clone(), again]).await;
        assert_eq!(stage.ask(ask(&BUY)).await.unwrap(), "ok");
        assert_eq!((stage.sent(), stage.line().await.tries), (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_not_tried_again_and_costs_nothing_unless_it_was_billed() {
    for (body, cost) in [("refused", Cost::ZERO), ("cut off", Cost::micros(40))] {
        let stage = Stage::new([Does::Answers(200, body)]).await;
        let error = stage.ask(ask(&READ)).await.unwrap_err();
        assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
        let line = stage.line().await;
        assert_eq!((stage.sent(), ended(&line), line.cost), (1, (Ended::Refused, 1), cost));
        assert_eq!(stage.reserved().await, Cost::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn after_what_may_have_happened_nothing_says_that_it_did_not() {
    for last in [Does::Answers(400, "refused"), Does::Answers(401, "login"), Does::Forbids] {
        let stage = Stage::new([Does::Lost, last.clone()]).await;
        let error = stage.ask(ask(&ORDER)).await.unwrap_err();
        assert!(matches!(error, CallError::Unknown { .. }), "{last:?}: {error:?}");
        let line = stage.line().await;
        assert_eq!((ended(&line), line.cost), ((Ended::Unknown, 1), ESTIMATE));
    }
    // What changes nothing did nothing; its cost is as unknown.
    let stage = Stage::new([Does::Lost, Does::Answers(400, "refused")]).await;
    let error = stage.ask(ask(&READ)).await.unwrap_err();
    assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
    assert_eq!(stage.line().await.cost, ESTIMATE);
}

#[tokio::test(start_paused = true)]
async fn a_readers_own_fault_is_no_word_that_nothing_happened() {
    let stage = Stage::new([Does::Answers(200, "bug")]).await;
    let error = stage.ask(ask(&BUY)).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { .. }), "{error:?}");
    assert_eq!((stage.sent(), stage.line().await.cost), (1, ESTIMATE));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_the_guard_forbids_is_ours_to_repair_and_not_tried_again() {
    let stage = Stage::new([Does::Forbids]).await;
    let error = stage.ask(ask(&READ)).await.unwrap_err();
    assert!(matches!(error, CallError::Bug(_)), "{error:?}");
    let line = stage.line().await;
    assert_eq!((stage.sent(), ended(&line), line.cost), (1, (Ended::Refused, 1), Cost::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_call_has_three_tries() {
    let stage = Stage::new(vec![Does::NotSent; 9]).await;
    let error = stage.ask(ask(&READ)).await.unwrap_err();
    assert!(matches!(error, CallError::Throttled { .. }), "{error:?}");
    let line = stage.line().await;
    assert_eq!((stage.sent(), line.tries), (3, 3));
    assert_eq!((ended(&line), line.cost), ((Ended::Throttled, 1), Cost::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_vendors_retries_run_out_before_its_calls_do() {
    let stage = Stage::new(vec![Does::Answers(429, "busy"); 400]).await;
    let acme = stage.acme();
    for _ in 0..100 {
        let asked = acme.call_billed(&at(30), ask(&READ), Cost::ZERO, reader).await;
        assert!(matches!(asked, Err(CallError::Throttled { .. })));
    }
    // Ten that were there, a fifth of a hundred, and what time brought in meanwhile.
    let retries = stage.sent() - 100;
    assert!((30..40).contains(&retries), "{retries}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_kept_or_ends_the_call() {
    for status in [429, 503] {
        let stage = Stage::new([Does::Asks(status, "busy", "7")]).await;
        let (began, result) = (Instant::now(), stage.ask(ask(&BUY)).await);
        assert_eq!((result.unwrap().as_str(), stage.sent()), ("ok", 2));
        assert!((7_000..7_600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }
    let stage = Stage::new([Does::Asks(429, "busy", "30")]).await;
    let (began, result) = (Instant::now(), stage.ask(ask(&BUY)).await);
    let Err(CallError::Throttled { after, .. }) = result else { panic!("{result:?}") };
    assert_eq!((after, began.elapsed()), (Some(Duration::from_secs(30)), Duration::ZERO));
    for absurd in ["999999999999999999999999", "Fri, 20 Nov 9999 10:00:00 GMT"] {
        let stage = Stage::new([Does::Asks(429, "busy", absurd)]).await;
        let (began, result) = (Instant::now(), stage.ask(ask(&READ)).await);
        let Err(CallError::Throttled { after, .. }) = result else { panic!("{result:?}") };
        assert_eq!(after, Some(retry::LONGEST_AFTER));
        assert_eq!((began.elapsed(), stage.sent()), (Duration::ZERO, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn without_time_nothing_is_entered_or_sent() {
    for seconds in [-5, 0] {
        let stage = Stage::new([]).await;
        let asked = stage.acme().call_billed(&at(seconds), ask(&BUY), ESTIMATE, reader).await;
        assert!(matches!(asked, Err(CallError::Throttled { .. })), "{asked:?}");
        assert_eq!((stage.sent(), stage.lines().await.len()), (0, 0));
    }
    // The deadline is the caller's, by the injected clock.
    let stage = Stage::new([]).await;
    stage.clock.move_to(after(30));
    assert!(matches!(stage.ask(ask(&BUY)).await, Err(CallError::Throttled { .. })));
    assert_eq!(stage.sent(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_hangs_is_left_when_the_try_is_over_and_the_call_at_its_deadline() {
    let stage = Stage::new([Does::Hangs]).await;
    let (began, error) = (Instant::now(), stage.ask(ask(&BUY)).await.unwrap_err());
    assert!(matches!(error, CallError::Unknown { .. }), "{error:?}");
    assert_eq!(began.elapsed(), BUY.try_within);

    let stage = Stage::new(vec![Does::Hangs; 9]).await;
    let (began, acme) = (Instant::now(), stage.acme());
    let asked = acme.call_billed(&at(14), ask(&READ), ESTIMATE, reader).await;
    assert!(matches!(asked, Err(CallError::Unknown { .. })), "{asked:?}");
    assert!(began.elapsed() <= Duration::from_secs(14), "{:?}", began.elapsed());
    let seen = stage.transport.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.within < READ.try_within));
    let last = seen[1].at - began + seen[1].within;
    assert!(last < Duration::from_secs(14), "it may say itself that its time is over");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_is_down_is_left_alone_and_asked_by_one_later() {
    let script = vec![Does::Answers(503, "refused"); OUTAGES as usize];
    let stage = Stage::new(script).await;
    let acme = stage.acme();
    let call = async || acme.call_billed(&at(30), ask(&BUY), Cost::ZERO, reader).await;
    for _ in 0..OUTAGES {
        assert!(matches!(call().await, Err(CallError::Refused { .. })));
    }
    let (began, asked) = (Instant::now(), call().await);
    let Err(CallError::Throttled { after, .. }) = asked else { panic!("{asked:?}") };
    assert_eq!((after, began.elapsed()), (Some(CLOSED_FOR), Duration::ZERO));
    assert_eq!(stage.sent(), OUTAGES as usize);
    tokio::time::advance(CLOSED_FOR).await;
    assert!(call().await.is_ok());
    assert!(call().await.is_ok());
    let line = stage.line().await;
    assert_eq!(line.ended[&Ended::Throttled], 1);
    assert_eq!(line.calls, line.ended.values().sum::<u64>());
}

#[tokio::test(start_paused = true)]
async fn refusals_and_rate_limits_are_no_outage() {
    let stage = Stage::new(vec![Does::Answers(429, "refused"); 20]).await;
    let acme = stage.acme();
    for _ in 0..20 {
        let asked = acme.call_billed(&at(30), ask(&BUY), Cost::ZERO, reader).await;
        assert!(matches!(asked, Err(CallError::Refused { .. })), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tries_leave_at_the_vendors_pace_within_the_deadline() {
    static SLOW: Vendor = Vendor { per_second: 1, ..ACME_COPY };
    const ACME_COPY: Vendor = Vendor {
        name: "acme",
        base: "https://api.acme.example",
        base_setting: "ACME_BASE",
        hosts: &[],
        auth: Auth::None,
        per_second: 1,
        at_once: 8,
    };
    let stage = Stage::new([]).await;
    let slow = Outbound::new(&SLOW, None, stage.parts()).unwrap();
    let began = Instant::now();
    for nth in 0..3 {
        slow.call_billed(&at(30), ask(&READ), Cost::ZERO, reader).await.unwrap();
        assert_eq!(began.elapsed().as_millis() / 100, nth * 10);
    }
    let asked = slow.call_billed(&at(1), ask(&READ), Cost::ZERO, reader).await;
    assert!(matches!(asked, Err(CallError::Throttled { after: Some(_), .. })), "{asked:?}");
    assert_eq!(stage.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn tenants_together_ask_no_more_at_once_than_the_houses_key_may() {
    let tenants = ACME.at_once + 1;
    let slow = Does::Takes(1_000, Box::new(Does::Answers(200, "ok")));
    let stage = Stage::new(vec![slow; tenants]).await;
    let (acme, began) = (stage.acme(), Instant::now());
    let calls = (0..tenants).map(|tenant| {
        let (acme, scope) = (acme.clone(), scope(&tenant.to_string()));
        let at = CallContext { scope, until: after(30) };
        async move { acme.call_billed(&at, ask(&READ), ESTIMATE, reader).await }
    });
    for asked in join_all(calls).await {
        assert_eq!(asked.unwrap(), "ok");
    }
    let seen = stage.transport.seen.lock().unwrap();
    let at_once = seen.iter().filter(|seen| seen.at - began < Duration::from_secs(1)).count();
    assert_eq!((seen.len(), at_once), (tenants, ACME.at_once));
}

#[tokio::test(start_paused = true)]
async fn the_tenants_cap_holds_a_call_before_anything_is_sent() {
    let stage = Stage::new([]).await;
    let much = Cost::micros(egress::DEFAULT_CAP.as_micros() + 1);
    let asked = stage.acme().call_billed(&at(30), ask(&BUY), much, reader).await;
    let Err(CallError::Held(failure)) = asked else { panic!("{asked:?}") };
    assert_eq!((failure.kind(), stage.sent()), (FailureKind::Denied, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_lost_because_the_ledger_is() {
    // How often entering asks the store, told by a call that goes no further.
    let mut stage = Stage::new([Does::Hangs]).await;
    let entering = Faults::none();
    stage.table = Arc::new(Flaky::new(Arc::clone(&stage.table), entering.clone()));
    drop(timeout(Duration::from_secs(1), stage.ask(ask(&READ))).await);
    assert_eq!((stage.sent(), stage.reserved().await), (1, ESTIMATE));

    let mut stage = Stage::new([]).await;
    let faults = Faults::crash(entering.calls(), Fault::Before);
    stage.table = Arc::new(Flaky::new(Arc::clone(&stage.table), faults.clone()));
    assert_eq!(stage.ask(ask(&READ)).await.unwrap(), "ok");
    assert!(faults.calls() > entering.calls(), "settling was tried");
    let line = stage.line().await;
    assert!(line.ended.is_empty(), "{line:?}");
    assert_eq!(stage.reserved().await, ESTIMATE);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_any_more_keeps_its_estimate_reserved() {
    let stage = Stage::new([Does::Hangs]).await;
    let given_up = timeout(Duration::from_secs(2), stage.ask(ask(&BUY))).await;
    assert!(given_up.is_err());
    assert_eq!((stage.sent(), stage.reserved().await), (1, ESTIMATE));
}

#[tokio::test(start_paused = true)]
async fn without_a_key_the_operator_reads_how_to_give_one() {
    let stage = Stage::empty().await;
    assert!(!stage.acme().has_key().await.unwrap());
    let error = stage.ask(ask(&READ)).await.unwrap_err();
    let CallError::Login { why } = &error else { panic!("{error:?}") };
    assert!(why.contains("nexus secret set acme"), "{why}");
    let line = stage.line().await;
    assert_eq!((stage.sent(), ended(&line), line.tries), (0, (Ended::Login, 1), 0));

    stage.vault.rotate(&name(), None, &Secret::new(KEY.to_owned())).await.unwrap();
    assert!(stage.acme().has_key().await.unwrap());
    assert!(stage.ask(ask(&READ)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn n44_a_download_from_another_host_goes_without_the_key() {
    let stage = Stage::new([]).await;
    for (url, with_key) in
        [("https://files.acme.example/x?sig=1", false), ("https://api.acme.example/x", true)]
    {
        let fetch = Request { to: To::Url(url.into()), body: Body::Empty, ..ask(&READ) };
        stage.ask(fetch).await.unwrap();
        let wire = stage.transport.seen.lock().unwrap().pop().unwrap().request;
        assert_eq!((wire.url.as_str(), wire.headers.contains_key("x-acme-key")), (url, with_key));
    }
}

/// A vault whose cache is older than what was rotated since.
struct Behind {
    old: Held,
    vault: MemoryVault,
}

#[async_trait]
impl Vault for Behind {
    async fn read(&self, name: &SecretName, how: Freshness) -> Result<Option<Held>, VaultError> {
        match how {
            Freshness::Cached => Ok(Some(self.old.clone())),
            Freshness::Fresh => self.vault.read(name, how).await,
        }
    }

    async fn rotate(
        &self,
        _: &SecretName,
        _: Option<Generation>,
        _: &Secret<String>,
    ) -> Result<Generation, VaultError> {
        Err(VaultError::Overtaken)
    }

    async fn forget(&self, _: &SecretName) -> Result<Forgotten, VaultError> {
        Ok(Forgotten { found: false, remains: Remains::Nothing })
    }

    async fn remove_strays(&self, _: Product) -> Result<u64, VaultError> {
        Ok(0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_read_anew_and_tried_once_more_if_it_is_another() {
    let refused = Does::Answers(401, "login");
    for (rotated, script, sent, well) in [
        (true, vec![refused.clone()], 2, true),
        (true, vec![refused.clone(); 3], 2, false),
        (false, vec![refused.clone()], 1, false),
    ] {
        let stage = Stage::new(script).await;
        let old = stage.vault.read(&name(), Freshness::Fresh).await.unwrap().unwrap();
        if rotated {
            let follows = Some(old.generation);
            stage.vault.rotate(&name(), follows, &Secret::new("sk-2".to_owned())).await.unwrap();
        }
        let vault = Arc::new(Behind { old, vault: stage.vault.clone() });
        let acme = Outbound::new(&ACME, None, Parts { vault, ..stage.parts() }).unwrap();
        // Even what must never be repeated: a refused key says that nothing happened.
        let result = acme.call_billed(&at(30), ask(&BUY), ESTIMATE, reader).await;
        assert_eq!((stage.sent(), result.is_ok()), (sent, well), "{result:?}");
        let seen = stage.transport.seen.lock().unwrap();
        let keys: Vec<&str> =
            seen.iter().map(|s| s.request.headers["x-acme-key"].to_str().unwrap()).collect();
        let both = [format!("Key {KEY}"), "Key sk-2".to_owned()];
        assert_eq!(keys, both[..sent]);
        if !well {
            assert!(matches!(result, Err(CallError::Login { .. })), "{result:?}");
        }
    }
}

/// Everything that was logged, at every level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // With one subscriber alone, `tracing` asks whichever thread reaches a span first whether anybody listens,
        // and remembers its answer for all threads. With two it asks both.
        static SECOND: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));
        LazyLock::force(&SECOND);
        let (logged, spans) = (self.clone(), tracing_subscriber::fmt::format::FmtSpan::FULL);
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(spans)
            .with_writer(move || logged.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The events that tell of a call.
    fn calls(&self) -> Vec<serde_json::Map<String, Value>> {
        let lines: Vec<Value> =
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_a_call = lines
            .into_iter()
            .filter(|line| line["fields"]["message"] == "a call to a vendor ended")
            .map(|line| line["fields"].as_object().unwrap().clone());
        of_a_call.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn n44_the_key_stands_in_no_log_no_error_and_no_debug() {
    let logged = Logged::default();
    let _listening = logged.listen();
    let mut told = String::new();
    let scripts = [
        vec![],
        vec![Does::Answers(401, "login")],
        vec![Does::NotSent; 3],
        vec![Does::Hangs, Does::Lost, Does::Answers(500, "what")],
        vec![Does::Forbids],
        vec![Does::Answers(200, "bug"), Does::Answers(200, "refused")],
    ];
    for script in scripts {
        let stage = Stage::new(script).await;
        let acme = stage.acme();
        let result = acme.call_billed(&at(30), ask(&READ), ESTIMATE, reader).await;
        told.push_str(&format!("{acme:?} {result:?} {:#?}", acme.has_key().await));
        for seen in stage.transport.seen.lock().unwrap().iter() {
            assert!(seen.request.headers["x-acme-key"].to_str().unwrap().contains(KEY));
            told.push_str(&format!("{:?} {:?}", seen.request, seen.request.headers));
        }
        if let Err(error) = result {
            let failure = Failure::from(error);
            told.push_str(&format!("{failure} {failure:?} {:?}", failure.public()));
        }
    }
    let everything = format!("{told}{}", logged.text());
    assert!(everything.contains("acme") && logged.calls().len() == 6, "{everything}");
    assert!(!everything.contains("canary"), "{everything}");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_one_event_with_names_and_numbers_alone() {
    let logged = Logged::default();
    let _listening = logged.listen();
    let stage = Stage::new([
        Does::Answers(429, "busy"),
        Does::Takes(1_500, Box::new(Does::Answers(200, "ok"))),
    ])
    .await;
    let mut request = ask(&READ).json(json!({"text": "planted"}));
    request.query = vec![("page", "planted".into())];
    request.headers = vec![("x-title", Cow::Owned("planted".into()))];
    stage.ask(request).await.unwrap();

    let calls = logged.calls();
    let [event] = calls.as_slice() else { panic!("{calls:?}") };
    let fields: Vec<&str> = event.keys().map(String::as_str).collect();
    let mut wanted = vec![
        "bytes",
        "message",
        "milliseconds",
        "operation",
        "outcome",
        "status",
        "tenant",
        "tries",
        "vendor",
    ];
    wanted.sort_unstable();
    let mut fields = fields;
    fields.sort_unstable();
    assert_eq!(fields, wanted);
    assert_eq!((&event["vendor"], &event["operation"]), (&json!("acme"), &json!("read")));
    assert_eq!((&event["tries"], &event["outcome"]), (&json!(2), &json!("done")));
    assert_eq!((&event["status"], &event["bytes"]), (&json!(200), &json!(6)));
    assert_eq!(event["tenant"], json!(scope("a").owner().to_string()));
    assert!((1_500..2_100).contains(&event["milliseconds"].as_u64().unwrap()), "{event:?}");
    assert!(!logged.text().contains("planted"), "{}", logged.text());
    assert_eq!(logged.text().matches(r#""message":"new""#).count(), 2, "a span for each try");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_told_of_too() {
    let logged = Logged::default();
    let _listening = logged.listen();
    let stage = Stage::new([Does::Hangs]).await;
    drop(timeout(Duration::from_secs(1), stage.ask(ask(&BUY))).await);
    let calls = logged.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!((&calls[0]["outcome"], &calls[0]["tries"]), (&json!("dropped"), &json!(1)));
}

#[tokio::test]
async fn a_wrong_base_is_told_by_its_setting_and_not_by_its_value() {
    let stage = Stage::empty().await;
    for wrong in ["sk-canary", "https://canary@api.example.com", "https://x.example?key=canary"] {
        let error = Outbound::new(&ACME, Some(wrong.to_owned()), stage.parts()).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.starts_with("ACME_BASE: ") && !told.contains("canary"), "{told}");
    }
    let local = Some("http://127.0.0.1:4010/acme/".to_owned());
    let acme = Outbound::new(&ACME, local, stage.parts()).unwrap();
    assert_eq!(format!("{acme:?}"), "Outbound(acme at 127.0.0.1)");
}

#[tokio::test]
async fn a_vendor_that_is_described_wrongly_is_told_at_the_start() {
    static NO_PACE: Vendor = Vendor { per_second: 0, ..GOOD };
    static NO_PLACE: Vendor = Vendor { at_once: 0, ..GOOD };
    static NO_NAME: Vendor = Vendor { name: "Acme Inc.", ..GOOD };
    static NO_HEADER: Vendor = Vendor { auth: Auth::Header { name: "a b", prefix: "" }, ..GOOD };
    const GOOD: Vendor = Vendor {
        name: "acme",
        base: "https://api.acme.example",
        base_setting: "ACME_BASE",
        hosts: &[],
        auth: Auth::Header { name: "x-key", prefix: "" },
        per_second: 1,
        at_once: 1,
    };
    let stage = Stage::empty().await;
    for vendor in [&NO_PACE, &NO_PLACE, &NO_NAME, &NO_HEADER] {
        let made = Outbound::new(vendor, None, stage.parts());
        assert!(matches!(made, Err(SetupError::Vendor { .. })), "{vendor:?}");
    }
}

fn any_does() -> impl Strategy<Value = Does> {
    let one = prop_oneof![
        3 => Just(Does::Answers(200, "ok")),
        2 => Just(Does::Answers(429, "busy")),
        1 => Just(Does::Answers(400, "refused")),
        1 => Just(Does::Answers(200, "cut off")),
        1 => Just(Does::Answers(401, "login")),
        2 => Just(Does::Answers(500, "what")),
        1 => Just(Does::Answers(200, "bug")),
        1 => Just(Does::Asks(429, "busy", "3")),
        1 => Just(Does::Asks(503, "busy", "86400")),
        2 => Just(Does::NotSent),
        3 => Just(Does::Lost),
        1 => Just(Does::Forbids),
        1 => Just(Does::Hangs),
    ];
    (prop_oneof![Just(0), 1..15_000_u64], one)
        .prop_map(|(millis, then)| Does::Takes(millis, Box::new(then)))
}

/// Whether the vendor may have carried out what ended so.
fn may_have_happened(does: &Does) -> bool {
    match does {
        Does::Takes(millis, then) => *millis > 10_000 || may_have_happened(then),
        Does::Lost | Does::Hangs | Does::Answers(_, "ok" | "what" | "bug") => true,
        Does::NotSent | Does::Forbids | Does::Answers(..) | Does::Asks(..) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a vendor does, in a row of calls: no call is longer than its time or has more tries than it may;
    /// what must not happen twice is not sent after it may have happened, and then never told as not done; what was
    /// entered is settled, and nothing stays reserved.
    #[test]
    fn whatever_a_vendor_does_the_rules_hold(
        calls in prop::collection::vec((0..3_usize, 0..40_i64), 1..6),
        script in prop::collection::vec(any_does(), 0..16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let stage = Stage::new(script.clone()).await;
            let acme = stage.acme();
            let mut entered = 0;
            for (which, seconds) in calls {
                let operation = [&READ, &ORDER, &BUY][which];
                let (before, began) = (stage.sent(), Instant::now());
                let result = acme.call_billed(&at(seconds), ask(operation), ESTIMATE, reader).await;
                entered += u64::from(seconds > 0);
                let (took, tried) = (began.elapsed(), stage.sent() - before);
                prop_assert!(took <= Duration::from_secs(seconds as u64), "{took:?} of {seconds} s");
                prop_assert!(tried <= MAX_TRIES as usize);

                let did: Vec<Does> = (before..stage.sent())
                    .map(|nth| script.get(nth).cloned().unwrap_or(Does::Answers(200, "ok")))
                    .collect();
                let unsure = did.iter().position(may_have_happened);
                if operation.repeat == Repeat::Never
                    && let Some(nth) = unsure
                {
                    prop_assert_eq!(nth + 1, did.len(), "sent again: {:?}", did);
                }
                // Cut off by the deadline, a try may have happened whatever it would have come to; so the other
                // direction is told by the answers alone.
                let certain = matches!(
                    &result,
                    Err(CallError::Refused { .. } | CallError::Throttled { .. } | CallError::Login { .. } | CallError::Bug(_))
                );
                if operation.repeat != Repeat::Safe && unsure.is_some() {
                    prop_assert!(!certain, "{did:?} was told as {result:?}");
                }
            }
            let lines = stage.lines().await;
            let counted: u64 = lines.iter().map(|line| line.calls).sum();
            let settled: u64 = lines.iter().flat_map(|line| line.ended.values()).sum();
            let tries: u64 = lines.iter().map(|line| line.tries).sum();
            prop_assert_eq!(counted, entered);
            prop_assert_eq!(settled, counted);
            prop_assert_eq!(tries, stage.sent() as u64);
            prop_assert_eq!(stage.reserved().await, Cost::ZERO);
            Ok(())
        })?;
    }
}
