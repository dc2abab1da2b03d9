"""CloudFormation and STS."""

from typing import Any

from calls.call import Call

STACK = {"StackName": "${run}-stack"}
EMPTY = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'


def stack(operation: str, about: str, parameters: dict[str, Any], **rest: Any) -> Call:
    return Call("cloudformation", operation, about, parameters, **rest)


CLOUDFORMATION = [
    stack("describe_stacks", "of a missing stack", STACK),
    stack(
        "create_stack",
        "with a template that is no template",
        STACK | {"TemplateBody": "x"},
    ),
    stack(
        "create_stack",
        "with an unknown parameter",
        {"StackName": "${run}-unknown"}
        | {
            "TemplateBody": EMPTY,
            "Parameters": [{"ParameterKey": "Unknown", "ParameterValue": "x"}],
        },
    ),
    stack("create_stack", "of a stack", STACK | {"TemplateBody": EMPTY}),
    stack(
        "describe_stacks",
        "of a stack",
        STACK,
        until="Stacks[0].StackStatus == 'CREATE_COMPLETE'",
    ),
    stack("create_stack", "of one that exists", STACK | {"TemplateBody": EMPTY}),
    stack("update_stack", "that changes nothing", STACK | {"TemplateBody": EMPTY}),
    stack(
        "update_stack",
        "of a missing stack",
        {"StackName": "${run}-none", "TemplateBody": EMPTY},
    ),
    stack("describe_stack_events", "of a missing stack", {"StackName": "${run}-none"}),
    stack("delete_stack", "of a stack", STACK),
    stack("delete_stack", "of a missing stack", {"StackName": "${run}-none"}),
]

STS = [
    Call("sts", "get_caller_identity", "of anyone"),
    Call(
        "sts",
        "http",
        "of an unknown action",
        {
            "method": "POST",
            "path": "/",
            "body": "Action=Unknown&Version=2011-06-15",
            "headers": {
                "Content-Type": "application/x-www-form-urlencoded",
                # A request belongs to the service that its signature names.
                "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sts/aws4_request, "
                "SignedHeaders=host, Signature=x",
            },
        },
    ),
]
