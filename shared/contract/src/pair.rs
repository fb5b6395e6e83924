use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use nexus_kernel::ambient::ManualClock;
use nexus_kernel::{Clock, Timestamp};

/// When every trial begins: 2027-03-01 09:00 UTC.
pub const START: Timestamp = Timestamp::constant(1_803_891_600, 0);

/// Two handles to one new, empty store, on a clock that the trial moves. Two on purpose: what holds through one
/// handle only is a cache, not a store.
pub struct Pair<P: ?Sized> {
    /// A handle.
    pub one: Arc<P>,
    /// Another handle to the same store.
    pub other: Arc<P>,
    /// The clock by which the store goes.
    pub clock: ManualClock,
    settle: Box<dyn Fn() + Send + Sync>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl<P: ?Sized> Pair<P> {
    /// Two handles to one store that goes by this clock, which shows [`START`].
    pub fn new(one: Arc<P>, other: Arc<P>, clock: ManualClock) -> Self {
        Self { one, other, clock, settle: Box::new(|| ()), _kept: Box::new(()) }
    }

    /// Keeps something alive as long as the handles: a temporary directory.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send + Sync) -> Self {
        self._kept = Box::new(thing);
        self
    }

    /// How index reads are brought up to date, where they are not by themselves.
    #[must_use]
    pub fn settling_by(mut self, settle: impl Fn() + Send + Sync + 'static) -> Self {
        self.settle = Box::new(settle);
        self
    }

    /// Lets so much time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.move_to(self.clock.now().saturating_add(time).unwrap_or(Timestamp::MAX));
    }

    /// Brings index reads up to date.
    pub fn settle(&self) {
        (self.settle)();
    }

    /// The handles in turn, for so many tasks.
    pub fn handles(&self, tasks: usize) -> impl Iterator<Item = (usize, Arc<P>)> + use<'_, P> {
        (0..tasks).map(|n| (n, Arc::clone(if n % 2 == 0 { &self.one } else { &self.other })))
    }
}
