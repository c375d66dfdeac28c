"""What `decide` answers: a verdict, its reasons, and the effects the driver must perform."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from remit.facts.action import Action
from remit.facts.record import RecordKind
from remit.policy.destination import Destination
from remit.policy.verdict import Reason, Verdict
from remit.protect.detect.detectors import NOTHING, Findings
from remit.trace.bodies import ActionBody, ExchangeBody


class Append(NamedTuple):
    """Make this record durable before anything else happens.

    INVARIANT(intent-before-effect)
    """

    kind: RecordKind
    body: ActionBody | ExchangeBody


class Forward(NamedTuple):
    """Send exactly these argument bytes to what the action reaches, once the record is durable."""

    destination: Destination
    arguments: bytes


class Reshape(NamedTuple):
    """Judge `action` in place of the one that was asked for, which obligations change. Nothing is recorded yet."""

    action: Action


class Resolve(NamedTuple):
    """Look up the addresses of `hosts`, and judge the action again with what was found. Nothing is recorded yet."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the caller for at most `hold_s` seconds while people decide."""

    hold_s: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the caller with the reasons; nothing reaches the tool."""


Effect: TypeAlias = Append | Forward | Hold | Refuse | Reshape | Resolve


class Decision(NamedTuple):
    """The outcome of `decide`. `effects` are in the order they must happen.

    `observed` is the verdict policy gave where `observe` mode overrode it, `sends` what detectors found in what it
    sends.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    effects: tuple[Effect, ...]
    observed: Verdict | None = None
    sends: Findings = NOTHING

    @property
    def first(self) -> Reshape | Resolve | None:
        """What has to be done before it is a decision on what will happen."""
        match self.effects:
            case (Reshape() | Resolve() as first,):
                return first
            case _:
                return None
