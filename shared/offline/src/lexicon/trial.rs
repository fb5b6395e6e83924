//! How often the word list is right: measured on sentences that were written for it, hard ones among them.
//!
//! The sentences stand in `trials/sentiment.tsv`: sixty in English, sixty in Spanish, each language with fifteen of
//! every label. They are what people write under posts and in forms: plain, and with sarcasm, negation, idioms,
//! slang, and words that only sound like a feeling (`trap`). The rules were not fitted to them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nexus_engine::sentiment::{Feeling, Label, Sentiment, Unjudged, Utterance};
use nexus_kernel::Pii;

/// The sentences: a head, then language, label, kind and text, parted by tabulators.
const SENTENCES: &str = include_str!("../../trials/sentiment.tsv");

/// A sentence and how a person reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labelled {
    /// `en` or `es`.
    pub language: &'static str,
    /// How a person reads it.
    pub label: Label,
    /// What makes it what it is: `plain`, `sarcasm`, `negation`.
    pub kind: &'static str,
    /// The sentence.
    pub text: &'static str,
}

/// All sentences of the trial; lines that are none are left out, which a test rules out.
pub fn sentences() -> Vec<Labelled> {
    let lines = SENTENCES.lines().skip(1);
    let read = |line: &'static str| {
        let mut cells = line.split('\t');
        let (language, label) = (cells.next()?, Label::parse(cells.next()?)?);
        Some(Labelled { language, label, kind: cells.next()?, text: cells.next()? })
    };
    lines.filter_map(read).collect()
}

/// What an engine made of the sentences of one language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many sentences of a label (first) were given a label (second).
    pub confusion: BTreeMap<(Label, Label), usize>,
    /// Of each kind of sentence: how many were right, and how many there are.
    pub kinds: BTreeMap<&'static str, (usize, usize)>,
}

/// The labels of the sentences.
const LABELS: [Label; 4] = [Label::Positive, Label::Negative, Label::Neutral, Label::Mixed];

impl Outcome {
    /// How many of the sentences were given their label.
    pub fn right(&self) -> usize {
        LABELS.iter().filter_map(|label| self.confusion.get(&(*label, *label))).sum()
    }

    /// How many sentences there are.
    pub fn all(&self) -> usize {
        self.confusion.values().sum()
    }

    /// The confusion matrix as a table in Markdown: a row for each label that people gave, a column for each that the
    /// engine gave.
    pub fn table(&self) -> String {
        let mut table = String::from("| people say \\ it says |");
        let columns = [LABELS.as_slice(), &[Label::Unsupported]].concat();
        for column in &columns {
            let _written = write!(table, " {} |", column.name());
        }
        table.push_str("\n|---|");
        table.push_str(&"---|".repeat(columns.len()));
        for row in LABELS {
            let _written = write!(table, "\n| {} |", row.name());
            for column in &columns {
                let count = self.confusion.get(&(row, *column)).copied().unwrap_or_default();
                let _written = write!(table, " {count} |");
            }
        }
        table
    }

    /// Of each kind of sentence, how many were right: `idiom 1 of 3, sarcasm 0 of 3`.
    pub fn by_kind(&self) -> String {
        let kinds = self.kinds.iter();
        let told = kinds.map(|(kind, (right, all))| format!("{kind} {right} of {all}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Has an engine judge the sentences of one language, without a hint, as comments come.
pub async fn measure(engine: &dyn Sentiment, language: &str) -> Outcome {
    let asked: Vec<Labelled> =
        sentences().into_iter().filter(|one| one.language == language).collect();
    let utterances: Vec<Utterance> = asked
        .iter()
        .map(|one| Utterance { text: Pii::new(one.text.to_owned()), hint: None })
        .collect();
    let mut outcome = Outcome::default();
    for (one, answer) in asked.iter().zip(engine.judge(&utterances).await) {
        let given = match answer.map(|judged| judged.feeling) {
            Ok(Feeling::Positive) => Label::Positive,
            Ok(Feeling::Negative) => Label::Negative,
            Ok(Feeling::Neutral) => Label::Neutral,
            Ok(Feeling::Mixed) => Label::Mixed,
            Err(Unjudged::Empty) => Label::Empty,
            Err(Unjudged::Unsupported(_) | Unjudged::Failed(_)) => Label::Unsupported,
        };
        *outcome.confusion.entry((one.label, given)).or_default() += 1;
        let (right, all) = outcome.kinds.entry(one.kind).or_default();
        *right += usize::from(given == one.label);
        *all += 1;
    }
    outcome
}

/// The trial's part of the README, for one language.
pub fn told(language: &str, outcome: &Outcome) -> String {
    format!(
        "{language}: {} of {} right. By kind: {}.\n\n{}",
        outcome.right(),
        outcome.all(),
        outcome.by_kind(),
        outcome.table()
    )
}
