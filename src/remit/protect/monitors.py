"""What an action marks in the past, and what policies and guarantees are told of it. Pure: no state of its own."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from remit.facts.canonical import Json, canonical
from remit.facts.feed import Feed
from remit.facts.impact import Impact, values_at
from remit.facts.mark import Mark, MarkOp
from remit.facts.monitor import Cells, Happening, When
from remit.facts.strictjson import JsonRefused, parse
from remit.protect.tokens import normalized, number_text

_TEXT_BYTES_MAX: Final = 1024 * 1024
_ABSENT: Final = object()
_WHOLE: Final = re.compile(r"\+?0*(\d+?)(?:\.0*)?")
"""A whole number, however it is written."""


class EndedAction(NamedTuple):
    """How an action ended: whether it was `sent` at all, whether it went well (None: in doubt), and what came back."""

    sent: bool
    ok: bool | None
    result: Json


class MonitoredAction(NamedTuple):
    """Who does what: the agent that acts, the groups it is in, all agents of the chain, for whom, and the arguments."""

    agent: str
    groups: Collection[str]
    chain: tuple[str, ...]
    user: str | None
    arguments: Mapping[str, Json]


def key_of(cells: Cells, arguments: Mapping[str, Json], agent: str = "") -> str:
    """The key of the cell for `arguments`, and `agent` where each has its own; "" where all have one.

    A digest: it tells no value, but one who knows the value finds it.
    """
    if cells.argument is None:
        return _key_of(agent) if agent else ""
    value = spelling(arguments.get(cells.argument, cells.default), folds=cells.folds)
    return hashlib.blake2b(canonical([agent, value]), digest_size=8).hexdigest()


def spelling(value: Json, *, folds: bool) -> Json:
    """The one spelling of `value`: a number and its text are one, and so is what differs only in what nobody sees.

    Unicode form, white space around and between, invisible characters. What `folds` differs in no case either, nor in
    how a whole number is written. Several values are as they are.
    """
    if isinstance(value, str):
        text = " ".join(normalized(value).split())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = number_text(value)
    else:
        return value
    if not folds:
        return text
    whole = _WHOLE.fullmatch(text)
    return text.casefold() if whole is None else whole[1]


@lru_cache(maxsize=4_096)
def _key_of(agent: str) -> str:
    return hashlib.blake2b(canonical([agent, None]), digest_size=8).hexdigest()


def concerns(happening: Happening, action: MonitoredAction) -> bool:
    """Whether who acts is one whose actions are such events."""
    if not happening.agents and not happening.groups:
        return True
    return action.agent in happening.agents or not happening.groups.isdisjoint(action.groups)


def start_marks(feeds: Iterable[Feed], action: MonitoredAction, impact: Impact | None = None) -> tuple[Mark, ...]:
    """What an action marks that is let through, or denied; `impact` where something is added up."""
    return tuple(
        [mark for feed in feeds if concerns(feed.happening, action) for mark in _marks(feed, action, None, impact)]
    )


def end_marks(
    feeds: Iterable[Feed], action: MonitoredAction, began_ms: int, end: EndedAction, impact: Impact | None = None
) -> tuple[Mark, ...]:
    """What the `end` of an action marks whose intent is of `began_ms`."""
    marks: list[Mark] = []
    for feed in feeds:
        if not concerns(feed.happening, action):
            continue
        occurred = _happened(feed.happening, end)
        if occurred is None:
            # In doubt, it stays counted; what waited for its outcome has failed, and clears nothing.
            occurred = feed.provisional or (feed.happening.when is When.FAILED and feed.op is not MarkOp.RESET)
        if feed.provisional and not occurred:
            marks += [mark._replace(op=MarkOp.BACK) for mark in _marks(feed, action, began_ms, impact)]
        elif occurred and not feed.provisional:
            marks += _marks(feed, action, None, impact)
    return tuple(marks)


def _marks(feed: Feed, action: MonitoredAction, at_ms: int | None, impact: Impact | None) -> list[Mark]:
    cells, does = feed.cells, feed.op
    units = feed.bits if feed.measure is None else _measured(impact, feed.measure)
    who = (action.agent, action.user) if does is MarkOp.LAST else ("", None)
    agents = action.chain if feed.each == "chain" else (action.agent if feed.each else "",)
    by = action.chain[0] if cells.crowded else ""
    marks: list[Mark] = []
    for agent in agents:
        key = key_of(cells, action.arguments, agent)
        step_ms, steps = cells.window.step_ms, cells.window.steps
        marks.append(Mark(cells.ident, cells.fleet, cells.slot(key), key, does, at_ms, units, step_ms, steps, *who, by))
    return marks


def _measured(impact: Impact | None, measure: str) -> int:
    if impact is None:
        return 0
    measure_value = {"amount": impact.units, "records": impact.records, "recipients": impact.recipients}[measure]
    return measure_value or 0


def _happened(happening: Happening, end: EndedAction) -> bool | None:
    if not end.sent:
        return False
    if end.ok is None:
        return None
    if happening.path is None:
        return end.ok is (happening.when is When.SUCCEEDED)
    value = _value(end.result, happening.path) if end.ok else _ABSENT
    same = type(value) is type(happening.equals) and value == happening.equals
    if happening.when is When.SUCCEEDED:
        return same
    return same or value is _ABSENT


def _value(result: Json, path: str) -> object:
    """What stands at `path` in a result: in its structured content, else in its one text where that is JSON."""
    members: Mapping[str, Json] = result if isinstance(result, Mapping) else {}
    structured = members.get("structuredContent")
    if structured is None:
        content = members.get("content")
        texts = (
            [block.get("text") for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []
        )
        structured = _read(texts[0]) if len(texts) == 1 else None
    values = list(values_at(structured, path))
    return values[0] if len(values) == 1 else _ABSENT


def _read(text: Json) -> Json:
    if not isinstance(text, str):
        return None
    try:
        return parse(text.encode("utf-8", "surrogatepass"), bytes_max=_TEXT_BYTES_MAX)
    except JsonRefused:
        return None
