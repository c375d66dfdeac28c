"""What can be done in a workspace, and what each call does to data: the labels it brings, the stores it reaches.

Two things that the catalog does not say are assumed, since data would otherwise lose its labels unnoticed:
* a store that is written and that no tool is said to read is read by every tool of its server that only reads and
  has no store of its own;
* what one reader of a store brings from outside, every other reader of it may bring too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from remit.assure.chains.arguments import variants
from remit.assure.chains.literals import Literals, Path
from remit.assure.chains.open_arguments import OpenBundle
from remit.assure.chains.patterns import SampleTexts, literal, samples
from remit.assure.chains.space import Space
from remit.assure.chains.vocabulary import FAMILIES
from remit.assure.world import ProposedAction
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority
from remit.facts.feed import Guard, feeds_at
from remit.facts.label import Labels, closed
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.bundle import Bundle
from remit.policy.slice import Slice
from remit.protect.stores import stores_of

HIDDEN: Final[Mapping[str, str]] = {"confidential": "confidential?", "untrusted": "untrusted?"}
"""What stands for data of a family that has lost its label."""
_BESIDE: Final[Mapping[ActionKind, tuple[str, str, str]]] = {
    ActionKind.READ_RESOURCE: ("uri", "remit://any", "resources"),
    ActionKind.GET_PROMPT: ("name", "any", "prompts"),
}
"""What else servers are asked for: the argument that names it, the plainest name, and what people call it."""
_NOBODY: Final = Authority((), None, "", 0)
DUTY: Final = "duty-"
"""How tags begin whose tools no one line of work may use together."""


@dataclass(frozen=True, slots=True)
class ChainCall:
    """One call, by one of its arguments. `brings` are labels as bits, hidden ones among them.

    `writes` and `reads` are names of stores; `unsaid` are those that it is assumed to read, though nobody said so;
    `guards` the guarantees that concern it.
    """

    doing: ProposedAction
    brings: int = 0
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    irreversible: bool = False
    external: bool = False
    duties: frozenset[str] = frozenset()
    guards: tuple[Guard, ...] = ()

    @property
    def tool(self) -> str:
        """What it calls, for people: the same whatever it is called with."""
        return self.doing.tool


@dataclass(frozen=True, slots=True)
class Leaks:
    """Where data would lose its labels: by tool the stores it is assumed to read, and the families it may bring."""

    unsaid: Mapping[tuple[str, str], tuple[str, ...]]
    families: Mapping[tuple[str, str], Labels]

    @property
    def any(self) -> bool:
        """Whether there is such a place at all."""
        return bool(self.unsaid or self.families)


def leaks_of(bundle: Bundle) -> Leaks:
    """Where the catalog lets data lose its labels."""
    tools = bundle.catalog.tools
    readers: dict[str, list[Tool]] = {}
    written: dict[str, set[str]] = {}
    for tool in tools.values():
        if tool.store is not None and tool.store.reads:
            readers.setdefault(tool.store.name, []).append(tool)
        if tool.store is not None and tool.store.writes:
            written.setdefault(tool.server, set()).add(tool.store.name)
    unsaid: dict[tuple[str, str], tuple[str, ...]] = {}
    families: dict[tuple[str, str], Labels] = {}
    for key, tool in tools.items():
        unread = tuple(sorted(name for name in written.get(tool.server, ()) if name not in readers))
        if unread and tool.catalogued and tool.store is None and tool.effect is Effect.READ:
            unsaid[key] = unread
    for tools_of_store in readers.values():
        labels_brought = [closed(tool.worst) for tool in tools_of_store]
        all_labels = frozenset[str]().union(*labels_brought)
        for tool, own_labels in zip(tools_of_store, labels_brought, strict=True):
            lost = frozenset(family for family in FAMILIES if family in all_labels and family not in own_labels)
            if lost:
                families[tool.server, tool.name] = lost
    return Leaks(unsaid, families)


def calls(opened: OpenBundle, space: Space, leaks: Leaks, read: Mapping[str, Literals]) -> Iterator[ChainCall | str]:
    """Every call to try, and in a sentence what is not tried; `read` are the literals of each action's policies."""
    bundle = opened.bundle
    for key, form in bundle.tools.items():
        tool, tool_name = form.tool, f"{form.tool.server}/{form.tool.name}"
        if form.quarantined is not None:
            continue
        argument_sets, whole = variants(form, bundle.slice_of(tool), read[tool.exposed], opened.open.get(key, ()))
        if not argument_sets:
            yield f"{tool_name}: no arguments were found that its schema takes"
        elif not whole:
            yield f"{tool_name}: it can be called in more ways than were tried"
        lost = frozenset(HIDDEN[family] for family in leaks.families.get(key, ()))
        writes, reads = _stores(bundle, ActionKind.CALL_TOOL, tool.server, tool.name)
        for arguments in argument_sets:
            yield ChainCall(
                ProposedAction(ActionKind.CALL_TOOL, tool.server, tool.name, arguments),
                space.mask(closed(tool.worst) | lost),
                writes,
                reads,
                leaks.unsaid.get(key, ()),
                tool.effect is Effect.IRREVERSIBLE,
                tool.sink is Sink.EXTERNAL,
                frozenset(tag for tag in tool.tags if tag.startswith(DUTY)),
                bundle.destination(form).feeds.guards,
            )
    yield from _other_calls(bundle, space, read)


def _other_calls(bundle: Bundle, space: Space, read: Mapping[str, Literals]) -> Iterator[ChainCall | str]:
    """What is asked of servers beside their tools: all of it brings the same, and gets to the same place."""
    for kind, (argument, plainest, noun) in _BESIDE.items():
        names, whole = _names(bundle.slice(kind.value), read[kind.value], ("input", argument), plainest)
        if not whole:
            yield f"{noun}: there are more ways to name one than were tried"
        for server in bundle.catalog.servers.values():
            guards = feeds_at(server, bundle.catalog.guarantees.values()).guards
            external = server.declared_sink is Sink.EXTERNAL
            brings = space.mask(closed(server.source))
            for name in names:
                doing = ProposedAction(kind, server.name, name, {argument: name})
                writes, reads = _stores(bundle, kind, server.name, name)
                yield ChainCall(doing, brings, writes, reads, external=external, guards=guards)


def _stores(bundle: Bundle, kind: ActionKind, server: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stores that this writes to, and those that it reads: those that enforcement takes it to, whatever the key."""
    stores = stores_of(bundle, Action(kind, server, name, b"{}", {}, _NOBODY))
    return tuple(store.name for store in stores if store.writes), tuple(store.name for store in stores if store.reads)


def _names(part: Slice, literals: Literals, path: Path, plainest: str) -> SampleTexts:
    """Names to try: none where no policy is about asking by any."""
    if not any(not policy.forbids for policy in part.ordered):
        return SampleTexts((), whole=True)
    texts_named = literals.texts.get(path, set())
    patterns = [*sorted(literals.patterns.get(path, ()), key=str), *map(literal, sorted(texts_named))]
    texts, whole = samples(patterns) if patterns else SampleTexts((), whole=True)
    return SampleTexts((plainest, *(text for text in texts if text)), whole)
