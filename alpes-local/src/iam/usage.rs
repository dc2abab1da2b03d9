//! Which permissions of roles were used.
//!
//! Each use is kept once, with the permission that allowed it, in the store: so the report also covers earlier runs with
//! the same data folder.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use permissions::{Permission, Place};
use rusqlite::params;
use serde_json::{Value, json};

use super::rules::Role;
use crate::{error::AwsError, store::Store, waiting::lock};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS iam_use (
  role TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  allowed_action TEXT NOT NULL,
  allowed_resource TEXT NOT NULL,
  PRIMARY KEY (role, action, resource, allowed_action, allowed_resource)
) WITHOUT ROWID;
";

/// The uses of permissions.
#[derive(Default)]
pub(super) struct Usage {
    /// `None` if uses are kept in memory only.
    store: Option<Arc<Store>>,
    roles: Mutex<HashMap<String, Used>>,
}

/// The uses of a role's permissions.
#[derive(Default)]
struct Used {
    /// What was noted already: the place in a policy, and the action.
    noted: HashSet<(usize, Place, String)>,
    uses: BTreeSet<Use>,
}

/// A use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    action: String,
    /// The resource, less what differs from call to call.
    resource: String,
    allowed: Permission,
}

impl Usage {
    /// The uses in this store.
    pub(super) fn new(store: Arc<Store>) -> Result<Self, AwsError> {
        store.schema(SCHEMA)?;
        let mut roles = HashMap::<String, Used>::new();
        store.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT role, action, resource, allowed_action, allowed_resource FROM iam_use",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let role: String = row.get(0)?;
                roles.entry(role).or_default().uses.insert(Use {
                    action: row.get(1)?,
                    resource: row.get(2)?,
                    allowed: Permission {
                        action: row.get(3)?,
                        resource: row.get(4)?,
                    },
                });
            }
            Ok::<_, AwsError>(())
        })?;
        Ok(Self {
            store: Some(store),
            roles: Mutex::new(roles),
        })
    }

    /// Notes that a place in one of a role's policies has allowed an action. The first resource stands for all others
    /// that the same place allows, but for the patterns that allow everything.
    pub(super) fn note(
        &self,
        role: &Role,
        (policy, place): (usize, Place),
        action: &str,
        resource: &str,
    ) {
        let Some((_, allowing)) = role.policies.get(policy) else {
            return;
        };
        let Some(allowed) = allowing.permission(place) else {
            return;
        };
        let mut roles = lock(&self.roles);
        if !roles.contains_key(&role.name) {
            roles.insert(role.name.clone(), Used::default());
        }
        let Some(used) = roles.get_mut(&role.name) else {
            return;
        };
        let is_new = used.noted.insert((policy, place, action.to_owned()));
        if !is_new && allowed.resource != "*" {
            return;
        }
        let noted = Use {
            action: action.to_owned(),
            resource: general(resource, &allowed.resource),
            allowed,
        };
        if used.uses.contains(&noted) {
            return;
        }
        used.uses.insert(noted.clone());
        drop(roles);
        self.keep(&role.name, &noted);
    }

    /// Keeps a use. A store that refuses it loses a line of a report, and no more.
    fn keep(&self, role: &str, noted: &Use) {
        let Some(store) = &self.store else {
            return;
        };
        let kept = store.write(|transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO iam_use VALUES (?, ?, ?, ?, ?)",
                params![
                    role,
                    noted.action,
                    noted.resource,
                    noted.allowed.action,
                    noted.allowed.resource,
                ],
            )
        });
        if let Err(error) = kept {
            eprintln!("the use of a permission was not kept: {error}");
        }
    }

    /// A role's permissions, each with whether it was used, and the least policy that would have done.
    pub(super) fn report(&self, role: &Role) -> Value {
        let roles = lock(&self.roles);
        let none = BTreeSet::new();
        let uses = roles.get(&role.name).map_or(&none, |used| &used.uses);
        let allowing: BTreeSet<_> = uses.iter().map(|one| &one.allowed).collect();
        let policies = role.policies.iter().flat_map(|(name, policy)| {
            let places = policy.grants();
            let permissions = places.filter_map(|place| policy.permission(place));
            permissions.map(move |permission| (name, permission))
        });
        let permissions = policies.map(|(policy, permission)| {
            json!({
                "policy": policy,
                "action": permission.action,
                "resource": permission.resource,
                "used": allowing.contains(&permission),
            })
        });
        json!({
            "role": role.name,
            "arn": role.arn,
            "permissions": permissions.collect::<Vec<_>>(),
            "least": least(uses),
        })
    }
}

/// The least policy for these uses: a statement for each resource.
fn least(uses: &BTreeSet<Use>) -> Value {
    let mut resources = BTreeMap::<&str, BTreeSet<&str>>::new();
    for used in uses {
        let actions = resources.entry(&used.resource).or_default();
        actions.insert(&used.action);
    }
    let statements = resources.iter().map(
        |(resource, actions)| json!({"Effect": "Allow", "Action": actions, "Resource": resource}),
    );
    json!({
        "Version": "2012-10-17",
        "Statement": statements.collect::<Vec<_>>(),
    })
}

/// The resource for a report: the pattern that allowed it, or, if that is `*`, the resource without the parts that differ
/// from call to call.
fn general(resource: &str, allowed: &str) -> String {
    if allowed != "*" {
        return allowed.to_owned();
    }
    let mut parts = resource.splitn(6, ':');
    let (service, name) = (parts.nth(2), parts.nth(2));
    let general = match (service, name) {
        (Some("s3"), Some(name)) => name
            .split_once('/')
            .map(|(bucket, _)| format!("{bucket}/*")),
        (Some("logs"), Some(name)) => {
            let group = name.strip_prefix("log-group:");
            let group = group.and_then(|name| name.split(':').next());
            group.map(|group| format!("log-group:{group}:*"))
        }
        (Some("states"), Some(name)) => {
            let execution = name.strip_prefix("execution:");
            let machine = execution.and_then(|name| name.split(':').next());
            machine.map(|machine| format!("execution:{machine}:*"))
        }
        _ => None,
    };
    match (general, name) {
        (Some(general), Some(name)) => {
            let before = resource.strip_suffix(name).unwrap_or_default();
            format!("{before}{general}")
        }
        _ => resource.to_owned(),
    }
}
