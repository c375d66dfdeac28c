"""`remit chains`: is there a permitted chain of calls that ends where it must not?"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.app.cli.options import Junit, Sarif
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import Format, counted, data, say
from remit.facts.text import escaped

if TYPE_CHECKING:
    from remit.app.assurance.chains import ChainFindings
    from remit.assure.chains.results import FoundChain


class ChainFormat(StrEnum):
    """How chains are written."""

    TABLE = "table"
    JSON = "json"
    SVG = "svg"


def chains(  # noqa: PLR0913, PLR0917 - each is an option
    workspace: Annotated[Path | None, typer.Option("--workspace", help="The workspace that is searched.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="For whom sessions run: nobody and one user of each kind if left out.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="How long a search may take.")] = 60.0,
    states: Annotated[int, typer.Option("--states", min=1, help="How many states it may visit.")] = 20_000_000,
    steps: Annotated[int, typer.Option("--steps", min=1, help="How long a chain may be.")] = 64,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", help="Write the chains there, a new file, as cases, which hold once they are cut."),
    ] = None,
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write the policies there, a new file, that cut them.")
    ] = None,
    junit: Junit = None,
    sarif: Sarif = None,
    output: Annotated[
        ChainFormat, typer.Option("-o", "--output", help="How the answer is written.")
    ] = ChainFormat.TABLE,
) -> int:
    """Search a workspace for permitted chains of calls that end where they must not, and say what cuts them.

    Every state that labels, counters, agents, delegation and stores can be in is visited, with the policies themselves
    as the judge. Nothing is called, no service is asked. Exit code 1 when a chain needs nobody's yes, or a policy
    cannot be evaluated; 7 when the search did not look at everything, and found none where it did.
    """
    from remit.app.assurance.chains import cases_text, checks, findings, policies_text, rules, search_workspace
    from remit.app.settings import workspace_folder
    from remit.app.terminal import reports
    from remit.assure.chains.drawing import drawing

    reports.refuse_existing(cases, fix)
    chain_findings = search_workspace(workspace_folder(workspace), user, seconds=seconds, states=states, steps=steps)
    result = chain_findings.result
    if cases is not None:
        reports.new(cases, cases_text(chain_findings))
    if fix is not None:
        reports.new(fix, policies_text(chain_findings))
    if junit is not None:
        reports.write_report(junit, reports.junit("remit chains", checks(chain_findings)))
    if sarif is not None:
        reports.write_report(
            sarif, reports.sarif(rules(chain_findings), findings(chain_findings), result.account.unseen)
        )
    match output:
        case ChainFormat.JSON:
            data(_as_json(chain_findings), Format.JSON)
        case ChainFormat.SVG:
            print(drawing([*result.unattended, *result.attended]), end="")
        case ChainFormat.TABLE:
            _say(chain_findings)
    if result.unattended or result.failing:
        return Exit.NEGATIVE
    return Exit.TIMEOUT if result.account.unseen else Exit.OK


def _say(chain_findings: "ChainFindings") -> None:
    result = chain_findings.result
    for item in result.unattended:
        print(f"\n{_head(item)}")
        _story(item)
    for item in result.failing:
        print(f"\npolicy {escaped(item.policy)} cannot be evaluated for {escaped(item.action)}: {escaped(item.why)}")
    for heading, group in (("Only where people say yes:", result.attended), ("Left to a guarantee:", result.deferred)):
        if group:
            print(f"\n{heading}")
        for item in group:
            print(f"\n{_head(item)}")
            _story(item)
    if chain_findings.cut is not None:
        print("\nWhat cuts them:" if chain_findings.cut.whole else "\nWhat cuts them, as far as it was tried:")
        for remedy in chain_findings.cut.remedies:
            print()
            print("\n".join(escaped(line) for line in remedy.text.splitlines()))
    _account(chain_findings)


def _head(chain: "FoundChain") -> str:
    from remit.assure.chains.written import title

    return escaped(title(chain))


def _story(chain: "FoundChain") -> None:
    from remit.assure.chains.written import story

    for line in story(chain):
        print(f"  {escaped(line)}")
    if chain.hidden:
        print("  The data lost its label on the way: the catalog does not say all that a tool reads or brings.")
    if chain.suspects:
        print(f"  Policies about such data that let it pass: {escaped(', '.join(chain.suspects))}")


def _account(chain_findings: "ChainFindings") -> None:
    searched = chain_findings.result.account
    free, asking = len(chain_findings.result.unattended), len(chain_findings.result.attended)
    need = "needs" if free == 1 else "need"
    say(f"{counted(free, 'chain')} that {need} nobody, {asking} that people would have to allow")
    say(
        f"searched: {searched.states} states, {searched.transitions} transitions, {searched.steps} steps deep, "
        f"{counted(len(searched.labels), 'label')} told apart, policies asked {searched.queries} times"
    )
    if searched.stopped is not None:
        say(f"stopped {searched.stopped}")
    for text in searched.omissions:
        say(f"not looked at: {escaped(text)}")
    for text in searched.assumed:
        say(f"assumed: {escaped(text)}")


def _as_json(chain_findings: "ChainFindings") -> dict[str, Any]:
    from remit.assure.chains.written import chain_json

    result, searched = chain_findings.result, chain_findings.result.account
    return {
        "bundle": chain_findings.bundle.digest,
        "chains": [chain_json(one) for one in result.unattended],
        "with_approval": [chain_json(one) for one in result.attended],
        "left_to_guarantees": [chain_json(one) for one in result.deferred],
        "erring": [{"policy": one.policy, "action": one.action, "why": one.why} for one in result.failing],
        "fix": None
        if chain_findings.cut is None
        else {"remedies": [one.text for one in chain_findings.cut.remedies], "cuts_all": chain_findings.cut.whole},
        "searched": {
            "labels": list(searched.labels),
            "states": searched.states,
            "transitions": searched.transitions,
            "steps": searched.steps,
            "policies_asked": searched.queries,
            "stopped": searched.stopped,
            "not_looked_at": list(searched.omissions),
            "assumed": list(searched.assumed),
        },
    }


def add(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command()(chains)
