"""The drawers of the vault: what whoever puts something into one had read comes back to whoever takes it out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from remit.facts.store import Store
from remit.facts.tool import Effect, Sink
from tests.sim.consent import given_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.sim.laws import Request
    from tests.sim.witness import Key

PUT: Final = ("vault", "put")
TAKE: Final = ("vault", "take")
TOOLS: Final[Mapping[tuple[str, str], tuple[Effect, Sink, frozenset[str]]]] = {
    PUT: (Effect.WRITE, Sink.INTERNAL, frozenset()),
    TAKE: (Effect.READ, Sink.NONE, frozenset()),
}
STORES: Final = {
    PUT: Store("drawers", keys=("to",), reads=False),
    TAKE: Store("drawers", keys=("to",), writes=False),
}


@dataclass(slots=True)
class Drawers:
    """What lies in each, as far as those who put it there were seen to have read it; for good, in every process."""

    _held: dict[str, frozenset[str]] = field(default_factory=lambda: defaultdict(frozenset))

    def effect(self, key: Key, requests: Iterable[Request]) -> frozenset[str]:
        """The labels that come back from there with what is done by `key`, which `requests` asked for."""
        if key[1:3] not in STORES:
            return frozenset()
        drawer = given_of(key)["to"]
        if key[1:3] == PUT:
            self._held[drawer] = self._held[drawer].union(*(request.labels for request in requests))
            return frozenset()
        return self._held[drawer]
