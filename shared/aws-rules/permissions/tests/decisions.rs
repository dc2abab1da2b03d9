//! Decisions over whole policies.

#![cfg(test)]

use permissions::{Caller, Context, Grant, Place, Policies, Policy, Question, Refusal, decide};
use serde_json::{Value, json};

const ACCOUNT: &str = "000000000000";
const ROLE: &str = "arn:aws:iam::000000000000:role/clerk";
const CLERK: Caller<'_> = Caller::Role {
    role: ROLE,
    session: "arn:aws:sts::000000000000:assumed-role/clerk/sell",
    account: ACCOUNT,
};
const BUCKET: &str = "arn:aws:s3:::orders";

fn policy(statements: &Value) -> Policy {
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn deny(action: &str, resource: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": resource})
}

fn to(principal: Value, mut statement: Value) -> Value {
    statement["Principal"] = principal;
    statement
}

fn ask(policies: &Policies<'_>, caller: Caller<'_>) -> Result<Grant, Refusal> {
    let context = Context::default();
    let question = Question {
        caller,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::orders/7",
        context: &context,
    };
    decide(policies, &question)
}

fn of_role(policy: &Policy) -> Result<Grant, Refusal> {
    let identity = &[policy];
    let policies = Policies {
        identity,
        ..Policies::default()
    };
    ask(&policies, CLERK)
}

#[test]
fn a_role_may_do_what_a_policy_allows_and_none_denies() {
    let place = |statement, action, resource| {
        let place = Place {
            statement,
            action,
            resource,
        };
        Ok(Grant::Identity { policy: 0, place })
    };
    let objects = "arn:aws:s3:::orders/*";
    let many = json!([
        allow("s3:GetObject", BUCKET),
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:Get*"], "Resource": [BUCKET, "*", objects]},
    ]);
    assert_eq!(of_role(&policy(&many)), place(1, 1, 1));
    assert_eq!(of_role(&policy(&allow("*", "*"))), place(0, 0, 0));
    let none = Err(Refusal::NoIdentityPolicy);
    assert_eq!(of_role(&policy(&allow("s3:GetObject", BUCKET))), none);
    assert_eq!(of_role(&policy(&allow("s3:PutObject", "*"))), none);
    let denied = policy(&json!([allow("s3:*", "*"), deny("s3:getobject", "*")]));
    assert_eq!(of_role(&denied), Err(Refusal::IdentityDenies));
    let but = json!({"Effect": "Allow", "NotAction": "s3:Put*", "NotResource": BUCKET});
    assert_eq!(of_role(&policy(&but)), place(0, 0, 0));
    let but = json!({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"});
    assert_eq!(of_role(&policy(&but)), none);
}

#[test]
fn a_boundary_bounds_and_grants_nothing() {
    let (all, own) = (
        policy(&allow("s3:*", "*")),
        policy(&allow("s3:GetObject", "*")),
    );
    let other = policy(&allow("sqs:*", "*"));
    let denies = policy(&json!([allow("*", "*"), deny("s3:*", "*")]));
    let ask_within = |identity: &[&Policy], boundary| {
        let policies = Policies {
            identity,
            boundary: Some(boundary),
            ..Policies::default()
        };
        ask(&policies, CLERK)
    };
    assert!(ask_within(&[&own], &all).is_ok());
    assert_eq!(ask_within(&[&all], &other), Err(Refusal::NotInBoundary));
    assert_eq!(ask_within(&[], &all), Err(Refusal::NoIdentityPolicy));
    assert_eq!(ask_within(&[&all], &denies), Err(Refusal::BoundaryDenies));
}

#[test]
fn a_resource_may_allow_by_itself_leave_it_to_the_account_or_deny() {
    let by = |principal: Value| policy(&to(principal, allow("s3:GetObject", "*")));
    let own = policy(&allow("s3:GetObject", "*"));
    let ask_at = |resource: &Policy, identity: &[&Policy], must| {
        let policies = Policies {
            identity,
            resource: Some(resource),
            resource_must_allow: must,
            ..Policies::default()
        };
        ask(&policies, CLERK)
    };
    let session = "arn:aws:sts::000000000000:assumed-role/clerk/sell";
    for principal in [
        json!("*"),
        json!({"AWS": [ROLE]}),
        json!({"AWS": session}),
        json!({"AWS": "*"}),
    ] {
        let resource = by(principal);
        assert!(matches!(
            ask_at(&resource, &[], true),
            Ok(Grant::Resource(_))
        ));
    }
    for account in [
        json!({"AWS": ACCOUNT}),
        json!({"AWS": "arn:aws:iam::000000000000:root"}),
    ] {
        let resource = by(account);
        assert_eq!(ask_at(&resource, &[], true), Err(Refusal::NoIdentityPolicy));
        assert!(matches!(
            ask_at(&resource, &[&own], true),
            Ok(Grant::Identity { .. })
        ));
    }
    let other = by(json!({"AWS": "arn:aws:iam::000000000000:role/other"}));
    assert!(ask_at(&other, &[&own], false).is_ok());
    assert_eq!(
        ask_at(&other, &[&own], true),
        Err(Refusal::NoResourcePolicy)
    );
    let denies = policy(&to(json!("*"), deny("s3:*", "*")));
    assert_eq!(
        ask_at(&denies, &[&own], false),
        Err(Refusal::ResourceDenies)
    );
    let mut all_but = deny("s3:*", "*");
    all_but["NotPrincipal"] = json!({"AWS": ROLE});
    assert!(ask_at(&policy(&all_but), &[&own], false).is_ok());
}

#[test]
fn a_service_needs_the_policy_of_the_resource() {
    let service = Caller::Service("sns.amazonaws.com");
    let by = |name: &str| policy(&to(json!({"Service": name}), allow("s3:GetObject", "*")));
    let ask_at = |resource: &Policy| {
        let policies = Policies {
            resource: Some(resource),
            ..Policies::default()
        };
        ask(&policies, service)
    };
    assert!(ask_at(&by("sns.amazonaws.com")).is_ok());
    let refused = Err(Refusal::NoIdentityPolicy);
    assert_eq!(ask_at(&by("events.amazonaws.com")), refused);
    assert_eq!(ask(&Policies::default(), service), refused);
}

/// Whether a statement with this condition counts for a request with these values.
fn met(condition: &Value, values: &[(&str, &str)]) -> bool {
    let mut statement = allow("*", "*");
    statement["Condition"] = condition.clone();
    let policy = policy(&statement);
    let mut context = Context::default();
    for (key, value) in values {
        context.set(key, *value);
    }
    let question = Question {
        caller: CLERK,
        action: "s3:GetObject",
        resource: "*",
        context: &context,
    };
    let identity = &[&policy];
    let policies = Policies {
        identity,
        ..Policies::default()
    };
    decide(&policies, &question).is_ok()
}

#[test]
fn a_statement_counts_only_when_all_its_conditions_are_met() {
    let cases = [
        (
            json!({"StringEquals": {"aws:SourceAccount": ["1", "2"]}}),
            "2",
            true,
        ),
        (
            json!({"StringEquals": {"aws:SourceAccount": "1"}}),
            "2",
            false,
        ),
        (
            json!({"StringNotEquals": {"aws:sourceaccount": ["1", "3"]}}),
            "2",
            true,
        ),
        (
            json!({"StringNotEquals": {"aws:SourceAccount": ["1", "2"]}}),
            "2",
            false,
        ),
        (
            json!({"StringLike": {"aws:SourceAccount": "a*"}}),
            "abc",
            true,
        ),
        (
            json!({"StringNotLike": {"aws:SourceAccount": "a*"}}),
            "abc",
            false,
        ),
        (
            json!({"StringEqualsIgnoreCase": {"aws:SourceAccount": "ABC"}}),
            "abc",
            true,
        ),
        (
            json!({"NumericLessThan": {"aws:SourceAccount": 10}}),
            "9",
            true,
        ),
        (
            json!({"NumericLessThan": {"aws:SourceAccount": "10"}}),
            "x",
            false,
        ),
        (
            json!({"NumericGreaterThanEquals": {"aws:SourceAccount": "10"}}),
            "10",
            true,
        ),
        (json!({"Bool": {"aws:SourceAccount": true}}), "true", true),
        (json!({"Null": {"aws:SourceAccount": "false"}}), "x", true),
        (json!({"Null": {"aws:SourceAccount": true}}), "x", false),
    ];
    for (condition, given, expected) in cases {
        let values = [("aws:SourceAccount", given)];
        assert_eq!(met(&condition, &values), expected, "{condition} {given}");
    }
    let like = json!({"ArnLike": {"aws:SourceArn": "arn:aws:execute-api:*:*:a1/*/GET/orders"}});
    let arn = "arn:aws:execute-api:us-east-1:000000000000:a1/v1/GET/orders";
    assert!(met(&like, &[("AWS:SourceArn", arn)]));
    let both = json!({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:SourceAccount": "1"}});
    assert!(!met(
        &both,
        &[("aws:SourceAccount", "1"), ("aws:SecureTransport", "false")]
    ));
}

#[test]
fn a_missing_value_meets_negations_and_if_exists_alone() {
    let cases = [
        (json!({"StringEquals": {"k:a": "1"}}), false),
        (json!({"StringEqualsIfExists": {"k:a": "1"}}), true),
        (json!({"StringNotEquals": {"k:a": "1"}}), true),
        (json!({"Null": {"k:a": "true"}}), true),
        (json!({"ForAllValues:StringEquals": {"k:a": "1"}}), true),
        (json!({"ForAnyValue:StringEquals": {"k:a": "1"}}), false),
    ];
    for (condition, expected) in cases {
        assert_eq!(met(&condition, &[]), expected, "{condition}");
    }
}

#[test]
fn several_values_are_judged_together() {
    let judged = |quantifier: &str, given: &[&str]| {
        let mut statement = allow("*", "*");
        let operator = format!("{quantifier}:StringEquals");
        statement["Condition"] = json!({operator: {"dynamodb:LeadingKeys": ["a", "b"]}});
        let policy = policy(&statement);
        let mut context = Context::default();
        let given = given.iter().map(|&value| value.to_owned()).collect();
        context.set_all("dynamodb:LeadingKeys", given);
        let question = Question {
            caller: CLERK,
            action: "dynamodb:PutItem",
            resource: "*",
            context: &context,
        };
        let identity = &[&policy];
        let policies = Policies {
            identity,
            ..Policies::default()
        };
        decide(&policies, &question).is_ok()
    };
    assert!(judged("ForAllValues", &["a", "b"]));
    assert!(!judged("ForAllValues", &["a", "c"]));
    assert!(judged("ForAnyValue", &["a", "c"]));
    assert!(!judged("ForAnyValue", &["c"]));
}

#[test]
fn grants_are_listed_pattern_by_pattern() {
    let policy = policy(&json!([
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"], "Resource": [BUCKET, "*"]},
        deny("s3:*", "*"),
        {"Effect": "Allow", "NotAction": ["a:b", "c:d"], "Resource": "*"},
    ]));
    let shown = policy.grants().map(|place| {
        let permission = policy.permission(place).unwrap();
        format!("{} {}", permission.action, permission.resource)
    });
    let expected = [
        "s3:Get* arn:aws:s3:::orders",
        "s3:Get* *",
        "s3:PutObject arn:aws:s3:::orders",
        "s3:PutObject *",
        "all but a:b, c:d *",
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let mut conditional = allow("*", "*");
    conditional["Condition"] = json!({"StringIs": {"k": "1"}});
    let cases = [
        (
            json!("x"),
            "Statement must be a statement or a list of statements",
        ),
        (
            json!([allow("*", "*"), {"Effect": "Maybe"}]),
            "Statement[1] Effect must be Allow or Deny",
        ),
        (
            json!({"Effect": "Allow", "Resource": "*"}),
            "Statement[0] must have Action or NotAction",
        ),
        (
            json!(allow("getobject", "*")),
            "must be * or SERVICE:NAME, unlike \"getobject\"",
        ),
        (
            json!(allow("s3:*", "arn:${aws:username}")),
            "Resource must have no policy variable",
        ),
        (
            json!({"Effect": "Allow", "Action": "*", "Resource": 1}),
            "Resource must be a text or a list",
        ),
        (
            json!({"Effect": "Allow", "Action": "*", "Resources": "*"}),
            "must have no element Resources",
        ),
        (conditional, "Condition must have no operator StringIs"),
        (
            to(json!({"Aws": "*"}), allow("*", "*")),
            "Principal has no kind Aws",
        ),
    ];
    for (statements, told) in cases {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let mistake = Policy::parse(&document).unwrap_err().to_string();
        assert!(mistake.contains(told), "{mistake}");
    }
    let of_role = policy(&allow("*", "*"));
    assert!(of_role.check_for_role().is_ok());
    assert!(of_role.check_for_resource().is_err());
    let of_resource = policy(&to(json!("*"), allow("*", "*")));
    assert!(of_resource.check_for_role().is_err());
    assert!(of_resource.check_for_resource().is_ok());
    let trust = policy(&json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}));
    assert!(trust.check_for_resource().is_ok());
}
