"""What must hold at a start, when nobody waits any more, and when all is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from remit.adapters.sqlite import verify_file
from remit.facts.record import Ref
from remit.pep.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from remit.adapters.sqlite import SqliteLedger
    from remit.pep.driver import Driver
    from remit.trace.comparison import KeptCheckpoint
    from remit.trace.report import Report
    from tests.sim.laws import Laws

_OPEN: Final = frozenset({"pending", "approved"})
_INVARIANTS: Final = {"state": "state-is-a-fold"}
BROKEN_OFF: Final = "whose body is still there: remit up"
"""Of an erasure that is on record and that the next start completes: a disk that fails may leave one."""


@dataclass(slots=True)
class After:
    """The laws of a file as a whole."""

    laws: Laws

    async def doubts(self, ledger: SqliteLedger) -> None:
        """After a start: what is in doubt is what has an intent and no outcome on disk, no more and no less."""
        listed = {str(one.ref) for one in await ledger.in_doubt()}
        expected = self.laws.witness.doubtful(ledger.chain)
        if listed != expected:
            text = f"listed {sorted(listed - expected)} too many, {sorted(expected - listed)} are missing"
            self.laws.break_("in-doubt-exact", text)
        for ref in sorted(listed):
            self.laws.tell(f"in doubt {ref}")
        await self._labels(ledger)

    async def _labels(self, ledger: SqliteLedger) -> None:
        """What clients have read is in the labels of their sessions."""
        for sid, labels in self.laws.seen.items():
            session = await ledger.session(sid)
            held = frozenset[str]() if session is None else session.labels
            if not labels <= held:
                self.laws.break_(
                    "label-before-data", f"{sid} has read {sorted(labels)}, its session has {sorted(held)}"
                )

    async def fresh(self, driver: Driver, ledger: SqliteLedger) -> None:
        """What the driver holds in memory is what somebody finds who reads it afresh."""
        memory = driver._memory  # pyright: ignore[reportPrivateUsage]
        fresh = Memory(ledger)
        await fresh.load(0)
        for sid, held in memory._sessions.items():  # pyright: ignore[reportPrivateUsage]
            session = await ledger.session(sid)
            if held.session != session:
                self.laws.break_("state-is-a-fold", f"in memory {held.session}, on disk {session}")
        for ours, theirs in ((memory.approvals(), fresh.approvals()),):
            mine, his = ({one.ident: one for one in some if one.state.value in _OPEN} for some in (ours, theirs))
            if mine != his:
                self.laws.break_("state-is-a-fold", f"approvals in memory {sorted(mine)}, on disk {sorted(his)}")
        await self._labels(ledger)
        self.laws.witness.read()
        known = {
            ref for ref, one in self.laws.witness.by_ref.items() if one.ref.chain == ledger.chain and not one.ended
        }
        if known:
            self.laws.break_("goes-on", f"{sorted(known)} have no outcome though nobody waits any more")

    def all(self, path: Path, against: Sequence[KeptCheckpoint]) -> None:
        """The whole file, by the product's own verification, against what was seen and what was kept of it."""
        lost = self.laws.witness.open(path)
        if lost:
            self.laws.break_("chain-links", f"what was on disk is gone or changed: {lost[:3]}")
        for law in self.laws.also:
            law.over()
        self._complete(self._verified(path, against))
        self.laws.witness.close()

    def beside(self, path: Path, ledger: SqliteLedger) -> None:
        """`remit ledger verify` beside the service finds nothing; once it cannot write, but what that broke off."""
        self._verified(path, passes=BROKEN_OFF if ledger.unwritable() else None)

    def _verified(self, path: Path, against: Sequence[KeptCheckpoint] = (), passes: str | None = None) -> Report:
        report = verify_file(path, against=against)
        for finding in report.findings:
            if passes is not None and passes in str(finding):
                continue
            self.laws.break_(_INVARIANTS.get(finding.invariant, finding.invariant), str(finding))
        if report.uncompared is not None:
            self.laws.break_("state-is-a-fold", f"it could not be compared: {report.uncompared}")
        return report

    def _complete(self, report: Report) -> None:
        listed = {str(ref) for ref in (*report.in_doubt, *report.open)}
        if listed != self.laws.witness.under_way():
            self.laws.break_("in-doubt-exact", f"verification lists {sorted(listed)} without an outcome")
        for ref, bundle in self.laws.witness.bundles.items():
            if bundle not in self.laws.by_digest:
                self.laws.break_("bundle-in-every-record", f"{ref} names {bundle!r}, which never ran")
        assert Ref.parse(str(report.heads[-1].ref))
