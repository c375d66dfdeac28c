"""What an action is under that a person may stop, and the reason that a stop gives."""

from collections.abc import Iterator
from typing import Final, assert_never

from remit.facts.agent import Authority
from remit.facts.catalog import Catalog
from remit.facts.stop import EVERYTHING, Stop, StopKind, StopScope, StopTarget, typed
from remit.facts.tool import Effect, Sink
from remit.policy.verdict import Code, Reason

_WHATEVER: Final = frozenset({StopScope.ALL})
_READS: Final = frozenset({StopScope.ALL, StopScope.READING})
_ACTS: Final = frozenset({StopScope.ALL, StopScope.ACTING})
_BOTH: Final = frozenset(StopScope)


def stoppable(catalog: Catalog, authority: Authority, server: str = "", name: str = "") -> Iterator[StopTarget]:
    """All that a stop of which would be over what `authority` does, at tool, resource or prompt `name` of `server`."""
    yield EVERYTHING
    if server:
        yield StopKind.SERVER, server
        yield StopKind.TOOL, f"{server}/{name}"
        if (server, name) not in catalog.tools:
            yield StopKind.RESOURCE, f"{server}/{name}"
    if authority.user is not None:
        yield from of_user(catalog, authority.user)
    for link in authority.links:
        yield StopKind.AGENT, link.agent
        yield StopKind.SESSION, link.sid
        agent = catalog.agents.get(link.agent)
        for group in () if agent is None else agent.groups:
            yield StopKind.GROUP, group


def runs(catalog: Catalog, subject: StopTarget) -> bool | None:
    """Whether something runs that a stop of `subject` would be over; None of a session, which no catalog has.

    Of a resource, whether its server does: which resources there are, that says at each time anew.
    """
    over, name = subject
    server, _, rest = name.partition("/")
    match over:
        case StopKind.EVERYTHING:
            return True
        case StopKind.SESSION:
            return None
        case StopKind.AGENT:
            return name in catalog.agents
        case StopKind.USER:
            return name in catalog.users
        case StopKind.GROUP:
            return name in catalog.groups
        case StopKind.SERVER:
            return name in catalog.servers
        case StopKind.TOOL:
            return (server, rest) in catalog.tools
        case StopKind.RESOURCE:
            return server in catalog.servers and bool(rest)
        case _:
            assert_never(over)


def of_user(catalog: Catalog, name: str) -> Iterator[StopTarget]:
    """All that a stop of which would be over the user `name`: each name of his person, and each group of these."""
    for alias in names_of(catalog, name):
        yield StopKind.USER, alias
        user = catalog.users.get(alias)
        for group in () if user is None else user.groups:
            yield StopKind.GROUP, group


def names_of(catalog: Catalog, name: str) -> Iterator[str]:
    """Each name of the person who is the user `name`, that one first."""
    yield name
    user = catalog.users.get(name)
    if user is not None:
        yield from (one.name for one in catalog.users.values() if one.who == user.who and one.name != name)


def holds_of(catalog: Catalog, server: str = "", name: str = "") -> frozenset[StopScope]:
    """Which stops hold what is done at `name` of `server`; an empty name is one of its lists.

    What changes something, or tells somebody outside, acts; what has no effect reads. To read what somebody outside
    is told of is both. Of resources, prompts and completions the server says where goes what they are asked with.
    """
    if not server:
        return _WHATEVER
    tool, at = catalog.tools.get((server, name)), catalog.servers.get(server)
    if not name:
        return _READS
    sink = tool.sink if tool is not None else Sink.EXTERNAL if at is None else at.sink
    if tool is not None and tool.effect is not Effect.READ:
        return _ACTS
    return _BOTH if sink is Sink.EXTERNAL else _READS


def reason_of(stop: Stop) -> Reason:
    """Why nothing may act that `stop` is over."""
    return Reason(Code.HALTED, f"{stop}; people let it act again with: remit resume {typed(stop.target)}")
