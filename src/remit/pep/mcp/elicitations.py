"""Elicitations by address that one connection of 2025-11-25 was told of, until its server says that one is complete.

A server says it of ids of its own, which another server may use too, or another session be told of: a completion goes
to who was told of that id by that server, once, and by the name under which he was told. So it says nothing but when.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from remit.facts.canonical import Json
from remit.ports.upstream import ELICITATION_CHARS_MAX, Question

TOLD_MAX: Final = 256
"""Of one connection; the oldest is forgotten, and its user tries again by hand."""
_ID: Final = "elicitationId"


class Elicitations:
    """Of one connection; `exposed` on a path where all servers are one, where ids begin with the server's name."""

    def __init__(self, *, exposed: bool) -> None:
        self._exposed = exposed
        self._told: OrderedDict[tuple[str, str], str] = OrderedDict()

    def told(self, server: str, question: Question) -> Question:
        """`question` of `server` as the client is told it, if it names an elicitation."""
        named = _named(question.params)
        if named is None:
            return question
        shown = f"{server}:{named}" if self._exposed else named
        self._told[server, named] = shown
        self._told.move_to_end((server, named))
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        return replace(question, params={**question.params, _ID: shown})

    def completed(self, server: str, named: str) -> str | None:
        """What the client knows the elicitation `named` of `server` by; None where it waits for no word of it."""
        return self._told.pop((server, named), None)


def _named(params: Mapping[str, Json]) -> str | None:
    found = params.get(_ID)
    is_named = params.get("mode") == "url" and isinstance(found, str) and len(found) <= ELICITATION_CHARS_MAX
    return found if is_named and isinstance(found, str) else None
