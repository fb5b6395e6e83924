//! What the tenant's people do with an inquiry: somebody is put at it, it is settled, something is noted.
//!
//! **Never here:** answering whoever asked: no mail leaves from here.

use nexus_core::{Scope, Stored, Table, records};
use nexus_kernel::{Failure, Pii, Timestamp};

use super::inquiry::{Inquiry, InquiryId, InquiryNote, InquiryNoteId, InquiryState, inquiry_key};
use crate::desk::{Desk, TRIES};

/// The most characters of a note.
pub const MAX_NOTE_CHARS: usize = 1_000;
/// The most notes on one inquiry.
pub const MAX_NOTES: usize = 50;
/// The most characters of whom an inquiry is assigned to.
pub const MAX_ASSIGNEE_CHARS: usize = 80;

/// An inquiry, as it stands.
///
/// # Errors
/// There is none, or not any more; the store does not answer.
pub async fn find(
    table: &dyn Table,
    scope: &Scope,
    id: InquiryId,
    now: Timestamp,
) -> Result<Stored<Inquiry>, Failure> {
    let found = records::load::<Inquiry>(table, &inquiry_key(scope, id), now).await?;
    found.ok_or_else(|| Failure::not_found("inquiry"))
}

/// Puts somebody at an inquiry, or nobody. A new one is open from then on.
///
/// # Errors
/// There is no such inquiry; the name breaks a rule; others keep writing.
pub async fn assign(
    desk: &Desk<'_>,
    id: InquiryId,
    assignee: Option<&str>,
) -> Result<Inquiry, Failure> {
    let assignee = assignee.map(str::trim);
    let fits = |name: &str| {
        (1..=MAX_ASSIGNEE_CHARS).contains(&name.chars().count()) && !name.contains(char::is_control)
    };
    if !assignee.is_none_or(fits) {
        let problem = format!("write 1 to {MAX_ASSIGNEE_CHARS} characters on one line, or `null`");
        return Err(Failure::field("assignee", problem));
    }
    change(desk, id, |inquiry| {
        inquiry.assignee = assignee.map(str::to_owned);
        if inquiry.state == InquiryState::New && assignee.is_some() {
            inquiry.state = InquiryState::Open;
        }
        Ok(())
    })
    .await
}

/// Says how far an inquiry came.
///
/// # Errors
/// There is no such inquiry; one that was looked at would be new again; others keep writing.
pub async fn settle(
    desk: &Desk<'_>,
    id: InquiryId,
    state: InquiryState,
) -> Result<Inquiry, Failure> {
    change(desk, id, |inquiry| {
        if state == InquiryState::New && inquiry.state != state {
            return Err(Failure::field("state", "somebody has looked at it: it is not new again"));
        }
        inquiry.state = state;
        Ok(())
    })
    .await
}

/// Notes something under an id of its own: the same id twice is one note.
///
/// # Errors
/// There is no such inquiry; it has [`MAX_NOTES`] notes; the text breaks a rule; others keep writing.
pub async fn annotate(
    desk: &Desk<'_>,
    id: InquiryId,
    note: InquiryNoteId,
    text: &str,
) -> Result<Inquiry, Failure> {
    let text = text.trim();
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !(1..=MAX_NOTE_CHARS).contains(&text.chars().count()) || text.contains(odd) {
        return Err(Failure::field("text", format!("write 1 to {MAX_NOTE_CHARS} characters")));
    }
    let (by, at) = (desk.by.to_owned(), desk.now());
    let note = InquiryNote { id: note, at, by, text: Pii::new(text.to_owned()) };
    change(desk, id, |inquiry| {
        if inquiry.notes.iter().any(|other| other.id == note.id) {
            return Ok(());
        }
        if inquiry.notes.len() >= MAX_NOTES {
            return Err(Failure::conflict(format!(
                "This inquiry has {MAX_NOTES} notes, which is as many as there can be."
            )));
        }
        inquiry.notes.push(note.clone());
        Ok(())
    })
    .await
}

async fn change(
    desk: &Desk<'_>,
    id: InquiryId,
    deed: impl Fn(&mut Inquiry) -> Result<(), Failure>,
) -> Result<Inquiry, Failure> {
    for _ in 0..TRIES {
        let mut stored = find(desk.table, desk.scope, id, desk.now()).await?;
        let before = stored.record.clone();
        deed(&mut stored.record)?;
        if stored.record == before || desk.commit(vec![stored.update(desk.scope)]).await? {
            return Ok(stored.record);
        }
    }
    Err(Desk::crowded())
}
