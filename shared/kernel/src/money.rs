//! Amounts of money: whole minor units of a currency, never a floating-point number.
#![deny(clippy::float_arithmetic)]

use std::fmt;

use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount in the minor unit of its currency (cents for USD, yen for JPY), as ISO 4217 defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; negative for what is owed back.
    pub minor: i64,
    /// The ISO 4217 currency, written as its three letters.
    pub currency: Currency,
}

/// Two amounts that cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amounts are of two currencies.
    #[error("amounts of two currencies cannot be added")]
    TwoCurrencies,
    /// The sum is beyond what 64 bits hold.
    #[error("the sum is out of range")]
    OutOfRange,
}

impl Money {
    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// The currencies differ, or the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::TwoCurrencies);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Self { minor, currency: self.currency })
    }
}

impl fmt::Display for Money {
    /// Writes `12.50 USD`, or `1250 JPY` where the currency has no minor unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent().unwrap_or(0));
        let sign = if self.minor < 0 { "-" } else { "" };
        let unit = 10u64.pow(digits as u32);
        let (whole, part) = (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit);
        match digits {
            0 => write!(f, "{sign}{whole} {}", self.currency.code()),
            _ => write!(f, "{sign}{whole}.{part:0digits$} {}", self.currency.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(minor: i64) -> Money {
        Money { minor, currency: Currency::USD }
    }

    #[test]
    fn amounts_print_in_their_currency() {
        assert_eq!(usd(1250).to_string(), "12.50 USD");
        assert_eq!(usd(-5).to_string(), "-0.05 USD");
        assert_eq!(Money { minor: 1250, currency: Currency::JPY }.to_string(), "1250 JPY");
    }

    #[test]
    fn a_sum_keeps_its_currency_or_is_refused() {
        assert_eq!(usd(1).plus(usd(2)), Ok(usd(3)));
        assert_eq!(usd(i64::MAX).plus(usd(1)), Err(MoneyError::OutOfRange));
        let yen = Money { minor: 1, currency: Currency::JPY };
        assert_eq!(usd(1).plus(yen), Err(MoneyError::TwoCurrencies));
    }
}
