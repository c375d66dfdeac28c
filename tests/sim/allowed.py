"""Whether what a server does had been allowed: by what the workspace means, and where people decide, by them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from remit.facts.action import ActionKind
from remit.trace.bodies import Choice
from tests.sim.consent import Given, Vote, given_of, originals
from tests.sim.realm import Meant, Variant, meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.sim.laws import Laws, Request
    from tests.sim.witness import Intent, Key

_LAW_OF: Final = {"error": "deny-on-error", "guarantee": "guarantee-holds", "obligation": "obligation-met"}
BINDS: Final = "approval-binds-exact-action"


@dataclass(slots=True)
class Allowed:
    """What people said, by approval, and what they granted with it; asked at each effect."""

    laws: Laws
    votes: dict[str, Vote] = field(default_factory=dict[str, Vote])
    given: dict[str, Given] = field(default_factory=dict[str, Given])

    def requests(self, key: Key, intents: Iterable[Intent]) -> list[Request]:
        """Whoever asked for `key`, or for that in whose place people put it."""
        claimed = [self.votes[one.approval] for one in intents if one.approval in self.votes]
        asked = {*originals(key, claimed)}
        return [request for request in self.laws.open if request.key in asked]

    def effect(self, key: Key, requests: Sequence[Request], intents: Sequence[Intent]) -> bool:
        """Whether people had to allow it, who then did; breaks a law where it was not allowed."""
        for one in intents:
            if one.approval in self.votes and one.at >= self.votes[one.approval].expires_ms:
                self.laws.break_(BINDS, f"{said(key)} was sent, whose approval had expired")
        found: list[tuple[Request, Variant, Meant]] = []
        free = False
        for request in requests:
            edited = request.key != key
            for variant in request.variants:
                one = self._meant(request, variant, given=given_of(key) if edited else None)
                free = free or not (edited or one.denied or one.routes)
                if edited:
                    one = Meant(one.denied, one.routes | self._meant(request, variant).routes)
                found.append((request, variant, one))
        return not free and self._let(key, found, intents, {one.approval for one in intents})

    def responses(self, key: Key, asked: Iterable[Key], given: Mapping[str, Any], intents: Sequence[Intent]) -> None:
        """The same of what a client answered in mid-call, which it `asked` to pass on."""
        requests = [request for request in self.laws.open if request.key in {*asked}]
        found = [(one, variant, self._meant(one, variant, given=given)) for one in requests for variant in one.variants]
        if not any(not one.denied and not one.routes for _, _, one in found):
            self._let(key, found, (), {one.approval for intent in intents for one in intent.passed})

    def _let(
        self,
        key: Key,
        found: list[tuple[Request, Variant, Meant]],
        intents: Sequence[Intent],
        claimed: set[str | None],
    ) -> bool:
        if not found:
            self.laws.break_("no-permit-without-policy", f"nobody asked for {said(key)}")
        gated = [(variant, one.routes) for _, variant, one in found if not one.denied]
        if not gated:
            request, variant, denied = found[-1]
            text = f"{said(key)} was sent, which {variant.name} does not allow"
            self.laws.break_(self._why(request, variant, denied), text)
        if not self._approved(key, gated, claimed) and not self._granted(gated, intents):
            routes = sorted(set[str]().union(*(named for _, named in gated)))
            text = f"{said(key)} was sent, which {', '.join(routes)} had not allowed, or for another action, or already"
            self.laws.break_(BINDS, text)
        return True

    def _meant(
        self,
        request: Request,
        variant: Variant,
        agents: int = 0,
        labels: frozenset[str] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Meant:
        kind, server, name, _, links = request.key
        chain = [agent for agent, _ in links][agents:]
        held = request.labels if labels is None else labels
        return meant(variant, chain, ActionKind(kind), server, name, request.given if given is None else given, held)

    def _why(self, request: Request, variant: Variant, denied: Meant) -> str:
        if denied.denied in _LAW_OF:
            return _LAW_OF[denied.denied]
        if not self._meant(request, variant, labels=frozenset()).denied:
            return "label-before-data"
        if not self._meant(request, variant, agents=-1).denied:
            return "authority-only-shrinks"
        return "no-permit-without-policy"

    def _approved(self, key: Key, gated: list[tuple[Variant, frozenset[str]]], claimed: set[str | None]) -> bool:
        """By what people were shown, who they are, and once."""
        requester = self.laws.authorities[key[4][-1][1]].user
        for ident, vote in self.votes.items():
            if ident in claimed and vote.user == requester and any(vote.lets(key, *one) for one in gated):
                vote.used = True
                self.laws.counts["approved"] += 1
                self.laws.counts["edited"] += vote.key != key
                return True
        return False

    def _granted(self, gated: list[tuple[Variant, frozenset[str]]], intents: Sequence[Intent]) -> bool:
        """By what people granted for more than one action, of the same user."""
        for intent in intents:
            requester = self.laws.authorities[intent.key[4][-1][1]].user
            found = {ident: self._of(ident) for ident in intent.grants}
            grants = {ident: one for ident, one in found.items() if one.vote.user == requester}
            for variant, routes in gated:
                if all(
                    any(one.lets(ident, intent, variant, route) for ident, one in grants.items()) for route in routes
                ):
                    for ident, one in grants.items():
                        one.uses[ident] += 1
                    self.laws.counts["granted"] += 1
                    return True
        return False

    def _of(self, ident: str) -> Given:
        """What was granted by the record `ident`; and where another took it back."""
        decisions = self.laws.witness.decisions
        found = self.given[decisions[ident][1].approval]
        for place, body in decisions.values():
            if body.choice is Choice.REVOKE and (body.grant or {}).get("of") == ident:
                found.revoked[ident] = min(place, found.revoked.get(ident, place))
        return found


def said(key: Key) -> str:
    """`key` as people read it."""
    kind, server, name, arguments, links = key
    return f"{kind} {server}/{name} {arguments.decode()} of {'>'.join(agent for agent, _ in links)}"
