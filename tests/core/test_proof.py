"""Checkpoints, keys and proofs in the forms of C2SP: written, read, checked, and refused by name."""

import re
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from remit.facts.record import Record, RecordKind
from remit.trace.chain import commitment
from remit.trace.encoding import encode_record
from remit.trace.note import Checkpoint, Key, Note, NoteWrong, signed
from remit.trace.proof import Proof
from remit.trace.tree import ProofWrong, Tree, inclusion, leaf_hash
from tests.core.test_tree import defined, leaves_of

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Key("remit.example/log", PRIVATE.public_key().public_bytes_raw())
OTHER = Key("remit.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw())


def verified(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


# A key, and a note that it signed, as golang.org/x/mod/sumdb/note documents them.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_notes_are_those_of_the_specification() -> None:
    key = Key.parse(GO_KEY)
    note = Note.parse(GO_NOTE)
    assert (str(key), str(note)) == (GO_KEY, GO_NOTE)
    assert note.signed_by([KEY, key], verified) == key
    changed = replace(note, text=note.text.replace("answer", "question"))
    with pytest.raises(NoteWrong, match="c74f20a3 is not that key's"):
        changed.signed_by([key], verified)
    assert changed.signed_by([KEY], verified) is None


def test_a_checkpoint_is_written_signed_and_read() -> None:
    checkpoint = Checkpoint(KEY.name, 3, defined(leaves_of(3)))
    note = signed(checkpoint, KEY, PRIVATE.sign)
    again = Note.parse(str(note))
    assert again == note
    assert Checkpoint.parse(again.text) == checkpoint
    assert again.signed_by([OTHER, KEY], verified) == KEY
    assert again.signed_by([OTHER], verified) is None
    assert Checkpoint.parse(f"{checkpoint}an extension\n") == checkpoint
    witnessed = replace(note, signatures=(("witness", b"0123", b"signature"), *note.signatures, *note.signatures))
    assert witnessed.signed_by([KEY], verified) == KEY
    short = replace(note, signatures=((KEY.name, KEY.id, b"short"),))
    with pytest.raises(NoteWrong, match="not that key's"):
        short.signed_by([KEY], verified)


ROOT = "A" * 43 + "="


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("log\n1\n", "each on a line"),
        (f"log\n1\n{ROOT}", "each on a line"),
        (f"\n1\n{ROOT}\n", "each on a line"),
        (f"log\n01\n{ROOT}\n", "no number"),
        (f"log\n-1\n{ROOT}\n", "no number"),
        (f"log\n\u0661\n{ROOT}\n", "no number"),
        (f"log\n{'9' * 16}\n{ROOT}\n", "no number"),
        ("log\n1\n!\n", "not base64"),
        (f"log\n1\n{'A' * 42}B=\n", "as it is written"),
        ("log\n1\nAAAA\n", "no SHA-256"),
    ],
)
def test_what_is_no_checkpoint_says_why(text: str, why: str) -> None:
    with pytest.raises(NoteWrong, match=why):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no signature\n", "no signed note"),
        ("\n\n\u2014 a AAAAAAAA\n", "no signed note"),
        ("text\n\n\u2014 a AAAAAAAA", "no signed note"),
        ("te\txt\n\n\u2014 a AAAAAAAA\n", "control"),
        ("text\n\n- a AAAAAAAA\n", "signature lines"),
        ("text\n\n\u2014 aAAAAAAAA\n", "signature lines"),
        ("text\n\n\u2014 a ????\n", "not base64"),
        ("text\n\n\u2014 a AAAAAA==\n", "too short"),
        ("text\n\n\u2014 a+b AAAAAAAA\n", "name is empty"),
        ("text\n\n" + "\u2014 a AAAAAAAA\n" * 33, "more than 32"),
        ("x" * 16_385, "longer than"),
    ],
)
def test_what_is_no_note_says_why(text: str, why: str) -> None:
    with pytest.raises(NoteWrong, match=why):
        Note.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name", "no Ed25519 verifier key"),
        (f"name+00000000+{'A' * 43}=", "no Ed25519 verifier key"),
        (GO_KEY.replace("c74f", "c74e"), "its key id is c74f20a3"),
        (GO_KEY.replace("PeterNeumann", ""), "name is empty"),
        (GO_KEY.replace("PeterNeumann", "Peter Neumann"), "name is empty"),
    ],
)
def test_what_is_no_key_says_why(text: str, why: str) -> None:
    with pytest.raises(NoteWrong, match=re.escape(why)):
        Key.parse(text)


SALT, BODY = b"0123456789abcdef", '["a body", "mit Umlaut \u00fc"]'.encode()
RECORD = encode_record(Record("r0102-1", 2, "0" * 64, RecordKind.INTENT, 5, "sha256:b", "s1", commitment(SALT, BODY)))


def proof_of(records: list[bytes], index: int) -> Proof:
    tree = Tree()
    hashes = [leaf_hash(record) for record in records]
    tree.add(hashes)
    note = signed(Checkpoint(KEY.name, tree.size, tree.root()), KEY, PRIVATE.sign)
    path = inclusion(index, tree.size, lambda _level, _number: b"".join(hashes))
    return Proof(index, tuple(path), note, records[index], SALT, BODY)


PROOF = proof_of([b"one", RECORD, b"three"], 1)


def test_a_proof_is_written_read_and_checked() -> None:
    again = Proof.parse(str(PROOF))
    assert again == PROOF
    checkpoint, record = again.check([KEY], verified)
    assert (checkpoint.size, record.seq) == (3, 2)
    bare = Proof.parse(str(replace(PROOF, salt=None, body=None)))
    assert bare.body is None
    bare.check([KEY], verified)
    assert Proof.parse(str(proof_of([RECORD], 0))).check([KEY], verified)[0].size == 1


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(PROOF, record=RECORD.replace(b"r0102-1", b"r0102-2")), "does not lead to the signed root"),
        (replace(PROOF, path=PROOF.path[::-1]), "does not lead to the signed root"),
        (replace(PROOF, body=b"[]"), "commits to"),
        (replace(PROOF, salt=None), "commits to"),
        (replace(PROOF, record=b"[]"), "members"),
        (replace(PROOF, note=replace(PROOF.note, text=PROOF.note.text.replace("3", "4"))), "not that key's"),
        (replace(PROOF, note=replace(PROOF.note, text="text\n")), "origin, size and root"),
    ],
)
def test_a_changed_proof_proves_nothing(changed: Proof, why: str) -> None:
    with pytest.raises(ProofWrong, match=why):
        changed.check([KEY], verified)


def test_a_proof_by_a_key_that_is_not_trusted_proves_nothing() -> None:
    with pytest.raises(ProofWrong, match="none of the keys"):
        PROOF.check([OTHER], verified)


LINES = str(PROOF).split("\n")


def with_line(number: int, line: str) -> str:
    return "\n".join([*LINES[:number], line, *LINES[number + 1 :]])


NO_PROOFS = {
    "empty": ("", "does not begin"),
    "version": (with_line(0, "c2sp.org/tlog-proof@v2"), "does not begin"),
    "no-extra": (with_line(1, "index 1"), "made from"),
    "no-index": (with_line(2, "AAAA"), "made from"),
    "index": (with_line(2, "index one"), "no number"),
    "base64": (with_line(1, "extra ?"), "not base64"),
    "no-record": (with_line(1, "extra e30="), "no record"),
    "no-object": (with_line(1, "extra W10="), "no record"),
    "json": (with_line(1, "extra AAAA"), "not JSON"),
    "salt-alone": (with_line(1, "extra eyJyZWNvcmQiOiJ4Iiwic2FsdCI6IjAwIn0="), "salt or a body alone"),
    "salt-short": (with_line(1, "extra eyJyZWNvcmQiOiJ4Iiwic2FsdCI6IjAwIiwiYm9keSI6IngifQ=="), "16 bytes"),
    "salt": (with_line(1, "extra eyJyZWNvcmQiOiJ4Iiwic2FsdCI6Inh4IiwiYm9keSI6IngifQ=="), "not hex"),
    "unsigned": ("\n".join(LINES[:-3]) + "\n", "its checkpoint"),
    "long": ("x" * (16 * 1024 * 1024 + 1), "longer than"),
}


@pytest.mark.parametrize("name", NO_PROOFS)
def test_what_is_no_proof_says_why(name: str) -> None:
    text, why = NO_PROOFS[name]
    with pytest.raises(ProofWrong, match=why):
        Proof.parse(text)
