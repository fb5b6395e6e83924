//! What must never be printed, logged or stored by accident: secrets, personal data, client addresses.
//!
//! None of these types implements `Serialize` or `Display`, and `Debug` tells only what kind it is. Whoever
//! needs the value asks for it by name (`reveal`), which is easy to find in a review.

use std::fmt;
use std::net::IpAddr;

use zeroize::Zeroize;

/// A credential. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Something that tells who a person is: a name, an e-mail address, a message.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Takes a value into custody.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[person]")
    }
}

/// Writes personal data into a row and reads it back, for `#[serde(with = "nexus_kernel::private::stored")]`: a
/// record that holds a person's data says so on the field. Answers to its owner use it too; logs never do.
pub mod stored {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Pii;

    /// Writes the value.
    ///
    /// # Errors
    /// As the value's own.
    pub fn serialize<T: Serialize, S: Serializer>(value: &Pii<T>, s: S) -> Result<S::Ok, S::Error> {
        value.0.serialize(s)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// As the value's own.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Pii<T>, D::Error> {
        T::deserialize(d).map(Pii)
    }
}

/// The network address of a client: it lives in memory only and its place is looked up before anything is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(IpAddr);

impl ClientIp {
    /// Takes an address into custody.
    pub fn new(address: IpAddr) -> Self {
        Self(address)
    }

    /// The address, for the one look-up that needs it.
    pub fn reveal(&self) -> IpAddr {
        self.0
    }
}

impl fmt::Debug for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[address]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_tells_the_value() {
        assert_eq!(format!("{:?}", Secret::new(String::from("sk_live_1"))), "[secret]");
        assert_eq!(format!("{:?}", Pii::new("ada@example.org")), "[person]");
        assert_eq!(format!("{:?}", ClientIp::new([203, 0, 113, 9].into())), "[address]");
    }
}
