"""Answers: how they are made comparable, and how they differ."""

import base64
import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What an endpoint says to a call."""

    status: int
    code: str
    """The code of an error; an empty text otherwise."""
    message: str
    body: Any
    """The answer's members; for an error, those besides code and message."""

    def members(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "body": self.body,
        }


@dataclass(frozen=True)
class Difference:
    """One place in which two answers differ."""

    call: str
    path: str
    first: str
    second: str
    code: str
    """The code of the first answer."""


MISSING = "(missing)"
NOT_YET = "not yet true: "

# Members whose values are new in each run. What is compared is that they are there.
NEW_EACH_TIME = {
    "ApproximateFirstReceiveTimestamp": "time",
    "AssignedTime": "time",
    "CodeSha256": "digest",
    "ContinuationToken": "token",
    "CreatedTimestamp": "time",
    "CodeSize": "size",
    "HostId": "id",
    "LastModified": "time",
    "LastModifiedTimestamp": "time",
    "MillisBehindLatest": "milliseconds",
    "NextContinuationToken": "token",
    "NextShardIterator": "iterator",
    "NextToken": "token",
    "ReceiptHandle": "handle",
    "RequestId": "id",
    "SentTimestamp": "time",
    "ShardIterator": "iterator",
    "UploadId": "id",
    "UserId": "id",
    "X-Forwarded-Port": "port",
    "accountId": "id",
    "apiId": "id",
    "arn": "arn",
    "creationTime": "time",
    "deploymentId": "id",
    "domainName": "host",
    "domainPrefix": "host",
    "eventId": "id",
    "extendedRequestId": "id",
    "ingestionTime": "time",
    "lastEventTimestamp": "time",
    "nextToken": "token",
    "requestTime": "time",
    "requestTimeEpoch": "time",
    "resourceId": "id",
    "sourceIp": "address",
    "storedBytes": "size",
    "timestamp": "time",
}

# Members with JSON as a text. What is compared is the JSON, whose spaces and order mean nothing.
JSON_TEXTS = {"input", "output", "parameters"}

# Parts of texts that are new in each run.
PATTERNS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"\b[0-9]{56}\b", "<sequence number>"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]{5})?", "<time>"),
    (r"\b[0-9]{4}/[0-9]{2}/[0-9]{2}/\[[^\]]+\][0-9a-f]{32}", "<log stream>"),
    (r"(consumer/[a-z]+):[0-9]+", r"\1:<time>"),
    (r"\bRoot=1-[0-9a-f-]+[^\"]*", "<trace>"),
    # Only the first invocation of an environment has its start, and which one that is differs.
    (r"\tInit Duration: [0-9.]+ ms", ""),
    (r"(Duration|Used|Billed Duration): [0-9.]+", r"\1: <number>"),
    (r"role/differences-Role-[0-9A-Za-z]+", "role/differences-Role-<id>"),
]


def comparable(value: Any, replaced: dict[str, str], name: str = "", is_unordered: bool = False) -> Any:
    """The value without what is new in each run. `replaced` has texts of this run with what stands for them."""
    if name in NEW_EACH_TIME and value is not None:
        return f"<{NEW_EACH_TIME[name]}>"
    match value:
        case dict():
            return {
                _text(str(key), replaced): comparable(item, replaced, str(key), is_unordered)
                for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))
            }
        case list() | tuple():
            items = [comparable(item, replaced, name, is_unordered) for item in value]
            return sorted(items, key=json.dumps) if is_unordered else items
        case datetime.datetime():
            return "<time>"
        case bytes():
            return comparable(_of_bytes(value), replaced, name, is_unordered)
        case str():
            if name in JSON_TEXTS and isinstance(parsed := as_json(value), dict | list):
                return comparable(parsed, replaced, "", is_unordered)
            # The end of a log is in base64.
            text = str(as_json(value)) if name == "LogResult" else value
            return _text(text, replaced)
        case _:
            return value


def _of_bytes(value: bytes) -> Any:
    """Bytes as JSON, if they are JSON, or as text."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return as_json(text)


def as_json(text: str) -> Any:
    """The JSON in a text; the text itself if there is none. Either may be in base64."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return as_json(base64.b64decode(text, validate=True).decode()) if text else text
    except ValueError:
        return text


def _text(value: str, replaced: dict[str, str]) -> str:
    for text, stands_for in replaced.items():
        value = value.replace(text, stands_for)
    for pattern, stands_for in PATTERNS:
        value = re.sub(pattern, stands_for, value)
    return value


def differences(call: str, first: Answer, second: Answer) -> Iterator[Difference]:
    """The differences between two answers that `comparable` has treated. What neither side reached counts as one."""
    if first.message == second.message and first.message.startswith(NOT_YET):
        yield Difference(call, "until", first.message, second.message, first.code)
    for path, one, two in _differing("", first.members(), second.members()):
        yield Difference(call, path, _shown(one), _shown(two), first.code)


def _differing(path: str, first: Any, second: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            inner = f"{path}.{key}" if path else key
            yield from _differing(inner, first.get(key, MISSING), second.get(key, MISSING))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, two) in enumerate(zip(first, second, strict=True)):
            yield from _differing(f"{path}[{index}]", one, two)
    elif first != second or type(first) is not type(second):
        yield path, first, second


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"
