"""What ends a chain: the narrowest policy that forbids its last step, or what the catalog has to say of a tool.

A proposal is tried before it is made: with it the search must find the chain no more, and whatever else it then finds
is cut as well, until nothing is left or `ROUNDS_MAX` is reached. Of the ways to end a chain the narrowest one is taken
that keeps what has to go on, as the workspace's own cases say it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from remit.assure.chains.goals import DUTIES, Goal
from remit.assure.chains.moves import leaks_of
from remit.assure.chains.results import ChainStep, FoundChain, SearchResult
from remit.assure.world import ProposedAction
from remit.facts.action import ActionKind
from remit.facts.catalog import Catalog, PolicySource
from remit.facts.store import Store
from remit.facts.tool import exposed_name
from remit.policy.bundle import Bundle
from remit.policy.checks import NOTHING, CheckCache
from remit.policy.compile import compile_bundle

FILE: Final = "policies/chains.cedar"
ROUNDS_MAX: Final = 40
_ODD: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_NAMED_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Forbid:
    """A policy: its id and its text; `route`, where it is a gate, says who is asked."""

    ident: str
    text: str
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Declare:
    """What the Tool resource of `server` and `name` has to say: a store that it reads, or a label that it brings."""

    server: str
    name: str
    store: str | None
    label: str | None

    @property
    def text(self) -> str:
        """It in words, as YAML spells it."""
        line = f"store: {{name: {self.store}, access: read}}" if self.store else f"source: [{self.label}, …]"
        return f"Tool {self.server}/{self.name}: {line}"


Remedy: TypeAlias = Forbid | Declare


@dataclass(frozen=True, slots=True)
class Cut:
    """The remedies that together end every chain that was found; `whole` says that a search with them finds none."""

    remedies: tuple[Remedy, ...]
    whole: bool
    bundle: Bundle | None


def options(bundle: Bundle, chain: FoundChain) -> Iterator[Remedy]:
    """What ends `chain`, by itself: what the catalog has to say where a label is lost, else one of its steps less.

    The last step first, since it is what is forbidden; of duties the one that takes up what another agent left.
    """
    if chain.hidden:
        declaration = _declaration(bundle, chain)
        if declaration is not None:
            yield declaration
    last = step_to_forbid(chain)
    for at in (last, *(earlier for earlier in range(len(chain.steps) - 1, -1, -1) if earlier != last)):
        step = chain.steps[at]
        if step.doing.kind is not ActionKind.DELEGATE:
            agents = chain.agents if at == len(chain.steps) - 1 else alike(bundle, _agent(step))
            yield _forbid(bundle, chain, at, agents)


def alike(bundle: Bundle, agent: str) -> tuple[str, ...]:
    """The agents that have the groups of `agent`."""
    agents = bundle.catalog.agents
    return tuple(sorted(name for name, other in agents.items() if other.groups == agents[agent].groups))


def step_to_forbid(chain: FoundChain) -> int:
    """The number of the step that is to be forbidden: the last, or the one that hands a duty on to somebody else."""
    if chain.goal == DUTIES:
        return next((at for at, step in enumerate(chain.steps) if step.picks is not None), len(chain.steps) - 1)
    return len(chain.steps) - 1


def cut(
    bundle: Bundle,
    result: SearchResult,
    search: Callable[[Bundle], SearchResult],
    keeps: Callable[[Bundle], bool] = lambda _: True,
) -> Cut:
    """Remedies for all chains of `result` that need nobody, tried by `search`; each `keeps` what must go on."""
    remedies: list[Remedy] = []
    changed, memory = bundle, NOTHING
    for _ in range(ROUNDS_MAX):
        if not result.unattended:
            break
        tried: list[tuple[Remedy, Bundle]] = []
        for remedy in options(changed, result.unattended[0]):
            candidate, memory = with_remedies(bundle, [*remedies, remedy], memory)
            if candidate is not None:
                tried.append((remedy, candidate))
                if keeps(candidate):
                    break
        if not tried:
            return Cut(tuple(remedies), whole=False, bundle=None)
        # Where each of them stops something that has to go on, the narrowest one.
        chosen, changed = tried[-1] if keeps(tried[-1][1]) else tried[0]
        remedies.append(chosen)
        result = search(changed)
    return Cut(tuple(remedies), whole=not result.unattended and result.account.stopped is None, bundle=changed)


def with_remedies(
    bundle: Bundle, remedies: Iterable[Remedy], memory: CheckCache = NOTHING
) -> tuple[Bundle | None, CheckCache]:
    """`bundle` with `remedies`; None where that does not compile."""
    catalog, texts = bundle.catalog, list[str]()
    for remedy in remedies:
        match remedy:
            case Forbid():
                # Two of the same name forbid different things.
                same = sum(text.startswith(f'@id("{remedy.ident}') for text in texts)
                texts.append(
                    remedy.text if not same else remedy.text.replace(remedy.ident, f"{remedy.ident}-{same + 1}", 1)
                )
            case Declare():
                catalog = _with_declaration(catalog, remedy)
            case _:
                assert_never(remedy)
    if texts:
        source = PolicySource(FILE, "\n".join(texts))
        catalog = replace(catalog, policies=(*(policy for policy in catalog.policies if policy.path != FILE), source))
    compiled = compile_bundle(catalog, memory=memory, shadow_every=0)
    return (compiled.result if isinstance(compiled.result, Bundle) else None), compiled.memory


def _with_declaration(catalog: Catalog, declaration: Declare) -> Catalog:
    key = declaration.server, declaration.name
    tool = catalog.tools[key]
    if declaration.store is not None:
        tool = replace(tool, store=Store(declaration.store, writes=False))
    if declaration.label is not None:
        tool = replace(tool, source=tool.source | {declaration.label})
    return replace(catalog, tools={**catalog.tools, key: tool})


def _declaration(bundle: Bundle, chain: FoundChain) -> Declare | None:
    """What the catalog leaves unsaid of a tool that `chain` goes through."""
    leaks = leaks_of(bundle)
    for step in chain.steps:
        key = step.doing.server, step.doing.name
        if step.unsaid and step.picks is not None:
            return Declare(*key, store=step.picks, label=None)
        lost = chain.goal.labels & leaks.families.get(key, frozenset())
        if lost:
            return Declare(*key, store=None, label=min(lost))
    return None


def _forbid(bundle: Bundle, chain: FoundChain, at: int, agents: Sequence[str]) -> Forbid:
    doing = chain.steps[at].doing
    labelled = not chain.hidden and at == len(chain.steps) - 1
    return forbidding(bundle, chain.goal, doing, agents, labelled=labelled)


def forbidding(
    bundle: Bundle,
    goal: Goal,
    doing: ProposedAction,
    agents: Sequence[str],
    *,
    labelled: bool,
    route: str | None = None,
    calls: int | None = None,
) -> Forbid:
    """What forbids `agents` the tool of `doing`, or to ask its server for such.

    `labelled`: where the session holds a label that `goal` is about. With a `route` its people may lift it. `calls`:
    once the session has made so many.
    """
    action, resource = doing.kind.value, f'resource in Remit::Server::"{doing.server}"'
    target = f"{action}-{doing.server}"
    if doing.kind is ActionKind.CALL_TOOL:
        action, resource = exposed_name(doing.server, doing.name), "resource"
        target = action
    ident = _ODD.sub("-", f"cut-{goal.name}-{target}")[:120]
    scope, conditions = "principal", list[str]()
    if len(agents) < len(bundle.catalog.agents):
        agent_uids = [f'Remit::Agent::"{agent}"' for agent in agents]
        if len(agent_uids) == 1:
            scope = f"principal == {agent_uids[0]}"
        elif len(agent_uids) <= _NAMED_MAX:
            conditions.append(f"[{', '.join(agent_uids)}].contains(principal)")
    labels = [f'Remit::Label::"{label}"' for label in sorted(goal.labels)] if labelled else []
    if labels:
        label_test = f"contains({labels[0]})" if len(labels) == 1 else f"containsAny([{', '.join(labels)}])"
        conditions.append(f"context.session.labels.{label_test}")
    if calls is not None:
        conditions.append(f"context.session.calls >= {calls}")
    when = f"\nwhen {{ {' && '.join(conditions)} }}" if conditions else ""
    gate = "" if route is None else f'@gate("{route}")\n'
    text = (
        f'@id("{ident}")\n{gate}@owasp("{goal.owasp}")\n@reason("{goal.says}")\n'
        f'forbid (\n  {scope},\n  action == Remit::Action::"{action}",\n  {resource}\n){when};\n'
    )
    return Forbid(ident, text, route)


def _agent(step: ChainStep) -> str:
    return step.chain[-1].partition("#")[0]
