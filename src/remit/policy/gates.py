"""Gates: forbids that named humans may lift for one exact action.

Laws: a gate lifts itself and nothing else; one forbid that is no gate keeps the denial; every
gate that applies must be lifted, each by its own route; lifting permits nothing by itself.
"""

from collections.abc import Iterable

from remit.policy.slice import Policy
from remit.policy.verdict import Gate


def liftable(forbids: Iterable[Policy]) -> tuple[Gate, ...] | None:
    """The gates to lift, where every forbid in `forbids` is one; None where any is not."""
    gates: list[Gate] = []
    for policy in forbids:
        if policy.gate is None:
            return None
        gates.append(policy.gate)
    return tuple(sorted(gates))
