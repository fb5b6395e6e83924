//! AES-256-GCM with a random 96-bit nonce for each sealing (NIST SP 800-38D, 8.2.2).
//!
//! The nonces are the library's own: under one key none may come twice, so no seed may have a say in them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use nexus_kernel::{Digest, Secret};
use zeroize::Zeroizing;

/// The bytes of a key.
pub const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// What was sealed cannot be opened: it, its key or what it was sealed for is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this was not sealed under this key for this place")]
pub struct Tampered;

impl From<Unspecified> for Tampered {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// A new key.
///
/// # Errors
/// The operating system gives no random bytes.
pub fn random_key() -> Result<Secret<Vec<u8>>, Tampered> {
    let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
    aws_lc_rs::rand::fill(&mut key)?;
    Ok(Secret::new(std::mem::take(&mut *key)))
}

/// The nonce and, behind it, the sealed bytes with their tag. `place` names what they are sealed for: they open for
/// nothing else.
///
/// # Errors
/// The key has not [`KEY_BYTES`].
pub fn seal(key: &Secret<Vec<u8>>, place: &Digest, plain: &[u8]) -> Result<Vec<u8>, Tampered> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.reveal())?;
    // With room for the tag from the start, so that nothing plain is left behind by growing.
    let mut bytes = Vec::with_capacity(plain.len() + TAG_BYTES);
    bytes.extend_from_slice(plain);
    let nonce = cipher.seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut bytes)?;
    Ok([nonce.as_ref().as_slice(), &bytes].concat())
}

/// What [`seal`] sealed.
///
/// # Errors
/// Key, place or bytes are not those of the sealing.
pub fn open(
    key: &Secret<Vec<u8>>,
    place: &Digest,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Tampered> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.reveal())?;
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Tampered)?;
    let mut bytes = Zeroizing::new(rest.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = cipher.open_in_place(nonce, Aad::from(place.as_bytes()), &mut bytes)?.len();
    bytes.truncate(plain);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_place_alone() {
        let (key, other) = (random_key().unwrap(), random_key().unwrap());
        let (here, there) = (Digest::of(b"here"), Digest::of(b"there"));
        let sealed = seal(&key, &here, b"plain").unwrap();
        assert_eq!(sealed.len(), NONCE_LEN + 5 + TAG_BYTES);
        assert_eq!(*open(&key, &here, &sealed).unwrap(), b"plain");
        assert_eq!(open(&key, &there, &sealed), Err(Tampered));
        assert_eq!(open(&other, &here, &sealed), Err(Tampered));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, &here, &changed), Err(Tampered), "byte {at}");
            assert_eq!(open(&key, &here, &sealed[..at]), Err(Tampered), "cut to {at}");
        }
        assert_eq!(seal(&Secret::new(vec![0; 31]), &here, b"x"), Err(Tampered));
    }

    #[test]
    fn no_nonce_comes_twice() {
        let (key, place) = (random_key().unwrap(), Digest::of(b"here"));
        let nonces: HashSet<Vec<u8>> = (0..1_000)
            .map(|_| seal(&key, &place, b"same").unwrap()[..NONCE_LEN].to_vec())
            .collect();
        assert_eq!(nonces.len(), 1_000);
    }
}
