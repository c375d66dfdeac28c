"""A mark: what an action changes of what monitors and guarantees keep, as its records bear it.

So that their state is a fold of the ledger by itself: it needs no bundle, and nothing of what an action was.
"""

from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

FLEET: Final = "*"
"""The scope of what counts for everybody; no session is called so."""


class MarkOp(StrEnum):
    """What a mark does to its cell.

    `add` units; take them `back`; `reset` it; note who did the `last`; `bits` of what was done.
    """

    ADD = "add"
    BACK = "back"
    RESET = "reset"
    LAST = "last"
    BITS = "bits"


class Mark(NamedTuple):
    """One change of one cell, as records bear it.

    `ident` is what the state is kept under, `fleet` whether it counts for everybody or for the root session of the
    record; `slot` and `key` say which cell. `at_ms` is when what is taken back had happened; None: it happens when its
    record says. `agent` and `user` are who did it, where that is noted; `by` for which agent, where that one
    has a share of the room for keys, with all that is delegated from it.
    """

    ident: str
    fleet: bool
    slot: int
    key: str
    op: MarkOp
    at_ms: int | None = None
    units: int = 1
    step_ms: int = 0
    steps: int = 0
    agent: str = ""
    user: str | None = None
    by: str = ""

    def scope(self, sid: str) -> str:
        """For whom it counts, of an action whose root session is `sid`."""
        return FLEET if self.fleet else sid


Who: TypeAlias = tuple[str, str | None]
"""An agent, and the user it acted for."""


Place: TypeAlias = tuple[str, str, int]
"""Where a slot is kept: of which scope, of what, the which."""


def named(place: Place) -> str:
    """The name of a slot; no scope has a space."""
    return f"{place[0]} {place[1]} {place[2]}"


def place_of(name: str) -> Place:
    """The slot that is named so."""
    scope, _, rest = name.partition(" ")
    ident, _, slot = rest.rpartition(" ")
    return scope, ident, int(slot)
