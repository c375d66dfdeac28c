"""The ledger's tree follows its records, and what it comes to is signed: at most a second behind.

Laws
* Nothing here is on an action's way: the tree is read from what was committed, in a thread.
* A key is named on the ledger before it signs, so that a copy of the ledger knows by itself who signs for it.
* Where tree, records and what was signed before do not agree, nothing more is signed: a log that signs two
  histories proves neither.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from remit.facts.record import Ref
from remit.ports.system import Clock
from remit.ports.transparency import Continuation, Notary, SigningProgress, TreeStore, Unprovable
from remit.trace.bodies import AdminBody, Event
from remit.trace.note import Checkpoint, Key, Note
from remit.trace.proof import Proof
from remit.trace.tree import Tree, consistency, inclusion, leaf_hash, root_by

PERIOD_S: Final = 0.4
_BY: Final = "the service"


class Checkpoints:
    """`ports.transparency.Transparency` for the log `origin`; `advance` again and again keeps it so."""

    def __init__(
        self,
        tree: TreeStore,
        notary: Notary,
        origin: str,
        record: Callable[[AdminBody], Awaitable[object]],
        clock: Clock,
    ) -> None:
        self._tree = tree
        self._notary = notary
        self._origin = origin
        self._record = record
        self._clock = clock
        self._signed: tuple[int, Note] | None = None
        self._covered = 0, clock.monotonic_s()
        self._last_error = ""
        self._turn = asyncio.Lock()

    def signed(self) -> SigningProgress:
        """How far signing is by now."""
        records, at_s = self._covered
        return SigningProgress(records, self._clock.monotonic_s() - at_s, self._last_error)

    async def advance(self) -> None:
        """Take in what is durable by now and sign it. What stands in its way is raised once, not at every turn."""
        try:
            await self.checkpoint()
        except Exception as error:
            if str(error) != self._last_error:
                self._last_error = str(error)
                raise
        else:
            self._last_error = ""

    async def checkpoint(self) -> Note:
        """See `ports.transparency.Transparency`."""
        async with self._turn:
            return (await self._checkpoint())[1]

    async def prove(self, ref: Ref, *, reveal: bool) -> Proof:
        """See `ports.transparency.Transparency`."""
        async with self._turn:
            tree, note = await self._checkpoint()
            return await asyncio.to_thread(proved, self._tree, tree.size, note, ref, reveal=reveal)

    async def since(self, old: int) -> Continuation:
        """See `ports.transparency.Transparency`."""
        async with self._turn:
            tree, note = await self._checkpoint()
            return await asyncio.to_thread(continued, self._tree, tree.size, note, old)

    async def rotate(self, by: str) -> Key:
        """See `ports.transparency.Transparency`."""
        async with self._turn:
            key = self._notary.rotate()
            await self._announce(key, by)
            self._signed = None
            return key

    async def _checkpoint(self) -> tuple[Tree, Note]:
        for key in self._notary.unannounced_keys():
            await self._announce(key, _BY)
        asked_s = self._clock.monotonic_s()
        tree = await asyncio.to_thread(self._tree.follow, save=True)
        if self._signed is not None and self._signed[0] == tree.size:
            note = self._signed[1]
        else:
            note = self._notary.sign(Checkpoint(self._origin, tree.size, tree.root()))
            self._signed = tree.size, note
            await asyncio.to_thread(self._tree.save, note)
        self._covered = tree.size, asked_s
        return tree, note

    async def _announce(self, key: Key, by: str) -> None:
        await self._record(AdminBody(Event.CHECKPOINT_KEY, by, key.id.hex(), {"key": str(key)}))
        self._notary.note_announced(key)


def proved(tree: TreeStore, size: int, note: Note, ref: Ref, *, reveal: bool) -> Proof:
    """That the record at `ref` is among the `size` of `note`. Raises `KeyError`, `Unprovable`."""
    leaf = tree.leaf(ref)
    if leaf is None:
        raise KeyError(str(ref))
    if leaf.index >= size:
        raise Unprovable(f"{ref} is not under a checkpoint yet: ask again in a second")
    if reveal and leaf.body is None:
        raise Unprovable(f"the body of {ref} was erased: only the record can be proved")
    path = inclusion(leaf.index, size, tree.read)
    if root_by(leaf_hash(leaf.record), leaf.index, size, path) != Checkpoint.parse(note.text).root:
        # A proof that proves nothing is worse than none: it is a stranger who would find out.
        raise Unprovable(
            f"the tree in the file does not lead from {ref} to the signed root: one of the two was changed"
        )
    opening = (leaf.salt, leaf.body) if reveal else (None, None)
    return Proof(leaf.index, tuple(path), note, leaf.record, *opening)


def continued(tree: TreeStore, size: int, note: Note, old: int) -> Continuation:
    """That the tree of `note`, of `size` leaves, goes on from its first `old`. Raises `Unprovable`."""
    if not 0 < old <= size:
        raise Unprovable(f"the ledger has {size} records under its checkpoint: it does not go on from {old}")
    return Continuation(old, tuple(consistency(old, size, tree.read)), note)
