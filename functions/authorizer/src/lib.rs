//! Decides for API Gateway who calls the API, by the access token of the request. The gateway asks for each token at most
//! once a minute (`ResultTtlInSeconds` of the template), and hands the answer to the functions, which decide what the
//! caller may do.
//!
//! | setting | meaning |
//! | --- | --- |
//! | `ALPES_EMISOR` | the issuer of tokens, as in their `iss` |
//! | `ALPES_AUDIENCIA` | the audience of tokens, as in their `aud`, or in their `client_id` |
//! | `ALPES_ALCANCE_OPERADOR` | the scope of operators' tokens; all others are clients' |
//! | `ALPES_LLAVES` | the issuer's keys (JWKS); unset if the issuer publishes them |

use std::sync::Arc;

use alpes_lambda::metrics::{Metrics, Unit};
use alpes_ports::{Clock, Documents, Platform};
use alpes_tokens::{
    Accepted, Checker, Expected, FixedKeys, Issuer, KeySet, Keys, KeysError, PublishedKeys,
    TokenError,
};
use thiserror::Error;
use tracing::{error, info};

mod gateway;

pub use gateway::{Answer, Refused, Request};

/// The number of requests that could not be checked because there were no keys.
const WITHOUT_KEYS: &str = "AuthorizerWithoutKeys";

/// The function cannot start with its settings.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A setting is missing.
    #[error("the environment variable ALPES_{0} is not set")]
    Missing(&'static str),
    /// A setting is wrong.
    #[error("ALPES_{0}: {1}")]
    Wrong(&'static str, KeysError),
}

/// The parts that the function needs, made once for each process.
pub struct App {
    checker: Checker,
    /// The scope of operators' tokens.
    scope: String,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl App {
    /// Makes the function's parts from the settings of a platform. No key is read yet.
    ///
    /// # Errors
    ///
    /// A setting is missing or wrong.
    pub fn new<P: Platform>(
        platform: &P,
        documents: Arc<dyn Documents>,
    ) -> Result<Self, ConfigError> {
        let setting = |name| platform.setting(name).ok_or(ConfigError::Missing(name));
        let (issuer, clock) = (setting("EMISOR")?, platform.world().clock);
        let keys: Arc<dyn Keys> = if let Some(keys) = platform.setting("LLAVES") {
            let keys = KeySet::parse(keys.as_bytes());
            Arc::new(FixedKeys(
                keys.map_err(|error| ConfigError::Wrong("LLAVES", error))?,
            ))
        } else {
            let issuer = Issuer::new(&issuer, documents);
            let issuer = issuer.map_err(|error| ConfigError::Wrong("EMISOR", error))?;
            Arc::new(PublishedKeys::new(issuer, clock.clone()))
        };
        let expected = Expected {
            issuer,
            audience: setting("AUDIENCIA")?,
        };
        Ok(Self {
            checker: Checker::new(expected, keys, clock.clone()),
            scope: setting("ALCANCE_OPERADOR")?,
            clock,
            metrics: Metrics::of(platform, wiring::METRICS)
                .map_err(|_| ConfigError::Missing("STACK"))?,
        })
    }

    /// Answers whether the sender of a request may pass, and who they are.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub async fn authorize(&self, request: Request) -> Result<Answer, Refused> {
        let stage = request.stage().ok_or(Refused::Unauthorized)?;
        let token = request.token();
        let token = token.ok_or_else(|| refused("the header has no Bearer token alone"))?;
        let accepted = match self.checker.check(token).await {
            Ok(accepted) => accepted,
            Err(TokenError::Invalid(rule)) => return Err(refused(rule)),
            Err(TokenError::NoKeys(cause)) => {
                error!(%cause, "no token can be checked");
                self.metrics
                    .emit(self.clock.now(), &[(WITHOUT_KEYS, Unit::Count, 1)]);
                return Err(Refused::WithoutKeys);
            }
        };
        let Accepted {
            subject,
            scopes,
            expires,
        } = accepted;
        if !scopes.contains(&self.scope) {
            let id = api::client_id(&subject);
            return Ok(Answer::allow(&stage, "cliente", id, expires));
        }
        if api::is_name(&subject) {
            return Ok(Answer::allow(&stage, "operador", subject, expires));
        }
        Err(refused("sub is no name of an operator"))
    }
}

/// Logs the rule that a token breaks. The log has nothing of the token itself.
fn refused(rule: &str) -> Refused {
    info!(rule, "token refused");
    Refused::Unauthorized
}
