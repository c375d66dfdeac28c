"""Where values come from, kept for one service: the indices of sessions, and of what was handed to servers."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import orjson

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json
from remit.facts.label import closed
from remit.facts.record import RecordKind
from remit.facts.session import Session
from remit.facts.tool import Effect
from remit.pdp.decision import Decision
from remit.pdp.flow import grounds
from remit.pdp.result_judgement import NO_ANSWERS, JudgedCall
from remit.pep.decision_effects import reached_of
from remit.pep.memory import Memory
from remit.pep.providers import BundleProvider
from remit.ports.ledger import Pending
from remit.ports.system import Entropy
from remit.protect.client_answers import without_protocol_words
from remit.protect.handover import Handover
from remit.protect.hashing import KEY_BYTES
from remit.protect.index import Index
from remit.protect.origins import Names
from remit.protect.scalars import IndexView
from remit.protect.server_index import FULL, handover_delta, index_of, is_of_server
from remit.trace.bodies import AdminBody, Event

_BY: Final = "remit"


class OriginTracing:
    """`append` queues a record, of which `memory` knows at once. Without `entropy` nothing is kept."""

    def __init__(
        self,
        memory: Memory,
        current: BundleProvider,
        entropy: Entropy | None,
        append: Callable[[RecordKind, str, AdminBody], Pending],
    ) -> None:
        self._memory = memory
        self._current = current
        self._entropy = entropy
        self._append = append

    async def load(self, server: str) -> None:
        """Have what `server` was handed in memory, for good."""
        if server and not self._memory.indices.loaded(index_of(server)):
            await self._memory.indices.load(index_of(server))

    def index(self, sid: str) -> Index | None:
        """The index `sid`, its key drawn where it has none yet; None where none is kept."""
        indices = self._memory.indices
        if indices.of(sid) is None and indices.loaded(sid) and self._entropy is not None:
            key = self._entropy.token_bytes(KEY_BYTES).hex()
            body = AdminBody(Event.SESSION_KEYED, _BY, sid, {"key": key})
            self._append(RecordKind.ADMIN, "" if is_of_server(sid) else sid, body)
        return indices.of(sid)

    def call(self, ref: str, action: Action, answers: Mapping[str, Json] = NO_ANSWERS) -> JudgedCall | None:
        """The call at `ref`, whose result adds to the index of its root session; None where none is kept."""
        sid = action.authority.links[0].sid
        index = self.index(sid) if self._current().flow else None
        if index is None:
            return None
        beside = self._memory.under_way.beside(ref, sid, self._current().catalog)
        server = self._memory.indices.of(name) if self._memory.indices.loaded(name := index_of(action.server)) else FULL
        return JudgedCall(ref, action, index, answers=answers, beside=beside, server=server)

    def entrust(self, action: Action, decision: Decision, sessions: Sequence[Session]) -> None:
        """What `action`, which `decision` permits, hands to its server is known there before its record is queued.

        Where its tool has a `store` that it writes to, labels follow what it stores instead. Raises `LedgerUnwritable`.
        """
        bundle = self._current()
        if action.kind is not ActionKind.CALL_TOOL or not bundle.flow or self._entropy is None:
            return
        reached = reached_of(decision)
        tool = reached.tool
        if tool is not None and (tool.effect is Effect.READ or (tool.store is not None and tool.store.writes)):
            return
        if not any("untrusted" in closed(session.labels) for session in sessions):
            return
        name, sid = index_of(action.server), action.authority.links[0].sid
        server = self.index(name)
        assert server is not None, "a server's index is in memory before its tools are called"  # noqa: S101
        answers = _answers(action)
        names = Names(None if tool is None else reached.arguments, reached.members)
        view = IndexView(self._memory.indices.of(sid), grounds(bundle, action))
        learnt = handover_delta(Handover(tool, {} if answers else action.input, answers, names), view, server, sid)
        if learnt:
            packed = b64encode(learnt.pack()).decode("ascii")
            data: dict[str, Json] = {"session": sid, "tool": action.name, "origins": packed}
            self._append(RecordKind.ADMIN, "", AdminBody(Event.SERVER_ENTRUSTED, _BY, name, data))


def _answers(action: Action) -> Mapping[str, Json]:
    """What the client of `action` answers in mid-call, by round."""
    if action.within is None:
        return NO_ANSWERS
    return {str(action.within.number): without_protocol_words(cast("Json", orjson.loads(action.within.responses)))}
