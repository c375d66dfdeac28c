"""Who may call what: one table, tested route by route and credential by credential.

A route that is not in the table cannot be added (`main` refuses to start), and a credential
that a row does not name is refused before a byte of the request's body is read.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from remit.api.authenticator import Acting, Admin, Caller, HarnessOf, Person


class CredentialKind(StrEnum):
    """The kinds of credential. `NOBODY` marks a route that carries its credential in its body."""

    ADMIN = "admin"
    USER = "user"
    AGENT = "agent"
    HARNESS = "harness"
    NOBODY = "nobody"


_ADMIN: Final = frozenset({CredentialKind.ADMIN})
_READERS: Final = frozenset({CredentialKind.ADMIN, CredentialKind.USER})
_USERS: Final = frozenset({CredentialKind.USER})
_HARNESS: Final = frozenset({CredentialKind.HARNESS})
_SPEAKERS: Final = frozenset({CredentialKind.AGENT, CredentialKind.HARNESS})

PREFIX: Final = "/api/v1"
ACCESS: Final[Mapping[tuple[str, str], frozenset[CredentialKind]]] = MappingProxyType(
    {
        ("GET", "/resources/{kind}"): _READERS,
        ("GET", "/resources/{kind}/{name:path}"): _READERS,
        ("DELETE", "/resources/{kind}/{name:path}"): _ADMIN,
        ("POST", "/apply"): _ADMIN,
        ("POST", "/admissions"): _ADMIN,
        ("GET", "/admissions/{look}"): _READERS,
        ("DELETE", "/admissions/{look}"): _ADMIN,
        ("POST", "/admissions/{look}/override"): _USERS,
        ("POST", "/budgets/{name}/reset"): _ADMIN,
        ("GET", "/breakers"): _READERS,
        ("POST", "/breakers/{name}/reset"): _ADMIN,
        ("POST", "/guarantees/{name}/sign-off"): _USERS,
        ("GET", "/diff"): _READERS,
        ("GET", "/bundles"): _READERS,
        ("GET", "/bundles/diff"): _READERS,
        ("GET", "/bundles/progress"): _READERS,
        ("GET", "/tools"): _READERS,
        ("GET", "/tools/review"): _READERS,
        ("POST", "/tools/accept"): _ADMIN,
        ("POST", "/servers/{name}/login"): _ADMIN,
        ("POST", "/servers/{name}/logout"): _ADMIN,
        ("GET", "/servers/{name}/login"): _READERS,
        ("POST", "/agents/{name}"): _ADMIN,
        ("POST", "/agents/{name}/enforce"): _ADMIN,
        ("GET", "/agents/{name}/report"): _ADMIN,
        ("GET", "/inventory"): _READERS,
        ("GET", "/inventory/{name:path}"): _READERS,
        ("POST", "/claims"): _ADMIN,
        ("POST", "/settled"): _ADMIN,
        ("POST", "/sightings"): _ADMIN,
        ("GET", "/coverage"): _READERS,
        ("POST", "/tokens"): _ADMIN,
        ("GET", "/tokens"): _ADMIN,
        ("POST", "/tokens/revoke"): _ADMIN,
        ("POST", "/keys/rotate"): _ADMIN,
        ("POST", "/token"): frozenset({CredentialKind.NOBODY}),
        ("POST", "/sessions"): _HARNESS,
        ("POST", "/sessions/{sid}/words"): _HARNESS,
        ("GET", "/sessions"): _READERS,
        ("GET", "/sessions/{sid}"): _READERS,
        ("POST", "/sessions/{sid}/end"): _READERS,
        ("POST", "/sessions/{sid}/erase"): _USERS,
        ("GET", "/approvals"): _READERS,
        ("GET", "/approval-stats"): _ADMIN,
        ("GET", "/approvals/{ident}"): _READERS,
        ("POST", "/approvals/{ident}/approve"): _USERS,
        ("POST", "/approvals/{ident}/deny"): _USERS,
        ("POST", "/approvals/{ident}/grant"): _USERS,
        ("GET", "/grants"): _READERS,
        ("GET", "/grants/{ident}"): _READERS,
        ("POST", "/grants/{ident}/revoke"): _USERS,
        ("POST", "/sessions/{sid}/confidence"): _SPEAKERS,
        ("GET", "/halts"): _READERS,
        ("POST", "/halts"): _READERS,
        ("POST", "/halts/resume"): _READERS,
        ("GET", "/incidents"): _READERS,
        ("GET", "/incidents/{ident}"): _READERS,
        ("POST", "/incidents/{ident}/assign"): _READERS,
        ("POST", "/incidents/{ident}/close"): _READERS,
        ("GET", "/incident-events"): _READERS,
        ("POST", "/approvals/{ident}/delegate"): _USERS,
        ("POST", "/approvals/{ident}/stop"): _USERS,
        ("POST", "/approvals/{ident}/break-glass"): _USERS,
        ("POST", "/approvals/{ident}/review"): _USERS,
        ("GET", "/passkeys"): _READERS,
        ("POST", "/passkeys/invite"): _ADMIN,
        ("POST", "/passkeys/remove"): _READERS,
        ("POST", "/can"): _READERS,
        ("GET", "/why/{ref}"): _READERS,
        ("GET", "/ledger/entries"): _ADMIN,
        ("GET", "/ledger/search"): _ADMIN,
        ("GET", "/ledger/in-doubt"): _ADMIN,
        ("POST", "/ledger/settle"): _READERS,
        ("GET", "/ledger/checkpoint"): _READERS,
        ("GET", "/ledger/consistency"): _READERS,
        ("GET", "/ledger/proof/{ref}"): _ADMIN,
        ("POST", "/ledger/key/rotate"): _ADMIN,
        ("POST", "/ledger/erase"): _USERS,
        ("GET", "/events"): _ADMIN,
        ("GET", "/status"): _READERS,
        ("GET", "/doctor"): _ADMIN,
        ("GET", "/openapi.json"): _READERS,
    }
)

STILL: Final = frozenset(
    {
        ("POST", "/can"),
        ("POST", "/sessions/{sid}/end"),
        ("POST", "/approvals/{ident}/deny"),
        ("POST", "/approvals/{ident}/stop"),
        ("POST", "/grants/{ident}/revoke"),
        ("POST", "/halts"),
    }
)
"""What a person who is stopped himself may ask for beside reading: it lets nothing act that could not before."""

CONCERNS: Final = "for what concerns you: remit incidents ls, remit approvals ls, remit sessions ls, remit why ID"
INSTEAD: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("GET", "/ledger/entries"): CONCERNS,
        ("GET", "/ledger/search"): CONCERNS,
        ("GET", "/events"): CONCERNS,
        ("POST", "/budgets/{name}/reset"): "ask the admin; what is left: remit budgets show NAME",
        ("POST", "/breakers/{name}/reset"): "ask the admin; until when it rests: remit breakers show NAME",
    }
)
"""Where a user is led whom a route of the admin's refuses."""


def kind_of(caller: Caller) -> CredentialKind:
    """The kind of credential that `caller` bears."""
    match caller:
        case Admin():
            return CredentialKind.ADMIN
        case Person():
            return CredentialKind.USER
        case Acting():
            return CredentialKind.AGENT
        case HarnessOf():
            return CredentialKind.HARNESS
        case _:
            assert_never(caller)


def caller_name(caller: Caller) -> str:
    """How records name `caller`; a colon tells users, agents and harnesses from the admin."""
    match caller:
        case Admin(credential=ident):
            return ident
        case Person(user=user):
            return f"user:{user}"
        case Acting(authority=authority):
            return f"agent:{authority.acting.agent}"
        case HarnessOf(agent=agent):
            return f"harness:{agent}"
        case _:
            assert_never(caller)
