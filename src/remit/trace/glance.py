"""As much of a stored action as verification asks for: reading all of it would take four times as long."""

from dataclasses import dataclass

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
    found = members("action body", data, *ACTION_MEMBERS)
    return Glance(
        action=text(found[0]),
        sids=tuple([text(sid) for _, sid in parts(found[6], 2)]),
        verdict=text(found[8]),
        approval=maybe(found[13]),
        source=texts(found[17]),
        nonce=nonce_of(found),
        data=data,
        charges=charges_of(found),
    )
