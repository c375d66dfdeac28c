"""`remit policy`: whether policies validate and say what was meant, and those for just what an agent does."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from remit.app.cli.options import Data, Junit, Output, Sarif, seconds
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, counted, data, say, show
from remit.control.difference import one_line
from remit.facts.text import escaped

if TYPE_CHECKING:
    from remit.app.assurance.policy_lint import LintFinding
    from remit.app.assurance.policy_tests import CaseRun

app = typer.Typer(
    no_args_is_help=True, help="Policies: checked, tested by cases, and suggested for just what an agent does."
)

_NAMED_MAX: Final = 20
_PERIOD_S: Final = 0.5
_RULES: Final = {
    "case": "A case does not hold: policy says something else than was expected.",
    "mutant": "No case fails when this policy is changed so: nobody would notice the change.",
    "untouched": "No case touches this policy, condition or tool.",
}
_LINT_RULES: Final = {
    "invalid": "The workspace does not validate: an apply changes nothing.",
    "odd": "It validates, and is probably not what its author meant.",
}

Workspace = Annotated[Path | None, typer.Option("--workspace", help="The workspace that is tested.")]
Cases = Annotated[
    list[Path] | None,
    typer.Option(
        "--cases", help="A file of cases, or a folder of *.cases.yaml, instead of the workspace's. Repeatable."
    ),
]
User = Annotated[str | None, typer.Option("--user", help="For whom agents act where a case does not say.")]


@app.command()
def suggest(
    agent: Annotated[str, typer.Argument(help="The agent.")],
    since: Annotated[str, typer.Option("--since", help="How far back its use counts: 8h, 7d, 30d.")] = "30d",
    from_data: Data = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="The workspace that grants it more.")] = None,
    output: Output = Format.TABLE,
) -> int:
    """Write the narrowest policies that permit what the agent used, judged by its history before anyone applies them.

    Cedar to stdout; what is granted beside it, and what would be decided otherwise, to stderr. Nothing is changed. Exit
    code 1 when something the agent did would not be decided as it was.
    """
    from remit.app.assurance.least_privilege import suggest_policy
    from remit.app.settings import LEDGER, data_folder, workspace_folder

    since_ms = int(time.time() * 1000) - seconds(since) * 1000
    day = datetime.fromtimestamp(since_ms / 1000, UTC).date().isoformat()
    suggestion = suggest_policy(data_folder(from_data) / LEDGER, workspace_folder(workspace), agent, since_ms, day)
    least = suggestion.least
    if output in {Format.JSON, Format.YAML}:
        used = [{"use": str(use), "kind": use.kind.value, "count": calls} for use, calls in sorted(least.used.items())]
        differences = [
            dict(zip(("id", "use", "was", "now"), difference, strict=True)) for difference in suggestion.differences
        ]
        data(
            {
                "agent": agent,
                "since": day,
                "policies": least.text,
                "used": used,
                "unused": list(least.unused),
                "gone": list(least.missing),
                "carried": list(least.carried),
                "conditional": list(least.lost),
                "judged": suggestion.judged,
                "same": suggestion.same,
                "differences": differences,
            },
            output,
        )
    else:
        print(least.text, end="")
        say(f"{agent} used {counted(len(least.used), 'thing')} since {day}; granted and not used: {len(least.unused)}")
        for name in least.unused[:_NAMED_MAX]:
            say(f"  - {one_line(name)}")
        for name in least.missing:
            say(f"  used, and no longer there: {one_line(name)}")
        for name in least.carried:
            say(f"  with the conditions and obligations of {one_line(name)}")
        for name in least.lost:
            say(f"  wider than {one_line(name)}, which has conditions: add those that are still to hold")
        say(f"of {counted(suggestion.judged, 'action')} {suggestion.same} would be decided as they were")
        for ref, use, was, now in suggestion.differences:
            say(f"  {ref} {one_line(use)}: {was}, now {now}")
        say("next: keep it in the workspace, take the agent out of what permits more, then: remit diff")
    return Exit.OK if suggestion.same == suggestion.judged else Exit.NEGATIVE


@app.command("test")
def try_(
    workspace: Workspace = None,
    cases: Cases = None,
    user: User = None,
    mutate: Annotated[  # noqa: FBT002 - typer reads the signature
        bool, typer.Option("--mutate", help="Change each policy a little, and say which changes no case notices.")
    ] = False,
    watch: Annotated[  # noqa: FBT002
        bool, typer.Option("--watch", help="Again whenever a file of the workspace changed.")
    ] = False,
    junit: Junit = None,
    sarif: Sarif = None,
    output: Output = Format.TABLE,
) -> int:
    """Try the cases of a workspace on its policies: does each say what its author meant?

    Cases stand beside policies in files that end in .cases.yaml. Nothing is called, no service is asked. Exit code 1
    when a case does not hold, or when no case notices a changed policy; 5 when there is no case.
    """
    from remit.app.assurance.policy_tests import try_cases
    from remit.app.settings import workspace_folder

    folder = workspace_folder(workspace)
    case_files = tuple(cases or ())

    def once() -> int:
        tested = try_cases(folder, case_files, user, mutate=mutate)
        _reports(tested, junit, sarif)
        if output in {Format.JSON, Format.YAML}:
            data(_as_json(tested), output)
        else:
            _say(tested)
        if tested.failed or tested.survived:
            return Exit.NEGATIVE
        return Exit.OK if tested.outcomes else Exit.NOT_FOUND

    return _watching((folder, *case_files), once) if watch else once()


@app.command()
def lint(
    workspace: Annotated[Path | None, typer.Option("--workspace", help="The workspace that is checked.")] = None,
    watch: Annotated[  # noqa: FBT002 - typer reads the signature
        bool, typer.Option("--watch", help="Again whenever a file of the workspace changed.")
    ] = False,
    sarif: Sarif = None,
    output: Output = Format.TABLE,
) -> int:
    """Say what an apply would say of a workspace's policies and resources: what refuses them, and what is odd.

    Nothing is changed, no service is asked. Exit code 1 when something is odd; 3 when it does not validate.
    """
    from remit.app.assurance.policy_lint import lint_workspace
    from remit.app.settings import workspace_folder

    folder = workspace_folder(workspace)

    def once() -> int:
        result = lint_workspace(folder)
        if sarif is not None:
            _lint_report(result.findings, sarif)
        rows = [
            {"severity": str(finding.severity), "where": _place(finding), "text": finding.text}
            for finding in result.findings
        ]
        if output in {Format.JSON, Format.YAML}:
            data({"findings": rows, "refused": result.refused}, output)
        else:
            for row in rows:
                print(escaped(f"{row['where']}: {row['severity']}: {row['text']}"))
            say("an apply would change nothing" if result.refused else f"policies checked: {result.policies}")
        if result.refused:
            return Exit.INVALID
        return Exit.NEGATIVE if rows else Exit.OK

    return _watching((folder,), once) if watch else once()


@app.command()
def coverage(workspace: Workspace = None, cases: Cases = None, user: User = None, output: Output = Format.TABLE) -> int:
    """List the policies, conditions and tools that no case touches.

    A condition is touched when it was true in one case and false in another. Exit code 1 when something is untouched.
    """
    from remit.app.assurance.policy_tests import try_cases
    from remit.app.settings import workspace_folder

    tested = try_cases(workspace_folder(workspace), tuple(cases or ()), user)
    rows = [{"kind": gap.kind, "name": gap.name, "where": gap.where, "missing": gap.text} for gap in tested.gaps]
    if output in {Format.JSON, Format.YAML}:
        data({"shares": tested.shares, "untouched": rows}, output)
    else:
        show(rows, output, ("kind", "name", "where", "missing"), empty="everything is touched")
        say(_shares(tested))
    return Exit.NEGATIVE if rows else Exit.OK


def _watching(paths: tuple[Path, ...], once: Callable[[], int]) -> int:
    """Do it `once`, and again whenever something below `paths` changed, until interrupted."""
    from remit.app.service.workspace_watch import stamp

    last: object = None
    while True:
        now = [stamp(path) for path in paths]
        if now != last:
            last = now
            try:
                once()
            except CommandFailure as failure:
                say(str(failure))
            say("waiting for a change …")
        time.sleep(_PERIOD_S)


def _say(tested: "CaseRun") -> None:
    for outcome in tested.outcomes:
        for text in outcome.mismatches:
            print(f"{escaped(outcome.located.file)}:{outcome.located.line}: {escaped(text)}")
    for fate in tested.survived:
        mutant = fate.mutant
        print(f"{escaped(mutant.where)}: no case notices {escaped(mutant.ident)} {escaped(mutant.change)}")
    if not tested.outcomes:
        say("there is no case: write one beside the policies, in a file that ends in .cases.yaml")
    count, failed = len(tested.outcomes), len(tested.failed)
    say(f"{counted(count, 'case')}: {count - failed} hold, {failed} fail")
    if tested.fates is not None:
        killed = len(tested.fates) - len(tested.survived)
        say(f"{counted(len(tested.fates), 'changed version')} of policies: a case notices {killed}")
    say(_shares(tested))


def _shares(tested: "CaseRun") -> str:
    return "touched: " + ", ".join(f"{some} of {all_} {name}" for name, (some, all_) in tested.shares.items())


def _as_json(tested: "CaseRun") -> dict[str, Any]:
    answer: dict[str, Any] = {
        "cases": [
            {
                "name": one.located.case.name,
                "file": one.located.file,
                "line": one.located.line,
                "wrong": list(one.mismatches),
            }
            for one in tested.outcomes
        ],
        "failed": len(tested.failed),
        "shares": tested.shares,
    }
    if tested.fates is not None:
        answer["mutants"] = [
            {"policy": fate.mutant.ident, "change": fate.mutant.change, "noticed_by": fate.killer}
            for fate in tested.fates
        ]
        answer["survived"] = len(tested.survived)
    return answer


def _reports(tested: "CaseRun", junit: Path | None, sarif: Path | None) -> None:
    from remit.app.terminal import reports

    if junit is not None:
        checks = [
            reports.ReportCheck(one.located.file, one.located.case.name, one.mismatches) for one in tested.outcomes
        ]
        checks += [
            reports.ReportCheck("mutants", f"{fate.mutant.ident} {fate.mutant.change}", _not_noticed(fate.killer))
            for fate in tested.fates or ()
        ]
        reports.write_report(junit, reports.junit("remit policy test", checks))
    if sarif is not None:
        findings = [
            reports.ReportFinding("case", text, one.located.file, one.located.line)
            for one in tested.failed
            for text in one.mismatches
        ]
        for fate in tested.survived:
            file, _, line = fate.mutant.where.rpartition(":")
            text = f"no case notices {fate.mutant.ident} {fate.mutant.change}"
            findings.append(reports.ReportFinding("mutant", text, file, int(line), "warning"))
        for gap in tested.gaps:
            file, _, line = gap.where.rpartition(":")
            text = f"{gap.kind} {gap.name}: {gap.text}"
            findings.append(
                reports.ReportFinding("untouched", text, file or gap.where, int(line) if file else 0, "note")
            )
        reports.write_report(sarif, reports.sarif(_RULES, findings))


def _place(finding: "LintFinding") -> str:
    return f"{finding.file}:{finding.line}" if finding.line else finding.file


def _lint_report(lint_findings: Iterable["LintFinding"], file: Path) -> None:
    from remit.app.terminal import reports

    findings = [
        reports.ReportFinding(
            "invalid" if finding.severity == "error" else "odd",
            finding.text,
            finding.file,
            finding.line,
            finding.severity.value,
        )
        for finding in lint_findings
    ]
    reports.write_report(file, reports.sarif(_LINT_RULES, findings))


def _not_noticed(killer: str | None) -> tuple[str, ...]:
    return ("no case fails with it",) if killer is None else ()
