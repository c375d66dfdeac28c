"""What must be known and in order before policy is asked. `observe` overrides none of it."""

from types import MappingProxyType
from typing import Final, TypeAlias, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.session import outlived
from remit.facts.text import escaped
from remit.facts.uri import uri_problem
from remit.pdp.effects import Ruling
from remit.pdp.other_destination import other_destination
from remit.pdp.snapshot import Pin, Snapshot
from remit.pdp.stops import reason_of
from remit.policy.destination import Destination
from remit.policy.schema import CLIENT_MODEL
from remit.policy.verdict import Code, Deny, Reason

_SHOWN_MAX: Final = 120
_PINS: Final = MappingProxyType(
    {
        Pin.DRIFTED: (
            Code.TOOL_DRIFTED,
            "it is no longer what was accepted; `remit diff` shows the change",
        ),
        Pin.MISSING: (
            Code.TOOL_MISSING,
            "its server no longer has it, or not for a client that declares what this one does",
        ),
        Pin.UNREVIEWED: (
            Code.TOOL_UNREVIEWED,
            "nobody has accepted it; `remit tools review` shows it",
        ),
        Pin.UNVERIFIED: (
            Code.TOOL_UNVERIFIED,
            "its server could not be asked whether it still is what was accepted",
        ),
    }
)

Known: TypeAlias = Destination | Ruling
"""What the action reaches, or the ruling that ends it."""


def destination_of(snapshot: Snapshot, action: Action) -> Known:
    """Who acts, for whom, on what: each of them known, accepted, unchanged and typable."""
    catalog = snapshot.bundle.catalog
    for agent in action.authority.agents:
        if agent not in catalog.agents:
            return _deny(Code.UNKNOWN_AGENT, f"there is no agent named {agent}", agent=agent)
    user = action.authority.user
    if user is not None and user not in catalog.users:
        return _deny(Code.UNKNOWN_USER, f"there is no user named {user}")
    match action.kind:
        case ActionKind.CALL_TOOL:
            return _known_tool(snapshot, action)
        case ActionKind.DELEGATE:
            if action.name not in catalog.agents:
                return _deny(Code.UNKNOWN_AGENT, f"there is no agent named {escaped(action.name)}")
            return other_destination(snapshot.bundle, action)
        case ActionKind.CALL_MODEL | ActionKind.READ_RESOURCE | ActionKind.GET_PROMPT | ActionKind.LIST_ROOTS:
            if action.server not in catalog.servers:
                return _unknown_server(action)
            if action.kind is ActionKind.CALL_MODEL and action.name != CLIENT_MODEL:
                text = f"there is no model named {escaped(action.name, chars_max=_SHOWN_MAX)}"
                return _deny(Code.UNKNOWN_METHOD, text)
            if action.kind is ActionKind.READ_RESOURCE and action.name and (odd := uri_problem(action.name)):
                shown = escaped(action.name, chars_max=_SHOWN_MAX)
                return _deny(Code.ARG_INVALID, f"{shown} can be read in more than one way: {odd}")
            return other_destination(snapshot.bundle, action)
        case _:
            assert_never(action.kind)


def _known_tool(snapshot: Snapshot, action: Action) -> Known:
    if action.server not in snapshot.bundle.catalog.servers:
        return _unknown_server(action)
    shown = escaped(f"{action.server}/{action.name}", chars_max=_SHOWN_MAX)
    form = snapshot.bundle.tools.get((action.server, action.name))
    if form is None and snapshot.pin is not Pin.UNREVIEWED:
        return _deny(Code.UNKNOWN_TOOL, f"there is no tool {shown}")
    if form is None or snapshot.pin is not Pin.MATCHES:
        code, text = _PINS[snapshot.pin]
        return _deny(code, f"{shown}: {text}", None if form is None else snapshot.bundle.destination(form))
    if form.quarantined is not None:
        text = f"{shown} is quarantined, since {form.quarantined}"
        return _deny(Code.TOOL_UNTYPABLE, text, snapshot.bundle.destination(form))
    return snapshot.bundle.destination(form)


def _unknown_server(action: Action) -> Ruling:
    if action.server:
        text = f"there is no server named {escaped(action.server, chars_max=_SHOWN_MAX)}"
    else:
        text = f"'{escaped(action.name, chars_max=_SHOWN_MAX)}' names no server: a name is SERVER___NAME, as listed"
    return _deny(Code.UNKNOWN_SERVER, text)


def _deny(code: Code, text: str, destination: Destination | None = None, *, agent: str | None = None) -> Ruling:
    return Ruling(Deny(), (Reason(code, text, agent=agent),), destination=destination)


def session_problem(snapshot: Snapshot, action: Action, now_ms: int) -> Reason | None:
    """A chain is live while nothing it is under was stopped and every session of it is: what ends one, ends all below.

    INVARIANT(stop-wins)
    """
    if snapshot.stops:
        return reason_of(snapshot.stops[0])
    if tuple([session.sid for session in snapshot.sessions]) != action.authority.sids:
        raise ValueError("the sessions are not those of the chain")
    hours = snapshot.bundle.catalog.session_hours_max
    for session in snapshot.sessions:
        text = None
        if session.ended_ms is not None:
            # Whatever the clock says: it may have been set back since.
            text = f"the session of {session.agent} has ended"
        elif outlived(session, hours, now_ms):
            text = f"the session of {session.agent} is older than {hours:g} hours"
        if text is not None:
            return Reason(Code.SESSION_ENDED, text, agent=session.agent)
    return None


def argument_problem(snapshot: Snapshot, action: Action, destination: Destination) -> Reason | None:
    """Why the arguments are not what the pinned schema takes."""
    size, size_max = action.size, snapshot.limits.arguments_bytes_max
    if size > size_max:
        return Reason(Code.ARG_TOO_LARGE, f"the arguments take {size} bytes, more than {size_max}")
    if destination.validator is None:
        return None
    why = destination.validator.problem(action.input, () if destination.tool is None else destination.tool.secrets)
    return None if why is None else Reason(Code.ARG_INVALID, why)
