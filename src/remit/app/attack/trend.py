"""How the figures of a workspace went from run to run: a file of JSON lines, one for each run, only added to."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, cast

from remit.app.terminal.failure import CommandFailure, Exit
from remit.facts.text import one_line

POINTS_MAX: Final = 30
"""How many runs are shown, the last ones."""
BYTES_MAX: Final = 4 * 1024 * 1024
FILE: Final = "attacks.jsonl"
"""What it is called in a data folder."""
_KINDS: Final = {"at": str, "bundle": str, "workspace": str, "quick": bool}


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one run of an attack on `workspace`, a `quick` one or not; `at` is an instant in UTC."""

    at: str
    bundle: str
    attempts: int
    stopped: int
    noticed: int
    work: int
    alone: int
    asked: int
    workspace: str = ""
    quick: bool = False

    def cells(self) -> tuple[str, ...]:
        """It as a row."""
        figures = (self.attempts, self.stopped, self.noticed, self.work, self.alone, self.asked)
        return (self.at, self.bundle.removeprefix("sha256:")[:12], *map(str, figures))


def keep_point(file: Path, point: Point) -> Sequence[Point]:
    """Add `point` to `file`, and the last runs like it that it holds. Raises `CommandFailure`.

    A quick run is not held against a full one, nor against one of another workspace; an older line says of neither.
    """
    try:
        before = file.read_bytes()[-BYTES_MAX:] if file.exists() else b""
        runs = [_read(file, line) for line in before.splitlines() if line.strip()]
        comparable = [run for run in runs if run.workspace in {"", point.workspace} and run.quick == point.quick]
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(point)) + "\n")
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise CommandFailure(f"{file} cannot be kept", why=why, next="name another file: --trend FILE") from error
    return [*comparable, point][-POINTS_MAX:]


def _read(file: Path, line: bytes) -> Point:
    try:
        members = cast("dict[str, Any]", json.loads(line))
        point = Point(**members)
        kinds = {member.name: _KINDS.get(member.name, int) for member in fields(point)}
        if all(isinstance(getattr(point, name), kind) for name, kind in kinds.items()):
            return point
    except (ValueError, TypeError):
        pass
    raise CommandFailure(
        f"{file} holds something else than runs of an attack",
        why=f"it has this line: {one_line(line.decode('utf-8', 'replace'), chars_max=80)}",
        next="name another file: --trend FILE",
        exit=Exit.INVALID,
    )
