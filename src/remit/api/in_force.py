"""What is told of bundles and of the installation. Light to import."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InForce:
    """A bundle that was in force from `since_ms`, by `by`; `until_ms` is None of the one that runs.

    `record` is the first of `records` that say so, each start one. Counts are None where no record has them.
    """

    digest: str
    since_ms: int
    until_ms: int | None
    by: str
    record: str
    records: int
    policies: int | None
    tools: int | None
    agents: int | None


@dataclass(frozen=True, slots=True)
class BundleProgress:
    """How far a bundle to be is: `done` of `total` policies are checked."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One line of `remit doctor`. `next` is the command that mends it; of what is `ok`, what would make it better."""

    name: str
    ok: bool
    text: str
    next: str | None = None

    @property
    def state(self) -> str:
        """`ok`, `warn` where something is left to do that keeps nobody from governing, or `fail`."""
        if not self.ok:
            return "fail"
        return "ok" if self.next is None else "warn"
