"""Attempts whose end what others did before them may have decided.

Each has sessions of its own, and budgets and breakers begin anew for it. What is counted over all sessions does not,
since nothing ends it but time: duties, powers and rates of guarantees, what monitors of the fleet remember, and how
often people may be asked.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from remit.assure.attack.results import AttemptResult
from remit.facts.guarantee import NoFlow
from remit.facts.monitor import MonitorScope
from remit.pdp.guarantees import GUARANTEE
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code

_ASKING: Final = "limits on asking"


def carried(bundle: Bundle, results: Iterable[AttemptResult]) -> dict[str, tuple[str, ...]]:
    """By the id of each such attempt, what counts over all sessions and may have decided of it."""
    found = {one.attempt.ident: tuple(sorted(set(_of(bundle, one)))) for one in results}
    return {ident: by for ident, by in found.items() if by}


def _of(bundle: Bundle, result: AttemptResult) -> Iterator[str]:
    for decided in result.evidence:
        for because in decided.because:
            if because.code == Code.APPROVAL_TOO_OFTEN:
                yield _ASKING
            elif because.code == Code.GUARANTEE and _counts(bundle, because.where or ""):
                yield str(because.where)
        yield from (f"monitor/{name}" for name in _asked(bundle, decided.tool))


def _counts(bundle: Bundle, where: str) -> bool:
    """Whether the guarantee counts what other sessions did."""
    guarantee = bundle.catalog.guarantees.get(where.removeprefix(GUARANTEE))
    held = None if guarantee is None else guarantee.rule
    return not isinstance(held, NoFlow) and getattr(held, "scope", MonitorScope.FLEET) is MonitorScope.FLEET


def _asked(bundle: Bundle, called: str) -> Iterator[str]:
    """The monitors of the fleet that policies on a call of `called` ask, whatever these answered."""
    server, _, name = called.partition("/")
    form = bundle.tools.get((server, name))
    if form is None:
        return
    part = bundle.slice_of(form.tool)
    for monitor in bundle.catalog.monitors.values():
        if monitor.scope is MonitorScope.FLEET and part.asks(monitor.name):
            yield monitor.name
