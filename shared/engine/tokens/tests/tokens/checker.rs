//! Which tokens are accepted.

use alpes_tokens::{Accepted, Checker, KeySet, SKEW, TokenError};
use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, ISSUER, NOW, OTHER_RSA, RSA, checker, claims, ecdsa, unsigned, with, with_secret,
};

fn rs256() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa" })
}

fn check(checker: &Checker, token: &str) -> Result<Accepted, TokenError> {
    block_on(checker.check(token))
}

fn is_invalid(checker: &Checker, token: &str) -> bool {
    matches!(check(checker, token), Err(TokenError::Invalid(_)))
}

#[test]
fn a_good_token_of_either_algorithm_is_accepted() {
    let signer = ecdsa("ec");
    let checker = checker(&[RSA.public(), signer.public().unwrap()]);
    let accepted = Accepted {
        subject: "ana".into(),
        expires: NOW + 300,
        scopes: vec![],
    };
    for token in [
        signer.sign(&claims()).unwrap(),
        RSA.sign(&rs256(), &claims()),
    ] {
        assert_eq!(check(&checker, &token).as_ref(), Ok(&accepted));
    }
}

#[test]
fn scopes_come_as_text_and_as_list() {
    let signer = ecdsa("ec");
    let checker = checker(&[signer.public().unwrap()]);
    for changes in [
        json!({ "scope": "openid operator" }),
        json!({ "scp": ["openid", "operator"] }),
        json!({ "scope": "openid", "scp": "operator" }),
        json!({ "scope": " openid  operator " }),
    ] {
        let token = signer.sign(&with(&changes)).unwrap();
        let scopes = check(&checker, &token).unwrap().scopes;
        assert_eq!(scopes, ["openid", "operator"], "{changes}");
    }
}

#[test]
fn each_rule_about_claims_is_kept() {
    let signer = ecdsa("ec");
    let checker = checker(&[signer.public().unwrap()]);
    let accepts = |changes: &Value| {
        let token = signer.sign(&with(changes)).unwrap();
        let answer = check(&checker, &token);
        assert!(!matches!(answer, Err(TokenError::NoKeys(_))));
        answer.is_ok()
    };
    for good in [
        json!({}),
        json!({ "aud": ["other", AUDIENCE] }),
        // An access token of Cognito.
        json!({ "aud": null, "client_id": AUDIENCE, "token_use": "access" }),
        json!({ "iat": null }),
        json!({ "iat": NOW + SKEW }),
        json!({ "nbf": NOW + SKEW }),
        json!({ "exp": NOW + 1 }),
        json!({ "exp": 1_800_000_001.5 }),
    ] {
        assert!(accepts(&good), "{good}");
    }
    for bad in [
        json!({ "iss": null }),
        json!({ "iss": format!("{ISSUER}/") }),
        json!({ "iss": "https://id.example" }),
        json!({ "aud": null }),
        json!({ "aud": "other" }),
        json!({ "aud": [] }),
        json!({ "aud": 1 }),
        json!({ "aud": null, "client_id": "other" }),
        json!({ "aud": "other", "client_id": AUDIENCE }),
        json!({ "token_use": "id" }),
        json!({ "exp": null }),
        json!({ "exp": NOW }),
        json!({ "exp": 1_800_000_000.9 }),
        json!({ "exp": NOW - SKEW }),
        json!({ "exp": (NOW + 300).to_string() }),
        json!({ "exp": 1e300 }),
        json!({ "exp": -1 }),
        json!({ "nbf": NOW + SKEW + 1 }),
        json!({ "nbf": 1e300 }),
        json!({ "iat": NOW + SKEW + 1 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
    ] {
        assert!(!accepts(&bad), "{bad}");
    }
}

#[test]
fn only_the_named_key_and_its_own_algorithm_verify() {
    let (signer, stranger) = (ecdsa("ec"), ecdsa("ec"));
    let (rsa, ec) = (RSA.public(), signer.public().unwrap());
    let both = checker(&[rsa.clone(), ec.clone()]);
    let refused = |token: String| assert!(is_invalid(&both, &token), "{token}");
    refused(stranger.sign(&claims()).unwrap());
    refused(OTHER_RSA.sign(&rs256(), &claims()));
    refused(ecdsa("unknown").sign(&claims()).unwrap());
    refused(RSA.sign(&json!({ "alg": "RS256", "kid": "ec" }), &claims()));
    // The right key under an algorithm that is not its own, or that is not accepted.
    for alg in [
        "ES256", "PS256", "RS384", "RS512", "HS256", "none", "", "rs256",
    ] {
        refused(RSA.sign(&json!({ "alg": alg, "kid": "rsa" }), &claims()));
    }
    // A header that brings its own key, and an extension that is not understood.
    let mut own = rs256();
    own["jwk"] = OTHER_RSA.public();
    refused(OTHER_RSA.sign(&own, &claims()));
    refused(RSA.sign(
        &json!({ "alg": "RS256", "kid": "rsa", "crit": ["exp"] }),
        &claims(),
    ));
    // A token without kid is for a set of one key.
    let nameless = RSA.sign(&json!({ "alg": "RS256" }), &claims());
    assert!(is_invalid(&both, &nameless));
    assert!(check(&checker(&[rsa]), &nameless).is_ok());
    assert!(is_invalid(&checker(&[ec]), &nameless));
}

#[test]
fn no_signature_and_no_secret_passes() {
    let checker = checker(&[RSA.public()]);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": alg, "kid": "rsa" });
        assert!(is_invalid(&checker, &unsigned(&header, &claims())), "{alg}");
    }
    assert!(is_invalid(&checker, &unsigned(&rs256(), &claims())));
    for secret in RSA.as_secrets() {
        for alg in ["HS256", "RS256"] {
            let token = with_secret(&secret, &json!({ "alg": alg, "kid": "rsa" }), &claims());
            assert!(is_invalid(&checker, &token), "{alg}");
        }
    }
}

#[test]
fn keys_for_other_uses_are_left_out() {
    let with = |name: &str, value: Value| {
        let mut key = RSA.public();
        key[name] = value;
        key
    };
    let set = |keys: &[Value]| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    let symmetric = json!({ "kty": "oct", "kid": "rsa", "k": "c2VjcmV0" });
    let others = [
        with("use", json!("enc")),
        with("alg", json!("RSA-OAEP")),
        with("alg", json!("PS256")),
        with("key_ops", json!(["encrypt"])),
        json!({ "kty": "unheard-of" }),
        json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }),
        symmetric.clone(),
        json!("text"),
    ];
    for other in &others {
        assert!(set(std::slice::from_ref(other)).is_err(), "{other}");
    }
    assert!(KeySet::parse(b"{}").is_err() && KeySet::parse(b"").is_err());
    let mixed = [&others[..], &[RSA.public()]].concat();
    assert!(set(&mixed).is_ok());
    let checker = checker(&mixed);
    assert!(check(&checker, &RSA.sign(&rs256(), &claims())).is_ok());
    let secret = with_secret(
        b"secret",
        &json!({ "alg": "HS256", "kid": "rsa" }),
        &claims(),
    );
    assert!(is_invalid(&checker, &secret));
}

#[test]
fn malformed_texts_are_invalid() {
    let checker = checker(&[RSA.public()]);
    let good = RSA.sign(&rs256(), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, body, signature] = parts[..] else {
        unreachable!("a token has three parts")
    };
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{header}.{body}"),
        format!("{header}.{body}."),
        format!("{header}..{signature}"),
        format!(".{body}.{signature}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("Bearer {good}"),
        format!("{good}, {good}"),
        "ñ.ñ.ñ".into(),
        "A".repeat(100_000),
    ] {
        assert!(is_invalid(&checker, &text), "{text:.40}");
    }
}

proptest! {
    /// No token with one character changed, added or taken away passes.
    #[test]
    fn no_mutation_passes(place: prop::sample::Index, with: u8, how in 0..3) {
        use std::sync::LazyLock;
        static GOOD: LazyLock<(Checker, Vec<u8>)> = LazyLock::new(|| {
            let signer = ecdsa("ec");
            let token = signer.sign(&claims()).unwrap().into_bytes();
            (checker(&[signer.public().unwrap()]), token)
        });
        let (checker, good) = &*GOOD;
        let mut bytes = good.clone();
        let place = place.index(bytes.len());
        match how {
            0 => bytes[place] = with,
            1 => bytes.insert(place, with),
            _ => { bytes.remove(place); }
        }
        prop_assume!(bytes != *good);
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(is_invalid(checker, &text));
    }
}
