//! A carrier that pretends to take mail over, and keeps what it was handed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use nexus_core::effect::Outcome;
use nexus_core::mail::{Mail, Message};

/// Takes every mail over, unless it was told to answer otherwise.
#[derive(Debug, Default)]
pub struct FakeMail {
    sent: Mutex<Vec<Message>>,
    outcomes: Mutex<VecDeque<Outcome>>,
}

impl FakeMail {
    /// Answers so to the next mail that has no answer yet.
    pub fn answer(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push_back(outcome);
    }

    /// What it was handed, whatever it answered, in order.
    pub fn sent(&self) -> Vec<Message> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Mail for FakeMail {
    async fn send(&self, message: &Message) -> Outcome {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(message.clone());
        let answer = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let receipt = format!("mail-{}", sent.len());
        answer.unwrap_or(Outcome::Done { receipt, url: None })
    }
}
