"""What no run may break, whatever happens in it: checked at each effect and each byte, and when all is over.

Three records are compared that know nothing of each other: what the servers were asked to do, what the clients read and
asked for, and what lies on disk (`witness`). What the workspace means is `realm.meant`'s word, not the policies'.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from remit.facts.action import ActionKind
from remit.facts.canonical import canonical, digest
from remit.trace.bodies import Passed
from tests.sim.realm import DEPTH_MAX, NOTES_MAX, Meant, Variant, lifted, meant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from remit.facts.agent import Authority
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
    "bundle-in-every-record",
    "state-is-a-fold",
    "in-doubt-exact",
    "goes-on",
)
"""Those of docs/ARCHITECTURE.md whose code exists; that state is a fold (ADR 2), that the list of what is in doubt is
exact, and that everybody has an answer in the end."""


class Broken(Exception):
    """A law does not hold; nothing after it means anything."""


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
    approved: bool = False


@dataclass(slots=True)
class Vote:
    """What people were shown, and who said yes to it until when."""

    key: Key
    user: str | None
    expires_ms: int
    yes: set[str] = field(default_factory=set[str])
    refused: bool = False
    used: bool = False


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
    authorities: dict[str, Authority] = field(default_factory=dict[str, "Authority"])
    open: list[Request] = field(default_factory=list[Request])
    effects: Counter[Key] = field(default_factory=Counter["Key"])
    passed: Counter[tuple[Key, str]] = field(default_factory=Counter[tuple["Key", str]])
    calls: dict[int, Called] = field(default_factory=dict[int, Called])
    shown: dict[Key, set[int]] = field(default_factory=lambda: defaultdict(set))
    seen: dict[str, frozenset[str]] = field(default_factory=lambda: defaultdict(frozenset))
    votes: dict[str, Vote] = field(default_factory=dict[str, Vote])
    ended: set[str] = field(default_factory=set[str])
    revoked: set[str] = field(default_factory=set[str])
    counts: Counter[str] = field(default_factory=Counter[str])

    def break_(self, invariant: str, text: str) -> None:
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

    def reads(self, authority: Authority, data: bytes) -> None:
        """A client reads `data`."""
        self.witness.read()
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
        sources = [self._variant(intent).source(server, tool) for intent in self.witness.intents[called.key]]
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
            raise AssertionError
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
            self.break_("intent-before-effect", f"{_said(key)} was sent while no intent for it was on disk")
        if self.effects[key] > sum(not one.refused for one in intents):
            self.break_("deny-on-error", f"{_said(key)} was sent though the ledger said that its intent failed")
        ran = {one.bundle.digest for request in self.open if request.key == key for one in request.variants}
        if ran and not ran & {one.bundle for one in intents}:
            self.break_("bundle-in-every-record", f"the intent of {_said(key)} names a bundle that did not run then")
        self._bounds(key)
        self._stops(key)
        if key[0] == ActionKind.CALL_TOOL.value and not any(r.seen_pinned for r in self.open if r.key == key):
            self.break_("deny-on-error", f"{_said(key)} was sent while nobody knew whether it is what was accepted")
        for one in intents:
            if one.approval in self.votes and one.at >= self.votes[one.approval].expires_ms:
                self.break_("approval-binds-exact-action", f"{_said(key)} was sent, whose approval had expired")
        called.approved = self._allowed(key, frozenset(one.approval for one in intents if one.approval is not None))

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
            one.passed is Passed.RESPONSES and one.content == content
            for intent in self.witness.intents[key]
            if not intent.refused
            for one in intent.passed
        )
        if self.passed[key, content] > recorded:
            self.break_("intent-before-effect", f"answers to {_said(key)} were sent while no exchange was on disk")
        self._stops(key)
        bare = all(one is None or set(one) <= {"action"} for one in responses.values())
        shown = b'{"arguments":%s,"responses":%s,"round":%d}' % (key[3], canonical(responses), called.number)
        if not (bare and called.approved):
            exchanges = [one for intent in self.witness.intents[key] for one in intent.passed]
            claimed = frozenset(one.approval for one in exchanges if one.approval is not None)
            self._allowed((key[0], key[1], key[2], shown, key[4]), claimed)

    def _bounds(self, key: Key) -> None:
        """What the workspace bounds: how many notes there are, and how deep a chain may be that acts."""
        if key[:3] == (ActionKind.CALL_TOOL.value, "shop", "note"):
            self.counts["notes"] += 1
            if self.counts["notes"] > NOTES_MAX:
                self.break_("budget-never-overspent", f"{_said(key)} was sent, beyond {NOTES_MAX} notes")
        if len(key[4]) - 1 > DEPTH_MAX:
            self.break_("breaker-rests", f"{_said(key)} was sent, deeper than {DEPTH_MAX}")

    def _stops(self, key: Key) -> None:
        authority = self.authorities[key[4][-1][1]]
        ended = [sid for _, sid in key[4] if sid in self.ended]
        if ended:
            self.break_("stop-wins", f"{_said(key)} was sent though {ended[0]} had ended")
        if authority.token in self.revoked or self.revoked & set(authority.ancestors):
            self.break_("stop-wins", f"{_said(key)} was sent though its token was revoked")
        if self.clock.now_ms() >= authority.expires_ms:
            self.break_("stop-wins", f"{_said(key)} was sent though its token has expired")

    def _allowed(self, key: Key, claimed: frozenset[str]) -> bool:
        """Whether people had to allow it, who then did; breaks a law where it was not allowed."""
        requests = [request for request in self.open if request.key == key]
        if not requests:
            self.break_("no-permit-without-policy", f"nobody asked for {_said(key)}")
        found = [
            (request, variant, self._meant(request, variant)) for request in requests for variant in request.variants
        ]
        if any(not one.denied and not one.routes for _, _, one in found):
            return False
        gated = [(variant, one.routes) for _, variant, one in found if not one.denied]
        if gated:
            self._approved(key, gated, claimed)
            return True
        request, variant, denied = found[-1]
        self.break_(self._why(request, variant, denied), f"{_said(key)} was sent, which {variant.name} does not allow")
        return False

    def _meant(
        self, request: Request, variant: Variant, agents: int = 0, labels: frozenset[str] | None = None
    ) -> Meant:
        kind, server, name, _, links = request.key
        chain = [agent for agent, _ in links][agents:]
        held = request.labels if labels is None else labels
        return meant(variant, chain, ActionKind(kind), server, name, request.given, held)

    def _why(self, request: Request, variant: Variant, denied: Meant) -> str:
        if denied.denied == "error":
            return "deny-on-error"
        if not self._meant(request, variant, labels=frozenset()).denied:
            return "label-before-data"
        if not self._meant(request, variant, agents=-1).denied:
            return "authority-only-shrinks"
        return "no-permit-without-policy"

    def _approved(self, key: Key, gated: list[tuple[Variant, frozenset[str]]], claimed: frozenset[str]) -> None:
        """INVARIANT(approval-binds-exact-action): by what people were shown, who they are, and once."""
        requester = self.authorities[key[4][-1][1]].user
        for ident, vote in self.votes.items():
            if ident not in claimed or vote.used or vote.refused or vote.key != key or vote.user != requester:
                continue
            if any(lifted(variant, routes, frozenset(vote.yes), requester) for variant, routes in gated):
                vote.used = True
                self.counts["approved"] += 1
                return
        routes = sorted(set[str]().union(*(named for _, named in gated)))
        text = (
            f"{_said(key)} was sent, which {', '.join(routes)} had not allowed, or for another action or once already"
        )
        self.break_("approval-binds-exact-action", text)


def _said(key: Key) -> str:
    kind, server, name, arguments, links = key
    return f"{kind} {server}/{name} {arguments.decode()} of {'>'.join(agent for agent, _ in links)}"
