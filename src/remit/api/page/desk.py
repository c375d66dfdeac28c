"""Who is signed in at the page: a person by his own token, for as long as the token holds.

A cookie names a sign-in and carries nothing. Sign-ins are kept in memory alone: a restart asks everybody again. The
token is looked at anew for every request, so that what is revoked ends here too.
"""

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from remit.api.authenticator import Authenticator, Person
from remit.ports.signer import TokenInvalid, TokenRefusal
from remit.ports.system import Clock, Entropy

COOKIE: Final = "remit-person"
HTTP_PORT: Final = 80
QUESTIONS_MAX: Final = 64
"""Questions to passkeys that one sign-in may leave unanswered."""
SIGNED_IN_MS: Final = 12 * 3600 * 1000
SIGNED_IN_MAX: Final = 10_000
OF_ONE_MAX: Final = 20
"""Sign-ins of one person: who signs in more often gives up his own oldest ones, and nobody else's."""
_COOKIE_CHARS_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`person`, and what the forms of his pages carry; `questions` is about what, by the nonces of open questions."""

    person: Person
    csrf: str
    questions: OrderedDict[str, str]


@dataclass(frozen=True, slots=True)
class _BrowserSession:
    user: str
    bearer: str
    csrf: str
    until_ms: int
    questions: OrderedDict[str, str]


class Desk:
    """Sign-ins by the hash of their cookie's value, the oldest given up first."""

    def __init__(self, authenticator: Authenticator, clock: Clock, entropy: Entropy, address: str) -> None:
        """`address` is where browsers reach the service: scheme, host and port."""
        parts = urlsplit(address)
        self._secure = parts.scheme == "https"
        self._name = f"__Host-{COOKIE}" if self._secure else f"{COOKIE}-{parts.port or HTTP_PORT}"
        self._authenticator = authenticator
        self._clock = clock
        self._entropy = entropy
        self._sessions: OrderedDict[bytes, _BrowserSession] = OrderedDict()

    def sign_in(self, bearer: str) -> str:
        """The value of the cookie of the person who bears `bearer`. Raises `TokenInvalid`."""
        caller = self._authenticator.caller(bearer)
        if not isinstance(caller, Person):
            raise TokenInvalid(TokenRefusal.WRONG_KIND, "this needs a user's own token: no other decides anything")
        value, until_ms = self._random(), self._clock.now_ms() + SIGNED_IN_MS
        keys = [key for key, session in self._sessions.items() if session.user == caller.user]
        if len(keys) >= OF_ONE_MAX:
            del self._sessions[keys[0]]
        self._sessions[_hash(value)] = _BrowserSession(caller.user, bearer, self._random(), until_ms, OrderedDict())
        if len(self._sessions) > SIGNED_IN_MAX:
            self._sessions.popitem(last=False)
        return value

    def signed_in(self, cookies: str) -> SignedIn | None:
        """Who sent `cookies`, the header; None for nobody, or nobody any more."""
        value = self._value(cookies)
        session = None if value is None else self._sessions.get(_hash(value))
        if value is None or session is None:
            return None
        try:
            caller = self._authenticator.caller(session.bearer)
        except TokenInvalid:
            caller = None
        if not isinstance(caller, Person) or self._clock.now_ms() >= session.until_ms:
            self.sign_out(cookies)
            return None
        return SignedIn(caller, session.csrf, session.questions)

    def sign_out(self, cookies: str) -> None:
        """Forget who sent `cookies`."""
        value = self._value(cookies)
        if value is not None:
            self._sessions.pop(_hash(value), None)

    def cookie(self, value: str, age_s: int) -> tuple[bytes, bytes]:
        """The header that keeps `value` in the browser for `age_s` seconds.

        Over https its name says that this very host set it, for itself and for all of it (RFC 6265bis, `__Host-`): no
        other host of the domain, and nobody on the way, puts another in its place. Browsers send it to every port of
        the host all the same. Over http the port is in its name, so that two services do not sign each other out.
        """
        path = "/; Secure" if self._secure else "/a"
        text = f"{self._name}={value}; Path={path}; Max-Age={age_s}; HttpOnly; SameSite=Strict"
        return b"set-cookie", text.encode("ascii")

    def ask(self, who: SignedIn, about: str) -> str:
        """The nonce of a new question to the passkey of `who` about `about`."""
        nonce = self._random()
        who.questions[nonce] = about
        if len(who.questions) > QUESTIONS_MAX:
            who.questions.popitem(last=False)
        return nonce

    @staticmethod
    def answers(who: SignedIn, about: str, nonce: str) -> bool:
        """Whether `nonce` names an open question about `about` that was put to `who`; it is none from then on."""
        return who.questions.pop(nonce, None) == about

    def _value(self, cookies: str) -> str | None:
        if len(cookies) > _COOKIE_CHARS_MAX:
            return None
        try:
            morsel = SimpleCookie(cookies).get(self._name)
        except CookieError:
            return None
        return None if morsel is None else morsel.value

    def _random(self) -> str:
        return base64.urlsafe_b64encode(self._entropy.token_bytes(32)).decode("ascii").rstrip("=")


def is_own_form(signed_in: SignedIn, csrf: str) -> bool:
    """Whether a form that carries `csrf` is one of `signed_in`'s own pages."""
    return hmac.compare_digest(signed_in.csrf.encode(), csrf.encode("utf-8", "replace"))


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode("ascii", "replace")).digest()
