"""Questions to a client of the 2025 eras: requests on the stream of its call, answered by POSTs of their own.

Laws
* A response goes to the question of its id on its own connection, once. To an id that was asked here before
  it is late and ignored; to one that never was it is refused.
* A question waits so long and no longer, and no longer than somebody is there to answer it; what was not answered by
  then counts as declined.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from enum import Enum, auto
from typing import Any, Final

import orjson

from remit.facts.canonical import Json
from remit.pep.mcp.rpc import Ident
from remit.ports.upstream import Question

PREFIX: Final = "remit-"
PENDING_MAX: Final = 64
"""Questions open on one connection; what is asked beyond them counts as declined."""
MARGIN_S: Final = 5.0
"""How long before its round expires a question is given up, so that the server still hears of it."""


class ResponseFate(Enum):
    """What became of a response."""

    TAKEN = auto()
    LATE = auto()
    UNASKED = auto()


class ClientRequests:
    """The open questions of one connection."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[str, asyncio.Future[Json]] = {}

    def answer(self, ident: Ident, result: Mapping[str, Json] | None) -> ResponseFate:
        """Take the client's response to `ident`; None for an error."""
        if not isinstance(ident, str) or not ident.startswith(PREFIX):
            return ResponseFate.UNASKED
        waiting = self._open.pop(ident, None)
        if waiting is None:
            number = ident.removeprefix(PREFIX)
            was_asked = number.isascii() and number.isdigit() and len(number) < 16 and 0 < int(number) <= self._count
            return ResponseFate.LATE if was_asked else ResponseFate.UNASKED
        if not waiting.done():
            waiting.set_result(result)
        return ResponseFate.TAKEN

    async def ask(
        self,
        questions: Mapping[str, Question],
        say: Callable[[bytes], Awaitable[None]],
        wait_s: float,
        over: "asyncio.Future[None]",
        abandoned: Coroutine[Any, Any, None],
    ) -> Mapping[str, Json]:
        """The client's results by the questions' keys; None for what it did not answer within `wait_s`.

        Once `over` is done its answers are of no use: the questions are withdrawn. Nobody waits for them any more once
        `abandoned` returns.
        """
        pending: dict[str, tuple[str, asyncio.Future[Json]]] = {}
        abandonment = asyncio.get_running_loop().create_task(abandoned)
        try:
            for key, question in questions.items():
                if len(self._open) >= PENDING_MAX:
                    break
                ident, waiting = self._opened()
                pending[key] = (ident, waiting)
                await say(_written(ident, question))
            for end in (over, abandonment):
                end.add_done_callback(lambda _: _withdraw(pending.values()))
            if pending:
                await asyncio.wait([waiting for _, waiting in pending.values()], timeout=max(wait_s, 0.0))
            if over.done():
                for ident, _ in pending.values():
                    await say(_withdrawn(ident))
            return {key: future.result() if future.done() else None for key, (_, future) in pending.items()}
        finally:
            abandonment.cancel()
            for ident, _ in pending.values():
                self._open.pop(ident, None)

    def _opened(self) -> "tuple[str, asyncio.Future[Json]]":
        self._count += 1
        ident = f"{PREFIX}{self._count}"
        waiting = self._open[ident] = asyncio.get_running_loop().create_future()
        return ident, waiting


def _withdraw(pending: "Iterable[tuple[str, asyncio.Future[Json]]]") -> None:
    for _, waiting in pending:
        if not waiting.done():
            waiting.set_result(None)


def _withdrawn(ident: str) -> bytes:
    params: dict[str, Json] = {"requestId": ident, "reason": "the call that asked was stopped"}
    return orjson.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


def _written(ident: str, question: Question) -> bytes:
    message: dict[str, Json] = {"jsonrpc": "2.0", "id": ident, "method": question.method}
    if question.params:
        message["params"] = question.params
    return orjson.dumps(message)
