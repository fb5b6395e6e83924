//! Who a tenant is, and how they want things done.

use jiff::SignedDuration;
use nexus_core::retention::CACHE_AGE;
use nexus_core::{Key, Record, RecordKind, Role, Scope, Stored, records};
use nexus_kernel::{Failure, FieldProblem, Language, Pii};
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, TRIES};
use crate::links::LinkDefaults;
use crate::providers::Providers;
use crate::publishing::Network;
use crate::scheduling::{MOST_SLOTS, Slot};

/// What is kept of an account: these five and nothing else (N2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Where notices go.
    #[serde(with = "nexus_kernel::private::stored")]
    pub email: Pii<String>,
    /// The business's name.
    pub business_name: String,
    /// What it does, for example `coffee shop`.
    pub niche: String,
    /// How it speaks, in its own words: `warm, a little playful`.
    pub brand_voice: String,
    /// How it is addressed.
    pub display_name: String,
}

impl Record for Account {
    const KIND: RecordKind = RecordKind::Account;

    fn key(&self, scope: &Scope) -> Key {
        account_key(scope)
    }
}

/// Where a tenant's account stands.
pub fn account_key(scope: &Scope) -> Key {
    scope.key("tenant", "account")
}

/// Where a tenant's settings stand.
pub fn settings_key(scope: &Scope) -> Key {
    scope.key("tenant", "settings")
}

impl Account {
    /// # Errors
    /// Every field that breaks a rule.
    pub fn check(&self) -> Result<(), Failure> {
        let mut problems = Vec::new();
        let mut text = |field: &str, value: &str, max: usize| {
            let length = value.chars().count();
            if value.trim().is_empty() || length > max || value.chars().any(char::is_control) {
                problems.push(FieldProblem {
                    field: field.to_owned(),
                    problem: format!("write 1 to {max} characters on one line"),
                });
            }
        };
        text("business_name", &self.business_name, 120);
        text("niche", &self.niche, 80);
        text("brand_voice", &self.brand_voice, 400);
        text("display_name", &self.display_name, 80);
        let email = self.email.reveal();
        let (user, host) = email.rsplit_once('@').unwrap_or_default();
        if user.is_empty()
            || !host.contains('.')
            || email.len() > 254
            || email.contains(char::is_whitespace)
        {
            problems.push(FieldProblem {
                field: "email".into(),
                problem: "write an address such as owner@example.com".into(),
            });
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid("Some fields need another value.").with_fields(problems))
    }
}

/// How a tenant wants things done. Everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The languages of posts; English is always made, being the source.
    pub languages: Vec<Language>,
    /// Where posts go.
    pub networks: Vec<Network>,
    /// Words that no step may change: names of the brand and its products.
    pub brand_terms: Vec<String>,
    /// How many hours results of paid steps are kept, 1 to 720 (N50).
    pub cache_hours: u32,
    /// The tenant's time zone, an IANA name.
    pub time_zone: String,
    /// When in a week the tenant likes to post, by the clocks of that zone; at most [`MOST_SLOTS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
    /// Which engine does what.
    pub providers: Providers,
    /// What short links do that say nothing else.
    #[serde(skip_serializing_if = "LinkDefaults::is_empty")]
    pub links: LinkDefaults,
    /// Whether comments are read where their network charges for it (X).
    pub paid_comments: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            languages: Language::ALL.to_vec(),
            networks: vec![Network::Feed],
            brand_terms: Vec::new(),
            cache_hours: u32::try_from(CACHE_AGE.as_hours()).unwrap_or(24),
            time_zone: "UTC".into(),
            slots: Vec::new(),
            providers: Providers::default(),
            links: LinkDefaults::default(),
            paid_comments: false,
        }
    }
}

impl Record for Settings {
    const KIND: RecordKind = RecordKind::Settings;

    fn key(&self, scope: &Scope) -> Key {
        settings_key(scope)
    }
}

impl Settings {
    /// How long results of paid steps are kept.
    pub fn cache_age(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.cache_hours.clamp(1, 720)))
    }

    /// # Errors
    /// Every field that breaks a rule.
    pub fn check(&self) -> Result<(), Failure> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, problem: &str| {
            problems.push(FieldProblem { field: field.into(), problem: problem.into() });
        };
        if !self.languages.contains(&Language::En) {
            refuse("languages", "`en` is the source language and must be among them");
        }
        let twice = |codes: Vec<&str>| {
            codes.iter().enumerate().any(|(at, c)| codes.iter().take(at).any(|d| d == c))
        };
        if twice(self.languages.iter().map(|l| l.code()).collect()) {
            refuse("languages", "name each once");
        }
        if twice(self.networks.iter().map(|n| n.name()).collect()) {
            refuse("networks", "name each once");
        }
        if twice(self.providers.speech.iter().map(|p| p.name()).collect()) {
            refuse("providers.speech", "name each once");
        }
        if self.networks.is_empty() {
            refuse("networks", "name at least one, for example `feed`");
        }
        if !(1..=720).contains(&self.cache_hours) {
            refuse("cache_hours", "choose 1 to 720 hours");
        }
        if self.brand_terms.len() > 50
            || self.brand_terms.iter().any(|t| t.trim().is_empty() || t.chars().count() > 80)
        {
            refuse("brand_terms", "at most 50 terms of 1 to 80 characters");
        }
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            refuse("time_zone", "write an IANA name such as `Europe/Madrid`");
        }
        if self.slots.len() > MOST_SLOTS {
            refuse("slots", &format!("at most {MOST_SLOTS} times of a week"));
        }
        if self.slots.iter().any(|slot| !slot.is_whole_minute()) {
            refuse("slots", "write hours and minutes, such as `09:00`");
        }
        if self.slots.iter().enumerate().any(|(at, s)| self.slots.iter().take(at).any(|t| t == s)) {
            refuse("slots", "name each time once");
        }
        problems.extend(self.links.problems());
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid("Some settings need another value.").with_fields(problems))
    }
}

/// Writes the settings. Writing what stands changes nothing.
///
/// # Errors
/// A field breaks a rule; what short links do is changed by somebody who may not approve: posts that an approver has
/// seen lead by it.
pub async fn write_settings(
    desk: &Desk<'_>,
    may: impl Fn(Role) -> Result<(), Failure>,
    settings: Settings,
) -> Result<Settings, Failure> {
    settings.check()?;
    for _ in 0..TRIES {
        let stands = records::load(desk.table, &settings_key(desk.scope), desk.now()).await?;
        let links = stands.as_ref().map(|stands: &Stored<Settings>| stands.record.links.clone());
        if links.unwrap_or_default() != settings.links {
            may(Role::Approver)?;
        }
        let written = match stands {
            Some(stands) if stands.record == settings => return Ok(settings),
            Some(stands) => Stored { record: settings.clone(), ..stands }.update(desk.scope),
            None => records::create(desk.scope, &settings),
        };
        if desk.commit(vec![written]).await? {
            return Ok(settings);
        }
    }
    Err(Desk::crowded())
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;
    use crate::scheduling::Day;

    #[test]
    fn settings_that_were_written_before_there_were_slots_still_read() {
        let mut row = serde_json::to_value(Settings::default()).unwrap();
        assert!(row.as_object_mut().unwrap().remove("slots").is_none());
        assert_eq!(serde_json::from_value::<Settings>(row).unwrap(), Settings::default());
        let slots = vec![Slot { day: Day::Monday, at: time(9, 0, 0, 0) }];
        let settings = Settings { slots, ..Settings::default() };
        let row = serde_json::to_string(&settings).unwrap();
        assert!(row.contains(r#""slots":[{"day":"monday","at":"09:00:00"}]"#), "{row}");
        assert_eq!(serde_json::from_str::<Settings>(&row).unwrap(), settings);
        let short: Slot = serde_json::from_str(r#"{"day":"monday","at":"09:00"}"#).unwrap();
        assert_eq!(short, settings.slots[0]);
    }

    #[test]
    fn slots_are_fifty_whole_minutes_each_once() {
        let check = |slots: Vec<Slot>| Settings { slots, ..Settings::default() }.check();
        let slot = |minute, second| Slot { day: Day::Friday, at: time(9, minute, second, 0) };
        let fifty: Vec<Slot> = (0..50).map(|minute| slot(minute, 0)).collect();
        assert!(check(fifty.clone()).is_ok());
        let many = fifty.into_iter().chain([slot(50, 0)]).collect();
        for wrong in [many, vec![slot(0, 0), slot(0, 0)], vec![slot(0, 1)]] {
            assert_eq!(check(wrong).unwrap_err().fields()[0].field, "slots");
        }
    }
}
