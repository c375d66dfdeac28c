"""The origin indices of sessions in memory: read from the ledger on demand, forgotten when there are too many.

Laws
* One for each root session: all that is delegated from it adds to it and reads it (`protect.index`). And one for each
  server that was asked for anything, which stays (`protect.server_index`).
* It changes by the deltas of `pdp.fold` alone, as the ledger has them: read back, it is what it was. Where something
  that a server said was erased it is capped instead: nothing becomes more trusted by an erasure.
* What somebody holds, and what is on its way to disk, is not forgotten; of the rest the longest unused goes first.
INVARIANT(label-before-data): what a result adds is here in the step that queues its outcome.
"""

import asyncio
from base64 import b64decode
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from remit.ports.ledger import Ledger
from remit.protect.index import Delta, Index
from remit.protect.origins import words_delta
from remit.protect.server_index import ServerIndex, is_of_server
from remit.trace.bodies import AdminBody, Body, Event, ExchangeBody, OutcomeBody

TOKENS_MAX: Final = 1_000_000
"""How many tokens all indices of sessions in memory hold together, some 128 bytes each."""
INDICES_MAX: Final = 20_000
STATEMENTS_MAX: Final = 1_000
"""How often a harness may state its user's words in one session."""
WORDS_CHARS_MAX: Final = 1024 * 1024
"""How long all of these may be together."""


@dataclass(slots=True)
class _LoadedIndex:
    """An index, None before its key is drawn, and what the user said: how often, how many characters."""

    index: Index | None = None
    statements: int = 0
    chars: int = 0

    @property
    def size(self) -> int:
        """How many tokens it holds."""
        return 0 if self.index is None else len(self.index)

    def take(self, body: Body) -> None:
        """Add what a record says."""
        if self.index is None:
            return
        match body:
            case OutcomeBody(intent=call, origins=delta) | ExchangeBody(intent=call, origins=delta) if (
                delta is not None
            ):
                self.index.apply(Delta.unpack(call, b64decode(delta)))
            case AdminBody(event=Event.SERVER_ENTRUSTED, data={"session": str(sid), "origins": str(origins)}):
                self.index.apply(Delta.unpack(sid, b64decode(origins)))
            case AdminBody(data=data):
                text = data.get("text")
                if isinstance(text, str):
                    self.index.apply(words_delta(self.index, text))
                    self.statements += 1
                    self.chars += len(text)
            case _:
                pass


def _new_index(sid: str, key: bytes) -> Index:
    return ServerIndex(key) if is_of_server(sid) else Index(key)


class Indices:
    """Those of one service. `busy` says of a session that somebody holds it. Not thread-safe: on the event loop."""

    def __init__(self, ledger: Ledger, busy: Callable[[str], bool]) -> None:
        self._ledger = ledger
        self._busy = busy
        self._loaded: OrderedDict[str, _LoadedIndex] = OrderedDict()
        self._settling: Counter[str] = Counter()
        self._tokens = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._loaded)

    @property
    def tokens(self) -> int:
        """How many tokens those of sessions hold together."""
        return self._tokens

    async def load(self, sid: str, *, fresh: bool = False) -> None:
        """Have the index of root session `sid` in memory; a `fresh` one is not in the ledger yet."""
        if sid in self._loaded:
            self._loaded.move_to_end(sid)
            return
        loaded = _LoadedIndex()
        stored = None if fresh else await self._ledger.origins(sid)
        if sid in self._loaded:
            # Another caller loaded it meanwhile and moved on: his is newer.
            return
        if stored is not None:
            loaded.index = _new_index(sid, stored.key)
            for body in stored.bodies:
                loaded.take(body)
            if stored.erased:
                loaded.index.apply(Delta("", capped=True, prose=True))
        self._count(sid, loaded.size)
        self._loaded[sid] = loaded
        self._trim()

    def loaded(self, sid: str) -> bool:
        """Whether it is in memory, with a key or without."""
        return sid in self._loaded

    def of(self, sid: str) -> Index | None:
        """The index of `sid`; None while it has no key or is not in memory: then all its values are unseen."""
        loaded = self._loaded.get(sid)
        return None if loaded is None else loaded.index

    def words_size(self, sid: str) -> tuple[int, int]:
        """How often the user's words were stated in `sid`, and how many characters they are."""
        loaded = self._loaded.get(sid)
        return (0, 0) if loaded is None else (loaded.statements, loaded.chars)

    def key(self, sid: str, key: str | None) -> None:
        """`sid` has this key (hex) from now on, and a new index; None: neither any more."""
        loaded = self._loaded.get(sid)
        if loaded is not None:
            self._count(sid, -loaded.size)
            self._loaded[sid] = _LoadedIndex(None if key is None else _new_index(sid, bytes.fromhex(key)))

    def take(self, sid: str, body: Body) -> None:
        """Add what a record says, where the index is in memory."""
        loaded = self._loaded.get(sid)
        if loaded is not None and loaded.index is not None:
            before = loaded.size
            loaded.take(body)
            self._count(sid, loaded.size - before)
            if self._tokens > TOKENS_MAX:
                self._trim()

    def settles(self, sid: str, durable: Awaitable[object]) -> None:
        """A record that changes `sid` is on its way to disk."""
        if isinstance(durable, asyncio.Future):
            self._settling[sid] += 1
            durable.add_done_callback(lambda _: self._settled(sid))

    def forget(self, sid: str) -> None:
        """Drop what can be read back."""
        loaded = self._loaded.get(sid)
        if loaded is not None and not self._settling[sid]:
            self._count(sid, -loaded.size)
            del self._loaded[sid]

    def _count(self, sid: str, tokens: int) -> None:
        if not is_of_server(sid):
            self._tokens += tokens

    def _settled(self, sid: str) -> None:
        self._settling[sid] -= 1
        if not self._settling[sid]:
            del self._settling[sid]

    def _trim(self) -> None:
        for sid in tuple(self._loaded):
            if self._tokens <= TOKENS_MAX and len(self._loaded) <= INDICES_MAX:
                return
            if not (self._busy(sid) or is_of_server(sid)):
                self.forget(sid)
