"""How attentively people decide, and which of their yeses could be a rule.

Laws: figures are of decisions on record, never of what a page was open for; a rule is proposed only where every ask of
one shape was approved as it was asked, and says what it would have spared; nothing here changes a policy.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, NamedTuple

from remit.facts.canonical import Json

HASTY_MS: Final = 3_000
"""A decision sooner than this after the ask was hardly read."""
SAME_MIN: Final = 10
"""Approvals of one shape, none refused or edited, from which on a rule is proposed."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]{0,200}")
"""Text that stands in Cedar as it is."""


class VoteTiming(NamedTuple):
    """One decision of one person for one route, `took_ms` after people were asked."""

    person: str
    route: str
    approved: bool
    took_ms: int
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """How one person decided for one route; `approved`, `hasty` and `edited` count among `asks`."""

    person: str
    route: str
    asks: int
    approved: int
    median_ms: int
    hasty: int
    edited: int


def figures(decisions: Iterable[VoteTiming]) -> tuple[Figures, ...]:
    """The figures of each person and route, most asks first."""
    votes_by: dict[tuple[str, str], list[VoteTiming]] = {}
    for one in decisions:
        votes_by.setdefault((one.person, one.route), []).append(one)
    rows = [
        Figures(
            person,
            route,
            len(votes),
            sum(one.approved for one in votes),
            int(median(one.took_ms for one in votes)),
            sum(one.took_ms < HASTY_MS for one in votes),
            sum(one.edited for one in votes),
        )
        for (person, route), votes in votes_by.items()
    ]
    return tuple(sorted(rows, key=lambda one: (-one.asks, one.person, one.route)))


class AskRecord(NamedTuple):
    """One ask that is over: what asked for what before which gates, with which input, and how it ended."""

    agent: str
    tool: str
    policies: tuple[str, ...]
    input: Mapping[str, Json]
    approved: bool
    edited: bool = False


@dataclass(frozen=True, slots=True)
class RuleProposal:
    """A rule that would have spared `spared` of `asks`, all approved unedited.

    `cedar` goes to the end of each of `policies`, which then ask no more where it holds. `constants` are the arguments
    that it names, those that were always the same.
    """

    agent: str
    tool: str
    policies: tuple[str, ...]
    asks: int
    spared: int
    constants: tuple[str, ...]
    cedar: str


def proposals(asks: Sequence[AskRecord], *, same_min: int = SAME_MIN) -> tuple[RuleProposal, ...]:
    """Rules that history bears out, those that spare most first."""
    by: dict[tuple[str, str, tuple[str, ...]], list[AskRecord]] = {}
    for one in asks:
        by.setdefault((one.agent, one.tool, one.policies), []).append(one)
    rules: list[RuleProposal] = []
    for (agent, tool, policies), group in by.items():
        if len(group) < same_min or not all(one.approved and not one.edited for one in group):
            continue
        same = _same([one.input for one in group])
        if not same:
            # Whatever it is called with: that is a policy to be written by a person, not a habit to be named.
            continue
        spared = sum(_is_within(same, one.input) for one in group)
        rules.append(RuleProposal(agent, tool, policies, len(group), spared, tuple(sorted(same)), _cedar(agent, same)))
    return tuple(sorted(rules, key=lambda one: (-one.spared, one.agent, one.tool)))


def _same(inputs: Sequence[Mapping[str, Json]]) -> Mapping[str, str | int | bool]:
    """The arguments that all `inputs` have with one value, as far as a policy can name them."""
    same: dict[str, str | int | bool] = {}
    for name, value in inputs[0].items():
        plain = isinstance(value, bool | int) or (isinstance(value, str) and _PLAIN.fullmatch(value) is not None)
        if plain and _NAME.fullmatch(name) and all(_is(one.get(name), value) for one in inputs):
            same[name] = value  # type: ignore[assignment]
    return same


def _is_within(same: Mapping[str, Json], arguments: Mapping[str, Json]) -> bool:
    return all(_is(arguments.get(name), value) for name, value in same.items())


def _is(value: Json, other: Json) -> bool:
    return type(value) is type(other) and value == other


def _cedar(agent: str, same: Mapping[str, str | int | bool]) -> str:
    tests = [f'principal == Remit::Agent::"{agent}"']
    for name, value in sorted(same.items()):
        tests += [f"context.input has {name}", f"context.input.{name} == {json.dumps(value)}"]
    return "unless { " + " && ".join(tests) + " }"
