//! How fast, and how much at once, a vendor is asked: by each account that it sees. What goes out under the house's key is
//! one account's, whichever tenant it is for; there, too, one busy tenant does not take the turns of the others.
//!
//! Within this process. Several processes have a limit each, and what is too much for all of them together the vendor
//! answers with 429, which the retries respect.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use nexus_core::Owner;
use nexus_kernel::Digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::request::Authorization;
use crate::retry::wait;
use crate::vendor::{Auth, Vendor};

/// From so many accounts on, those that are idle are forgotten.
const REMEMBERED: usize = 1_000;

type Pace = RateLimiter<Account, HashMapStateStore<Account>, Ticks, NoOpMiddleware<Duration>>;

/// Who asks, as the vendor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Account {
    /// The house.
    House,
    /// A tenant, with what is no account's yet or any more: to connect one, an address that is a right of entry.
    Tenant(Owner),
    /// An account of a tenant's, by the digest of its token.
    Connected(Owner, Digest),
}

/// For whom a try is, and at whose account it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    tenant: Owner,
    account: Account,
}

impl Asker {
    /// Who asks this vendor for a tenant, showing it this.
    pub(crate) fn of(vendor: &Vendor, shown: Option<&Authorization>, tenant: Owner) -> Self {
        let account = match (vendor.auth, shown) {
            (Auth::Header { .. } | Auth::None, _) => Account::House,
            (Auth::Account, Some(Authorization::Bearer(token))) => {
                Account::Connected(tenant, Digest::of(token.reveal().as_bytes()))
            }
            (Auth::Account, Some(Authorization::Basic(..)) | None) => Account::Tenant(tenant),
        };
        Self { tenant, account }
    }
}

/// The turns of those who ask one vendor.
pub(crate) struct Turns {
    pace: Pace,
    at_once: usize,
    places: Mutex<HashMap<Account, Arc<Semaphore>>>,
}

/// A try's turn; dropped, the next one gets its place.
#[must_use = "the place is free as soon as this is dropped"]
#[derive(Debug)]
pub(crate) struct Turn {
    _place: OwnedSemaphorePermit,
    _in_line: Option<OwnedSemaphorePermit>,
}

/// No turn comes in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooBusy {
    /// When one would have come, where that can be told.
    pub(crate) after: Option<Duration>,
}

impl Turns {
    /// At most so many in a second, evenly spaced, and so many at once, for each account.
    pub(crate) fn new(per_second: NonZeroU32, at_once: usize) -> Self {
        // Without a burst: else a second could see twice as many.
        let quota = Quota::per_second(per_second).allow_burst(NonZeroU32::MIN);
        let pace = Pace::new(quota, HashMapStateStore::default(), Ticks(Instant::now()));
        Self { pace, at_once, places: Mutex::default() }
    }

    /// Waits for a turn, until then at most.
    pub(crate) async fn wait_for(&self, asker: Asker, until: Instant) -> Result<Turn, TooBusy> {
        let Asker { tenant, account } = asker;
        // The line for the house's places is served in order. A tenant stands in it with no more tries than there are
        // places, so that another's first one waits for a round of them at most.
        let in_line = match account {
            Account::House => Some(self.take(Account::Tenant(tenant), until).await?),
            Account::Tenant(_) | Account::Connected(..) => None,
        };
        let place = self.take(account, until).await?;
        while let Err(not_yet) = self.pace.check_key(&account) {
            let pause = not_yet.wait_time_from(self.pace.clock().now());
            if Instant::now() + pause >= until {
                return Err(TooBusy { after: Some(pause) });
            }
            wait(pause).await;
        }
        if self.pace.len() > REMEMBERED {
            self.pace.retain_recent();
        }
        Ok(Turn { _place: place, _in_line: in_line })
    }

    async fn take(&self, of: Account, until: Instant) -> Result<OwnedSemaphorePermit, TooBusy> {
        match timeout_at(until, self.places_of(of).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes a semaphore here.
            Ok(Err(_)) | Err(_) => Err(TooBusy { after: None }),
        }
    }

    fn places_of(&self, account: Account) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() > REMEMBERED {
            // A place that is taken or waited for is held by somebody else too.
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        let free = || Arc::new(Semaphore::new(self.at_once));
        Arc::clone(places.entry(account).or_insert_with(free))
    }
}

/// The runtime's time, so that a test can pause it.
#[derive(Debug, Clone)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use nexus_kernel::Secret;
    use nexus_kernel::id::TenantId;

    use super::*;

    fn owner(name: &str) -> Owner {
        TenantId::derived(&[name]).into()
    }

    /// A tenant at the house's account.
    fn at_the_house(name: &str) -> Asker {
        Asker { tenant: owner(name), account: Account::House }
    }

    /// A tenant at an account of its own.
    fn at_home(name: &str) -> Asker {
        let tenant = owner(name);
        Asker { tenant, account: Account::Connected(tenant, Digest::of(name.as_bytes())) }
    }

    fn turns(per_second: u32, at_once: usize) -> Turns {
        Turns::new(NonZeroU32::new(per_second).unwrap(), at_once)
    }

    fn in_an_hour() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_tries_than_the_limit() {
        let (turns, begin) = (turns(4, 100), Instant::now());
        let all = (0..20).map(|_| async {
            let _turn = turns.wait_for(at_home("a"), in_an_hour()).await.unwrap();
            begin.elapsed()
        });
        let mut at = join_all(all).await;
        at.sort();
        for window in at.windows(5) {
            let took = window[4] - window[0];
            assert!(took >= Duration::from_millis(999), "five tries within {took:?}");
        }
        assert!(at[19] < Duration::from_secs(6), "and none waits for nothing: {:?}", at[19]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_tenant_takes_no_turn_from_another() {
        let (turns, begin) = (turns(1, 1), Instant::now());
        let _held = turns.wait_for(at_home("a"), in_an_hour()).await.unwrap();
        let other = turns.wait_for(at_home("b"), in_an_hour()).await;
        assert!(other.is_ok() && begin.elapsed() == Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_who_share_the_houses_account_share_its_turns() {
        let (places, soon) = (turns(1_000, 2), Instant::now() + Duration::from_secs(5));
        let (_first, second) = (
            places.wait_for(at_the_house("a"), in_an_hour()).await.unwrap(),
            places.wait_for(at_the_house("b"), in_an_hour()).await.unwrap(),
        );
        let third = places.wait_for(at_the_house("c"), soon).await;
        assert_eq!(third.unwrap_err(), TooBusy { after: None });
        drop(second);
        assert!(places.wait_for(at_the_house("c"), in_an_hour()).await.is_ok());

        let (pace, begin) = (turns(1, 100), Instant::now());
        for (seconds, name) in (0..4).zip(["a", "b", "c", "a"]) {
            drop(pace.wait_for(at_the_house(name), in_an_hour()).await.unwrap());
            let early = Duration::from_millis(10);
            assert!(begin.elapsed() + early >= Duration::from_secs(seconds), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_once_does_not_wait_for_all_of_who_asks_often() {
        let (turns, served) = (turns(1_000, 1), Mutex::new(Vec::new()));
        let ask = |name: &'static str| {
            let (turns, served) = (&turns, &served);
            async move {
                let _turn = turns.wait_for(at_the_house(name), in_an_hour()).await.unwrap();
                served.lock().unwrap().push(name);
                wait(Duration::from_secs(1)).await;
            }
        };
        join_all(["a", "a", "a", "a", "b"].map(ask)).await;
        assert_eq!(*served.lock().unwrap(), ["a", "b", "a", "a", "a"]);
    }

    #[test]
    fn a_try_counts_at_the_account_that_the_vendor_sees() {
        let vendor = |auth: Auth| Vendor {
            name: "acme",
            base: "https://api.acme.example",
            base_setting: "ACME_BASE",
            hosts: &[],
            auth,
            per_second: 1,
            at_once: 1,
        };
        let account = |auth: Auth, shown: Option<&Authorization>, name: &str| {
            Asker::of(&vendor(auth), shown, owner(name)).account
        };
        let secret = |text: &str| Secret::new(text.to_owned());
        let key = Auth::Header { name: "x-key", prefix: "" };
        assert_eq!(account(key, None, "a"), account(key, None, "b"), "one key, one account");
        let (one, two) =
            (Authorization::Bearer(secret("one")), Authorization::Bearer(secret("two")));
        let connected =
            |shown: &Authorization, name: &str| account(Auth::Account, Some(shown), name);
        assert_eq!(connected(&one, "a"), connected(&one, "a"));
        assert_ne!(connected(&one, "a"), connected(&two, "a"), "two accounts of a tenant");
        assert_ne!(connected(&one, "a"), connected(&one, "b"));
        // The application is the house's, and each tenant connects its accounts by itself.
        let application = Authorization::Basic("nexus".to_owned(), secret("three"));
        assert_eq!(connected(&application, "a"), account(Auth::Account, None, "a"));
        assert_ne!(connected(&application, "a"), connected(&application, "b"));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_at_once_than_there_are_places() {
        let turns = turns(1_000, 2);
        let (first, _second) = (
            turns.wait_for(at_home("a"), in_an_hour()).await.unwrap(),
            turns.wait_for(at_home("a"), in_an_hour()).await.unwrap(),
        );
        let soon = Instant::now() + Duration::from_secs(5);
        assert_eq!(turns.wait_for(at_home("a"), soon).await.unwrap_err(), TooBusy { after: None });
        assert_eq!(Instant::now(), soon);
        drop(first);
        assert!(turns.wait_for(at_home("a"), in_an_hour()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_beyond_the_end_is_told_so_at_once() {
        let turns = turns(1, 10);
        let _turn = turns.wait_for(at_home("a"), in_an_hour()).await.unwrap();
        let (begin, soon) = (Instant::now(), Instant::now() + Duration::from_millis(500));
        let busy = turns.wait_for(at_home("a"), soon).await.unwrap_err();
        assert_eq!(busy, TooBusy { after: Some(Duration::from_secs(1)) });
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_that_are_idle_are_forgotten() {
        let turns = turns(1_000, 1);
        for n in 0..REMEMBERED * 2 {
            drop(turns.wait_for(at_home(&n.to_string()), in_an_hour()).await.unwrap());
            tokio::time::advance(Duration::from_millis(2)).await;
        }
        assert!(turns.places.lock().unwrap().len() <= REMEMBERED + 1);
        assert!(turns.pace.len() <= REMEMBERED + 1);
    }
}
