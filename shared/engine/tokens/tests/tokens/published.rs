//! The keys of an issuer: when they are read, and how long they are used.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_ports::Documents;
use alpes_tokens::{
    Checker, Issuer, KeysError, LONGEST_OUTAGE, PAUSE, PublishedKeys, REFRESH, RETRY, Signer,
    TokenError,
};
use async_trait::async_trait;
use futures::{
    channel::oneshot,
    executor::block_on,
    future::{join, join_all},
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use twins::ManualClock;

use crate::support::{ISSUER, NOW, checker_of, clock, ecdsa, with};

/// An issuer on the web, which counts how often it is asked for keys.
#[derive(Default)]
struct Web {
    keys: Mutex<Vec<Value>>,
    down: AtomicBool,
    asked: AtomicUsize,
    /// The next answer waits for this.
    held: Mutex<Option<oneshot::Receiver<()>>>,
    configuration: Mutex<Option<Value>>,
}

impl Web {
    fn publish(&self, signers: &[&Signer]) {
        let public = signers.iter().map(|signer| signer.public().unwrap());
        *self.keys.lock().unwrap() = public.collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Documents for Web {
    async fn read(&self, url: &str) -> Result<Vec<u8>, String> {
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.await.unwrap();
        }
        let configuration = url == format!("{ISSUER}/.well-known/openid-configuration");
        if configuration {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        if self.down.load(Ordering::SeqCst) {
            return Err("no answer".into());
        }
        let usual = json!({ "issuer": ISSUER, "jwks_uri": "https://keys.example/jwks" });
        let answer = if configuration {
            self.configuration.lock().unwrap().clone().unwrap_or(usual)
        } else {
            assert_eq!(url, "https://keys.example/jwks");
            json!({ "keys": *self.keys.lock().unwrap() })
        };
        Ok(answer.to_string().into_bytes())
    }
}

struct Fixture {
    web: Arc<Web>,
    clock: Arc<ManualClock>,
    checker: Checker,
}

fn fixture(signers: &[&Signer]) -> Fixture {
    let (web, clock) = (Arc::new(Web::default()), clock());
    web.publish(signers);
    let issuer = Issuer::new(ISSUER, web.clone()).unwrap();
    let keys = PublishedKeys::new(issuer, clock.clone());
    let checker = checker_of(Arc::new(keys), clock.clone());
    Fixture {
        web,
        clock,
        checker,
    }
}

/// The outcome of a check, in a word.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Accepted,
    Invalid,
    NoKeys,
}
use Seen::{Accepted, Invalid, NoKeys};

impl Fixture {
    async fn check(&self, signer: &Signer) -> Seen {
        let token = signer
            .sign(&with(&json!({ "exp": NOW + 1_000_000 })))
            .unwrap();
        match self.checker.check(&token).await {
            Ok(_) => Accepted,
            Err(TokenError::Invalid(_)) => Invalid,
            Err(TokenError::NoKeys(_)) => NoKeys,
        }
    }

    fn see(&self, signer: &Signer) -> Seen {
        block_on(self.check(signer))
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.advance(Duration::try_from(by).unwrap());
    }

    fn fall(&self, down: bool) {
        self.web.down.store(down, Ordering::SeqCst);
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[test]
fn keys_are_read_once_and_again_after_five_minutes() {
    let one = ecdsa("one");
    let seen = fixture(&[&one]);
    assert_eq!(seen.web.asked(), 0);
    for _ in 0..3 {
        assert_eq!(seen.see(&one), Accepted);
    }
    seen.advance(REFRESH - SECOND);
    assert_eq!(seen.see(&one), Accepted);
    assert_eq!(seen.web.asked(), 1);
    seen.advance(SECOND);
    assert_eq!(seen.see(&one), Accepted);
    assert_eq!(seen.web.asked(), 2);
}

#[test]
fn a_new_key_is_known_at_once_and_a_revoked_one_is_not_after_the_refresh() {
    let (one, two) = (ecdsa("one"), ecdsa("two"));
    let seen = fixture(&[&one]);
    assert_eq!(seen.see(&one), Accepted);
    seen.web.publish(&[&two]);
    // The keys are fresh, so the revoked one is still used.
    assert_eq!(seen.see(&one), Accepted);
    // A token of the new key has the keys read at once, and then the old one is unknown.
    assert_eq!(seen.see(&two), Accepted);
    assert_eq!(seen.see(&one), Invalid);
    assert_eq!(seen.web.asked(), 2);

    let seen = fixture(&[&one]);
    assert_eq!(seen.see(&one), Accepted);
    seen.web.publish(&[&two]);
    seen.advance(REFRESH);
    assert_eq!(seen.see(&one), Invalid);
}

#[test]
fn a_flood_of_invented_keys_is_one_request_a_minute() {
    let one = ecdsa("one");
    let seen = fixture(&[&one]);
    assert_eq!(seen.see(&one), Accepted);
    let flood = || {
        for number in 0..50 {
            assert_eq!(seen.see(&ecdsa(&format!("invented-{number}"))), Invalid);
        }
    };
    flood();
    assert_eq!(seen.web.asked(), 2);
    seen.advance(PAUSE - SECOND);
    flood();
    assert_eq!(seen.web.asked(), 2);
    seen.advance(SECOND);
    flood();
    assert_eq!(seen.web.asked(), 3);
    assert_eq!(seen.see(&one), Accepted);
}

#[test]
fn the_last_keys_are_used_for_a_day_without_the_issuer() {
    let one = ecdsa("one");
    let seen = fixture(&[&one]);
    assert_eq!(seen.see(&one), Accepted);
    seen.fall(true);
    seen.advance(LONGEST_OUTAGE - SignedDuration::from_mins(1));
    assert_eq!(seen.see(&one), Accepted);
    let asked = seen.web.asked();
    seen.advance(RETRY - SECOND);
    assert_eq!(seen.see(&one), Accepted);
    assert_eq!(seen.web.asked(), asked, "asked again too soon");
    seen.advance(SignedDuration::from_mins(2) - RETRY + SECOND);
    assert_eq!(seen.see(&one), NoKeys);
    seen.fall(false);
    seen.advance(RETRY);
    assert_eq!(seen.see(&one), Accepted);
}

#[test]
fn an_issuer_that_never_answered_is_asked_again() {
    let one = ecdsa("one");
    let seen = fixture(&[&one]);
    seen.fall(true);
    assert_eq!(seen.see(&one), NoKeys);
    seen.fall(false);
    assert_eq!(seen.see(&one), NoKeys);
    assert_eq!(seen.web.asked(), 1);
    seen.advance(RETRY);
    assert_eq!(seen.see(&one), Accepted);
}

#[test]
fn concurrent_checks_ask_once() {
    let one = ecdsa("one");
    let seen = fixture(&[&one]);
    let (release, held) = oneshot::channel();
    *seen.web.held.lock().unwrap() = Some(held);
    let checks = join_all((0..20).map(|_| seen.check(&one)));
    let released = async { release.send(()).unwrap() };
    let (outcomes, ()) = block_on(join(checks, released));
    assert!(outcomes.iter().all(|outcome| *outcome == Accepted));
    assert_eq!(seen.web.asked(), 1);
}

#[test]
fn an_issuer_that_is_another_or_speaks_in_the_open_gives_no_keys() {
    let one = ecdsa("one");
    for configuration in [
        json!({ "issuer": "https://id.example", "jwks_uri": "https://keys.example/jwks" }),
        json!({ "issuer": ISSUER, "jwks_uri": "http://keys.example/jwks" }),
        json!({ "issuer": ISSUER }),
        json!("text"),
    ] {
        let seen = fixture(&[&one]);
        *seen.web.configuration.lock().unwrap() = Some(configuration.clone());
        assert_eq!(seen.see(&one), NoKeys, "{configuration}");
    }
    let error = |url: &str| Issuer::new(url, Arc::new(Web::default())).err();
    assert!(matches!(error("http://id.example"), Some(KeysError(_))));
    assert!(error("http://127.0.0.1.example:80").is_some());
    assert!(error("http://127.0.0.1:80@id.example/").is_some());
    assert!(error("http://127.0.0.1:8080").is_none());
}
