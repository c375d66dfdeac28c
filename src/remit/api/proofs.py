"""Routes of what strangers can check: signed checkpoints, and proofs that a record is under one."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from remit.api.access import named
from remit.api.answers import CheckpointAnswer, ContinuationAnswer, LogKeyAnswer, ProofAnswer
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.problem import Problem, not_found
from remit.api.requests import Empty, RefPath
from remit.facts.record import Ref
from remit.ports.transparency import Unprovable
from remit.trace.note import Checkpoint, encoded

router = APIRouter(route_class=GuardedRoute, tags=["ledger"])

_SIZE_MAX: Final = 2**53 - 1


@router.get("/ledger/checkpoint")
async def checkpoint(services: With, _: ByReader) -> CheckpointAnswer:
    """A checkpoint over everything that is durable, signed: keep it where the ledger is not."""
    try:
        note = await services.transparency.checkpoint()
    except Unprovable as error:
        raise _unprovable(error) from error
    said = Checkpoint.parse(note.text)
    return CheckpointAnswer(origin=said.origin, size=said.size, root=encoded(said.root), checkpoint=str(note))


@router.get("/ledger/consistency")
async def consistency(
    services: With, _: ByReader, since: Annotated[int, Query(ge=1, le=_SIZE_MAX)]
) -> ContinuationAnswer:
    """That the ledger goes on from its first `since` records (RFC 6962, section 2.1.2)."""
    try:
        found = await services.transparency.since(since)
    except Unprovable as error:
        raise _unprovable(error) from error
    return ContinuationAnswer(since=found.old, path=[encoded(one) for one in found.path], checkpoint=str(found.note))


@router.get("/ledger/proof/{ref}")
async def proof(ref: RefPath, services: With, _: ByAdmin, *, reveal: bool = False) -> ProofAnswer:
    """That a record is in the ledger, in the form of C2SP `tlog-proof`; with `reveal`, its body too."""
    try:
        found = await services.transparency.prove(Ref.parse(ref), reveal=reveal)
    except KeyError as error:
        raise not_found(f"record: {ref}", "remit logs") from error
    except Unprovable as error:
        raise _unprovable(error) from error
    return ProofAnswer(id=ref, index=found.index, proof=str(found))


@router.post("/ledger/key/rotate")
async def rotate(services: With, caller: ByAdmin, _: Empty | None = None) -> LogKeyAnswer:
    """Sign checkpoints with a new key from now on; the one before signs beside it for a day."""
    key = await services.transparency.rotate(named(caller))
    return LogKeyAnswer(id=key.id.hex(), key=str(key))


def _unprovable(error: Unprovable) -> Problem:
    return Problem(409, "nothing can be proved of this ledger", why=str(error), next="remit ledger verify")
