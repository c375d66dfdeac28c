"""Names under `/mcp`, where all servers are one: `server___prompt`, and `remit+server:uri`.

Under `/mcp/{server}` everything has its own name. What a listing named is remembered, so that a shortened
name finds its way back.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from remit.facts.canonical import Json
from remit.facts.catalog import exposed_name
from remit.pep.resource_names import exposed_uri
from remit.ports.upstream import Offer

PROMPTS_MAX: Final = 10_000

_NAMED_BY: Final[Mapping[Offer, str]] = {
    Offer.RESOURCES: "uri",
    Offer.TEMPLATES: "uriTemplate",
    Offer.PROMPTS: "name",
}


class Namespace:
    """What names under `/mcp` stand for."""

    def __init__(self) -> None:
        self._prompts: dict[str, tuple[str, str]] = {}

    def items(self, server: str, offer: Offer, found: Sequence[Json]) -> list[Json]:
        """The listed `found` of `server` under exposed names."""
        member = _NAMED_BY[offer]
        shown: list[Json] = []
        for item in found:
            name = item.get(member) if isinstance(item, Mapping) else None
            if isinstance(item, Mapping) and isinstance(name, str):
                exposed = self._prompt(server, name) if offer is Offer.PROMPTS else exposed_uri(server, name)
                shown.append({**item, member: exposed})
        return shown

    def prompt(self, exposed: str) -> tuple[str, str]:
        """`(server, prompt)` of an exposed name; where there is none, the server is empty."""
        known = self._prompts.get(exposed)
        if known is not None:
            return known
        server, between, name = exposed.partition("___")
        return (server, name) if between else ("", exposed)

    def _prompt(self, server: str, name: str) -> str:
        exposed = exposed_name(server, name)
        if exposed != f"{server}___{name}":
            if len(self._prompts) >= PROMPTS_MAX:
                self._prompts.clear()
            self._prompts[exposed] = (server, name)
        return exposed
