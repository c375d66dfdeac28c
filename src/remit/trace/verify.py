"""Does a ledger hold what it says? Pure: stored rows in, findings out.

What is checked, by the invariant it belongs to:
* chain-links: every record's bytes hash to its stored hash, name their own place, follow on the
  record before, and commit to their body, which is there; a chain's first record is its epoch's, and
  names the last record of the epoch before; a replica's epochs count from 1 without a gap;
* intent-before-effect: an outcome belongs to one earlier intent, an intent has one outcome;
* label-before-data: an outcome whose result was released labels every session of its intent
  with all that the tool's results bring;
* approval-binds-exact-action: a decision and a claim are about the very action that was asked
  for; a claim follows the yes that completed it, once;
* no-permit-without-policy: no intent has the verdict deny;
* budget-never-overspent: no intent takes more from a budget than is left there;
* bundle-in-every-record: every judged, forwarded, ended or decided action names its bundle.

A body that is gone is a finding, unless a later record says that it was erased, and keeps its frame
(`trace.erasure`), which is what the rest is checked with; an epoch's never goes. That nothing is missing
at the end cannot be seen from the rows alone: keep a checkpoint elsewhere. Whether the state tables are
what the records fold to is for who holds the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never, cast

from remit.facts.budget import Charge, left_of, refunds_in
from remit.facts.label import closed
from remit.facts.record import Receipt, Record, RecordKind, Ref
from remit.trace.bodies import UNANSWERED, AdminBody, Choice, DecisionBody, Event, ExchangeBody, MidCall, OutcomeBody
from remit.trace.chain import parts
from remit.trace.encoding import decode_body
from remit.trace.erasure import frames
from remit.trace.glance import Glance, glance
from remit.trace.links import LedgerFinding, LedgerRow, check_row
from remit.trace.members import Undecodable
from remit.trace.report import JUMP_MS, Report
from remit.trace.rounds import responses_hash
from remit.trace.spent import Spent, spends

_ENDING: Final = frozenset({Event.APPROVAL_EXPIRED, Event.APPROVAL_CANCELLED, Event.APPROVAL_SUPERSEDED})
_BUNDLED: Final = frozenset(RecordKind) - {RecordKind.ADMIN}
FINDINGS_MAX: Final = 1_000
"""How many findings a report holds in full; it counts the others."""

Seen: TypeAlias = ExchangeBody | OutcomeBody | DecisionBody | AdminBody | Glance
"""What verification reads of a body: all of it, of an action no more than it needs."""


def verify(rows: Iterable[LedgerRow]) -> Report:
    """The report on `rows`, given in order of chains and sequence."""
    verifier = Verifier()
    for row in rows:
        verifier.feed(row)
    return verifier.report()


@dataclass(slots=True)
class _Request:
    """What an approval was asked for, and what runs by it: the same, unless a person edited it."""

    action: str
    approved: bool = False
    edited: str | None = None

    @property
    def runs(self) -> str:
        return self.action if self.edited is None else self.edited


@dataclass(slots=True)
class Verifier:
    """Verification, one row at a time; memory grows with what is open or in doubt, not with the ledger."""

    _head: Receipt | None = None
    _heads: dict[str, Receipt] = field(default_factory=dict[str, Receipt])
    _latest: dict[str, str] = field(default_factory=dict[str, str])
    _records: int = 0
    _erased: int = 0
    _intents: int = 0
    _outcomes: int = 0
    _open: dict[str, Glance] = field(default_factory=dict[str, Glance])
    _unanswered: dict[str, tuple[Charge, ...]] = field(default_factory=dict[str, tuple[Charge, ...]])
    _requests: dict[str, _Request] = field(default_factory=dict[str, _Request])
    _findings: list[LedgerFinding] = field(default_factory=list[LedgerFinding])
    _more: int = 0
    _missing: dict[str, tuple[LedgerRow, bytes]] = field(default_factory=dict[str, tuple[LedgerRow, bytes]])
    _erasures: list[str] = field(default_factory=list[str])
    _at: int = 0
    _jumps: list[tuple[Ref, int]] = field(default_factory=list[tuple[Ref, int]])
    _spent: Spent = field(default_factory=Spent)

    def feed(self, row: LedgerRow, kept: bytes | None = None) -> tuple[Record, Seen] | None:
        """Check the next row; what it says, None where it cannot be read.

        `kept` is the frame of a body that is gone, if a later record is known to keep one.
        """
        self._records += 1
        self._erased += row.body is None
        same = self._head is not None and self._head.ref.chain == row.ref.chain
        before = self._head if same else None
        ended = None if same else self._new_chain(row)
        found, record = check_row(row, before, whole=True)
        for finding in found:
            self.note(finding)
        self._head = self._heads[row.ref.chain] = Receipt(row.ref, row.hash.hex())
        if record is not None:
            if self._at - record.at > JUMP_MS and len(self._jumps) < FINDINGS_MAX:
                self._jumps.append((row.ref, self._at - record.at))
            self._at = record.at
        body = None if record is None else self._read_body(row, record, kept)
        if row.ref.seq == 1:
            # Whatever became of its body: without it the epochs before could be cut unseen.
            self._check_epoch(row, body, ended)
        elif row.body is None and kept is not None:
            self._missing[str(row.ref)] = row, kept
        elif row.body is None:
            self._say(row, "chain-links", "its body is gone, and no record says that it was erased")
        if record is None or body is None:
            return None
        self._check_body(row, record.kind, body)
        return record, body

    def note(self, finding: LedgerFinding) -> None:
        """Add a finding of whoever reads the rows."""
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(finding)
        else:
            self._more += 1

    def report(self) -> Report:
        """What was found so far."""
        for row, _ in self._missing.values():
            self._say(row, "chain-links", "its body is gone, and no record says that it was erased")
        self._missing.clear()
        newest: dict[str, int] = {}
        for chain in self._heads:
            replica, epoch = parts(chain)
            newest[replica] = max(epoch, newest.get(replica, 0))
        current = {f"{replica}-{epoch}" for replica, epoch in newest.items()}
        refs = [Ref.parse(ident) for ident in self._open]
        return Report(
            records=self._records,
            chains=len(self._heads),
            erased=self._erased,
            intents=self._intents,
            outcomes=self._outcomes,
            open=tuple(ref for ref in refs if ref.chain in current),
            in_doubt=tuple(ref for ref in refs if ref.chain not in current),
            heads=tuple(self._heads.values()),
            findings=tuple(self._findings),
            more_findings=self._more,
            erasures=tuple(self._erasures),
            jumps=tuple(self._jumps),
        )

    def _say(self, row: LedgerRow, invariant: str, what: str) -> None:
        self.note(LedgerFinding(row.ref, invariant, what))

    def _read_body(self, row: LedgerRow, record: Record, frame: bytes | None) -> Seen | None:
        if record.kind in _BUNDLED and not record.bundle:
            self._say(row, "bundle-in-every-record", "it names no bundle")
        self._intents += record.kind is RecordKind.INTENT
        self._outcomes += record.kind is RecordKind.OUTCOME
        data = frame if row.body is None else row.body
        if data is None:
            return None
        try:
            return _decoded(record.kind, data, erased=row.body is None)
        except Undecodable as error:
            self._say(row, "chain-links", f"its body cannot be read: {error}")
            return None

    def _new_chain(self, row: LedgerRow) -> Receipt | None:
        """The end of the replica's epoch before, which the first record of this one has to name."""
        chain = row.ref.chain
        if chain in self._heads:
            self._say(row, "chain-links", "its chain goes on after another one began")
        replica, epoch = parts(chain)
        latest = self._latest.get(replica)
        self._latest[replica] = chain
        follows = 1 if latest is None else parts(latest)[1] + 1
        if epoch != follows:
            self._say(row, "chain-links", f"it begins epoch {epoch} of {replica}, expected here is epoch {follows}")
        return None if latest is None else self._heads[latest]

    def _check_body(self, row: LedgerRow, kind: RecordKind, body: Seen) -> None:
        match body:
            case Glance():
                self._check_action(row, kind, body)
            case ExchangeBody():
                self._check_exchange(row, body)
            case OutcomeBody():
                self._check_outcome(row, body)
            case DecisionBody():
                self._check_decision(row, body)
            case AdminBody():
                if body.event in _ENDING:
                    self._requests.pop(body.subject, None)
                elif body.event is Event.LEDGER_ERASED:
                    self._check_erasure(row, body)
                elif body.event is Event.INTENT_SETTLED:
                    self._check_settled(row, body)
                else:
                    self._spent.said(body)
            case _:
                assert_never(body)

    def _check_action(self, row: LedgerRow, kind: RecordKind, body: Glance) -> None:
        if kind is RecordKind.INTENT:
            self._check_intent(row, body)
        elif body.verdict == "escalate" and body.approval is None:
            self._requests[str(row.ref)] = _Request(body.action)

    def _check_erasure(self, row: LedgerRow, body: AdminBody) -> None:
        """Only a body that is named, and of which just this frame is kept, may be gone."""
        kept_frames = frames(body)
        for ident, frame in kept_frames.items():
            missing = self._missing.pop(ident, None)
            if missing is None:
                self._say(row, "chain-links", f"it erased {ident[:40]}, whose body is still there: remit up")
            elif missing[1] != frame:
                self._say(missing[0], "chain-links", f"{row.ref} keeps something else of its body")
        why = str(body.data.get("why", ""))
        self._erasures.append(f"{', '.join(kept_frames)} erased by {body.by} in {row.ref}: {why}")

    def _check_epoch(self, row: LedgerRow, body: Seen | None, ended: Receipt | None) -> None:
        """INVARIANT(chain-links), between the epochs of one replica."""
        if not isinstance(body, AdminBody) or body.event is not Event.EPOCH:
            self._say(row, "chain-links", "the first record of its chain does not begin an epoch")
            return
        replica, epoch = parts(row.ref.chain)
        for ident, intent in self._open.items():
            begun = parts(Ref.parse(ident).chain)
            # In doubt from here on; a tool that is told by a key may be called once more under the same approval.
            if intent.nonce is not None and intent.approval is not None and begun[0] == replica and begun[1] < epoch:
                self._requests.setdefault(intent.approval, _Request(intent.action, approved=True))
        if body.subject != row.ref.chain:
            self._say(row, "chain-links", f"it begins another epoch: {body.subject[:32]!r}")
        heads = body.data.get("heads")
        expected = [] if ended is None else [{"chain": ended.ref.chain, "seq": ended.ref.seq, "hash": ended.hash}]
        if heads != expected:
            what = "none" if ended is None else f"{ended.ref}, hash {ended.hash[:16]}…"
            self._say(row, "chain-links", f"it does not name the end of the epoch before, which is {what}")

    def _check_intent(self, row: LedgerRow, body: Glance) -> None:
        if body.verdict == "deny":
            self._say(row, "no-permit-without-policy", "it was forwarded though denied")
        for what in self._spent.intent(body.charges):
            self._say(row, "budget-never-overspent", what)
        if body.approval is not None:
            request = self._requests.pop(body.approval, None)
            self._check_request(row, body.approval, body.action, request and request.runs)
            if request is not None and not request.approved:
                self._say(row, "approval-binds-exact-action", f"{body.approval} was not approved yet")
        self._open[str(row.ref)] = body

    def _check_outcome(self, row: LedgerRow, body: OutcomeBody) -> None:
        """INVARIANT(intent-before-effect), INVARIANT(label-before-data)."""
        intent = self._open.pop(body.intent, None)
        if intent is None:
            what = f"{body.intent[:40]} is no intent before it, or had its outcome already"
            self._say(row, "intent-before-effect", what)
            return
        for what in self._spent.outcome(intent.charges, body.refunds):
            self._say(row, "budget-never-overspent", what)
        if body.status in UNANSWERED or spends(body, intent.charges):
            self._unanswered[body.intent] = left_of(intent.charges, body.refunds)
        if body.approval != intent.approval:
            self._say(row, "approval-binds-exact-action", "its intent claimed another approval")
        if body.result is None:
            return
        unlabelled = frozenset(intent.source) - frozenset(body.labels)
        if unlabelled and (unlabelled := closed(intent.source) - closed(body.labels)):
            names = ", ".join(sorted(unlabelled))
            self._say(row, "label-before-data", f"the result was released without: {names}")
        if body.labels and not set(intent.sids).issubset(body.sids):
            self._say(row, "label-before-data", "its labels miss a session of the chain")

    def _check_settled(self, row: LedgerRow, body: AdminBody) -> None:
        """A person may say what became of an intent in doubt, or spent in vain, of no other; budgets get it back."""
        if body.subject in self._unanswered:
            self._refund(row, self._unanswered.pop(body.subject), body)
            return
        if body.subject in self._open:
            (replica, epoch), (here, now) = parts(Ref.parse(body.subject).chain), parts(row.ref.chain)
            if replica == here and epoch < now:
                self._refund(row, self._open.pop(body.subject).charges, body)
                return
        self._say(row, "intent-before-effect", f"{body.subject[:40]}, which it settles, was not in doubt")

    def _refund(self, row: LedgerRow, charges: Sequence[Charge], body: AdminBody) -> None:
        for what in self._spent.outcome(charges, refunds_in(body.data)):
            self._say(row, "budget-never-overspent", what)

    def _check_exchange(self, row: LedgerRow, body: ExchangeBody) -> None:
        """INVARIANT(intent-before-effect), INVARIANT(label-before-data), INVARIANT(approval-binds-exact-action)."""
        intent = self._open.get(body.intent)
        if intent is None:
            self._say(row, "intent-before-effect", f"{body.intent[:40]} is no intent under way")
            return
        bare = body.passed is not MidCall.RESPONSES and closed(intent.source) - closed(body.labels)
        if bare or (body.labels and not set(intent.sids).issubset(body.sids)):
            self._say(row, "label-before-data", "words of the server passed without all labels in every session")
        if body.approval is not None:
            request = self._requests.pop(body.approval, None)
            bound = intent.erased or (request is not None and request.action == responses_hash(intent.data, body))
            if request is None or not request.approved or not bound:
                self._say(row, "approval-binds-exact-action", f"{body.approval[:40]} was not approved for it")

    def _check_decision(self, row: LedgerRow, body: DecisionBody) -> None:
        request = self._requests.get(body.approval)
        if body.choice is Choice.REVIEW or body.choice is Choice.GRANT or body.choice is Choice.REVOKE:
            # It looks back at what may be over.
            return
        self._check_request(row, body.approval, body.action, request and request.action)
        if request is None:
            return
        match body.choice:
            case Choice.APPROVE:
                request.edited = body.approved or request.edited
                request.approved = request.approved or body.completes
            case Choice.BREAK_GLASS:
                request.approved = True
            case Choice.DENY:
                del self._requests[body.approval]
            case Choice.DELEGATE:
                pass
            case _:
                assert_never(body.choice)

    def _check_request(self, row: LedgerRow, ident: str, action: str, requested: str | None) -> None:
        """INVARIANT(approval-binds-exact-action)."""
        if requested is None:
            self._say(row, "approval-binds-exact-action", f"{ident[:40]} asked for nothing, or had ended")
        elif requested != action:
            self._say(row, "approval-binds-exact-action", f"{ident[:40]} asked for another action")


def _decoded(kind: RecordKind, data: bytes, *, erased: bool) -> Seen:
    if kind is RecordKind.INTENT or kind is RecordKind.PROPOSAL:
        glimpse = glance(data)
        glimpse.erased = erased
        return glimpse
    return cast("Seen", decode_body(kind, data))  # only those two kinds decode to an action
