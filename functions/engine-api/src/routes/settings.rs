//! How the tenant wants things done.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use nexus_core::records;
use nexus_engine::account::{Settings, settings_key, write_settings};
use nexus_engine::providers::{CopyProvider, FootageProvider, Providers, SpeechProvider};
use nexus_engine::publishing::Network;
use nexus_engine::scheduling::Slot;
use nexus_handler::http::{Json, Problem};
use nexus_kernel::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object};

use super::links::LinkDefaultsBody;
use crate::asking::Asking;
use crate::{Deps, words};

/// How the tenant wants things done. What is left out has its default.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Settings)]
pub(crate) struct SettingsBody {
    /// The languages of posts; English, being the source, among them.
    #[schema(schema_with = languages)]
    languages: BTreeSet<Language>,
    /// Where posts go.
    #[schema(schema_with = networks)]
    networks: BTreeSet<Network>,
    /// Words that no step may change: names of the brand and its products.
    #[schema(max_items = 50)]
    brand_terms: Vec<String>,
    /// How many hours results of paid steps are kept.
    #[schema(minimum = 1, maximum = 720)]
    cache_hours: u32,
    /// The tenant's time zone, an IANA name.
    #[schema(example = "Europe/Madrid")]
    time_zone: String,
    /// When in a week posts like to go out, by the clocks of that zone: `{"day": "monday", "at": "09:00"}`.
    #[schema(value_type = Vec<SlotShape>, max_items = 50)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slots: Vec<Slot>,
    /// Which engine does what.
    providers: ProvidersBody,
    /// What short links do that say nothing else.
    #[serde(skip_serializing_if = "LinkDefaultsBody::is_empty")]
    links: LinkDefaultsBody,
    /// Whether comments are read where their network charges for each that is read. X does: 0.005 dollars, under the
    /// cap for what may be spent with it in a month.
    paid_comments: bool,
}

/// A weekly time to post, by the clocks of the tenant's zone.
#[derive(ToSchema)]
#[schema(as = Slot)]
#[expect(dead_code, reason = "describes what `Slot` reads")]
struct SlotShape {
    #[schema(schema_with = words::day)]
    day: String,
    /// A whole minute.
    #[schema(example = "09:00")]
    at: String,
}

/// Which engine does what. What is left open is done by the suite's usual one.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Providers)]
pub(crate) struct ProvidersBody {
    /// Who writes words.
    #[schema(schema_with = words::copy_provider)]
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<CopyProvider>,
    /// Who speaks, and who is asked after one that declines, in this order. `house` is the suite's own voices. Words
    /// go to ElevenLabs only where it stands here.
    #[schema(schema_with = speech_providers)]
    speech: Vec<SpeechProvider>,
    /// Who makes footage where a person asks for some and names nobody.
    #[schema(schema_with = words::footage_provider)]
    #[serde(skip_serializing_if = "Option::is_none")]
    footage: Option<FootageProvider>,
}

impl From<ProvidersBody> for Providers {
    fn from(ProvidersBody { copy, speech, footage }: ProvidersBody) -> Self {
        Self { copy, speech, footage }
    }
}

impl From<Providers> for ProvidersBody {
    fn from(Providers { copy, speech, footage }: Providers) -> Self {
        Self { copy, speech, footage }
    }
}

fn speech_providers() -> Array {
    let order = "Who speaks, and who is asked after one that declines, in this order.";
    several(words::speech_provider(), order)
}

fn languages() -> Array {
    several(words::language(), "The languages of posts; English, being the source, among them.")
}

fn networks() -> Array {
    several(words::network(), "Where posts go.")
}

fn several(of: Object, what: &str) -> Array {
    ArrayBuilder::new().items(of).description(Some(what)).unique_items(true).build()
}

impl Default for SettingsBody {
    fn default() -> Self {
        Settings::default().into()
    }
}

impl From<SettingsBody> for Settings {
    fn from(body: SettingsBody) -> Self {
        let SettingsBody {
            languages,
            networks,
            brand_terms,
            cache_hours,
            time_zone,
            slots,
            providers,
            links,
            paid_comments,
        } = body;
        let (languages, networks) =
            (languages.into_iter().collect(), networks.into_iter().collect());
        let (providers, links) = (providers.into(), links.into());
        Self {
            languages,
            networks,
            brand_terms,
            cache_hours,
            time_zone,
            slots,
            providers,
            links,
            paid_comments,
        }
    }
}

impl From<Settings> for SettingsBody {
    fn from(settings: Settings) -> Self {
        let Settings {
            languages,
            networks,
            brand_terms,
            cache_hours,
            time_zone,
            slots,
            providers,
            links,
            paid_comments,
        } = settings;
        let (languages, networks) =
            (languages.into_iter().collect(), networks.into_iter().collect());
        let (providers, links) = (providers.into(), links.into());
        Self {
            languages,
            networks,
            brand_terms,
            cache_hours,
            time_zone,
            slots,
            providers,
            links,
            paid_comments,
        }
    }
}

/// The settings
#[utoipa::path(
    get, path = "/v1/settings", operation_id = "read_settings", tag = "tenant",
    responses((status = 200, body = SettingsBody))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
) -> Result<Json<SettingsBody>, Problem> {
    let key = settings_key(asking.scope());
    let settings = records::load::<Settings>(&*deps.table, &key, deps.ambient.now()).await?;
    Ok(Json(settings.map(|s| s.record).unwrap_or_default().into()))
}

/// Write the settings
///
/// What short links do is changed by somebody who may approve: approved posts lead by it.
#[utoipa::path(
    put, path = "/v1/settings", operation_id = "write_settings", tag = "tenant",
    request_body = SettingsBody,
    responses((status = 200, body = SettingsBody))
)]
pub(crate) async fn write(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(body): Json<SettingsBody>,
) -> Result<Json<SettingsBody>, Problem> {
    let may = |role| asking.caller.require(role);
    let settings = write_settings(&asking.desk(&deps), may, body.into()).await?;
    Ok(Json(settings.into()))
}
