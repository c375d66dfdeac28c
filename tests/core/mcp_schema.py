"""Every method and notification of the protocol, by who sends it and in which era, as the SDK's types list them.

`mcp_types` holds one module for each schema; its unions say who sends what. A schema that grows a method, or a union of
another name, shows here first.
"""

from __future__ import annotations

from typing import Any, Final, cast, get_args

import mcp_types._v2025_11_25 as handshake
import mcp_types._v2026_07_28 as stateless

from remit.pep.mcp.methods import Sender
from remit.ports.upstream import Era

Sent = tuple[str, Sender, Era]
SCHEMAS: Final = {Era.INITIALIZE: handshake, Era.STATELESS: stateless}
UNIONS: Final = {
    Sender.CLIENT: ("ClientRequest", "ClientNotification"),
    Sender.SERVER: ("ServerRequest", "ServerNotification", "InputRequest"),
}
TASKS_EXTENSION: Final = frozenset(
    {
        ("tasks/get", Sender.CLIENT, Era.STATELESS),
        ("tasks/update", Sender.CLIENT, Era.STATELESS),
        ("tasks/cancel", Sender.CLIENT, Era.STATELESS),
        ("notifications/tasks", Sender.SERVER, Era.STATELESS),
    }
)
"""The methods of `io.modelcontextprotocol/tasks`, which the schema of the core does not have."""


def method_of(model: Any) -> str | None:
    """The method of a request or notification: the one value that its field allows."""
    fields = cast("dict[str, Any]", getattr(model, "model_fields", {}))
    values = get_args(fields["method"].annotation) if "method" in fields else ()
    return str(values[0]) if len(values) == 1 else None


def sent() -> frozenset[Sent]:
    """Every method with who sends it in which era, the unions of both schemas taken apart."""
    return frozenset(
        (method, sender, era)
        for era, schema in SCHEMAS.items()
        for sender, unions in UNIONS.items()
        for union in unions
        for model in get_args(getattr(schema, union, None)) or (getattr(schema, union, None),)
        if (method := method_of(model)) is not None
    )


def named() -> frozenset[tuple[str, Era]]:
    """Every method that any model of a schema names, in whatever union."""
    return frozenset(
        (method, era)
        for era, schema in SCHEMAS.items()
        for model in vars(schema).values()
        if isinstance(model, type) and (method := method_of(model)) is not None
    )


SENT: Final = sent() | TASKS_EXTENSION
