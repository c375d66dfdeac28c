"""What people look for among the records of a ledger, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody

SEARCHED_MAX: Final = 500_000
"""Records that are looked through for one question."""


@dataclass(frozen=True, slots=True)
class RecordSearch:
    """Every one that is given must hold: of an action, and from `since_ms` on, before `until_ms`."""

    agent: str | None = None
    server: str | None = None
    verdict: str | None = None
    since_ms: int = 0
    until_ms: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What stands in the body of every record that is looked for."""
        return tuple(word for word in (self.agent, self.server, self.verdict) if word is not None)

    def within(self, at_ms: int) -> bool:
        """Whether something of that moment may be looked for."""
        return self.since_ms <= at_ms and (self.until_ms is None or at_ms < self.until_ms)

    def finds(self, entry: Entry) -> bool:
        """Whether `entry` is looked for."""
        body = entry.body
        if not self.within(entry.record.at):
            return False
        if not isinstance(body, ActionBody):
            return not self.words
        return (
            (self.agent is None or any(agent == self.agent for agent, _ in body.links))
            and self.server in {None, body.server}
            and self.verdict in {None, body.verdict}
        )


class FoundRecords(NamedTuple):
    """The last records that were looked for, oldest first; what came before `unsearched_ms` was not looked at."""

    entries: Sequence[Entry]
    unsearched_ms: int | None = None
