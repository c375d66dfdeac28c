"""Discovery at work: what sources see is folded, reconciled, kept and told, by one thread that owns it all.

Laws
* Nothing here is on an action's way. The ledger is read after it was committed; telemetry waits while the thread is
  busy, agents taking turns (`work.telemetry_turns`), and is told to come again (503) where too much is waiting.
* The thread gives way every two milliseconds, so that enforcement does not wait for the interpreter.
* Level, not edge: what could not be written is written at the next turn; what a crash loses is seen again, but for
  telemetry of the last seconds, which was acknowledged. An end waits for nothing that could still come, and loses none
  of it. A change is kept, with what it changed, until somebody says that it was told (`told`).
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

from remit.discover.attribution import WAIT_MS, Attribution
from remit.discover.drift import candidate
from remit.discover.health import SourceState, failing, well
from remit.discover.identity import BundleRegistry
from remit.discover.inventory import InventoryChange
from remit.discover.ledger_sightings import pair_sightings
from remit.discover.limiter import SightingLimiter
from remit.discover.memory import NAMES, PENDING_CHANGES, changes_from, changes_text
from remit.discover.reconcile import GRACE_MS, Activity, Pair, PassageCounts, Reconciler
from remit.discover.sighting import Edge, Kind, Sighting, Subject, Verb
from remit.discover.spans import Span
from remit.discover.telemetry import Telemetry, source_of
from remit.facts.limits import DEFAULT, Limits
from remit.ports.sightings import Sightings
from remit.ports.source import SourceBatch, Trouble
from remit.ports.system import Clock
from remit.ports.telemetry import TelemetryExport, TelemetryRefused
from remit.work.telemetry_turns import Steps, TelemetryTurns

PERIOD_S: Final = 0.5
WAITING_MAX: Final = 64
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
AGENT_SHARE: Final = 4
"""One agent has a quarter of either at most."""
STEP_SPANS: Final = 1_024
"""After so many spans of one export others have their turn: a tenth of a second or so."""
TROUBLES_MAX: Final = 200
MARKED: Final = ("ledger", *NAMES)
CHANGES_MAX: Final = 5_000
CANDIDATES_MAX: Final = 20_000
"""Where more changes than `CHANGES_MAX` wait to be told, those that could be drift have room up to here."""
BREATHE_EVERY: Final = 64
_TURN_S: Final = 0.002
_PAUSE_S: Final = 0.0005
_T = TypeVar("_T")

Decode = Callable[[str, str, bytes], Iterable[Span]]
"""Content type, encoding and bytes of an export as spans; its `rejected` counts those left out.

Raises `TelemetryRefused`.
"""
Answer = Callable[[str, int, str], bytes]


class Discovery:
    """Owns the inventory. Its methods may be called on the loop alone; the work is done in its thread."""

    def __init__(
        self,
        store: Callable[[], Sightings],
        clock: Clock,
        decode: Decode,
        answer: Answer,
        limits: Limits = DEFAULT,
        refused: Callable[[str], None] = lambda _code: None,
    ) -> None:
        self._open = store
        self._clock = clock
        self._decode = decode
        self._answer = answer
        self._thread = ThreadPoolExecutor(1, "remit-discover")
        self._turns = TelemetryTurns(limits, clock, refused)
        self._waiting: list[TelemetryExport] = []
        self._since_s = 0.0
        self._dirty: set[Subject] = set()
        self._attribution = Attribution()
        self._marks: dict[str, str] = {}
        self._marked: dict[str, str] = {}
        self._known_as: dict[Subject, str] = {}
        self.changes: list[InventoryChange] = []
        self._telling: tuple[InventoryChange, ...] = ()
        self.troubles: OrderedDict[tuple[str, str], Trouble] = OrderedDict()
        self.counted = Counter[str]()
        self.known = BundleRegistry()
        self.states: dict[str, SourceState] = {}
        """How telemetry does, by its source (`source_of`)."""

    async def start(self) -> None:
        """Load what was kept."""
        await self.run(self._load)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do `work` in the thread that owns the inventory."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def receive(self, export: TelemetryExport) -> bytes:
        """Take one export in; what to answer. Raises `TelemetryRefused`."""
        if not _fits(export, self._waiting):
            raise _busy("too much telemetry is waiting")
        own = [one for one in self._waiting if one.agent == export.agent]
        if export.agent is not None and not _fits(export, own, AGENT_SHARE):
            # What an agent sends keeps nobody from hearing of what it does elsewhere.
            raise _busy(f"too much telemetry of {export.agent} is waiting")
        self._waiting.append(export)
        try:
            return await self._turns.work(export.agent, self._receive(export), self.run)
        finally:
            self._waiting.remove(export)

    async def take(self, source: str, batch: SourceBatch) -> None:
        """Take a batch of `source` in."""
        await self.run(lambda: self._take(source, batch))

    def mark(self, source: str) -> str:
        """How far `source` had read when it was last kept."""
        return self._marked.get(source, "")

    async def turn(self) -> tuple[InventoryChange, ...]:
        """Settle what has waited, keep what is new; what changed and was not `told` yet."""
        return await self.run(self._turn)

    async def told(self, memory: Mapping[str, str]) -> None:
        """The changes of the last turn were told; `memory` (`discover.memory`) is kept with that."""
        await self.run(lambda: self._keep(memory))

    @property
    def refused(self) -> Mapping[str, int]:
        """How many subjects and edges were too much, by source."""
        return self._admission.refused

    async def close(self) -> None:
        """Keep what is left and release the file."""
        await self.run(self._close)
        self._thread.shutdown()

    def _load(self) -> None:
        self._store = self._open()
        self.reload()

    def reload(self) -> None:
        """Take what was kept for all that is known, as a start does. In the thread."""
        self.inventory = self._store.load()
        self.reconciler = Reconciler(self._store.activity(), self._store.span_digests())
        self.reconciler.known_as = self._known_as
        self._marked = {name: self._store.mark(name) for name in MARKED}
        self._telling = tuple(changes_from(self._marked[PENDING_CHANGES]))
        for subject in self.inventory:
            self._learn(subject, self.inventory[subject].edges)
        self._admission = SightingLimiter(self.inventory)

    def _receive(self, sent: TelemetryExport) -> Steps[bytes]:
        now_ms = self._clock.now_ms()
        try:
            export = self._decode(sent.kind, sent.encoding, sent.body)
        except TelemetryRefused as error:
            name = source_of(sent.agent)
            before = self.states.get(name)
            self.states[name] = failing(name, f"{error.code}: {error}", before and before.at_ms)
            self._trouble(Trouble(error.code, name, str(error)))
            raise
        spans = self._paced(export)
        while step := list(islice(spans, STEP_SPANS)):
            telemetry = Telemetry(now_ms)
            telemetry.add(self._breathing(self._attribution.take(step, now_ms, sent.agent)))
            self._fold_telemetry(telemetry, now_ms)
            yield
        rejected: int = getattr(export, "rejected", 0)
        self.counted["spans.rejected"] += rejected
        self.states[source_of(sent.agent)] = well(
            source_of(sent.agent), now_ms, "the last export was taken in", rejected
        )
        why = (
            f"{rejected} spans have no valid ids, hold what is no span, or are too many for one request"
            if rejected
            else ""
        )
        return self._answer(sent.kind, rejected, why)

    def _paced(self, spans: Iterable[Span]) -> Iterator[Span]:
        for span in self._breathing(spans):
            self.counted["spans"] += 1
            yield span

    def _breathing(self, items: Iterable[_T]) -> Iterator[_T]:
        for number, item in enumerate(items):
            if number % BREATHE_EVERY == 0:
                self._breathe()
            yield item

    def _fold_telemetry(self, telemetry: Telemetry, now_ms: int) -> None:
        for sighting in self._breathing(telemetry.sightings()):
            self._fold(sighting)
        for call in self._breathing(telemetry.calls):
            self._paired(self.reconciler.take_call(call, now_ms))

    def _take(self, source: str, batch: SourceBatch) -> None:
        for sighting in self._breathing(batch.sightings):
            self._fold(sighting)
        for passage in batch.recalled:
            self._paired(self.reconciler.take_passage(passage, counted=False))
        for passage in batch.passages:
            self._paired(self.reconciler.take_passage(passage))
        for trouble in batch.troubles:
            self._trouble(trouble)
        if batch.mark:
            self._marks[source] = batch.mark

    def _paired(self, pair: Pair | None) -> None:
        for sighting in () if pair is None else pair_sightings(pair):
            self._fold(sighting)

    def _fold(self, sighting: Sighting) -> None:
        admitted = self._admission.admit(sighting)
        if admitted is None:
            return
        changes = self.inventory.take(admitted)
        self._learn(admitted.subject, admitted.edges)
        self._dirty.add(admitted.subject)
        self._dirty.update(edge.to for edge in admitted.edges if edge.to in self.inventory)
        for change in changes:
            waiting = len(self.changes) + len(self._telling)
            if waiting < CHANGES_MAX or (waiting < CANDIDATES_MAX and candidate(change, self.known.agents)):
                self.changes.append(change)
            else:
                self.counted["changes.untold"] += 1

    def _learn(self, subject: Subject, edges: Iterable[Edge]) -> None:
        """Which registered agent telemetry's name is, for what no trace tells."""
        for verb, to in edges:
            if verb is Verb.SAME and to.kind is Kind.AGENT and not to.space and subject.space:
                self._known_as[subject] = to.name

    def _trouble(self, trouble: Trouble) -> None:
        self.counted[trouble.code] += 1
        self.troubles[trouble.code, trouble.where] = trouble
        self.troubles.move_to_end((trouble.code, trouble.where))
        if len(self.troubles) > TROUBLES_MAX:
            self.troubles.popitem(last=False)

    def _turn(self, *, last: bool = False) -> tuple[InventoryChange, ...]:
        """`last`: nothing comes any more that something would wait for."""
        now_ms = self._clock.now_ms()
        telemetry = Telemetry(now_ms)
        telemetry.add(self._breathing(self._attribution.due(now_ms + (WAIT_MS if last else 0))))
        self._fold_telemetry(telemetry, now_ms)
        self.reconciler.due(now_ms + (GRACE_MS if last else 0))
        if self.changes:
            self._telling, self.changes = (*self._telling, *self.changes), []
            self._marks[PENDING_CHANGES] = changes_text(self._telling)
        self._save()
        return self._telling

    def _keep(self, memory: Mapping[str, str]) -> None:
        self._telling = ()
        self._marks.update({PENDING_CHANGES: "", **memory})
        self._save()

    def _save(self) -> None:
        reconciler = self.reconciler
        counts: Mapping[Activity, PassageCounts] = {
            key: reconciler.counts.get(key, PassageCounts()) for key in reconciler.changed
        }
        if not self._dirty and not counts and not self._marks and not reconciler.judged:
            return
        self._store.save(self.inventory, self._dirty, counts, self._marks, tuple(reconciler.judged))
        self._dirty, self._marks = set(), {}
        reconciler.changed = set()
        reconciler.judged.clear()

    def _close(self) -> None:
        self._turn(last=True)
        self._store.close()

    def _breathe(self) -> None:
        if self._clock.monotonic_s() - self._since_s >= _TURN_S:
            time.sleep(_PAUSE_S)
            self._since_s = self._clock.monotonic_s()


def _busy(why: str) -> TelemetryRefused:
    return TelemetryRefused("otlp/busy", f"{why}: send it again", status=503, retry_s=1)


def _fits(export: TelemetryExport, waiting: Sequence[TelemetryExport], share: int = 1) -> bool:
    """Whether there is room for `export` beside what is `waiting`, in one of so many shares."""
    size = len(export.body) + sum(len(one.body) for one in waiting)
    return len(waiting) * share < WAITING_MAX and size * share <= WAITING_BYTES_MAX
