"""A bundle that runs or might run, made from a workspace's source."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from remit.api.services import Invalid, Missing
from remit.app.bundles.in_force import Resuming
from remit.app.bundles.store import Bundles
from remit.app.terminal.output import counted
from remit.control import lock as locking
from remit.control.assemble import Assembled, assemble
from remit.control.lock import Lock
from remit.control.problems import WorkspaceProblem
from remit.control.resources import AgentSpec, Resource, WorkspaceSource
from remit.facts.agent import Mode
from remit.facts.tool import Definition
from remit.policy.checks import NOTHING, CheckProgress, unwatched
from remit.policy.compile import Bundle, compile_bundle

_GUARD_CHARS: Final = 32
_CORRECT: Final = "correct the file, then run: remit diff"
"""The usual next step, which a list of problems says once."""


@dataclass(frozen=True, slots=True)
class RunningBundle:
    """A bundle, the source it was made from, and what is odd about it all the same."""

    source: WorkspaceSource
    bundle: Bundle
    warnings: tuple[str, ...]

    def differs(self, other: "RunningBundle") -> bool:
        """Whether something else runs than in `other`, or less guards it.

        By the digest, and by what that leaves out: values of variables, and cases.
        """
        own, others = self.bundle, other.bundle
        missing_cases = set(other.source.cases) - set(self.source.cases)
        return own.digest != others.digest or own.catalog.servers != others.catalog.servers or bool(missing_cases)

    def news(self, before: "RunningBundle") -> tuple[str, ...]:
        """Its warnings but for those that `before` had too, of which one line tells: what always warns warns nobody."""
        fresh = tuple(warning for warning in self.warnings if warning not in before.warnings)
        repeated = len(self.warnings) - len(fresh)
        if not repeated:
            return fresh
        return (*fresh, f"{counted(repeated, 'warning')} as before: remit diff")

    @property
    def guards(self) -> tuple[str, ...]:
        """What names each file of cases, with its text; it gives away nothing of them."""
        texts = (f"{file}\n{text}" for file, text in self.source.cases)
        return tuple(sorted(hashlib.sha256(text.encode()).hexdigest()[:_GUARD_CHARS] for text in texts))


class Beginning(NamedTuple):
    """What a start begins with; `fingerprint` is that of the folder which it is all of, None where parts waited.

    `resumed`: it is what was in force, and not what the folder says now.
    """

    running: RunningBundle
    resuming: Resuming
    fingerprint: str | None
    resumed: bool


def prepare(
    source: WorkspaceSource, bundles: Bundles | None = None, progress: CheckProgress = unwatched
) -> RunningBundle:
    """Assemble and compile `source`; `bundles` remember what was found. Blocks; raises `Invalid` with every problem."""
    assembly = assemble(source)
    if not isinstance(assembly, Assembled):
        raise _invalid(assembly.errors)
    memory = NOTHING if bundles is None else bundles.memory(lambda: progress(0, 0))
    compiled = compile_bundle(assembly.catalog, memory=memory, progress=progress)
    if bundles is not None:
        bundles.remember(compiled.memory, lambda: progress(0, 0))
    if not isinstance(compiled.result, Bundle):
        raise Invalid([str(problem) for problem in compiled.result], _CORRECT)
    warnings = (*(problem_line(one, one.next) for one in assembly.warnings), *map(str, compiled.warnings))
    return RunningBundle(source, compiled.result, warnings)


def with_enforced(source: WorkspaceSource, name: str) -> tuple[Resource, ...]:
    """The resources of `source`, the agent `name` held to policy."""
    return tuple(
        replace(resource, spec=replace(resource.spec, mode=Mode.ENFORCE))
        if resource.name == name and isinstance(resource.spec, AgentSpec)
        else resource
        for resource in source.resources
    )


def accepted(base: Lock, server: str, tool: str | None, live: Sequence[Definition], pin: str) -> Lock:
    """`base`, with what is `live` of `server`, or of its `tool` alone, if it is what `pin` says.

    Raises `Missing`, `LockRefused`.
    """
    if tool is None:
        return locking.accept_server(base, server, live, pin)
    found = next((definition for definition in live if definition.name == tool), None)
    if found is not None:
        return locking.accept(base, server, tool, found, pin)
    if (server, tool) in base.tools:
        return locking.forget(base, server, tool)
    raise Missing(f"{server} has no tool called {tool[:128]!r}")


def _invalid(errors: Sequence[WorkspaceProblem]) -> Invalid:
    """`errors`, one line each; what to do next is said once, unless it differs."""
    following = {error.next for error in errors}
    if len(following) == 1:
        return Invalid([problem_line(error) for error in errors], following.pop())
    return Invalid([problem_line(error, error.next) for error in errors], _CORRECT)


def problem_line(problem: WorkspaceProblem, following: str = _CORRECT) -> str:
    """`problem` on one line, as a list of them shows it; `following` where it is not the usual."""
    hint = f" ({problem.hint})" if problem.hint else ""
    parts = (f"{problem.what}{hint}", problem.why, following if following != _CORRECT else "")
    text = "; ".join(part for part in parts if part)
    return f"{problem.where}: {' '.join(text.splitlines())}"
