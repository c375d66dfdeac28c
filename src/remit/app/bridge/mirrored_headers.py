"""Arguments that travel as headers too (`facts.header_mirror`): a stdio client sends none, so they are made here.

Which arguments those are stands in the tools' schemas. They are learnt from the lists that pass
through; a call that the service refuses for want of such a header had no effect, so the list is
fetched and the call sent again.
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

import orjson

from remit.app.bridge.exchange import BridgeResponse
from remit.app.bridge.message import Ask, Object, read
from remit.facts.canonical import Json
from remit.facts.header_mirror import Mirror, encoded, headers, mirrors

CALL: Final = "tools/call"
LIST: Final = "tools/list"
TOOLS_MAX: Final = 10_000
PAGES_MAX: Final = 100
_MISMATCH: Final = -32020
_IDENT: Final = "remit-mcp-list"


class MirroredHeaders:
    """What is known of the tools' schemas."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Mirror, ...]] = {}

    def headers(self, ask: Ask) -> dict[str, str]:
        """The `Mcp-Param-*` headers of a call of a tool that was listed."""
        arguments = ask.params.get("arguments")
        if ask.method != CALL or ask.name is None or not isinstance(arguments, dict):
            return {}
        mirrored = headers(self._known.get(ask.name, ()), cast("Mapping[str, Json]", arguments))
        return {name: encoded(value) for name, value in mirrored.items()}

    def learn(self, answer: BridgeResponse) -> str | None:
        """Read the schemas of one page of a list; the cursor of the next one."""
        result = _object(answer.value.get("result"))
        tools = result.get("tools")
        for tool in cast("list[object]", tools) if isinstance(tools, list) else ():
            name, schema = _object(tool).get("name"), _object(tool).get("inputSchema")
            if isinstance(name, str) and isinstance(schema, dict) and len(self._known) < TOOLS_MAX:
                self._known[name] = mirrors(cast("Mapping[str, Json]", schema))
        cursor = result.get("nextCursor")
        return cursor if isinstance(cursor, str) else None

    def wants_list(self, ask: Ask, answer: BridgeResponse) -> bool:
        """Whether `answer` refuses a call for its headers."""
        return ask.method == CALL and _object(answer.value.get("error")).get("code") == _MISMATCH

    def fetch(self, ask: Ask, run: Callable[[Ask], BridgeResponse]) -> bool:
        """List the tools in the name of `ask`'s client; whether that changes the headers of `ask`."""
        before = self.headers(ask)
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            cursor = self.learn(run(_list(ask, cursor)))
            if cursor is None:
                break
        return self.headers(ask) != before


def _list(ask: Ask, cursor: str | None) -> Ask:
    params = {"_meta": ask.params["_meta"]} | ({} if cursor is None else {"cursor": cursor})
    request = read(orjson.dumps({"jsonrpc": "2.0", "id": _IDENT, "method": LIST, "params": params}))
    assert isinstance(request, Ask), "it is a request"  # noqa: S101
    return request


def _object(value: object) -> Object:
    return cast("Object", value) if isinstance(value, dict) else {}
