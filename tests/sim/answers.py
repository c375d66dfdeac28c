"""How people confirm beyond their token: by a form of the page that their passkey signs. And who would do it for them.

Law INVARIANT(answer-is-genuine): what counts as confirmed by a person is a form that his own device signed just so, for
the very thing that it was put about, and never counted before; whatever was overheard, changed or sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from remit.api.authenticator import Person
from remit.api.page.desk import Desk
from remit.api.page.passkey_confirmation import PasskeyConfirmation, base64url
from remit.api.page.requests import PageRefusal
from remit.ports.passkeys import NewPasskey, NotConfirmed
from remit.trace.bodies import AdminBody, Event
from tests.sim.laws import Law
from tests.sim.realm import USERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from remit.api.page.desk import SignedIn
    from remit.facts.passkey import Confirmed, Passkey
    from remit.pep.driver import Driver
    from tests.sim.laws import Laws
    from tests.sim.life import Life

HOST: Final = "people.example"
COUNTING: Final = frozenset({"ann", "cat"})
"""Those whose devices count how often they sign; those of others say 0 for ever."""
OVERHEARD_MAX: Final = 8


@dataclass(slots=True)
class Device:
    """What one person signs with, and nobody else has."""

    user: str
    secret: bytes
    count: int = 0

    @property
    def ident(self) -> str:
        """Its name, as browsers tell it."""
        return base64url(self.user.encode())

    def signs(self, form: Mapping[str, str]) -> str:
        """What it says of `form`: all that a person sees and sends, and the question that it answers."""
        said = [[name, value] for name, value in form.items() if name != "confirmed"]
        challenge = hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).digest()
        self.count += self.user in COUNTING
        return json.dumps({"id": self.ident, "count": self.count, "by": _mac(self.secret, challenge, self.count)})


def _mac(secret: bytes, challenge: bytes, count: int) -> str:
    return hmac.new(secret, b"%d " % count + challenge, hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Checker:
    """`ports.passkeys.Passkeys`: the cryptography of Web Authentication, of devices that are simulated."""

    devices: Mapping[str, Device]
    holder: str = HOST
    origin: str = f"https://{HOST}"

    def registration(self, response: str, challenge: bytes) -> NewPasskey:
        raise NotConfirmed("nobody makes one in a seed")

    def signature_count(self, response: str, challenge: bytes, passkey: Passkey) -> int:
        found = json.loads(response)
        if not hmac.compare_digest(found["by"], _mac(bytes.fromhex(passkey.key), challenge, found["count"])):
            raise NotConfirmed("it signed something else")
        if (found["count"] or passkey.count) and found["count"] <= passkey.count:
            raise NotConfirmed("it counted as far already")
        return found["count"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it went over the wire: whose, about what, and how it was signed."""

    user: str
    about: str
    form: Mapping[str, str]


@dataclass(slots=True)
class Answers(Law):
    """People's devices, what was overheard of them, and the law of what counts. They outlive the process."""

    laws: Laws
    random: Random
    devices: dict[str, Device] = field(default_factory=dict[str, Device])
    overheard: list[Sent] = field(default_factory=list[Sent])
    _signed: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """By person, what he was asked about and the bytes that he sent; each good once."""

    def __post_init__(self) -> None:
        self.devices = {user: Device(user, self.random.randbytes(32)) for user in USERS}

    def signs(self, user: str, about: str, form: Mapping[str, str]) -> Sent:
        """The device of `user` signs `form`, which he fills in about `about`."""
        sent = Sent(user, about, {**form, "confirmed": self.devices[user].signs(form)})
        self._signed[user].add((about, json.dumps(sent.form)))
        self.overheard = [*self.overheard[-OVERHEARD_MAX:], sent]
        return sent

    def counts(self, sent: Sent) -> None:
        """`sent` counts as confirmed."""
        self.laws.counts["confirmed"] += 1
        what = (sent.about, json.dumps(sent.form))
        if what not in self._signed[sent.user]:
            text = f"{sent.user} counts as having confirmed {dict(sent.form)} about {sent.about}"
            self.laws.break_("answer-is-genuine", f"{text}, which his device did not sign, or which counted before")
        self._signed[sent.user].remove(what)


def _bears(bearer: str) -> Person:
    """Whoever bears a token is who it names: what tokens are is none of the page's business."""
    return Person(bearer, cast("Any", None))


@dataclass(slots=True)
class Page:
    """One process' pages, as far as they ask for passkeys; `random` is that of whoever would answer for others."""

    random: Random
    law: Answers
    driver: Driver
    ledger: SqliteLedger
    life: Life
    tell: Callable[[str], None]
    _desk: Desk = field(init=False)
    _confirming: PasskeyConfirmation = field(init=False)
    _cookies: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        known: Any = SimpleNamespace(caller=_bears)
        drawn: Any = SimpleNamespace(token_bytes=self.random.randbytes)
        self._desk = Desk(known, self.law.laws.clock, drawn, f"https://{HOST}")
        services: Any = SimpleNamespace(ledger=self.ledger, passkeys=Checker(self.law.devices))
        self._confirming = PasskeyConfirmation(services, self._desk)

    async def begin(self) -> None:
        """Each person has his device registered."""
        known = {one.ident for one in await self.ledger.passkeys()}
        for user, device in self.law.devices.items():
            if device.ident not in known:
                data = {"user": user, "key": device.secret.hex(), "name": "key", "count": 0}
                await self.driver.authorization.record(AdminBody(Event.PASSKEY_ADDED, user, device.ident, data))

    async def run(self) -> None:
        """Now and then somebody answers in the place of others, with what he overheard."""
        while True:
            await asyncio.sleep(self.random.uniform(0.5, 4.0))
            if self.law.overheard:
                with suppress(PageRefusal):
                    await self._sends(await self._forged())

    async def confirmed(self, user: str, about: str, choice: str, shown: str) -> Confirmed | None:
        """`user` fills in a form about `about` and signs it; None where it did not arrive as he sent it."""
        form = {"shown": shown, "ask": await self._asked(user, about), "do": choice}
        sent = self.law.signs(user, about, form)
        if self.random.random() < 0.1:
            # Somebody on the way sends another first.
            with suppress(PageRefusal):
                await self._sends(Sent(user, about, {**sent.form, "do": "edit", "arguments": '{"amount":1}'}))
        try:
            return await self._sends(sent)
        except PageRefusal:
            self.tell(f"{user} is not believed to have confirmed {about}")
            return None

    async def _asked(self, user: str, about: str) -> str:
        return (await self._confirming.ask(self._who(user), about, HOST)).nonce

    async def _sends(self, sent: Sent) -> Confirmed:
        found = await self._confirming.confirm(self._who(sent.user), sent.about, sent.form, "/a/")
        if self.life.alive:
            self.law.counts(sent)
        return found

    def _who(self, user: str) -> SignedIn:
        found = self._desk.signed_in(self._cookies.get(user, ""))
        if found is None:
            self._cookies[user] = self._desk.cookie(self._desk.sign_in(user), 3600)[1].decode().partition(";")[0]
            found = self._desk.signed_in(self._cookies[user])
        assert found is not None, "who has just signed in is"
        return found

    async def _forged(self) -> Sent:
        old = self.random.choice(self.law.overheard)
        form = dict(old.form)
        match self.random.randrange(4):
            case 0:
                return old
            case 1:
                # The same signature under a question of now.
                return Sent(old.user, old.about, {**form, "ask": await self._asked(old.user, old.about)})
            case 2:
                # What was put about one thing is sent about another.
                fresh = {**form, "ask": await self._asked(old.user, old.about)}
                return Sent(old.user, "another", {**fresh, "confirmed": self.law.devices[old.user].signs(fresh)})
            case _:
                # Somebody else's device signs in his name.
                other = self.random.choice([user for user in USERS if user != old.user])
                fresh = {**form, "ask": await self._asked(old.user, old.about)}
                return Sent(old.user, old.about, {**fresh, "confirmed": self.law.devices[other].signs(fresh)})
