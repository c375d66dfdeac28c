"""What an agent is shown: tools that some policy's scope would let it use, and so with resources and prompts.

Conditions are not evaluated, so a listing depends on the agents and the bundle alone.
"""

from collections.abc import Iterable

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Mode
from remit.facts.obligation import NoObligationError, on_result, parsed
from remit.facts.tool import Tool
from remit.pdp.snapshot import Snapshot
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.policy.form import Uid
from remit.policy.slice import Policy, Slice
from remit.policy.uids import agent_uid, data_uid, group_uids, server_uid
from remit.policy.verdict import Code, Deny, Permit, Reason, Verdict


def visible_tools(bundle: Bundle, agents: Iterable[str]) -> tuple[Tool, ...]:
    """The tools shown to a delegation chain, in the catalog's order.

    A tool that no link could ever call is hidden; so are quarantined ones. A chain that observes throughout is shown
    the rest. An agent the bundle does not know is shown nothing.
    """
    chain = [bundle.catalog.agents.get(name) for name in agents]
    known = [agent for agent in chain if agent is not None]
    if not known or len(known) < len(chain):
        return ()
    enforced = [agent for agent in known if agent.mode is Mode.ENFORCE]
    return tuple(
        form.tool
        for form in bundle.tools.values()
        if form.quarantined is None and all(offers(bundle, agent, form.tool) for agent in enforced)
    )


def reaches(bundle: Bundle, agents: Iterable[str], server: str) -> bool:
    """Whether the chain may see any tool, resource or prompt of `server`; else nothing is asked of it for the chain."""
    chain = tuple(agents)
    known = [bundle.catalog.agents[name] for name in chain if name in bundle.catalog.agents]
    if not known or len(known) < len(chain) or server not in bundle.catalog.servers:
        return False
    enforced = [agent for agent in known if agent.mode is Mode.ENFORCE]
    at = server_uid(server)
    lists = (
        (bundle.slice(ActionKind.READ_RESOURCE.value), data_uid(server, ""), frozenset({at})),
        (bundle.slice(ActionKind.GET_PROMPT.value), at, frozenset[Uid]()),
    )
    return any(all(_open(*one, agent) for agent in enforced) for one in lists) or any(
        tool.server == server for tool in visible_tools(bundle, chain)
    )


def judge_list(
    snapshot: Snapshot, action: Action, destination: Destination
) -> tuple[Verdict, tuple[Reason, ...], Verdict | None]:
    """Whether the chain may see what `destination` has to read or get: as with tools, by scope alone.

    An agent that observes is shown it whatever policy says, and what policy said comes third. What any of those permits
    owes on results, the list owes.
    """
    agents = [snapshot.bundle.catalog.agents[name] for name in action.authority.agents]
    reasons: list[Reason] = []
    overridden: list[Reason] = []
    owed: set[str] = set()
    for agent in agents:
        inside = _inside(destination.slice, agent, destination.resource, destination.within)
        barring = _barring(inside)
        permits = [policy for policy in inside if not policy.forbids]
        owed.update(policy.obligation for policy in permits if policy.obligation and _of_results(policy.obligation))
        against = tuple(policy.reason(agent.name) for policy in barring)
        if not barring and not permits:
            text = f"no policy permits {agent.name} to {destination.doing}"
            against = (Reason(Code.NO_POLICY, text, agent=agent.name),)
        if agent.mode is not Mode.ENFORCE:
            overridden += against
        elif against:
            return Deny(), against, None
        else:
            reasons += [policy.reason(agent.name) for policy in permits]
    return Permit(tuple(sorted(owed))), (*reasons, *overridden), Deny() if overridden else None


def _of_results(text: str) -> bool:
    try:
        return on_result(parsed(text))
    except NoObligationError:
        # INVARIANT(deny-on-error): nobody knows of what it is.
        return True


def offers(bundle: Bundle, agent: Agent, tool: Tool) -> bool:
    """Whether some permit's scope lets `agent` call `tool`, and nothing forbids that without a condition or a gate."""
    return _open(bundle.slice_of(tool), server_uid(tool.server), frozenset(), agent)


def _open(part: Slice, resource: Uid, within: frozenset[Uid], agent: Agent) -> bool:
    inside = _inside(part, agent, resource, within)
    return not _barring(inside) and any(not policy.forbids for policy in inside)


def _barring(inside: Iterable[Policy]) -> tuple[Policy, ...]:
    return tuple(policy for policy in inside if policy.forbids and policy.form.unconditional and policy.gate is None)


def _inside(part: Slice, agent: Agent, resource: Uid, within: frozenset[Uid]) -> list[Policy]:
    uid, groups = agent_uid(agent.name), group_uids(agent)
    return [
        policy
        for policy in part.policies.values()
        if policy.form.principal.matches(uid, groups) and policy.form.resource.matches(resource, within)
    ]
