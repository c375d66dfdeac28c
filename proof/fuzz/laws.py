"""What no message and no answer may break, checked as things happen.

Laws
* INVARIANT(intent-before-effect): a request that reaches the upstream has a durable intent for exactly its arguments,
  one each. One that the upstream refused until its user has opened an address (-32042) may come once more for each such
  refusal, once there is a durable record of what the user answered.
* INVARIANT(label-before-data): no byte of a server's answer is written to a client before a durable record of that
  action holds the labels that it brings. Its bytes are known by a mark that each answer bears.
* No answer of 500 or above lets an effect through.
* What a server says within a call, its questions among it, is told to who made that call and to nobody else.
* One session at a server is that of one client's session, and what it says there is told within that alone.
* A client is asked nothing that it did not declare, and nothing that policy forbids.
* What a client answers reaches the server that asked, as the answer to that question, once there is a record of it.
* What the lock does not hold (descriptions, a server's metadata) never leaves.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from remit.facts.record import RecordKind
from remit.trace.bodies import ActionBody, ExchangeBody, MidCall, OutcomeBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remit.ports.ledger import Draft

MARK: Final = re.compile(rb"mark(\d+)mark")
NEVER: Final = b"never-shown"
LABEL: Final = "untrusted"
STOOD: Final = re.compile(rb"stood(\d+)stood")
TOKEN: Final = re.compile(rb"token\d+token")
ANSWER: Final = re.compile(rb"answer-to-(mark\d+mark)")
CAPABILITIES: Final = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
FORBIDDEN: Final = "roots/list"


@dataclass(slots=True)
class Laws:
    """What has happened so far. `broken` are sentences; empty is good."""

    broken: list[str] = field(default_factory=list[str])
    intents: Counter[bytes] = field(default_factory=Counter[bytes])
    effects: Counter[bytes] = field(default_factory=Counter[bytes])
    refused: Counter[bytes] = field(default_factory=Counter[bytes])
    labelled: set[bytes] = field(default_factory=set[bytes])
    released: int = 0
    asked: Counter[str] = field(default_factory=Counter[str])
    heard: int = 0
    _sent_by: dict[bytes, str] = field(default_factory=dict[bytes, str])
    _sessions: dict[int, str] = field(default_factory=dict[int, str])
    _passed: Counter[bytes] = field(default_factory=Counter[bytes])
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
        if isinstance(body, ExchangeBody) and body.passed is MidCall.RESPONSES:
            self._passed[self._by_ref[body.intent]] += 1

    def reached(self, arguments: bytes, mark: int, *, again: bool = False) -> None:
        """A request reached the upstream, whose answer will bear `mark`; `again` with answers to what it asked."""
        self._of_mark[mark] = arguments
        if again:
            return
        self.effects[arguments] += 1
        more = min(self.refused[arguments], self._passed[arguments])
        if self.effects[arguments] > self.intents[arguments] + more:
            self.breaks(f"intent-before-effect: {arguments[:120]!r} was sent more often than it has intents")

    def refuses(self, arguments: bytes) -> None:
        """The upstream refuses a request with `arguments` until its user has opened an address."""
        self.refused[arguments] += 1

    def sent(self, token: bytes, bearer: str) -> None:
        """`bearer` sends a message whose arguments hold `token`."""
        self._sent_by[token] = bearer

    def within(self, session: int, arguments: bytes) -> None:
        """A request with `arguments` reached the upstream within its `session`."""
        for token in TOKEN.findall(arguments):
            bearer = self._sent_by.get(token)
            if bearer is not None and self._sessions.setdefault(session, bearer) != bearer:
                self.breaks(f"{bearer} and {self._sessions[session]} share session {session} of a server")

    def shown(self, data: bytes, sent: bytes = b"", bearer: str = "") -> None:
        """Bytes are on their way to `bearer`, in answer to the body `sent`."""
        if NEVER in data:
            self.breaks(f"something that must never leave did: {data[:200]!r}")
        for found in STOOD.findall(data):
            if self._sessions.get(int(found), bearer) != bearer:
                self.breaks(f"what was said within a session of {self._sessions[int(found)]} was told to {bearer}")
        for found in MARK.findall(data):
            self.released += 1
            mark = int(found)
            arguments = self._of_mark.get(mark)
            if arguments is not None and arguments not in self.labelled:
                self.breaks(f"label-before-data: the answer to {arguments[:120]!r} left before its labels were durable")
            named = () if arguments is None else TOKEN.findall(arguments)
            if named and not any(one in sent for one in named):
                self.breaks(f"what was said within the call of {arguments!r} was told to {sent[:300]!r}")

    def questioned(self, question: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
        """A client that declared `declared` is asked `question`."""
        method = str(question.get("method"))
        self.asked[method] += 1
        value = declared.get(CAPABILITIES.get(method, ""))
        params = question.get("params")
        by_url = isinstance(params, dict) and ("mode", "url") in cast("dict[str, Any]", params).items()
        if not isinstance(value, dict) or (by_url and "url" not in value):
            self.breaks(f"a client was asked by {method}, which it did not declare")
        if method == FORBIDDEN:
            self.breaks(f"a client was asked by {method}, which policy forbids")

    def replied(self, mark: str, answer: bytes) -> None:
        """A server that asked a question with `mark` got `answer` to it."""
        self.heard += 1
        for found in ANSWER.findall(answer):
            if found != mark.encode():
                of = [self._of_mark.get(int(one.strip(b"mark"))) for one in (found, mark.encode())]
                self.breaks(f"the answer to {found!r} came as that to {mark!r}: {of}")
            if not self._passed[self._of_mark[int(mark[4:-4])]]:
                self.breaks(f"the answer to {found!r} passed before there was a record of it")

    def answered(self, status: int, token: bytes) -> None:
        """A client has its whole answer; `token` stands in the arguments that it sent."""
        if status >= 500 and any(token in arguments for arguments in self.effects):
            self.breaks(f"an answer of {status} let an effect through: {token!r}")

    def breaks(self, text: str) -> None:
        """A law is broken, as `text` says."""
        if len(self.broken) < 20:
            self.broken.append(text)
