"""The rows of quarantines: what may read and not act, or the reverse, by calls of tools and by what else is read."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proof.protection.world import FREE, Clinic, Seen, calls, speaking

if TYPE_CHECKING:
    from mcp import Client


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A mode of quarantine, over what, and which of reading and acting is still allowed."""

    name: str
    over: str
    mode: str

    async def play(self, clinic: Clinic, *, on: bool) -> Seen:
        """Read and act, quarantined or not; it is released afterwards, which is on record."""
        token = clinic.service.agent(FREE)
        tool = "plain/send" if self.mode == "read" else "plain/say"
        name = {"agent": FREE, "session": _sid(token), "tool": tool}[self.over]
        # A session begins with its first call.
        await calls(clinic, token, "plain", ("rows", {}))
        assert clinic.effects, "it is at work before"
        if on:
            clinic.service.told("quarantine", self.over, name, "--may", self.mode, "--why", "proof")
        try:
            results = await calls(clinic, token, "plain", ("say", {"text": "x"}), ("send", {"text": "x"}))
        finally:
            if on:
                released = clinic.service.told("resume", self.over, name)
                assert released["record"], "a release is on record"
        return Seen(results, clinic.effects)

    def through(self, seen: Seen) -> bool:
        """Whether what is held was done all the same."""
        held = "send" if self.mode == "read" else "say"
        return any(name == held for name, _ in seen.effects)

    def works(self, seen: Seen) -> bool:
        """Whether what it may still do was done."""
        free = "say" if self.mode == "read" else "send"
        return any(name == free for name, _ in seen.effects)


def _sid(token: str) -> str:
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return str(claims["sid"])


QUARANTINES: Final = tuple(
    Quarantined(f"quarantine-{over}-may-{mode}", over, mode)
    for over in ("agent", "session", "tool")
    for mode in ("read", "act")
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a server that is no tool, while its agent is quarantined.

    To read it where somebody outside is told acts as well: that is what is held of who may read and not act.
    """

    name: str
    what: str
    mode: str

    async def play(self, clinic: Clinic, *, on: bool) -> Seen:
        """Read at the server where it is held, and, where it may read, at the one where it is not."""
        token = clinic.service.agent(FREE)
        await calls(clinic, token, "plain", ("rows", {}))
        assert clinic.effects, "it is at work before"
        if on:
            clinic.service.told("quarantine", "agent", FREE, "--may", self.mode, "--why", "proof")
        try:
            refused = await self._read(clinic, token, "watched" if self.mode == "read" else "plain")
            effects = clinic.effects
            if self.mode == "read":
                free = await self._read(clinic, token, "plain")
                results = [] if free else [name for name, _ in clinic.effects]
            else:
                [sent] = await calls(clinic, token, "plain", ("send", {"text": "x"}))
                results = [] if sent.is_error else [name for name, _ in clinic.effects]
        finally:
            if on:
                assert clinic.service.told("resume", "agent", FREE)["record"], "a release is on record"
        return Seen(results, effects, refused)

    @staticmethod
    def through(seen: Seen) -> bool:
        """Whether what is held was read all the same."""
        return bool(seen.effects) and not seen.refused

    @staticmethod
    def works(seen: Seen) -> bool:
        """Whether it was held for that, and what it may still do was done."""
        return "stop/halted" in seen.refused and bool(seen.results)

    async def _read(self, clinic: Clinic, token: str, server: str) -> str:
        """Why it was not read; empty where it was."""
        from mcp import MCPError

        async with speaking(clinic, token, server) as client:
            try:
                await _ask(client, self.what)
            except MCPError as error:
                return str(error)
        return ""


async def _ask(client: Client, what: str) -> None:
    from mcp_types import PromptReference

    match what:
        case "resource":
            await client.read_resource("clinic://list")
        case "prompt":
            await client.get_prompt("greet", {"name": "uma"})
        case _:
            await client.complete(PromptReference(name="greet"), {"name": "name", "value": "u"})


READINGS: Final = tuple(
    Reading(f"quarantine-{what}-may-{mode}", what, mode)
    for what in ("resource", "prompt", "completion")
    for mode in ("read", "act")
)
