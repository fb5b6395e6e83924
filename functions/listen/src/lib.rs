//! Reads the comments of published posts.

use nexus_engine::EnginePlatform;
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::Failure;

/// What it needs.
pub struct Deps;

/// The function.
#[derive(Debug)]
pub struct Listen;

impl<P: EnginePlatform + ?Sized> Wire<P> for Listen {
    type Deps = Deps;

    fn wire(_: &P, _: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps)
    }
}

impl Function for Listen {
    const NAME: &'static str = "listen";
    type Deps = Deps;
    type Event = Scheduled;
    type Reply = ();

    fn new(_: Deps) -> Self {
        Self
    }

    async fn handle(&self, _: Scheduled, _: Invocation) -> Result<(), Failure> {
        Ok(())
    }
}
