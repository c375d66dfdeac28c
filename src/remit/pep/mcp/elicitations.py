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
        self._exposed_names: OrderedDict[tuple[str, str], str] = OrderedDict()

    def exposed_question(self, server: str, question: Question) -> Question:
        """`question` of `server` as the client is told it, if it names an elicitation."""
        ident = _elicitation_id(question.params)
        if ident is None:
            return question
        exposed_name = f"{server}:{ident}" if self._exposed else ident
        self._exposed_names[server, ident] = exposed_name
        self._exposed_names.move_to_end((server, ident))
        if len(self._exposed_names) > TOLD_MAX:
            self._exposed_names.popitem(last=False)
        return replace(question, params={**question.params, _ID: exposed_name})

    def completed(self, server: str, ident: str) -> str | None:
        """What the client knows the elicitation `ident` of `server` by; None where it waits for no word of it."""
        return self._exposed_names.pop((server, ident), None)


def _elicitation_id(params: Mapping[str, Json]) -> str | None:
    ident = params.get(_ID)
    is_named = params.get("mode") == "url" and isinstance(ident, str) and len(ident) <= ELICITATION_CHARS_MAX
    return ident if is_named and isinstance(ident, str) else None
