"""Findings in the forms that other programs read: JUnit XML and SARIF 2.1.0."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from remit import __version__
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import say

SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_UNSAID: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML may hold."""


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """One thing that was checked: `name` in `group`, and what is `wrong` with it, nothing where it holds."""

    group: str
    name: str
    wrong: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReportFinding:
    """One finding: the `rule` that it breaks, in one sentence, at `file` and `line` (0: the whole file)."""

    rule: str
    text: str
    file: str
    line: int
    level: str = "error"


def junit(name: str, checks: Sequence[ReportCheck]) -> str:
    """`checks` as JUnit XML."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    failed = sum(bool(check.wrong) for check in checks)
    counts = f'tests="{len(checks)}" failures="{failed}"'
    lines.append(f"<testsuites name={_attribute(name)} {counts}>")
    for group in dict.fromkeys(check.group for check in checks):
        of_group = [check for check in checks if check.group == group]
        wrong = sum(bool(check.wrong) for check in of_group)
        lines.append(f'  <testsuite name={_attribute(group)} tests="{len(of_group)}" failures="{wrong}">')
        for check in of_group:
            head = f"    <testcase classname={_attribute(group)} name={_attribute(check.name)}"
            if not check.wrong:
                lines.append(f"{head}/>")
                continue
            text = escape(_UNSAID.sub("�", "\n".join(check.wrong)))
            lines.append(f"{head}><failure message={_attribute(check.wrong[0])}>{text}</failure></testcase>")
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def sarif(rules: Mapping[str, str], findings: Iterable[ReportFinding], unseen: Sequence[str] = ()) -> str:
    """`findings` as SARIF; `rules` says of each rule what it means, `unseen` in a sentence each what was not looked at.

    A run that left something out is not told as one that succeeded (SARIF 2.1.0, 3.20.14 and 3.20.21).
    """
    results: list[dict[str, Any]] = []
    for finding in findings:
        place: dict[str, Any] = {"artifactLocation": {"uri": finding.file}}
        if finding.line > 0:
            place["region"] = {"startLine": finding.line}
        results.append(
            {
                "ruleId": finding.rule,
                "level": finding.level,
                "message": {"text": finding.text},
                "locations": [{"physicalLocation": place}],
            }
        )
    rule_list = [{"id": name, "shortDescription": {"text": text}} for name, text in rules.items()]
    driver = {"name": "remit", "version": __version__, "rules": rule_list}
    run: dict[str, Any] = {"executionSuccessful": not unseen}
    if unseen:
        run["toolExecutionNotifications"] = [{"level": "error", "message": {"text": text}} for text in unseen]
    runs = [{"tool": {"driver": driver}, "invocations": [run], "results": results}]
    document = {"$schema": SARIF, "version": "2.1.0", "runs": runs}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def write_report(file: Path, text: str) -> None:
    """Write a report. Raises `CommandFailure`."""
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise CommandFailure(
            f"{file} cannot be written", why=why, next="name another file", exit=Exit.NEGATIVE
        ) from error


def refuse_existing(*files: Path | None) -> None:
    """Raises `CommandFailure` where one of `files` exists.

    Policies and cases of an earlier run may be in force: what is found once they are is less, and would replace them.
    """
    for file in files:
        if file is not None and file.exists():
            raise CommandFailure(
                f"cannot write {file}",
                why="it exists already, and nothing is overwritten",
                next="name another file, or move this one away",
                exit=Exit.USAGE,
            )


def new(file: Path, text: str) -> None:
    """Write a file that must not exist, and say so. Raises `CommandFailure`."""
    refuse_existing(file)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise CommandFailure(f"cannot write {file}", why=why, next="name another file", exit=Exit.USAGE) from error
    say(f"written to {file}")


def _attribute(text: str) -> str:
    return quoteattr(_UNSAID.sub("�", text))
