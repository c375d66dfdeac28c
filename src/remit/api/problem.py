"""Every refusal of the API: what happened, why, and the next command (RFC 9457)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from remit.api.access import PREFIX
from remit.api.request_errors import sentences_of
from remit.api.services import Conflict, Invalid, Missing
from remit.escalate.voting import EditRefused, VoteRefused
from remit.facts.environment import environment_of
from remit.facts.session import TooManyWords
from remit.ports.credentials import LoginRefused
from remit.ports.ledger import LedgerUnwritable
from remit.ports.signer import TokenInvalid, TokenRefusal

_LOG: Final = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal with its HTTP status. `title` what, `why` the cause, `next` the command."""

    def __init__(
        self,
        status: int,
        title: str,
        *,
        why: str = "",
        next: str = "",
        problems: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        cause: TokenRefusal | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.why = why
        self.next = next
        self.problems = tuple(problems)
        self.headers = {"Cache-Control": "no-store", **(headers or {})}
        self.cause = cause

    def answer(self) -> JSONResponse:
        """The response that says so."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "why": self.why,
            "next": self.next,
        }
        if self.problems:
            body["problems"] = list(self.problems)
        if self.cause is not None:
            body["cause"] = self.cause.value
        return JSONResponse(body, status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE)


def not_found(what: str, following: str, *, near: str = "") -> Problem:
    """404: there is no `what`; `near`, if any, is what may have been meant."""
    return Problem(404, f"no such {what}", why=near, next=following)


def forbidden(why: str, following: str = "") -> Problem:
    """403: this credential may not do this."""
    return Problem(403, "not allowed", why=why, next=following)


def unauthenticated(error: TokenInvalid) -> Problem:
    """401 with the challenge of RFC 6750 section 3."""
    challenge = 'Bearer realm="remit"'
    if error.cause is not TokenRefusal.MISSING:
        challenge += f', error="invalid_token", error_description="{error}"'
    return Problem(
        401,
        "not authenticated",
        why=str(error),
        next="set REMIT_TOKEN to the admin token, shown at the first start (lost: stop the service, then:"
        " remit token admin --data DIR), or to your own",
        headers={"WWW-Authenticate": challenge},
        cause=error.cause,
    )


def _vote_problem(error: VoteRefused | EditRefused) -> Problem:
    if isinstance(error, VoteRefused):
        status = 409 if error.ended or error.stale else 403
        return Problem(status, "the vote does not count", why=error.why, next=error.next)
    again = "give other arguments, or refuse it: remit approvals deny ID --reason wrong-content"
    return Problem(422, "these arguments may not run", why=str(error), next=again)


def problem_of(error: Exception, route: str = "") -> Problem:
    """How `error`, raised below the API at `route`, is told. What is not known here is a 500."""
    match error:
        case Problem():
            return error
        case TokenInvalid():
            return unauthenticated(error)
        case VoteRefused() | EditRefused():
            return _vote_problem(error)
        case Invalid():
            return Problem(
                422,
                "the workspace does not validate; the running bundle stays",
                problems=error.problems,
                next=error.next,
            )
        case Missing():
            return Problem(404, str(error), next=error.next)
        case LoginRefused():
            return Problem(409, "no login", why=str(error), next=error.next)
        case TooManyWords():
            return Problem(
                409, "this session takes no more words", why=str(error), next="open one: POST /api/v1/sessions"
            )
        case Conflict():
            return Problem(409, "not possible now", why=str(error), next=error.next)
        case LedgerUnwritable():
            return Problem(
                503,
                "the ledger does not accept records: nothing was changed",
                why=str(error),
                next="remit doctor",
            )
        case RequestValidationError():
            sentences, following = sentences_of(error.errors(), route)
            only = sentences[0] if len(sentences) == 1 else ""
            problems = () if only else sentences
            return Problem(400, "malformed request", why=only, problems=problems, next=following)
        case HTTPException():
            return Problem(
                error.status_code,
                error.detail.lower(),
                next="see docs/reference/api.md",
                headers=error.headers,
            )
        case _:
            return Problem(500, "internal error", next="the service's log has the trace")


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        route: str = getattr(request.scope.get("route"), "path", "")
        return problem_of(error, route.removeprefix(PREFIX)).answer()

    async def answer_of_the_machine(_: Request, error: Exception) -> JSONResponse:
        trouble = environment_of(error) if isinstance(error, OSError) else None
        if trouble is None:
            # An error of ours: it is answered, and told of, further out.
            raise error
        _LOG.error("the machine did not let a request be served", extra={"error": type(error).__name__})
        what, why = "the service's machine does not let it do this", f"{trouble.place}: {trouble.why}"
        return Problem(503, what, why=why, next=trouble.next).answer()

    app.add_exception_handler(OSError, answer_of_the_machine)
    for kind in (
        Problem, TokenInvalid, VoteRefused, EditRefused, Invalid, Missing, Conflict, TooManyWords, LoginRefused,
        LedgerUnwritable, RequestValidationError, HTTPException, Exception,
    ):  # fmt: skip
        app.add_exception_handler(kind, answer)
