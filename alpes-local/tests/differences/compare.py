"""Makes the same calls on two endpoints, and prints where the answers differ.

    compare.py http://127.0.0.1:4566 http://127.0.0.1:4577 [--group dynamodb] [--call TEXT]
    compare.py --list

FIRST is alpes-local, and SECOND is LocalStack or AWS's like. The groups lambda, states and api need what template.yaml
says: alpes-local must be started with it, and an endpoint without it gets it through CloudFormation.

Ends with 1 if there is a difference that known-differences.yaml does not explain, or an operation of which no call
fails, and with 2 if it cannot compare.
Needs boto3 and PyYAML.
"""

import argparse
import fnmatch
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from answers import Answer, Difference, differences
from calls import GROUPS, NEVER_FAILS, USED_BY, WITH_TEMPLATE, Call
from endpoint import Endpoint

KNOWN = Path(__file__).parent / "known-differences.yaml"
SIDES = {"first", "second", "both", "neither", "open"}


@dataclass(frozen=True)
class Known:
    """Differences that are known: calls and paths by pattern, what each side says, and which one AWS documents."""

    call: str
    path: str
    first: str
    second: str
    documented: str
    page: str
    because: str
    code: str = "*"

    def explains(self, difference: Difference) -> bool:
        return (
            matches(difference.call, self.call)
            and matches(difference.path, self.path)
            and matches(difference.first, self.first)
            and matches(difference.second, self.second)
            and matches(difference.code, self.code)
        )


def matches(text: str, pattern: str) -> bool:
    """Whether a text is this pattern, in which only `*` is special."""
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(text, literal)


def known_differences() -> list[Known]:
    entries = yaml.safe_load(KNOWN.read_text()) or []
    known = [Known(**{name: str(value) for name, value in entry.items()}) for entry in entries]
    for entry in known:
        if entry.documented not in SIDES:
            raise SystemExit(f"{KNOWN.name}: documented is one of {sorted(SIDES)}, not {entry.documented!r}")
    return known


def answers(endpoint: Endpoint, calls: list[Call]) -> list[Answer]:
    return [endpoint.answer(call) for call in calls]


def asked(first: Endpoint, second: Endpoint, calls: list[Call]) -> list[tuple[Call, Answer, Answer]]:
    with ThreadPoolExecutor(max_workers=2) as both:
        sides = [both.submit(answers, side, calls) for side in (first, second)]
        one, two = (side.result() for side in sides)
    return list(zip(calls, one, two, strict=True))


def without_failure(answered: list[tuple[Call, Answer, Answer]]) -> list[str]:
    """The operations of which no call fails, as at least one should."""
    failing = {call.action for call, *sides in answered if any(side.status >= 400 for side in sides)}
    return sorted({call.action for call, *_ in answered} - failing - NEVER_FAILS)


def show(difference: Difference) -> None:
    print(f"{difference.call}\n    {difference.path}")
    print(f"        first:  {difference.first}\n        second: {difference.second}")


def show_list() -> None:
    """The table of operations, with what uses them and how they are called."""
    calls = [call for group in GROUPS.values() for call in group]
    for action, user in USED_BY.items():
        about = [call.about for call in calls if call.action == action]
        print(f"{action}  ({user})")
        for text in about:
            print(f"    {text}")
    print(f"{len(USED_BY)} operations, {len(calls)} calls")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares the answers of two endpoints.")
    parser.add_argument("first", nargs="?", help="the address of alpes-local")
    parser.add_argument("second", nargs="?", help="the address of LocalStack, for example")
    parser.add_argument(
        "--first-api",
        help="the address of the first endpoint's API stage, if it cannot be found",
    )
    parser.add_argument(
        "--second-api",
        help="the address of the second endpoint's API stage, if it cannot be found",
    )
    parser.add_argument(
        "--group",
        action="append",
        choices=GROUPS,
        help="only this group; may be repeated",
    )
    parser.add_argument("--call", help="show only differences of calls whose name contains this text")
    parser.add_argument("--known", action="store_true", help="show known differences too")
    parser.add_argument("--list", action="store_true", help="print the operations and calls, and end")
    given = parser.parse_args()
    if not given.list and (given.first is None or given.second is None):
        parser.error("two addresses are needed")
    return given


def main() -> int:
    given = arguments()
    if given.list:
        show_list()
        return 0
    groups = given.group or list(GROUPS)
    calls = [call for group in groups for call in GROUPS[group]]
    first = Endpoint(given.first, given.first_api)
    second = Endpoint(given.second, given.second_api)
    if WITH_TEMPLATE.intersection(groups):
        first.prepare()
        second.prepare()
    answered = asked(first, second, calls)
    found = [difference for call, *sides in answered for difference in differences(call.name, *sides)]
    if given.call:
        found = [difference for difference in found if given.call in difference.call]
    known = known_differences()
    explained = [difference for difference in found if any(entry.explains(difference) for entry in known)]
    unknown = [difference for difference in found if difference not in explained]
    for difference in found if given.known else unknown:
        show(difference)
    made = {call.name for call in calls}
    for entry in known:
        is_made = any(matches(name, entry.call) for name in made)
        if is_made and not given.call and not any(entry.explains(difference) for difference in found):
            print(
                f"{KNOWN.name}: no difference any more: {entry.call} {entry.path}",
                file=sys.stderr,
            )
    untested = without_failure(answered)
    for action in untested:
        print(f"calls: no call of {action} fails", file=sys.stderr)
    print(f"{len(calls)} calls, {len(explained)} known differences, {len(unknown)} unknown ones")
    return 1 if unknown or untested else 0


if __name__ == "__main__":
    sys.exit(main())
