"""A delegated action is judged as strictly as the strictest link of its chain.

INVARIANT(authority-only-shrinks).
1,000 random chains over random bundles; the oracle judges each link by a chain of its own.
"""

import json
import random
from dataclasses import replace

import pytest

from remit.facts.action import Action
from remit.facts.agent import Agent, Mode
from remit.facts.canonical import Json
from remit.facts.origin import Origin
from remit.pdp.decide import decide
from remit.policy import cedar
from remit.policy.bundle import Bundle
from remit.policy.slice import Policy
from remit.policy.verdict import Deny, Escalate, Gate, Permit, Verdict, rank
from tests.core.deciding import NOW, action, bundle, catalog, decided, snapshot

CHAINS = 1_000
PER_BUNDLE = 20
GROUPS = ("support", "ops")
CONDITIONS = (
    "",
    ' when { context.session.labels.contains(Remit::Label::"untrusted") }',
    " when { context.inputSize > 30 }",
    ' when { context has input.amount && context.input.amount.greaterThan(decimal("10.0")) }',
    ' when { principal in Remit::Group::"ops" }',
    " when { context.delegation.depth > 1 }",
)


def random_policy(rng: random.Random, ident: str, names: list[str]) -> str:
    kind = rng.choice(["permit", "permit", "permit", "forbid", '@gate("owner") forbid', '@gate("finance") forbid'])
    if kind == "permit" and rng.random() < 0.4:
        kind = f'@obligation("redact:{rng.choice(("pii", "secret", "email"))}") permit'
    who = rng.choice(
        [
            "principal",
            f'principal == Remit::Agent::"{rng.choice(names)}"',
            f'principal in Remit::Group::"{rng.choice(GROUPS)}"',
        ]
    )
    what = rng.choice(["action", 'action == Remit::Action::"shop___refund"', 'action in Remit::Action::"call_tool"'])
    condition = rng.choice(CONDITIONS)
    if "input.amount" in condition:
        what = 'action == Remit::Action::"shop___refund"'
    return f'@id("{ident}") {kind} ({who}, {what}, resource){condition};'


def random_bundle(rng: random.Random) -> Bundle:
    names = [f"a{n}" for n in range(6)]
    agents = [
        Agent(
            name,
            "uma",
            "x",
            frozenset(group for group in GROUPS if rng.random() < 0.5),
            mode=Mode.OBSERVE if rng.random() < 0.2 else Mode.ENFORCE,
        )
        for name in names
    ]
    texts = [random_policy(rng, f"p{n}", names) for n in range(rng.randint(1, 6))]
    broad = '@id("broad") permit (principal, action, resource);'
    return bundle(catalog(broad, *texts, agents=agents))


def strictest(verdicts: list[Verdict]) -> Verdict:
    """The oracle: union of gates and obligations unless anyone denies."""
    if any(isinstance(verdict, Deny) for verdict in verdicts):
        return Deny()
    owed = {owed for verdict in verdicts if not isinstance(verdict, Deny) for owed in verdict.obligations}
    gates = {gate for verdict in verdicts if isinstance(verdict, Escalate) for gate in verdict.gates}
    obligations = tuple(sorted(owed))
    return Escalate(tuple(sorted(gates)), obligations) if gates else Permit(obligations)


@pytest.mark.parametrize("seed", range(CHAINS // PER_BUNDLE))
def test_a_delegated_verdict_is_the_strictest_of_its_links(seed: int) -> None:
    rng = random.Random(seed)
    running = random_bundle(rng)
    for _ in range(PER_BUNDLE):
        chain = rng.choices([f"a{n}" for n in range(6)], k=rng.randint(1, 4))
        arguments: dict[str, Json] = {"order_id": "1" * rng.randint(1, 20), "to": "x"}
        arguments |= rng.choice([{}, {"amount": 5}, {"amount": 50}])
        asked = action(rng.choice(["shop/refund", "shop/look"]), arguments, chain=chain)
        labels = rng.choice([[], ["untrusted", "untrusted:web"]])
        whole = decided(running, asked, labels=labels)
        alone = [_alone(running, asked, labels, name) for name in chain]
        assert whole.verdict == strictest(alone)
        assert all(rank(whole.verdict) >= rank(verdict) for verdict in alone)


def _alone(running: Bundle, asked: Action, labels: list[str], judged: str) -> Verdict:
    """The verdict of one link, by Cedar on the whole set, in a context written out here."""
    policies = dict(running.policies)
    verdict = _cedar(running, asked, labels, judged, policies)
    return Permit(_owed(verdict)) if running.catalog.agents[judged].mode is Mode.OBSERVE else verdict


def _owed(verdict: Verdict) -> tuple[str, ...]:
    return () if isinstance(verdict, Deny) else verdict.obligations


def _cedar(running: Bundle, asked: Action, labels: list[str], judged: str, policies: dict[str, Policy]) -> Verdict:
    answer = cedar.ask(
        {
            "principal": f'Remit::Agent::"{judged}"',
            "action": f'Remit::Action::"{asked.server}___{asked.name}"',
            "resource": f'Remit::Server::"{asked.server}"',
            "context": json.dumps(_context(asked, labels)),
        },
        cedar.policies_of("".join(policy.statement.text for policy in policies.values())),
        running.entities,
        running.schema,
    )
    assert not answer.errors
    said = [policies[ident] for ident in answer.ids]
    if answer.outcome is cedar.Outcome.ALLOW:
        return Permit(tuple(sorted({policy.obligation for policy in said if policy.obligation})))
    routes = [(policy, policy.form.annotations["gate"]) for policy in said if "gate" in policy.form.annotations]
    gates = [Gate(policy.ident, route, policy.statement.text_hash) for policy, route in routes]
    if not said or len(gates) < len(said):
        return Deny()
    rest = {ident: policy for ident, policy in policies.items() if ident not in answer.ids}
    lifted = _cedar(running, asked, labels, judged, rest)
    return Escalate(tuple(sorted(gates)), lifted.obligations) if isinstance(lifted, Permit) else Deny()


def _context(asked: Action, labels: list[str]) -> dict[str, object]:
    def entity(kind: str, name: str) -> object:
        return {"__entity": {"type": f"Remit::{kind}", "id": name}}

    amount = asked.input.get("amount")
    none = dict.fromkeys(("count", *(origin.word for origin in Origin)), 0)
    return {
        "targets": {**none, "established": 0, "strangers": 0},
        "content": none,
        "credentials": none,
        "carried": none,
        "args": {origin.word: [] for origin in Origin},
        "asked": False,
        "impact": {"reversible": True, "external": False},
        "novelty": {"tool": False, "target": False},
        "budget": {},
        "input": {"order_id": asked.input["order_id"]}
        | ({"to": "x"} if asked.name == "refund" else {})
        | ({} if amount is None or asked.name != "refund" else {"amount": f"{amount}.0"}),
        "inputSize": len(asked.arguments),
        "onBehalfOf": entity("User", "uma"),
        "session": {
            "labels": [entity("Label", label) for label in labels],
            "calls": 0,
            "irreversibleCalls": 0,
            "ageSeconds": 1,
        },
        "delegation": {
            "depth": len(asked.authority.links) - 1,
            "chain": [entity("Agent", agent) for agent in asked.authority.agents],
        },
        "system": {"now": {"__extn": {"fn": "datetime", "arg": "2027-01-15T08:00:00.000Z"}}},
    }


def test_labels_of_every_session_of_a_chain_count() -> None:
    text = (
        '@id("f") forbid (principal, action, resource) '
        'when { context.session.labels.contains(Remit::Label::"untrusted") };'
    )
    running = bundle('@id("p") permit (principal, action, resource);', text)
    asked = action(chain=("ada", "bot"))
    for position in (0, 1):
        clean = snapshot(running, asked)
        sessions = list(clean.sessions)
        sessions[position] = replace(sessions[position], labels=frozenset({"untrusted:web"}))
        assert decide(clean, asked, NOW).verdict == Permit()
        assert decide(replace(clean, sessions=tuple(sessions)), asked, NOW).verdict == Deny()


def test_delegating_further_never_adds_authority() -> None:
    running = bundle('@id("p") permit (principal in Remit::Group::"ops", action, resource);')
    assert decided(running, action(chain=("bot",))).verdict == Permit()
    assert decided(running, action(chain=("ada",))).verdict == Deny()
    assert decided(running, action(chain=("ada", "bot"))).verdict == Deny()
    assert decided(running, action(chain=("bot", "ada"))).verdict == Deny()
