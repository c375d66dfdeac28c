"""The files that an attack is told in, each where somebody asked for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from remit.app.assurance.chains import search_workspace
from remit.app.assurance.ledger_replay import against_history, against_sessions, summary
from remit.app.assurance.replay import cast_of
from remit.app.attack import forms
from remit.app.attack.run import AttackResult
from remit.app.attack.trend import FILE, Point, keep_point
from remit.app.settings import LEDGER
from remit.app.terminal import reports
from remit.app.terminal.failure import CommandFailure
from remit.assure.attack.chores import chores
from remit.assure.attack.remedy import MendResult, mend
from remit.assure.changes import VerdictChanges
from remit.policy.bundle import Bundle

CHAINS_S_MAX: Final = 20.0
"""How long a report searches for chains."""


@dataclass(frozen=True, slots=True)
class AttackFiles:
    """The files that are wanted; `sessions` and `data` are histories that proposed policies are replayed over.

    A run without `trend` is kept in the folder `archive`, where there is one; `quick` says of which kind it is.
    """

    report: Path | None = None
    junit: Path | None = None
    sarif: Path | None = None
    cases: Path | None = None
    fix: Path | None = None
    trend: Path | None = None
    sessions: Path | None = None
    data: Path | None = None
    archive: Path | None = None
    quick: bool = False


@dataclass(frozen=True, slots=True)
class AttackFigures:
    """What was made of an attack on the way: policies, what replay says of their cost, and the runs so far.

    `trouble` is why this run was not kept among them.
    """

    mended: MendResult
    replayed: tuple[str, ...]
    points: Sequence[Point]
    trouble: str | None = None


def write(workspace: Path, attacked: AttackResult, wanted_files: AttackFiles) -> AttackFigures:
    """Write what is wanted. Raises `CommandFailure`."""
    mended = mend(attacked.bundle, attacked.results, chores(attacked.bundle), attacked.user)
    replayed = tuple(_replay_lines(attacked.bundle, mended.bundle, wanted_files)) if mended.fixes else ()
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    points, trouble = _run_to_run(_point(attacked, workspace, at, quick=wanted_files.quick), wanted_files)
    if wanted_files.junit is not None:
        reports.write_report(wanted_files.junit, reports.junit("remit attack", forms.checks(attacked)))
    if wanted_files.sarif is not None:
        reports.write_report(
            wanted_files.sarif, reports.sarif(forms.RULES, forms.findings(attacked), forms.unseen(attacked))
        )
    if wanted_files.cases is not None:
        reports.new(wanted_files.cases, forms.cases_text(attacked, mended))
    if wanted_files.fix is not None:
        reports.new(wanted_files.fix, forms.policies_text(mended))
    if wanted_files.report is not None:
        from remit.app.attack.report import AttackReport, page

        chains = search_workspace(workspace, attacked.user, seconds=CHAINS_S_MAX)
        content = AttackReport(workspace.resolve().name, at, attacked, mended, chains, replayed, points)
        reports.write_report(wanted_files.report, page(content))
    return AttackFigures(mended, replayed, points, trouble)


def _run_to_run(point: Point, wanted_files: AttackFiles) -> tuple[Sequence[Point], str | None]:
    """The runs so far with this one, and why it was not kept. Raises `CommandFailure` of a file that was asked for."""
    if wanted_files.trend is not None:
        return keep_point(wanted_files.trend, point), None
    if wanted_files.archive is None:
        return (), None
    if not wanted_files.archive.is_dir():
        return (), f"there is no data folder {wanted_files.archive}: --data DIR or --trend FILE keeps it"
    try:
        return keep_point(wanted_files.archive / FILE, point), None
    except CommandFailure as failure:
        # Nobody asked for it.
        return (), failure.what


def _replay_lines(before: Bundle, after: Bundle, wanted_files: AttackFiles) -> list[str]:
    """What all proposed policies together would change of what is recorded."""
    lines: list[str] = []
    for name, file in (("recorded sessions", wanted_files.sessions), ("the ledger", wanted_files.data)):
        if file is None:
            continue
        changes = VerdictChanges()
        if file is wanted_files.sessions:
            sides = [(bundle, cast_of(bundle, None, None)) for bundle in (before, after)]
            lines_changed = against_sessions(file, sides[0], sides[1], changes)
        else:
            lines_changed = against_history(file / LEDGER, after, changes)
        for _ in lines_changed:
            pass
        lines += [f"over {name}:", *summary(changes)]
    return lines


def _point(attacked: AttackResult, workspace: Path, at: str, *, quick: bool) -> Point:
    stopped, noticed, alone, asked = attacked.scores
    figures = stopped.of, stopped.count, noticed.count, alone.of, alone.count, asked.count
    return Point(at, attacked.digest, *figures, str(workspace.resolve()), quick)
