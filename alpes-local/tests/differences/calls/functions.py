"""Lambda and the functions' logs."""

from typing import Any

from calls.call import Call

FUNCTION = {"FunctionName": "differences-echo"}
NO_FUNCTION = {"FunctionName": "${run}-none"}
NO_MAPPING = {"UUID": "11111111-2222-4333-8444-555555555555"}


def function(operation: str, about: str, parameters: dict[str, Any], **rest: Any) -> Call:
    return Call("lambda", operation, about, parameters, **rest)


LAMBDA = [
    function(
        "invoke",
        "that answers",
        FUNCTION | {"Payload": b'{"a": [1, "x"]}', "LogType": "Tail"},
    ),
    function("invoke", "that fails", FUNCTION | {"Payload": b'{"do": "fail"}'}),
    function("invoke", "that exits", FUNCTION | {"Payload": b'{"do": "exit"}'}),
    function("invoke", "that takes too long", FUNCTION | {"Payload": b'{"do": "sleep"}'}),
    function("invoke", "by event", FUNCTION | {"Payload": b"{}", "InvocationType": "Event"}),
    function(
        "invoke",
        "as a trial",
        FUNCTION | {"Payload": b"{}", "InvocationType": "DryRun"},
    ),
    function(
        "invoke",
        "of a bad type",
        FUNCTION | {"Payload": b"{}", "InvocationType": "Maybe"},
    ),
    function("invoke", "with a body that is no JSON", FUNCTION | {"Payload": b"{"}),
    function(
        "invoke",
        "with more than 6 MB",
        FUNCTION | {"Payload": b'"' + b"x" * 6_300_000 + b'"'},
    ),
    function("invoke", "of a missing function", NO_FUNCTION | {"Payload": b"{}"}),
    function(
        "invoke",
        "of a missing version",
        FUNCTION | {"Payload": b"{}", "Qualifier": "7"},
    ),
    function("update_function_code", "with a zip", FUNCTION | {"ZipFile": "$zip"}),
    function("update_function_code", "with no zip", FUNCTION | {"ZipFile": b"x"}),
    function(
        "update_function_code",
        "of a missing function",
        NO_FUNCTION | {"ZipFile": "$zip"},
    ),
    function(
        "invoke",
        "of the new code",
        FUNCTION | {"Payload": b'"new"'},
        until="StatusCode == `200`",
    ),
    function(
        "list_event_source_mappings",
        "of a function",
        FUNCTION,
        keep={"mapping": "EventSourceMappings[0].UUID"},
    ),
    function("list_event_source_mappings", "of a missing function", NO_FUNCTION),
    function("list_event_source_mappings", "with a bad limit", FUNCTION | {"MaxItems": 10_001}),
    function(
        "get_event_source_mapping",
        "of a mapping",
        {"UUID": "$mapping"},
        until="State == 'Enabled'",
    ),
    function("get_event_source_mapping", "of a missing mapping", NO_MAPPING),
    function(
        "update_event_source_mapping",
        "of the batch size",
        {"UUID": "$mapping", "BatchSize": 11},
    ),
    # One update at a time: LocalStack leaves a mapping disabled that is updated twice at once.
    function("get_event_source_mapping", "of a changed mapping", {"UUID": "$mapping"}, until="State == 'Enabled'"),
    function("update_event_source_mapping", "back to the template's batch size", {"UUID": "$mapping", "BatchSize": 10}),
    function("get_event_source_mapping", "of a mapping as before", {"UUID": "$mapping"}, until="State == 'Enabled'"),
    function(
        "update_event_source_mapping",
        "to a bad batch size",
        {"UUID": "$mapping", "BatchSize": 10_001},
    ),
    function(
        "update_event_source_mapping",
        "of a missing mapping",
        NO_MAPPING | {"BatchSize": 11},
    ),
    Call(
        "logs",
        "describe_log_groups",
        "of a function",
        {"logGroupNamePrefix": "/aws/lambda/differences-echo"},
        until="logGroups",
    ),
    Call("logs", "describe_log_groups", "of none", {"logGroupNamePrefix": "/none/${run}"}),
    Call("logs", "describe_log_groups", "with a bad limit", {"limit": 51}),
    Call(
        "logs",
        "filter_log_events",
        "of a line",
        {
            "logGroupName": "/aws/lambda/differences-echo",
            "filterPattern": '"event for"',
            "limit": 1,
        },
        until="events",
    ),
    Call(
        "logs",
        "filter_log_events",
        "of a missing group",
        {"logGroupName": "/none/${run}"},
    ),
    Call(
        "logs",
        "filter_log_events",
        "with a limit of 0",
        {"logGroupName": "/aws/lambda/differences-echo", "limit": 0},
    ),
]
