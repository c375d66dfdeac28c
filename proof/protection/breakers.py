"""The rows of breakers: what trips each of them, and what then rests where it is on.

One of circles has no row: an exchange of tokens refuses a circle whether there is a breaker or not. It is played at the
driver, on and off, in `tests/e2e/test_breakers.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from proof.protection.world import DEPUTIES, FORBIDDEN, FREE, Clinic, Seen, calls

if TYPE_CHECKING:
    from collections.abc import Mapping

Call: TypeAlias = tuple[str, dict[str, Any]]
PROBE: Final[Call] = ("send", {"text": "probe"})
SELF: Final = "."
"""Stands for the agent that a breaker is over."""
_RESTS_S: Final = 3_600


def _open(text: str) -> bool:
    return "the breaker " in text


@dataclass(frozen=True, slots=True)
class Tripped:
    """Over the agent of the same name: it makes the calls `before`, then `probe`."""

    name: str
    spec: Mapping[str, object]
    before: tuple[Call, ...]
    probe: Call = PROBE

    async def play(self, clinic: Clinic, *, on: bool) -> Seen:
        """The calls by the agent that has the breaker, or by one that has none."""
        token = clinic.service.agent(self.name if on else FREE)
        results = await calls(clinic, token, "plain", *self.before, self.probe)
        return Seen(results, clinic.effects)

    def through(self, seen: Seen) -> bool:
        """Whether the last call reached the server."""
        return not seen.last.is_error and seen.effects[-1:] == [self.probe]

    @staticmethod
    def works(seen: Seen) -> bool:
        """Whether what tripped it was answered, and what came after it was denied for that."""
        *before, last = [one.model_dump_json() for one in seen.results]
        return _open(last) and not any(map(_open, before))


@dataclass(frozen=True, slots=True)
class Delegated:
    """Over the agent of the same name: work is handed on along `chain`, so many `times`, and done once by the last."""

    name: str
    spec: Mapping[str, object]
    chain: tuple[str, ...]
    times: int = 1

    async def play(self, clinic: Clinic, *, on: bool) -> Seen:
        """Hand on, with the agent that has the breaker or with one that has none in its place."""
        root, *actors = [(self.name if on else FREE) if one == SELF else one for one in self.chain]
        token, refused = clinic.service.agent(root), ""
        last = token
        for time in range(self.times):
            last = token
            for place, actor in enumerate(actors):
                last, refused = clinic.delegated(last, actor)
                if refused:
                    assert (time, place) == (self.times - 1, len(actors) - 1), f"refused too early: {refused}"
                    return Seen([], clinic.effects, refused)
        return Seen(await calls(clinic, last, "plain", PROBE), clinic.effects)

    @staticmethod
    def through(seen: Seen) -> bool:
        """Whether the last one did the work."""
        return seen.effects == [PROBE]

    @staticmethod
    def works(seen: Seen) -> bool:
        """Whether it was refused for that."""
        return _open(seen.refused)


@dataclass(frozen=True, slots=True)
class Cascaded:
    """Over a server whose failures trip the breakers of `agents`: others do not call it any more."""

    name: str
    agents: tuple[str, ...]
    before: tuple[Call, ...]

    async def play(self, clinic: Clinic, *, on: bool) -> Seen:
        """The failures, and a call by somebody else, at the server that has the breaker, or at one that has none."""
        server = "frail" if on else "sturdy"
        for agent in self.agents:
            await calls(clinic, clinic.service.agent(agent), server, *self.before)
        assert clinic.effects, "the server failed"
        return Seen(await calls(clinic, clinic.service.agent(FREE), server, PROBE), clinic.effects)

    @staticmethod
    def through(seen: Seen) -> bool:
        """Whether the call reached the server."""
        return seen.effects == [PROBE]

    @staticmethod
    def works(seen: Seen) -> bool:
        """Whether it was denied for that."""
        return _open(seen.last.model_dump_json())


_CASCADING: Final = ("breaker-cascade-1", "breaker-cascade-2")
_FAILS: Final[Call] = ("fail", {"text": "x"})
_ONE: Final[Call] = ("say", {"text": "again"})
BREAKERS: Final = (
    Tripped("breaker-errors", {"on": "errors", "limit": 50, "of_least": 3}, (_FAILS,) * 3),
    Tripped("breaker-slow", {"on": "slow", "limit": 50, "of_least": 3, "slow_ms": 0}, (_ONE,) * 3),
    Tripped("breaker-denials", {"on": "denials", "limit": 3}, (("say", {"text": FORBIDDEN}),) * 3),
    Tripped("breaker-identical", {"on": "identical", "limit": 3}, (_ONE,) * 2, _ONE),
    Delegated("breaker-depth", {"on": "depth", "limit": 1}, (DEPUTIES[0], SELF, DEPUTIES[1])),
    Delegated("breaker-fan-out", {"on": "fan-out", "limit": 2}, (SELF, DEPUTIES[0]), times=3),
    Cascaded("breaker-cascade", _CASCADING, (_FAILS,) * 2),
)
"""One of each kind but circles."""


def _specs() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {
        one.name: {**one.spec, "over": "agent", "of": one.name, "open_s": _RESTS_S}
        for one in BREAKERS
        if not isinstance(one, Cascaded)
    }
    for agent in _CASCADING:
        found[agent] = {"on": "errors", "limit": 50, "of_least": 2, "over": "agent", "of": agent, "open_s": _RESTS_S}
    found["breaker-cascade"] = {"on": "cascade", "limit": 2, "over": "server", "of": "frail", "open_s": _RESTS_S}
    return found


SPECS: Final = _specs()
TRIPPING: Final = tuple(name for name, spec in SPECS.items() if spec["over"] == "agent")
"""The agents that have one."""
