"""One task: a call that its server goes on with after its answer (`pep.tasks`)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.facts.canonical import Json
from remit.pep.answer import Answer
from remit.pep.notices import Recorded
from remit.pep.rounds import Under
from remit.ports.upstream import Question


@dataclass(slots=True)
class Task:
    """One of them: `ident` is the server's name of it, `said` the last that may be shown of it.

    `asked` is all that the server asked so far, `waiting` what of it the client may answer now. `end` is what ends
    the action, once; `kept_bytes` the size of a result that was shown.
    """

    under: Under
    ident: str
    said: Mapping[str, Json]
    recorded: Recorded
    timer: asyncio.TimerHandle | None = None
    asked: dict[str, Question] = field(default_factory=dict[str, Question])
    waiting: dict[str, Question] = field(default_factory=dict[str, Question])
    end: "asyncio.Task[Answer] | None" = None
    kept_bytes: int = 0

    @property
    def name(self) -> str:
        """Ours for it: the decision id of its action."""
        return self.under.attempt.ref
