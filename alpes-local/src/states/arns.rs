//! The names and ARNs of machines and executions.

use crate::{error::AwsError, names::arn};

/// The most characters in the name of a machine or execution.
const NAME_LIMIT: usize = 80;

/// The characters beside white space and control characters that names may not have.
const FORBIDDEN: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";

pub(crate) fn machine_arn(name: &str) -> String {
    arn("states", &format!("stateMachine:{name}"))
}

pub(super) fn execution_arn(machine: &str, name: &str) -> String {
    arn("states", &format!("execution:{machine}:{name}"))
}

/// The name of the machine with this ARN.
pub(super) fn machine_name(machine_arn: &str) -> Result<&str, AwsError> {
    let name = machine_arn.strip_prefix(&arn("states", "stateMachine:"));
    name.filter(|name| is_name(name))
        .ok_or_else(|| invalid(machine_arn))
}

/// The names of the machine and of the execution with this ARN.
pub(super) fn execution_names(execution_arn: &str) -> Result<(&str, &str), AwsError> {
    let names = execution_arn.strip_prefix(&arn("states", "execution:"));
    names
        .and_then(|names| names.split_once(':'))
        .filter(|(machine, name)| is_name(machine) && is_name(name))
        .ok_or_else(|| invalid(execution_arn))
}

fn invalid(arn: &str) -> AwsError {
    AwsError::client("InvalidArn", format!("Invalid Arn: '{arn}'"))
}

/// Fails unless the text may name a machine or an execution.
pub(super) fn check_name(name: &str) -> Result<(), AwsError> {
    if is_name(name) {
        return Ok(());
    }
    Err(AwsError::client(
        "InvalidName",
        format!("Invalid Name: '{name}'"),
    ))
}

fn is_name(name: &str) -> bool {
    let bad = |next: char| next.is_whitespace() || next.is_control() || FORBIDDEN.contains(next);
    (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_and_names_belong_together() {
        assert_eq!(machine_name(&machine_arn("orders")), Ok("orders"));
        let execution = execution_arn("orders", "o-1.ñ");
        assert_eq!(execution_names(&execution), Ok(("orders", "o-1.ñ")));
        for bad in [
            "orders".to_owned(),
            machine_arn(""),
            machine_arn("orders:LIVE"),
            machine_arn("orders").replace("us-east-1", "eu-west-1"),
            execution,
        ] {
            assert_eq!(machine_name(&bad).unwrap_err().code, "InvalidArn", "{bad}");
        }
        assert!(execution_names(&machine_arn("orders")).is_err());
        for bad in ["", "a b", "a:b", "a\u{7f}", &"a".repeat(81)] {
            assert_eq!(check_name(bad).unwrap_err().code, "InvalidName", "{bad}");
        }
        assert!(check_name(&"a".repeat(80)).is_ok());
    }
}
