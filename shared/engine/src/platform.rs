//! What the Engine's functions may ask a platform for. There are three: AWS, one machine, and one that only
//! records who asked for what, from which the template's policies are checked.

use std::sync::Arc;

use nexus_core::mail::Mail;
use nexus_core::{Blobs, Bus, Endings, Gauge, QueueAddress, Sender, Table, Vault};
use nexus_kernel::Ambient;

use crate::clicks::Locator;
use crate::comments::Listener;
use crate::connections::Login;
use crate::copy::Copywriter;
use crate::footage::FootageMaker;
use crate::hops::Hop;
use crate::narration::Speech;
use crate::providers::{Choice, CopyProvider, SpeechProvider};
use crate::publishing::Publisher;
use crate::sentiment::Sentiment;
use crate::tagging::Labeller;
use crate::translation::Translator;

/// What somebody may do with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Only look.
    Read,
    /// Look, write and delete.
    Write,
}

/// A part of the blob store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Uploads that have not been looked at.
    In,
    /// Cleaned media and their renditions.
    Media,
    /// What was made for drafts: voices and videos.
    Made,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Media, Self::Made];

    /// The first part of every key in it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Media => "media",
            Self::Made => "made",
        }
    }
}

/// Where the Engine's functions get their parts.
pub trait EnginePlatform {
    /// Time, ids and chance.
    fn ambient(&self) -> Ambient;

    /// The Engine's table.
    fn table(&self, access: Access) -> Arc<dyn Table>;

    /// The Engine's blobs, in these areas.
    fn blobs(&self, access: &[(Area, Access)]) -> Arc<dyn Blobs>;

    /// The right to send to one queue.
    fn sender(&self, hop: Hop, address: QueueAddress) -> Sender;

    /// The right to ask a queue how full it is.
    fn gauge(&self, address: QueueAddress) -> Gauge;

    /// Who labels photos.
    fn labeller(&self) -> Arc<dyn Labeller>;

    /// Who writes words.
    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter>;

    /// Who translates, if anybody.
    fn translator(&self) -> Option<Arc<dyn Translator>>;

    /// Who speaks.
    fn voices(&self) -> Choice<SpeechProvider, dyn Speech>;

    /// Where the tokens of tenants' accounts are.
    fn vault(&self, access: Access) -> Arc<dyn Vault>;

    /// Who connects accounts at networks.
    fn logins(&self) -> Vec<Arc<dyn Login>>;

    /// Who carries posts to networks.
    fn publishers(&self) -> Vec<Arc<dyn Publisher>>;

    /// Who makes footage for money, the suite's usual one first; may be nobody.
    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>>;

    /// Who tells where an address is.
    fn locator(&self) -> Arc<dyn Locator>;

    /// Who tells how a text sounds.
    fn sentiment(&self) -> Arc<dyn Sentiment>;

    /// Who reads comments at networks.
    fn listeners(&self) -> Vec<Arc<dyn Listener>>;

    /// Where it is told what has happened.
    fn bus(&self) -> Arc<dyn Bus>;

    /// Who carries mail, if anybody.
    fn mail(&self) -> Option<Arc<dyn Mail>>;

    /// Where it is told what has to be done before the process ends. Where nobody asks for that, as on Lambda, nothing
    /// may be left over after an answer.
    fn endings(&self) -> Endings {
        Endings::default()
    }
}
