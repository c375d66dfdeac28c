"""What no message and no answer may break, checked as things happen.

Laws
* INVARIANT(intent-before-effect): a request that reaches the upstream has a durable intent for exactly its arguments,
  one each.
* INVARIANT(label-before-data): no byte of a server's answer is written to a client before a durable record of that
  action holds the labels that it brings. Its bytes are known by a mark that each answer bears.
* No answer of 500 or above lets an effect through.
* What the lock does not hold (descriptions, a server's metadata) never leaves.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from remit.facts.record import RecordKind
from remit.trace.bodies import ActionBody, ExchangeBody, OutcomeBody

if TYPE_CHECKING:
    from remit.ports.ledger import Draft

MARK: Final = re.compile(rb"mark(\d+)mark")
NEVER: Final = b"never-shown"
LABEL: Final = "untrusted"


@dataclass(slots=True)
class Laws:
    """What has happened so far. `broken` are sentences; empty is good."""

    broken: list[str] = field(default_factory=list[str])
    intents: Counter[bytes] = field(default_factory=Counter[bytes])
    effects: Counter[bytes] = field(default_factory=Counter[bytes])
    labelled: set[bytes] = field(default_factory=set[bytes])
    released: int = 0
    _by_ref: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _of_mark: dict[int, bytes] = field(default_factory=dict[int, bytes])

    def durable(self, ref: str, draft: Draft) -> None:
        """A record is on disk."""
        body = draft.body
        if draft.kind is RecordKind.INTENT and isinstance(body, ActionBody):
            self.intents[body.arguments] += 1
            self._by_ref[ref] = body.arguments
        elif isinstance(body, OutcomeBody | ExchangeBody) and LABEL in body.labels:
            self.labelled.add(self._by_ref[body.intent])

    def reached(self, arguments: bytes, mark: int) -> None:
        """A request reached the upstream, whose answer will bear `mark`."""
        self.effects[arguments] += 1
        self._of_mark[mark] = arguments
        if self.effects[arguments] > self.intents[arguments]:
            self._break(f"intent-before-effect: {arguments[:120]!r} was sent more often than it has intents")

    def shown(self, data: bytes) -> None:
        """Bytes are on their way to a client."""
        if NEVER in data:
            self._break(f"something that must never leave did: {data[:200]!r}")
        for found in MARK.findall(data):
            self.released += 1
            mark = int(found)
            arguments = self._of_mark.get(mark)
            if arguments is not None and arguments not in self.labelled:
                self._break(f"label-before-data: the answer to {arguments[:120]!r} left before its labels were durable")

    def answered(self, status: int, token: bytes) -> None:
        """A client has its whole answer; `token` stands in the arguments that it sent."""
        if status >= 500 and any(token in arguments for arguments in self.effects):
            self._break(f"an answer of {status} let an effect through: {token!r}")

    def _break(self, text: str) -> None:
        if len(self.broken) < 20:
            self.broken.append(text)
