"""Names under `/mcp`, where all servers are one: `server___prompt`, and `remit+server:uri`.

Under `/mcp/{server}` everything has its own name. What a listing named is remembered, so that a shortened
name finds its way back.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from remit.facts.canonical import Json
from remit.facts.tool import exposed_name
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

    def items(self, server: str, offer: Offer, items: Sequence[Json]) -> list[Json]:
        """The listed `items` of `server` under exposed names."""
        member = _NAMED_BY[offer]
        exposed_items: list[Json] = []
        for item in items:
            name = item.get(member) if isinstance(item, Mapping) else None
            if isinstance(item, Mapping) and isinstance(name, str):
                exposed = self._prompt(server, name) if offer is Offer.PROMPTS else exposed_uri(server, name)
                exposed_items.append({**item, member: exposed})
        return exposed_items

    def prompt(self, exposed: str) -> tuple[str, str]:
        """`(server, prompt)` of an exposed name; where there is none, the server is empty."""
        target = self._prompts.get(exposed)
        if target is not None:
            return target
        server, between, name = exposed.partition("___")
        return (server, name) if between else ("", exposed)

    def _prompt(self, server: str, name: str) -> str:
        exposed = exposed_name(server, name)
        if exposed != f"{server}___{name}":
            if len(self._prompts) >= PROMPTS_MAX:
                self._prompts.clear()
            self._prompts[exposed] = (server, name)
        return exposed
