"""Reasons with the policy lines that they come from, for `remit why`."""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.policy.bundle import Bundle
from remit.policy.verdict import Reason


@dataclass(frozen=True, slots=True)
class Explained:
    """A reason and the lines of its policy: `(number, text)`, numbers counting from 1.

    No lines where no policy says it, or where the running bundle no longer holds that policy.
    """

    reason: Reason
    lines: tuple[tuple[int, str], ...]


def explain(bundle: Bundle, reasons: Iterable[Reason]) -> tuple[Explained, ...]:
    """`reasons` with their source lines.

    A policy that has moved since is not shown as if it had not: its lines come with the reason
    only where `file:line` still agrees.
    """
    return tuple(Explained(reason, _lines(bundle, reason)) for reason in reasons)


def _lines(bundle: Bundle, reason: Reason) -> tuple[tuple[int, str], ...]:
    policy = bundle.policies.get(reason.policy or "")
    if policy is None or policy.where != reason.where:
        return ()
    return tuple(enumerate(policy.statement.text.split("\n"), policy.statement.line))
