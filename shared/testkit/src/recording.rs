//! The platform that only records who asked for what: the policies in the template are checked against it.
//!
//! The parts that it hands out are those of a [`MemoryPlatform`] and work, so that a `wire` which looks at what it
//! was given sees nothing strange.
//!
//! **Never here:** what a right is called on AWS. The test that compares it with the template knows.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use nexus_core::mail::Mail;
use nexus_core::{Blobs, Bus, Gauge, QueueAddress, Sender, Table, Vault};
use nexus_engine::clicks::Locator;
use nexus_engine::comments::Listener;
use nexus_engine::connections::Login;
use nexus_engine::copy::Copywriter;
use nexus_engine::footage::FootageMaker;
use nexus_engine::narration::Speech;
use nexus_engine::platform::{Access, Area};
use nexus_engine::providers::{Choice, CopyProvider, SpeechProvider};
use nexus_engine::publishing::Publisher;
use nexus_engine::sentiment::Sentiment;
use nexus_engine::tagging::Labeller;
use nexus_engine::translation::Translator;
use nexus_engine::{EnginePlatform, Hop};
use nexus_kernel::Ambient;

use crate::MemoryPlatform;

/// A part that a function took from its platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// The table.
    Table(Access),
    /// One area of the blobs.
    Blobs(Area, Access),
    /// The right to send to the queue of a hop, at the address that the settings named.
    Sender(Hop, String),
    /// The right to ask how full the queue at this address is.
    Gauge(String),
    /// Who labels photos.
    Labeller,
    /// Who writes words.
    Copywriters,
    /// Who translates.
    Translator,
    /// Who speaks.
    Voices,
    /// The tenants' secrets.
    Vault(Access),
    /// Who connects accounts.
    Logins,
    /// Who carries posts to networks.
    Publishers,
    /// Who makes footage.
    FootageMakers,
    /// Who tells where an address is.
    Locator,
    /// Who tells how a text sounds.
    Sentiment,
    /// Who reads comments.
    Listeners,
    /// Where it is told what has happened.
    Bus,
    /// Who carries mail.
    Mail,
}

/// Writes down what is taken. Time, ids and chance are not: they are nobody's to refuse.
#[derive(Default)]
pub struct RecordingPlatform {
    parts: MemoryPlatform,
    taken: Mutex<BTreeSet<Taken>>,
}

impl fmt::Debug for RecordingPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingPlatform").field("taken", &self.taken()).finish_non_exhaustive()
    }
}

impl RecordingPlatform {
    /// A platform from which nothing was taken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was taken so far, each part once.
    pub fn taken(&self) -> BTreeSet<Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, part: Taken) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(part);
    }
}

impl EnginePlatform for RecordingPlatform {
    fn ambient(&self) -> Ambient {
        self.parts.ambient()
    }

    fn table(&self, access: Access) -> Arc<dyn Table> {
        self.note(Taken::Table(access));
        self.parts.table(access)
    }

    fn blobs(&self, access: &[(Area, Access)]) -> Arc<dyn Blobs> {
        for (area, access) in access {
            self.note(Taken::Blobs(*area, *access));
        }
        self.parts.blobs(access)
    }

    fn sender(&self, hop: Hop, address: QueueAddress) -> Sender {
        self.note(Taken::Sender(hop, address.0.clone()));
        self.parts.sender(hop, address)
    }

    fn gauge(&self, address: QueueAddress) -> Gauge {
        self.note(Taken::Gauge(address.0.clone()));
        self.parts.gauge(address)
    }

    fn labeller(&self) -> Arc<dyn Labeller> {
        self.note(Taken::Labeller);
        self.parts.labeller()
    }

    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter> {
        self.note(Taken::Copywriters);
        self.parts.copywriters()
    }

    fn translator(&self) -> Option<Arc<dyn Translator>> {
        self.note(Taken::Translator);
        self.parts.translator()
    }

    fn voices(&self) -> Choice<SpeechProvider, dyn Speech> {
        self.note(Taken::Voices);
        self.parts.voices()
    }

    fn vault(&self, access: Access) -> Arc<dyn Vault> {
        self.note(Taken::Vault(access));
        self.parts.vault(access)
    }

    fn logins(&self) -> Vec<Arc<dyn Login>> {
        self.note(Taken::Logins);
        self.parts.logins()
    }

    fn publishers(&self) -> Vec<Arc<dyn Publisher>> {
        self.note(Taken::Publishers);
        self.parts.publishers()
    }

    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>> {
        self.note(Taken::FootageMakers);
        self.parts.footage_makers()
    }

    fn locator(&self) -> Arc<dyn Locator> {
        self.note(Taken::Locator);
        self.parts.locator()
    }

    fn sentiment(&self) -> Arc<dyn Sentiment> {
        self.note(Taken::Sentiment);
        self.parts.sentiment()
    }

    fn listeners(&self) -> Vec<Arc<dyn Listener>> {
        self.note(Taken::Listeners);
        self.parts.listeners()
    }

    fn bus(&self) -> Arc<dyn Bus> {
        self.note(Taken::Bus);
        self.parts.bus()
    }

    fn mail(&self) -> Option<Arc<dyn Mail>> {
        self.note(Taken::Mail);
        EnginePlatform::mail(&self.parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_written_down_once_and_nothing_else() {
        let platform = RecordingPlatform::new();
        let erased: &dyn EnginePlatform = &platform;
        erased.ambient();
        assert_eq!(platform.taken(), BTreeSet::new());
        for _ in 0..2 {
            erased.table(Access::Read);
            erased.blobs(&[(Area::In, Access::Read), (Area::Made, Access::Write)]);
            erased.sender(Hop::Tag, QueueAddress("TagQueue".to_owned()));
            erased.voices();
        }
        let expected = [
            Taken::Table(Access::Read),
            Taken::Blobs(Area::In, Access::Read),
            Taken::Blobs(Area::Made, Access::Write),
            Taken::Sender(Hop::Tag, "TagQueue".to_owned()),
            Taken::Voices,
        ];
        assert_eq!(platform.taken(), BTreeSet::from(expected));
    }
}
