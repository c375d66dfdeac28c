"""What the server behind says on streams that stand: of what was asked for and of what was not, with too much in it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import orjson

from proof.fuzz.laws import NEVER

if TYPE_CHECKING:
    from random import Random

SECRET: Final = NEVER.decode()
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_PAUSE_S: Final = 0.03
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class StandingEvents:
    """Of one server. `uris` were asked for by somebody, users were told to open `addresses`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.uris: deque[Any] = deque(("file:///a", "file:///b", "file:///nobody"), 50)
        self.addresses: deque[str] = deque(("mark999999999mark",), 50)

    async def stand(self, session: int, writer: asyncio.StreamWriter) -> None:
        """The GET stream of a session of 2025."""
        writer.write(_HEAD)
        await self._say(writer, [self._of_session(session) for _ in range(self._random.choice((0, 3, 30, 100)))])

    async def listen(self, ident: Any, params: Any, writer: asyncio.StreamWriter) -> bool:
        """The stream of `subscriptions/listen`: acknowledged as it was asked for, with more, or not at all."""
        asked: Any = params.get("notifications") or {}
        more = {
            "toolsListChanged": True,
            "promptsListChanged": True,
            "resourceSubscriptions": list(self.uris),
            "x": SECRET,
        }
        meta = {_SUBSCRIPTION: ident, "x": SECRET}
        served = self._random.choice((asked, asked, asked, more, {}, SECRET))
        events: list[Any] = [_notice("subscriptions/acknowledged", {"_meta": meta, "notifications": served})]
        if self._random.random() < 0.05:
            events = []
        for _ in range(self._random.choice((0, 3, 30, 100))):
            event = self._change()
            named = self._random.choice((ident, ident, ident, ident, 999_999, "x", None))
            event["params"] |= {} if named is None else {"_meta": {_SUBSCRIPTION: named, "x": SECRET}}
            events.append(event)
        if self._random.random() < 0.5:
            events.append({"jsonrpc": "2.0", "id": ident, "result": {"resultType": "complete", "x": SECRET}})
        writer.write(_HEAD)
        await self._say(writer, events)
        return False

    def _of_session(self, session: int) -> Any:
        said = f"stood{session}stood"
        match self._random.randrange(12):
            case 0:
                return _notice(
                    "progress", {"progressToken": self._random.randrange(60), "progress": 1, "message": said}
                )
            case 1:
                return _notice("message", {"level": "error", "data": said})
            case 2:
                return {"jsonrpc": "2.0", "id": self._random.randrange(60), "result": {"content": [], "x": SECRET}}
            case 3 if session % 4 == 0:
                # A call of a session that asks so is alone from then on.
                schema: Any = {"type": "object", "properties": {}}
                asks = {"message": said, "requestedSchema": schema, "x": SECRET}
                return {"jsonrpc": "2.0", "id": f"aside-{session}", "method": "elicitation/create", "params": asks}
            case _:
                return self._change()

    def _change(self) -> Any:
        name = self._random.choice(
            ("tools", "prompts", "resources", "updated", "updated", "complete", "complete", "odd")
        )
        match name:
            case "updated":
                uri = self._random.choice(self.uris)
                return _notice("resources/updated", {"uri": uri, "title": SECRET})
            case "complete":
                return _notice(
                    "elicitation/complete", {"elicitationId": self._random.choice(self.addresses), "x": SECRET}
                )
            case "odd":
                return _notice("tasks/status", {"taskId": SECRET, "status": SECRET})
            case _:
                return _notice(f"{name}/list_changed", {"x": SECRET})

    async def _say(self, writer: asyncio.StreamWriter, events: list[Any]) -> None:
        for event in events:
            data = orjson.dumps(event)
            if self._random.random() < 0.01:
                data = data[: self._random.randrange(len(data))]
            part = b"data: " + data + b"\n\n"
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(self._random.random() * _PAUSE_S)
        if self._random.random() < 0.7:
            writer.write(b"0\r\n\r\n")
            await writer.drain()


def _notice(name: str, params: dict[str, Any]) -> Any:
    return {"jsonrpc": "2.0", "method": f"notifications/{name}", "params": params}
