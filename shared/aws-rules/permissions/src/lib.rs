//! The rules by which AWS decides whether a caller may do something: policies of roles and of resources.
//!
//! **When to use it**: to judge calls as AWS would, in an emulator, or in a test of a template's policies. The crate
//! reads policy documents and decides; it knows no service, and the caller says which action on which resource a
//! request is.
//!
//! 1. [`Policy::parse`] reads a document of a role or of a resource.
//! 2. [`Question`] is one action of one [`Caller`] on one resource, with the values for conditions.
//! 3. [`decide`] answers with the [`Grant`] that allows the action, or with the [`Refusal`].
//!
//! ```
//! use permissions::{Caller, Context, Policies, Policy, Question, Refusal, decide};
//!
//! let document = serde_json::json!({
//!     "Version": "2012-10-17",
//!     "Statement": [{"Effect": "Allow", "Action": "dynamodb:Get*", "Resource": "arn:aws:dynamodb:*:*:table/orders"}],
//! });
//! let policy = Policy::parse(&document)?;
//! let caller = Caller::Role {
//!     role: "arn:aws:iam::000000000000:role/clerk",
//!     session: "arn:aws:sts::000000000000:assumed-role/clerk/sell",
//!     account: "000000000000",
//! };
//! let context = Context::default();
//! let ask = |action| {
//!     let resource = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";
//!     let question = Question { caller, action, resource, context: &context };
//!     let policies = Policies { identity: &[&policy], ..Policies::default() };
//!     decide(&policies, &question)
//! };
//! assert!(ask("dynamodb:GetItem").is_ok());
//! assert_eq!(ask("dynamodb:PutItem"), Err(Refusal::NoIdentityPolicy));
//! # Ok::<(), permissions::InvalidPolicy>(())
//! ```
//!
//! The rules are those of one account, by
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>:
//! a statement that denies goes before all others; otherwise a policy of the role or of the resource must allow; the
//! boundary of a role must allow too. Policies of organizations and of sessions are not part of the rules here, and
//! neither are policy variables such as `${aws:username}`: [`Policy::parse`] refuses them.

#![deny(missing_docs)]

mod condition;
mod decide;
mod pattern;
mod policy;
mod principal;
mod statement;

pub use condition::Context;
pub use decide::{Grant, Policies, Question, Refusal, decide};
pub use policy::{InvalidPolicy, Policy};
pub use principal::Caller;
pub use statement::{Permission, Place};
