//! A person changes a draft's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use nexus_engine::DraftId;
use nexus_engine::editing::{self, Edit, WordsEdit};
use nexus_engine::publishing::Network;
use nexus_handler::http::{Json, Problem};
use nexus_kernel::{Failure, Language};
use serde::Deserialize;
use utoipa::ToSchema;

use super::drafts::DraftView;
use crate::Deps;
use crate::asking::{Asking, Named};

const KNOWN_NETWORKS: &str = "choose `feed`, `tiktok`, `x` or `mastodon`";

/// What is to change; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DraftEdit)]
pub(crate) struct EditBody {
    /// The revision that the person saw: another one is not overwritten.
    #[serde(default)]
    revision: Option<u32>,
    /// By language.
    words: BTreeMap<String, WordsEditBody>,
}

/// What is to change of the words in one language; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WordsEdit)]
pub(crate) struct WordsEditBody {
    /// Captions, by network.
    #[serde(default)]
    captions: BTreeMap<String, String>,
    #[serde(default)]
    description: Option<String>,
    /// All of them, without their `#`.
    #[serde(default)]
    hashtags: Option<Vec<String>>,
    /// All of it, a sentence each. It is spoken and filmed anew.
    #[serde(default)]
    script: Option<Vec<String>>,
}

impl TryFrom<EditBody> for Edit {
    type Error = Failure;

    fn try_from(EditBody { revision, words }: EditBody) -> Result<Self, Failure> {
        let mut edit = Self { revision, words: BTreeMap::new() };
        for (code, body) in words {
            let field = format!("words.{code}");
            let language = Language::ALL.into_iter().find(|l| l.code() == code);
            let language = language.ok_or_else(|| Failure::field(&field, "choose `en` or `es`"))?;
            let WordsEditBody { captions, description, hashtags, script } = body;
            let captions = captions.into_iter().map(|(name, caption)| {
                let network = Network::ALL.into_iter().find(|n| n.name() == name);
                let unknown = || Failure::field(format!("{field}.captions.{name}"), KNOWN_NETWORKS);
                Ok((network.ok_or_else(unknown)?, caption))
            });
            let captions = captions.collect::<Result<_, Failure>>()?;
            let words = WordsEdit { captions, description, hashtags, script };
            edit.words.insert(language, words);
        }
        Ok(edit)
    }
}

/// Edit a draft's words
///
/// An approval of it is void then, and its posts that were not sent are called off. What was sent stays, as a post of
/// the earlier revision; while a post is being sent, or may have been, 409 says so.
#[utoipa::path(
    patch, path = "/v1/drafts/{id}", operation_id = "edit_draft", tag = "drafts",
    params(("id" = String, Path)),
    request_body = EditBody,
    responses((status = 200, body = DraftView))
)]
pub(crate) async fn edit(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<DraftId>,
    Json(body): Json<EditBody>,
) -> Result<Json<DraftView>, Problem> {
    let draft = editing::edit(&asking.desk(&deps), id, &body.try_into()?, &deps.narrate).await?;
    Ok(Json(DraftView::of(&deps, &asking, &draft).await?))
}
