//! Who does something: a role, or a service for a resource.

use permissions::Caller as Judged;

use super::{Session, rules::Role};
use crate::{
    error::AwsError,
    names::{ACCOUNT, last_part},
    sts::Sts,
};

/// A role or a service that does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting<'a> {
    /// A session of a role.
    Role {
        /// The role's ARN, or its name.
        role: &'a str,
        /// The name of the session: that of the function, if it is a function's.
        session: &'a str,
    },
    /// A service of AWS.
    Service {
        /// The service, for example `sns.amazonaws.com`.
        service: &'static str,
        /// The ARN of the resource for which it acts; empty if there is none.
        source: &'a str,
    },
}

impl Acting<'_> {
    /// The session's ARN, or the service's name.
    pub(super) fn arn(&self) -> String {
        match self {
            Self::Role { role, session } => {
                let role = last_part(role);
                format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}")
            }
            Self::Service { service, .. } => (*service).to_owned(),
        }
    }

    /// The caller, as policies name it. `session` is [`Self::arn`].
    pub(super) fn caller<'c>(&'c self, role: Option<&'c Role>, session: &'c str) -> Judged<'c> {
        match self {
            Self::Role { role: name, .. } => Judged::Role {
                role: role.map_or(name, |role| &role.arn),
                session,
                account: ACCOUNT,
            },
            Self::Service { service, .. } => Judged::Service(service),
        }
    }
}

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A key that is neither a function's nor a session's, or no key: everything is allowed.
    Administrator,
    /// A function, or a session that was made with `AssumeRole`.
    Session {
        /// The role's ARN, or its name.
        role: String,
        /// The name of the session.
        session: String,
    },
}

impl Caller {
    /// The caller whose key has this id.
    pub(super) fn of(key: &str, sts: &Sts) -> Result<Self, AwsError> {
        if let Some(Session { role, function }) = Session::of(key) {
            return Ok(Self::Session {
                role: role.replace("%2C", ","),
                session: function.to_owned(),
            });
        }
        if !key.starts_with("ASIA") {
            return Ok(Self::Administrator);
        }
        let session = sts.session(key)?;
        Ok(
            session.map_or(Self::Administrator, |session| Self::Session {
                role: session.role,
                session: session.name,
            }),
        )
    }

    /// The ARN: of the session, or of the account's root.
    #[must_use]
    pub fn arn(&self) -> String {
        let root = || format!("arn:aws:iam::{ACCOUNT}:root");
        self.acting().map_or_else(root, |acting| acting.arn())
    }

    /// The role that acts; `None` for the administrator.
    #[must_use]
    pub fn acting(&self) -> Option<Acting<'_>> {
        match self {
            Self::Administrator => None,
            Self::Session { role, session } => Some(Acting::Role { role, session }),
        }
    }
}
