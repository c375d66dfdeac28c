"""A ruling on an action that is judged and not done."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from remit.facts.action import Action
from remit.facts.feed import NO_FEEDS
from remit.pdp.decision import Append, Reshape, Resolve
from remit.pdp.effects import Ruling, decision_of
from remit.pdp.snapshot import Snapshot
from remit.policy.context import Facts
from remit.policy.verdict import Reason
from remit.trace.bodies import ActionBody


class Judgement(NamedTuple):
    """The `ruling` on `action`, by what `snapshot` says.

    Nobody reads its record, so that none is made but where it counts for what follows.
    """

    snapshot: Snapshot
    action: Action
    ruling: Ruling
    now_ms: int

    @property
    def first(self) -> Reshape | Resolve | None:
        """What has to be done before it is a ruling on what would happen."""
        return self.ruling.first

    @property
    def counts(self) -> bool:
        """Whether budgets, monitors or guarantees keep something of it."""
        destination = self.ruling.destination
        return bool(self.snapshot.draws) or (destination is not None and destination.feeds is not NO_FEEDS)

    def beside(self, reasons: tuple[Reason, ...]) -> Self:
        """It, with `reasons` after its own."""
        return self._replace(ruling=self.ruling._replace(reasons=(*self.ruling.reasons, *reasons)))

    def body(self) -> ActionBody:
        """What its record would say."""
        effects = decision_of(self.snapshot, self.action, self.ruling, self.now_ms).effects
        body = next(effect.body for effect in effects if isinstance(effect, Append))
        assert isinstance(body, ActionBody), "no call of a recording is a round"  # noqa: S101
        return body


def origins_of(facts: Facts | None) -> Mapping[str, str]:
    """Where each value came from, by path, where a policy asked."""
    if facts is None or facts.flow is None:
        return {}
    return {scalar.path: scalar.origin.word for scalar in facts.flow.traces}
