"""What happened before, as an action is judged by it, and what the action adds to it."""

from collections.abc import Mapping
from typing import Final

from remit.facts.action import Action
from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.impact import Impact
from remit.facts.mark import Mark
from remit.pdp.measure import impact
from remit.pdp.snapshot import Snapshot
from remit.policy.compiled.values import Value
from remit.policy.destination import Destination
from remit.policy.past import previous
from remit.policy.verdict import Code, Reason
from remit.protect.monitors import EndedAction, MonitoredAction, end_marks, key_of, start_marks
from remit.trace.bodies import Status

_SUCCEEDED: Final = {Status.OK: True, Status.TOOL_ERROR: False}
"""Whether it succeeded, as the tool itself says: after a hang-up or a timeout the effect may have been all the same."""


def doing_of(catalog: Catalog, authority: Authority, arguments: Mapping[str, Json]) -> MonitoredAction:
    """Who does what, with which `arguments`."""
    acting = authority.acting.agent
    agent = catalog.agents.get(acting)
    return MonitoredAction(acting, () if agent is None else agent.groups, authority.agents, authority.user, arguments)


def past_facts(snapshot: Snapshot, action: Action, destination: Destination, now_ms: int) -> dict[str, Value] | Reason:
    """What the monitors say that policies on `action` ask; or why it is not known."""
    past, sid, arguments, within = snapshot.past, action.authority.links[0].sid, action.input, action.within
    facts: dict[str, Value] = {}
    for name, cells, convert in destination.queries:
        key = key_of(cells, arguments)
        cell = past.cell(cells, sid, key, now_ms)
        if cell is None:
            text = f"the monitor {name} has no room for more values of {cells.argument}: what was done is not known"
            return Reason(Code.MONITOR_FULL, text)
        if within is not None:
            cell = cell.without(within.own, cells.ident, key)
        if convert is not None:
            facts[name] = convert(cell.total(cells.window, now_ms))
        elif (who := cell.last(cells.window, now_ms)) is not None:
            facts[name] = previous(who)
    return facts


def measure_problem(action: Action, destination: Destination) -> Reason | None:
    """Why what `action` moves cannot be added up, where a monitor adds it up."""
    measures = destination.feeds.measures
    if not measures:
        return None
    exact = impact(destination, action.input).measures()
    inexact = sorted(name for name in measures if exact.get(name, "?") == "?")
    if not inexact:
        return None
    text = f"a monitor adds up the {inexact[0]} that this moves, which the arguments do not say exactly"
    return Reason(Code.ARG_INEXACT, text)


def room_problem(snapshot: Snapshot, action: Action, destination: Destination, now_ms: int) -> Reason | None:
    """Why what `action` does could not be kept, where it has to be: nobody takes the room from others."""
    if not destination.feeds.keyed or action.within is not None:
        return None
    doing = doing_of(snapshot.bundle.catalog, action.authority, action.input)
    for feed in destination.feeds.keyed:
        if all(snapshot.past.room(mark, now_ms) for mark in start_marks((feed,), doing)):
            continue
        name, argument = feed.cells.ident.partition("~")[0], feed.cells.argument
        text = f"{name} has no room for more values of {argument} by {doing.chain[0]} until its window is over"
        return Reason(Code.MONITOR_FULL, text)
    return None


def marks_of(
    snapshot: Snapshot, action: Action, destination: Destination | None, now_ms: int, *, denied: bool
) -> tuple[Mark, ...]:
    """What `action` changes of the past by being let through, or `denied`: of denials, as far as there is room."""
    marks = _marks(snapshot, action, destination, denied=denied)
    if not denied:
        return marks
    return tuple(mark for mark in marks if not mark.by or snapshot.past.room(mark, now_ms))


def _marks(snapshot: Snapshot, action: Action, destination: Destination | None, *, denied: bool) -> tuple[Mark, ...]:
    if destination is None:
        return ()
    feeding = destination.feeds.denied if denied else destination.feeds.started
    own, chain = feeding.own, action.authority.agents
    shared = feeding.marks.get(chain)
    if shared is not None and not own:
        return shared
    doing = doing_of(snapshot.bundle.catalog, action.authority, action.input)
    if shared is None:
        shared = feeding.remember(chain, start_marks(feeding.shared, doing))
    moved = impact(destination, action.input) if destination.feeds.measures else None
    return shared + start_marks(own, doing, moved)


def marks_at_end(
    catalog: Catalog, action: Action, destination: Destination, began_ms: int, status: Status, result: Json
) -> tuple[Mark, ...]:
    """What the end of `action` changes of the past, whose intent is of `began_ms`."""
    feeds = destination.feeds.ended
    if not feeds:
        return ()
    moved: Impact | None = impact(destination, action.input) if destination.feeds.measures else None
    end = EndedAction(status is not Status.NOT_SENT, _SUCCEEDED.get(status), result)
    return end_marks(feeds, doing_of(catalog, action.authority, action.input), began_ms, end, moved)
