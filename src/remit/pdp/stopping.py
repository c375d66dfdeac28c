"""What an action is under that a person may stop, and the reason that a stop gives."""

from collections.abc import Iterator
from typing import Final

from remit.facts.agent import Authority
from remit.facts.catalog import Catalog, Effect, Sink
from remit.facts.stop import EVERYTHING, Holds, Over, Stop, Stopped, subject
from remit.policy.verdict import Code, Reason

_WHATEVER: Final = frozenset({Holds.ALL})
_READS: Final = frozenset({Holds.ALL, Holds.READING})
_ACTS: Final = frozenset({Holds.ALL, Holds.ACTING})


def stoppable(catalog: Catalog, authority: Authority, server: str = "", name: str = "") -> Iterator[Stopped]:
    """All that a stop of which would be over what `authority` does, at tool, resource or prompt `name` of `server`."""
    yield EVERYTHING
    if server:
        yield Over.SERVER, server
        yield Over.TOOL, f"{server}/{name}"
    if authority.user is not None:
        yield from of_user(catalog, authority.user)
    for link in authority.links:
        yield Over.AGENT, link.agent
        yield Over.SESSION, link.sid
        agent = catalog.agents.get(link.agent)
        for group in () if agent is None else agent.groups:
            yield Over.GROUP, group


def of_user(catalog: Catalog, name: str) -> Iterator[Stopped]:
    """All that a stop of which would be over the user `name`: each name of his person, and each group of these."""
    yield Over.USER, name
    user = catalog.users.get(name)
    if user is None:
        return
    for other in catalog.users.values():
        if other.who == user.who:
            if other.name != name:
                yield Over.USER, other.name
            for group in other.groups:
                yield Over.GROUP, group


def held(catalog: Catalog, server: str = "", name: str = "") -> frozenset[Holds]:
    """Which stops hold what is done at `name` of `server`: what changes something, or tells somebody outside, acts."""
    if not server:
        return _WHATEVER
    tool = catalog.tools.get((server, name))
    if tool is None:
        return _READS
    return _READS if tool.effect is Effect.READ and tool.sink is not Sink.EXTERNAL else _ACTS


def reason_of(stop: Stop) -> Reason:
    """Why nothing may act that `stop` is over."""
    named = subject(stop.what).replace(":", " ", 1)
    return Reason(Code.HALTED, f"{stop}; people let it act again with: remit resume {named}")
