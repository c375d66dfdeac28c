"""Checkpoints and erasing: whoever keeps what was signed and proved of the ledger, and checks it for himself.

Laws
* INVARIANT(checkpoint-is-true): it is over records that are on disk, as they are, and goes on from the one before; what
  has been on disk for a second is under one. What was proved once is proved by every later checkpoint, too.
* INVARIANT(erased-is-gone): what was erased on record cannot be read, after a crash neither; no byte of it is left in
  the file or its log, what is kept of it says nothing of what was asked or answered, and all proved of it still holds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.adapters.notary import verify_signature
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.adapters.sqlite.tiles import Tiles
from remit.facts.record import RecordKind, Ref
from remit.ports.transparency import NotErasable, Unprovable
from remit.trace.bodies import ActionBody, Event, OutcomeBody
from remit.trace.comparison import KeptCheckpoint
from remit.trace.encoding import decode_body
from remit.trace.erasure import frames
from remit.trace.note import Checkpoint, Key, Note, signed
from remit.trace.tree import ProofWrong, root_of
from remit.work import checkpoints
from remit.work.checkpoints import Checkpoints
from remit.work.erasure import Erasures
from tests.consistency import check_consistency
from tests.sim.laws import Law
from tests.sim.people import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from remit.pep.driver import Driver
    from remit.trace.proof import Proof
    from tests.sim.laws import Laws
    from tests.sim.life import Life
    from tests.sim.loop import Loop

BEHIND_S: Final = 1.0
DIES_SHARE: Final = 0.2
"""Of how many erasures the process ends in the midst."""
ROOTS_EACH: Final = 8
"""Of so many checkpoints one has its root counted out from all records."""


@dataclass(slots=True)
class Seal:
    """The one key that signs (`ports.transparency.Notary`). It outlives the process."""

    random: Random
    origin: str = ""
    _pair: Ed25519PrivateKey = field(init=False)
    _said: bool = False

    def __post_init__(self) -> None:
        self._pair = Ed25519PrivateKey.from_private_bytes(self.random.randbytes(32))

    @property
    def keys(self) -> Sequence[Key]:
        return (Key(self.origin, self._pair.public_key().public_bytes_raw()),)

    def sign(self, checkpoint: Checkpoint) -> Note:
        return signed(checkpoint, self.keys[0], self._pair.sign)

    def unannounced_keys(self) -> Sequence[Key]:
        return () if self._said else self.keys

    def note_announced(self, key: Key) -> None:
        self._said = True

    def rotate(self) -> Key:
        raise NotImplementedError("there is one key in a seed")


@dataclass(slots=True)
class Proofs(Law):
    """Whoever keeps checkpoints and proofs elsewhere, through all processes."""

    laws: Laws
    seal: Seal
    notes: list[Note] = field(default_factory=list[Note])
    proved: dict[str, Proof] = field(default_factory=dict[str, "Proof"])

    def begins(self) -> None:
        """What was signed before is still there, and what was erased is still gone."""
        for note in self.notes[-1:]:
            self._counted(_says(note))

    def signed(self, note: Note, known: int, took_s: float) -> None:
        """Take `note`, which was asked for `took_s` ago, when `known` records were on disk."""
        self.laws.witness.read()
        said, there = _says(note), len(self.laws.witness.leaves)
        if said.size > there:
            self.laws.break_("checkpoint-is-true", f"a checkpoint of {said.size} records while {there} are on disk")
        if said.size < known or took_s > BEHIND_S:
            text = f"{known} records on disk, and {took_s:.2f} s later a checkpoint of {said.size}"
            self.laws.break_("checkpoint-is-true", text)
        self.notes.append(note)
        self.laws.counts["checkpoints"] += 1
        if len(self.notes) % ROOTS_EACH == 0:
            self._counted(said)

    def follows(self, old: Note, path: Sequence[bytes], new: Note) -> None:
        """The log of `new` goes on from `old`, by the proof `path`."""
        before, after = _says(old), _says(new)
        try:
            check_consistency(before.size, before.root, after.size, after.root, path)
        except ProofWrong as error:
            self.laws.break_("checkpoint-is-true", f"{after.size} does not go on from {before.size}: {error}")

    def proves(self, ref: str, proof: Proof) -> None:
        """`proof` that the record `ref` is there holds, and so does what was proved of it before."""
        self.laws.counts["proofs"] += 1
        for one in (proof, self.proved.setdefault(ref, proof)):
            try:
                one.check(self.seal.keys, verify_signature)
            except ProofWrong as error:
                self.laws.break_("checkpoint-is-true", f"the proof of {ref} does not hold: {error}")
            if one.record != proof.record:
                self.laws.break_("checkpoint-is-true", f"{ref} is proved to be another record than before")

    def gone(self, path: Path) -> None:
        """What was erased on record cannot be read, in no byte of the ledger at `path`."""
        witness, files = self.laws.witness, (path, path.with_name(f"{path.name}-wal"))
        witness.read()
        data = b"".join(file.read_bytes() for file in files if file.exists())
        for _, body in witness.admins.values():
            for ref, kept in frames(body).items() if body.event is Event.LEDGER_ERASED else ():
                if witness.shows(ref):
                    self.laws.break_("erased-is-gone", f"{ref} was erased and is still there")
                if witness.salts.get(ref, b"no salt") in data:
                    self.laws.break_(
                        "erased-is-gone", f"{ref} was erased, and its bytes are left in the file or its log"
                    )
                if not _is_bare(kept, RecordKind.INTENT if ref in witness.by_ref else RecordKind.OUTCOME):
                    self.laws.break_("erased-is-gone", f"{ref} was erased, and what is kept of it says what it said")

    def kept(self) -> list[KeptCheckpoint]:
        """Some of what was signed, as those who kept it would hold it against the ledger."""
        some = [*self.notes[:: max(1, len(self.notes) // 4)], *self.notes[-1:]]
        return [KeptCheckpoint(f"kept of {_says(note).size}", note, _says(note)) for note in some]

    def _counted(self, said: Checkpoint) -> None:
        if root_of(self.laws.witness.leaves[: said.size]) != said.root:
            self.laws.break_("checkpoint-is-true", f"the checkpoint of {said.size} records is of other ones")


def _says(note: Note) -> Checkpoint:
    return Checkpoint.parse(note.text)


def _is_bare(kept: bytes, kind: RecordKind) -> bool:
    """Whether the frame `kept` says nothing of what was asked or answered."""
    body = decode_body(kind, kept)
    if isinstance(body, ActionBody):
        return (body.arguments, body.context, body.reasons, body.said) == (b"", {}, (), None)
    return isinstance(body, OutcomeBody) and (body.result, body.error) == (None, None)


class Bodies(SqliteBodies):
    """Those of a process that may end after it said that they go, and before they are gone: where it ends at all."""

    def __init__(self, life: Life, random: Random) -> None:
        super().__init__(life.path)
        self._life = life
        self._random = random

    def erase(self, refs: Iterable[Ref]) -> bool:
        if self._random.random() < DIES_SHARE and self._life.fate.ends_at:
            self._life.die("before what is erased on record is gone")
        return self._life.alive and super().erase(refs)


@dataclass(slots=True)
class Scribe:
    """One process' loop of checkpoints, and whoever proves and erases beside it."""

    random: Random
    law: Proofs
    driver: Driver
    ledger: SqliteLedger
    life: Life
    loop: Loop
    tell: Callable[[str], None]
    _checkpoints: Checkpoints = field(init=False)
    _erasures: Erasures = field(init=False)

    def __post_init__(self) -> None:
        self.law.seal.origin = self.ledger.origin
        record, clock = self.driver.authorization.record, Clock(self.loop.time)
        self._checkpoints = Checkpoints(Tiles(self.life.path), self.law.seal, self.ledger.origin, record, clock)
        self._erasures = Erasures(self.ledger, Bodies(self.life, self.random), self.driver.authorization.record)

    async def begin(self) -> None:
        """Finish what a crash left undone, before anything else."""
        await self._erasures.finish()
        self.law.gone(self.life.path)

    async def run(self) -> None:
        """Sign again and again; prove and erase now and then."""
        while True:
            witness, asked_s = self.law.laws.witness, self._ran_s()
            witness.read()
            known = len(witness.leaves)
            await asyncio.sleep(checkpoints.PERIOD_S)
            try:
                self.law.signed(await self._checkpoints.checkpoint(), known, self._ran_s() - asked_s)
                if self.random.random() < 0.2:
                    await self._prove()
            except (Unprovable, KeyError) as error:
                self.law.laws.break_("checkpoint-is-true", f"nothing is signed or proved: {error}")
            if self.random.random() < 0.1:
                await self._erase()

    async def end(self) -> None:
        """Sign once more what is there at last."""
        self.law.notes.append(await self._checkpoints.checkpoint())

    def _ran_s(self) -> float:
        """For how long the process ran: while it stands still it signs nothing."""
        return self.loop.time() - self.loop.stood_s

    async def _prove(self) -> None:
        refs = [*(self.law.proved if self.random.random() < 0.5 else self.law.laws.witness.by_ref)]
        if refs:
            ref = self.random.choice(refs)
            self.law.proves(ref, await self._checkpoints.prove(Ref.parse(ref), reveal=False))
        old = self.random.choice(self.law.notes)
        found = await self._checkpoints.since(_says(old).size)
        self.law.follows(old, found.path, found.note)

    async def _erase(self) -> None:
        ended = [ref for ref, one in self.law.laws.witness.by_ref.items() if one.ended]
        some = self.random.sample(ended, min(2, len(ended)))
        if not some:
            return
        self.tell(f"to be erased: {', '.join(some)}")
        try:
            await self._erasures.erase([Ref.parse(ref) for ref in some], "it was asked for", "ann")
        except NotErasable as error:
            self.tell(f"nothing is erased: {error}")
            return
        if self.life.alive:
            self.law.laws.counts["erased"] += len(some)
            self.law.gone(self.life.path)
