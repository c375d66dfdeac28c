"""The record after the story: verified without the service, and one changed byte of a copy found."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from remit.app.demo.narrate import Narrator, Sign
from remit.app.demo.page import CREDENTIALS
from remit.app.demo.scene import Scene
from remit.app.settings import Settings

VERIFY_S_MAX: Final = 60


def check(narrator: Narrator, scene: Scene, ref: str) -> None:
    """Verify the ledger, then a copy in which one byte of the refused read `ref` was changed."""
    narrator.act("What is on record")
    report = _verify(scene.data)
    counts = f"{report.get('records')} records, {report.get('intents')} intents, {report.get('outcomes')} outcomes"
    if report.get("clean") is True:
        narrator.line(Sign.OK, f"remit ledger verify: {counts}; every link and commitment holds")
    else:
        narrator.line(Sign.FAULT, f"remit ledger verify: {' '.join(report.get('findings') or [counts])}")
    copy = scene.root / "copy"
    place = _change_one_byte(_copy(scene, copy), CREDENTIALS.encode())
    finding = " ".join(_verify(copy).get("findings") or ["nothing is found"])
    sign = Sign.OK if place is not None and finding.startswith(f"{ref}: ") else Sign.FAULT
    narrator.line(sign, f"byte {place} of a copy changed, and found in {finding}")


def _verify(data: Path) -> Mapping[str, Any]:
    """What `remit ledger verify -o json` finds in `data`."""
    command = [sys.executable, "-m", "remit.app.main", "ledger", "verify", "-o", "json", "--data", str(data)]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S_MAX, check=False)
        return json.loads(completed.stdout) if completed.stdout else {"findings": [completed.stderr]}
    except (ValueError, subprocess.TimeoutExpired) as error:
        return {"findings": [str(error)]}


def _copy(scene: Scene, folder: Path) -> Path:
    """A copy of the ledger as it is now, the service still running."""
    folder.mkdir()
    source = Settings(scene.data, scene.workspace).ledger
    copy = Settings(folder, scene.workspace).ledger
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live, closing(sqlite3.connect(copy)) as target:
        live.backup(target)
    return copy


def _change_one_byte(path: Path, where: bytes) -> int | None:
    """Change the first byte of `where` in the file at `path`; its place, or None when it is not there."""
    data = bytearray(path.read_bytes())
    place = data.find(where)
    if place < 0:
        return None
    data[place] ^= 1
    path.write_bytes(data)
    return place
