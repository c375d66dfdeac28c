"""`remit policy`: policies for just what an agent does."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from remit.app.cli.options import Data, Output, seconds
from remit.app.failure import Exit
from remit.app.output import Format, counted, data, say
from remit.control.difference import one_line

app = typer.Typer(no_args_is_help=True, help="Policies for just what an agent does.")

_NAMED_MAX: Final = 20


@app.command()
def suggest(
    agent: Annotated[str, typer.Argument(help="The agent.")],
    since: Annotated[str, typer.Option("--since", help="From when on its use counts: 8h, 7d, 30d.")] = "30d",
    from_data: Data = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="The workspace that grants it more.")] = None,
    output: Output = Format.TABLE,
) -> int:
    """Write the narrowest policies that permit what the agent used, judged by its history before anyone applies them.

    Cedar to stdout; what is granted beside it, and what would be decided otherwise, to stderr. Nothing is changed. Exit
    code 1 when something the agent did would not be decided as it was.
    """
    from remit.app.least import suggested
    from remit.app.settings import LEDGER, data_folder, workspace_folder

    since_ms = int(time.time() * 1000) - seconds(since) * 1000
    day = datetime.fromtimestamp(since_ms / 1000, UTC).date().isoformat()
    found = suggested(data_folder(from_data) / LEDGER, workspace_folder(workspace), agent, since_ms, day)
    least = found.least
    if output in {Format.JSON, Format.YAML}:
        used = [{"use": str(use), "kind": use.kind.value, "count": count} for use, count in sorted(least.used.items())]
        differences = [dict(zip(("id", "use", "was", "now"), one, strict=True)) for one in found.differences]
        data(
            {
                "agent": agent,
                "since": day,
                "policies": least.text,
                "used": used,
                "unused": list(least.unused),
                "gone": list(least.gone),
                "judged": found.judged,
                "same": found.same,
                "differences": differences,
            },
            output,
        )
    else:
        print(least.text, end="")
        say(f"{agent} used {counted(len(least.used), 'thing')} since {day}; granted and not used: {len(least.unused)}")
        for name in least.unused[:_NAMED_MAX]:
            say(f"  - {one_line(name)}")
        for name in least.gone:
            say(f"  used, and no longer there: {one_line(name)}")
        say(f"of {counted(found.judged, 'action')} {found.same} would be decided as they were")
        for ref, use, was, now in found.differences:
            say(f"  {ref} {one_line(use)}: {was}, now {now}")
        say("next: keep it in the workspace, take the agent out of what permits more, then: remit diff")
    return Exit.OK if found.same == found.judged else Exit.NEGATIVE
