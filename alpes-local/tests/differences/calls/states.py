"""Step Functions."""

from typing import Any

from calls.call import Call

MACHINE = {"stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:differences-machine"}
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:differences-machine:"


def states(operation: str, about: str, parameters: dict[str, Any], **rest: Any) -> Call:
    return Call("stepfunctions", operation, about, parameters, **rest)


STATES = [
    states(
        "start_execution",
        "of a machine",
        MACHINE | {"name": "${run}-ok", "input": '{"a": 1}'},
    ),
    states(
        "describe_execution",
        "of one that succeeds",
        {"executionArn": EXECUTION + "${run}-ok"},
        until="status != 'RUNNING'",
    ),
    states(
        "get_execution_history",
        "of one that succeeds",
        {"executionArn": EXECUTION + "${run}-ok"},
    ),
    states(
        "get_execution_history",
        "of a page",
        {
            "executionArn": EXECUTION + "${run}-ok",
            "maxResults": 2,
            "reverseOrder": True,
            "includeExecutionData": False,
        },
    ),
    states(
        "start_execution",
        "by a name that was used",
        MACHINE | {"name": "${run}-ok", "input": '{"a": 2}'},
    ),
    states("start_execution", "with a bad name", MACHINE | {"name": "${run} b", "input": "{}"}),
    states(
        "start_execution",
        "with an input that is no JSON",
        MACHINE | {"name": "${run}-bad", "input": "{"},
    ),
    states(
        "start_execution",
        "with a large input",
        MACHINE | {"name": "${run}-bad", "input": f'"{"x" * 262_145}"'},
    ),
    states(
        "start_execution",
        "of a missing machine",
        {
            "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:none",
            "input": "{}",
        },
    ),
    states("start_execution", "of a bad ARN", {"stateMachineArn": "x", "input": "{}"}),
    states(
        "start_execution",
        "that fails",
        MACHINE | {"name": "${run}-fails", "input": '{"do": "fail"}'},
    ),
    states(
        "describe_execution",
        "of one that fails",
        {"executionArn": EXECUTION + "${run}-fails"},
        until="status != 'RUNNING'",
    ),
    states(
        "get_execution_history",
        "of one that fails",
        {"executionArn": EXECUTION + "${run}-fails"},
    ),
    states(
        "redrive_execution",
        "of one that failed",
        {"executionArn": EXECUTION + "${run}-fails"},
    ),
    states(
        "describe_execution",
        "of one that was redriven",
        {"executionArn": EXECUTION + "${run}-fails"},
        until="status != 'RUNNING'",
    ),
    states(
        "redrive_execution",
        "of one that succeeded",
        {"executionArn": EXECUTION + "${run}-ok"},
    ),
    states(
        "redrive_execution",
        "of a missing one",
        {"executionArn": EXECUTION + "${run}-none"},
    ),
    states(
        "start_execution",
        "that waits",
        MACHINE | {"name": "${run}-waits", "input": '{"wait": true}'},
    ),
    states(
        "start_execution",
        "that waits, again",
        MACHINE | {"name": "${run}-waits", "input": '{"wait": true}'},
    ),
    states(
        "describe_execution",
        "of one that waits",
        {"executionArn": EXECUTION + "${run}-waits"},
    ),
    states(
        "get_execution_history",
        "of one that waits",
        {"executionArn": EXECUTION + "${run}-waits"},
        until="events[?type == 'WaitStateEntered']",
    ),
    states(
        "stop_execution",
        "of one that waits",
        {
            "executionArn": EXECUTION + "${run}-waits",
            "error": "Stopped",
            "cause": "enough",
        },
    ),
    states(
        "describe_execution",
        "of one that was stopped",
        {"executionArn": EXECUTION + "${run}-waits"},
        until="status != 'RUNNING'",
    ),
    states(
        "get_execution_history",
        "of one that was stopped",
        {"executionArn": EXECUTION + "${run}-waits"},
    ),
    states(
        "stop_execution",
        "of a missing one",
        {"executionArn": EXECUTION + "${run}-none"},
    ),
    states(
        "describe_execution",
        "of a missing one",
        {"executionArn": EXECUTION + "${run}-none"},
    ),
    states(
        "get_execution_history",
        "of a missing one",
        {"executionArn": EXECUTION + "${run}-none"},
    ),
    states(
        "get_execution_history",
        "with a bad token",
        {"executionArn": EXECUTION + "${run}-ok", "nextToken": "x"},
    ),
]
