"""The Cedar entities that stand for what Remit knows by name."""

from typing import Final

from remit.facts.agent import Agent
from remit.policy.form import Uid
from remit.policy.schema import EVERYONE, NAMESPACE

_AGENT: Final = f"{NAMESPACE}::Agent"


def action_uid(name: str) -> Uid:
    """The Cedar entity of an action or action group."""
    return f"{NAMESPACE}::Action", name


def agent_uid(name: str) -> Uid:
    """The Cedar entity of an agent."""
    return _AGENT, name


def group_uids(agent: Agent) -> frozenset[Uid]:
    """The Cedar entities an agent is in."""
    return frozenset((f"{NAMESPACE}::Group", group) for group in (*agent.groups, EVERYONE))


def data_uid(server: str, uri: str) -> Uid:
    """The Cedar entity of a resource at `server`, which it is in."""
    return f"{NAMESPACE}::Data", f"{server} {uri}"


def model_uid(name: str) -> Uid:
    """The Cedar entity of a model."""
    return f"{NAMESPACE}::Model", name


def server_uid(name: str) -> Uid:
    """The Cedar entity of a server."""
    return f"{NAMESPACE}::Server", name
