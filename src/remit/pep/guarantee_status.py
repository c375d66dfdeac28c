"""How guarantees stand: what monitors and guarantees keep, what owners let run, what was denied of late."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from remit.facts.guarantee import SignOff
from remit.facts.mark import FLEET
from remit.facts.record import Ref
from remit.pdp.guarantees import GUARANTEE
from remit.pdp.past_deltas import PastCarried, PastMarked, SignedOff
from remit.policy.verdict import Code
from remit.ports.ledger import Ledger
from remit.protect.past import Past
from remit.trace.bodies import ActionBody, Body

DENIALS_MAX: Final = 20
"""How many denials of each guarantee are remembered."""


class GuaranteeStatus:
    """A fold of the ledger but for the denials, which are those since the service began."""

    def __init__(self) -> None:
        self.past = Past()
        """What monitors and guarantees keep."""
        self._signed: dict[str, SignOff] = {}
        self._denied: dict[str, deque[str]] = {}

    async def load(self, ledger: Ledger) -> None:
        """Read what must be known before the first decision."""
        self.past = Past(await ledger.past(FLEET))
        self._signed.update(await ledger.sign_offs())

    def take(self, delta: PastMarked | PastCarried | SignedOff) -> None:
        """Change by it."""
        match delta:
            case PastMarked():
                self.past.take(*delta)
            case PastCarried(place, slot):
                self.past.put(place, slot)
            case SignedOff(said):
                self._signed[said.breach] = said

    def note(self, ref: Ref, body: Body) -> None:
        """Remember what a guarantee denied."""
        if not isinstance(body, ActionBody) or body.verdict != "deny":
            return
        for reason in body.reasons:
            if reason.code is Code.GUARANTEE and reason.where is not None:
                name = reason.where.removeprefix(GUARANTEE)
                self._denied.setdefault(name, deque(maxlen=DENIALS_MAX)).appendleft(str(ref))

    @property
    def sign_offs(self) -> Mapping[str, SignOff]:
        """What owners of guarantees let run, by the digest of what breaks one."""
        return self._signed

    def denied_by(self, guarantee: str) -> Sequence[str]:
        """The last decision ids that `guarantee` denied, the latest first."""
        return tuple(self._denied.get(guarantee, ()))
