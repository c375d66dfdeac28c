"""Ways through the search as actions that can be done, with a name for each session."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from remit.assure.chains.search import Taken
from remit.assure.supposition import Supposition
from remit.assure.world import Chain, ProposedAction
from remit.facts.action import ActionKind
from remit.facts.canonical import Json
from remit.facts.guarantee import Guarantee, Separation
from remit.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Todo:
    """One action by the last of `chain`, so many `times`, at an age and a time; what it takes up and leaves.

    `past` is what monitors are supposed to say then, `precedent` whether its agent is supposed to have done the like
    before.
    """

    chain: Chain
    doing: ProposedAction
    times: int
    age_s: int
    now_ms: int
    picks: str | None
    leaves: str | None
    unsaid: bool
    past: Supposition
    precedent: bool = False


def moves(ways: Sequence[Sequence[Taken]]) -> Iterator[list[Todo]]:
    """The actions of each way, which begins in a session of its own; handing back is none."""
    sessions: dict[str, int] = {}
    for way in ways:
        yield list(_of(way, sessions))


def _of(way: Sequence[Taken], sessions: dict[str, int]) -> Iterator[Todo]:
    session = ""
    for taken in way:
        node, edge = taken.node, taken.edge
        how, target = edge.how, edge.target
        if node.store is not None:
            session = _session(sessions, target.chain[0])
        elif not session:
            session = _session(sessions, node.chain[0])
        chain = (session, *(target.chain[1:] if node.store is not None else node.chain[1:]))
        doing = how.delegate if how.call is None else how.call.doing
        if doing is not None:
            taken_up, left = node.store, target.store
            yield Todo(
                chain, doing, how.times, how.age_s, how.now_ms, taken_up, left, edge.unsaid, how.past, how.precedent
            )


def _session(sessions: dict[str, int], agent: str) -> str:
    sessions[agent] = sessions.get(agent, 0) + 1
    return agent if sessions[agent] == 1 else f"{agent}#{sessions[agent]}"


def towards_one_value(bundle: Bundle, guarantee: Guarantee | None, todos: list[Todo]) -> Iterator[list[Todo]]:
    """`todos`; where `guarantee` parts duties by an argument, with one value of it in all of them, whichever fits."""
    constraint = None if guarantee is None else guarantee.rule
    if not isinstance(constraint, Separation) or constraint.by is None:
        yield todos
        return
    duties: dict[int, str] = {}
    for at, todo in enumerate(todos):
        if todo.doing.kind is ActionKind.CALL_TOOL:
            destination = bundle.destination(bundle.tools[todo.doing.server, todo.doing.name])
            for guard in destination.feeds.guards:
                if guard.guarantee == guarantee and guard.cells.argument is not None:
                    duties[at] = guard.cells.argument
    given = [todos[at].doing.args[name] for at, name in duties.items() if name in todos[at].doing.args]
    values: dict[str, Json] = {repr(value): value for value in (*given, "x", 1)}
    for value in values.values():
        yield [_with_argument(todo, duties[at], value) if at in duties else todo for at, todo in enumerate(todos)]


def _with_argument(todo: Todo, name: str, value: Json) -> Todo:
    return replace(todo, doing=replace(todo.doing, args={**todo.doing.args, name: value}))
