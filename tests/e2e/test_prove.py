"""What happened, proved to a stranger: by the commands, by the API, and by a script of the standard library alone."""

import asyncio
import base64
import json
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proof.counting import Counting, call
from remit.adapters.notary import verify_signature
from remit.adapters.sqlite import open_ledger
from remit.adapters.system import SystemClock, SystemEntropy
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.trace.note import Checkpoint, Key, Note
from remit.trace.proof import Proof
from remit.work.checkpoints import PERIOD_S
from tests.consistency import check_consistency
from tests.eventually import WITHIN_S, awaited

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_proof.py"


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("prove"), hold_s=0.1) as running:
        act(running, "first")
        # In its first second a service has signed nothing yet.
        awaited(lambda: signed(running)[0])
        yield running


def act(counting: Counting, ident: str) -> dict[str, Any]:
    """One call; the record of its intent."""
    agent = counting.service.agent("clerk", "ana")
    asyncio.run(call(counting.service, agent, "add", {"id": ident}))
    items = ask(counting, "/ledger/entries?latest=10")["items"]
    return next(item for item in reversed(items) if item["kind"] == "intent")


def ask(counting: Counting, path: str, data: bytes | None = None) -> Any:
    headers = {"Authorization": f"Bearer {counting.service.admin}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{counting.service.url}/api/v1{path}", data, headers)
    with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
        return json.load(answer)


def remit(counting: Counting, *arguments: str, code: int = 0) -> str:
    done = counting.service.remit("ledger", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def stranger(*arguments: str | Path) -> tuple[int, str]:
    """The script in an interpreter that sees nothing but the standard library."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_stranger_checks_a_proof_and_sees_every_change(counting: Counting, tmp_path: Path) -> None:
    intent = act(counting, "shown")
    receipt = f"{intent['id']}:{intent['hash']}"
    file, bare = tmp_path / "shown.tlog-proof", tmp_path / "bare.tlog-proof"
    assert f"written to {file}\n" in remit(counting, "prove", receipt, "--reveal", "--to", str(file))
    remit(counting, "prove", intent["id"], "--to", str(bare), "-o", "json")
    key = json.loads(remit(counting, "checkpoint", "-o", "json"))["keys"][0]
    (tmp_path / "log.vkey").write_text(key + "\n")
    code, said = stranger(file, key, receipt)
    assert code == 0, said
    assert f"holds: {intent['id']}, intent, at {intent['at']}, is record" in said
    assert '{"id":"shown"}' in said, "a body is read as it was hashed"
    code, said = stranger(bare, tmp_path / "log.vkey")
    assert (code, "shown" in said) == (0, False), said
    text = file.read_text("utf-8")
    proof = Proof.parse(text)
    other = Key(proof.note.text.split("\n")[0], bytes(range(32)))
    changes = {
        "not under the signed root": text.replace(f"index {proof.index}", f"index {proof.index - 1}"),
        "did not sign": text.replace(f"\n{Checkpoint.parse(proof.note.text).size}\n", "\n99999\n"),
        "no proof": text.replace("tlog-proof@v1", "tlog-proof@v2"),
        "ValueError": text.replace("\n\n", "\n"),
    }
    for why, changed in changes.items():
        file.write_text(changed, "utf-8")
        code, said = stranger(file, key)
        assert (code, why in said) == (1, True), f"{why}: {said}"
    for odd in ("-1", f" {proof.index}", f"+{proof.index}", f"{proof.index}_0", "\u0663", ""):
        file.write_text(text.replace(f"index {proof.index}\n", f"index {odd}\n"), "utf-8")
        assert stranger(file, key) == (1, "WRONG: the record is not under the signed root\n"), odd
    file.write_text(text, "utf-8")
    assert stranger(file, str(other))[1].startswith("WRONG: that key did not sign")
    assert stranger(file, key.replace("+", "+0", 1))[1].startswith("WRONG: the key is not that of its id")
    assert stranger(bare, key, f"{intent['id']}:{'0' * 64}")[1].startswith("WRONG: it is another record")
    assert stranger(bare, key, "")[1].startswith("WRONG: it is another record"), "a variable that is not set"
    for wrong in ((tmp_path / "none", key), (file, tmp_path / "none"), (file,), (file, key, receipt, "more"), ()):
        code, said = stranger(*wrong)
        assert (code, "python3 verify_proof.py PROOF VKEY" in said, "WRONG" in said) == (2, True, False), said
        assert ("Errno" in said) == (len(wrong) == 2), said


def test_no_beginning_of_a_body_passes_for_salt(counting: Counting, tmp_path: Path) -> None:
    """A commitment hashes salt and body as one text: where the first ends is for who checks to say."""
    intent, file = act(counting, "cut"), tmp_path / "cut.tlog-proof"
    remit(counting, "prove", intent["id"], "--reveal", "--to", str(file))
    key = json.loads(remit(counting, "checkpoint", "-o", "json"))["keys"][0]
    whole = Proof.parse(file.read_text("utf-8"))
    assert whole.salt is not None
    assert whole.body is not None
    assert stranger(file, key)[0] == 0
    for at in (1, len(whole.body) // 2, len(whole.body)):
        cut = replace(whole, salt=whole.salt + whole.body[:at], body=whole.body[at:])
        file.write_text(str(cut), "utf-8")
        code, said = stranger(file, key)
        assert (code, said.splitlines()[-1]) == (1, "WRONG: the record commits to another body"), said


def test_the_script_is_short_enough_to_be_read() -> None:
    lines = SCRIPT.read_text("utf-8").splitlines()
    assert len(lines) <= 100
    imports = {line.split()[1] for line in lines if line.startswith("import ")}
    assert imports == {"base64", "hashlib", "json", "sys", "time"}


def test_checkpoints_by_command_and_api_go_on_from_each_other(counting: Counting, tmp_path: Path) -> None:
    file = tmp_path / "early.note"
    remit(counting, "checkpoint", "--to", str(file))
    early = Checkpoint.parse(Note.parse(file.read_text("utf-8")).text)
    act(counting, "later")
    said = ask(counting, "/ledger/checkpoint")
    note = Note.parse(said["checkpoint"])
    late = Checkpoint.parse(note.text)
    assert (late.origin, late.size > early.size) == (early.origin, True)
    keys = [Key.parse(key) for key in json.loads(remit(counting, "checkpoint", "-o", "json"))["keys"]]
    assert note.signed_by(keys, verify_signature) in keys
    for found in (
        ask(counting, f"/ledger/consistency?since={early.size}"),
        json.loads(remit(counting, "checkpoint", "--since", str(file)))["since"],
    ):
        path = [base64.b64decode(one) for one in found["path"]]
        latest = Checkpoint.parse(Note.parse(ask(counting, "/ledger/checkpoint")["checkpoint"]).text)
        check_consistency(early.size, early.root, latest.size, latest.root, path)
    kept = tmp_path / "late.note"
    remit(counting, "checkpoint", "--since", str(file), "--to", str(kept))
    assert Checkpoint.parse(Note.parse(kept.read_text("utf-8")).text).size >= late.size
    assert "holds  early.note" in remit(counting, "verify", "--against", str(file))
    assert "File exists" in remit(counting, "checkpoint", "--to", str(file), code=1)


def signed(counting: Counting) -> tuple[int, str]:
    """How much is signed, and how; nothing before the first time."""
    conn = sqlite3.connect(f"file:{counting.service.data / 'ledger.sqlite3'}?mode=ro", uri=True)
    try:
        return conn.execute("SELECT size, note FROM signed").fetchone() or (0, "")
    finally:
        conn.close()


def test_a_running_service_signs_at_most_a_second_behind(counting: Counting) -> None:
    assert PERIOD_S < 1, "it looks so often; how long a look takes is the machine's"
    for number in range(5):
        seq = int(act(counting, f"signed-{number}")["id"].partition(".")[2])
        size, note = awaited(lambda seq=seq: found if (found := signed(counting))[0] > seq else None)
        assert Checkpoint.parse(Note.parse(note).text).size == size


def test_a_proof_by_the_api_is_the_one_of_the_command(counting: Counting) -> None:
    intent = act(counting, "by-api")
    found = ask(counting, f"/ledger/proof/{intent['id']}?reveal=true")
    keys = [Key.parse(key) for key in json.loads(remit(counting, "checkpoint", "-o", "json"))["keys"]]
    proof = Proof.parse(found["proof"])
    _, record = proof.check(keys, verify_signature)
    assert (f"{record.chain}.{record.seq}", b"by-api" in (proof.body or b"")) == (intent["id"], True)


def test_what_cannot_be_proved_or_read_is_named(counting: Counting, tmp_path: Path) -> None:
    intent = act(counting, "named")
    assert "they look like" in remit(counting, "prove", "nonsense", code=2)
    assert "no such record" in remit(counting, "prove", f"{intent['id'].split('.')[0]}.999999", code=5)
    assert "not the record of that receipt" in remit(counting, "prove", f"{intent['id']}:{'0' * 64}", code=1)
    assert "no file" in remit(counting, "prove", intent["id"], "--data", str(tmp_path / "none"), code=5)
    odd = tmp_path / "odd.note"
    odd.write_text("no checkpoint\n")
    assert "odd.note is no checkpoint" in remit(counting, "verify", "--against", str(odd), code=3)
    assert "was not read" in remit(counting, "verify", "--against", str(tmp_path / "gone.note"), code=5)
    assert "not a verifier key" in remit(counting, "verify", "--key", "nonsense", code=3)
    assert "does not go on" in remit(counting, "checkpoint", "--since", str(_future(counting, tmp_path)), code=1)


def test_a_checkpoint_of_other_records_is_gone_on_from_by_none(counting: Counting, tmp_path: Path) -> None:
    note = Note.parse(remit(counting, "checkpoint").partition("verifier key")[0])
    checkpoint = Checkpoint.parse(note.text)
    file, root = tmp_path / "other.note", bytes(32)
    file.write_text(str(Note(str(Checkpoint("remit.dev/log/other", 2, root)), note.signatures)), "utf-8")
    said = remit(counting, "checkpoint", "--since", str(file), code=1)
    assert "does not go on from other.note" in said
    assert "the first 2 records are not those it was signed of, by remit.dev/log/other" in said, said
    assert checkpoint.size > 2


def _future(counting: Counting, folder: Path) -> Path:
    note = Note.parse(remit(counting, "checkpoint").partition("verifier key")[0])
    checkpoint = Checkpoint.parse(note.text)
    file = folder / "future.note"
    file.write_text(str(Note(str(Checkpoint(checkpoint.origin, 10**6, checkpoint.root)), note.signatures)), "utf-8")
    return file


def test_without_a_service_and_without_its_keys(counting: Counting, tmp_path: Path) -> None:
    kept = tmp_path / "kept.note"
    remit(counting, "checkpoint", "--to", str(kept))
    intent = act(counting, "copied")
    remit(counting, "prove", intent["id"])
    backup = tmp_path / "data" / "ledger.sqlite3"
    backup.parent.mkdir()
    remit(counting, "backup", str(backup))
    here = ("--data", str(backup.parent))
    assert "holds  kept.note" in remit(counting, "verify", "--against", str(kept), *here)
    asyncio.run(open_ledger(backup, SystemClock(), SystemEntropy()).close())
    assert "there is no key in" in remit(counting, "checkpoint", *here, code=5)
    shutil.copytree(counting.service.data / "checkpoint-keys", backup.parent / "checkpoint-keys")
    remit(counting, "checkpoint", *here)
    for vkey in (backup.parent / "checkpoint-keys").glob("*.vkey"):
        vkey.unlink()
    assert "does not name the key" in remit(counting, "checkpoint", *here, code=1)


def test_the_key_of_checkpoints_is_changed_on_record(counting: Counting) -> None:
    made = ask(counting, "/ledger/key/rotate", b"{}")
    said = json.loads(remit(counting, "checkpoint", "-o", "json"))
    assert made["key"] in said["keys"]
    assert len(Note.parse(said["checkpoint"]).signatures) == 2
    items = ask(counting, "/ledger/entries?latest=20")["items"]
    assert any("checkpoint.key" in item["text"] and made["id"] in item["text"] for item in items)
    remit(counting, "verify")


@pytest.mark.parametrize("how", [(), ("--links",)])
def test_what_is_there_and_is_no_ledger_is_as_wrong_as_one_that_does_not_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: tuple[str, ...]
) -> None:
    file = tmp_path / "copy.sqlite3"
    assert run(["ledger", "verify", str(file), *how]) == Exit.NOT_FOUND
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 4_096)
    capsys.readouterr()
    assert run(["ledger", "verify", str(file), *how]) == Exit.NEGATIVE
    said = capsys.readouterr().err
    assert f"{file} was not verified" in said
    assert "remit ledger restore FILE" in said
    assert "remit up" not in said
