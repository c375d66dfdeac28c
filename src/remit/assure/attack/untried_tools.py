"""Tools that no attempt goes through, and why: what a catalog does not say of a tool, nobody attacks it for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from remit.assure.attack.attempts import attempts
from remit.assure.attack.plan import Calls
from remit.assure.attack.seats import READERS_MAX, acts, brings, tool_name
from remit.assure.attack.values import arguments, benign
from remit.facts.tool import Effect
from remit.policy.bundle import Bundle
from remit.policy.destination import ToolForm

_MARK: Final = "untried"


@dataclass(frozen=True, slots=True)
class Untried:
    """A tool, as SERVER/TOOL, and why no attempt goes through it."""

    tool: str
    why: str


def untried(bundle: Bundle) -> list[Untried]:
    """The tools that no attempt on `bundle` calls, in the catalog's order."""
    return list(_left_out(bundle))


def _left_out(bundle: Bundle) -> Iterator[Untried]:
    called = {(step.server, step.tool) for one in attempts(bundle) for step in one.steps if isinstance(step, Calls)}
    for key, form in bundle.tools.items():
        if key not in called:
            yield Untried(tool_name(form.tool), _why(form))


def _why(form: ToolForm) -> str:
    tool = form.tool
    if form.quarantined is not None:
        return "it is quarantined, so that nobody can call it"
    if arguments(form, _MARK) is None and benign(form) is None:
        return "no arguments could be made that its schema takes"
    if tool.effect is Effect.READ:
        if any(brings(tool, label) for label in ("untrusted", "confidential")):
            return f"{READERS_MAX} other tools that bring the same stand for it"
        return "the catalog says that it reads, and that nothing untrusted or confidential comes of it"
    if acts(tool):
        return "no agent that is shown it is shown what brings anything untrusted or confidential"
    return "the catalog says that what it does can be undone and stays inside"
