//! What a person changes of a draft: its words, or a no to all of it.
//!
//! An edit counts the draft's revision up and withdraws what was approved of it. New captions, descriptions and
//! hashtags wait for approval at once; a new script is spoken and filmed anew first, so the sound and the video of
//! its language are dropped.

use std::collections::{BTreeMap, BTreeSet};

use nexus_core::outbox::Outgoing;
use nexus_core::{BlobKey, Sender, records};
use nexus_kernel::{Failure, FieldProblem, Language};

use crate::account::{Settings, settings_key};
use crate::blob_names;
use crate::copy::{Copy, limits};
use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, Stage, Words, draft_key};
use crate::hops::{Hop, Step};
use crate::publishing::{self, Network};

/// Who wrote words that a person wrote.
pub const A_PERSON: &str = "a person";
/// The most characters of a reason for a no.
pub const MAX_REASON_CHARS: usize = 500;

/// What a person wants changed of the words in one language; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordsEdit {
    /// Captions, for these networks.
    pub captions: BTreeMap<Network, String>,
    /// The description.
    pub description: Option<String>,
    /// All hashtags, without their `#`.
    pub hashtags: Option<Vec<String>>,
    /// The whole script, a sentence each.
    pub script: Option<Vec<String>>,
}

/// What a person wants changed of a draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The revision that the person saw: another one is not overwritten. `None` does not look.
    pub revision: Option<u32>,
    /// The words by language.
    pub words: BTreeMap<Language, WordsEdit>,
}

/// What an edit means for the rest of the draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Blobs that the draft no longer names.
    pub dropped: BTreeSet<BlobKey>,
    /// Whether a script changed, so that it has to be spoken and filmed anew.
    pub respeak: bool,
}

/// Changes the words of a draft, which waits for approval or for a new voice then; `None` where nothing changes.
/// The posts are the caller's matter.
///
/// # Errors
/// A step of the line is at the draft; somebody else edited it; the words break a rule.
pub fn apply(
    draft: &mut Draft,
    edit: &Edit,
    networks: &[Network],
) -> Result<Option<Changed>, Failure> {
    let mut words = draft.words.clone();
    let mut problems = Vec::new();
    for (language, edit) in &edit.words {
        let Some(words) = words.get_mut(language) else {
            let problem = "the draft has no words in this language".to_owned();
            problems.push(FieldProblem { field: format!("words.{language}"), problem });
            continue;
        };
        let copy = changed(&words.copy, edit);
        if copy != words.copy {
            problems.extend(check(*language, &copy, networks));
            *words = Words { copy, engine: A_PERSON.to_owned(), rough: false };
        }
    }
    if words == draft.words && problems.is_empty() {
        return Ok(None);
    }
    finished(draft)?;
    if !problems.is_empty() {
        return Err(Failure::invalid("Some words need another value.").with_fields(problems));
    }
    if edit.revision.is_some_and(|seen| seen != draft.revision) {
        return Err(Failure::conflict(
            "This is not what you saw: it was edited meanwhile. Look again, then edit.",
        ));
    }
    let mut changed = Changed::default();
    for (language, new) in &words {
        let before = draft.words.get(language).map(|w| &w.copy.script);
        if before == Some(&new.copy.script) {
            continue;
        }
        changed.respeak = true;
        changed.dropped.extend(draft.narrations.remove(language).map(|n| n.track.key));
        changed.dropped.extend(
            draft.films.remove(language).into_iter().flat_map(|f| [f.video.key, f.poster.key]),
        );
    }
    draft.words = words;
    draft.revision = draft.revision.saturating_add(1);
    draft.stage = if changed.respeak { Stage::Narrating } else { Stage::AwaitingApproval };
    Ok(Some(changed))
}

/// Whether the line is done with a draft.
fn finished(draft: &Draft) -> Result<(), Failure> {
    if draft.stage >= Stage::AwaitingApproval {
        return Ok(());
    }
    Err(Failure::conflict(format!(
        "The draft is still `{}`: wait until it is `{}`.",
        draft.stage.name(),
        Stage::AwaitingApproval.name()
    )))
}

fn changed(copy: &Copy, edit: &WordsEdit) -> Copy {
    let mut copy = copy.clone();
    let edit = edit.clone();
    copy.captions.extend(edit.captions);
    copy.description = edit.description.unwrap_or(copy.description);
    copy.hashtags = edit.hashtags.unwrap_or(copy.hashtags);
    copy.script = edit.script.unwrap_or(copy.script);
    copy
}

fn check(language: Language, copy: &Copy, networks: &[Network]) -> Vec<FieldProblem> {
    let Err(failure) = limits::check(copy, networks) else { return Vec::new() };
    let within = format!("words.{language}");
    if failure.fields().is_empty() {
        return vec![FieldProblem { field: within, problem: failure.public().to_owned() }];
    }
    let name = |p: &FieldProblem| FieldProblem {
        field: format!("{within}.{}", p.field),
        problem: p.problem.clone(),
    };
    failure.fields().iter().map(name).collect()
}

/// Edits a draft's words, withdrawing what was approved of it; the draft as it is then. The same edit again changes
/// nothing.
///
/// # Errors
/// As [`apply`]; there is no such draft; one of its posts is being sent, or may have been.
pub async fn edit(
    desk: &Desk<'_>,
    id: DraftId,
    edit: &Edit,
    narrate: &Sender,
) -> Result<Draft, Failure> {
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let draft = records::load::<Draft>(table, &draft_key(scope, id), now).await?;
        let mut draft = draft.ok_or_else(|| Failure::not_found("draft"))?;
        let settings = records::load::<Settings>(table, &settings_key(scope), now).await?;
        let networks = settings.map(|s| s.record).unwrap_or_default().networks;
        let Some(changed) = apply(&mut draft.record, edit, &networks)? else {
            return Ok(draft.record);
        };
        let why = "the draft was edited";
        let mut ops =
            publishing::withdraw(table, scope, &mut draft.record, desk.by, why, now).await?;
        ops.extend(changed.dropped.iter().map(|blob| blob_names::forget(scope, blob)));
        let mut messages = Vec::new();
        if changed.respeak {
            let step = Step { draft: id };
            let message =
                Outgoing::new(scope, Hop::Narrate.name(), &step, desk.trace, desk.ambient)?;
            ops.push(message.op(scope));
            messages.push(message);
        }
        ops.push(draft.update(scope));
        if desk.commit(ops).await? {
            desk.pass_on(&messages, narrate).await;
            return Ok(draft.record);
        }
    }
    Err(Desk::crowded())
}

/// Says no to a draft, withdrawing what was approved of it; the draft as it is then. A later edit takes it up
/// again. Saying no twice is one no.
///
/// # Errors
/// There is no such draft; a step of the line is at it; one of its posts is being sent, or may have been; the reason is
/// too long.
pub async fn reject(desk: &Desk<'_>, id: DraftId, reason: Option<&str>) -> Result<Draft, Failure> {
    let Desk { table, scope, .. } = *desk;
    let reason = reason.map(str::trim).filter(|r| !r.is_empty());
    if reason.is_some_and(|r| r.chars().count() > MAX_REASON_CHARS) {
        return Err(Failure::field(
            "reason",
            format!("write at most {MAX_REASON_CHARS} characters"),
        ));
    }
    for _ in 0..TRIES {
        let now = desk.now();
        let draft = records::load::<Draft>(table, &draft_key(scope, id), now).await?;
        let mut draft = draft.ok_or_else(|| Failure::not_found("draft"))?;
        finished(&draft.record)?;
        if draft.record.stage == Stage::Rejected {
            return Ok(draft.record);
        }
        let why = reason.unwrap_or("the draft was rejected");
        let mut ops =
            publishing::withdraw(table, scope, &mut draft.record, desk.by, why, now).await?;
        draft.record.stage = Stage::Rejected;
        if let Some(reason) = reason {
            draft.record.note("rejected", reason);
        }
        ops.push(draft.update(scope));
        if desk.commit(ops).await? {
            return Ok(draft.record);
        }
    }
    Err(Desk::crowded())
}
