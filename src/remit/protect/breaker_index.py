"""Which breakers an action meets, found once for all that are alike."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.breaker import AT_ONCE, Breaker, BreakerSubject, On, alone
from remit.facts.catalog import Catalog

_FOUND_MAX: Final = 20_000
_BY_JUDGEMENT: Final = frozenset({On.IDENTICAL, On.FAN_OUT, On.DENIALS})

Found: TypeAlias = tuple[tuple[Breaker, str], ...]


class Panel:
    """The breakers of one catalog, found by what an action is."""

    def __init__(self, catalog: Catalog) -> None:
        self.breakers: Mapping[str, Breaker] = catalog.breakers
        self._tools = catalog.tools
        self._found: dict[tuple[object, ...], tuple[Found, Found, Found, Found]] = {}

    def named(self, action: Action) -> str:
        """What `action` does, without words of its agent: which tool, where the catalog has it, else its kind."""
        known = action.kind is ActionKind.CALL_TOOL and (action.server, action.name) in self._tools
        return f"{action.server}/{action.name}" if known else action.kind.value

    def over(self, action: Action) -> Found:
        """Those that are over `action`: over an agent of its chain, its server or its tool."""
        return self._both(action)[0]

    def counting(self, action: Action) -> Found:
        """Those that count `action`: of agents, the one that acts alone."""
        return self._both(action)[1]

    def at_once(self, action: Action) -> Found:
        """Those of them that `action` may trip before it runs."""
        return self._both(action)[2]

    def judged(self, action: Action) -> Found:
        """Those of them that count what is judged."""
        return self._both(action)[3]

    def _both(self, action: Action) -> tuple[Found, Found, Found, Found]:
        agents = action.authority.agents
        key = (action.server, action.name if action.kind is ActionKind.CALL_TOOL else None, agents)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _FOUND_MAX:
                self._found.clear()
            over = tuple(self._of(action, tuple(dict.fromkeys(agents))))
            over += tuple((one, alone(key, agents[0])) for one, key in over if one.over is not BreakerSubject.AGENT)
            counting = tuple(self._of(action, agents[-1:]))
            at_once = tuple(one for one in counting if one[0].on in AT_ONCE)
            judged = tuple(one for one in counting if one[0].on in _BY_JUDGEMENT)
            found = self._found[key] = over, counting, at_once, judged
        return found

    def _of(self, action: Action, agents: tuple[str, ...]) -> Iterator[tuple[Breaker, str]]:
        called = f"{action.server}/{action.name}"
        for breaker in self.breakers.values():
            match breaker.over:
                case BreakerSubject.AGENT:
                    names: tuple[str, ...] = agents
                case BreakerSubject.SERVER:
                    names = (action.server,) if action.server else ()
                case BreakerSubject.TOOL:
                    names = (called,) if action.kind is ActionKind.CALL_TOOL else ()
                case _:
                    assert_never(breaker.over)
            for name in names:
                if breaker.of in {None, name}:
                    yield breaker, breaker.key(name)
