//! Somebody without an account looks at a draft and says what they think, by a link that expires.
//!
//! A link is a code of 100 bits that is told once, to the person who made it; what is kept is its digest, in the
//! directory. Whoever has the link sees the draft's words and films and may leave notes. A note decides nothing: only an
//! approver approves. Notes stay here: they are no part of a post, go to no engine and to no network.
//!
//! **Never here:** a page; approving.

use jiff::SignedDuration;
use nexus_core::directory::OutsideKind;
use nexus_core::{Directory, Key, Op, Product, Record, RecordKind, Scope, Stored, Table, records};
use nexus_kernel::{Failure, Pii, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::desk::{Desk, TRIES};
use crate::draft::{Draft, DraftId, draft_key};
use crate::links::code::spelled;

nexus_kernel::id!(
    /// A review link.
    ReviewId,
    "rev_"
);

/// The longest that a link can hold, in days.
pub const MAX_DAYS: u32 = 30;
/// The most links of a draft, ended ones included.
pub const MAX_LINKS: usize = 20;
/// The most notes on a draft.
pub const MAX_NOTES: usize = 100;
/// The most characters of a note.
pub const MAX_NOTE_CHARS: usize = 2_000;
/// The most characters of a name.
pub const MAX_NAME_CHARS: usize = 80;

/// The characters of a code: 100 bits.
const CODE_CHARS: usize = 23;

/// What somebody thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may stay as it is.
    Fine,
    /// Something should be changed.
    Change,
    /// Only a remark.
    Remark,
}

/// A link that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewLink {
    /// Which.
    pub id: ReviewId,
    /// For whom, as its maker calls them.
    #[serde(with = "nexus_kernel::private::stored")]
    pub label: Pii<String>,
    /// Who made it: the person's id at the identity provider.
    pub by: String,
    /// When.
    pub made: Timestamp,
    /// Until then it opens the draft.
    pub until: Timestamp,
}

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewNote {
    /// When.
    pub at: Timestamp,
    /// By which link.
    pub link: ReviewId,
    /// On which edit of the draft.
    pub revision: u32,
    /// As they call themselves; may be empty.
    #[serde(with = "nexus_kernel::private::stored")]
    pub name: Pii<String>,
    /// What they think.
    pub verdict: Verdict,
    /// In their words; may be empty.
    #[serde(with = "nexus_kernel::private::stored")]
    pub text: Pii<String>,
}

/// The links of a draft, and what was written by them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviews {
    /// Of which draft.
    pub draft: DraftId,
    /// The links, oldest first.
    pub links: Vec<ReviewLink>,
    /// The notes, oldest first.
    pub notes: Vec<ReviewNote>,
}

impl Record for Reviews {
    const KIND: RecordKind = RecordKind::Reviews;

    fn key(&self, scope: &Scope) -> Key {
        reviews_key(scope, self.draft)
    }
}

/// Where the reviews of a draft stand.
pub fn reviews_key(scope: &Scope, draft: DraftId) -> Key {
    scope.key("reviews", draft.to_string())
}

/// The reviews of a draft.
///
/// # Errors
/// The store does not answer.
pub async fn of(
    table: &dyn Table,
    scope: &Scope,
    draft: DraftId,
    now: Timestamp,
) -> Result<Reviews, Failure> {
    let stored = records::load::<Reviews>(table, &reviews_key(scope, draft), now).await?;
    let none = || Reviews { draft, links: Vec::new(), notes: Vec::new() };
    Ok(stored.map_or_else(none, |stored| stored.record))
}

/// Makes a link; its code is told here and never again.
///
/// # Errors
/// There is no such draft; it has [`MAX_LINKS`] links; a field breaks a rule.
pub async fn invite(
    desk: &Desk<'_>,
    draft: DraftId,
    label: &str,
    days: u32,
) -> Result<(ReviewLink, Secret<String>), Failure> {
    let Desk { table, scope, .. } = *desk;
    let label = one_line("label", label)?;
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Failure::field("days", format!("choose 1 to {MAX_DAYS}")));
    }
    for _ in 0..TRIES {
        let now = desk.now();
        existing(table, scope, draft, now).await?;
        let lives = SignedDuration::from_hours(24 * i64::from(days));
        let link = ReviewLink {
            id: ReviewId::draw(&*desk.ambient.ids),
            label: Pii::new(label.clone()),
            by: desk.by.to_owned(),
            made: now,
            until: now.saturating_add(lives).unwrap_or(Timestamp::MAX),
        };
        let code = code(desk);
        let target = format!("{draft} {}", link.id);
        let directory = Directory::of(scope.product());
        let claim =
            directory.claim_until(scope, OutsideKind::Review, code.reveal(), &target, link.until);
        let stored = records::load::<Reviews>(table, &reviews_key(scope, draft), now).await?;
        let write = match stored {
            None => {
                let links = vec![link.clone()];
                records::create(scope, &Reviews { draft, links, notes: Vec::new() })
            }
            Some(mut stored) => {
                if stored.record.links.len() >= MAX_LINKS {
                    return Err(Failure::conflict(format!(
                        "This draft has {MAX_LINKS} review links, which is as many as there can be."
                    )));
                }
                stored.record.links.push(link.clone());
                stored.update(scope)
            }
        };
        if desk.commit(vec![write, claim]).await? {
            return Ok((link, code));
        }
    }
    Err(Desk::crowded())
}

/// Ends a link at once. Ending it twice is once.
///
/// # Errors
/// There is no such link.
pub async fn end(desk: &Desk<'_>, draft: DraftId, id: ReviewId) -> Result<ReviewLink, Failure> {
    let key = reviews_key(desk.scope, draft);
    for _ in 0..TRIES {
        let now = desk.now();
        let stored = records::load::<Reviews>(desk.table, &key, now).await?;
        let mut stored = stored.ok_or_else(|| Failure::not_found("review link"))?;
        let link = stored.record.links.iter_mut().find(|link| link.id == id);
        let link = link.ok_or_else(|| Failure::not_found("review link"))?;
        if link.until <= now {
            return Ok(link.clone());
        }
        link.until = now;
        let ended = link.clone();
        if desk.commit(vec![stored.update(desk.scope)]).await? {
            return Ok(ended);
        }
    }
    Err(Desk::crowded())
}

/// What a link opens.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Whose draft it is.
    pub scope: Scope,
    /// The link.
    pub link: ReviewLink,
    /// The draft as it stands.
    pub draft: Draft,
}

/// What is behind a code; the same for one that never was, has expired or was ended.
///
/// # Errors
/// The link opens nothing; the store does not answer.
pub async fn open(
    table: &dyn Table,
    product: Product,
    code: &Secret<String>,
    now: Timestamp,
) -> Result<Opened, Failure> {
    let gone = || Failure::not_found("review link");
    let directory = Directory::of(product);
    let found = directory.resolve(table, OutsideKind::Review, code.reveal(), now).await?;
    let (scope, target) = found.ok_or_else(gone)?;
    let (draft, link) = target.split_once(' ').ok_or_else(gone)?;
    let draft = DraftId::parse(draft).map_err(|_| gone())?;
    let reviews = of(table, &scope, draft, now).await?;
    let is_open = |l: &ReviewLink| l.id.to_string() == link && now < l.until;
    let link = reviews.links.into_iter().find(is_open).ok_or_else(gone)?;
    let draft = records::load::<Draft>(table, &draft_key(&scope, draft), now).await?;
    Ok(Opened { scope, link, draft: draft.ok_or_else(gone)?.record })
}

/// What somebody wrote, as it came.
#[derive(Debug, Clone)]
pub struct Said {
    /// The edit of the draft that they saw.
    pub revision: u32,
    /// As they call themselves; may be empty.
    pub name: Pii<String>,
    /// What they think.
    pub verdict: Verdict,
    /// In their words.
    pub text: Pii<String>,
}

impl Said {
    /// The same, trimmed and within its limits.
    ///
    /// # Errors
    /// The field that breaks a rule; nothing that was written is told.
    pub fn checked(self) -> Result<Self, Failure> {
        let (name, text) = (self.name.reveal().trim(), self.text.reveal().trim());
        if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            let problem = format!("write at most {MAX_NAME_CHARS} characters on one line");
            return Err(Failure::field("name", problem));
        }
        let odd = |c: char| c.is_control() && c != '\n' && c != '\r';
        if text.chars().count() > MAX_NOTE_CHARS || text.chars().any(odd) {
            let problem = format!("write at most {MAX_NOTE_CHARS} characters");
            return Err(Failure::field("text", problem));
        }
        if text.is_empty() && self.verdict != Verdict::Fine {
            return Err(Failure::field("text", "write what should be changed, or what you think"));
        }
        let (name, text) = (Pii::new(name.to_owned()), Pii::new(text.to_owned()));
        Ok(Self { name, text, ..self })
    }
}

/// Keeps a note. The same note by the same link twice is one.
///
/// # Errors
/// The draft has [`MAX_NOTES`] notes; a field breaks a rule; others keep writing.
pub async fn note(
    table: &dyn Table,
    opened: &Opened,
    said: Said,
    now: Timestamp,
) -> Result<(), Failure> {
    let Said { revision, name, verdict, text } = said.checked()?;
    let (scope, link) = (&opened.scope, opened.link.id);
    let note = ReviewNote { at: now, link, revision, name, verdict, text };
    let same = |other: &ReviewNote| ReviewNote { at: now, ..other.clone() } == note;
    for _ in 0..TRIES {
        let key = reviews_key(scope, opened.draft.id);
        let stored: Option<Stored<Reviews>> = records::load(table, &key, now).await?;
        let mut stored = stored.ok_or_else(|| Failure::not_found("review link"))?;
        if stored.record.notes.iter().any(same) {
            return Ok(());
        }
        if stored.record.notes.len() >= MAX_NOTES {
            return Err(Failure::conflict(
                "There are as many notes on this draft as there can be. Please write to its owner.",
            ));
        }
        stored.record.notes.push(note.clone());
        let ops: Vec<Op> = vec![stored.update(scope)];
        if table.commit(ops, None).await.is_ok() {
            return Ok(());
        }
    }
    Err(Desk::crowded())
}

async fn existing(
    table: &dyn Table,
    scope: &Scope,
    draft: DraftId,
    now: Timestamp,
) -> Result<(), Failure> {
    let draft = records::load::<Draft>(table, &draft_key(scope, draft), now).await?;
    draft.map(drop).ok_or_else(|| Failure::not_found("draft"))
}

fn one_line(field: &str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let fits = (1..=MAX_NAME_CHARS).contains(&text.chars().count());
    if fits && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Failure::field(field, format!("write 1 to {MAX_NAME_CHARS} characters on one line")))
}

fn code(desk: &Desk<'_>) -> Secret<String> {
    let mut drawn = Zeroizing::new([0; 32]);
    desk.ambient.chance.fill(drawn.as_mut());
    Secret::new(spelled(&[&hex::encode(*drawn)], CODE_CHARS))
}
