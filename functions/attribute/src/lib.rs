//! Writes clicks and adds them up, each once.
//!
//! It takes whole batches: the clicks of many messages to one link on one day stand in few commits.
//!
//! **Never here:** how a click counts once (`nexus_engine::tallies` has that), who clicked, an address.

use nexus_engine::EnginePlatform;
use nexus_engine::hops::Clicks;
use nexus_engine::platform::Access;
use nexus_engine::tallies::{ClickWriter, Letter, Unwritten};
use nexus_handler::{
    BatchFunction, Env, Enveloped, Failed, Invocation, SettingsError, WholeBatch, Wire,
};

/// What it needs.
pub struct Deps {
    writer: ClickWriter,
}

/// Writes the clicks of a batch.
pub struct WriteClicks(ClickWriter);

/// The function.
pub type Attribute = WholeBatch<WriteClicks>;

impl<P: EnginePlatform + ?Sized> Wire<P> for WriteClicks {
    type Deps = Deps;

    fn wire(platform: &P, _: &Env) -> Result<Deps, SettingsError> {
        let (table, ambient) = (platform.table(Access::Write), platform.ambient());
        Ok(Deps { writer: ClickWriter::new(table, ambient) })
    }
}

impl BatchFunction for WriteClicks {
    const NAME: &'static str = "attribute";
    type Deps = Deps;
    type Letter = Enveloped<Clicks>;

    fn new(deps: Deps) -> Self {
        Self(deps.writer)
    }

    async fn handle(&self, letters: &[Enveloped<Clicks>], _: &Invocation) -> Vec<Failed> {
        let letters: Vec<Letter<'_>> = letters
            .iter()
            .map(|letter| Letter {
                scope: *letter.envelope.scope(),
                clicks: &letter.message.clicks,
            })
            .collect();
        let unwritten = self.0.write(&letters).await.into_iter();
        unwritten.map(|Unwritten { letters, why }| Failed { letters, why }).collect()
    }
}
