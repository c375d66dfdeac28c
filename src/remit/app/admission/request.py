"""What the process that looks at a change is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from remit.control.resources import WorkspaceSource
from remit.facts.admission import AdmissionTerms
from remit.facts.guarantee import SignOff


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What is looked at: the `workspace` folder, against the `running` source and the `ledger`, by `terms`.

    `now_ms` is when. Without a `running` source everything is new. Where what runs was not `admitted`, it is no measure
    of what may change: what was decided is.
    """

    workspace: Path
    ledger: Path
    running: WorkspaceSource | None
    terms: AdmissionTerms
    signed: Mapping[str, SignOff]
    now_ms: int
    admitted: bool = True
