//! The tokens of each kind of caller.

use alpes_tokens::Signer;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    forging::{OTHER_RSA, RSA, ecdsa, unsigned, with_secret},
    issuer::Issuer,
};

/// The client whose reservations the test looks at.
pub const OWNER: &str = "ana";

/// The issuer with its keys, and the tokens that it has signed or that others have forged.
pub struct Tokens {
    issuer: Issuer,
    audience: String,
    scope: String,
    /// The key that the issuer takes back.
    old: Signer,
    new: Signer,
}

impl Tokens {
    pub fn start() -> Self {
        let setting = |name| std::env::var(name).unwrap();
        let tokens = Self {
            issuer: Issuer::start(),
            audience: setting("ALPES_AUDIENCIA"),
            scope: setting("ALPES_ALCANCE_OPERADOR"),
            old: ecdsa("old"),
            new: ecdsa("new"),
        };
        let old = tokens.old.public().unwrap();
        tokens.issuer.publish(&[RSA.public(), old]);
        tokens
    }

    /// Takes the old key back, and publishes the new one.
    pub fn rotate(&self) {
        let new = self.new.public().unwrap();
        self.issuer.publish(&[RSA.public(), new]);
    }

    fn claims(&self, changes: &Value) -> Value {
        let now = Timestamp::now().as_second();
        let mut claims = json!({
            "iss": self.issuer.url, "aud": self.audience, "sub": OWNER, "iat": now, "exp": now + 900,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// A token that is signed with RS256.
    fn signed(&self, changes: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": RSA.kid });
        RSA.sign(&header, &self.claims(changes))
    }

    pub fn owner(&self) -> String {
        self.signed(&json!({}))
    }

    pub fn other(&self) -> String {
        self.signed(&json!({ "sub": "luis" }))
    }

    pub fn operator(&self) -> String {
        let scope = format!("openid {}", self.scope);
        self.signed(&json!({ "sub": "marta@aeroalpes.example", "scope": scope }))
    }

    /// A token of the owner with this key. `jti` tells it from others, so the gateway has no answer to it.
    pub fn of_old_key(&self, jti: u8) -> String {
        let claims = self.claims(&json!({ "jti": jti.to_string() }));
        self.old.sign(&claims).unwrap()
    }

    pub fn of_new_key(&self) -> String {
        self.new.sign(&self.claims(&json!({}))).unwrap()
    }

    /// The tokens with which no caller may pass, each with its name.
    pub fn bad(&self) -> Vec<(&'static str, Option<String>)> {
        let past = Timestamp::now().as_second() - 1;
        let header = |alg: &str| json!({ "alg": alg, "kid": RSA.kid });
        let claims = self.claims(&json!({}));
        let secrets = RSA.as_secrets().into_iter();
        let with_secrets = secrets.map(|secret| {
            (
                "public key as secret",
                Some(with_secret(&secret, &header("HS256"), &claims)),
            )
        });
        let others = [
            ("nobody", None),
            ("expired", Some(self.signed(&json!({ "exp": past })))),
            (
                "wrong issuer",
                Some(self.signed(&json!({ "iss": "https://id.example" }))),
            ),
            (
                "wrong audience",
                Some(self.signed(&json!({ "aud": "otra" }))),
            ),
            ("alg none", Some(unsigned(&header("none"), &claims))),
            ("wrong key", Some(OTHER_RSA.sign(&header("RS256"), &claims))),
            ("revoked key", Some(self.of_old_key(2))),
        ];
        others.into_iter().chain(with_secrets).collect()
    }
}
