//! Ids that cannot be swapped for one another: each kind is a type of its own with its own prefix.
//!
//! An id reads `prefix_` followed by the 32 hexadecimal digits of a UUID (version 7 when it was drawn, so
//! that ids of one kind sort by the time they were made; version 8 when it was derived from content).

pub use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no such id: it should read `{prefix}` and 32 hexadecimal digits")]
pub struct IdError {
    /// What was given, cut to 64 characters.
    pub given: String,
    /// The prefix that the wanted kind carries.
    pub prefix: &'static str,
}

/// Reads the UUID behind `prefix`; only the canonical lower-case form is an id.
///
/// # Errors
/// The text does not carry the prefix, or what follows is not 32 lower-case hexadecimal digits.
pub fn parse(raw: &str, prefix: &'static str) -> Result<Uuid, IdError> {
    let refuse = || IdError { given: raw.chars().take(64).collect(), prefix };
    let digits = raw.strip_prefix(prefix).ok_or_else(refuse)?;
    let canonical = digits.len() == 32
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !canonical {
        return Err(refuse());
    }
    Uuid::try_parse(digits).map_err(|_| refuse())
}

/// A UUID that always comes out the same for the same parts: for rows that a repeated step must find again.
pub fn derived(parts: &[&str]) -> Uuid {
    let digest = crate::Digest::of_parts(parts.iter().map(|p| p.as_bytes()));
    let mut head = [0u8; 16];
    head.copy_from_slice(digest.as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    uuid::Builder::from_custom_bytes(head).into_uuid()
}

/// Declares an id type: `id!(/// A post. PostId, "post_");`
#[macro_export]
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($crate::id::Uuid);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, drawn from the handed-over source.
            pub fn draw(ids: &dyn $crate::Ids) -> Self {
                Self(ids.draw())
            }

            /// The id that these parts always lead to: a step that runs twice finds its own row again.
            pub fn derived(parts: &[&str]) -> Self {
                Self($crate::id::derived(parts))
            }

            /// Reads an id.
            ///
            /// # Errors
            /// The text is not this kind's prefix and 32 lower-case hexadecimal digits.
            pub fn parse(raw: &str) -> Result<Self, $crate::id::IdError> {
                $crate::id::parse(raw, $prefix).map(Self)
            }

            /// Its 128 bits, for where it stands among others in a denser writing than its text.
            pub fn bits(self) -> u128 {
                self.0.as_u128()
            }

            /// The id of these 128 bits.
            pub fn from_bits(bits: u128) -> Self {
                Self($crate::id::Uuid::from_u128(bits))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::IdError;
            fn from_str(raw: &str) -> Result<Self, Self::Err> {
                Self::parse(raw)
            }
        }

        impl $crate::id::serde::Serialize for $name {
            fn serialize<S: $crate::id::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> $crate::id::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let raw = <std::borrow::Cow<'de, str> as $crate::id::serde::Deserialize<'de>>::deserialize(d)?;
                Self::parse(&raw).map_err($crate::id::serde::de::Error::custom)
            }
        }
    };
}

#[doc(hidden)]
pub use serde;

id!(
    /// A tenant of the Engine: a merchant and everything that is theirs.
    TenantId,
    "ten_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_no_other_spelling_does() {
        let id = TenantId::derived(&["a", "b"]);
        assert_eq!(TenantId::parse(&id.to_string()), Ok(id));
        assert_eq!(
            serde_json::from_str::<TenantId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        for wrong in
            ["", "ten_", &id.to_string().to_uppercase(), "drf_00000000000000000000000000000000"]
        {
            assert!(TenantId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn derived_ids_depend_on_where_the_parts_are_cut() {
        assert_ne!(TenantId::derived(&["ab", "c"]), TenantId::derived(&["a", "bc"]));
    }
}
