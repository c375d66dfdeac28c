"""What the catalog says of a tool's arguments, against the schema that was accepted."""

from remit.control.lock import Pinned
from remit.control.problems import Problem, did_you_mean
from remit.control.resources import Resource, ToolSpec
from remit.policy.typing import Untypable, type_input


def argument_problems(resource: Resource, spec: ToolSpec, pinned: Pinned) -> list[Problem]:
    """A problem for each argument that the tool does not have: what is said of it would hold for none.

    A schema that names no arguments, or cannot be read, may have any.
    """
    if not spec.arguments:
        return []
    try:
        known = type_input(pinned.definition.input_schema).arguments
    except Untypable:
        return []
    return [
        Problem(
            "tool/argument",
            resource.at(f"spec.arguments.{name}"),
            f"Tool {resource.name[:128]!r} has no argument {name[:64]!r}",
            "what is said of it would hold for nothing",
            did_you_mean(name, known) or f"it has {', '.join(known[:10])}",
        )
        for name in spec.arguments
        if known and name not in known
    ]
