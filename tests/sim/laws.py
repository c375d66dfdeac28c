"""What no run may break, whatever happens in it: checked at each effect and each byte, and when all is over.

Three records are compared that know nothing of each other: what the servers were asked to do, what the clients read and
asked for, and what lies on disk (`witness`). What the workspace means is `realm.meant`'s word, not the policies'.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from remit.facts.action import ActionKind
from remit.facts.canonical import canonical, digest
from remit.trace.bodies import MidCall
from tests.sim.allowed import Allowed, said
from tests.sim.consent import given_of
from tests.sim.realm import DEPTH_MAX, NOTES_MAX, Variant, meant
from tests.sim.stores import Drawers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from remit.facts.agent import Authority
    from remit.pep.answer import Answer
    from remit.ports.system import Clock
    from tests.sim.witness import Intent, Key, Witness

MARK: Final = re.compile(rb"mark(\d+)mark")
INVARIANTS: Final = (
    "intent-before-effect",
    "label-before-data",
    "deny-on-error",
    "no-permit-without-policy",
    "approval-binds-exact-action",
    "authority-only-shrinks",
    "stop-wins",
    "chain-links",
    "budget-never-overspent",
    "breaker-rests",
    "past-is-what-happened",
    "guarantee-holds",
    "obligation-met",
    "checkpoint-is-true",
    "erased-is-gone",
    "told-or-on-record",
    "acts-once",
    "notice-is-genuine",
    "notice-is-bare",
    "answer-is-genuine",
    "bundle-in-every-record",
    "state-is-a-fold",
    "origin-holds",
    "labels-only-grow",
    "in-doubt-exact",
    "goes-on",
)
"""Those of docs/ARCHITECTURE.md whose code exists; that state is a fold (ADR 2), that the list of what is in doubt is
exact, and that everybody has an answer in the end."""


class Broken(Exception):
    """A law does not hold; nothing after it means anything."""


class Law:
    """What is checked beside `Laws`, in a file of its own: it looks where it likes, and says `Laws.break_`."""

    __slots__ = ()

    def begins(self) -> None:
        """A process begins, and the witness has read what it found."""

    def effect(self, key: Key) -> None:
        """A server does what `key` says, whose intent is on disk."""

    def gives(self, authority: Authority, key: Key, answer: Answer) -> None:
        """Whoever asked for `key` is given `answer`."""

    def reads(self, authority: Authority, data: bytes) -> None:
        """A client reads `data`."""

    def over(self) -> None:
        """All is over, and the witness has read it whole."""


@dataclass(slots=True, eq=False)
class Request:
    """What a client asks for, and what it knows: the labels of what it has read, the bundles that ran since."""

    key: Key
    given: Any
    labels: frozenset[str]
    variants: list[Variant]
    seen_pinned: bool = False
    """Whether a server said, since it began, that the tool is as accepted."""


@dataclass(slots=True, eq=False)
class Called:
    """One thing that a server was asked to do; all that it writes about it bears marks."""

    key: Key
    number: int = 0
    """How often it has asked back."""
    asked: tuple[Key, ...] = ()
    """What was asked for: the same, unless people put it in the place of something else."""
    approved: bool = False
    names: str = ""
    """Where to ship, of what names that; `plainly` where it was the whole answer."""
    plainly: bool = False
    stored: frozenset[str] = frozenset()
    """The labels that come with it from where it was stored."""


@dataclass(slots=True)
class Laws:
    """What has happened, as all sides told it. Raises `Broken` at the first law that does not hold."""

    witness: Witness
    clock: Clock
    tell: Callable[[str], None]
    running: Variant
    by_digest: Mapping[str, Variant]
    broken: tuple[str, str] | None = None
    on_broken: Callable[[], None] = lambda: None
    also: Sequence[Law] = ()
    authorities: dict[str, Authority] = field(default_factory=dict[str, "Authority"])
    open: list[Request] = field(default_factory=list[Request])
    effects: Counter[Key] = field(default_factory=Counter["Key"])
    passed: Counter[tuple[Key, str]] = field(default_factory=Counter[tuple["Key", str]])
    calls: dict[int, Called] = field(default_factory=dict[int, Called])
    shown: dict[Key, set[int]] = field(default_factory=lambda: defaultdict(set))
    seen: dict[str, frozenset[str]] = field(default_factory=lambda: defaultdict(frozenset))
    ended: set[str] = field(default_factory=set[str])
    revoked: set[str] = field(default_factory=set[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    drawers: Drawers = field(default_factory=Drawers)
    allowed: Allowed = field(init=False)

    def __post_init__(self) -> None:
        self.allowed = Allowed(self)

    def break_(self, invariant: str, text: str) -> NoReturn:
        """`invariant` does not hold."""
        if self.broken is None:
            self.broken = (invariant, text)
            self.tell(f"BROKEN {invariant}: {text}")
            self.on_broken()
        raise Broken(text)

    # --- the clients' side

    def asks(self, authority: Authority, key: Key, given: Any) -> Request:
        """A client begins to ask."""
        made = Request(key, given, self.known(authority), [self.running])
        self.open.append(made)
        return made

    def known(self, authority: Authority) -> frozenset[str]:
        """The labels of what the clients of its sessions have read so far."""
        return frozenset[str]().union(*(self.seen[link.sid] for link in authority.links))

    def swapped(self, variant: Variant) -> None:
        """Another bundle runs."""
        self.running = variant
        for request in self.open:
            request.variants.append(variant)

    def gives(self, authority: Authority, key: Key, answer: Answer) -> None:
        """A client that asked for `key` is given `answer`, which it reads a little later."""
        for law in self.also:
            law.gives(authority, key, answer)

    def reads(self, authority: Authority, data: bytes) -> None:
        """A client reads `data`."""
        self.witness.read()
        for law in self.also:
            law.reads(authority, data)
        for found in MARK.findall(data):
            self.counts["read"] += 1
            number = int(found)
            called = self.calls[number]
            links = tuple((link.agent, link.sid) for link in authority.links)
            if called.key[4] != links:
                self.break_("label-before-data", f"{links} read what {called.key[4]} asked for")
            self._labelled(authority, called)

    def _labelled(self, authority: Authority, called: Called) -> None:
        kind, server, name, _, links = called.key
        sids = frozenset(sid for _, sid in links)
        tool = name if kind == ActionKind.CALL_TOOL.value else None
        found = [self._variant(intent).source(server, tool) for intent in self.witness.intents[called.key]]
        sources = [one | called.stored for one in found]
        both = zip(self.witness.intents[called.key], sources, strict=True)
        held = sum(intent.holds(found, sids) for intent, found in both)
        shown = self.shown[called.key]
        shown.add(id(called))
        if len(shown) > held:
            text = f"the answer of {server}/{name} was read while no record on disk gives its labels to {sorted(sids)}"
            self.break_("label-before-data", text)
        for sid in sids:
            # Several intents may differ, where the bundle did: what all of them bring has come.
            self.seen[sid] |= sources[0].intersection(*sources[1:])

    def _variant(self, intent: Intent) -> Variant:
        found = self.by_digest.get(intent.bundle)
        if found is None:
            self.break_("bundle-in-every-record", f"{intent.ref} names {intent.bundle!r}, which never ran")
        return found

    def told(self, authority: Authority, server: str) -> None:
        """A client is told of changes at `server`, which it may be that may read there."""
        self.counts["told"] += 1
        ended = [link.sid for link in authority.links if link.sid in self.ended]
        if ended or authority.token in self.revoked:
            self.break_("stop-wins", f"{authority.acting.sid} was told of changes though it was stopped")
        if meant(self.running, authority.agents, ActionKind.READ_RESOURCE, server, "", {}, frozenset()).denied:
            self.break_("no-permit-without-policy", f"{'>'.join(authority.agents)} was told of changes at {server}")

    # --- the servers' side

    def defined(self, server: str, sid: str, *, pinned: bool) -> None:
        """A server says what its tools are."""
        for request in self.open:
            if request.key[1] == server and request.key[4][-1][1] == sid:
                request.seen_pinned = request.seen_pinned or pinned

    def effect(self, called: Called) -> None:
        """A server does something."""
        key = called.key
        self.witness.read()
        self.effects[key] += 1
        self.counts["effects"] += 1
        intents = self.witness.intents[key]
        if self.effects[key] > len(intents):
            self.break_("intent-before-effect", f"{said(key)} was sent while no intent for it was on disk")
        if self.effects[key] > sum(not one.refused for one in intents):
            self.break_("deny-on-error", f"{said(key)} was sent though the ledger said that its intent failed")
        requests = self.allowed.requests(key, intents)
        ran = {one.bundle.digest for request in requests for one in request.variants}
        if ran and not ran & {one.bundle for one in intents}:
            self.break_("bundle-in-every-record", f"the intent of {said(key)} names a bundle that did not run then")
        self._bounds(key)
        self._stops(key)
        for law in self.also:
            law.effect(key)
        if key[0] == ActionKind.CALL_TOOL.value and not any(one.seen_pinned for one in requests):
            self.break_("deny-on-error", f"{said(key)} was sent while nobody knew whether it is what was accepted")
        called.stored = self.drawers.effect(key, requests)
        called.asked = tuple(request.key for request in requests)
        called.approved = self.allowed.effect(key, requests, intents)

    def resumed(self, called: Called, responses: Mapping[str, Any]) -> None:
        """A server gets answers to what it asked; `responses` of None only were nobody's."""
        if all(one is None for one in responses.values()):
            return
        key = called.key
        self.witness.read()
        self.counts["answers"] += 1
        content = digest(canonical(responses))
        self.passed[key, content] += 1
        recorded = sum(
            one.passed is MidCall.RESPONSES and one.content == content
            for intent in self.witness.intents[key]
            if not intent.refused
            for one in intent.passed
        )
        if self.passed[key, content] > recorded:
            self.break_("intent-before-effect", f"answers to {said(key)} were sent while no exchange was on disk")
        self._stops(key)
        bare = all(one is None or set(one) <= {"action"} for one in responses.values())
        if bare and called.approved:
            return
        # Of a call in whose place people put another, they are shown that one; its client knows what it asked for.
        shown, *asked = (_round(one, responses, called.number) for one in (key, *called.asked))
        self.allowed.responses(shown, asked, given_of(key), self.witness.intents[key])

    def _bounds(self, key: Key) -> None:
        """What the workspace bounds: how many notes there are, and how deep a chain may be that acts."""
        if key[:3] == (ActionKind.CALL_TOOL.value, "shop", "note"):
            self.counts["notes"] += 1
            if self.counts["notes"] > NOTES_MAX:
                self.break_("budget-never-overspent", f"{said(key)} was sent, beyond {NOTES_MAX} notes")
        if len(key[4]) - 1 > DEPTH_MAX:
            self.break_("breaker-rests", f"{said(key)} was sent, deeper than {DEPTH_MAX}")

    def _stops(self, key: Key) -> None:
        authority = self.authorities[key[4][-1][1]]
        ended = [sid for _, sid in key[4] if sid in self.ended]
        if ended:
            self.break_("stop-wins", f"{said(key)} was sent though {ended[0]} had ended")
        if authority.token in self.revoked or self.revoked & set(authority.ancestors):
            self.break_("stop-wins", f"{said(key)} was sent though its token was revoked")
        if self.clock.now_ms() >= authority.expires_ms:
            self.break_("stop-wins", f"{said(key)} was sent though its token has expired")


def _round(key: Key, responses: Mapping[str, Any], number: int) -> Key:
    """Passing `responses` on to the `number`-th question within `key`."""
    kind, server, name, arguments, links = key
    shown = b'{"arguments":%s,"responses":%s,"round":%d}' % (arguments, canonical(responses), number)
    return kind, server, name, shown, links
