"""The calls that are compared.

Each operation here is one that this repository's functions, tools, scripts, tests or documents use, named in USED_BY,
with at least one call that fails. The calls of a group run in order, on one endpoint after the other.

A text "$name" stands for a value that an earlier call has kept, and "${name}" for such a value within a text. "run" is
the beginning of every name that a call gives.
"""

from calls.api import API
from calls.call import Call
from calls.dynamodb import DYNAMODB
from calls.functions import LAMBDA
from calls.kinesis import KINESIS
from calls.messaging import MESSAGING
from calls.s3 import S3
from calls.stacks import CLOUDFORMATION, STS
from calls.states import STATES
from calls.used_by import USED_BY

__all__ = ["GROUPS", "NEVER_FAILS", "USED_BY", "WITH_TEMPLATE", "Call"]

GROUPS = {
    "sts": STS,
    "dynamodb": DYNAMODB,
    "kinesis": KINESIS,
    "s3": S3,
    "messaging": MESSAGING,
    "lambda": LAMBDA,
    "states": STATES,
    "api": API,
    "cloudformation": CLOUDFORMATION,
}

# The operations that answer whatever they are asked.
NEVER_FAILS = {"sts.get_caller_identity"}

# The groups whose functions, state machine, API and mapping come from template.yaml.
WITH_TEMPLATE = {"lambda", "states", "api"}
