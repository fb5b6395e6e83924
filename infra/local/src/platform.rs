//! The Engine's platform on one machine: the embedded store, the offline engines, the local feed.

use std::sync::Arc;

use nexus_core::mail::Mail;
use nexus_core::{Blobs, Bus, Endings, Gauge, QueueAddress, Queues, Sender, Table, Vault};
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

use crate::engines::Engines;
use crate::feed::Feed;

/// The parts of one machine.
pub(crate) struct LocalPlatform {
    pub(crate) ambient: Ambient,
    pub(crate) table: Arc<dyn Table>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) engines: Engines,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) feed: Feed,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) mail: Arc<dyn Mail>,
    pub(crate) endings: Endings,
}

impl EnginePlatform for LocalPlatform {
    fn ambient(&self) -> Ambient {
        self.ambient.clone()
    }

    fn table(&self, _: Access) -> Arc<dyn Table> {
        Arc::clone(&self.table)
    }

    fn blobs(&self, _: &[(Area, Access)]) -> Arc<dyn Blobs> {
        Arc::clone(&self.blobs)
    }

    fn sender(&self, _: Hop, address: QueueAddress) -> Sender {
        Sender::new(Arc::clone(&self.queues), address)
    }

    fn gauge(&self, address: QueueAddress) -> Gauge {
        Gauge::new(Arc::clone(&self.queues), address)
    }

    fn labeller(&self) -> Arc<dyn Labeller> {
        Arc::clone(&self.engines.labeller)
    }

    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter> {
        self.engines.copywriters.clone()
    }

    fn translator(&self) -> Option<Arc<dyn Translator>> {
        self.engines.translator.clone()
    }

    fn voices(&self) -> Choice<SpeechProvider, dyn Speech> {
        self.engines.voices.clone()
    }

    fn vault(&self, _: Access) -> Arc<dyn Vault> {
        Arc::clone(&self.vault)
    }

    fn logins(&self) -> Vec<Arc<dyn Login>> {
        self.engines.networks.logins.clone()
    }

    fn publishers(&self) -> Vec<Arc<dyn Publisher>> {
        let mut publishers: Vec<Arc<dyn Publisher>> = vec![Arc::new(self.feed.clone())];
        publishers.extend(self.engines.networks.publishers.iter().cloned());
        publishers
    }

    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>> {
        self.engines.footage_makers.clone()
    }

    fn locator(&self) -> Arc<dyn Locator> {
        Arc::clone(&self.engines.locator)
    }

    fn sentiment(&self) -> Arc<dyn Sentiment> {
        Arc::clone(&self.engines.sentiment) as _
    }

    fn listeners(&self) -> Vec<Arc<dyn Listener>> {
        self.engines.networks.listeners.clone()
    }

    fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus)
    }

    fn mail(&self) -> Option<Arc<dyn Mail>> {
        Some(Arc::clone(&self.mail))
    }

    fn endings(&self) -> Endings {
        self.endings.clone()
    }
}
