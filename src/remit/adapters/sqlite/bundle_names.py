"""Which bundles the ledger's records name, read backwards until a moment; each page is one short transaction."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from remit.adapters.sqlite import approvals, reads
from remit.adapters.sqlite.segment import Stored
from remit.facts.record import RecordKind
from remit.trace.bodies import AdminBody, Event
from remit.trace.encoding import decode_record

PAGE: Final = 10_000
_END: Final = (1 << 63) - 1
_OPEN_MAX: Final = 1_000_000


def mentioned_bundles(path: Path, since_ms: int) -> frozenset[str]:
    """The digests in the records of the ledger at `path` since then, and of what came into force last. Blocks.

    Where an approval is open that was opened earlier, it is since then. A page is read to its beginning, so that a
    clock that was set back leaves out none of the records beside it.
    """
    digests: set[str] = set()
    with closing(reads.open_readonly(path)) as conn:
        waiting = approvals.OpenApprovals()(conn, _OPEN_MAX)
        since_ms = min([since_ms, *(approval.opened_ms for approval in waiting)])
        end = _END
        while page := reads.stored_before(conn, end, 0, PAGE):
            mentions = list(_mentions(page))
            digests.update(mention.digest for mention in mentions if mention.at_ms >= since_ms)
            if end == _END:
                # The record that a bundle comes into force is still one of the bundle before.
                digests.add(mentions[-1].digest)
                digests.update([mention.digest for mention in mentions if mention.begins][-1:])
            end = page[0].id
            if mentions[-1].at_ms < since_ms:
                break
    return frozenset(digests)


class _Mention(NamedTuple):
    """A bundle that a record of that moment is of, or says to begin."""

    at_ms: int
    digest: str
    begins: bool = False


def _mentions(page: Iterable[Stored]) -> Iterator[_Mention]:
    for stored in page:
        record = decode_record(stored.record)
        yield _Mention(record.at, record.bundle)
        if record.kind is RecordKind.ADMIN:
            body = reads.entry(stored).body
            if isinstance(body, AdminBody) and body.event is Event.BUNDLE:
                yield _Mention(record.at, body.subject, begins=True)
