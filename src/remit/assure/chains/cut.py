"""What ends a chain: the narrowest policy that forbids its last step, or what the catalog has to say of a tool.

A proposal is tried before it is made: with it the search must find the chain no more, and whatever else it then finds
to the same goal is cut as well, until nothing is left or `ROUNDS_MAX` is reached.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from remit.assure.chains.found import Chained, Result, Step
from remit.assure.chains.goals import FAMILY, OWASP, SAYS, Goal
from remit.assure.chains.moves import leaks_of
from remit.facts.catalog import Catalog, PolicySource
from remit.facts.store import Store
from remit.policy.bundle import Bundle
from remit.policy.checking import NOTHING, Memory
from remit.policy.compile import compile_bundle

FILE: Final = "policies/chains.cedar"
ROUNDS_MAX: Final = 8
_ODD: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_NAMED_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Forbid:
    """A policy: its id and its text."""

    ident: str
    text: str


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
        said = f"store: {{name: {self.store}, access: read}}" if self.store else f"source: [{self.label}, …]"
        return f"Tool {self.server}/{self.name}: {said}"


Remedy: TypeAlias = Forbid | Declare


@dataclass(frozen=True, slots=True)
class Cut:
    """The remedies that together end every chain that was found; `whole` says that a search with them finds none."""

    remedies: tuple[Remedy, ...]
    whole: bool
    bundle: Bundle | None


def remedy(bundle: Bundle, chain: Chained) -> Remedy:
    """What ends `chain`, by itself."""
    if chain.hidden:
        found = _declared(bundle, chain)
        if found is not None:
            return found
    at = cutting(chain)
    step = chain.steps[at]
    return _forbid(bundle, chain, step, chain.agents if at == len(chain.steps) - 1 else (_agent(step),))


def cutting(chain: Chained) -> int:
    """The number of the step that is to be forbidden: the last, or the one that hands a duty on to somebody else."""
    if chain.goal is Goal.DUTIES:
        return next((at for at, step in enumerate(chain.steps) if step.picks is not None), len(chain.steps) - 1)
    return len(chain.steps) - 1


def cut(bundle: Bundle, result: Result, search: Callable[[Bundle], Result]) -> Cut:
    """Remedies for all chains of `result` that need nobody, tried by `search`."""
    remedies: dict[str, Remedy] = {}
    changed: Bundle | None = bundle
    memory = NOTHING
    for _ in range(ROUNDS_MAX):
        for chain in result.free:
            one = remedy(changed or bundle, chain)
            remedies[one.text] = one
        changed, memory = mended(bundle, remedies.values(), memory)
        if changed is None:
            return Cut(tuple(remedies.values()), whole=False, bundle=None)
        result = search(changed)
        if not result.free:
            break
    return Cut(tuple(remedies.values()), whole=not result.free and result.searched.stopped is None, bundle=changed)


def mended(bundle: Bundle, remedies: Iterable[Remedy], memory: Memory = NOTHING) -> tuple[Bundle | None, Memory]:
    """`bundle` with `remedies`; None where that does not compile."""
    catalog, texts = bundle.catalog, list[str]()
    for one in remedies:
        match one:
            case Forbid():
                texts.append(one.text)
            case Declare():
                catalog = _with(catalog, one)
            case _:
                assert_never(one)
    if texts:
        source = PolicySource(FILE, "\n".join(texts))
        catalog = replace(catalog, policies=(*(one for one in catalog.policies if one.path != FILE), source))
    compiled = compile_bundle(catalog, memory=memory, enforceable=bundle.enforceable, shadow_every=0)
    return (compiled.result if isinstance(compiled.result, Bundle) else None), compiled.memory


def _with(catalog: Catalog, said: Declare) -> Catalog:
    key = said.server, said.name
    tool = catalog.tools[key]
    if said.store is not None:
        tool = replace(tool, store=Store(said.store, writes=False))
    if said.label is not None:
        tool = replace(tool, source=tool.source | {said.label})
    return replace(catalog, tools={**catalog.tools, key: tool})


def _declared(bundle: Bundle, chain: Chained) -> Declare | None:
    """What the catalog leaves unsaid of a tool that `chain` goes through."""
    leaks = leaks_of(bundle)
    for step in chain.steps:
        key = step.doing.server, step.doing.name
        if step.unsaid and step.picks is not None:
            return Declare(*key, store=step.picks, label=None)
        family = FAMILY.get(chain.goal)
        if family is not None and family in leaks.families.get(key, ()):
            return Declare(*key, store=None, label=family)
    return None


def _forbid(bundle: Bundle, chain: Chained, step: Step, agents: Sequence[str]) -> Forbid:
    action = bundle.tools[step.doing.server, step.doing.name].tool.exposed
    ident = _ODD.sub("-", f"cut-{chain.goal.value}-{action}")[:120]
    scope, conditions = "principal", list[str]()
    if len(agents) < len(bundle.catalog.agents):
        named = [f'Remit::Agent::"{one}"' for one in agents]
        if len(named) == 1:
            scope = f"principal == {named[0]}"
        elif len(named) <= _NAMED_MAX:
            conditions.append(f"[{', '.join(named)}].contains(principal)")
    family = FAMILY.get(chain.goal)
    if family is not None and not chain.hidden:
        conditions.append(f'context.session.labels.contains(Remit::Label::"{family}")')
    when = f"\nwhen {{ {' && '.join(conditions)} }}" if conditions else ""
    said = SAYS[chain.goal]
    text = (
        f'@id("{ident}")\n@owasp("{OWASP[chain.goal]}")\n@reason("{said}")\n'
        f'forbid (\n  {scope},\n  action == Remit::Action::"{action}",\n  resource\n){when};\n'
    )
    return Forbid(ident, text)


def _agent(step: Step) -> str:
    return step.chain[-1].partition("#")[0]
