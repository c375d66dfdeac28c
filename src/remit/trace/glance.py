"""As much of a stored action as verification or discovery asks for: all of it would take four times as long to read."""

from dataclasses import dataclass
from typing import NamedTuple

from remit.facts.budget import Charge
from remit.trace.members import ACTION_MEMBERS, charges_of, maybe, members, nonce_of, parts, text, texts


@dataclass(slots=True)
class Glance:
    """What verification asks of an action body; `data` is all of it as stored, or its frame where it is `erased`."""

    action: str
    sids: tuple[str, ...]
    verdict: str
    approval: str | None
    source: tuple[str, ...]
    nonce: str | None
    data: bytes
    charges: tuple[Charge, ...] = ()
    erased: bool = False


def glance(data: bytes) -> Glance:
    """The members of `Glance` of the action body stored as `data`. Raises `Undecodable`."""
    values = members("action body", data, *ACTION_MEMBERS)
    return Glance(
        action=text(values[0]),
        sids=tuple([text(sid) for _, sid in parts(values[6], 2)]),
        verdict=text(values[8]),
        approval=maybe(values[13]),
        source=texts(values[17]),
        nonce=nonce_of(values),
        data=data,
        charges=charges_of(values),
    )


class Acted(NamedTuple):
    """What discovery asks of an action body: what was done, with which server's what, by the chain `agents`."""

    kind: str
    server: str
    name: str
    agents: tuple[str, ...]
    trace: str | None


def acted(data: bytes) -> Acted:
    """The members of `Acted` of the action body stored as `data`. Raises `Undecodable`."""
    values = members("action body", data, *ACTION_MEMBERS)
    return Acted(
        kind=text(values[1]),
        server=text(values[2]),
        name=text(values[3]),
        agents=tuple([text(agent) for agent, _ in parts(values[6], 2)]),
        trace=maybe(values[19]) if len(values) > ACTION_MEMBERS[0] else None,
    )
