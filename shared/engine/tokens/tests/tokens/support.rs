//! Keys, tokens and a clock for the tests.

use std::sync::{Arc, LazyLock};

use alpes_tokens::{Checker, Expected, FixedKeys, KeySet, Keys, Signer};
use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use twins::ManualClock;

pub const ISSUER: &str = "https://id.example/shop";
pub const AUDIENCE: &str = "shop";
/// The second at which the tests' clocks begin.
pub const NOW: i64 = 1_800_000_000;

pub fn clock() -> Arc<ManualClock> {
    let start = Timestamp::from_second(NOW).unwrap();
    Arc::new(ManualClock::starting_at(start))
}

pub fn expected() -> Expected {
    Expected {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
    }
}

pub fn ecdsa(kid: &str) -> Signer {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    Signer::new(kid, pair.to_pkcs8v1().unwrap().as_ref())
}

/// An RSA key, which this crate never makes or signs with: the tests do.
pub struct Rsa {
    pub kid: &'static str,
    pair: KeyPair,
}

impl Rsa {
    fn new(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { kid, pair }
    }

    pub fn public(&self) -> Value {
        let public = self.pair.public_key();
        let [n, e] = [
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        ]
        .map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e })
    }

    /// The public key in every form that a careless checker might take for a secret.
    pub fn as_secrets(&self) -> Vec<Vec<u8>> {
        let public = self.pair.public_key();
        let info: Vec<u8> = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(public)
            .unwrap()
            .as_ref()
            .to_vec();
        let text = base64::engine::general_purpose::STANDARD.encode(&info);
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .map(|from| &text[from..text.len().min(from + 64)])
            .collect();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        );
        let modulus = public.modulus().big_endian_without_leading_zero();
        vec![
            public.as_ref().to_vec(),
            info,
            pem.trim_end().as_bytes().to_vec(),
            pem.into_bytes(),
            self.public().to_string().into_bytes(),
            modulus.to_vec(),
        ]
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let (random, bytes) = (SystemRandom::new(), message.as_bytes());
        self.pair
            .sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature)
            .unwrap();
        join(&message, &signature)
    }
}

/// One RSA key for all tests, since making one takes a while.
pub static RSA: LazyLock<Rsa> = LazyLock::new(|| Rsa::new("rsa"));
/// Another key under the same id.
pub static OTHER_RSA: LazyLock<Rsa> = LazyLock::new(|| Rsa::new("rsa"));

fn message(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn join(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub fn unsigned(header: &Value, claims: &Value) -> String {
    join(&message(header, claims), &[])
}

pub fn with_secret(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    join(&message, hmac::sign(&key, message.as_bytes()).as_ref())
}

pub fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "exp": NOW + 300, "iat": NOW })
}

/// The claims with changed members; a member that becomes null is taken away.
pub fn with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    claims
}

pub fn checker(keys: &[Value]) -> Checker {
    let set = json!({ "keys": keys }).to_string();
    let set = KeySet::parse(set.as_bytes()).unwrap();
    checker_of(Arc::new(FixedKeys(set)), clock())
}

pub fn checker_of(keys: Arc<dyn Keys>, clock: Arc<ManualClock>) -> Checker {
    Checker::new(expected(), keys, clock)
}
