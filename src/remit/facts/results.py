"""What the catalog says of a tool's results, part by part."""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.label import NONE, Labels, closed

TRUSTED: Final = "trusted"
"""What stands for no label at all where the catalog labels a part of a result."""

STEPS_MAX: Final = 32
NAME_CHARS_MAX: Final = 80
"""How much is spelt of a name."""
PATH_CHARS_MAX: Final = 500
_CACHED_STEPS: Final = 8
_STEP: Final = re.compile(r"\.(\*|[A-Za-z_][A-Za-z0-9_-]*)|\[(\*|[0-9]{1,9})\]|\['([^'\\]{1,200})'\]")

Step: TypeAlias = str | int | None
"""A member's name, an element's number, or None for every one of them."""


class ResultFormat(StrEnum):
    """How the text of a tool's results is read."""

    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a tool's results: what `path` leads to, with all beneath it.

    `label` is a label or `trusted`; the longest path that fits a value counts. `identity` names the record that
    it stands in; `directory` says that the values here are what the organisation knows by these names.
    """

    path: str
    label: str
    identity: bool = False
    directory: bool = False
    labels: Labels = field(init=False, repr=False, compare=False)
    """What the values here bring, closed upward."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", NONE if self.label == TRUSTED else closed((self.label,)))

    @property
    def kind(self) -> tuple[str, bool, bool]:
        """What it says of the values there, wherever that is."""
        return self.label, self.identity, self.directory

    @property
    def bare(self) -> bool:
        """Whether no member on the way to the values has a name: they are told from all else by nothing."""
        return not any(isinstance(step, str) for step in steps(self.path) or ())

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it; what is off left out."""
        flags: dict[str, Json] = {"identity": self.identity, "directory": self.directory}
        return {"path": self.path, "label": self.label, **{name: on for name, on in flags.items() if on}}


def steps(path: str) -> tuple[Step, ...] | None:
    """The steps of `$`, `$.name`, `$[*]`, `$[0]`, `$.*`, `$['odd name']` and what is made of them; None for no path."""
    if not path.startswith("$"):
        return None
    path_steps: list[Step] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or len(path_steps) == STEPS_MAX:
            return None
        member, element, quoted = step.groups()
        if "*" in {member, element}:
            path_steps.append(None)
        else:
            path_steps.append(int(element) if element is not None else member or quoted)
        at = step.end()
    return tuple(path_steps)


def elements(path: str) -> tuple[bool, ...]:
    """Of each of the `steps` of `path`, whether it leads to what stands in a list; the others lead into objects."""
    return tuple(path[found.start()] == "[" and found[3] is None for found in _STEP.finditer(path))


def spelt(path: tuple[str | int, ...]) -> str:
    """A path as `steps` reads it; what has no plain form is quoted as well as it can be.

    What is long, a name or all of it, is cut and has a digest in place of the rest: no two paths are spelt alike.
    """
    if len(path) == 1 and isinstance(path[0], str):
        short = len(path[0]) <= NAME_CHARS_MAX
    else:
        short = len(path) <= _CACHED_STEPS and all(
            isinstance(step, int) or len(step) <= NAME_CHARS_MAX for step in path
        )
    return _cached(path) if short else _spelt(path)


def _spelt(path: tuple[str | int, ...]) -> str:
    text = "$"
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        name = _cut(step, NAME_CHARS_MAX)
        text += f".{name}" if name.isascii() and name.isidentifier() else f"['{name}']"
    return _cut(text, PATH_CHARS_MAX)


_cached: Final = lru_cache(maxsize=4_096)(_spelt)
"""Of short paths alone: what is kept of the others would be as long as somebody likes."""


def _cut(text: str, chars_max: int) -> str:
    if len(text) <= chars_max:
        return text
    return f"{text[:chars_max]}…{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
