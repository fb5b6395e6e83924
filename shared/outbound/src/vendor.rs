//! A third party as data: where it is, how it knows us, and what may go there.

use std::time::Duration;

/// A third party.
#[derive(Debug)]
pub struct Vendor {
    /// Its name in settings, the ledger, logs and the vault: `gemini`. The house's key stands in the vault under it:
    /// `a-z`, `0-9`, `-` and `_`.
    pub name: &'static str,
    /// Its address without a path, where no setting says otherwise: `https://api.example.com`.
    pub base: &'static str,
    /// The setting that replaces [`base`](Self::base): `GEMINI_BASE`.
    pub base_setting: &'static str,
    /// The other hosts that its answers may send us to (downloads); a leading `.` stands for any host below it.
    /// Together with the base's host this is the closed list: a request to any other host is refused (N35).
    pub hosts: &'static [&'static str],
    /// How it knows us.
    pub auth: Auth,
    /// The most tries in a second, per process and account: they leave evenly spaced. Under the house's key all tenants
    /// are one account. At least 1.
    pub per_second: u32,
    /// The most tries at once, per process and account. At least 1.
    pub at_once: usize,
}

/// How a vendor knows us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// By a key in a header, with what stands before it there: `authorization`, `Bearer `.
    Header {
        /// The header's name, in small letters.
        name: &'static str,
        /// What stands before the key.
        prefix: &'static str,
    },
    /// By the token of the account on whose behalf each request is sent
    /// ([`Request::authorization`](crate::Request::authorization)); the house has no key there.
    Account,
    /// Not at all.
    None,
}

/// What a vendor can be asked, and what may be sent with it.
#[derive(Debug)]
pub struct Operation {
    /// Its name in the ledger and in logs: `generate-content`.
    pub name: &'static str,
    /// Whether it may be sent again after its answer was lost.
    pub repeat: Repeat,
    /// Every field that may go out, and no other (N34): a path parameter as `:name`, a query parameter as `?name`, a
    /// field of the body by its path, `[]` for the members of a list: `contents[].parts[].text`. A body of bytes is
    /// the field `body`, an extra header whose value is not a constant of the program `header:name`. An empty object
    /// or list is a field that nobody has to name if something below it is named. A request with another field is
    /// refused before anything is sent.
    pub sends: &'static [&'static str],
    /// The most that one try takes, from connecting to the answer's last byte.
    pub try_within: Duration,
    /// The most that all tries take together; the caller's own deadline may be earlier.
    pub within: Duration,
    /// The most bytes of an answer, after decompression.
    pub max_answer: u64,
}

/// Whether a request may be sent again when nobody knows whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing outside and costs nothing that matters: again.
    Safe,
    /// The vendor recognises a repetition by the key in this header: again, with the same key.
    Keyed(&'static str),
    /// It would happen twice: never; what is unknown is looked up.
    Never,
}

/// The most bytes of an answer, unless the operation says otherwise.
pub const MAX_ANSWER: u64 = 10 * 1024 * 1024;
