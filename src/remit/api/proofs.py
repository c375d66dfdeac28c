"""Routes of what strangers can check: signed checkpoints, and proofs that a record is under one."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from remit.api.access import caller_name
from remit.api.answers import CheckpointAnswer, ContinuationAnswer, ErasedAnswer, LogKeyAnswer, ProofAnswer
from remit.api.authenticator import Person
from remit.api.guard import ByAdmin, ByPerson, ByReader, GuardedRoute, With
from remit.api.problem import Problem, forbidden, not_found
from remit.api.requests import Empty, EraseRequest, RefPath
from remit.api.services import Services
from remit.control.servers import ERASURE
from remit.facts.record import Ref
from remit.ports.transparency import NotErasable, Unprovable
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
    parsed = Checkpoint.parse(note.text)
    return CheckpointAnswer(origin=parsed.origin, size=parsed.size, root=encoded(parsed.root), checkpoint=str(note))


@router.get("/ledger/consistency")
async def consistency(
    services: With, _: ByReader, since: Annotated[int, Query(ge=1, le=_SIZE_MAX)]
) -> ContinuationAnswer:
    """That the ledger goes on from its first `since` records (RFC 6962, section 2.1.2)."""
    try:
        continuation = await services.transparency.since(since)
    except Unprovable as error:
        raise _unprovable(error) from error
    return ContinuationAnswer(
        since=continuation.old, path=[encoded(one) for one in continuation.path], checkpoint=str(continuation.note)
    )


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
    key = await services.transparency.rotate(caller_name(caller))
    return LogKeyAnswer(id=key.id.hex(), key=str(key))


@router.post("/ledger/erase")
async def erase(request: EraseRequest, services: With, caller: ByPerson) -> ErasedAnswer:
    """Erase bodies, on record: for who is named by the Route `erasure`. Every record and every proof stays."""
    may_erase(services, caller)
    try:
        erasure = await services.erasing.erase(
            [Ref.parse(one) for one in request.ids], request.why, caller_name(caller)
        )
    except KeyError as error:
        raise not_found(f"record: {error.args[0]}", "remit logs") from error
    except NotErasable as error:
        raise Problem(
            409, "nothing was erased", why=str(error), next="leave it out, or wait until it has ended"
        ) from error
    return ErasedAnswer(
        records=[str(ref) for ref in erasure.records],
        erased=[str(ref) for ref in erasure.erased],
        cleared=erasure.cleared,
    )


def may_erase(services: Services, caller: Person) -> None:
    """Raise 403 for whom the Route `erasure` does not name."""
    catalog = services.runtime.catalog
    route = catalog.routes.get(ERASURE)
    if route is None:
        raise forbidden(
            "nobody may erase here", f"declare a Route {ERASURE} that names groups or users, then: remit apply"
        )
    if route.count > 1:
        raise forbidden(f"the Route {ERASURE} asks for {route.count} people", "one person erases: give it a count of 1")
    user = catalog.users[caller.user]
    if user.name not in route.users and not route.groups & user.groups:
        raise forbidden(f"{caller.user} is not named by the Route {ERASURE}", f"remit get route {ERASURE}")


def _unprovable(error: Unprovable) -> Problem:
    return Problem(409, "nothing can be proved of this ledger", why=str(error), next="remit ledger verify")
