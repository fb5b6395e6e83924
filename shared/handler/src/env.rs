//! Settings: read once at a cold start, all problems told at once, values never shown.
//!
//! Functions share a process on one machine, so nobody reads the process's environment below `main`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use nexus_core::QueueAddress;

/// The settings that a function was handed.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// Settings from names and values.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// Begins reading; [`EnvReader::finish`] tells every problem at once.
    pub fn reader(&self) -> EnvReader<'_> {
        EnvReader { env: self, problems: Vec::new() }
    }

    /// One setting, where its absence is no problem.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Everything that is wrong with a function's settings, without a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("settings: {}", .0.join("; "))]
pub struct SettingsError(pub Vec<String>);

/// Reads settings and gathers what is wrong.
#[derive(Debug)]
pub struct EnvReader<'e> {
    env: &'e Env,
    problems: Vec<String>,
}

impl EnvReader<'_> {
    /// A text that must be there and not be empty.
    pub fn text(&mut self, name: &str) -> String {
        match self.env.get(name) {
            Some(value) if !value.trim().is_empty() => value.to_owned(),
            _ => {
                self.problems.push(format!("{name} is not set"));
                String::new()
            }
        }
    }

    /// The address of a queue.
    pub fn queue(&mut self, name: &str) -> QueueAddress {
        QueueAddress(self.text(name))
    }

    /// The addresses of queues, a space between them; at least one.
    pub fn queues(&mut self, name: &str) -> Vec<QueueAddress> {
        self.text(name).split_whitespace().map(|a| QueueAddress(a.to_owned())).collect()
    }

    /// A number within bounds, or the default where nothing is set.
    pub fn number<N>(&mut self, name: &str, bounds: RangeInclusive<N>, default: N) -> N
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        let Some(raw) = self.env.get(name) else { return default };
        match raw.trim().parse::<N>() {
            Ok(value) if bounds.contains(&value) => value,
            _ => {
                self.problems.push(format!(
                    "{name} must be a number from {} to {}",
                    bounds.start(),
                    bounds.end()
                ));
                default
            }
        }
    }

    /// Anything that is read from text, or the default where nothing is set. `what` says what it has to be.
    pub fn parsed<T: FromStr>(&mut self, name: &str, what: &str, default: T) -> T {
        let Some(raw) = self.env.get(name) else { return default };
        raw.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} must be {what}"));
            default
        })
    }

    /// One of a few words, or the default where nothing is set.
    pub fn choice<T: Clone>(&mut self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(raw) = self.env.get(name) else { return default };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == raw) {
            return value.clone();
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.problems.push(format!("{name} must be one of {}", known.join(", ")));
        default
    }

    /// The settings, if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn finish<S>(self, settings: S) -> Result<S, SettingsError> {
        if self.problems.is_empty() { Ok(settings) } else { Err(SettingsError(self.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_at_once_and_no_value() {
        let env = Env::from_pairs([("SIZE", "99 bottles"), ("PRESET", "hunter2")]);
        let mut r = env.reader();
        let queue = r.queue("TAG_QUEUE");
        let size = r.number("SIZE", 1..=10, 3u32);
        let preset = r.choice("PRESET", &[("full", 1), ("quick", 2)], 1);
        let error = r.finish((queue, size, preset)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "settings: TAG_QUEUE is not set; SIZE must be a number from 1 to 10; PRESET must be one of full, quick"
        );
        assert!(!format!("{env:?}").contains("hunter2"));
    }
}
