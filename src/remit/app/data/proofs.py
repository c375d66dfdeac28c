"""What the commands prove of a data folder by themselves, beside a running service or without any."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from remit.adapters.keyring import KeyringUnusable
from remit.adapters.notary import FOLDER, FolderNotary
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.lock import holder
from remit.adapters.sqlite.tiles import Tiles, origin_of, stored_note
from remit.adapters.sqlite.verification import at_rest, open_current
from remit.adapters.system import SystemClock
from remit.app.settings import LEDGER
from remit.app.terminal.failure import CommandFailure, Exit
from remit.facts.record import Ref
from remit.ports.transparency import Unprovable
from remit.trace.chain import record_hash
from remit.trace.comparison import KeptCheckpoint
from remit.trace.note import NOTE_CHARS_MAX, Checkpoint, Key, Note, NoteWrong, encoded
from remit.trace.proof import FIRST_LINE, PROOF_CHARS_MAX, Proof
from remit.trace.tree import ProofWrong, range_hash
from remit.work.checkpoints import continued, proved

_CLOCK: Final = SystemClock()
FIRST_S: Final = 10.0
"""How long a service may take to its first signature; it begins once everything else of its start is done."""
_LOOK_S: Final = 0.1


class Offline:
    """The log of the ledger in the data folder `folder`. All raise `CommandFailure`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / LEDGER
        if not path.is_file():
            raise CommandFailure(
                "there is no ledger", why=f"no file {path}", next="name its folder with --data", exit=Exit.NOT_FOUND
            )
        try:
            self._origin, signed = _first_signed(path)
            self._tiles = Tiles(path, immutable=at_rest(path))
            self._tree = self._tiles.follow(save=False)
            self._signed = None if signed is None else Note.parse(signed)
        except LedgerRefused as error:
            raise CommandFailure(error.what, why=error.why, next=error.next) from error
        except (Unprovable, NoteWrong, ProofWrong, sqlite3.Error) as error:
            raise CommandFailure(
                "nothing can be proved of this ledger", why=str(error), next="remit ledger verify"
            ) from error

    def checkpoint(self) -> Note:
        """A checkpoint over every record: the last that was signed, where that is one, else signed now."""
        signed = self._signed
        if signed is not None and Checkpoint.parse(signed.text).size == self._tree.size:
            return signed
        return self._sign()

    def prove(self, text: str, *, reveal: bool) -> Proof:
        """That the record of a decision id, or of a receipt `ID:HASH`, is in the ledger."""
        ident, _, digest = text.partition(":")
        try:
            ref = Ref.parse(ident)
        except ValueError as error:
            raise CommandFailure(str(error), next="remit logs", exit=Exit.USAGE) from error
        try:
            note = self._note_over(ref)
            proof = proved(self._tiles, Checkpoint.parse(note.text).size, note, ref, reveal=reveal)
        except KeyError as error:
            why = "the ledger has no such record"
            raise CommandFailure(f"{ref} was not proved", why=why, next="remit logs", exit=Exit.NOT_FOUND) from error
        except (Unprovable, ProofWrong) as error:
            raise CommandFailure(f"{ref} was not proved", why=str(error), next="remit ledger verify") from error
        actual = record_hash(proof.record).hex()
        if digest and digest != actual:
            raise CommandFailure(
                f"{ref} is not the record of that receipt",
                why=f"it hashes to {actual[:16]}…, the receipt says {digest[:16]}…",
                next="remit ledger verify",
            )
        return proof

    def since(self, kept: KeptCheckpoint) -> dict[str, Any]:
        """That the ledger goes on from `kept`."""
        note, earlier = self.checkpoint(), kept.checkpoint
        try:
            continuation = continued(self._tiles, Checkpoint.parse(note.text).size, note, earlier.size)
            if range_hash(0, earlier.size, self._tiles.read) != earlier.root:
                raise Unprovable(
                    f"the first {earlier.size} records are not those it was signed of, by {earlier.origin}"
                )
        except (Unprovable, ProofWrong) as error:
            next = f"remit ledger verify --against {kept.name}"
            raise CommandFailure(f"it does not go on from {kept.name}", why=str(error), next=next) from error
        return {"size": continuation.old, "path": [encoded(one) for one in continuation.path]}

    def said(self, note: Note) -> dict[str, Any]:
        """What `note` says, and who signed it as far as this folder knows."""
        checkpoint = Checkpoint.parse(note.text)
        signers = {ident.hex() for _, ident, _ in note.signatures}
        files = sorted((self._folder / FOLDER).glob("*.vkey"))
        return {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": encoded(checkpoint.root),
            "checkpoint": str(note),
            "keys": [path.read_text("utf-8").strip() for path in files if path.stem in signers],
        }

    def _note_over(self, ref: Ref) -> Note:
        """The last checkpoint that was signed, where the record is under it, else one signed now."""
        leaf = self._tiles.leaf(ref)
        if self._signed is not None and leaf is not None and leaf.index < Checkpoint.parse(self._signed.text).size:
            return self._signed
        return self.checkpoint()

    def _sign(self) -> Note:
        try:
            notary = FolderNotary(self._folder / FOLDER, _CLOCK, self._origin, make=False)
        except (KeyringUnusable, OSError) as error:
            raise CommandFailure(
                "the checkpoint was not signed",
                why=str(error),
                next="remit up on this data folder, which makes a key and names it on the ledger",
                exit=Exit.NOT_FOUND,
            ) from error
        if notary.unannounced_keys():
            raise CommandFailure(
                "the checkpoint was not signed",
                why=f"the ledger does not name the key {notary.unannounced_keys()[0].id.hex()} yet",
                next="remit up on this data folder, which names it",
            )
        return notary.sign(Checkpoint(self._origin, self._tree.size, self._tree.root()))


def _first_signed(path: Path) -> tuple[str, str | None]:
    """The name of the log at `path` and the last checkpoint of it; that of a service that starts is waited for.

    Raises `LedgerRefused`, `sqlite3.Error`.
    """
    until_s = _CLOCK.monotonic_s() + FIRST_S
    while True:
        with closing(open_current(path)) as conn:
            origin, signed = origin_of(conn), stored_note(conn)
        if signed is not None or holder(path.parent) is None or _CLOCK.monotonic_s() > until_s:
            return origin, signed
        time.sleep(_LOOK_S)


def kept_in(path: Path) -> KeptCheckpoint:
    """The checkpoint in the file at `path`, or that of the proof in it. Raises `CommandFailure`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read(PROOF_CHARS_MAX + 1)
        note = Proof.parse(text).note if text.startswith(FIRST_LINE) else Note.parse(text[: NOTE_CHARS_MAX + 1])
        return KeptCheckpoint(path.name, note, Checkpoint.parse(note.text))
    except OSError as error:
        raise CommandFailure(
            f"{path} was not read",
            why=error.strerror or str(error),
            next="name a file that remit ledger checkpoint wrote",
            exit=Exit.NOT_FOUND,
        ) from error
    except (ValueError, ProofWrong) as error:
        raise CommandFailure(
            f"{path} is no checkpoint", why=str(error), next="remit ledger checkpoint --to FILE", exit=Exit.INVALID
        ) from error


def keys_of(texts: Sequence[str]) -> Sequence[Key]:
    """Verifier keys as given: each one itself, or a file that holds it. Raises `CommandFailure`."""
    return [_key(text) for text in texts]


def _key(text: str) -> Key:
    path = Path(text)
    try:
        return Key.parse(path.read_text("utf-8") if path.is_file() else text)
    except (OSError, ValueError) as error:
        raise CommandFailure(
            f"not a verifier key: {text[:80]}",
            why=str(error),
            next="remit ledger checkpoint, which names it",
            exit=Exit.NOT_FOUND if isinstance(error, OSError) else Exit.INVALID,
        ) from error
