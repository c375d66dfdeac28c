"""What is kept of a bundle that ran, by its digest: enough to show its policies and to compare it with any other.

Definitions of tools are kept apart by their pin, since most bundles have the same; plain values of environment
variables are not kept.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from remit.control.diff import BundleDescription, Side, describe
from remit.control.manifests import HIDDEN
from remit.control.resources import ResourceKind
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog, Server, Stdio
from remit.policy.bundle import Bundle

FORM: Final = 2
_DIGEST: Final = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KeptBundle:
    """A bundle as it is kept, and the definitions of its tools by pin."""

    bundle: Mapping[str, Json]
    definitions: Mapping[str, Json]


def file_of(kind: str, digest: str) -> str:
    """The name of the file that holds what `digest` names."""
    plain = digest.removeprefix("sha256:") if _DIGEST.fullmatch(digest) else "none"
    return f"{kind}-{plain}.kept"


def kept_of(bundle: Bundle) -> KeptBundle:
    """What is kept of `bundle`."""
    side = describe(Side(_without_values(bundle.catalog), {}))
    pins = {f"{tool.server}/{tool.name}": tool.pin for tool in bundle.catalog.tools.values()}
    definitions: dict[str, Json] = {}
    resources: list[Json] = []
    for (kind, name), members in side.resources.items():
        spec = dict(members)
        if kind is ResourceKind.TOOL:
            spec["pin"] = pins[name]
            definitions[pins[name]] = spec.pop("definition")
        resources.append([kind.value, name, spec])
    policies: Json = {
        ident: {"path": policy.statement.file, "line": policy.statement.line, "text": policy.statement.text}
        for ident, policy in bundle.policies.items()
    }
    return KeptBundle(
        {
            "form": FORM,
            "session_hours_max": side.session_hours_max,
            "resources": resources,
            "policies": policies,
        },
        definitions,
    )


def pins_of(stored: Mapping[str, Any]) -> frozenset[str]:
    """The files of the definitions that a kept bundle has."""
    tools = (members for kind, _, members in stored["resources"] if kind == ResourceKind.TOOL)
    return frozenset(file_of("pin", str(members["pin"])) for members in tools)


def _without_values(catalog: Catalog) -> Catalog:
    """`catalog`, with something else in the place of plain values of variables."""
    return replace(catalog, servers={name: _without_value(server) for name, server in catalog.servers.items()})


def _without_value(server: Server) -> Server:
    transport = server.transport
    if not isinstance(transport, Stdio):
        return server
    env = {name: HIDDEN if isinstance(value, str) else value for name, value in transport.env.items()}
    return replace(server, transport=replace(transport, env=env))


def described_of(stored: Mapping[str, Any], definition: Callable[[str], Json]) -> BundleDescription:
    """A kept bundle as it is compared. Raises `KeyError`, `ValueError` or `TypeError` where it is none of this form."""
    if stored["form"] != FORM:
        raise ValueError("another form")
    resources: dict[tuple[ResourceKind, str], Mapping[str, Json]] = {}
    for kind, name, members in stored["resources"]:
        spec = cast("dict[str, Json]", members)
        if kind == ResourceKind.TOOL:
            spec = {**spec, "definition": definition(str(spec["pin"]))}
            if spec["definition"] is None:
                raise ValueError("the definition of a tool is lost")
        resources[ResourceKind(kind), name] = spec
    policies = {ident: policy["text"] for ident, policy in stored["policies"].items()}
    return BundleDescription(resources, policies, stored["session_hours_max"])
