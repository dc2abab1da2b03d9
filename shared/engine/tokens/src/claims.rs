//! The rules about the claims of a token whose signature is right.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Number;

/// The clocks of issuer and function may differ by this many seconds, so a token may begin this much in the future.
/// RFC 7519 advises "no more than a few minutes", and servers keep time to within a second, so a minute is plenty.
/// An end (`exp`) has no leeway: whatever looks at it later, without leeway, must not disagree.
pub const SKEW: i64 = 60;

/// The tokens to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The issuer (`iss`), exactly.
    pub issuer: String,
    /// The audience: one of `aud`, or, in a token without `aud`, the `client_id`. Cognito's access tokens have no `aud`.
    pub audience: String,
}

/// An accepted token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The subject (`sub`), which is never empty.
    pub subject: String,
    /// The second at which the token expires (`exp`): from then on it is invalid.
    pub expires: i64,
    /// The scopes, from `scope` (a text with spaces) and `scp` (a list or a text).
    pub scopes: Vec<String>,
}

/// The claims of a token, as far as they are looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    iss: Option<String>,
    aud: Option<OneOrMany>,
    client_id: Option<String>,
    sub: Option<String>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
    token_use: Option<String>,
    scope: Option<OneOrMany>,
    scp: Option<OneOrMany>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::Many(many) => many.iter().any(|one| one == text),
        }
    }

    fn words(self) -> Vec<String> {
        match self {
            Self::One(one) => one.split(' ').map(str::to_owned).collect(),
            Self::Many(many) => many,
        }
    }
}

impl Claims {
    /// Checks the claims at a time. The error is the broken rule.
    pub(crate) fn check(
        self,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Accepted, &'static str> {
        let now = now.as_second();
        if self.iss.as_deref() != Some(&expected.issuer) {
            return Err("iss is not the issuer");
        }
        let for_us = match (&self.aud, &self.client_id) {
            (Some(audiences), _) => audiences.contains(&expected.audience),
            (None, Some(client)) => *client == expected.audience,
            (None, None) => false,
        };
        if !for_us {
            return Err("neither aud nor client_id has the audience");
        }
        // Cognito signs identity tokens with the same keys, and they have the same audience.
        if self.token_use.is_some_and(|used| used != "access") {
            return Err("token_use is not access");
        }
        let expires = self.exp.as_ref().and_then(seconds).ok_or("no exp")?;
        if expires <= now {
            return Err("exp is past");
        }
        begun(self.nbf.as_ref(), now).map_err(|()| "nbf is in the future, or no time")?;
        begun(self.iat.as_ref(), now).map_err(|()| "iat is in the future, or no time")?;
        let subject = self.sub.filter(|subject| !subject.is_empty());
        let scopes = [self.scope, self.scp].into_iter().flatten();
        Ok(Accepted {
            subject: subject.ok_or("no sub")?,
            expires,
            scopes: scopes
                .flat_map(OneOrMany::words)
                .filter(|word| !word.is_empty())
                .collect(),
        })
    }
}

/// Checks the time at which a token begins, if it has one.
fn begun(time: Option<&Number>, now: i64) -> Result<(), ()> {
    match time.map(seconds) {
        None => Ok(()),
        Some(Some(time)) if time <= now.saturating_add(SKEW) => Ok(()),
        Some(_) => Err(()),
    }
}

/// The whole seconds of a `NumericDate`, which may have a fraction. `None` if it is no time that jiff knows.
fn seconds(number: &Number) -> Option<i64> {
    let whole = || SignedDuration::try_from_secs_f64(number.as_f64()?.floor()).ok();
    let seconds = number.as_i64();
    let seconds = seconds.or_else(|| Some(whole()?.as_secs()))?;
    Timestamp::from_second(seconds).ok()?;
    Some(seconds)
}
