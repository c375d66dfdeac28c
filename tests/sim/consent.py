"""What people let pass, told by somebody who wrote down who was shown what, and said yes to it when and how.

Laws, all of INVARIANT(approval-binds-exact-action)
* What runs is, byte for byte, what enough people said yes to: what was asked for, or what one of them put in its place,
  which makes void whatever was said before. Once, and before it expires.
* A route that wants more than a token takes no ordinary yes. A deputy decides in one person's place until the end that
  was given, and the two of them are one.
* A grant lifts the gates of those who gave it, for the same agents, user and tool, as often and as long as they said,
  until one of them takes it back; what no policy permits it does not permit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.sim.realm import Variant
    from tests.sim.witness import Intent, Key


class Said(NamedTuple):
    """Somebody's yes: by whom, when, and whether it was confirmed beyond his token."""

    by: str
    at_ms: int
    strong: bool


class Handed(NamedTuple):
    """`to` decides in the place of `by` until then."""

    by: str
    to: str
    at_ms: int
    until_ms: int


Yes = dict["Key", list[Said]]
"""Who said yes to what, as it was shown to him."""


@dataclass(slots=True)
class Vote:
    """An approval: what was asked for, for whom, until when; and what people said of it."""

    key: Key
    user: str | None
    expires_ms: int
    yes: Yes = field(default_factory=dict["Key", list[Said]])
    handed: list[Handed] = field(default_factory=list[Handed])
    refused: bool = False
    used: bool = False

    def says(self, key: Key, said: Said) -> None:
        """`said` is to what `key` is, the only one that counts where it is another than was asked for."""
        self.yes.setdefault(key, []).append(said)

    def lets(self, key: Key, variant: Variant, routes: frozenset[str]) -> bool:
        """Whether `key` may run by it, which those who decide on `routes` have to let pass."""
        said = self.yes.get(key, [])
        return not self.used and not self.refused and enough(variant, routes, said, self.handed, self.user)


@dataclass(slots=True)
class Given:
    """A grant: with which approval, by whom, for how long and how often; `most` is the amount that it is held to."""

    vote: Vote
    routes: frozenset[str]
    of_session: bool
    most: int | None
    until_ms: int
    uses_max: int
    said: list[Said] = field(default_factory=list[Said])
    revoked: dict[str, int] = field(default_factory=dict[str, int])
    """By the record that gave it, the place of the one that took it back."""
    uses: Counter[str] = field(default_factory=Counter[str])

    def lets(self, ident: str, intent: Intent, variant: Variant, route: str) -> bool:
        """Whether it lifts the gates of `route` for the action of `intent`, as given by the record `ident`."""
        if self.uses[ident] >= self.uses_max or intent.at >= self.until_ms or route not in self.routes:
            return False
        if intent.place > self.revoked.get(ident, intent.place):
            return False
        people = (self.said, self.vote.handed, self.vote.user)
        return self._covers(intent.key) and enough(variant, frozenset({route}), *people)

    def _covers(self, key: Key) -> bool:
        mine = self.vote.key
        same = key[:3] == mine[:3] and [agent for agent, _ in key[4]] == [agent for agent, _ in mine[4]]
        if not same or (self.of_session and key[4][0] != mine[4][0]):
            return False
        asked, shown = orjson.loads(key[3]), orjson.loads(mine[3])
        held = asked["amount"] == shown["amount"] if self.most is None else 0 <= asked["amount"] <= self.most
        return held and asked["to"] == shown["to"]


def enough(
    variant: Variant, routes: frozenset[str], said: Iterable[Said], handed: Iterable[Handed], requester: str | None
) -> bool:
    """Whether those who said yes are enough for all `routes`: each has one place, as has whom a deputy stands for."""
    cast = [*said]
    own = {(one.by, one.by, one.strong) for one in cast}
    lent = {
        (one.by, place.by, one.strong)
        for one in cast
        for place in handed
        if place.to == one.by and place.at_ms <= one.at_ms < place.until_ms
    }
    sits = {(who, of, strong) for who, of, strong in own | lent if requester not in (who, of)}
    places = [
        {(who, of) for who, of, strong in sits if of in seat.members and (strong or not seat.strong)}
        for seat in (variant.routes()[route] for route in sorted(routes))
        for _ in range(seat.count)
    ]
    return _seated(places, frozenset())


def _seated(places: list[set[tuple[str, str]]], taken: frozenset[str]) -> bool:
    """Whether each place can be taken by somebody who sits nowhere else, for himself or for one who does not either."""
    if not places:
        return True
    return any(_seated(places[1:], taken | {*one}) for one in places[0] if taken.isdisjoint(one))


@dataclass(frozen=True, slots=True)
class Seats:
    """A route: who may sit there, how many have to, and whether an ordinary yes is none."""

    members: frozenset[str]
    count: int
    strong: bool


def given_of(key: Key) -> Mapping[str, Any]:
    """The arguments of `key`."""
    return orjson.loads(key[3])


def originals(key: Key, votes: Iterable[Vote]) -> Iterator[Key]:
    """What was asked for where `key` ran: itself, or that in whose place people put it."""
    yield key
    for vote in votes:
        if vote.key != key and key in vote.yes:
            yield vote.key
