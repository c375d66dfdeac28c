"""What came of looking at a change: each check with its figures and what it refuses for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from remit.facts.admission import Check
from remit.facts.canonical import Json

FINDINGS_MAX: Final = 20
"""How many findings of one check are told; how many there are is always told."""
_CHARS_MAX: Final = 2_000
_NOTHING: Final[Mapping[str, Json]] = {}


class CheckState(StrEnum):
    """How a check came out. `unfinished` refuses as `failed` does; `left-out` is what the terms leave out."""

    PASSED = "passed"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    LEFT_OUT = "left-out"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check. `findings` say what refuses, each in a line, steps of a chain in further ones.

    `next` is the command to go on with.
    """

    check: Check
    state: CheckState
    figures: Mapping[str, Json] = field(default_factory=lambda: _NOTHING)
    findings: tuple[str, ...] = ()
    next: str = ""

    @property
    def refuses(self) -> bool:
        """Whether a bundle may not run because of it."""
        return self.state in {CheckState.FAILED, CheckState.UNFINISHED}

    def to_json(self) -> dict[str, Json]:
        """For the ledger and for programs; long lists are cut, and say so."""
        findings = [finding[:_CHARS_MAX] for finding in self.findings[:FINDINGS_MAX]]
        if len(self.findings) > FINDINGS_MAX:
            findings.append(f"and {len(self.findings) - FINDINGS_MAX} more")
        return {
            "check": self.check.value,
            "state": self.state.value,
            "figures": dict(self.figures),
            "findings": list(findings),
            "next": self.next,
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "CheckResult":
        """The inverse of `to_json`."""
        return cls(
            Check(value["check"]),
            CheckState(value["state"]),
            value["figures"],
            tuple(value["findings"]),
            value["next"],
        )


def refusing(checks: Sequence[CheckResult]) -> tuple[Check, ...]:
    """The checks because of which a bundle may not run."""
    return tuple(check.check for check in checks if check.refuses)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The bundle `digest` may take the place of `base`, from a folder with this `fingerprint`.

    `record` is what is on record of that.
    """

    digest: str
    base: str
    fingerprint: str
    record: Mapping[str, Json]
