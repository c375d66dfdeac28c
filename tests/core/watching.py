"""A small world whose past is kept: actions decided one after the other, each record folded as by the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from remit.facts.action import Action
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.guarantee import Guarantee
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.monitor import SHARE, WAYS, Happening, Monitor, Selector, When
from remit.facts.record import RecordKind, Ref
from remit.facts.tool import Effect
from remit.pdp.decide import decide
from remit.pdp.decision import Decision, Forward
from remit.pdp.fold import fold
from remit.pdp.past import marks_at_end
from remit.pdp.past_deltas import PastMarked
from remit.pdp.snapshot import Lift
from remit.policy.bundle import Bundle
from remit.protect.past import Past
from remit.trace.bodies import ActionBody, AdminBody, OutcomeBody, Status
from tests.core.deciding import NOW, body, catalog, schema, snapshot, tool

ALONE = WAYS * SHARE // (SHARE + 1)
"""How many keys of a slot one agent may fill where it is alone."""

ANY = '@id("any") permit (principal, action, resource);'


def event(
    *tools: str, when: When = When.STARTED, path: str | None = None, equals: str | bool | None = None
) -> Happening:
    return Happening(Selector(frozenset(tools)), when, path=path, equals=equals)


def watched(
    *policies: str, monitors: Iterable[Monitor] = (), guarantees: Iterable[Guarantee] = (), permit: str = ANY
) -> Catalog:
    """The small shop, with `bank/check`, `bank/pay` (its amount an impact), `docs/draft` and `docs/release`."""
    document = schema(("id",), id={"type": "string"})
    pay = tool("web", "pay", schema(("amount",), amount={"type": "number"}), effect=Effect.IRREVERSIBLE)
    more = (
        tool("web", "check", schema(), effect=Effect.READ),
        replace(pay, impact={"amount": Extractor("$.amount", ImpactMeasure.NUMBER)}),
        tool("shop", "draft", document),
        tool("shop", "release", schema(("doc",), doc={"type": "string"})),
    )
    return replace(
        catalog(permit, *policies, tools=more),
        monitors={one.name: one for one in monitors},
        guarantees={one.name: one for one in guarantees},
    )


@dataclass(slots=True)
class World:
    """What is decided one after the other. `past` is what the records of it fold to; the last was done `began_ms`."""

    bundle: Bundle
    now_ms: int = NOW
    began_ms: int = NOW
    past: Past = field(default_factory=lambda: Past(whole=True))
    seq: int = 0

    def ask(self, asked: Action, *, labels: Iterable[str] = (), lift: Lift | None = None) -> Decision:
        """Decided, and of no consequence."""
        shot = replace(snapshot(self.bundle, asked, labels=labels, lift=lift), past=self.past)
        return decide(shot, asked, self.now_ms)

    def do(self, asked: Action) -> Decision:
        """Decided, and recorded."""
        decision, self.began_ms = self.ask(asked), self.now_ms
        made = body(decision)
        self.fold(RecordKind.INTENT if made.verdict == "permit" else RecordKind.PROPOSAL, made)
        return decision

    def end(self, asked: Action, decision: Decision, status: Status = Status.OK, result: Json = None) -> None:
        """The outcome of what was permitted."""
        reached = next(effect.destination for effect in decision.effects if isinstance(effect, Forward))
        marks = marks_at_end(self.bundle.catalog, asked, reached, self.began_ms, status, result)
        outcome = OutcomeBody("r.1", status, asked.authority.sids, (), None, None, 0, 0.0, marks=marks)
        self.fold(RecordKind.OUTCOME, outcome)

    def run(self, asked: Action, status: Status = Status.OK, result: Json = None) -> Decision:
        """Decided and, where it is permitted, done."""
        decision = self.do(asked)
        if any(isinstance(effect, Forward) for effect in decision.effects):
            self.end(asked, decision, status, result)
        return decision

    def fold(self, kind: RecordKind, made: ActionBody | OutcomeBody | AdminBody) -> None:
        """Have the past follow from a record."""
        self.seq += 1
        for delta in fold(Ref("r", self.seq), self.now_ms, kind, made):
            if isinstance(delta, PastMarked):
                self.past.take(*delta)


def structured(**said: Json) -> Mapping[str, Json]:
    """A result with structured content."""
    return {"content": [], "structuredContent": said}
