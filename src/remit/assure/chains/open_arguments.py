"""Arguments that are left open: where no value was found that a schema takes, any is as good as one that it does.

What is searched then is more than can be done, never less: whether there is such a value is left to whoever reads it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from remit.assure.chains.arguments import unfound
from remit.assure.chains.literals import Literals
from remit.assure.chains.schema_fit import opening
from remit.policy.bundle import Bundle


class OpenBundle(NamedTuple):
    """A bundle that takes any value of the arguments `open`, by tool; else it judges as the one that it was made of."""

    bundle: Bundle
    open: Mapping[tuple[str, str], tuple[str, ...]]


def with_open_arguments(bundle: Bundle, read: Mapping[str, Literals]) -> OpenBundle:
    """`bundle` with those arguments open for which nothing is found; `read` are literals of policies, by action."""
    open_by_tool: dict[tuple[str, str], tuple[str, ...]] = {}
    tools = dict(bundle.tools)
    for key, form in bundle.tools.items():
        if form.quarantined is not None or not (names := unfound(form, read[form.tool.exposed])):
            continue
        open_by_tool[key] = names
        tools[key] = replace(form, validator=opening(form.tool.definition.input_schema, names))
    return OpenBundle(replace(bundle, tools=tools, _destinations={}) if open_by_tool else bundle, open_by_tool)
