"""The next bundle, made beside the running one: in a thread, and in a process of its own where it is long work."""

import asyncio
from collections.abc import Iterable
from typing import Final

from remit.app.bundles.compiler_process import check_apart
from remit.app.bundles.pace import Pace
from remit.app.bundles.running_bundle import RunningBundle, prepare
from remit.app.bundles.store import Bundles
from remit.control.resources import PolicySpec, WorkspaceSource
from remit.facts.catalog import PolicySource
from remit.policy.parse import split

APART_MIN: Final = 200
"""With fewer policies to check, starting a process takes longer than they do."""


class Preparation:
    """Makes bundles, remembering in `bundles`. `pace` tells how far it is, while it makes one."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles = bundles
        self.pace: Pace | None = None

    async def prepare(self, source: WorkspaceSource, running: WorkspaceSource) -> RunningBundle:
        """A bundle of `source`; `running` is that of the bundle which runs. Raises `Invalid`."""
        pace = self.pace = Pace()
        try:
            if await asyncio.to_thread(self._to_check, source, running, pace) >= APART_MIN:
                await check_apart(source, self._bundles.root, pace)
                self._bundles.refresh()
            return await asyncio.to_thread(prepare, source, self._bundles, pace)
        finally:
            self.pace = None

    def _to_check(self, source: WorkspaceSource, running: WorkspaceSource, pace: Pace) -> int:
        """How many policies have to be read, linted or validated."""
        texts = [text for policy in _policies(source) for text in _texts(policy, pace)]
        if source.lock != running.lock or _others(source) != _others(running):
            # The schema may be another, and what the linter looks at.
            return len(texts)
        forms = self._bundles.memory(pace.breathe).forms
        return sum(text not in forms for text in texts)


def _policies(source: WorkspaceSource) -> Iterable[PolicySource]:
    yield from source.policies
    for resource in source.resources:
        if isinstance(resource.spec, PolicySpec):
            yield PolicySource(resource.where.file, resource.spec.cedar)


def _texts(policy: PolicySource, pace: Pace) -> list[str]:
    statements, _ = split(policy)
    pace.breathe()
    return [statement.text for statement in statements]


def _others(source: WorkspaceSource) -> list[tuple[str, object]]:
    return [
        (resource.name, resource.spec) for resource in source.resources if not isinstance(resource.spec, PolicySpec)
    ]
