"""The workspace as the service reads and edits it: one folder, one owner.

One contract suite (`tests/contract/test_workspace.py`) runs against every adapter.
"""

from dataclasses import dataclass
from typing import Protocol

from remit.control.lock import Lock
from remit.control.problems import SourceLocation, WorkspaceProblem
from remit.control.resources import Resource, ResourceKind, WorkspaceSource


class WorkspaceRefused(Exception):
    """An edit that was not made; nothing changed. `problem` says why and what to do next."""

    def __init__(self, problem: WorkspaceProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class DeletedResource:
    """A resource that is gone from the workspace, and where it stood."""

    kind: ResourceKind
    name: str
    where: SourceLocation


class Workspace(Protocol):
    """Read whole, edited one thing at a time. Calls block: run them in a thread."""

    def load(self) -> WorkspaceSource:
        """Everything there is; what cannot be read is among its problems. Never raises."""
        ...

    def fingerprint(self) -> str | None:
        """What changes with every byte of every file that `load` reads; None where one cannot be read."""
        ...

    def write_lock(self, lock: Lock, *, base: Lock) -> bool:
        """Replace the lock by `lock`; False, and nothing written, when it is the same.

        `base` is the lock that the change was made from: when the stored one is another by now,
        or unreadable, nothing is written. Raises `WorkspaceRefused`.
        """
        ...

    def add_agent(self, agent: Resource) -> None:
        """Write a new file, `agent.where`, that declares it. Raises `WorkspaceRefused` where there is one."""
        ...

    def enforce(self, name: str) -> bool:
        """Make `enforce` the mode of the agent `name`, every other byte of its file kept.

        False, and nothing written, where it has it already. Raises `WorkspaceRefused`.
        """
        ...

    def delete(self, kind: ResourceKind, name: str) -> DeletedResource:
        """Remove one resource, every other byte of its file kept. Raises `WorkspaceRefused`."""
        ...
