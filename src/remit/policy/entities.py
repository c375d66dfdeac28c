"""The entities of a catalog, built in one place, and the proof that groups work with them.

Three mistakes switch every group policy off without a word, forbids included: no schema at
evaluation, an agent without its entity, a handle built without the schema. Hence the test.
"""

from collections.abc import Iterable, Iterator

from remit.facts.agent import Agent, User
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.feed import readable
from remit.facts.label import NONE
from remit.facts.monitor import Monitor
from remit.policy import cedar
from remit.policy.compiled.values import cedar_json
from remit.policy.context import Facts
from remit.policy.convert import convert
from remit.policy.destination import ToolForm
from remit.policy.past import zeros
from remit.policy.problem import PolicyProblem, nearest
from remit.policy.schema import EVERYONE, NAMESPACE

_TEST = f"""
@id("permit") permit (principal, action, resource);
@id("deny") forbid (principal in {NAMESPACE}::Group::"{EVERYONE}",
        action in {NAMESPACE}::Action::"call_tool", resource);
"""


def catalog_entities(catalog: Catalog, schema: cedar.Schema) -> cedar.Entities:
    """Every agent and user with its groups, and the action hierarchy out of `schema`."""
    agents = (_member("Agent", agent) for agent in catalog.agents.values())
    users = (_member("User", user) for user in catalog.users.values())
    return cedar.entities_of([*agents, *users], schema)


def strangers(catalog: Catalog) -> Iterator[PolicyProblem]:
    """A problem for each agent or user in a group that the catalog does not have."""
    for member in (*catalog.agents.values(), *catalog.users.values()):
        for group in sorted(member.groups - catalog.groups - {EVERYONE}):
            text = f"{member.name} is in the group {group}, which does not exist"
            yield PolicyProblem("(catalog)", 0, 0, None, text, group, nearest(group, catalog.groups))


def self_test(
    form: ToolForm | None,
    agent: Agent | None,
    schema: cedar.Schema,
    entities: cedar.Entities,
    monitors: Iterable[Monitor] = (),
    *,
    detects_sent: bool = False,
) -> Iterator[PolicyProblem]:
    """A problem unless a denial by agent group and action group is a denial.

    Asked of one agent and one tool; without both there is nothing to switch off. `detects_sent`: it is looked at.
    """
    if agent is None or form is None:
        return
    facts = Facts(None, (agent.name,), NONE, 0, 0, 0, 0, 0)
    context = facts.cedar(NONE)
    if past := readable(monitors, form.tool):
        context["past"] = zeros(past)
    if detects_sent:
        context["sends"] = frozenset()
    if not form.quarantined:
        context["input"] = convert(form.record, {}).input
    answer = cedar.ask(
        {
            "principal": {"type": f"{NAMESPACE}::Agent", "id": agent.name},
            "action": {"type": f"{NAMESPACE}::Action", "id": form.tool.exposed},
            "resource": {"type": f"{NAMESPACE}::Server", "id": form.tool.server},
            "context": cedar_json(context),
        },
        cedar.policies_of(_TEST),
        entities,
        schema,
    )
    if answer.outcome is not cedar.Outcome.DENY or answer.ids != ("deny",):
        text = "the self-test failed: a denial by group was not a denial"
        yield PolicyProblem("(engine)", 0, 0, None, text, hint="report this with the cedarpy version")


def _member(kind: str, member: Agent | User) -> Json:
    groups = sorted({*member.groups, EVERYONE})
    return {
        "uid": {"type": f"{NAMESPACE}::{kind}", "id": member.name},
        "attrs": {},
        "parents": [{"type": f"{NAMESPACE}::Group", "id": group} for group in groups],
    }
