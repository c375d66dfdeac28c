"""Chains found in a bundle: set up, searched with nobody who says yes and with one who always does, and told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from remit.assure.chains import edges
from remit.assure.chains.asker import Asker
from remit.assure.chains.edges import Ways
from remit.assure.chains.goals import OUTSIDE, Goal
from remit.assure.chains.literals import Literals, literals, merged
from remit.assure.chains.moves import HIDDEN, ChainCall, Leaks, calls, leaks_of
from remit.assure.chains.open_arguments import OpenBundle, with_open_arguments
from remit.assure.chains.results import FailingPolicy, FoundChain, SearchAccount, SearchResult
from remit.assure.chains.retelling import Teller
from remit.assure.chains.search import BOUNDS, Exploration, Hit, SearchLimits, explore, hits_by_parts, shortest_hits
from remit.assure.chains.space import LABELS_MAX, Space
from remit.assure.chains.state import Counting, ages, counting
from remit.assure.chains.users import USERS_MAX, merge_results, users
from remit.assure.chains.vocabulary import FAMILIES, mentioned
from remit.assure.parts import form
from remit.assure.world import START_MS
from remit.facts.action import ActionKind
from remit.facts.agent import Mode
from remit.facts.catalog import Catalog
from remit.facts.guarantee import NoFlow, Rate
from remit.facts.label import closed
from remit.policy.bundle import Bundle
from remit.policy.compiled.extensions import EvaluationFault
from remit.policy.compiled.extensions import datetime as point
from remit.policy.compiled.extensions import duration as span
from remit.policy.schema import NAMESPACE, OTHER_ACTIONS, action_groups
from remit.policy.slice import Slice

AGENTS_MAX: Final = 256
"""How many kinds of agents are looked at; agents that policy cannot tell apart are of one kind."""
_ASSUMED: Final = (
    "every value of a call is an adversary's: nobody's user named it",
    "a call brings every label that its tool can bring",
    "an agent takes up what another left in a store in a session that held nothing before",
)


@dataclass(frozen=True, slots=True)
class SearchProblem:
    """What is searched, set up: the same for an approver and for none."""

    asker: Asker
    calls: tuple[ChainCall, ...]
    left: tuple[str, ...]
    read: Mapping[str, Literals]
    leaks: Leaks
    kinds: Mapping[str, tuple[str, ...]]
    deep: bool

    def alike(self, agents: Iterable[str]) -> tuple[str, ...]:
        """All agents that policy cannot tell apart from one of `agents`."""
        some = {*agents}
        return tuple(sorted({name for kind in self.kinds.values() if some & {*kind} for name in kind}))


def chains(bundle: Bundle, bounds: SearchLimits = BOUNDS, user: str | None = None) -> SearchResult:
    """The shortest chains of `bundle` to each goal, with an account of what was searched.

    For sessions of `user`; where that is None of nobody, and of one user of each kind that policies can tell apart.
    """
    slices = _slices(bundle)
    searched_users = (user,) if user is not None else users(bundle, slices.values())
    most = USERS_MAX + 1
    return merge_results(
        [_chains(bundle, slices, bounds, each) for each in searched_users[:most]], max(0, len(searched_users) - most)
    )


def _chains(bundle: Bundle, slices: Mapping[str, Slice], bounds: SearchLimits, user: str | None) -> SearchResult:
    space = Space(_labels(bundle, leaks := leaks_of(bundle)))
    if len(space.labels) > LABELS_MAX:
        why = f"before it began: policies tell {len(space.labels)} labels apart, more than {LABELS_MAX}"
        return SearchResult((), (), (), SearchAccount(space.labels, 0, 0, 0, 0, why, (), ()))
    literals_by_policy = {ident: literals([form(policy.statement)]) for ident, policy in bundle.policies.items()}
    read = {name: merged(literals_by_policy[ident] for ident in part.policies) for name, part in slices.items()}
    open_bundle = with_open_arguments(bundle, read)
    problem = _world(open_bundle, space, slices, leaks, bounds, read)
    unapproved = explore(_ways(problem, user, bounds, approver=False), bounds)
    alone = _alone(problem, user, bounds, unapproved)
    teller = Teller(open_bundle.bundle, user, open_bundle.open)
    free = (*_chains_by_way(teller, unapproved, problem, alone), *_chains_by_parts(teller, unapproved, problem))
    approved = explore(_ways(problem, user, bounds, approver=True), bounds)
    found = {(chain.goal, chain.tool) for chain in free}, {(chain.goal, chain.agents) for chain in free}
    with_people = (
        *_chains_by_way(teller, approved, problem, alone, found[0]),
        *_chains_by_parts(teller, approved, problem, found[1]),
    )
    asking = tuple(chain for chain in with_people if chain.escalates)
    held = tuple(_rate_chains(teller, unapproved, problem))
    states, transitions = (
        (unapproved.progress.states + approved.progress.states),
        (unapproved.progress.transitions + approved.progress.transitions),
    )
    steps = max(len(unapproved.progress.layers), len(approved.progress.layers))
    unjudged = [f"{name}: its policies have a form that only cedarpy judges" for name in sorted(problem.asker.unjudged)]
    narrowed = [
        f"{name}: what monitors say can come out in more ways than were tried"
        for name in sorted(problem.asker.narrowed)
    ]
    unspent = [f"{name}: a permit looks at budgets, and a search has none" for name in sorted(_unspent(slices))]
    # What both searches left is said once.
    left = tuple(dict.fromkeys((*problem.left, *unjudged, *narrowed, *unspent, *teller.unconfirmed)))
    searched = SearchAccount(
        space.labels,
        states,
        transitions,
        problem.asker.queries,
        steps,
        unapproved.stopped or approved.stopped,
        left,
        tuple(_assumed(bundle, problem)),
    )
    erring = tuple(
        FailingPolicy(policy, action, why) for (policy, action), why in sorted(problem.asker.failures.items())
    )
    return SearchResult(free, asking, erring, searched, held)


def _chains_by_way(
    teller: Teller,
    explored: Exploration,
    problem: SearchProblem,
    alone: frozenset[tuple[Goal, str]],
    known: Iterable[tuple[Goal, str]] = (),
) -> Iterator[FoundChain]:
    skip = frozenset(known)
    for hit in shortest_hits(explored):
        if (hit.goal, _tool(hit)) in skip:
            continue
        last = {agent for goal, tool, agent in explored.hits if (goal, tool) == (hit.goal, _tool(hit))}
        agents = problem.alike(last)
        chain = teller.told(hit, (explored.way(hit),), agents, alone=(hit.goal, _tool(hit)) in alone)
        if chain is not None:
            yield chain


def _chains_by_parts(
    teller: Teller, explored: Exploration, problem: SearchProblem, known: Iterable[tuple[Goal, tuple[str, ...]]] = ()
) -> Iterator[FoundChain]:
    """What agents of each kind reach by several ways, one after the other: duties and powers."""
    seen = set(known)
    for goal, agent, hits in hits_by_parts(explored):
        agents = problem.alike({agent})
        if agent and (goal, agents) not in seen:
            seen.add((goal, agents))
            chain = teller.told(hits[-1], tuple(map(explored.way, hits)), agents, alone=True)
            if chain is not None:
                yield chain


def _rate_chains(teller: Teller, explored: Exploration, problem: SearchProblem) -> Iterator[FoundChain]:
    """The rates that nothing but their guarantee keeps."""
    for goal, _, (hit, *_) in hits_by_parts(explored):
        if goal.guarantee is not None and isinstance(rate := goal.guarantee.rule, Rate):
            chain = teller.beyond(hit, explored.way(hit), problem.alike(hit.node.chain or hit.edge.target.chain), rate)
            if chain is not None:
                yield chain


def _tool(hit: Hit) -> str:
    call = hit.edge.how.call
    return "" if call is None else call.tool


def _alone(
    problem: SearchProblem, user: str | None, bounds: SearchLimits, every: Exploration
) -> frozenset[tuple[Goal, str]]:
    """The goals that some agent reaches all by itself, with the tool that ends it."""
    if not every.hits:
        return frozenset()
    ways = _ways(problem, user, bounds, approver=True, sessions_max=1)
    return frozenset((goal, tool) for goal, tool, _ in explore(ways, bounds).hits)


def _ways(
    problem: SearchProblem,
    user: str | None,
    bounds: SearchLimits,
    *,
    approver: bool,
    sessions_max: int = edges.SESSIONS_MAX,
) -> Ways:
    return Ways(
        problem.asker,
        problem.calls,
        problem.kinds,
        user,
        counting(problem.read),
        ages(problem.read),
        _nows(problem.read),
        problem.deep,
        approver,
        bounds.stop,
        sessions_max if any(call.writes for call in problem.calls) else 1,
    )


def _world(
    taking: OpenBundle,
    space: Space,
    slices: Mapping[str, Slice],
    leaks: Leaks,
    bounds: SearchLimits,
    read: Mapping[str, Literals],
) -> SearchProblem:
    found: list[ChainCall] = []
    left: list[str] = []
    bundle = taking.bundle
    for one in calls(taking, space, leaks, read):
        if isinstance(one, ChainCall):
            found.append(one)
        else:
            left.append(one)
        if bounds.stop():
            left.append(f"calls beyond the first {len(found)}: the time was over before the search began")
            break
    kinds = _kinds(bundle.catalog, {uid for policy in bundle.policies.values() for uid in policy.form.entities})
    if len(kinds) > AGENTS_MAX:
        left.append(f"{len(kinds) - AGENTS_MAX} kinds of agents beyond the first {AGENTS_MAX}")
        kinds = dict(list(kinds.items())[:AGENTS_MAX])
    # Beyond what looks at it, handing on is of use to whoever has to be seen doing much.
    deep = any("delegation" in part.looks for part in slices.values()) or counting(read) != Counting()
    return SearchProblem(Asker(bundle, space), tuple(found), tuple(left), read, leaks, kinds, deep)


def _slices(bundle: Bundle) -> Mapping[str, Slice]:
    tools = {tool.exposed: action_groups(tool) for tool in bundle.catalog.tools.values()}
    return {name: bundle.slice(name, tools.get(name, ())) for name in (*tools, *OTHER_ACTIONS)}


def _unspent(slices: Mapping[str, Slice]) -> Iterator[str]:
    """Actions that some policy permits by what is left of a budget: what it would permit is not seen."""
    for name, part in slices.items():
        permits = (one.form.accesses for one in part.ordered if not one.forbids)
        if any(access.path[:1] == ("budget",) for accesses in permits for access in accesses):
            yield name


def _labels(bundle: Bundle, leaks: Leaks) -> tuple[str, ...]:
    """The labels that policies or goals tell apart, and the hidden ones where data can lose its own."""
    every = closed(bundle.labels)
    told = frozenset(FAMILIES).union(*(mentioned(policy, every) for policy in bundle.policies.values()))
    told |= frozenset[str]().union(*_kept_in(bundle).values())
    return (*sorted(told & every), *((HIDDEN[family] for family in FAMILIES) if leaks.any else ()))


def _kept_in(bundle: Bundle) -> Mapping[str, frozenset[str]]:
    """The labels of each guarantee that keeps data from sinks."""
    every = bundle.catalog.guarantees.values()
    return {one.name: one.rule.labels for one in every if isinstance(one.rule, NoFlow)}


def _kinds(catalog: Catalog, named: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """One agent of each kind that policy can tell apart, with all of its kind."""
    literal = {name for kind, name in named if kind == f"{NAMESPACE}::Agent"}
    kinds: dict[tuple[object, ...], list[str]] = {}
    for agent in catalog.agents.values():
        kinds.setdefault((agent.groups, agent.name if agent.name in literal else None), []).append(agent.name)
    return {names[0]: tuple(names) for names in kinds.values()}


def _nows(read: Mapping[str, Literals]) -> tuple[int, ...]:
    """Points in time that policies tell apart: those that they name, and times of the first day."""
    found = {START_MS}
    for text in {date for one in read.values() for date in one.dates}:
        at_ms = _moment(text)
        if at_ms is not None:
            found.update((at_ms - 1, at_ms, at_ms + 1))
    return tuple(sorted(found))


def _moment(text: str) -> int | None:
    """`2026-01-01…` as milliseconds since the epoch; a span of time as that time of the first day."""
    try:
        return point(text).ms if text[:1].isdigit() and "-" in text else START_MS + span(text).ms
    except EvaluationFault:
        # Policies that hold it cannot be evaluated, and say so.
        return None


def _assumed(bundle: Bundle, problem: SearchProblem) -> Iterator[str]:
    yield from _ASSUMED
    observing = sum(agent.mode is Mode.OBSERVE for agent in bundle.catalog.agents.values())
    if observing:
        yield f"{observing} that only observe are held to policy"
    if bundle.catalog.budgets:
        yield "nothing of any budget is spent"
    if any(part.novelty for part in _slices(bundle).values()):
        yield "whatever an agent does may be new to it, or not, at each step"
    if any(part.past for part in _slices(bundle).values()):
        yield "monitors may say at each step whatever policies tell apart: what was done before is not counted"
    if not problem.deep:
        yield "no policy looks at delegation or counts calls: a chain of agents may do no more than its first one"
    beside = {call.doing.server for call in problem.calls if call.doing.kind is not ActionKind.CALL_TOOL}
    for server in sorted(name for name in beside if bundle.catalog.servers[name].declared_sink is None):
        yield (
            f"{OUTSIDE.name} does not look at what {server} is asked for beside its tools: its resource declares no"
            " sink, so that no_flow and policies take it for outside"
        )
    for (server, name), stores in sorted(problem.leaks.unsaid.items()):
        yield f"{server}/{name} may read {', '.join(stores)}: no tool is said to, and something has to"
    if problem.leaks.any:
        for guarantee, labels in _kept_in(bundle).items():
            if finer := sorted(labels - {*FAMILIES}):
                yield f"data that lost its label is not {', '.join(finer)}, which the guarantee {guarantee} is about"
    for (server, name), families in sorted(problem.leaks.families.items()):
        yield f"{server}/{name} may bring {', '.join(sorted(families))}, as other readers of its store do"
