"""A proof that a record is in the ledger, in the form of C2SP `tlog-proof`, to be checked by a stranger offline.

The `extra` data, which that form leaves to us, is a JSON object of what the leaf is made from: `record`, its bytes
as stored (they are JSON text, given as a string), and where it is to be shown what happened, `salt` (hex) and
`body` (its bytes as stored, a string). The record's last member is `sha256(salt || body)`; its leaf is
`sha256(0x00 || record)`; nothing of it is believed before the path from that leaf led to the signed root.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from remit.facts.record import Record
from remit.trace.chain import SALT_BYTES, commitment
from remit.trace.encoding import decode_record
from remit.trace.members import Undecodable
from remit.trace.note import Checkpoint, CheckSignature, Key, Note, NoteWrong, encoded
from remit.trace.tree import ProofWrong, leaf_hash, root_by

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
PROOF_CHARS_MAX: Final = 16 * 1024 * 1024
_PATH_MAX: Final = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """That `record` is leaf `index` of the tree of `note`; `salt` and `body` where they are shown."""

    index: int
    path: tuple[bytes, ...]
    note: Note
    record: bytes
    salt: bytes | None = None
    body: bytes | None = None

    def __str__(self) -> str:
        extra: dict[str, str] = {"record": self.record.decode()}
        if self.salt is not None and self.body is not None:
            extra |= {"salt": self.salt.hex(), "body": self.body.decode()}
        lines = [
            FIRST_LINE,
            f"extra {encoded(json.dumps(extra, ensure_ascii=False).encode())}",
            f"index {self.index}",
            *(encoded(sibling) for sibling in self.path),
        ]
        return "\n".join(lines) + f"\n\n{self.note}"

    @classmethod
    def parse(cls, data: str) -> "Proof":
        """The proof written as `data`. Raises `ProofWrong`."""
        if len(data) > PROOF_CHARS_MAX:
            raise ProofWrong(f"it is longer than {PROOF_CHARS_MAX} characters")
        head, blank, rest = data.partition("\n\n")
        first, *lines = head.split("\n")
        if first != FIRST_LINE or not blank:
            raise ProofWrong(f"it does not begin with {FIRST_LINE}")
        if len(lines) < 2 or not lines[0].startswith("extra ") or not lines[1].startswith("index "):
            raise ProofWrong("it does not say what its leaf is made from, and where that stands")
        index = lines[1].removeprefix("index ")
        if not (index.isascii() and index.isdigit()) or len(index) > 15 or len(lines) > _PATH_MAX + 2:
            raise ProofWrong("its index is no number, or its path too long")
        record, salt, body = _extra(_bytes(lines[0].removeprefix("extra ")))
        try:
            note = Note.parse(rest)
        except NoteWrong as error:
            raise ProofWrong(f"its checkpoint: {error}") from error
        return cls(int(index), tuple(_bytes(line) for line in lines[2:]), note, record, salt, body)

    def check(self, keys: Sequence[Key], verified: CheckSignature) -> tuple[Checkpoint, Record]:
        """What it proves: that this record is in the log, and what the log's checkpoint says. Raises `ProofWrong`."""
        try:
            checkpoint = Checkpoint.parse(self.note.text)
            if self.note.signed_by(keys, verified) is None:
                raise ProofWrong("none of the keys that are trusted signed its checkpoint")
            record = decode_record(self.record)
        except (NoteWrong, Undecodable) as error:
            raise ProofWrong(str(error)) from error
        if root_by(leaf_hash(self.record), self.index, checkpoint.size, self.path) != checkpoint.root:
            raise ProofWrong("its path does not lead to the signed root: the record or the path was changed")
        if self.body is not None and commitment(self.salt or b"", self.body) != record.commitment:
            raise ProofWrong("the body is not the one that the record commits to")
        return checkpoint, record


def _extra(data: bytes) -> tuple[bytes, bytes | None, bytes | None]:
    try:
        value: object = json.loads(data)
    except ValueError as error:
        raise ProofWrong("what its leaf is made from is not JSON") from error
    members = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    record, salt, body = members.get("record"), members.get("salt"), members.get("body")
    if not isinstance(record, str):
        raise ProofWrong("it holds no record")
    if salt is None and body is None:
        return record.encode(), None, None
    if not isinstance(salt, str) or not isinstance(body, str):
        raise ProofWrong("it holds a salt or a body alone")
    try:
        salted = bytes.fromhex(salt)
    except ValueError as error:
        raise ProofWrong("its salt is not hex") from error
    if len(salted) != SALT_BYTES:
        raise ProofWrong(f"its salt has not {SALT_BYTES} bytes")
    return record.encode(), salted, body.encode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofWrong("one of its lines is not base64") from error
