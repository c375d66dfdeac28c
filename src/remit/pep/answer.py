"""What the driver answers to an enforcement point: a closed union, and a tool as agents see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.policy.verdict import Gate, Reason


@dataclass(frozen=True, slots=True)
class Released:
    """A result that passed the funnel and whose outcome and labels are durable.

    `result` is a JSON object in UTF-8 holding `content` and, where the tool gave them,
    `structuredContent` and `isError`: the very bytes whose digest stands in the outcome.
    """

    result: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The call was not forwarded, or its result is withheld. `ref` is the decision id, if any."""

    reasons: tuple[Reason, ...]
    ref: str | None


@dataclass(frozen=True, slots=True)
class Awaiting:
    """People have not decided yet: `ref` is the decision id of the open approval."""

    ref: str
    gates: tuple[Gate, ...]
    reasons: tuple[Reason, ...]


Answer: TypeAlias = Released | Refused | Awaiting


def listed(tool: Tool, *, exposed: bool) -> Mapping[str, Json]:
    """`tool` as `tools/list` shows it: pinned members only, under its exposed or its own name."""
    members = dict(tool.definition.to_json())
    if exposed:
        members["name"] = tool.exposed
    return members
