//! Content on its way to an approval, as a person sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use nexus_core::effect::EffectId;
use nexus_core::egress::Cost;
use nexus_core::records;
use nexus_core::table::{Index, Query};
use nexus_engine::catalogue::ProductId;
use nexus_engine::connections::ConnectionId;
use nexus_engine::draft::{Note, Words, draft_key, drafts_in};
use nexus_engine::film::Film;
use nexus_engine::footage::purchase::Footage;
use nexus_engine::narration::{Cue, Narration};
use nexus_engine::publishing::{Network, Proposal, propose};
use nexus_engine::tagging::{Label, LabelKind, ProductMatch};
use nexus_engine::{Draft, DraftId, MediaId, Stage};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Digest, Failure, Language, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::asking::{Asking, Named, missing};
use crate::files::{FileLink, Lender};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// Which drafts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichDrafts {
    /// Only those that came so far.
    #[param(schema_with = words::stage)]
    stage: Option<Stage>,
    /// How many at most: 1 to 100, else 20.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// Go on where a page ended: its `next`.
    after: Option<String>,
}

/// A draft, as a list shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DraftRow {
    #[schema(value_type = String)]
    id: DraftId,
    /// How far it came.
    #[schema(schema_with = words::stage)]
    stage: Stage,
    created: Timestamp,
    /// Counts edits.
    revision: u32,
    /// The medium that it was begun from.
    #[schema(value_type = String)]
    media: MediaId,
    vertical: String,
    /// The product that it is about.
    #[schema(value_type = Option<String>)]
    product: Option<ProductId>,
    /// What a person should know: what is missing, and what that costs.
    notes: Vec<NoteView>,
    /// What was approved of it.
    #[schema(value_type = Vec<String>)]
    posts: Vec<EffectId>,
}

impl From<&Draft> for DraftRow {
    fn from(draft: &Draft) -> Self {
        Self {
            id: draft.id,
            stage: draft.stage,
            created: draft.created,
            revision: draft.revision,
            media: draft.media,
            vertical: draft.vertical.clone(),
            product: draft.product,
            notes: draft.notes.iter().cloned().map(NoteView::from).collect(),
            posts: draft.posts.clone(),
        }
    }
}

/// Something that a person should know.
#[derive(Serialize, ToSchema)]
#[schema(as = Note)]
pub(crate) struct NoteView {
    /// A stable word.
    code: String,
    text: String,
}

impl From<Note> for NoteView {
    fn from(Note { code, text }: Note) -> Self {
        Self { code, text }
    }
}

/// What is told of the picture.
#[derive(Serialize, ToSchema)]
#[schema(as = Label)]
pub(crate) struct LabelView {
    name: String,
    #[schema(value_type = String)]
    kind: LabelKind,
    /// How sure its source is, 0 to 1.
    confidence: f64,
    source: String,
}

impl From<&Label> for LabelView {
    fn from(label: &Label) -> Self {
        let Label { name, kind, confidence, source } = label.clone();
        Self { name, kind, confidence, source }
    }
}

/// A product that fits the picture.
#[derive(Serialize, ToSchema)]
#[schema(as = ProductMatch)]
pub(crate) struct MatchView {
    #[schema(value_type = String)]
    product: ProductId,
    /// How well it fits, 0 to 1.
    score: f64,
    reasons: Vec<String>,
}

impl From<&ProductMatch> for MatchView {
    fn from(found: &ProductMatch) -> Self {
        let ProductMatch { product, score, reasons } = found.clone();
        Self { product, score, reasons }
    }
}

/// The words in one language.
#[derive(Serialize, ToSchema)]
#[schema(as = Words)]
pub(crate) struct WordsView {
    /// What stands with the post, by network; without the hashtags.
    #[schema(value_type = BTreeMap<String, String>)]
    captions: BTreeMap<Network, String>,
    /// A description for a product page.
    description: String,
    /// Without their `#`.
    hashtags: Vec<String>,
    /// What a video engine is asked for.
    video_prompt: String,
    /// What is spoken and shown, a sentence each.
    script: Vec<String>,
    /// Who wrote them.
    engine: String,
    /// Whether a person should look closely: a machine's rough translation.
    rough: bool,
}

impl From<&Words> for WordsView {
    fn from(words: &Words) -> Self {
        let Words { copy, engine, rough } = words.clone();
        Self {
            captions: copy.captions,
            description: copy.description,
            hashtags: copy.hashtags,
            video_prompt: copy.video_prompt,
            script: copy.script,
            engine,
            rough,
        }
    }
}

/// When a sentence is heard.
#[derive(Serialize, ToSchema)]
#[schema(as = Cue)]
pub(crate) struct CueView {
    text: String,
    start_ms: u64,
    end_ms: u64,
}

/// A narration in one language.
#[derive(Serialize, ToSchema)]
#[schema(as = Narration)]
pub(crate) struct NarrationView {
    track: FileLink,
    duration_ms: u64,
    /// LUFS (EBU R 128), measured.
    loudness_lufs: f64,
    cues: Vec<CueView>,
    engine: String,
}

/// A video in one language.
#[derive(Serialize, ToSchema)]
#[schema(as = Film)]
pub(crate) struct FilmView {
    video: FileLink,
    poster: FileLink,
    width: u32,
    height: u32,
    duration_ms: u64,
    engine: String,
}

/// Footage that was bought: a part of what is seen in the videos.
#[derive(Serialize, ToSchema)]
#[schema(as = FootageOfDraft)]
pub(crate) struct BoughtView {
    /// The purchase that it came of.
    #[schema(value_type = String)]
    purchase: EffectId,
    video: FileLink,
    width: u32,
    height: u32,
    duration_ms: u64,
    /// Who made it.
    engine: String,
    /// What was asked for.
    prompt: String,
    /// What it cost at most, in millionths of a US dollar.
    #[schema(value_type = i64)]
    at_most_micros: Cost,
}

/// A post that the draft would become.
#[derive(Serialize, ToSchema)]
#[schema(as = ProposedPost)]
pub(crate) struct ProposedView {
    #[schema(schema_with = words::language)]
    language: Language,
    #[schema(schema_with = words::network)]
    network: Network,
    /// To which account there.
    account: String,
    /// To the letter.
    text: String,
    /// The connection that it goes through; an approval's choices name it.
    #[schema(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// SHA-256 of its video, where it has one.
    #[schema(value_type = Option<String>)]
    video: Option<Digest>,
    /// SHA-256 of its picture, where it shows one and no video.
    #[schema(value_type = Option<String>)]
    picture: Option<Digest>,
}

/// Every post that the draft would become, and the digest over all of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Proposal)]
pub(crate) struct ProposalView {
    posts: Vec<ProposedView>,
    /// Networks of the settings to which nothing goes, because no account there is connected.
    #[schema(schema_with = words::networks)]
    unconnected: Vec<Network>,
    /// What an approval has to name: it holds for exactly this.
    #[schema(value_type = String)]
    digest: Digest,
}

/// A draft whole.
#[derive(Serialize, ToSchema)]
#[schema(as = Draft)]
pub(crate) struct DraftView {
    #[serde(flatten)]
    row: DraftRow,
    /// Who labelled the picture.
    label_engine: Option<String>,
    /// What is told of the picture, surest first.
    labels: Vec<LabelView>,
    /// The products that fit, best first.
    matches: Vec<MatchView>,
    /// By language.
    #[schema(value_type = BTreeMap<String, WordsView>)]
    words: BTreeMap<Language, WordsView>,
    /// By language.
    #[schema(value_type = BTreeMap<String, NarrationView>)]
    narrations: BTreeMap<Language, NarrationView>,
    /// By language.
    #[schema(value_type = BTreeMap<String, FilmView>)]
    films: BTreeMap<Language, FilmView>,
    /// What was bought for it, oldest first.
    footage: Vec<BoughtView>,
    /// Every purchase of footage that was asked for, whatever became of it.
    #[schema(value_type = Vec<String>)]
    purchases: Vec<EffectId>,
    /// What an approver decides on; absent while the line is at the draft and after a no.
    proposal: Option<ProposalView>,
}

impl DraftView {
    /// The draft as its tenant sees it now.
    pub(super) async fn of(deps: &Deps, asking: &Asking, draft: &Draft) -> Result<Self, Failure> {
        let now = deps.ambient.now();
        let lender = Lender::new(&*deps.blobs, now);
        let mut narrations = BTreeMap::new();
        for (language, narration) in &draft.narrations {
            narrations.insert(*language, narration_view(narration, &lender).await?);
        }
        let mut films = BTreeMap::new();
        for (language, film) in &draft.films {
            films.insert(*language, film_view(film, &lender).await?);
        }
        let mut footage = Vec::new();
        for bought in &draft.footage {
            footage.push(bought_view(bought, &lender).await?);
        }
        let proposal = match draft.stage {
            Stage::AwaitingApproval | Stage::Approved => {
                let ground = deps.ground(asking.scope(), draft).await?;
                Some(proposal_view(propose(draft, &ground)))
            }
            _ => None,
        };
        let labels = draft.labels.as_ref();
        Ok(Self {
            row: draft.into(),
            label_engine: labels.map(|l| l.engine.clone()),
            labels: labels.iter().flat_map(|l| &l.labels).map(LabelView::from).collect(),
            matches: draft.matches.iter().map(MatchView::from).collect(),
            words: draft.words.iter().map(|(language, w)| (*language, w.into())).collect(),
            narrations,
            films,
            footage,
            purchases: draft.purchases.clone(),
            proposal,
        })
    }
}

async fn narration_view(
    narration: &Narration,
    lender: &Lender<'_>,
) -> Result<NarrationView, Failure> {
    let Narration { track, duration_ms, loudness_lufs, cues, engine } = narration.clone();
    let cue = |Cue { text, start_ms, end_ms }| CueView { text, start_ms, end_ms };
    Ok(NarrationView {
        track: lender.lend(&track).await?,
        duration_ms,
        loudness_lufs,
        cues: cues.into_iter().map(cue).collect(),
        engine,
    })
}

async fn bought_view(bought: &Footage, lender: &Lender<'_>) -> Result<BoughtView, Failure> {
    let Footage { purchase, video, width, height, duration_ms, engine, prompt, at_most } =
        bought.clone();
    Ok(BoughtView {
        purchase,
        video: lender.lend(&video).await?,
        width,
        height,
        duration_ms,
        engine,
        prompt,
        at_most_micros: at_most,
    })
}

async fn film_view(film: &Film, lender: &Lender<'_>) -> Result<FilmView, Failure> {
    let Film { video, poster, width, height, duration_ms, engine } = film.clone();
    Ok(FilmView {
        video: lender.lend(&video).await?,
        poster: lender.lend(&poster).await?,
        width,
        height,
        duration_ms,
        engine,
    })
}

fn proposal_view(proposal: Proposal) -> ProposalView {
    let posts = proposal.posts.into_iter().map(|post| {
        let picture = post.media.as_ref().filter(|m| m.is_picture()).map(|m| m.digest);
        let video = post.media.as_ref().filter(|m| !m.is_picture()).map(|m| m.digest);
        ProposedView {
            language: post.language,
            network: post.network,
            account: post.account,
            connection: post.connection,
            text: post.text,
            video,
            picture,
        }
    });
    let (posts, digest) = (posts.collect(), proposal.digest);
    ProposalView { posts, unconnected: proposal.unconnected, digest }
}

/// The drafts, newest first
#[utoipa::path(
    get, path = "/v1/drafts", operation_id = "list_drafts", tag = "drafts",
    params(WhichDrafts),
    responses((status = 200, body = Listed<DraftRow>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(WhichDrafts { stage, limit, after }): Asked<WhichDrafts>,
) -> Result<Json<Listed<DraftRow>>, Problem> {
    let stages = stage.map_or_else(|| Stage::ALL.to_vec(), |stage| vec![stage]);
    let lists: Vec<Query> = stages
        .iter()
        .map(|stage| Query::of(Index::List, drafts_in(asking.scope(), *stage)))
        .collect();
    let page = PageOf { limit, after };
    let mut drafts = newest::<Draft>(&*deps.table, &lists, &page, deps.ambient.now()).await?;
    // The index may be late: a draft may have moved on.
    drafts.items.retain(|draft| stages.contains(&draft.stage));
    Ok(Json(drafts.map(|draft| DraftRow::from(&draft))))
}

/// A draft, with addresses by which its files may be read for an hour, and the digest that an approval has to name
#[utoipa::path(
    get, path = "/v1/drafts/{id}", operation_id = "read_draft", tag = "drafts",
    params(("id" = String, Path)),
    responses((status = 200, body = DraftView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(id): Named<DraftId>,
) -> Result<Json<DraftView>, Problem> {
    let key = draft_key(asking.scope(), id);
    let draft = records::load::<Draft>(&*deps.table, &key, deps.ambient.now()).await?;
    let draft = draft.ok_or_else(missing::<DraftId>)?.record;
    Ok(Json(DraftView::of(&deps, &asking, &draft).await?))
}
