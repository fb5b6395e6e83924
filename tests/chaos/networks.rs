//! The networks of the chaos, and the wire to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nexus_contract::Faults;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::{Approved, CallContext};
use nexus_engine::connections::Access;
use nexus_engine::publishing::{Medium, Network, PostPlan, Preflight, Publisher};
use nexus_kernel::Failure;
use nexus_outbound::transport::WireRequest;
use nexus_outbound::{Answer, Transport, TransportError};
use nexus_testkit::networks::{tiktok, x};

/// A wire that leads into the pretended networks, without a socket: the clock of a seed stands still.
pub(crate) struct Wire {
    pub(crate) x: Arc<x::X>,
    pub(crate) tiktok: Arc<tiktok::TikTok>,
    pub(crate) faults: Faults,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest, _: Duration) -> Result<Answer, TransportError> {
        let called = async {
            let mut asked = http::Request::builder().method(request.method).uri(&request.url);
            for (name, value) in &request.headers {
                asked = asked.header(name, value);
            }
            // What a connection adds by itself.
            let asked = asked.header(http::header::CONTENT_LENGTH, request.body.len());
            let asked = asked.body(request.body).map_err(|e| not_sent(&e.to_string()))?;
            let answered = if request.url.starts_with(&self.x.base()) {
                self.x.hear(asked).await
            } else {
                self.tiktok.hear(asked).await
            };
            let answer = answered.ok_or_else(|| lost("the connection ended"))?;
            let (head, body) = answer.into_parts();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        self.faults.call(called, |e| not_sent(&e.to_string()), |e| lost(&e.to_string())).await
    }
}

fn not_sent(why: &str) -> TransportError {
    TransportError::NotSent(why.to_owned())
}

fn lost(why: &str) -> TransportError {
    TransportError::Lost(why.to_owned())
}

/// A network of one call: it knows a repetition by its key and can be looked at, or neither.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) network: Network,
    pub(crate) can_be_asked: bool,
    pub(crate) faults: Faults,
    /// How often each key appeared.
    pub(crate) posts: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Plain {
    pub(crate) fn there(&self, key: &str) -> u32 {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        posts.get(key).copied().unwrap_or(0)
    }

    fn post(&self, key: &str) {
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let times = posts.entry(key.to_owned()).or_default();
        if *times == 0 || !self.can_be_asked {
            *times += 1;
        }
    }
}

#[async_trait]
impl Publisher for Plain {
    fn network(&self) -> Network {
        self.network
    }

    async fn preflight(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        _: &PostPlan,
    ) -> Result<Preflight, Failure> {
        Ok(Preflight::default())
    }

    async fn publish(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        _: Medium,
    ) -> Outcome {
        let key = approved.idempotency_key();
        let called = async {
            self.post(&key);
            Ok(Outcome::Done { receipt: key.clone(), url: None })
        };
        let sent = self.faults.call(
            called,
            |_| Outcome::Throttled { after_seconds: 5 },
            |_| Outcome::Unknown { why: "the answer was lost".to_owned() },
        );
        sent.await.unwrap_or_else(|outcome| outcome)
    }

    async fn look_up(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found {
        if !self.can_be_asked {
            return Found::StillUnknown { why: "this network can say nothing".to_owned() };
        }
        let key = unsure.idempotency_key();
        let called = async {
            Ok(match self.there(&key) {
                0 => Found::NotDone,
                _ => Found::Done { receipt: key.clone(), url: None },
            })
        };
        let unknown = |_| Found::StillUnknown { why: "no answer".to_owned() };
        self.faults.call(called, unknown, unknown).await.unwrap_or_else(|found| found)
    }
}

/// A few bytes of a film that no decoder looks at.
pub(crate) fn film(seed: u64) -> Bytes {
    Bytes::from(format!("film {seed} ").repeat(40))
}
