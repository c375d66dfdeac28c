"""Whoever is told: the outbox and webhooks of the product, a network that loses and repeats, and receivers beyond it.

Laws
* INVARIANT(told-or-on-record): each approval was told to each channel of its routes, and each halt to the channel that
  is about halts; or it is on record, in the outbox, that it was not yet, or no more.
* INVARIANT(acts-once): whoever acts once for each id acts once for each thing he is told; the same id says the same.
* INVARIANT(notice-is-genuine): what arrives is signed with the secret of its channel, over its id, its time and its
  words, and is not older than a receiver believes.
* INVARIANT(notice-is-bare): no word leaves that an agent wrote, that a server said, or that is a secret.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import sqlite3
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import aiohttp

from remit.adapters.credentials.references import References
from remit.adapters.notifiers.webhook import PREFIX, Webhooks
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.adapters.sqlite.tail import LedgerTail
from remit.facts.record import RecordKind
from remit.ports.tail import TailFailed
from remit.trace.bodies import Event
from remit.work.bulletins import HOURLY_MAX
from remit.work.outbox import PERIOD_S, Notifying
from tests.sim.laws import Broken, Law
from tests.sim.life import OUTBOX
from tests.sim.office import ADDRESS
from tests.sim.realm import CHANNELS, DESK, TOLD_BY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from pathlib import Path
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from tests.sim.laws import Laws
    from tests.sim.life import Life

WAYS: Final = (
    *("takes",) * 6,
    "late",
    "hangs",
    "unheard",
    "refuses",
    "breaks",
    "fails",
    "redirects",
    "twice",
    "passes-on",
    "errs",
)
"""How the network and whoever is behind it answer a post."""
GIVES_UP_S: Final = 10.0
"""After so long without an answer a client of HTTP goes away."""
BELIEVED_S: Final = 60
"""How old a timestamp a receiver believes: Standard Webhooks leaves it to him."""
CALM_S: Final = 20.0
"""Between turns once nobody acts any more."""
OUTBOX_FAILS: Final = 0.02
OUTBOX_DIES: Final = 0.03
"""How often the process ends just after the outbox kept something, where it ends at all."""
PAGES: Final = "http://127.0.0.1:7070/a/"
SAID: Final = re.compile(
    rb"\b(?:n\d+|again|eve|zoe|stranger|to be sure|by (?:ann|bob|cat|dan)|mark\d+mark)\b|whsec_|" + ADDRESS.encode()
)
"""What agents write, what servers say, why people halt, and secrets: in a notice nothing of it has a place."""
_T = TypeVar("_T")


@dataclass(slots=True)
class Told(Law):
    """The receivers, who outlive the process, and the law of what they hear."""

    laws: Laws
    random: Random
    jumps: bool
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    """The environment of the service, by the name of the channel in capitals."""
    taken: set[str] = field(default_factory=set[str])
    """The ids of what a receiver, or somebody on its behalf, said that it has."""
    outbox: Path | None = None
    since: int | None = None
    """How many records there were when the ledger was first followed."""
    _heard: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _acted: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])
    _keys: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        for name in CHANNELS:
            self._keys[name.upper()] = PREFIX + base64.b64encode(self.random.randbytes(32)).decode()
        self.restore()

    def restore(self) -> None:
        """The service has all secrets."""
        self.secrets.update(self._keys)

    # --- what arrives

    def hears(self, channel: str, headers: Mapping[str, str], data: bytes, *, late: bool) -> bool:
        """A post reaches the receiver of `channel`, `late` where it lay about meanwhile: whether he believes it."""
        ident, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        key = base64.b64decode(self._keys[channel.upper()].removeprefix(PREFIX))
        signed = hmac.new(key, f"{ident}.{stamp}.".encode() + data, hashlib.sha256).digest()
        if headers["webhook-signature"] != f"v1,{base64.b64encode(signed).decode()}":
            self.laws.break_("notice-is-genuine", f"{ident} is not signed for {channel}")
        if abs(self.laws.clock.now_ms() // 1000 - int(stamp)) > BELIEVED_S:
            if not late and not self.jumps:
                self.laws.break_("notice-is-genuine", f"{ident} arrived with a time long gone, {stamp}")
            return False
        if found := SAID.search(data):
            self.laws.break_("notice-is-bare", f"{found[0].decode()!r} left by {channel}: {data.decode()}")
        self._acts(channel, ident, data)
        return True

    def _acts(self, channel: str, ident: str, data: bytes) -> None:
        self.laws.counts["notices"] += 1
        if ident in self._heard:
            self.laws.counts["repeated"] += 1
            if self._heard[ident] != data:
                self.laws.break_("acts-once", f"{ident} said {self._heard[ident].decode()}, and now {data.decode()}")
            return
        self._heard[ident] = data
        said = json.loads(data)
        what = (channel, said["type"], said["data"].get("id") or said["data"]["record"])
        if what in self._acted:
            self.laws.break_("acts-once", f"{what} was told as {self._acted[what]} and as {ident}")
        self._acted[what] = ident

    # --- what has to have been told

    def over(self) -> None:
        """All that opened, and all halts since the ledger was followed, were told or are kept to be told."""
        if self.outbox is None:
            return
        kept: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        with closing(sqlite3.connect(self.outbox)) as conn, suppress(sqlite3.OperationalError):
            for ident, about, channel, state in conn.execute("SELECT ident, approval, channel, state FROM notice"):
                kept[about, channel].append((ident, state))
        for ref, asked in self.laws.witness.asked.items():
            for channel in sorted({TOLD_BY[gate.route] for gate in asked.gates}):
                self._told(ref, channel, kept)
        halts = [
            (ref, body)
            for place, (ref, body) in self.laws.witness.admins.items()
            if body.event in {Event.HALT, Event.RESUME} and self.since is not None and place >= self.since
        ]
        often = Counter(body.subject for _, body in halts)
        for ref, body in halts:
            if often[body.subject] <= HOURLY_MAX:
                self._told(ref, DESK, kept)

    def _told(self, ref: str, channel: str, kept: Mapping[tuple[str, str], list[tuple[str, str]]]) -> None:
        found = kept.get((ref, channel), [])
        if not found:
            self.laws.break_("told-or-on-record", f"{channel} never heard of {ref}, and nothing says that it did not")
        for ident, state in found:
            if state == "said" and ident not in self.taken:
                self.laws.break_("told-or-on-record", f"{ident} counts as told, and nobody said that he has it")


class Kept(SqliteOutbox):
    """The outbox of a process that may end at each of its commits, and whose disk fails now and then."""

    def __init__(self, life: Life, random: Random, fails: Callable[[], float]) -> None:
        super().__init__(life.folder / OUTBOX)
        self._life = life
        self._random = random
        self._fails = fails
        self._closed = False
        life.opened.append(self.dismiss)

    async def close(self) -> None:
        """Release the file."""
        self._closed = True
        await super().close()

    def dismiss(self) -> None:
        """Its process is gone: so is what it had open."""
        if not self._closed and self._open is not None:
            self._closed = True
            self._thread.submit(self._open.close).result()
            self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        await self._life.at("before the outbox keeps something")
        if self._random.random() < self._fails():
            raise sqlite3.OperationalError("database or disk is full")
        changed = 0

        def counted(conn: sqlite3.Connection) -> _T:
            nonlocal changed
            before = conn.total_changes
            found = work(conn)
            changed = conn.total_changes - before
            return found

        found = await super()._run(counted)
        if changed and self._life.fate.ends_at and self._random.random() < OUTBOX_DIES:
            self._life.die("after the outbox kept something")
        await self._life.at("after the outbox kept something")
        return found


@dataclass(slots=True)
class Answered:
    """What comes back of a post."""

    status: int


@dataclass(slots=True)
class Wire:
    """The network, where an HTTP client's session stands. What a process sent arrives though it ends."""

    random: Random
    law: Told
    life: Life
    tell: Callable[[str], None]

    @asynccontextmanager
    async def post(self, url: str, *, data: bytes, headers: Mapping[str, str], **_: Any) -> AsyncGenerator[Answered]:
        """Post `data`, as aiohttp does: an answer, or one of its errors."""
        channel, ident = url.rpartition("/")[2], headers["webhook-id"]
        await self.life.at(f"{channel} is told")
        way = self.random.choice(WAYS)
        self.tell(f"{channel} is told {ident} and {way}")
        yield Answered(await self._by(way, channel, headers, data))
        await self.life.at(f"{channel} was told")

    async def _by(self, way: str, channel: str, headers: Mapping[str, str], data: bytes) -> int:
        match way:
            case "late":
                await asyncio.sleep(self.random.uniform(0.0, GIVES_UP_S))
            case "hangs":
                await asyncio.sleep(GIVES_UP_S)
                raise TimeoutError
            case "refuses":
                raise aiohttp.ClientConnectionError("connection refused")
            case "errs":
                raise RuntimeError("an adapter's own error")
            case "fails" | "redirects":
                await asyncio.sleep(self.random.uniform(0.0, 0.2))
                return 503 if way == "fails" else 302
            case "passes-on":
                # Whoever took it answers for it from here on.
                self.law.taken.add(headers["webhook-id"])
                self._later(channel, headers, data)
                return 202
            case _:
                await asyncio.sleep(self.random.uniform(0.0, 0.2))
        believed = self.law.hears(channel, headers, data, late=False)
        if way == "twice":
            self._later(channel, headers, data)
        if way == "unheard":
            await asyncio.sleep(GIVES_UP_S)
            raise TimeoutError
        if way == "breaks":
            raise aiohttp.ServerDisconnectedError
        if believed:
            self.law.taken.add(headers["webhook-id"])
        return 204 if believed else 400

    def _later(self, channel: str, headers: Mapping[str, str], data: bytes) -> None:
        """It arrives after others that were sent later, unless the whole machine ends before."""

        def arrives() -> None:
            with suppress(Broken):
                self.law.hears(channel, headers, data, late=True)

        asyncio.get_running_loop().call_later(self.random.uniform(0.0, 60.0), arrives)


@dataclass(slots=True)
class Teller:
    """One process' loop of notices."""

    random: Random
    law: Told
    ledger: SqliteLedger
    life: Life
    tell: Callable[[str], None]
    calm: bool = False
    """Whether nobody acts any more."""
    _kept: Kept = field(init=False)
    _notifying: Notifying = field(init=False)

    def __post_init__(self) -> None:
        laws = self.law.laws
        self._kept = Kept(self.life, self.random, lambda: 0.0 if self.calm else OUTBOX_FAILS)
        self.law.outbox = self.life.folder / OUTBOX
        wire = Wire(self.random, self.law, self.life, self.tell)
        said_by = Webhooks(cast("aiohttp.ClientSession", wire), References(self.law.secrets, laws.clock))
        tail = LedgerTail(self.life.path, (RecordKind.ADMIN,))
        running = lambda: laws.running.bundle.catalog  # noqa: E731
        self._notifying = Notifying(self.ledger, self._kept, said_by, running, laws.clock, PAGES, tail)

    async def run(self) -> None:
        """Tell, turn by turn; a turn that fails is followed by the next."""
        while True:
            await asyncio.sleep(CALM_S if self.calm else PERIOD_S)
            self._befalls()
            try:
                await self._notifying.turn()
            except (sqlite3.Error, TailFailed) as error:
                self.tell(f"a turn of telling fails: {error}")
                continue
            if self.law.since is None and self.life.alive:
                self.law.laws.witness.read()
                self.law.since = len(self.law.laws.witness.hashes)

    async def end(self) -> None:
        """Tell nobody any more."""
        await self._notifying.close()
        await self._kept.close()

    def _befalls(self) -> None:
        """Somebody takes the secret of a channel away, and brings it back."""
        name = self.random.choice(CHANNELS).upper()
        if self.calm or name not in self.law.secrets:
            self.law.restore()
        elif self.random.random() < 0.05:
            del self.law.secrets[name]
