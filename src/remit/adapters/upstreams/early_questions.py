"""Roots that a server asks for before any call is under way: the next call of its session is asked for them.

Many servers want to know them as soon as a session is open, which is when clients read lists; they take no call's
answer for it, and go by what they were started with until they know. A server that answers nothing before must not
hang for that: a request of Remit's own that is not answered within `PATIENCE_S` has what is kept refused.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

from remit.adapters.upstreams.frames import Ident
from remit.ports.upstream import Question

KEPT: Final = "roots/list"
KEPT_MAX: Final = 8
PATIENCE_S: Final = 1.0


class EarlyQuestions:
    """Those of one connection; `open_now` has the ids of requests that wait, `refuse` tells the server no."""

    def __init__(self, open_now: Container[int], refuse: Callable[[Ident], None]) -> None:
        self._open = open_now
        self._refuse = refuse
        self._kept: dict[Ident, Question] = {}

    def __bool__(self) -> bool:
        """Whether there are some."""
        return bool(self._kept)

    def put(self, ident: Ident, question: Question, waiting: Iterable[int]) -> bool:
        """Keep `question`, while the requests `waiting` may hang on it; False where it cannot be kept."""
        if question.method != KEPT or ident in self._kept or len(self._kept) >= KEPT_MAX:
            return False
        self._kept[ident] = question
        for request in waiting:
            self.hurry(request)
        return True

    def hurry(self, request: int) -> None:
        """Refuse what is kept once the request has waited too long."""
        asyncio.get_running_loop().call_later(PATIENCE_S, self._hurried, request)

    def take(self) -> Mapping[Ident, Question]:
        """All of them: they are asked now, or refused."""
        questions, self._kept = self._kept, {}
        return questions

    def withdraw(self, ident: Ident) -> bool:
        """The server no longer wants to know; whether it had asked."""
        return self._kept.pop(ident, None) is not None

    def _hurried(self, request: int) -> None:
        if request in self._open:
            for ident in self.take():
                self._refuse(ident)
