"""`remit ledger verify`: what it says of a ledger, and of a copy of one."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.app.cli.options import Data, Output
from remit.app.settings import LEDGER, data_folder
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, counted, data, say
from remit.facts.text import escaped
from remit.trace.comparison import UNSIGNED, KeptCheckpoint
from remit.trace.links import LedgerFinding
from remit.trace.note import Key
from remit.trace.report import Report

if TYPE_CHECKING:
    from remit.adapters.sqlite.errors import LedgerRefused


def verify(
    path: Annotated[Path | None, typer.Argument(help="A ledger file (else the one in --data).")] = None,
    against: Annotated[
        list[Path] | None, typer.Option("--against", help="A checkpoint, or a proof, that was kept elsewhere.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", help="Who may have signed it (else the keys that the ledger names).")
    ] = None,
    data_given: Data = None,
    output: Output = Format.TABLE,
    *,
    links: Annotated[
        bool, typer.Option("--links", help="Links, commitments, tree and pages alone: several times as fast.")
    ] = False,
) -> int:
    """Check every record (links, commitments, what one says of another), the state they fold to, and the file's pages.

    With --against, also that nothing which a checkpoint was signed of is missing or changed, the end included. Needs no
    running service, and reads a copy as well. Exit code 1 when anything is wrong.
    """
    from remit.adapters.sqlite.errors import LedgerRefused
    from remit.adapters.sqlite.verification import verify_file
    from remit.app.data.proofs import kept_in, keys_of

    file = path or data_folder(data_given) / LEDGER
    checkpoints, trusted = [kept_in(one) for one in against or ()], keys_of(key or ())
    if links:
        return _links(file, checkpoints, trusted, output)
    try:
        report = verify_file(file, talk(output), checkpoints, trusted, marked=file.name == LEDGER)
    except LedgerRefused as error:
        raise _refusal(file, error) from error
    members: dict[str, Any] = {
        "file": str(file),
        **asdict(report),
        "clean": report.clean,
        "open": [str(ref) for ref in report.open],
        "in_doubt": [str(ref) for ref in report.in_doubt],
        "heads": [{"id": str(head.ref), "hash": head.hash} for head in report.heads],
        "jumps": [{"id": str(ref), "back_ms": by_ms} for ref, by_ms in report.jumps],
        "findings": [str(finding) for finding in report.findings],
        "unsigned": _unsigned(report.findings),
    }
    if output in {Format.JSON, Format.YAML}:
        data(members, output)
        return Exit.OK if report.clean else Exit.NEGATIVE
    print(f"ledger {escaped(str(file))}")
    _print_report(report)
    for head in report.heads[-1:]:
        print(f"head {head.ref} {head.hash}")
    _holds(checkpoints if report.clean else ())
    say(
        f"verified: {escaped(str(file))}: links, commitments and references hold, the state is theirs, pages are sound"
        if report.clean
        else _unclean(report.findings, report.more_findings)
    )
    return Exit.OK if report.clean else Exit.NEGATIVE


def _print_report(report: Report) -> None:
    """What was found, a line each, for people."""
    erased = f", {report.erased} bodies gone" if report.erased else ""
    print(
        f"{counted(report.records, 'record')} in {counted(report.chains, 'chain')}, "
        f"{counted(report.intents, 'intent')}, {counted(report.outcomes, 'outcome')}{erased}"
    )
    _tell(report)
    _wrong(report.findings, report.more_findings)
    if report.uncompared is not None:
        print(f"state not compared: {report.uncompared}")


def _tell(report: Report) -> None:
    """What is no finding, and worth knowing."""
    for erasure in report.erasures:
        print(f"erased: {escaped(erasure)}")
    for ref, by_ms in report.jumps:
        print(f"clock: {ref} is {by_ms / 1000:.0f} s before the record before it: the clock was set back")
    for ref in report.in_doubt:
        print(f"in doubt: {ref} (no outcome: its effect may or may not have been; remit why {ref})")
    for ref in report.open:
        print(f"open: {ref} (in flight while the service runs, else in doubt)")


def _links(file: Path, checkpoints: Sequence[KeptCheckpoint], trusted: Sequence[Key], output: Format) -> int:
    from remit.adapters.sqlite.errors import LedgerRefused
    from remit.adapters.sqlite.link_verification import verify_links

    try:
        report = verify_links(file, talk(output), checkpoints, trusted, marked=file.name == LEDGER)
    except LedgerRefused as error:
        raise _refusal(file, error) from error
    if output in {Format.JSON, Format.YAML}:
        members: dict[str, Any] = {
            "file": str(file),
            "records": report.records,
            "chains": len(report.heads),
            "clean": report.clean,
            "heads": [{"id": str(head.ref), "hash": head.hash} for head in report.heads.values()],
            "findings": [str(finding) for finding in report.findings],
            "unsigned": _unsigned(report.findings),
            "more_findings": report.more_findings,
        }
        data(members, output)
        return Exit.OK if report.clean else Exit.NEGATIVE
    print(f"ledger {escaped(str(file))}")
    print(f"{counted(report.records, 'record')} in {counted(len(report.heads), 'chain')}")
    _wrong(report.findings, report.more_findings)
    _holds(checkpoints if report.clean else ())
    say(
        f"verified: {escaped(str(file))}: links, commitments, tree, pages; not what records say of others, nor state"
        if report.clean
        else _unclean(report.findings, report.more_findings)
    )
    return Exit.OK if report.clean else Exit.NEGATIVE


def _refusal(file: Path, error: "LedgerRefused") -> CommandFailure:
    """Why nothing was verified. What is there and reads as no ledger is as wrong as one that does not verify."""
    from remit.adapters.sqlite.errors import NotALedger

    if not file.exists():
        return CommandFailure(error.what, why=error.why, next=error.next, exit=Exit.NOT_FOUND)
    following = error.next
    if isinstance(error, NotALedger):
        following = "remit ledger verify FILE, another copy; or a backup in its place: remit ledger restore FILE"
    return CommandFailure(f"{file} was not verified", why=error.why, next=following, exit=Exit.NEGATIVE)


def _wrong(findings: Sequence[LedgerFinding], more: int) -> None:
    for finding in findings:
        print(f"{'UNSIGNED' if finding.invariant == UNSIGNED else 'WRONG'}  {escaped(str(finding))}")
    if more:
        print(f"WRONG  and {more} more")


def _unclean(findings: Sequence[LedgerFinding], more: int) -> str:
    """What it comes to; erasures that nobody signed for yet are told apart from what no honest ledger has."""
    if more or any(finding.invariant != UNSIGNED for finding in findings):
        return "this ledger does not verify"
    return (
        f"all else holds; {counted(len(findings), 'erasure')} under none of these checkpoints: if it was you, "
        "remit ledger checkpoint --to FILE, and give it with --against too"
    )


def _unsigned(findings: Sequence[LedgerFinding]) -> list[str]:
    return [str(finding.ref) for finding in findings if finding.invariant == UNSIGNED]


def _holds(checkpoints: Sequence[KeptCheckpoint]) -> None:
    for checkpoint in checkpoints:
        size = checkpoint.checkpoint.size
        print(f"holds  {escaped(checkpoint.name)}: the first {size} records are those it was signed of")


def talk(output: Format) -> Callable[[int], None] | None:
    """Who says how far it is, for people alone."""
    return _progress if output is Format.TABLE else None


def _progress(records: int) -> None:
    if records >= 100_000 and records % 100_000 == 0:
        say(f"  {records} records …")
