"""The port: the server from which things are shipped where somebody named, as the workspace declares it.

Its policy asks where a value came from; who named what is told a second time in `origins`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from remit.facts.origin import Role
from remit.facts.tool import Argument, Effect, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

PORT: Final = "port"
SHIP: Final = (PORT, "ship")
LIST: Final = (PORT, "list")
PAGE: Final = (PORT, "page")
TOOLS: Final[Mapping[tuple[str, str], tuple[Effect, Sink, frozenset[str]]]] = {
    SHIP: (Effect.WRITE, Sink.INTERNAL, frozenset()),
    LIST: (Effect.READ, Sink.NONE, frozenset()),
    PAGE: (Effect.READ, Sink.NONE, frozenset({"untrusted:web"})),
}
TOLD_OF: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {LIST: {"to": {"type": "string", "enum": ["eve", "zoe"]}}}
"""What a tool takes otherwise than all others."""
ARGUMENTS: Final = {"note": Argument(role=Role.CONTENT), "amount": Argument(role=Role.CONTENT)}
"""What `ship` is told beside where to."""
UNVOUCHED: Final = "unvouched"
POLICIES: Final = f"""
@id("{UNVOUCHED}") forbid (principal, action == Remit::Action::"port___ship", resource)
  when {{ context.targets.untrusted > 0 || context.targets.unseen > 0 }};
"""
NAMES: Final = ("quillon", "vexbury", "mortlake", "brindle")
"""Where to: words that stand nowhere else."""


def moment(random: Random) -> str:
    """Some point in time, which leads nowhere: no two are alike."""
    date = f"{random.randint(1900, 2099)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    return f"{date}T{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}Z"
