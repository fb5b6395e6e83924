//! What is kept of a question (N12): these fields and no other, for one year to the day (N51).

use jiff::ToSpan;
use jiff::tz::TimeZone;
use nexus_core::effect::EffectId;
use nexus_core::sweep::moment;
use nexus_core::table::{Index, IndexEntry, Query};
use nexus_core::{Key, Record, RecordKind, Scope};
use nexus_kernel::{Pii, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalogue::ProductId;
use crate::sentiment::Verdict;

nexus_kernel::id!(
    /// An inquiry.
    InquiryId,
    "inq_"
);

nexus_kernel::id!(
    /// A note that somebody of the tenant left on an inquiry.
    InquiryNoteId,
    "inn_"
);

/// How far an inquiry came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InquiryState {
    /// Nobody has looked at it.
    New,
    /// Somebody is at it.
    Open,
    /// It was answered.
    Answered,
    /// Nothing more is to be done.
    Closed,
}

impl InquiryState {
    /// All of them, in the order of an inquiry's life.
    pub const ALL: [Self; 4] = [Self::New, Self::Open, Self::Answered, Self::Closed];

    /// The word in lists and addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Closed => "closed",
        }
    }
}

/// From where somebody came to the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The code of the link that they followed: one of the tenant's own.
    pub link: String,
    /// The post that it stands in, if in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<EffectId>,
}

/// What somebody of the tenant noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InquiryNote {
    /// Which.
    pub id: InquiryNoteId,
    /// When.
    pub at: Timestamp,
    /// Who: the person's id at the identity provider.
    pub by: String,
    /// In their words.
    #[serde(with = "nexus_kernel::private::stored")]
    pub text: Pii<String>,
}

/// What somebody asked. It has no network address, no browser's name, and nothing else of who they are than what they
/// wrote themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inquiry {
    /// Which.
    pub id: InquiryId,
    /// As they call themselves.
    #[serde(with = "nexus_kernel::private::stored")]
    pub name: Pii<String>,
    /// Where an answer may go, as they wrote it.
    #[serde(with = "nexus_kernel::private::stored")]
    pub email: Pii<String>,
    /// What they asked.
    #[serde(with = "nexus_kernel::private::stored")]
    pub message: Pii<String>,
    /// About which product.
    pub product: ProductId,
    /// When.
    pub at: Timestamp,
    /// From where they came, if by a link of the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// How it sounds, once somebody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Verdict>,
    /// How far it came.
    pub state: InquiryState,
    /// Who of the tenant is at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// What the tenant's people noted, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<InquiryNote>,
}

impl Record for Inquiry {
    const KIND: RecordKind = RecordKind::Inquiry;

    fn key(&self, scope: &Scope) -> Key {
        inquiry_key(scope, self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(a_year_after(self.at))
    }

    fn list(&self, scope: &Scope) -> Option<IndexEntry> {
        Some(IndexEntry {
            partition: listed(scope, self.state),
            sort: format!("{}#{}", moment(self.at), self.id),
        })
    }
}

pub(super) const INQUIRIES: &str = "inquiry";

/// Where an inquiry stands.
pub fn inquiry_key(scope: &Scope, id: InquiryId) -> Key {
    scope.key(INQUIRIES, id.to_string())
}

/// A tenant's inquiries in one state, newest first.
pub fn inquiries(scope: &Scope, state: InquiryState) -> Query {
    Query::of(Index::List, listed(scope, state)).newest_first()
}

fn listed(scope: &Scope, state: InquiryState) -> String {
    scope.partition(&format!("inq#{}", state.name()))
}

/// The same time of the same date of the next year, by UTC's calendar; of 29 February, of the 28th.
fn a_year_after(at: Timestamp) -> Timestamp {
    let year = at.to_zoned(TimeZone::UTC).checked_add(1.year());
    year.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn n51_a_year_is_a_year_by_the_calendar() {
        for (came, goes, days) in [
            ("2027-03-01T09:00:00.123Z", "2028-03-01T09:00:00.123Z", 366),
            ("2027-02-28T23:59:59Z", "2028-02-28T23:59:59Z", 365),
            // A year that has no 29 February ends it on the 28th: it is never kept for longer than a year.
            ("2028-02-29T12:00:00Z", "2029-02-28T12:00:00Z", 365),
            ("2028-02-28T00:00:00Z", "2029-02-28T00:00:00Z", 366),
            ("2026-12-31T23:59:59.999Z", "2027-12-31T23:59:59.999Z", 365),
        ] {
            let ends = a_year_after(at(came));
            assert_eq!(ends, at(goes), "{came}");
            assert_eq!(ends.duration_since(at(came)).as_hours(), days * 24, "{came}");
        }
        assert_eq!(a_year_after(Timestamp::MAX), Timestamp::MAX);
    }
}
