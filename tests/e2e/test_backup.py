"""`remit ledger backup` and `restore` say which files and folders they mean, and take none that nobody named."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from proof.service import REMIT, environment
from remit.adapters.sqlite import open_ledger
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.adapters.system import SystemClock, SystemEntropy
from remit.app.settings import LEDGER, OUTBOX


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"

    async def make() -> None:
        await open_ledger(folder / LEDGER, SystemClock(), SystemEntropy()).close()
        outbox = SqliteOutbox(folder / OUTBOX)
        await outbox.put((), {})
        await outbox.close()

    asyncio.run(make())
    return folder


def ledger(cwd: Path, *arguments: str, data: str = "") -> subprocess.CompletedProcess[str]:
    """`remit ledger ARGUMENTS` in the folder `cwd`, which the platform's data folder is below, too."""
    env = environment() | {"XDG_DATA_HOME": str(cwd / "home"), "REMIT_DATA": data}
    return subprocess.run([REMIT, "ledger", *arguments], check=False, capture_output=True, text=True, env=env, cwd=cwd)


def test_a_backup_names_both_of_its_files(tmp_path: Path, data: Path) -> None:
    done = ledger(tmp_path, "backup", "kept", "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert "what waits to be told in kept.outbox" in done.stdout
    assert (tmp_path / "kept.outbox").exists()
    (data / OUTBOX).unlink()
    said = json.loads(ledger(tmp_path, "backup", "other", "--data", str(data), "-o", "json").stdout)
    assert (said["file"], said["outbox"]) == ("other", None)
    assert "outbox" not in ledger(tmp_path, "backup", "third", "--data", str(data)).stdout


def test_a_backup_whose_second_name_is_taken_writes_neither_and_says_what_to_do(tmp_path: Path, data: Path) -> None:
    (tmp_path / "kept.outbox").write_text("of value")
    done = ledger(tmp_path, "backup", "kept", "--data", str(data))
    assert done.returncode == 1
    assert "kept.outbox is there already" in done.stderr
    assert f"next: remit ledger backup ANOTHER-FILE --data {data}" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "kept.outbox"]
    assert (tmp_path / "kept.outbox").read_text() == "of value"


def test_a_restore_names_its_folder_and_makes_none_that_nobody_named(tmp_path: Path, data: Path) -> None:
    assert ledger(tmp_path, "backup", "kept", "--data", str(data)).returncode == 0
    for named in ("", str(tmp_path / "typo")):
        done = ledger(tmp_path, "restore", "kept", data=named)
        assert done.returncode == 5
        assert "next: remit ledger restore kept --data DIR" in done.stderr
        assert (named or "home/remit") in done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "kept", "kept.outbox"]
    done = ledger(tmp_path, "restore", "kept", data=str(data))
    assert f"records restored in {data}; " in done.stdout, done.stderr
    new = tmp_path / "new"
    said = json.loads(ledger(tmp_path, "restore", "kept", "--data", str(new), "-o", "json").stdout)
    assert said["data"] == str(new)
    assert (new / OUTBOX).exists()
