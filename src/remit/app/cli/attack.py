"""`remit attack`: can the limits of a workspace be beaten, and would anybody notice?"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from remit.app.cli.options import Output
from remit.app.failure import Exit
from remit.app.output import Format, data, say, show
from remit.facts.text import one_line

if TYPE_CHECKING:
    from remit.app.attacking.play import Came
    from remit.assure.attack.plan import Step


def add(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(attack)


def attack(
    workspace: Annotated[Path, typer.Option("--workspace", help="The workspace to attack; it is copied.")] = Path(),
    only: Annotated[str, typer.Option("--only", help="Only attempts whose id, risk or title holds this.")] = "",
    user: Annotated[str | None, typer.Option("--user", help="For whom agents act (else the first User).")] = None,
    quick: Annotated[  # noqa: FBT002 - typer reads the signature
        bool, typer.Option("--quick", help="Only two attempts of every kind, within a minute.")
    ] = False,
    output: Output = Format.TABLE,
) -> int:
    """Attack a service of its own over this workspace, by every agent, with every tool it is shown; tools are played.

    Nothing of yours is called or changed. Exit code 1 where an attempt was not stopped.
    """
    from remit.app.attacking.run import FULL, QUICK, by_risk, interval
    from remit.app.attacking.run import attack as attacked
    from remit.assure.attack.risks import TITLES, Risk

    told = _progress if output is Format.TABLE else None
    found = attacked(workspace, only, told, user, profile=QUICK if quick else FULL)
    rows: list[dict[str, Any]] = [
        {"risk": risk, "title": TITLES[Risk(risk)], "attempts": count, "stopped": stopped, "noticed": noticed}
        for risk, count, stopped, noticed in by_risk(found.came)
    ]
    total, stopped = len(found.came), len(found.came) - len(found.open)
    low, high = interval(stopped, total)
    if output in {Format.JSON, Format.YAML}:
        data(
            {
                "bundle": found.digest,
                "risks": rows,
                "stopped": {"count": stopped, "of": total, "low": round(low, 3), "high": round(high, 3)},
                "left": found.left,
                "attempts": [_told(one) for one in found.came],
            },
            output,
        )
        return Exit.NEGATIVE if found.open or found.left else Exit.OK
    show(rows, output, ("risk", "title", "attempts", "stopped", "noticed"))
    for one in found.open:
        print(f"\nNOT STOPPED  {one.attempt.ident}  {one.attempt.risk.value} {' '.join(one.attempt.techniques)}")
        print(f"  {one_line(one.attempt.title)}")
        print(f"  answered: {one_line(one.said)[:200]}")
        for ref in one.evidence[-3:]:
            print(f"  on the ledger of the run: {ref}")
    say(f"\n{stopped} of {total} attempts stopped (95 %: {low:.0%} to {high:.0%}), bundle {found.digest[:19]}")
    if found.left:
        say(f"ended early: {found.left} attempts were not made")
    return Exit.NEGATIVE if found.open or found.left else Exit.OK


def _progress(made: int, of: int) -> None:
    if made % 10 == 0:
        say(f"  {made} of {of} attempts …")


def _told(one: "Came") -> dict[str, Any]:
    attempt = one.attempt
    return {
        "id": attempt.ident,
        "actor": attempt.actor.value,
        "kind": attempt.kind.value,
        "risk": attempt.risk.value,
        "techniques": list(attempt.techniques),
        "title": attempt.title,
        "steps": [_step(step) for step in attempt.steps],
        "stopped": one.stopped,
        "noticed_s": one.noticed_s,
        "said": one.said,
        "evidence": list(one.evidence),
    }


def _step(step: "Step") -> dict[str, Any]:
    told: dict[str, Any] = {"step": type(step).__name__.lower()}
    for one in fields(step):
        value: Any = getattr(step, one.name)
        told[one.name] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
    return told
