"""What leaves by a channel when an approval waits, and when it is over.

Laws
* A notice is a function of the approval's state: it may be made again after any crash, and is the same.
* Its id is of approval, state and channel, so that whoever gets it twice knows.
* Nothing leaves that an agent wrote: of the values there are numbers, how long a text is, and the domain of an address.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from remit.escalate.eligibility import routes_of
from remit.escalate.machine import Approval, ApprovalState
from remit.escalate.wording import filled
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Route
from remit.facts.lineage import Lineage
from remit.facts.text import one_line
from remit.facts.tool import Tool

NAMED_MAX: Final = 120
TOLD: Final = frozenset(ApprovalState) - {ApprovalState.CLAIMED, ApprovalState.EXECUTING}
"""States that people hear of; the others are gone at once."""
_ADDRESS: Final = re.compile(r"[^\s@<>\"]{1,128}@([A-Za-z0-9.-]{1,253})")


class Notice(NamedTuple):
    """One message to one channel: `ident` is its webhook-id, `made_ms` its timestamp.

    `approval` is the id of what it is about: an approval, or a record.
    """

    ident: str
    channel: str
    approval: str
    body: bytes
    made_ms: int


def channels_of(approval: Approval, routes: Mapping[str, Route], now_ms: int) -> tuple[str, ...]:
    """The channels that hear of `approval`: those of its routes and, once they are asked too, of who is next."""
    channels: dict[str, None] = {}
    for first in routes_of(approval):
        name: str | None = first
        asked_ms: float = approval.opened_ms
        passed: set[str] = set()
        while name is not None and name not in passed and name in routes and now_ms >= asked_ms:
            passed.add(name)
            channels.update(dict.fromkeys(routes[name].channels))
            asked_ms += routes[name].next_after_s * 1000
            name = routes[name].next
    return tuple(channels)


def notice(approval: Approval, channel: str, what: str, page: str, at_ms: int) -> Notice:
    """What `channel` is told of `approval` as it stands; `what` it is about leaves as it is, so has to be masked."""
    event = "approval.opened" if approval.state is ApprovalState.PENDING else f"approval.{approval.state.value}"
    data: dict[str, Json] = {
        "id": approval.ident,
        "state": approval.state.value,
        "agent": approval.agent,
        "what": what,
        "gates": [{"policy": gate.policy, "route": gate.route} for gate in approval.gates],
        "opened_ms": approval.opened_ms,
        "expires_ms": approval.expires_ms,
        "url": page,
    }
    body = canonical({"type": event, "data": data})
    ident = f"{approval.ident.replace('.', '_')}-{approval.state.value}-{channel}"
    return Notice(f"msg_{ident}", channel, approval.ident, body, at_ms)


def news(event: str, record: str, data: Mapping[str, Json], channel: str, at_ms: int) -> Notice:
    """What `channel` is told of the `record` that says `event`; `data` leaves as it is."""
    body = canonical({"type": event, "data": {"record": record, **data}})
    return Notice(f"msg_{record.replace('.', '_')}-{event.replace('.', '_')}-{channel}", channel, record, body, at_ms)


def what_of(approval: Approval, tool: Tool | None, values: Sequence[Lineage]) -> str:
    """What `approval` is about, by the tool's own template, its values masked."""
    if tool is not None and tool.brief:
        masked = [replace(one, value=masking(one.value)) for one in values]
        return "".join(span.text for span in filled(tool.brief, masked, NAMED_MAX))
    # A resource's name may hold anything.
    return f"{approval.server}/{approval.name}" if tool is not None else f"something of {approval.server or 'Remit'}"


def masking(value: Json) -> Json:
    """What of `value` may leave: numbers and truth as they are, the domain of an address, the length of a text."""
    if not isinstance(value, str):
        return value
    found = _ADDRESS.fullmatch(value)
    return f"…@{one_line(found[1])}" if found else f"(text of {len(value)} characters)"
