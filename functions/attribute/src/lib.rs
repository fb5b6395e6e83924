//! Writes clicks and adds them up, each once.
//!
//! It takes whole batches: the clicks of many messages to one link on one day stand in few commits. By which program
//! somebody came, and whether that is a robot, is read here, where nobody waits for it.
//!
//! **Never here:** how a click counts once (`nexus_engine::tallies` has that), who clicked, an address.

mod programs;

use nexus_engine::EnginePlatform;
use nexus_engine::clicks::{Click, Clicks};
use nexus_engine::platform::Access;
use nexus_engine::tallies::{ClickWriter, Letter, Unwritten};
use nexus_handler::{
    BatchFunction, Env, Enveloped, Failed, Invocation, SettingsError, WholeBatch, Wire,
};

use crate::programs::Programs;

/// What it needs.
pub struct Deps {
    writer: ClickWriter,
}

/// Writes the clicks of a batch.
pub struct WriteClicks {
    writer: ClickWriter,
    programs: Programs,
}

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
    type Letter = Enveloped<Clicks<'static>>;

    fn new(deps: Deps) -> Self {
        Self { writer: deps.writer, programs: Programs::new() }
    }

    async fn handle(&self, letters: &[Enveloped<Clicks<'static>>], _: &Invocation) -> Vec<Failed> {
        let (mut read, mut failed) = (Vec::<(usize, Vec<Click>)>::new(), Vec::new());
        for (place, letter) in letters.iter().enumerate() {
            match letter.message.read(|text| self.programs.of(text)) {
                Ok(clicks) => read.push((place, clicks)),
                Err(why) => failed.push(Failed { letters: vec![place], why }),
            }
        }
        let written: Vec<Letter<'_>> = read
            .iter()
            .filter_map(|(place, clicks)| {
                Some(Letter { scope: *letters.get(*place)?.envelope.scope(), clicks })
            })
            .collect();
        for Unwritten { letters, why } in self.writer.write(&written).await {
            let places = letters.iter().filter_map(|n| read.get(*n).map(|(place, _)| *place));
            failed.push(Failed { letters: places.collect(), why });
        }
        failed
    }
}
