"""What one connection to a server hears beside answers, and for whom each message is.

Laws: progress goes to the request whose token it names; what names no request goes to the one in
flight, and to nobody where that cannot be told; a question reaches only a call whose client may be
asked; everything else is a stray, counted and dropped.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from remit.adapters.upstreams.abandoned_calls import AbandonedCalls
from remit.adapters.upstreams.change_queue import Watch
from remit.adapters.upstreams.early_questions import EarlyQuestions
from remit.adapters.upstreams.frames import (
    METHOD_NOT_FOUND,
    UPSTREAM_TEXT_CHARS_MAX,
    Ident,
    Message,
    ident_of,
    members,
    refusal,
    response,
)
from remit.adapters.upstreams.replies import KEY_CHARS_MAX, QUESTIONS_MAX, question_of
from remit.adapters.upstreams.requests import LEVELS, QUESTIONS, SUBSCRIPTION_ID
from remit.adapters.upstreams.subscriptions import Subscriptions
from remit.facts.canonical import Json
from remit.facts.limits import INTEGER_MAX
from remit.ports.upstream import (
    ELICITATION_CHARS_MAX,
    NO_CONTEXT,
    ElicitationCompleted,
    ListChanged,
    Log,
    Offer,
    Progress,
    Question,
    ResourceUpdated,
    UpstreamContext,
)

LOG_BYTES_MAX: Final = 64 * 1024
"""Of what one log says: many of them may wait for a slow client, and be kept for one that comes back."""
NOT_OFFERED: Final = "remit does not offer this to servers"
OF_SEVERAL: Final = (
    "remit cannot tell which of several calls under way asks this; from now on it makes them one at a time: call again"
)
OF_CANCELLED: Final = "remit cannot tell whether a call that was cancelled before asks this: call again"
_TOOLS_CHANGED: Final = "notifications/tools/list_changed"
_COMPLETED: Final = "notifications/elicitation/complete"
_CHANGED: Final[Mapping[str, tuple[Offer, ...]]] = {
    _TOOLS_CHANGED: (Offer.TOOLS,),
    "notifications/resources/list_changed": (Offer.RESOURCES, Offer.TEMPLATES),
    "notifications/prompts/list_changed": (Offer.PROMPTS,),
}


class Ear:
    """One request in flight: its id once it left, and who is told of what comes with it.

    `aside`: a request of Remit's own, which nothing that names no request can belong to; so is the
    listening of a `watch`.
    """

    __slots__ = ("aside", "context", "ident", "inbox", "watch")

    def __init__(
        self, context: UpstreamContext = NO_CONTEXT, *, aside: bool = False, watch: Watch | None = None
    ) -> None:
        self.ident = 0
        self.context = context
        self.aside = aside or watch is not None
        self.watch = watch
        self.inbox: Inbox | None = None

    def progress(self, params: Message) -> bool:
        """Whether this was progress that somebody waits for."""
        at, total, message = _number(params.get("progress")), params.get("total"), params.get("message")
        if at is None or not isinstance(message, str | None):
            return False
        return self._tell(Progress(at, _number(total), _cut(message)))

    def log(self, params: Message) -> bool:
        """Whether this was a log of a level that somebody asked for."""
        level, logger, least = params.get("level"), params.get("logger"), self.context.log_level
        if not isinstance(level, str) or level not in LEVELS or least not in LEVELS:
            return False
        if LEVELS.index(level) < LEVELS.index(least):
            return False
        data = params.get("data")
        if not _is_small(data):
            return False
        return self._tell(Log(level, _cut(logger if isinstance(logger, str) else None), data))

    def _tell(self, notice: Progress | Log) -> bool:
        if self.context.hear is None:
            return False
        self.context.hear(notice)
        return True


class Inbox:
    """Questions asked within one call that is held open, by their keys; `arrived` is set while some wait."""

    def __init__(self, capabilities: Mapping[str, Json]) -> None:
        self.kinds = frozenset(method for method, name in QUESTIONS.items() if name in capabilities)
        self.waiting: dict[str, Question] = {}
        self.given: dict[str, Question] = {}
        self.idents: dict[str, Ident] = {}
        self.arrived = asyncio.Event()

    def put(self, ident: Ident, question: Question) -> bool:
        """Keep a question, whose id is none that is open; False where it may not be asked."""
        key = str(ident)
        if question.method not in self.kinds or len(self.idents) >= QUESTIONS_MAX or len(key) > KEY_CHARS_MAX:
            return False
        self.idents[key] = ident
        self.waiting[key] = question
        self.arrived.set()
        return True

    def take(self) -> Mapping[str, Question]:
        """Everything that waits; it is then with the client."""
        questions, self.waiting = self.waiting, {}
        self.given |= questions
        self.arrived.clear()
        return questions

    def withdraw(self, ident: Ident) -> bool:
        """The server no longer wants to know; whether it had asked."""
        key = str(ident)
        self.waiting.pop(key, None)
        self.given.pop(key, None)
        if not self.waiting:
            self.arrived.clear()
        return self.idents.pop(key, None) is not None


class Hearing:
    """`reply` sends an answer to the server, None where the wire has no way back.

    `crossed` once a question came that may have been of several calls; `turn` is what calls then wait for. `given_up`
    are those that were cancelled and may ask something yet.
    """

    def __init__(self, on_change: Callable[[], None], reply: Callable[[bytes], None] | None = None) -> None:
        self.open: dict[int, Ear] = {}
        self.watches: set[Watch] = set()
        self.subscribed = Subscriptions()
        self.listens: dict[int, Watch] = {}
        self.crossed = False
        self.turn = asyncio.Lock()
        self.given_up = AbandonedCalls()
        self.kept = EarlyQuestions(self.open, self._refuse)
        self._called = False
        self._on_change = on_change
        self._reply = reply

    @property
    def is_busy(self) -> bool:
        """Whether something is in flight or watched."""
        return bool(self.open or self.watches)

    def opened(self, ident: int, ear: Ear) -> None:
        """The request leaves."""
        ear.ident = ident
        self.open[ident] = ear
        self._called = self._called or ear.inbox is not None
        if self.kept and ear.inbox is None:
            self.kept.hurry(ident)
        if ear.watch is not None:
            self.listens[ident] = ear.watch

    def closed(self, ident: int) -> None:
        """It is over."""
        self.open.pop(ident, None)
        self.listens.pop(ident, None)

    def hear(self, message: Message, ident: int | None = None) -> bool:
        """Take one message that is no answer; whether somebody wanted it.

        `ident` is the request on whose own stream it came, None where the wire does not say.
        """
        question_id = ident_of(message)
        if question_id is not None:
            return self._on_request(message, question_id, ident)
        return self._on_notification(message.get("method"), members(message.get("params")), ident)

    def missed(self) -> None:
        """The server may have told of changes while nobody listened: of all that is watched."""
        for watch in self.watches:
            watch.anew()
        self._on_change()

    def lose(self, why: str) -> None:
        """Nothing is heard any more: every watch ends, and what the server was asked to tell of."""
        self.kept.take()
        self._called = False
        self.subscribed.lose()
        self.subscribed = Subscriptions()
        for watch in (*self.watches, *self.listens.values()):
            watch.lose(why)

    def _on_notification(self, method: Json, params: Message, ident: int | None) -> bool:
        match method:
            case "notifications/progress":
                token = params.get("progressToken")
                ear = self.open.get(token) if type(token) is int and ident in {None, token} else None
                return ear is not None and ear.progress(params)
            case "notifications/message":
                ear = self._listener_of(ident)
                return ear is not None and ear.log(params)
            case "notifications/cancelled":
                return self._on_cancelled(params.get("requestId"))
            case str():
                expected = self._on_change_notice(method, params, ident)
                if method == _TOOLS_CHANGED:
                    self._on_change()  # a reason to look again, whoever else waits for it
                return expected or method == _TOOLS_CHANGED
            case _:
                return False

    def _on_change_notice(self, method: str, params: Message, ident: int | None) -> bool:
        sub = members(params.get("_meta")).get(SUBSCRIPTION_ID)
        if sub is None and ident not in self.listens:
            watches = tuple(self.watches)
        else:
            watch = self.listens.get(sub) if type(sub) is int and ident in {None, sub} else None
            watches = () if watch is None else (watch,)
        expected = False
        for watch in watches:
            if method == "notifications/subscriptions/acknowledged":
                expected |= watch.acknowledged(members(params.get("notifications")))
            elif method == "notifications/resources/updated":
                uri = params.get("uri")
                expected |= isinstance(uri, str) and watch.put(ResourceUpdated(uri))
            elif method == _COMPLETED:
                elicitation = params.get("elicitationId")
                expected |= (
                    isinstance(elicitation, str)
                    and len(elicitation) <= ELICITATION_CHARS_MAX
                    and watch.put(ElicitationCompleted(elicitation))
                )
            else:
                for offer in _CHANGED.get(method, ()):
                    expected |= watch.put(ListChanged(offer))
        return expected

    def _on_request(self, message: Message, question_id: Ident, ident: int | None) -> bool:
        if self._reply is None:
            return False
        if message.get("method") == "ping":
            self._reply(response(question_id, {}))
            return True
        if any(ear.inbox is not None and str(question_id) in ear.inbox.idents for ear in self.open.values()):
            return False  # refusing it would answer the question of that id that is open
        question, inboxes = question_of(message), self._inboxes(ident)
        unsure = ident is None and self.given_up.some
        if len(inboxes) == 1 and question is not None and not unsure and inboxes[0].put(question_id, question):
            return True
        is_early = ident is None and not self._called
        if question is not None and is_early and self.kept.put(question_id, question, tuple(self.open)):
            return True
        why = NOT_OFFERED
        if question is not None and inboxes and question.method in inboxes[0].kinds:
            self.crossed |= len(inboxes) > 1
            why = OF_SEVERAL if len(inboxes) > 1 else OF_CANCELLED if unsure else NOT_OFFERED
        self._refuse(question_id, why)
        return False

    def _refuse(self, question_id: Ident, why: str = NOT_OFFERED) -> None:
        if self._reply is not None:
            self._reply(refusal(question_id, METHOD_NOT_FOUND, why))

    def refuse_all(self, inbox: Inbox) -> None:
        """Nobody answers what was put into `inbox`, and the server would wait for it."""
        for ident in inbox.idents.values():
            self._refuse(ident)
        inbox.idents.clear()

    def ask_kept(self, inbox: Inbox) -> bool:
        """Have the call of `inbox`, the only one there, asked what was asked before it; whether it is asked something.

        What it may not be asked is refused, and so is all of it where another call is under way.
        """
        alone = all(ear.inbox in {None, inbox} for ear in self.open.values())
        put = {ident: alone and inbox.put(ident, question) for ident, question in self.kept.take().items()}
        for ident in (ident for ident, is_put in put.items() if not is_put):
            self._refuse(ident)
        return any(put.values())

    def _on_cancelled(self, ident: Json) -> bool:
        """A question taken back, or a listening that a stdio server ends."""
        if type(ident) is int and (watch := self.listens.get(ident)) is not None:
            watch.lose("ended the subscription")
            return True
        if not isinstance(ident, int | str) or isinstance(ident, bool):
            return False
        if self.kept.withdraw(ident):
            return True
        return any(ear.inbox is not None and ear.inbox.withdraw(ident) for ear in self.open.values())

    def _listener_of(self, ident: int | None) -> Ear | None:
        """The request a message belongs to: whose stream it came on, or else the only one in flight."""
        if ident is not None:
            return self.open.get(ident)
        inside = [ear for ear in self.open.values() if not ear.aside]
        return inside[0] if len(inside) == 1 else None

    def _inboxes(self, ident: int | None) -> list[Inbox]:
        """Of the calls that a question may be of: whose stream it came on, or else all that may ask something."""
        ears = self.open.values() if ident is None else filter(None, [self.open.get(ident)])
        return [ear.inbox for ear in ears if ear.inbox is not None and not ear.aside]


def _number(value: Json) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return value if isinstance(value, float) or abs(value) <= INTEGER_MAX else None


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:UPSTREAM_TEXT_CHARS_MAX]


def _is_small(data: Json) -> bool:
    try:
        return len(orjson.dumps(data)) <= LOG_BYTES_MAX
    except (TypeError, ValueError):
        return False
