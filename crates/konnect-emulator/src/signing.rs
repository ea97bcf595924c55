//! Ed25519 signatures of event lines, and the public key as a JWK set.
//!
//! A signature covers the line without its signature field. It is not concerned with what a line says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use crate::Error;

/// The private keys of one emulator, made at start. Ed25519 signs a line in one way only, so a second signature of the same
/// line takes a second key.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    first: SigningKey,
    second: SigningKey,
}

/// Which of the two keys signs. Lines do not say by which key they are signed, so receivers try each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    First,
    Second,
}

impl Signing {
    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self { first: new_key()?, second: new_key()? })
    }

    /// Base64url without padding.
    pub(crate) fn sign(&self, key: Key, line: &str) -> String {
        let key = match key {
            Key::First => &self.first,
            Key::Second => &self.second,
        };
        URL_SAFE_NO_PAD.encode(key.sign(line.as_bytes()).to_bytes())
    }

    /// The set served at `audit-log-webhook/jwks.json`.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [jwk(&self.first, "emulator-1"), jwk(&self.second, "emulator-2")]})
    }
}

fn new_key() -> Result<SigningKey, Error> {
    let mut secret = [0; 32];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut secret).map_err(|_| Error::Random)?;
    Ok(SigningKey::from_bytes(&secret))
}

fn jwk(key: &SigningKey, kid: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().to_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": x})
}

/// Public keys read from a JWK set.
#[derive(Debug, Clone)]
pub(crate) struct PublicKeys(Vec<VerifyingKey>);

impl PublicKeys {
    /// Keys that are not Ed25519 are passed over, as receivers do.
    pub(crate) fn from_jwks(jwks: &Value) -> Self {
        let keys = jwks.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self(keys.iter().filter_map(public_key).collect())
    }

    /// Whether one of the keys made this signature over these bytes.
    pub(crate) fn verify(&self, signed: &str, signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature
            .is_some_and(|signature| self.0.iter().any(|key| key.verify_strict(signed.as_bytes(), &signature).is_ok()))
    }
}

fn public_key(jwk: &Value) -> Option<VerifyingKey> {
    let is_ed25519 = jwk.get("kty")? == "OKP" && jwk.get("crv")? == "Ed25519";
    let bytes = URL_SAFE_NO_PAD.decode(jwk.get("x")?.as_str()?).ok()?;
    let bytes: [u8; 32] = bytes.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok().filter(|_| is_ed25519)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_key_verifies_and_another_does_not() {
        let signing = Signing::generate().unwrap();
        let signature = signing.sign(Key::First, "line");
        let keys = PublicKeys::from_jwks(&signing.jwks());
        assert!(keys.verify("line", &signature));
        assert!(keys.verify("line", &signing.sign(Key::Second, "line")));
        assert_ne!(signing.sign(Key::Second, "line"), signature);
        assert!(!keys.verify("lime", &signature));
        assert!(!keys.verify("line", "not base64!"));
        let other = PublicKeys::from_jwks(&Signing::generate().unwrap().jwks());
        assert!(!other.verify("line", &signature));
    }
}
