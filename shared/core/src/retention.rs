//! How long each sort of record is kept: one exhaustive `match`, so that a new sort does not compile until
//! somebody has decided.
//!
//! **Never here:** deleting. The `retention-sweep` function does that.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What sort of record a row is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RecordKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl RecordKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The name that stands in the row.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The kind of that name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Who a tenant is.
    Account = "account",
    /// How a tenant wants things done.
    Settings = "settings",
    /// A product of a tenant's catalogue.
    Product = "product",
    /// An uploaded medium and what was found in it.
    Media = "media",
    /// Which medium of a tenant has a given content.
    ContentHash = "content-hash",
    /// Content on its way from a photo to an approval.
    Draft = "draft",
    /// Something that changes the world outside, and its life.
    Effect = "effect",
    /// An account at a network, without its tokens.
    Connection = "connection",
    /// The review links of a draft, and what was written by them.
    Reviews = "reviews",
    /// A short link of a post.
    Link = "link",
    /// Somebody went to a network to connect an account, and is expected back.
    Connecting = "connecting",
    /// How many posts an account had on a day: a counter.
    Pace = "pace",
    /// Something that a tenant has to be told.
    Notice = "notice",
    /// What nobody knows yet about an effect.
    Question = "question",
    /// A job that a third party was given by an effect, and how far it came.
    FootageJob = "footage-job",
    /// The result of a paid step, found by its digest.
    Cache = "cache",
    /// A message that has to be sent.
    Outbox = "outbox",
    /// Whose an outside id is.
    Claim = "claim",
    /// The answer to a request that may be repeated.
    Idempotency = "idempotency",
    /// Which record names a blob.
    BlobName = "blob-name",
    /// Blobs that a removal left to be deleted.
    Removal = "removal",
    /// Where a secret is kept and under which key it is sealed; never the value as it is used.
    Secret = "secret",
    /// How often something went to a third party, and what it used: a counter of the egress ledger.
    Egress = "egress",
    /// What a third party was paid in a month, or may yet be: a counter.
    Spending = "spending",
    /// What a tenant may spend with a third party in a month.
    SpendCap = "spend-cap",
    /// A click on a link: where and when, never who.
    Click = "click",
    /// How many clicks fell into an hour, by one of their sides: a counter.
    Tally = "tally",
    /// The clicks of one link on one day, counted anew from their rows.
    ClickDay = "click-day",
    /// A day of a link that has to be counted anew.
    Recount = "recount",
    /// Which clicks were written last, for whoever looks on.
    Live = "live",
    /// The name by which browsers present themselves, kept once.
    UserAgent = "user-agent",
    /// What somebody asked on a product's page.
    Inquiry = "inquiry",
    /// That an inquiry came, for telling its repetition, or how many came from one source; no address.
    InquiryTrace = "inquiry-trace",
    /// What somebody wrote under a published post.
    Comment = "comment",
    /// How far the comments of a post have been read.
    Listening = "listening",
    /// How many texts sounded how on a day: a counter.
    Mood = "mood",
    /// A person whose data may be kept and not worked on.
    Restriction = "restriction",
    /// What a sweep found and removed.
    Receipt = "receipt",
}

/// How long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Until the tenant removes it or the account ends.
    UntilRemoved,
    /// Until the moment that stands in the row, which the writer set from a setting.
    UntilExpiry,
    /// For so long after it was written.
    For(SignedDuration),
    /// Until its work is done, then deleted by whoever did it.
    UntilDone,
    /// For ever: nothing in it is about a person (N52).
    Indefinitely,
}

/// What holds for a sort of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How long it is kept.
    pub keep: Keep,
    /// Whether it may hold something about a person.
    pub personal: bool,
}

/// How long answers to repeatable requests are kept.
pub const IDEMPOTENCY_AGE: SignedDuration = SignedDuration::from_hours(24);
/// How long an upload may stay unused.
pub const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How long a blob may stand before a row has to name it: longer than the longest step.
pub const UNNAMED_BLOB_AGE: SignedDuration = SignedDuration::from_hours(1);
/// How long results of paid steps are kept where the tenant set nothing (N49).
pub const CACHE_AGE: SignedDuration = SignedDuration::from_hours(24);
/// How long the egress ledger and what was spent are kept after their month is over: twenty-five months, so that
/// every month can be laid beside that of the year before, and the year before that closed.
pub const LEDGER_AGE: SignedDuration = SignedDuration::from_hours(24 * 762);
/// How long somebody who went to connect an account is expected back.
pub const CONNECTING_AGE: SignedDuration = SignedDuration::from_mins(15);
/// How long a notice is kept.
pub const NOTICE_AGE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How long it can be looked up which clicks were written last.
pub const LIVE_AGE: SignedDuration = SignedDuration::from_hours(1);
/// How long receipts of sweeps are kept.
pub const RECEIPT_AGE: SignedDuration = SignedDuration::from_hours(24 * 90);

impl RecordKind {
    /// The rule for this sort of record.
    pub const fn rule(self) -> Rule {
        let (keep, personal) = match self {
            // The account's e-mail address and names.
            Self::Account => (Keep::UntilRemoved, true),
            Self::Settings | Self::Product => (Keep::UntilRemoved, false),
            // A picture and its embedded description may show and name people.
            Self::Media | Self::Draft => (Keep::UntilRemoved, true),
            Self::ContentHash | Self::BlobName | Self::Claim => (Keep::UntilRemoved, false),
            Self::Effect | Self::FootageJob => (Keep::UntilRemoved, true),
            Self::Question => (Keep::UntilDone, false),
            // Its label may name a person.
            Self::Connection => (Keep::UntilRemoved, true),
            // Names and words of whoever was asked to look.
            Self::Reviews => (Keep::UntilRemoved, true),
            Self::Link => (Keep::UntilRemoved, false),
            Self::Pace => (Keep::UntilExpiry, false),
            Self::Connecting => (Keep::For(CONNECTING_AGE), false),
            Self::Notice => (Keep::For(NOTICE_AGE), true),
            // The tokens of a person's account, sealed or elsewhere: until revoked or the account ends (N55).
            Self::Secret => (Keep::UntilRemoved, true),
            Self::Cache => (Keep::UntilExpiry, true),
            Self::Outbox | Self::Removal => (Keep::UntilDone, false),
            Self::Idempotency => (Keep::For(IDEMPOTENCY_AGE), true),
            // Names of fields and numbers, never what stood in a field (N34).
            Self::Egress | Self::Spending => (Keep::For(LEDGER_AGE), false),
            Self::SpendCap => (Keep::UntilRemoved, false),
            // Nothing in a click leads back to a person (decision 5 of the promises).
            Self::Click | Self::Tally | Self::ClickDay | Self::UserAgent => {
                (Keep::Indefinitely, false)
            }
            Self::Recount => (Keep::UntilDone, false),
            Self::Live => (Keep::For(LIVE_AGE), false),
            // One year to the day: the moment stands in the row (N51).
            Self::Inquiry => (Keep::UntilExpiry, true),
            Self::InquiryTrace => (Keep::UntilExpiry, false),
            Self::Comment => (Keep::UntilRemoved, true),
            Self::Listening => (Keep::UntilExpiry, false),
            Self::Mood => (Keep::UntilRemoved, false),
            Self::Restriction => (Keep::UntilRemoved, true),
            Self::Receipt => (Keep::For(RECEIPT_AGE), false),
        };
        Rule { keep, personal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::parse(kind.name()), Some(*kind));
        }
    }
}
