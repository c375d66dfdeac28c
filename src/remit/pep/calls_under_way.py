"""Calls with an effect that have not ended: what they hand on may be found in other results before they do."""

from typing import Final, cast

import orjson

from remit.facts.action import ActionKind
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.record import Ref
from remit.facts.tool import Effect
from remit.ports.ledger import Ledger
from remit.protect.handover import Handover
from remit.trace.bodies import ActionBody

LOADED_MAX: Final = 10_000
_CALL: Final = ActionKind.CALL_TOOL.value


class CallsUnderWay:
    """Those of all sessions in memory, by their root session; one in doubt is under way until a person settles it."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, ActionBody | Handover]] = {}
        self._root: dict[str, str] = {}

    async def load(self, ledger: Ledger) -> None:
        """Those that an earlier run left in doubt, the last `LOADED_MAX` of them."""
        for one in (await ledger.in_doubt())[-LOADED_MAX:]:
            entry = await ledger.entry(one.ref)
            if entry is not None and isinstance(entry.body, ActionBody):
                self.begin(one.ref, entry.body)

    def begin(self, ref: Ref, body: ActionBody) -> None:
        """The intent `body` is recorded at `ref`."""
        if body.kind == _CALL:
            ident, root = str(ref), body.links[0][1]
            self._root[ident] = root
            self._of.setdefault(root, {})[ident] = body

    def end(self, ident: str) -> None:
        """The intent `ident` has an outcome."""
        root = self._root.pop(ident, None)
        if root is not None:
            calls = self._of[root]
            del calls[ident]
            if not calls:
                del self._of[root]

    def beside(self, ident: str, root: str, catalog: Catalog) -> tuple[Handover, ...]:
        """Those of `root`, beside the call `ident`, whose tools have an effect, or are known no more."""
        calls = self._of.get(root, {})
        return tuple(
            handover
            for call_id in calls
            if call_id != ident and (handover := _handover(calls, call_id, catalog)) is not None
        )


def _handover(calls: dict[str, ActionBody | Handover], ident: str, catalog: Catalog) -> Handover | None:
    call = calls[ident]
    if isinstance(call, ActionBody):
        tool = catalog.tools.get((call.server, call.name))
        if tool is not None and tool.effect is Effect.READ:
            return None
        call = calls[ident] = Handover(tool, cast("dict[str, Json]", orjson.loads(call.arguments)))
    return call
