"""Each general mechanism switched off by itself, to see what it gives: the rows of `make bench-dataflow --ablate`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.protect.index import Delta, Index

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from remit.facts.catalog import Catalog
    from remit.facts.tool import Tool


@dataclass(frozen=True, slots=True)
class Ablation:
    """A mechanism, and what takes it away: from the catalog, or from the code at `patch`."""

    name: str
    catalog: Callable[[Catalog], Catalog] = lambda catalog: catalog
    patch: tuple[str, Any] | None = None

    @contextmanager
    def off(self, bundle: Bundle) -> Generator[Bundle]:
        """The bundle without the mechanism, while it is off."""
        found = compile_bundle(self.catalog(bundle.catalog)).result
        assert isinstance(found, Bundle), found
        if self.patch is None:
            yield found
        else:
            with mock.patch(self.patch[0], self.patch[1]):
                yield found


def _tools(change: Callable[[Tool], Tool]) -> Callable[[Catalog], Catalog]:
    return lambda catalog: replace(catalog, tools={key: change(tool) for key, tool in catalog.tools.items()})


def _policy(old: str, new: str) -> Callable[[Catalog], Catalog]:
    def changed(catalog: Catalog) -> Catalog:
        policies = tuple(replace(one, text=one.text.replace(old, new)) for one in catalog.policies)
        assert policies != catalog.policies, old
        return replace(catalog, policies=policies)

    return changed


def _never(*_: object) -> bool:
    return False


def _no_words(index: Index, _: str) -> Delta:
    return index.delta("", ())


def _parts(**off: bool) -> Callable[[Catalog], Catalog]:
    return _tools(lambda tool: replace(tool, results=tuple(replace(part, **off) for part in tool.results)))


ABLATIONS = (
    Ablation("fields", _tools(lambda tool: replace(tool, results=()))),
    Ablation("record grounding", _parts(identity=False)),
    Ablation("keyed look-ups", patch=("remit.protect.learning.all_grounded", _never)),
    Ablation(
        "established targets",
        _policy("context.targets.strangers > 0", "context.targets.untrusted + context.targets.unseen > 0"),
    ),
    Ablation("intent", _policy("!context.asked", "false && !context.asked")),
    Ablation("carried identifiers", patch=("remit.protect.origins.CARRIED", frozenset[object]())),
    Ablation("roles", _tools(lambda tool: replace(tool, arguments={}))),
    Ablation("the user's words", patch=("remit.assure.replay.words", _no_words)),
)
