//! The words that a field may be, for the description of the API: each list comes from the code that reads it.

use nexus_core::effect::State;
use nexus_engine::Stage;
use nexus_engine::clicks::DeviceClass;
use nexus_engine::providers::{CopyProvider, FootageProvider, SpeechProvider};
use nexus_engine::publishing::Network;
use nexus_engine::scheduling::Day;
use nexus_kernel::Language;
use utoipa::openapi::schema::{
    Array, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, Type,
};

fn one_of<T: serde::Serialize>(words: impl IntoIterator<Item = T>) -> Object {
    let words: Vec<_> = words.into_iter().filter_map(|w| serde_json::to_value(w).ok()).collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

pub(crate) fn language() -> Object {
    one_of(Language::ALL)
}

pub(crate) fn network() -> Object {
    one_of(Network::ALL)
}

pub(crate) fn copy_provider() -> Object {
    one_of([CopyProvider::Template, CopyProvider::Gemini])
}

pub(crate) fn speech_provider() -> Object {
    one_of([SpeechProvider::House, SpeechProvider::ElevenLabs])
}

pub(crate) fn footage_provider() -> Object {
    one_of([FootageProvider::Veo, FootageProvider::Runway, FootageProvider::Luma])
}

pub(crate) fn devices() -> Array {
    ArrayBuilder::new().items(one_of(DeviceClass::ALL)).unique_items(true).build()
}

pub(crate) fn stage() -> Object {
    one_of(Stage::ALL)
}

pub(crate) fn post_state() -> Object {
    one_of(State::ALL)
}

pub(crate) fn day() -> Object {
    one_of(Day::ALL)
}

pub(crate) fn days() -> Array {
    ArrayBuilder::new().items(day()).min_items(Some(1)).unique_items(true).build()
}

/// `{"day": 31}`, or `"last"`.
pub(crate) fn day_of_month() -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let number = number.minimum(Some(1)).maximum(Some(31)).build();
    let day = ObjectBuilder::new().property("day", number).required("day");
    OneOfBuilder::new().item(day).item(one_of(["last"])).build().into()
}

pub(crate) fn notice_code() -> Object {
    one_of(nexus_engine::notices::NoticeCode::ALL)
}

pub(crate) fn inquiry_state() -> Object {
    one_of(nexus_engine::inquiries::InquiryState::ALL)
}

pub(crate) fn sentiment_label() -> Object {
    one_of(nexus_engine::sentiment::Label::ALL)
}

pub(crate) fn verdict() -> Object {
    use nexus_engine::reviewing::Verdict::{Change, Fine, Remark};
    one_of([Fine, Change, Remark])
}

pub(crate) fn sentiment() -> Object {
    one_of(nexus_engine::sentiment::Label::ALL)
}

pub(crate) fn networks() -> Array {
    ArrayBuilder::new().items(network()).build()
}

pub(crate) fn privacies() -> Array {
    ArrayBuilder::new().items(privacy()).build()
}

pub(crate) fn privacy() -> Object {
    use nexus_engine::publishing::Privacy::{Everyone, Followers, Friends, OnlyMe};
    one_of([Everyone, Followers, Friends, OnlyMe])
}

/// A field that says `null` where nothing was chosen.
pub(crate) fn privacy_if_any() -> Schema {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(null).item(privacy()).build().into()
}

pub(crate) fn upload_type() -> Object {
    one_of(nexus_engine::uploading::ACCEPTED.map(|(name, _)| name))
}

pub(crate) fn currency() -> Object {
    let three = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Z]{3}$"));
    three.description(Some("An ISO 4217 currency.")).build()
}
