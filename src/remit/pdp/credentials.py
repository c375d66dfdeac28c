"""What records say of credentials: revoked tokens, the admin's, and the passkeys of people."""

from typing import Literal, assert_never

from remit.facts.limits import INTEGER_MAX
from remit.facts.passkey import Passkey
from remit.pdp.deltas import CredentialSet, Delta, PasskeyAdded, PasskeyRemoved, PasskeyUsed, TokenRevoked
from remit.trace.bodies import AdminBody, Event


def of_credential(
    at: int,
    body: AdminBody,
    event: Literal[Event.TOKEN_REVOKED, Event.CREDENTIAL, Event.PASSKEY_ADDED, Event.PASSKEY_REMOVED],
) -> tuple[Delta, ...]:
    """What the record `body`, made at `at` (ms), changes; nothing where it lacks what it has to say."""
    match event:
        case Event.TOKEN_REVOKED:
            # A revocation that does not say when the token ends is never forgotten.
            expires = body.data.get("expires_ms")
            if isinstance(expires, bool) or not isinstance(expires, int) or not 0 <= expires <= INTEGER_MAX:
                expires = INTEGER_MAX
            return (TokenRevoked(body.subject, expires),)
        case Event.CREDENTIAL:
            digest = body.data.get("hash")
            return (CredentialSet(body.subject, digest if isinstance(digest, str) else None),)
        case Event.PASSKEY_ADDED:
            return _passkey(at, body)
        case Event.PASSKEY_REMOVED:
            return (*_signed(body), PasskeyRemoved(body.subject))
        case _:
            assert_never(event)


def _signed(body: AdminBody) -> tuple[Delta, ...]:
    """The passkey that confirmed it, where one did."""
    match body.data.get("confirmed"):
        case [str(passkey), int(counted)]:
            return (PasskeyUsed(passkey, counted),)
        case _:
            return ()


def _passkey(at: int, body: AdminBody) -> tuple[Delta, ...]:
    user, key, name, count = (body.data.get(member) for member in ("user", "key", "name", "count"))
    if not isinstance(user, str) or not isinstance(key, str) or not isinstance(count, int):
        return ()
    # One that a restored ledger takes over was registered before its record.
    since = body.data.get("at_ms")
    at_ms = since if isinstance(since, int) and 0 <= since <= at else at
    return (PasskeyAdded(Passkey(body.subject, user, key, int(count), str(name), at_ms)),)
