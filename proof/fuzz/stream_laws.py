"""What no standing stream may break.

Laws
* A stream tells of nothing but changes and completions, with the members that the protocol names; one of 2026-07-28
  begins with what is served and names itself in each of them, one of the 2025 eras asks nothing and answers nothing.
* INVARIANT(label-before-data): a resource is told of once a durable record holds the labels that reading it brings, and
  a list of resources or prompts once one holds those of following it; to who asked for it and to nobody else.
* Who may see nothing of a server hears nothing of one.
* An elicitation is said to be complete to the connection whose call it is of, and no more often than it was asked.
* What a server says within a session of one client goes to nobody of another session.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

from proof.fuzz.laws import MARK, Laws
from remit.facts.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proof.fuzz.streams import Standing

ASKED_MAX: Final = 2
"""How often a server asks by the same id."""
NOBODY: Final = "guest"
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_LISTS: Final = {
    "notifications/tools/list_changed": (),
    "notifications/prompts/list_changed": ("prompts",),
    "notifications/resources/list_changed": ("resources", "resourceTemplates"),
}
_FILTERS: Final = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_OURS: Final[tuple[Any, ...]] = ((_ACKNOWLEDGED, {}), (_ACKNOWLEDGED, {"toolsListChanged": True}))
"""What everybody is told: another bundle changes his tools whatever a server says."""


class StreamLaws:
    """Of all streams of a run; what is broken is told to `laws`. `told` counts notifications by their methods."""

    def __init__(self, laws: Laws) -> None:
        self.laws = laws
        self.told: Counter[str] = Counter()

    def event(self, event: Mapping[str, Any], of: Standing) -> None:
        """`event` is on its way to the client of the stream `of`."""
        method: Any = event.get("method")
        params: Any = event.get("params") or {}
        first = not of.heard
        of.heard.append(method)
        if of.ident is not None and "method" not in event:
            if event.get("id") != of.ident:
                self._break(f"the end of another stream came on that of {of.ident}: {event}")
            return
        if not isinstance(method, str) or "id" in event:
            self._break(f"a standing stream asked or answered something: {event}")
            return
        self.told[method] += 1
        extra = {"_meta"} if of.ident is not None else set[str]()
        if of.ident is not None and params.get("_meta") != {_SUBSCRIPTION: of.ident}:
            self._break(f"a stream does not name itself as {of.ident}: {event}")
        if of.ident is not None and first != (method == _ACKNOWLEDGED):
            self._break(f"a stream does not begin, alone, with what is served: {event}")
        self._one(method, cast("Mapping[str, Any]", params), of, extra)

    def _one(self, method: str, params: Mapping[str, Any], of: Standing, extra: set[str]) -> None:
        if of.bearer == NOBODY and (method, params.get("notifications")) not in _OURS:
            self._break(f"who may see nothing of a server heard of one: {method} {params}")
        match method:
            case "notifications/subscriptions/acknowledged" if of.ident is not None:
                self._has(params, extra | {"notifications"})
            case "notifications/resources/updated":
                self._has(params, extra | {"uri"})
                self._updated(str(params.get("uri")), of)
            case "notifications/elicitation/complete" if of.connection is not None:
                self._has(params, {"elicitationId"})
                ident = str(params.get("elicitationId"))
                of.connection.completed[ident] += 1
                if not MARK.search(ident.encode()) or of.connection.completed[ident] > ASKED_MAX:
                    self._break(f"an elicitation is complete of which nobody was told there, or again: {ident}")
            case _ if method in _LISTS:
                self._has(params, extra)
                if of.ident is not None and _FILTERS[method] not in of.lists:
                    self._break(f"{method} was told to who did not ask for it")
                if _LISTS[method] and not any(
                    canonical({"watch": offer}) in self.laws.labelled for offer in _LISTS[method]
                ):
                    self._break(f"label-before-data: {method} was told before its labels were durable")
            case _:
                self._break(f"a standing stream tells what none does: {method} {params}")

    def _updated(self, uri: str, of: Standing) -> None:
        if uri not in of.followed:
            self._break(f"{uri} was told of to who did not ask for it")
        own = uri.removeprefix("remit+new:").removeprefix("remit+old:") if of.path == "/mcp" else uri
        if canonical({"subscribe": own}) not in self.laws.labelled:
            self._break(f"label-before-data: a change of {own} was told before its labels were durable")

    def _has(self, params: Mapping[str, Any], members: set[str]) -> None:
        if set(params) - members:
            self._break(f"members that nobody asked for were told: {params}")

    def _break(self, text: str) -> None:
        self.laws.breaks(text)
