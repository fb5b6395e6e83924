//! Which functions there are: the names in the template, and the crates behind them.

use nexus_engine::EnginePlatform;
use nexus_handler::{
    Batch, BatchFunction, Entry, Env, Function, HttpFunction, QueueFunction, SettingsError,
    WholeBatch,
};

/// Makes a function from a platform and its settings.
pub type Make = fn(&(dyn EnginePlatform + 'static), &Env) -> Result<Entry, SettingsError>;

/// All functions by name.
pub const ALL: &[(&str, Make)] = &[
    (nexus_ingest::Ingest::NAME, Entry::event::<Batch<nexus_ingest::Ingest>, dyn EnginePlatform>),
    (nexus_tag::Tag::NAME, Entry::event::<Batch<nexus_tag::Tag>, dyn EnginePlatform>),
    (
        nexus_compose::Compose::NAME,
        Entry::event::<Batch<nexus_compose::Compose>, dyn EnginePlatform>,
    ),
    (
        nexus_translate::Translate::NAME,
        Entry::event::<Batch<nexus_translate::Translate>, dyn EnginePlatform>,
    ),
    (
        nexus_narrate::Narrate::NAME,
        Entry::event::<Batch<nexus_narrate::Narrate>, dyn EnginePlatform>,
    ),
    (
        nexus_animate::Animate::NAME,
        Entry::event::<Batch<nexus_animate::Animate>, dyn EnginePlatform>,
    ),
    (
        nexus_publish::Publish::NAME,
        Entry::event::<Batch<nexus_publish::Publish>, dyn EnginePlatform>,
    ),
    (
        nexus_footage::BuyFootage::NAME,
        Entry::event::<Batch<nexus_footage::BuyFootage>, dyn EnginePlatform>,
    ),
    (nexus_health::Health::NAME, Entry::event::<nexus_health::Health, dyn EnginePlatform>),
    (nexus_refresh::Refresh::NAME, Entry::event::<nexus_refresh::Refresh, dyn EnginePlatform>),
    (nexus_connect::Connect::NAME, Entry::http::<nexus_connect::Connect, dyn EnginePlatform>),
    (
        nexus_click_track::ClickTrack::NAME,
        Entry::http::<nexus_click_track::ClickTrack, dyn EnginePlatform>,
    ),
    (
        nexus_attribute::Attribute::NAME,
        Entry::event::<nexus_attribute::Attribute, dyn EnginePlatform>,
    ),
    (
        nexus_recount::RecountClicks::NAME,
        Entry::event::<nexus_recount::RecountClicks, dyn EnginePlatform>,
    ),
    (nexus_inquire::Inquire::NAME, Entry::http::<nexus_inquire::Inquire, dyn EnginePlatform>),
    (
        nexus_sentiment::Judge::NAME,
        Entry::event::<WholeBatch<nexus_sentiment::Judge>, dyn EnginePlatform>,
    ),
    (nexus_listen::Listen::NAME, Entry::event::<nexus_listen::Listen, dyn EnginePlatform>),
    (nexus_notify::Notify::NAME, Entry::event::<Batch<nexus_notify::Notify>, dyn EnginePlatform>),
    (nexus_relay::Relay::NAME, Entry::event::<nexus_relay::Relay, dyn EnginePlatform>),
    (
        nexus_retention_sweep::RetentionSweep::NAME,
        Entry::event::<nexus_retention_sweep::RetentionSweep, dyn EnginePlatform>,
    ),
    (nexus_review::Review::NAME, Entry::http::<nexus_review::Review, dyn EnginePlatform>),
    (
        nexus_engine_api::EngineApi::NAME,
        Entry::http::<nexus_engine_api::EngineApi, dyn EnginePlatform>,
    ),
];

/// The function of that name.
pub fn named(name: &str) -> Option<Make> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, make)| *make)
}
