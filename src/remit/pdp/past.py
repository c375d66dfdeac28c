"""What happened before, as an action is judged by it, and what the action adds to it."""

from collections.abc import Mapping

from remit.facts.action import Action
from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.impact import Impact
from remit.facts.mark import FLEET, Mark
from remit.facts.monitor import Monitor, Op, Scope
from remit.pdp.measure import impact
from remit.pdp.snapshot import Snapshot
from remit.policy.compiled.values import Value
from remit.policy.past import previous, said
from remit.policy.reached import Reached
from remit.policy.verdict import Code, Reason
from remit.protect.monitors import Doing, Ended, ended, key_of, slot_of, started
from remit.protect.past import Cell
from remit.trace.bodies import Status


def doing_of(catalog: Catalog, authority: Authority, given: Mapping[str, Json]) -> Doing:
    """Who does what, with the arguments `given`."""
    acting = authority.acting.agent
    agent = catalog.agents.get(acting)
    return Doing(acting, () if agent is None else agent.groups, authority.agents, authority.user, given)


def told(snapshot: Snapshot, action: Action, reached: Reached, now_ms: int) -> dict[str, Value] | Reason:
    """What the monitors say that policies on `action` ask; or why it is not known."""
    found: dict[str, Value] = {}
    for monitor in reached.asked:
        cell = _cell(snapshot, action, reached, monitor, now_ms)
        if cell is None:
            text = f"the monitor {monitor.name} has no room for more values of {monitor.by}: what was done is not known"
            return Reason(Code.MONITOR_FULL, text)
        if monitor.op is Op.PREVIOUS:
            who = cell.last(monitor.window, now_ms)
            if who is not None:
                found[monitor.name] = previous(who)
        else:
            found[monitor.name] = said(monitor, cell.total(monitor.window, now_ms))
    return found


def _cell(snapshot: Snapshot, action: Action, reached: Reached, monitor: Monitor, now_ms: int) -> Cell | None:
    key = ""
    if monitor.by is not None:
        named = "" if reached.tool is None else f"{reached.tool.server}/{reached.tool.name}"
        key = key_of(monitor.argument(named), action.input)
    scope = FLEET if monitor.scope is Scope.FLEET else action.authority.links[0].sid
    slot = slot_of(key, monitor.slots) if key else 0
    return snapshot.past.cell(scope, monitor.ident, slot, key, monitor.window, now_ms)


def unmeasured(action: Action, reached: Reached) -> Reason | None:
    """Why what `action` moves cannot be added up, where a monitor adds it up."""
    wanted = reached.feeds.measures
    if not wanted:
        return None
    exact = impact(reached, action.input).measures()
    lost = sorted(name for name in wanted if exact.get(name, "?") == "?")
    if not lost:
        return None
    text = f"a monitor adds up the {lost[0]} that this moves, which the arguments do not say exactly"
    return Reason(Code.ARG_INEXACT, text)


def marks_of(
    snapshot: Snapshot, action: Action, reached: Reached | None, now_ms: int, *, denied: bool
) -> tuple[Mark, ...]:
    """What `action` changes of the past by being let through, or `denied`."""
    if reached is None:
        return ()
    feeds = reached.feeds.denied if denied else reached.feeds.started
    if not feeds:
        return ()
    moved = impact(reached, action.input) if reached.feeds.measures else None
    return started(feeds, doing_of(snapshot.bundle.catalog, action.authority, action.input), now_ms, moved)


def marks_at_end(
    catalog: Catalog,
    action: Action,
    reached: Reached,
    began: tuple[Mark, ...],
    now_ms: int,
    status: Status,
    result: Json,
) -> tuple[Mark, ...]:
    """What the end of `action` changes of the past, which marked what `began` when it was let through."""
    feeds = reached.feeds.ended
    if not feeds:
        return ()
    moved: Impact | None = impact(reached, action.input) if reached.feeds.measures else None
    end = Ended(status is not Status.NOT_SENT, status is Status.OK, result)
    began_ms = began[0].at_ms if began else now_ms
    return ended(feeds, doing_of(catalog, action.authority, action.input), began_ms, now_ms, end, moved)
