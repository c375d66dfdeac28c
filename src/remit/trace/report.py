"""What verification of a ledger found, as it is told."""

from dataclasses import dataclass
from typing import Final

from remit.facts.durations import MINUTE_MS
from remit.facts.record import Receipt, Ref
from remit.trace.links import LedgerFinding

JUMP_MS: Final = MINUTE_MS
"""How far back a clock is set before it is told."""


@dataclass(frozen=True, slots=True)
class Report:
    """What verification found.

    `open` are intents of each replica's last epoch without an outcome: in flight while the
    service runs, in doubt otherwise; `in_doubt` those of earlier epochs. `heads` is the last
    record of each chain: what to keep elsewhere against truncation. `uncompared` says why the
    state tables were not compared with the records; None where they were.
    """

    records: int
    chains: int
    erased: int
    intents: int
    outcomes: int
    open: tuple[Ref, ...]
    in_doubt: tuple[Ref, ...]
    heads: tuple[Receipt, ...]
    findings: tuple[LedgerFinding, ...]
    more_findings: int = 0
    uncompared: str | None = "the records alone were given"
    erasures: tuple[str, ...] = ()
    """By whom, by which record, of which records and why bodies were erased."""
    jumps: tuple[tuple[Ref, int], ...] = ()
    """Records whose time is more than `JUMP_MS` before that of the record before them, and by how much (ms).

    Clocks are set back in earnest, so it is no finding: order is that of the chain, and times are what they are.
    """

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings
