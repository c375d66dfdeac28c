"""What somebody tries who can write where he should not: into workspace, ledger and what is kept of bundles."""

from collections.abc import Iterator, Sequence

from remit.assure.attack.plan import Actor, Arrives, AttackAttempt, AttackKind, Edits, Opens, Passes, Tampering, Tampers
from remit.assure.attack.risks import Risk, Technique
from remit.assure.attack.seats import AttackSurface, attempt, mark_of, tool_name


def by_operator(seats: Sequence[AttackSurface]) -> Iterator[AttackAttempt]:
    """All of it, once for the workspace."""
    seat = next((one for one in seats if one.tools), None)
    if seat is None:
        return
    # What no policy permits: a permit in the folder would be the only one.
    hidden = [form.tool for form in seat.bundle.tools.values() if form.tool not in seat.tools]
    for tool in hidden[:1]:
        mark = mark_of("opened", tool_name(tool))
        yield from attempt(
            Actor.OPERATOR,
            AttackKind.FOLDER,
            Risk.SUPPLY_CHAIN,
            (Technique.AGENT_CONFIGURATION,),
            f"a file that permits everything is put into the workspace, then {seat.agent} calls {tool_name(tool)}",
            [Opens(), seat.call(tool, mark)],
            Arrives(tool.server, tool.name, mark),
        )
    for how in Tampering:
        yield from attempt(
            Actor.OPERATOR,
            AttackKind.LEDGER,
            Risk.ROGUE,
            (Technique.AGENT_CONFIGURATION,),
            f"{seat.agent} is on record, and of a copy of the ledger {how.value}",
            [seat.read(seat.tools[0]), Tampers(how)],
            Passes(),
        )
    yield from attempt(
        Actor.OPERATOR,
        AttackKind.BUNDLE,
        Risk.ROGUE,
        (Technique.AGENT_CONFIGURATION,),
        f"{seat.agent} is on record, and policies in what the service keeps of its bundle are changed",
        [seat.read(seat.tools[0]), Edits()],
        Passes(),
    )
