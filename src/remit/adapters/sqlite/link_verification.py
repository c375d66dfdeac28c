"""`remit ledger verify --links`: chain, commitments, tree and pages of a whole file, several times as fast as all.

What one record says of another, and the state, are not looked at. Records come in short transactions.
"""

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from remit.adapters.notary import verify_signature
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.pages import unsound_pages
from remit.adapters.sqlite.segment import LinkBroken, Segment, SegmentTorn, Stored, check_segment, unpack
from remit.adapters.sqlite.strays import strays
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.tiles import origin_of
from remit.adapters.sqlite.verification import UNREADABLE, at_rest, comparison_with, cut_off, open_current, page_after
from remit.facts.record import Receipt, RecordKind, Ref
from remit.trace.bodies import AdminBody, Event
from remit.trace.chain import genesis, parts
from remit.trace.comparison import KeptCheckpoint, TreeComparison
from remit.trace.encoding import decode_body, decode_record
from remit.trace.erasure import frames
from remit.trace.links import LedgerFinding
from remit.trace.note import Key, NoteWrong
from remit.trace.tree import leaf_hash
from remit.trace.verify import FINDINGS_MAX

_SEQ_MASK: Final = (1 << SEQ_BITS) - 1
_TOLD_EACH: Final = 10_000
_TOLD: Final = tuple(
    f'"{event.value}"'.encode() for event in (Event.CHECKPOINT_KEY, Event.LEDGER_ERASED, Event.LEDGER_RESTORED)
)


@dataclass(slots=True)
class LinkReport:
    """What was found; `heads` are the last records of the chains."""

    records: int = 0
    heads: dict[str, Receipt] = field(default_factory=dict[str, Receipt])
    findings: list[LedgerFinding] = field(default_factory=list[LedgerFinding])
    more_findings: int = 0
    keys: list[Key] = field(default_factory=list[Key])
    gone: set[str] = field(default_factory=set[str])
    """Records whose body is gone, and no record so far said that it was erased."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def note(self, finding: LedgerFinding) -> None:
        """Add a finding."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
        else:
            self.more_findings += 1


def verify_links(
    path: Path,
    progress: Callable[[int], None] | None = None,
    against: Sequence[KeptCheckpoint] = (),
    trusted: Sequence[Key] = (),
    *,
    marked: bool = False,
) -> LinkReport:
    """Verify the links of the ledger at `path`, which may be in use; the rest as with `verifying.verify_file`."""
    if not path.is_file():
        raise LedgerRefused(
            f"{path} was not verified", "there is no such file", "remit ledger verify --data FOLDER, or FILE"
        )
    links = LinkReport()
    try:
        with closing(open_current(path)) as conn:
            comparison = comparison_with(conn, against, links.note)
            last = -1
            while page := page_after(conn, last):
                names: dict[int, str] = dict(conn.execute("SELECT no, name FROM chain"))
                for segment in page:
                    _take(links, segment, names, comparison)
                    reported = links.records // _TOLD_EACH
                    if progress is not None and reported != (links.records - segment[1]) // _TOLD_EACH:
                        progress(reported * _TOLD_EACH)
                last = page[-1][0]
            for ref in sorted(map(Ref.parse, links.gone)):
                links.note(LedgerFinding(ref, "chain-links", "its body is gone, and no record says that it was erased"))
            findings = comparison.findings(origin_of(conn), links.keys, trusted, verify_signature)
            for finding in (*findings, *strays(conn)):
                links.note(finding)
    except SegmentTorn as error:
        links.note(LedgerFinding(None, "chain-links", str(error)))
    except UNREADABLE as error:
        links.note(LedgerFinding(None, "chain-links", f"SQLite cannot read it: {error}"))
    for finding in (*unsound_pages(path, immutable=at_rest(path)), *(cut_off(path) if marked else ())):
        links.note(finding)
    return links


def _take(links: LinkReport, segment: Segment, names: dict[int, str], comparison: TreeComparison) -> None:
    first, count, _, bodies = segment
    chain, seq = names.get(first >> SEQ_BITS), first & _SEQ_MASK
    if chain is None or not seq:
        raise SegmentTorn(f"record {first} belongs to no chain of the file")
    head = links.heads.get(chain)
    expected = 1 if head is None else head.ref.seq + 1
    if seq != expected:
        links.note(LedgerFinding(Ref(chain, seq), "chain-links", f"expected here is seq {expected}"))
    if head is None:
        _begin(links, chain, segment)
    if any(event in bodies for event in _TOLD):
        _note_admin(links, segment, chain, comparison)
    leaves: list[bytes] = []
    erased: list[int] = []
    try:
        end = check_segment((chain, seq, genesis(chain) if head is None else head.hash), segment, leaves, erased)
    except LinkBroken as error:
        links.note(LedgerFinding(Ref(chain, seq + error.number), "chain-links", error.what))
        end = segment[2][-32:].hex()
        leaves = [leaf_hash(stored.record) for stored in unpack(*segment)]
    links.gone.update(f"{chain}.{number}" for number in erased)
    comparison.feed_all(Ref(chain, seq), leaves)
    links.records += count
    links.heads[chain] = Receipt(Ref(chain, seq + count - 1), end)


def _begin(links: LinkReport, chain: str, segment: Segment) -> None:
    """INVARIANT(chain-links), between the epochs of one replica."""
    replica, epoch = parts(chain)
    before = links.heads.get(f"{replica}-{epoch - 1}")
    expected = [] if before is None else [{"chain": before.ref.chain, "seq": before.ref.seq, "hash": before.hash}]
    body = _admin(next(iter(unpack(*segment))))
    is_named = body is not None and body.event is Event.EPOCH and body.data.get("heads") == expected
    if not is_named or (epoch > 1) != (before is not None):
        what = "it does not begin an epoch and name the end of the one before"
        links.note(LedgerFinding(Ref(chain, segment[0] & _SEQ_MASK), "chain-links", what))


def _note_admin(links: LinkReport, segment: Segment, chain: str, comparison: TreeComparison) -> None:
    for stored in unpack(*segment):
        body = _admin(stored) if any(event in (stored.body or b"") for event in _TOLD) else None
        if body is None:
            continue
        if body.event is Event.LEDGER_RESTORED:
            comparison.restored(Ref(chain, stored.id & _SEQ_MASK), str(body.data.get("log")))
        if body.event is Event.LEDGER_ERASED:
            comparison.erased(Ref(chain, stored.id & _SEQ_MASK))
        links.gone.difference_update(frames(body))
        if body.event is Event.CHECKPOINT_KEY:
            with suppress(NoteWrong):
                links.keys.append(Key.parse(str(body.data.get("key"))))


def _admin(stored: Stored) -> AdminBody | None:
    try:
        if stored.body is None or decode_record(stored.record).kind is not RecordKind.ADMIN:
            return None
        body = decode_body(RecordKind.ADMIN, stored.body)
    except ValueError:
        return None
    return body if isinstance(body, AdminBody) else None
