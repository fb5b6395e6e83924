//! The Engine's platform.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use nexus_aws::comprehend::ComprehendSentiment;
use nexus_aws::eventbridge::EventBridgeBus;
use nexus_aws::polly::{PollySpeech, Voices};
use nexus_aws::rekognition::RekognitionLabels;
use nexus_aws::ses::SesMail;
use nexus_aws::ssm::HouseKeys;
use nexus_aws::translate::AmazonTranslate;
use nexus_aws::{DynamoTable, S3Blobs, SdkConfig, SqsQueues};
use nexus_core::mail::{Mail, MailAddress};
use nexus_core::{Blobs, Bus, Gauge, Product, QueueAddress, Queues, Sender, Table, Vault};
use nexus_engine::clicks::{Locator, Unlocated};
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
use nexus_geo::{Installed, Status};
use nexus_handler::Env;
use nexus_kernel::{Ambient, Clock};
use nexus_offline::template_copy::TemplateCopywriter;
use nexus_outbound::Parts;
use nexus_vendors_engine::suite;

/// The Engine's parts on AWS. What a function may do with them is its role's to say, not the platform's.
pub struct AwsEngine {
    config: SdkConfig,
    ambient: Ambient,
    table_name: String,
    bucket: String,
    data_key: String,
    voices: Voices,
    vendors: suite::Settings,
    keys: Option<String>,
    tokens: String,
    copywriter: CopyProvider,
    footage: Vec<String>,
    bus: String,
    mail_from: Option<MailAddress>,
    mail_events: Option<String>,
    /// Where the layer with the geographic database puts it; empty without one.
    geo: String,
    table: OnceLock<DynamoTable>,
    blobs: OnceLock<S3Blobs>,
    queues: OnceLock<SqsQueues>,
    places: OnceLock<Arc<dyn Locator>>,
    /// One for the whole function: what it has read is kept for all, and dropped for all.
    secrets: OnceLock<Arc<dyn Vault>>,
    house_keys: OnceLock<Arc<dyn Vault>>,
    networks: OnceLock<suite::Networks>,
}

/// The Engine's platform, from the settings that the template gives every function: `TABLE`, `BUCKET`, `DATA_KEY`
/// (the KMS key under which blobs are put), and `AWS_REGION`, which Lambda sets; `VOICE_EN` and `VOICE_ES` where other
/// voices of Polly than the usual ones shall speak; `KEYS` (the root of the house's keys in SSM) where vendors may be
/// asked, `TOKENS` (the root of tenants' tokens there) where accounts are acted for, `COPYWRITER` (`gemini` or `template`) for who writes unless a tenant chooses, `FOOTAGE` for who makes footage,
/// `MAIL_FROM` (whose domain SES has verified) where mail is sent, `MAIL_EVENTS` for the configuration set that tells of
/// bounces, `GEO_DATABASE`, the file that a layer brings (`/opt/geolite/GeoLite2-City.mmdb`), and the vendors' own
/// ([`suite::Settings`]).
///
/// # Errors
/// A setting is missing, or this runs in another region than the one in which all data stays (N43).
pub async fn engine(env: &Env) -> Result<AwsEngine, Box<dyn Error + Send + Sync>> {
    let mut settings = env.reader();
    let names = ["TABLE", "BUCKET", "DATA_KEY"].map(|name| settings.text(name));
    let usual = Voices::default();
    let voices = Voices {
        english: settings.parsed("VOICE_EN", "a voice like `en-US/Joanna`", usual.english),
        spanish: settings.parsed("VOICE_ES", "a voice like `es-US/Lupe`", usual.spanish),
    };
    let writers = [CopyProvider::Template, CopyProvider::Gemini].map(|p| (p.name(), p));
    let copywriter = settings.choice("COPYWRITER", &writers, CopyProvider::Template);
    let ([table_name, bucket, data_key], voices, copywriter) =
        settings.finish((names, voices, copywriter))?;
    let mail_from = env.get("MAIL_FROM").filter(|from| !from.is_empty());
    let mail_from = mail_from.map(MailAddress::parse).transpose().map_err(|failure| {
        let problem = failure.fields().first().map(|told| told.problem.as_str());
        format!("settings: MAIL_FROM {}", problem.unwrap_or("is no mail address"))
    })?;
    let footage = env.get("FOOTAGE").unwrap_or_default().split_whitespace();
    Ok(AwsEngine {
        config: nexus_aws::start(env.get("AWS_REGION")).await?,
        ambient: Ambient::system(),
        table_name,
        bucket,
        data_key,
        voices,
        vendors: suite::Settings::read(|name| env.get(name))?,
        tokens: env.get("TOKENS").unwrap_or_default().to_owned(),
        keys: env.get("KEYS").filter(|root| !root.is_empty()).map(str::to_owned),
        copywriter,
        footage: footage.map(str::to_owned).collect(),
        bus: env.get("BUS").unwrap_or("default").to_owned(),
        mail_from,
        mail_events: env.get("MAIL_EVENTS").filter(|set| !set.is_empty()).map(str::to_owned),
        geo: env.get("GEO_DATABASE").unwrap_or_default().to_owned(),
        table: OnceLock::new(),
        blobs: OnceLock::new(),
        queues: OnceLock::new(),
        places: OnceLock::new(),
        secrets: OnceLock::new(),
        house_keys: OnceLock::new(),
        networks: OnceLock::new(),
    })
}

impl AwsEngine {
    fn queues(&self) -> Arc<dyn Queues> {
        Arc::new(self.queues.get_or_init(|| SqsQueues::new(&self.config)).clone())
    }

    /// A vendor, where this function was told where the keys are. One that cannot be set up is nobody's choice: the
    /// operator reads why, and who chose it reads on the draft that it is not here.
    fn vendor<V>(
        &self,
        set_up: impl FnOnce(&suite::Settings, &Parts) -> Result<V, suite::NoWay>,
    ) -> Option<V> {
        let root = self.keys.as_ref()?;
        let keys = self.house_keys.get_or_init(|| {
            Arc::new(HouseKeys::new(&self.config, root, Arc::clone(&self.ambient.clock)))
        });
        let made = self.vendors.transport().and_then(|transport| {
            let parts = Parts {
                product: Product::Engine,
                ambient: self.ambient.clone(),
                table: self.table(Access::Write),
                vault: Arc::clone(keys),
                transport,
            };
            set_up(&self.vendors, &parts)
        });
        made.inspect_err(|error| tracing::error!(%error, "a vendor cannot be set up")).ok()
    }
}

impl AwsEngine {
    fn networks(&self) -> suite::Networks {
        let networks = self.networks.get_or_init(|| {
            let tokens = self.vault(Access::Write);
            let made = self.vendor(|settings, parts| settings.networks(parts, &tokens));
            made.unwrap_or_default()
        });
        networks.clone()
    }
}

impl EnginePlatform for AwsEngine {
    fn ambient(&self) -> Ambient {
        self.ambient.clone()
    }

    fn table(&self, _: Access) -> Arc<dyn Table> {
        let table = self.table.get_or_init(|| DynamoTable::new(&self.config, &self.table_name));
        Arc::new(table.clone())
    }

    fn blobs(&self, _: &[(Area, Access)]) -> Arc<dyn Blobs> {
        let blobs = self.blobs.get_or_init(|| {
            let clock = Arc::clone(&self.ambient.clock);
            S3Blobs::new(&self.config, &self.bucket, Some(self.data_key.clone()), clock)
        });
        Arc::new(blobs.clone())
    }

    fn sender(&self, _: Hop, address: QueueAddress) -> Sender {
        Sender::new(self.queues(), address)
    }

    fn gauge(&self, address: QueueAddress) -> Gauge {
        Gauge::new(self.queues(), address)
    }

    fn labeller(&self) -> Arc<dyn Labeller> {
        Arc::new(RekognitionLabels::new(&self.config))
    }

    fn copywriters(&self) -> Choice<CopyProvider, dyn Copywriter> {
        let template: Arc<dyn Copywriter> = Arc::new(TemplateCopywriter);
        let Some(gemini) = self.vendor(suite::Settings::gemini) else {
            return Choice::of(CopyProvider::Template, template);
        };
        // Amazon Translate makes the Spanish here.
        let gemini: Arc<dyn Copywriter> = Arc::new(gemini.english_only());
        match self.copywriter {
            CopyProvider::Template => {
                Choice::of(CopyProvider::Template, template).and(CopyProvider::Gemini, gemini)
            }
            CopyProvider::Gemini => {
                Choice::of(CopyProvider::Gemini, gemini).and(CopyProvider::Template, template)
            }
        }
    }

    fn translator(&self) -> Option<Arc<dyn Translator>> {
        Some(Arc::new(AmazonTranslate::new(&self.config)))
    }

    fn voices(&self) -> Choice<SpeechProvider, dyn Speech> {
        let polly = PollySpeech::new(&self.config, self.voices.clone());
        let house = Choice::of(SpeechProvider::House, Arc::new(polly) as Arc<dyn Speech>);
        match self.vendor(suite::Settings::elevenlabs) {
            Some(elevenlabs) => house.and(SpeechProvider::ElevenLabs, Arc::new(elevenlabs)),
            None => house,
        }
    }

    fn vault(&self, access: Access) -> Arc<dyn Vault> {
        let vault = self.secrets.get_or_init(|| {
            let (root, key) = (self.tokens.clone(), self.data_key.clone());
            let (table, ambient) = (self.table(access), self.ambient.clone());
            Arc::new(nexus_aws::ssm::vault(&self.config, root, key, table, ambient))
        });
        Arc::clone(vault)
    }

    fn logins(&self) -> Vec<Arc<dyn Login>> {
        self.networks().logins
    }

    /// Those with accounts: the local feed is the one machine's.
    fn publishers(&self) -> Vec<Arc<dyn Publisher>> {
        self.networks().publishers
    }

    fn footage_makers(&self) -> Vec<Arc<dyn FootageMaker>> {
        if self.footage.is_empty() {
            return Vec::new();
        }
        let makers = self.vendor(suite::Settings::footage_makers).unwrap_or_default();
        let named = |name: &String| makers.iter().find(|maker| maker.name() == name).cloned();
        self.footage.iter().filter_map(named).collect()
    }

    fn locator(&self) -> Arc<dyn Locator> {
        Arc::clone(self.places.get_or_init(|| located(&self.geo, Arc::clone(&self.ambient.clock))))
    }

    fn sentiment(&self) -> Arc<dyn Sentiment> {
        Arc::new(ComprehendSentiment::new(&self.config))
    }

    fn listeners(&self) -> Vec<Arc<dyn Listener>> {
        self.networks().listeners
    }

    fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(EventBridgeBus::new(&self.config, self.bus.clone()))
    }

    /// Nobody, where no address is set that mail comes from.
    fn mail(&self) -> Option<Arc<dyn Mail>> {
        let from = self.mail_from.clone()?;
        Some(Arc::new(SesMail::new(&self.config, from, self.mail_events.clone())))
    }
}

/// The database that a layer brought. Without one clicks are kept without a place, which is told once.
fn located(file: &str, clock: Arc<dyn Clock>) -> Arc<dyn Locator> {
    if file.is_empty() {
        tracing::warn!("GEO_DATABASE is not set: clicks are kept without a place");
        return Arc::new(Unlocated);
    }
    let installed = Installed::at(Path::new(file), clock);
    if installed.status() == Status::Absent {
        tracing::warn!(
            file,
            "there is no geographic database, so clicks are kept without a place: deploy the layer of infra/layers/geolite"
        );
        return Arc::new(Unlocated);
    }
    Arc::new(installed)
}

#[cfg(test)]
mod tests {
    use nexus_kernel::Language;
    use nexus_kernel::ambient::ManualClock;

    use super::*;

    const SETTINGS: [(&str, &str); 3] = [("TABLE", "t"), ("BUCKET", "b"), ("DATA_KEY", "k")];

    async fn refusal(env: &Env) -> String {
        match engine(env).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn n9_without_the_layer_nobody_is_located_and_with_it_somebody_is() {
        let layer = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/geo/tests/data");
        let file = format!("{layer}/GeoLite2-City-Test.mmdb");
        let clock = Arc::new(ManualClock::at("1970-01-02T00:00:00Z".parse().unwrap()));
        for none in ["", "/opt/geolite/GeoLite2-City.mmdb"] {
            assert_eq!(located(none, Arc::clone(&clock) as _).attribution(), None, "{none}");
        }
        assert!(located(&file, clock).attribution().unwrap().contains("MaxMind"));
    }

    #[tokio::test]
    async fn what_is_missing_is_told_at_once() {
        let told = refusal(&Env::from_pairs([("AWS_REGION", "us-east-1")])).await;
        assert_eq!(told, "settings: TABLE is not set; BUCKET is not set; DATA_KEY is not set");
    }

    #[tokio::test]
    async fn n27_who_sets_nothing_hears_a_neural_voice_of_polly() {
        let env = |more: &[(&'static str, &'static str)]| {
            let pairs = SETTINGS.into_iter().chain([("AWS_REGION", "us-east-1")]);
            Env::from_pairs(pairs.chain(more.iter().copied()))
        };
        let platform = engine(&env(&[])).await.unwrap();
        let engines =
            [Language::En, Language::Es].map(|l| platform.voices().usual().engine(l).unwrap());
        assert_eq!(engines, ["polly neural Joanna", "polly neural Lupe"]);
        let other = engine(&env(&[("VOICE_ES", "es-MX/Mia")])).await.unwrap();
        assert_eq!(other.voices().usual().engine(Language::Es).unwrap(), "polly neural Mia");
        let told = refusal(&env(&[("VOICE_EN", "Joanna")])).await;
        assert_eq!(told, "settings: VOICE_EN must be a voice like `en-US/Joanna`");
    }

    #[tokio::test]
    async fn mail_is_sent_where_it_is_said_from_whom() {
        let env = |from| {
            let pairs = SETTINGS.into_iter().chain([("AWS_REGION", "us-east-1")]);
            Env::from_pairs(pairs.chain([("MAIL_FROM", from)]))
        };
        assert!(engine(&env("")).await.unwrap().mail().is_none());
        assert!(engine(&env("nexus@luna.example")).await.unwrap().mail().is_some());
        let told = refusal(&env("nobody")).await;
        assert!(told.starts_with("settings: MAIL_FROM is no mail address"), "{told}");
    }

    #[tokio::test]
    async fn a_function_has_one_vault_and_one_way_to_the_networks() {
        let more = [("AWS_REGION", "us-east-1"), ("TOKENS", "/nexus/t"), ("KEYS", "/nexus/t")];
        let env = Env::from_pairs(SETTINGS.into_iter().chain(more));
        let platform = engine(&env).await.unwrap();
        let [one, other] = [Access::Read, Access::Write].map(|access| platform.vault(access));
        assert!(Arc::ptr_eq(&one, &other), "what one drops the other would go on reading");
        let [one, other] = [(); 2].map(|()| platform.publishers());
        assert!(!one.is_empty());
        assert!(one.iter().zip(&other).all(|(one, other)| Arc::ptr_eq(one, other)));
    }

    #[tokio::test]
    async fn n43_a_function_of_another_region_does_not_start() {
        let at = |region| Env::from_pairs(SETTINGS.into_iter().chain([("AWS_REGION", region)]));
        assert_eq!(refusal(&at("us-east-1")).await, "");
        assert!(refusal(&at("eu-central-1")).await.contains("all data stays in us-east-1"));
    }
}
