"""Checkpoints and keys in the forms of C2SP: `tlog-checkpoint` within `signed-note`, Ed25519 (type 0x01).

A checkpoint says of a log, by its *origin*, how many leaves its tree has and what its root is. Who may sign it is
a *verifier key*, one line: `<name>+<key id, 8 hex digits>+<base64 of 0x01 and the public key>`.
The text of a note counts only once a key that is trusted has signed it: `Note.signed_by` is what tells.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

NOTE_CHARS_MAX: Final = 16_384
SIGNATURES_MAX: Final = 32
_ED25519: Final = b"\1"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_ID_BYTES: Final = 4
_DASH: Final = "\u2014 "

CheckSignature: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Whether, by this public key, this signature is one of this message (RFC 8032)."""


class NoteWrong(ValueError):
    """Text that is no checkpoint, key or note; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A verifier key: whose notes it signs, and its 32 public bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of the hash over name, algorithm and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encoded(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """The key written as `text`. Raises `NoteWrong`."""
        name, _, rest = text.strip().partition("+")
        ident, _, encoded = rest.partition("+")
        data = _bytes(encoded, "the key")
        if len(data) != _KEY_BYTES + 1 or data[:1] != _ED25519:
            raise NoteWrong("it is no Ed25519 verifier key (they look like NAME+0123abcd+BASE64)")
        key = cls(_name(name), data[1:])
        if key.id.hex() != ident:
            raise NoteWrong(f"its key id is {key.id.hex()}, not {ident[:8]}")
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: `origin`, the number of leaves, the root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint written as `text`, lines of extensions passed over. Raises `NoteWrong`."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise NoteWrong("it has no origin, size and root, each on a line of its own")
        size = lines[1]
        if not (size.isascii() and size.isdigit()) or (size != "0" and size[0] == "0") or len(size) > 15:
            raise NoteWrong("its size is no number")
        root = _bytes(lines[2], "its root")
        if len(root) != _KEY_BYTES:
            raise NoteWrong("its root is no SHA-256 hash")
        return cls(lines[0], int(size), root)


@dataclass(frozen=True, slots=True)
class Note:
    """Signed text: `signatures` are name, key id and signature, as they came."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def __str__(self) -> str:
        lines = [f"{_DASH}{name} {encoded(ident + signature)}\n" for name, ident, signature in self.signatures]
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def parse(cls, data: str) -> "Note":
        """The note written as `data`. Raises `NoteWrong`."""
        if len(data) > NOTE_CHARS_MAX:
            raise NoteWrong(f"it is longer than {NOTE_CHARS_MAX} characters")
        if any(char < " " and char != "\n" for char in data):
            raise NoteWrong("it holds control characters")
        text, blank, after = data.rpartition("\n\n")
        if not blank or not text or not after.endswith("\n"):
            raise NoteWrong("it is no signed note: text, an empty line, signatures")
        lines = after[:-1].split("\n")
        if len(lines) > SIGNATURES_MAX:
            raise NoteWrong(f"it bears more than {SIGNATURES_MAX} signatures")
        return cls(text + "\n", tuple(_signature(line) for line in lines))

    def signed_by(self, keys: Sequence[Key], check: CheckSignature) -> Key | None:
        """The first of `keys` that signed it; None where none did.

        Raises `NoteWrong` where a signature bears the name and id of one of them and is not its.
        """
        signer: Key | None = None
        for name, ident, signature in self.signatures:
            for key in keys:
                if (key.name, key.id) != (name, ident):
                    continue
                if len(signature) != _SIGNATURE_BYTES or not check(key.public, signature, self.text.encode()):
                    raise NoteWrong(f"the signature of key {ident.hex()} is not that key's: it was forged or changed")
                signer = signer or key
        return signer


def encoded(data: bytes) -> str:
    """`data` as base64 (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def signed(checkpoint: Checkpoint, key: Key, sign: Callable[[bytes], bytes]) -> Note:
    """`checkpoint` signed with `sign`, the private half of `key`."""
    text = str(checkpoint)
    return Note(text, ((key.name, key.id, sign(text.encode())),))


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteWrong("one of its signature lines is none")
    data = _bytes(encoded, "a signature")
    if len(data) <= _ID_BYTES:
        raise NoteWrong("a signature is too short")
    return _name(name), data[:_ID_BYTES], data[_ID_BYTES:]


def _name(text: str) -> str:
    if not text or "+" in text or any(char.isspace() for char in text):
        raise NoteWrong("a key's name is empty, or holds a space or a plus sign")
    return text


def _bytes(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteWrong(f"{what} is not base64") from error
    if encoded(data) != text:
        raise NoteWrong(f"{what} is not base64 as it is written")
    return data
