"""Which breakers an action meets, found once for all that are alike."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.breaker import AT_ONCE, Breaker, BreakerSubject, On, alone
from remit.facts.catalog import Catalog

_FOUND_MAX: Final = 20_000
_BY_JUDGEMENT: Final = frozenset({On.IDENTICAL, On.FAN_OUT, On.DENIALS})

KeyedBreakers: TypeAlias = tuple[tuple[Breaker, str], ...]


class BreakerIndex:
    """The breakers of one catalog, found by what an action is."""

    def __init__(self, catalog: Catalog) -> None:
        self.breakers: Mapping[str, Breaker] = catalog.breakers
        self._tools = catalog.tools
        self._cache: dict[tuple[object, ...], tuple[KeyedBreakers, KeyedBreakers, KeyedBreakers, KeyedBreakers]] = {}

    def tool_text(self, action: Action) -> str:
        """What `action` does, without words of its agent: which tool, where the catalog has it, else its kind."""
        is_catalogued = action.kind is ActionKind.CALL_TOOL and (action.server, action.name) in self._tools
        return f"{action.server}/{action.name}" if is_catalogued else action.kind.value

    def over(self, action: Action) -> KeyedBreakers:
        """Those that are over `action`: over an agent of its chain, its server or its tool."""
        return self._lookup(action)[0]

    def counting(self, action: Action) -> KeyedBreakers:
        """Those that count `action`: of agents, the one that acts alone."""
        return self._lookup(action)[1]

    def at_once(self, action: Action) -> KeyedBreakers:
        """Those of them that `action` may trip before it runs."""
        return self._lookup(action)[2]

    def judged(self, action: Action) -> KeyedBreakers:
        """Those of them that count what is judged."""
        return self._lookup(action)[3]

    def _lookup(self, action: Action) -> tuple[KeyedBreakers, KeyedBreakers, KeyedBreakers, KeyedBreakers]:
        agents = action.authority.agents
        key = (action.server, action.name if action.kind is ActionKind.CALL_TOOL else None, agents)
        cached = self._cache.get(key)
        if cached is None:
            if len(self._cache) >= _FOUND_MAX:
                self._cache.clear()
            over = tuple(self._of(action, tuple(dict.fromkeys(agents))))
            over += tuple(
                (entry, alone(key, agents[0])) for entry, key in over if entry.subject is not BreakerSubject.AGENT
            )
            counting = tuple(self._of(action, agents[-1:]))
            at_once = tuple(entry for entry in counting if entry[0].on in AT_ONCE)
            judged = tuple(entry for entry in counting if entry[0].on in _BY_JUDGEMENT)
            cached = self._cache[key] = over, counting, at_once, judged
        return cached

    def _of(self, action: Action, agents: tuple[str, ...]) -> Iterator[tuple[Breaker, str]]:
        called = f"{action.server}/{action.name}"
        for breaker in self.breakers.values():
            match breaker.subject:
                case BreakerSubject.AGENT:
                    names: tuple[str, ...] = agents
                case BreakerSubject.SERVER:
                    names = (action.server,) if action.server else ()
                case BreakerSubject.TOOL:
                    names = (called,) if action.kind is ActionKind.CALL_TOOL else ()
                case _:
                    assert_never(breaker.subject)
            for name in names:
                if breaker.of in {None, name}:
                    yield breaker, breaker.key(name)
