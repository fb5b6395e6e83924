//! The local token issuer: it stands in for a Cognito user pool.
//!
//! Tokens have the shape of Cognito's access tokens (no `aud`, `token_use`, groups) and are signed with RS256 by
//! a key that lies in the data directory. The check is the one that stands before the functions on AWS: API
//! Gateway's JWT authorizer and the question for an access token.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use nexus_core::Claims;
use nexus_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// How far two clocks may be apart.
const LEEWAY_SECONDS: i64 = 60;

/// Signs and checks tokens.
pub struct Issuer {
    signing: EncodingKey,
    checking: DecodingKey,
    kid: String,
    issuer: String,
    client: String,
    jwks: serde_json::Value,
}

/// Why the issuer could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The key file cannot be read or written.
    #[error("the signing key cannot be read or written")]
    File(#[from] io::Error),
    /// The key file holds no key.
    #[error(
        "the signing key is damaged: delete it, and a new one is made (tokens have to be made anew)"
    )]
    Damaged,
}

/// What a token says; the fields of a Cognito access token that are looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Access {
    sub: String,
    #[serde(rename = "cognito:groups", default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    iss: String,
    client_id: String,
    token_use: String,
    exp: i64,
    iat: i64,
    jti: String,
    username: String,
}

impl Issuer {
    /// The issuer whose key lies in the file, made where there is none.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds no key.
    pub fn open(key_file: &Path, issuer: &str, client: &str) -> Result<Self, IssuerError> {
        let pem = match fs::read_to_string(key_file) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(key_file)?;
                fs::read_to_string(key_file)?
            }
            Err(error) => return Err(error.into()),
        };
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(der).map_err(|_| IssuerError::Damaged)?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| IssuerError::Damaged)?;
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let (n, e) =
            (BASE64_URL_SAFE_NO_PAD.encode(&public.n), BASE64_URL_SAFE_NO_PAD.encode(&public.e));
        let kid = Digest::of(&public.n).to_hex().chars().take(16).collect::<String>();
        let jwks = serde_json::json!({
            "keys": [{ "alg": "RS256", "e": e, "kid": kid, "kty": "RSA", "n": n, "use": "sig" }]
        });
        Ok(Self {
            signing: EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| IssuerError::Damaged)?,
            checking: DecodingKey::from_rsa_components(&n, &e).map_err(|_| IssuerError::Damaged)?,
            kid,
            issuer: issuer.to_owned(),
            client: client.to_owned(),
            jwks,
        })
    }

    /// The public key as a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> &serde_json::Value {
        &self.jwks
    }

    /// An access token for somebody with these groups.
    ///
    /// # Errors
    /// Signing failed: the key is damaged.
    pub fn token(
        &self,
        subject: &str,
        groups: &[String],
        lives: Duration,
        now: Timestamp,
    ) -> Result<String, IssuerError> {
        let access = Access {
            sub: subject.to_owned(),
            groups: groups.to_vec(),
            iss: self.issuer.clone(),
            client_id: self.client.clone(),
            token_use: "access".to_owned(),
            exp: now.as_second().saturating_add(i64::try_from(lives.as_secs()).unwrap_or(i64::MAX)),
            iat: now.as_second(),
            jti: Digest::of_parts([subject.as_bytes(), now.to_string().as_bytes()]).to_hex(),
            username: subject.to_owned(),
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &access, &self.signing).map_err(|_| IssuerError::Damaged)
    }

    /// The claims of a token, if it is one of ours for this application and has not expired.
    pub fn check(&self, token: &str, audience: &[String], now: Timestamp) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.alg != Algorithm::RS256 || header.kid.as_deref() != Some(self.kid.as_str()) {
            return None;
        }
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "iss"]);
        // The injected clock decides on expiry; Cognito's access tokens have no `aud`.
        rules.validate_exp = false;
        rules.validate_aud = false;
        let access = jsonwebtoken::decode::<Access>(token, &self.checking, &rules).ok()?.claims;
        let valid = access.token_use == "access"
            && audience.contains(&access.client_id)
            && now.as_second() < access.exp.saturating_add(LEEWAY_SECONDS);
        valid.then_some(Claims { subject: access.sub, groups: access.groups })
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.issuer)
    }
}

/// Makes a key that only the owner may read. Of two processes that do so at once, the first one's stays.
fn make_key(file: &Path) -> Result<(), IssuerError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| IssuerError::Damaged)?;
    let der = pair.as_der().map_err(|_| IssuerError::Damaged)?;
    let body = BASE64_STANDARD.encode(der.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!(".key-{}", std::process::id()));
    let mut open =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    open.write_all(pem.as_bytes())?;
    open.sync_all()?;
    match fs::hard_link(&draft, file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    fs::remove_file(&draft)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        "2027-03-01T09:00:00Z".parse().unwrap()
    }

    fn signed(issuer: &Issuer, change: impl FnOnce(&mut Access, &mut Header)) -> String {
        let mut header = Header { kid: Some(issuer.kid.clone()), ..Header::new(Algorithm::RS256) };
        let mut access = Access {
            sub: "u".into(),
            groups: vec![],
            iss: "pool".into(),
            client_id: "client".into(),
            token_use: "access".into(),
            exp: now().as_second() + 3600,
            iat: now().as_second(),
            jti: "j".into(),
            username: "u".into(),
        };
        change(&mut access, &mut header);
        jsonwebtoken::encode(&header, &access, &issuer.signing).unwrap()
    }

    #[test]
    fn n47_only_a_living_access_token_of_this_pool_and_client_passes() {
        let dir = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(&dir.path().join("key.pem"), "pool", "client").unwrap();
        let audience = vec!["client".to_owned()];
        let check = |token: &str, at: Timestamp| issuer.check(token, &audience, at).is_some();

        let good = issuer.token("u", &["ten_a/operator".into()], DAY, now()).unwrap();
        assert_eq!(issuer.check(&good, &audience, now()).unwrap().groups, ["ten_a/operator"]);
        let late = now().saturating_add(jiff::SignedDuration::from_hours(25)).unwrap();
        assert!(!check(&good, late), "expired");

        assert!(check(&signed(&issuer, |_, _| {}), now()));
        assert!(!check(&signed(&issuer, |a, _| a.token_use = "id".into()), now()), "an id token");
        assert!(
            !check(&signed(&issuer, |a, _| a.client_id = "other".into()), now()),
            "another client"
        );
        assert!(!check(&signed(&issuer, |a, _| a.iss = "other".into()), now()), "another pool");
        assert!(
            !check(&signed(&issuer, |_, h| h.kid = Some("other".into())), now()),
            "another key"
        );
        assert!(!check(&signed(&issuer, |_, h| h.kid = None), now()), "no key id");

        let other = Issuer::open(&dir.path().join("other.pem"), "pool", "client").unwrap();
        let forged = signed(&other, |_, h| h.kid = Some(issuer.kid.clone()));
        assert!(!check(&forged, now()), "signed by somebody else");

        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        let mut claims: serde_json::Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
        claims["cognito:groups"] = serde_json::json!(["ten_b/approver"]);
        parts[1] = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        assert!(!check(&parts.join("."), now()), "tampered with");
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(!check(&format!("{none}.{}.", parts[1]), now()), "alg none");
        assert!(!check("", now()) && !check("a.b.c", now()));
    }

    #[test]
    fn the_key_stays_and_only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys/key.pem");
        let first = Issuer::open(&file, "pool", "client").unwrap();
        let again = Issuer::open(&file, "pool", "client").unwrap();
        assert_eq!(first.jwks(), again.jwks());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
