"""`remit attack`: can the limits of a workspace be beaten, and would anybody notice?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from remit.app.cli.options import Data, Junit, Output, Sarif
from remit.app.settings import data_folder as folder_of
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import Format, counted, data, say, show
from remit.facts.text import escaped, one_line

if TYPE_CHECKING:
    from remit.app.attack.files import AttackFigures
    from remit.app.attack.run import AttackResult
    from remit.assure.attack.results import AttemptResult

SAID_CHARS_MAX: Final = 200
TOOLS_SAID_MAX: Final = 8


def add(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(attack)


def attack(  # noqa: PLR0913, PLR0917 - each is an option
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="The workspace to attack; it is copied.")
    ] = None,
    only: Annotated[str, typer.Option("--only", help="Only attempts whose id, risk or title holds this.")] = "",
    user: Annotated[str | None, typer.Option("--user", help="For whom agents act (else the first User).")] = None,
    quick: Annotated[  # noqa: FBT002 - typer reads the signature
        bool, typer.Option("--quick", help="Only two attempts of every kind, within a minute.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write all of it there, as one HTML file; chains are searched too.")
    ] = None,
    junit: Junit = None,
    sarif: Sarif = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", help="Write what got through there, a new file, as cases, which hold once mended."),
    ] = None,
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write the policies there, a new file, that mend it.")
    ] = None,
    sessions: Annotated[
        Path | None, typer.Option("--sessions", help="A recording: what those policies would change of it.")
    ] = None,
    data_folder: Data = None,
    trend: Annotated[
        Path | None,
        typer.Option("--trend", help="Keep the figures of each run in that file (else in the data folder)."),
    ] = None,
    model_url: Annotated[
        str | None, typer.Option("--model-url", help="An attacker model that is asked for more, as https://HOST/v1.")
    ] = None,
    model_name: Annotated[str | None, typer.Option("--model", help="Which model it is to be.")] = None,
    model_key: Annotated[Path | None, typer.Option("--model-key-file", help="The file with its key.")] = None,
    output: Output = Format.TABLE,
) -> int:
    """Attack a service of its own over this workspace, by every agent, with every tool it is shown; tools are played.

    Nothing of yours is called or changed. Exit code 1 where an attempt was not stopped. With --data, what the proposed
    policies would change of that data folder's ledger. Nothing outside this machine is reached, but for a model that
    --model-url names.
    """
    from remit.app.attack import forms
    from remit.app.attack.files import AttackFiles, write
    from remit.app.attack.model import model
    from remit.app.attack.run import FULL, QUICK
    from remit.app.attack.run import attack as attacked
    from remit.app.settings import workspace_folder
    from remit.app.terminal import reports

    reports.refuse_existing(cases, fix)
    progress = _progress if output is Format.TABLE else None
    attacker = model(model_url, model_name, model_key)
    folder = workspace_folder(workspace)
    result = attacked(folder, only, progress, user, profile=QUICK if quick else FULL, model=attacker)
    # What tried only some of it says nothing of how it goes.
    kept_in = None if only or result.unreached else folder_of(data_folder)
    files = AttackFiles(report, junit, sarif, cases, fix, trend, sessions, data_folder, kept_in, quick)
    written = write(folder, result, files)
    if output in {Format.JSON, Format.YAML}:
        data(forms.as_json(result, written.mended), output)
    else:
        _say(result, written, output)
    if attacker is not None:
        trouble = "" if attacker.trouble is None else f"; not asked any more, since {escaped(attacker.trouble)}"
        say(f"the attacker model was asked {attacker.calls} times{trouble}")
    return Exit.NEGATIVE if result.open or result.unreached else Exit.OK


def _say(attacked: "AttackResult", written: "AttackFigures", output: Format) -> None:
    from remit.app.attack import forms
    from remit.app.attack.run import by_risk
    from remit.assure.attack.risks import TITLES, Risk

    rows = [
        {"risk": one.name, "title": TITLES[Risk(one.name)], "attempts": one.attempts, "stopped": one.stopped}
        | {"noticed": one.noticed, "by": ", ".join(f"{control.value} {count}" for control, count in one.by.items())}
        for one in by_risk(attacked.results)
    ]
    show(rows, output, ("risk", "title", "attempts", "stopped", "noticed", "by"))
    for one in attacked.open:
        _finding(one)
    for fix in written.mended.fixes:
        cost = fix.cost
        print(f"\nWhat ends {', '.join(fix.ends)}:")
        print("\n".join(escaped(line) for line in fix.policy.text.splitlines()))
        work = counted(cost.of, "harmless piece")
        say(f"of {work} of work it newly denies {cost.denied} and newly asks about {cost.escalated}")
    if written.mended.remaining:
        say(f"no policy mends {', '.join(written.mended.remaining)}: see docs/how-to/attack-your-limits.md")
    for line in written.replayed:
        say(escaped(line))
    say("")
    for score in attacked.scores:
        say(f"{score.name}: {score}")
    for point in written.points[:-1][-3:]:
        left = f"{point.alone} of {point.work} left alone"
        say(f"before, {point.at}: {point.stopped} of {point.attempts} stopped, {left}")
    if written.trouble is not None:
        say(escaped(f"not kept for the next run: {written.trouble}"))
    if attacked.moot:
        say(f"{counted(attacked.moot, 'attempt')} about nothing here: nobody could be asked, or nothing was read")
    for line in forms.carried(attacked):
        say(escaped(line))
    _say_untried(attacked)
    say(f"bundle {attacked.digest[:19]}, in {attacked.seconds:.0f} s")
    if attacked.unreached:
        say(f"ended early: {attacked.unreached} attempts were not made")


def _say_untried(attacked: "AttackResult") -> None:
    from remit.assure.attack.untried_tools import untried

    by_why: dict[str, list[str]] = {}
    for untried_tool in untried(attacked.bundle):
        by_why.setdefault(untried_tool.why, []).append(untried_tool.tool)
    for why, tools in by_why.items():
        more = f" and {len(tools) - TOOLS_SAID_MAX} more" if len(tools) > TOOLS_SAID_MAX else ""
        say(escaped(f"no attempt goes through {', '.join(tools[:TOOLS_SAID_MAX])}{more}: {why}"))


def _finding(result: "AttemptResult") -> None:
    from remit.app.attack import forms

    print(f"\nNOT STOPPED  {result.attempt.ident}  {result.attempt.risk.value} {' '.join(result.attempt.techniques)}")
    print(f"  {one_line(result.attempt.title)}")
    print(f"  answered: {one_line(result.last_answer)[:SAID_CHARS_MAX]}; {escaped(forms.notice_text(result))}")
    for decided in result.evidence[-3:]:
        by = ", ".join(because.policy or because.code for because in decided.because)
        print(f"  on the ledger of the run: {decided.ref} {decided.verdict} {escaped(decided.tool)} by {escaped(by)}")
    print(f"  do it again: {forms.again(result)}")


def _progress(made: int, of: int) -> None:
    if made % 10 == 0:
        say(f"  {made} of {of} attempts …")
