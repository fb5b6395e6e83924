//! What people ask on a product's page: the page's code, what is kept of a question and for how long, how many come
//! from one source without keeping the source, the inbox, and people whose data may be kept and not worked on.
//!
//! Of whoever asks there is kept what they wrote: name, address, message. Where they wrote from is told by a keyed
//! digest that lives for minutes, under a salt that lives for a day ([`Salts`]).
//!
//! **Never here:** an address of a network, HTTP, how a text sounds (the `sentiment` function asks an engine).

mod asked;
mod email;
mod inbox;
mod inquiry;
mod page;
mod receiving;
mod restriction;
mod salts;
mod traces;

pub use asked::{Asked, Complaint, Field, MAX_MESSAGE_CHARS, MAX_NAME_CHARS, Question, Why};
pub use email::{Email, MAX_EMAIL_BYTES};
pub use inbox::{MAX_ASSIGNEE_CHARS, MAX_NOTE_CHARS, MAX_NOTES, annotate, assign, find, settle};
pub use inquiry::{
    Inquiry, InquiryId, InquiryNote, InquiryNoteId, InquiryState, Origin, inquiries, inquiry_key,
};
pub use page::{Page, claim_page, ensure_page, led_by, page_code, release_page};
pub use receiving::{Received, receive};
pub use restriction::{
    Lifted, Restriction, RestrictionId, lift, restrict, restricted, restricted_among, restrictions,
    unrestricted,
};
pub use salts::{MAX_OPEN, MIN_OPEN, QuestionMark, Salts, SourceMark, Waited};
pub use traces::{FROM_ONE_SOURCE, ON_ONE_PAGE, PAGE_WINDOW, SOURCE_WINDOW};
