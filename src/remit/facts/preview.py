"""How a tool says what a call of it would do, before anybody lets it."""

from collections.abc import Mapping
from dataclasses import dataclass

from remit.facts.canonical import Json


@dataclass(frozen=True, slots=True)
class Preview:
    """A dry run of a call: by another `tool` of its server, or by the tool itself with its `argument` set to `value`.

    Exactly one of them is there. `arguments` says for each argument of the other tool which one of the call it is
    given; None: the same as the call.
    """

    tool: str = ""
    arguments: Mapping[str, str] | None = None
    argument: str = ""
    value: bool | str = True

    def of(self, name: str, arguments: Mapping[str, Json]) -> tuple[str, dict[str, Json]]:
        """The tool and the arguments of the dry run of a call of `name` with `arguments`."""
        if not self.tool:
            return name, {**arguments, self.argument: self.value}
        if self.arguments is None:
            return self.tool, dict(arguments)
        return self.tool, {to: arguments[of] for to, of in self.arguments.items() if of in arguments}

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it."""
        if not self.tool:
            return {"argument": self.argument, "value": self.value}
        members: dict[str, Json] = {"tool": self.tool}
        return members if self.arguments is None else {**members, "arguments": dict(self.arguments)}
