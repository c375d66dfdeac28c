"""Which tools an agent is shown: those that some policy's scope would let it use.

Conditions are not evaluated, so a listing depends on the agents and the bundle alone.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from remit.facts.agent import Agent, Mode
from remit.facts.catalog import Tool
from remit.pdp.snapshot import Pin
from remit.policy.bundle import Bundle, Policy, agent_uid, group_uids, server_uid
from remit.policy.form import Effect

_ALL_MATCH: Final[Mapping[tuple[str, str], Pin]] = MappingProxyType({})
_LISTED: Final = frozenset({Pin.MATCHES, Pin.UNVERIFIED})


def visible_tools(
    bundle: Bundle,
    agents: Iterable[str],
    pins: Mapping[tuple[str, str], Pin] = _ALL_MATCH,
) -> tuple[Tool, ...]:
    """The tools shown to a delegation chain, in the catalog's order.

    A tool that no link could ever call is hidden; so are quarantined ones, and those that
    `pins` knows to have drifted or gone. A chain that observes throughout is shown the rest.
    An agent the bundle does not know is shown nothing.
    """
    chain = [bundle.catalog.agents.get(name) for name in agents]
    known = [agent for agent in chain if agent is not None]
    if not known or len(known) < len(chain):
        return ()
    bound = [agent for agent in known if agent.mode is Mode.ENFORCE]
    return tuple(
        form.tool
        for key, form in bundle.tools.items()
        if form.quarantined is None
        and pins.get(key, Pin.MATCHES) in _LISTED
        and all(_offered(bundle, agent, form.tool) for agent in bound)
    )


def _offered(bundle: Bundle, agent: Agent, tool: Tool) -> bool:
    inside = [policy for policy in bundle.slice_of(tool).policies.values() if _in_scope(policy, agent, tool)]
    barred = any(
        policy.form.effect is Effect.FORBID and policy.form.unconditional and policy.gate is None for policy in inside
    )
    return not barred and any(policy.form.effect is Effect.PERMIT for policy in inside)


def _in_scope(policy: Policy, agent: Agent, tool: Tool) -> bool:
    principal, resource = policy.form.principal, policy.form.resource
    return principal.matches(agent_uid(agent.name), group_uids(agent)) and resource.matches(
        server_uid(tool.server), frozenset()
    )
