"""How sure an agent is said to be: a number from 0 to 1, and who says so.

Laws
* What an agent says of itself may only make a verdict stricter: of all it ever said in a session the least counts, and
  saying nothing is the most lenient thing that it can say. Policy's half of this is `policy.confidence`.
* The trusted harness around it may say something else later; both said, the less counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.facts.impact import PLACES


@dataclass(frozen=True, slots=True)
class Confidence:
    """What was said in one session, in units of the fourth decimal place: `agent` is the least it said of itself."""

    agent: int | None = None
    harness: int | None = None

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self.agent is not None or self.harness is not None

    @property
    def units(self) -> int:
        """The number that counts."""
        return min(one for one in (self.agent, self.harness, PLACES) if one is not None)

    @property
    def source(self) -> str:
        """Whose: the harness's where it said anything, so that no agent speaks for it or silences it."""
        return "agent" if self.harness is None else "harness"

    def stated(self, source: str, units: int) -> "Confidence":
        """It, once `source` said `units` more."""
        if source == "harness":
            return Confidence(self.agent, units)
        return Confidence(units if self.agent is None else min(units, self.agent), self.harness)


UNSAID = Confidence()


def least(confidences: Iterable[Confidence]) -> Confidence:
    """What counts for a delegation chain: of each source the least of any session."""
    stated = [one for one in confidences if one]
    return Confidence(
        min((one.agent for one in stated if one.agent is not None), default=None),
        min((one.harness for one in stated if one.harness is not None), default=None),
    )


def units_of(value: object) -> int | None:
    """`value`, a number from 0 to 1 with at most four decimal places, in units; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    units = round(value * PLACES)
    return units if units / PLACES == value else None
