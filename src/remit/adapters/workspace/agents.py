"""Agents as text: declared in a file of their own, and held to policy by changing one word."""

import re
from collections.abc import Mapping
from typing import Final

import yaml

from remit.adapters.workspace.documents import Document, first_edit
from remit.control.resources import API_VERSION, AgentSpec, Resource, ResourceKind
from remit.facts.agent import Harness, Mode
from remit.facts.canonical import Json

_MODE: Final = re.compile(r"""(?P<key>["']?mode["']?\s*:\s*)(?P<quote>["']?)observe(?P=quote)""")


def agent_yaml(agent: Resource, spec: AgentSpec) -> str:
    """The YAML that declares `agent`; what is as it would be anyway is left out."""
    spec_members: dict[str, Json] = {"owner": spec.owner, "purpose": spec.purpose}
    if spec.groups:
        spec_members["groups"] = list(spec.groups)
    if spec.harness is not Harness.UNTRUSTED:
        spec_members["harness"] = spec.harness.value
    if spec.mode is not Mode.ENFORCE:
        spec_members["mode"] = spec.mode.value
    value = {
        "apiVersion": API_VERSION,
        "kind": ResourceKind.AGENT.value,
        "metadata": {"name": agent.name},
        "spec": spec_members,
    }
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def with_enforce_mode(text: str, document: Document) -> str | None:
    """`text` with the mode of the agent that `document` of it declares set to enforce.

    None where that is not to be had by changing that one word: an alias, a tag, another document
    that would change too.
    """
    places = _MODE.finditer(text, document.start, document.end)
    tries = (f"{text[: found.start()]}{found['key']}enforce{text[found.end() :]}" for found in places)
    return first_edit(text, document, _with_enforce(document.value), tries)


def _with_enforce(value: Json) -> Json:
    match value:
        case {"spec": {**spec}, **rest}:
            return {**rest, "spec": {**spec, "mode": Mode.ENFORCE.value}}
        case Mapping():
            return {**value, "spec": {"mode": Mode.ENFORCE.value}}
        case _:
            return value
